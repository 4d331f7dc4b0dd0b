//! The adb room against a real adb server on a port of its own (never the user's). Skipped, and said so, where the
//! program adb is not installed.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use farmhand::adb::{self, AdbHandle, AdbLimits, AdbSettings, TcpPhone};
use farmhand_actors::{
    domain::{AdbState, Serial},
    ports::DriverError,
    supervisor::PresenceReport,
};
use tokio::sync::mpsc;

/// Longer than anything that is waited for takes, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(15);

/// A real adb server of ours. It dies with the test.
struct Server {
    child: Child,
    port: u16,
    home: tempfile::TempDir,
}

impl Server {
    /// `None` where adb is not installed.
    fn start() -> Option<Self> {
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

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = spawn_server(self.port, self.home.path()).unwrap();
    }

    fn signal(&self, signal: &str) {
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
struct Room {
    handle: AdbHandle,
    reports: mpsc::UnboundedReceiver<PresenceReport>,
}

impl Room {
    fn start(server: &str, phones: &[(&str, &str)]) -> Self {
        let settings = AdbSettings {
            servers: vec![server.to_owned()],
            start_server: false,
            limits: AdbLimits {
                reconnect_max_ms: 500,
                ..AdbLimits::default()
            },
            ..AdbSettings::default()
        };
        let phones = phones.iter().map(|(name, address)| TcpPhone {
            serial: serial(name),
            address: (*address).into(),
        });
        let (sender, reports) = mpsc::unbounded_channel();
        let handle = adb::start(
            settings,
            phones.collect(),
            Arc::new(move |report| drop(sender.send(report))),
        );
        Self { handle, reports }
    }

    async fn report(&mut self, what: &str, holds: impl Fn(&PresenceReport) -> bool) -> PresenceReport {
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

    async fn state(&mut self, name: &str, state: &AdbState) -> PresenceReport {
        self.report(&format!("{name} is {state:?}"), |report| {
            report
                .devices
                .iter()
                .any(|presence| presence.serial.as_str() == name && presence.state == *state)
        })
        .await
    }

    async fn server_up(&mut self) {
        self.report("the server is there", |report| report.problem.is_none())
            .await;
    }

    async fn server_away(&mut self) -> String {
        self.report("the server is away", |report| report.problem.is_some())
            .await
            .problem
            .unwrap()
    }
}

fn serial(name: &str) -> Serial {
    Serial::parse(name).unwrap()
}

#[tokio::test]
async fn a_killed_server_is_noticed_and_followed_again() {
    let Some(mut server) = Server::start() else { return };
    let mut room = Room::start(&server.address(), &[]);
    room.server_up().await;
    assert!(adb::server_version(&server.address(), PATIENCE).await.unwrap() >= 40);

    let since = Instant::now();
    server.kill();
    room.server_away().await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());

    server.start_again();
    room.server_up().await;
    assert!(room.handle.servers()[0].up);
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_within_two_seconds() {
    let Some(server) = Server::start() else { return };
    let mut room = Room::start(&server.address(), &[]);
    room.server_up().await;

    let since = Instant::now();
    server.signal("-STOP");
    let problem = room.server_away().await;

    assert!(since.elapsed() < Duration::from_millis(2_300), "{:?}", since.elapsed());
    assert!(problem.contains("does not answer"), "{problem}");
    server.signal("-CONT");
    room.server_up().await;
}

#[tokio::test]
async fn a_phone_that_refuses_its_connection_says_so() {
    let Some(server) = Server::start() else { return };
    let refused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let mut room = Room::start(&server.address(), &[("sim-1", &refused)]);

    room.state("sim-1", &AdbState::Offline).await;

    let driver = room.handle.factory().open(&serial("sim-1"), None);
    let told = async {
        loop {
            match driver.info().await.unwrap_err() {
                DriverError::NotReady { problem, .. } if problem.contains("refused") => break,
                DriverError::NotReady { .. } => tokio::task::yield_now().await,
                other => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, told)
        .await
        .expect("the refusal is not told");
}

#[tokio::test]
async fn stopping_ends_within_a_moment() {
    let Some(server) = Server::start() else { return };
    let mut room = Room::start(&server.address(), &[]);
    room.server_up().await;

    tokio::time::timeout(PATIENCE, room.handle.stop()).await.unwrap();
}
