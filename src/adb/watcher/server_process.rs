//! Starting an adb server on this computer.

use std::{io, net::IpAddr, process::Stdio, time::Duration};

use tokio::process::Command;
use tracing::info;

/// The port of an adb server on this computer; `None` for other computers, which are not ours to start one on.
pub(super) fn local_port(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    port.parse().ok().filter(|_| is_local)
}

/// Runs `adb -P PORT start-server`, with adb's own environment as it is.
///
/// # Errors
/// One line for a person.
pub(super) async fn start(port: u16, deadline: Duration) -> Result<(), String> {
    info!(port, "starting an adb server");
    let mut command = Command::new("adb");
    command
        .arg("-P")
        .arg(port.to_string())
        .arg("start-server")
        .kill_on_drop(true);
    // The server that it leaves behind would keep pipes open.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match tokio::time::timeout(deadline, command.status()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!(
            "`adb -P {port} start-server` failed ({status}); run it to see why"
        )),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(format!(
            "no adb server listens on port {port} and the program adb is not installed; install it (Debian: apt-get \
             install adb) or set adb.servers to a server that runs"
        )),
        Ok(Err(error)) => Err(format!("the program adb cannot be run: {error}")),
        Err(_) => Err(format!("`adb -P {port} start-server` did not end within {deadline:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_on_this_computer_are_ours_to_start() {
        assert_eq!(local_port("127.0.0.1:5037"), Some(5037));
        assert_eq!(local_port("localhost:15037"), Some(15037));
        assert_eq!(local_port("[::1]:5037"), Some(5037));
        assert_eq!(local_port("192.168.1.4:5037"), None);
        assert_eq!(local_port("farm.example:5037"), None);
        assert_eq!(local_port("127.0.0.1:port"), None);
        assert_eq!(local_port("127.0.0.1"), None);
    }
}
