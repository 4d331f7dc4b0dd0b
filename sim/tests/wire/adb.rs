//! The real adb, kept away from the user's server and keys.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// The real adb client, for one server.
#[derive(Clone)]
pub struct Adb {
    program: PathBuf,
    pub port: u16,
    pub home: Arc<TempDir>,
}

impl Adb {
    pub fn new(program: PathBuf, port: u16) -> Self {
        let home = Arc::new(tempfile::tempdir().unwrap());
        Self { program, port, home }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command
            .arg(PATIENCE.as_secs().to_string())
            .arg(&self.program)
            .arg("-P")
            .arg(self.port.to_string())
            .args(arguments);
        command
            .env("HOME", self.home.path())
            .env("ADB_EMU", "0")
            .env("ADB_USB", "0")
            .env("ADB_MDNS", "0");
        command.env_remove("ANDROID_SERIAL").env_remove("ADB_VENDOR_KEYS");
        command
    }

    /// Runs the client with this input.
    pub async fn run_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        let input = input.to_vec();
        let run = move || {
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            // The client may end without reading all of it.
            let feed = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input).ok());
            let output = child.wait_with_output().unwrap();
            feed.join().unwrap();
            output
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, b"").await
    }

    /// Standard output of a run that must succeed.
    pub async fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "adb {arguments:?}: {:?}\n{stdout}{stderr}",
            output.status
        );
        stdout.into_owned()
    }

    /// Waits, within bounds, until the short device list says so.
    pub async fn wait_for_state(&self, serial: &str, state: &str) {
        let line = format!("{serial}\t{state}");
        let until = Instant::now() + PATIENCE;
        loop {
            let devices = self.text(&["devices"]).await;
            if devices.lines().any(|found| found == line) {
                return;
            }
            assert!(Instant::now() < until, "`{line}` never came; last list:\n{devices}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A real adb server of our own. Killed at the end.
pub struct AdbServer {
    pub adb: Adb,
    child: Child,
}

impl AdbServer {
    /// The server of this adb.
    pub async fn start(program: PathBuf) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        assert_ne!(port, 5037, "never the user's server");
        let adb = Adb::new(program, port);
        let mut command = Command::new(&adb.program);
        command.args(["-P", &port.to_string(), "nodaemon", "server"]);
        command
            .env("HOME", adb.home.path())
            .env("ADB_EMU", "0")
            .env("ADB_USB", "0")
            .env("ADB_MDNS", "0");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { adb, child };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
            assert!(Instant::now() < until, "the adb server never listened");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server
    }
}

impl Drop for AdbServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
