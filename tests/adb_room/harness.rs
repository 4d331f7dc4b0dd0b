//! A real adb server of the test's own, and the room with what it reports.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use farmhand::adb::{AdbHandle, AdbLimits, AdbSettings, AgentSettings, PresenceCallback, TcpPhone};
use farmhand_actors::{
    domain::{AdbState, Serial},
    supervisor::PresenceReport,
};
use tokio::sync::mpsc;

/// Longer than anything that is waited for takes, unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A real adb server of ours. It dies with the test.
pub struct Server {
    child: Child,
    port: u16,
    home: tempfile::TempDir,
}

impl Server {
    /// `None` where adb is not installed.
    pub fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = tempfile::tempdir().unwrap();
        match spawn_server(port, home.path()) {
            Ok(child) => Some(Self { child, port, home }),
            Err(error) => {
                println!("skipped: the program adb cannot be run: {error}");
                None
            }
        }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.child = spawn_server(self.port, self.home.path()).unwrap();
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .arg(signal)
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn_server(port: u16, home: &std::path::Path) -> std::io::Result<Child> {
    let mut command = Command::new("adb");
    command.args(["-P", &port.to_string(), "nodaemon", "server"]);
    command
        .env("HOME", home)
        .env("ADB_EMU", "0")
        .env("ADB_USB", "0")
        .env("ADB_MDNS", "0");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn()
}

/// The room, and what it reports.
pub struct Room {
    pub handle: AdbHandle,
    reports: mpsc::UnboundedReceiver<PresenceReport>,
}

impl Room {
    pub fn start(server: &str, phones: &[(&str, &str)]) -> Self {
        Self::start_with(server, phones, AgentSettings::default())
    }

    pub fn start_with(server: &str, phones: &[(&str, &str)], agent: AgentSettings) -> Self {
        let settings = AdbSettings {
            servers: vec![server.to_owned()],
            start_server: false,
            agent,
            limits: AdbLimits {
                reconnect_max_ms: 500,
                ..AdbLimits::default()
            },
            ..AdbSettings::default()
        };
        Self::with(settings, phones)
    }

    pub fn with(settings: AdbSettings, phones: &[(&str, &str)]) -> Self {
        let phones = phones.iter().map(|(name, address)| TcpPhone {
            serial: serial(name),
            address: (*address).into(),
        });
        let (sender, reports) = mpsc::unbounded_channel();
        let handle = AdbHandle::new(settings);
        let report: PresenceCallback = Arc::new(move |report| drop(sender.send(report)));
        handle.watch(phones.collect(), &report);
        Self { handle, reports }
    }

    pub async fn report(&mut self, what: &str, holds: impl Fn(&PresenceReport) -> bool) -> PresenceReport {
        let mut last = None;
        let found = async {
            loop {
                let report = self.reports.recv().await.unwrap();
                if holds(&report) {
                    break report;
                }
                last = Some(report);
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("no report in which {what}; the last: {last:?}"))
    }

    pub async fn state(&mut self, name: &str, state: &AdbState) -> PresenceReport {
        self.report(&format!("{name} is {state:?}"), |report| {
            report
                .devices
                .iter()
                .any(|presence| presence.serial.as_str() == name && presence.state == *state)
        })
        .await
    }

    /// Until one report shows this many usable phones.
    pub async fn usable(&mut self, count: usize) -> PresenceReport {
        let usable = |report: &PresenceReport| {
            report
                .devices
                .iter()
                .filter(|presence| presence.state == AdbState::Device)
                .count()
        };
        self.report(&format!("{count} phones are usable"), |report| usable(report) == count)
            .await
    }

    pub async fn server_up(&mut self) {
        self.report("the server is there", |report| report.problem.is_none())
            .await;
    }

    pub async fn server_away(&mut self) -> String {
        self.report("the server is away", |report| report.problem.is_some())
            .await
            .problem
            .unwrap()
    }
}

pub fn serial(name: &str) -> Serial {
    Serial::parse(name).unwrap()
}
