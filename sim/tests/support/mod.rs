//! A simulator and a private adb server in front of it.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::expect_used, reason = "what cannot be set up is a failed test")]

pub mod apk;
pub mod programs;

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use farmhand_sim::simulator::{PhoneSpec, Simulator, SimulatorOptions};

/// How long a condition may take to come true.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until the condition gives something; what it gives, or a panic that says what was awaited.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        // A bounded wait on a condition: the pause only keeps it from taking a whole core.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Phones behind a real adb server of their own.
pub struct Rig {
    adb: PathBuf,
    pub simulator: Option<Simulator>,
    server: Child,
    port: u16,
    home: tempfile::TempDir,
    /// What adb calls the first phone.
    pub serial: String,
}

impl Rig {
    /// Starts everything behind this adb and connects the first phone.
    pub async fn start(adb: PathBuf, phones: usize) -> Self {
        // Back before the adb server looks for the phone again, 250 ms after it went; its next look is 10 s later.
        let specs = SimulatorOptions::numbered_phones(phones).into_iter();
        let options = SimulatorOptions {
            phones: specs.map(|spec| PhoneSpec { boot_ms: 100, ..spec }).collect(),
            base_port: None,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.expect("a simulator");
        let home = tempfile::tempdir().expect("a home for adb's keys");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .expect("a free port")
            .port();
        let server = command(&adb, port, &home)
            .args(["nodaemon", "server"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("an adb server");
        wait_for("the adb server", || TcpStream::connect(("127.0.0.1", port)).ok());
        let serial = simulator.phones().first().expect("a phone").1.to_string();
        let rig = Self {
            adb,
            simulator: Some(simulator),
            server,
            port,
            home,
            serial,
        };
        let connected = rig.adb(&["connect", &rig.serial]);
        assert!(text(&connected.stdout).contains("connected to"), "{connected:?}");
        wait_for("the phone", || {
            (text(&rig.adb(&["-s", &rig.serial, "get-state"]).stdout) == "device\n").then_some(())
        });
        rig
    }

    pub fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().expect("a running simulator")
    }

    /// The port of the private adb server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The adb that is tested.
    pub fn program(&self) -> &Path {
        &self.adb
    }

    /// A folder that is removed at the end.
    pub fn folder(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// `adb …` against the private server.
    pub fn adb(&self, arguments: &[&str]) -> Output {
        command(&self.adb, self.port, &self.home)
            .args(arguments)
            .output()
            .expect("adb runs")
    }

    /// `adb … ` against the first phone, left running.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.spawn_into(arguments, Stdio::null())
    }

    /// The same, and what it prints goes there.
    pub fn spawn_into(&self, arguments: &[&str], output: impl Into<Stdio>) -> Child {
        let mut command = command(&self.adb, self.port, &self.home);
        command
            .args(["-s", &self.serial])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output);
        command.spawn().expect("adb runs")
    }

    /// `adb -s PHONE …`
    pub fn phone(&self, arguments: &[&str]) -> Output {
        self.adb(&[&["-s", &self.serial], arguments].concat())
    }

    /// Standard output of `adb -s PHONE shell …`.
    pub fn shell(&self, line: &str) -> String {
        text(&self.phone(&["shell", line]).stdout)
    }

    pub async fn stop(mut self) {
        if let Some(simulator) = self.simulator.take() {
            simulator.stop().await;
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Both fail only when the server has ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn command(adb: &Path, port: u16, home: &tempfile::TempDir) -> Command {
    let mut command = Command::new(adb);
    command.args(["-P", &port.to_string()]);
    command.env("HOME", home.path()).env("TMPDIR", home.path());
    command.env("ADB_EMU", "0").env("ADB_USB", "0").env("ADB_MDNS", "0");
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The middle of the first node of a hierarchy with this text.
pub fn center_of(hierarchy: &str, text: &str) -> Option<(i32, i32)> {
    let node = hierarchy
        .split("<node ")
        .find(|node| node.contains(&format!("text=\"{text}\"")))?;
    let bounds = node.split("bounds=\"").nth(1)?.split('"').next()?;
    let numbers: Vec<i32> = bounds
        .split(|c: char| !c.is_ascii_digit() && c != '-')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [left, top, right, bottom] = numbers.try_into().ok()?;
    Some((left.midpoint(right), top.midpoint(bottom)))
}
