//! `farmhand bench adb`: what farmhand adds to adb. A shell call through the driver beside the same two requests on a
//! bare socket, a sweep over many phones, and a view tree from text to the element that is meant.

use std::{
    fmt::Write as _,
    io::{Read, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use farmhand_actors::{
    domain::{AdbState, Serial},
    ports::{DeviceDriver, ShellCommand},
    supervisor::PresenceReport,
};
use farmhand_sim::simulator::{Simulator, SimulatorOptions};
use serde::Serialize;
use tokio::sync::watch;

use super::{print_line, rounded};
use crate::{
    adb::{self, AdbHandle, AdbSettings, PresenceCallback, TcpPhone},
    cli::{
        CliError,
        serve::{failed, in_system},
    },
    flow::select::{self, Query, text::Pattern, tree::Screen},
};

/// What the phones are asked: one property.
const QUESTION: [&str; 2] = ["getprop", "ro.serialno"];
/// The same, as it goes over the wire.
const QUESTION_LINE: &str = "shell,v2,raw:'getprop' 'ro.serialno'";
/// How long phones and server may take to be there.
pub(super) const START_PATIENCE: Duration = Duration::from_secs(60);
/// A usual full screen.
const NODES: usize = 500;
const SCREEN_SIZE: (u32, u32) = (1080, 2400);

/// A call through the driver beside the same on a bare socket, microseconds, medians.
#[derive(Serialize)]
struct Shell {
    mode: &'static str,
    server: &'static str,
    n: u32,
    driver_us: f64,
    socket_us: f64,
    ratio: f64,
}

/// One property of all phones at once, milliseconds, median.
#[derive(Serialize)]
struct Sweep {
    mode: &'static str,
    server: &'static str,
    phones: u32,
    n: u32,
    sweep_ms: f64,
}

/// A view tree from text to the element that is meant, beside its text read by the XML library alone, milliseconds,
/// medians.
#[derive(Serialize)]
struct Tree {
    mode: &'static str,
    nodes: usize,
    bytes: usize,
    n: u32,
    parse_and_match_ms: f64,
    floor_ms: f64,
    ratio: f64,
}

/// Runs the bench and prints its lines.
pub fn run(phones: u32, n: u32) -> Result<(), CliError> {
    print_line(&tree_bench(n)?)?;
    in_system(async move {
        let count = usize::try_from(phones).unwrap_or(usize::MAX);
        let options = SimulatorOptions {
            phones: SimulatorOptions::numbered_phones(count),
            base_port: None,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.map_err(failed)?;
        let benched = Bench::start(&simulator, count).await;
        let result = match benched {
            Ok(bench) => bench.run(phones, n).await,
            Err(error) => Err(error),
        };
        simulator.stop().await;
        result
    })
}

/// Phones behind a server, and drivers for them.
struct Bench {
    handle: AdbHandle,
    /// Ends with the bench.
    _server: Option<PrivateServer>,
    kind: &'static str,
    address: String,
    /// The first phone, as the server calls it.
    adb_serial: String,
    drivers: Vec<Arc<dyn DeviceDriver>>,
}

impl Bench {
    async fn start(simulator: &Simulator, count: usize) -> Result<Self, CliError> {
        let server = PrivateServer::start()?;
        let (kind, address) = match &server {
            Some(server) => ("adb", format!("127.0.0.1:{}", server.port)),
            None => ("simulated", simulator.server().to_string()),
        };
        eprintln!("{count} phones behind a server ({kind}) on {address}");
        let serials = simulator.phones().iter().map(|(name, address)| {
            let serial = Serial::parse(name).map_err(failed)?;
            Ok((serial, address.to_string()))
        });
        let phones = serials.collect::<Result<Vec<_>, CliError>>()?;
        let first = phones.first().ok_or_else(|| failed("no phones"))?.clone();
        // Only a real server has to be told to connect them.
        let (devices, adb_serial) = match &server {
            Some(_) => (phones.clone(), first.1),
            None => (Vec::new(), first.0.as_str().to_owned()),
        };
        let settings = AdbSettings {
            servers: vec![address.clone()],
            start_server: false,
            ..AdbSettings::default()
        };
        let devices = devices
            .into_iter()
            .map(|(serial, address)| TcpPhone { serial, address });
        let (told, mut usable) = watch::channel(0);
        let report = move |report: PresenceReport| {
            let states = report.devices.iter().map(|presence| &presence.state);
            told.send_replace(states.filter(|state| **state == AdbState::Device).count());
        };
        let handle = AdbHandle::new(settings);
        handle.watch(devices.collect(), &(Arc::new(report) as PresenceCallback));
        let all_there = usable.wait_for(|usable| *usable >= count);
        tokio::time::timeout(START_PATIENCE, all_there)
            .await
            .map_err(|_| failed("the simulated phones did not come online"))?
            .map_err(failed)?;
        let factory = handle.factory();
        let drivers = phones.iter().map(|(serial, _)| factory.open(serial, None)).collect();
        Ok(Self {
            handle,
            _server: server,
            kind,
            address,
            adb_serial,
            drivers,
        })
    }

    async fn run(self, phones: u32, n: u32) -> Result<(), CliError> {
        eprintln!("all are there; {n} calls each way");
        print_line(&self.shell(n).await?)?;
        print_line(&self.sweep(phones, (n / 20).max(5)).await?)?;
        self.handle.stop().await;
        Ok(())
    }

    async fn shell(&self, n: u32) -> Result<Shell, CliError> {
        let driver = self.drivers.first().ok_or_else(|| failed("no phones"))?;
        let (mut by_driver, mut by_socket) = (Vec::new(), Vec::new());
        // In turn, so that whatever else the machine does meets both.
        for _ in 0..n {
            let since = Instant::now();
            ask(&**driver).await?;
            by_driver.push(since.elapsed());
            let since = Instant::now();
            ask_by_socket(&self.address, &self.adb_serial).map_err(failed)?;
            by_socket.push(since.elapsed());
        }
        let (driver, socket) = (median(by_driver), median(by_socket));
        Ok(Shell {
            mode: "adb_shell",
            server: self.kind,
            n,
            driver_us: rounded(driver.as_secs_f64() * 1e6, 1),
            socket_us: rounded(socket.as_secs_f64() * 1e6, 1),
            ratio: rounded(driver.as_secs_f64() / socket.as_secs_f64().max(1e-9), 2),
        })
    }

    async fn sweep(&self, phones: u32, n: u32) -> Result<Sweep, CliError> {
        let mut times = Vec::new();
        for _ in 0..n {
            let since = Instant::now();
            let asked = self.drivers.iter().map(|driver| ask(&**driver));
            futures_util::future::try_join_all(asked).await?;
            times.push(since.elapsed());
        }
        Ok(Sweep {
            mode: "adb_sweep",
            server: self.kind,
            phones,
            n,
            sweep_ms: rounded(median(times).as_secs_f64() * 1e3, 2),
        })
    }
}

/// Asks a phone for its serial, which has to be that serial.
async fn ask(driver: &dyn DeviceDriver) -> Result<(), CliError> {
    let command = ShellCommand {
        words: QUESTION.map(str::to_owned).into(),
        timeout: None,
    };
    let output = driver.shell(command).await.map_err(failed)?;
    if output.stdout.trim_ascii() == driver.serial().as_str().as_bytes() {
        Ok(())
    } else {
        Err(failed(format!("{} answers {output:?}", driver.serial())))
    }
}

/// The least that the same question costs: two requests on a blocking socket, read to its end.
fn ask_by_socket(address: &str, adb_serial: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    for request in [format!("host:transport:{adb_serial}"), QUESTION_LINE.to_owned()] {
        stream.write_all(format!("{:04x}{request}", request.len()).as_bytes())?;
        let mut okay = [0; 4];
        stream.read_exact(&mut okay)?;
        if &okay != b"OKAY" {
            return Err(std::io::Error::other("the adb server refused a request"));
        }
    }
    let mut answer = Vec::with_capacity(4096);
    stream.read_to_end(&mut answer)?;
    // The last packet is the exit code: kind 3, length 1, 0.
    if answer.ends_with(&[3, 1, 0, 0, 0, 0]) {
        Ok(())
    } else {
        Err(std::io::Error::other("no exit code came"))
    }
}

fn tree_bench(n: u32) -> Result<Tree, CliError> {
    let dump = dump_of(NODES);
    eprintln!("{n} view trees of {NODES} nodes");
    let query = Query {
        id: Some(Pattern::new("com.example:id/row_250").map_err(failed)?),
        ..Query::default()
    };
    let (mut times, mut floor) = (Vec::new(), Vec::new());
    // In turn, as with the calls.
    for _ in 0..n {
        let since = Instant::now();
        let elements = adb::count_elements(&dump).map_err(failed)?;
        floor.push(since.elapsed());
        let since = Instant::now();
        let tree = adb::read_tree(dump.as_bytes()).map_err(failed)?;
        let screen = Screen::new(&tree, SCREEN_SIZE.0, SCREEN_SIZE.1);
        let found = select::find(&query, &screen);
        times.push(since.elapsed());
        // The hierarchy is an element, too.
        if tree.nodes.len() != NODES || elements != NODES + 1 || found.is_none() {
            return Err(failed("the view tree was not read as it is"));
        }
    }
    let (whole, floor) = (median(times), median(floor));
    Ok(Tree {
        mode: "tree",
        nodes: NODES,
        bytes: dump.len(),
        n,
        parse_and_match_ms: rounded(whole.as_secs_f64() * 1e3, 3),
        floor_ms: rounded(floor.as_secs_f64() * 1e3, 3),
        ratio: rounded(whole.as_secs_f64() / floor.as_secs_f64().max(1e-9), 2),
    })
}

/// A dump with so many nodes: a list of rows in a frame, each node with what Android tells of one.
fn dump_of(nodes: usize) -> String {
    const FLAGS: &str = r#"checkable="false" checked="false" clickable="true" enabled="true" focusable="true" focused="false" scrollable="false" long-clickable="false" password="false" selected="false""#;
    let mut dump = r#"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy rotation="0">"#.to_owned();
    let mut node = |index: usize, class: &str, close: &str| {
        let top = index * 4;
        // Writing to a String cannot fail.
        let _ = write!(
            dump,
            r#"<node index="{index}" text="Row {index} &amp; more" resource-id="com.example:id/row_{index}" class="android.widget.{class}" package="com.example" content-desc="" {FLAGS} bounds="[0,{top}][1080,{}]"{close}"#,
            top + 90
        );
    };
    node(0, "FrameLayout", ">");
    node(1, "ListView", ">");
    for index in 2..nodes {
        node(index, "TextView", " />");
    }
    dump.push_str("</node></node></hierarchy>");
    dump
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A real adb server for the bench alone, never the user's. It ends with the bench.
pub(super) struct PrivateServer {
    child: Child,
    pub(super) port: u16,
    _home: tempfile::TempDir,
}

impl PrivateServer {
    /// `None` where adb is not installed.
    pub(super) fn start() -> Result<Option<Self>, CliError> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = free.local_addr().map_err(failed)?.port();
        drop(free);
        let home = tempfile::tempdir().map_err(failed)?;
        let Ok(child) = spawn(port, home.path()) else {
            eprintln!("the program adb cannot be run; the simulator's own server stands in");
            return Ok(None);
        };
        let server = Self {
            child,
            port,
            _home: home,
        };
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if since.elapsed() > START_PATIENCE {
                return Err(failed("the adb server does not listen"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(server))
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, home: &Path) -> std::io::Result<Child> {
    let mut command = Command::new("adb");
    command.args(["-P", &port.to_string(), "nodaemon", "server"]);
    command.env("HOME", home);
    for switch in ["ADB_EMU", "ADB_USB", "ADB_MDNS"] {
        command.env(switch, "0");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dump_of_the_bench_is_read_whole_and_its_row_found() {
        let figures = tree_bench(1).unwrap();

        assert_eq!((figures.nodes, figures.n), (500, 1));
        assert!(figures.parse_and_match_ms > 0.0 && figures.floor_ms > 0.0 && figures.ratio > 0.0);
    }

    #[test]
    fn the_median_is_the_middle_one() {
        let times = [5, 1, 900].map(Duration::from_millis).to_vec();
        assert_eq!(median(times), Duration::from_millis(5));
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }
}
