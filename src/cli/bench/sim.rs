//! `farmhand bench sim`: what simulated phones cost that nobody asks anything, behind a real adb server.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant},
};

use farmhand_sim::simulator::{Simulator, SimulatorOptions};
use serde::Serialize;

use super::{
    adb::{PrivateServer, START_PATIENCE},
    print_line, rounded,
    usage::{process_cpu, resident_mib},
};
use crate::cli::{
    CliError,
    serve::{failed, in_system},
};

/// How long the idle phones are watched.
const WINDOW: Duration = Duration::from_secs(10);
/// What was asked last is tidied up within this time.
const SETTLES: Duration = Duration::from_secs(2);

/// What the whole process has in memory, and the share of a core that it uses.
#[derive(Serialize)]
struct Idle {
    mode: &'static str,
    server: &'static str,
    phones: u32,
    rss_mib: f64,
    idle_cpu_share: f64,
}

/// Runs the bench and prints its line.
pub fn run(phones: u32) -> Result<(), CliError> {
    in_system(async move {
        let count = usize::try_from(phones).unwrap_or(usize::MAX);
        let options = SimulatorOptions {
            phones: SimulatorOptions::numbered_phones(count),
            base_port: None,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.map_err(failed)?;
        let result = watch(&simulator, phones, count).await;
        simulator.stop().await;
        result
    })
}

async fn watch(simulator: &Simulator, phones: u32, count: usize) -> Result<(), CliError> {
    let server = PrivateServer::start()?;
    let kind = match &server {
        Some(server) => {
            for (_, address) in simulator.phones() {
                ask(server.port, &format!("host:connect:{address}")).map_err(failed)?;
            }
            await_all(server.port, count).await?;
            "adb"
        }
        None => "none",
    };
    eprintln!("{phones} phones (adb server: {kind}), watched for {WINDOW:?}");
    tokio::time::sleep(SETTLES).await;
    let (since, before) = (Instant::now(), process_cpu()?);
    tokio::time::sleep(WINDOW).await;
    let used = process_cpu()? - before;
    print_line(&Idle {
        mode: "sim",
        server: kind,
        phones,
        rss_mib: rounded(resident_mib()?, 1),
        idle_cpu_share: rounded(used / since.elapsed().as_secs_f64(), 4),
    })
}

/// Until the server lists so many usable phones.
async fn await_all(port: u16, count: usize) -> Result<(), CliError> {
    let since = Instant::now();
    loop {
        let listed = ask(port, "host:devices").map_err(failed)?;
        if listed.lines().filter(|line| line.ends_with("\tdevice")).count() == count {
            return Ok(());
        }
        if since.elapsed() > START_PATIENCE {
            return Err(failed("the simulated phones did not come online"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One question to the adb server: the text of its answer.
fn ask(port: u16, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(format!("{:04x}{request}", request.len()).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    // A status and a length, four bytes each.
    match answer.strip_prefix("OKAY").and_then(|rest| rest.get(4..)) {
        Some(text) => Ok(text.to_owned()),
        None => Err(std::io::Error::other(answer)),
    }
}
