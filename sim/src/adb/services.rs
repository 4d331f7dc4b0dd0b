//! What a host can open on a phone: `shell:`, `exec:`, `sync:` and the others. Both fronts, the phone's own port and
//! the adb server's, run a service over a pipe, so that it behaves the same behind either.

mod framebuffer;
mod shell;
mod sync;

use std::sync::Arc;

use tokio::io::{AsyncWriteExt, DuplexStream};

use crate::device::Device;

/// What a pipe between a front and a service holds, bytes: a chunk of sync's.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

/// A service that was asked for.
#[derive(Debug)]
pub(crate) enum Service {
    /// A command, or a shell that reads commands when there is none.
    Shell { command: String, protocol: shell::Protocol },
    /// One of Android's services, by arguments that need no quoting (`abb:`, `abb_exec:`).
    Binder {
        arguments: Vec<String>,
        protocol: shell::Protocol,
    },
    /// Files.
    Sync,
    /// The screen's pixels.
    Framebuffer,
    /// A TCP port of the phone.
    Port(u16),
    /// That port, connected.
    Connected(DuplexStream),
    /// Restarts the phone.
    Reboot,
    /// Something that a production phone only answers with words.
    Words(String),
}

/// The service of a name; `None` when there is none, and the stream is refused.
pub(crate) fn find(name: &[u8]) -> Option<Service> {
    let name = String::from_utf8_lossy(name);
    let (kind, rest) = name.split_once(':')?;
    let words = |text: &str| Some(Service::Words(text.to_owned()));
    match kind {
        "sync" => Some(Service::Sync),
        "framebuffer" => Some(Service::Framebuffer),
        "tcp" => rest.parse().ok().map(Service::Port),
        "exec" => Some(Service::Shell {
            command: rest.to_owned(),
            protocol: shell::Protocol::Raw,
        }),
        "abb" => Some(Service::Binder {
            arguments: binder_arguments(rest),
            protocol: shell::Protocol::Packets,
        }),
        "abb_exec" => Some(Service::Binder {
            arguments: binder_arguments(rest),
            protocol: shell::Protocol::Raw,
        }),
        "reboot" => Some(Service::Reboot),
        "root" => words("adbd cannot run as root in production builds\n"),
        "unroot" => words("adbd not running as root\n"),
        "remount" => words("Not running as root. Try \"adb root\" first.\n"),
        "usb" => words("restarting in USB mode\n"),
        "tcpip" => words(&match rest.parse::<u16>() {
            Ok(port) if port > 0 => format!("restarting in TCP mode port: {port}\n"),
            _ => format!("invalid port {rest}\n"),
        }),
        "disable-verity" => words("verity cannot be disabled/enabled - USER build\n"),
        "enable-verity" => words("verity cannot be disabled/enabled - USER build\n"),
        "reverse" => words(&reverse(rest)),
        _ => {
            let options = kind
                .strip_prefix("shell")
                .filter(|options| options.is_empty() || options.starts_with(','))?;
            let protocol = shell::Protocol::of_options(options, rest);
            Some(Service::Shell {
                command: rest.to_owned(),
                protocol,
            })
        }
    }
}

impl Service {
    /// Does what must succeed before the host may be told that the service is open.
    pub(crate) async fn prepare(self, device: &Arc<dyn Device>) -> Option<Self> {
        match self {
            Self::Port(port) => device.connect_tcp(port).await.map(Self::Connected),
            other => Some(other),
        }
    }

    /// Runs the service over a pipe until it has ended or the host has gone.
    pub(crate) async fn run(self, device: Arc<dyn Device>, mut pipe: DuplexStream) {
        match self {
            Self::Shell { command, protocol } => shell::run(device, &command, protocol, pipe).await,
            Self::Binder { arguments, protocol } => shell::run_binder(device, arguments, protocol, pipe).await,
            // What can go wrong with these is that the host goes away.
            Self::Sync => drop(sync::run(&device.files(), pipe).await),
            Self::Framebuffer => drop(framebuffer::run(&device, pipe).await),
            Self::Connected(mut port) => drop(tokio::io::copy_bidirectional(&mut pipe, &mut port).await),
            Self::Port(_) => {}
            Self::Reboot => {
                drop(pipe);
                device.reboot().await;
            }
            Self::Words(words) => drop(pipe.write_all(words.as_bytes()).await),
        }
    }
}

/// `abb_exec:package\0install\0-S\09\0` is `cmd package install -S 9`.
fn binder_arguments(rest: &str) -> Vec<String> {
    let words = rest.strip_suffix('\0').unwrap_or(rest).split('\0');
    std::iter::once("cmd").chain(words).map(str::to_owned).collect()
}

/// The phone opens no connections to the host, so nothing is ever forwarded that way.
fn reverse(request: &str) -> String {
    match request {
        "list-forward" => "0000".to_owned(),
        "killforward-all" => "OKAY".to_owned(),
        _ => {
            let text = "reverse forwarding is not supported by this phone; use forward";
            format!("FAIL{:04x}{text}", text.len())
        }
    }
}
