//! `farmhand bench farm`: the whole controller over HTTP, on simulated phones that speak the adb server's protocol.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use farmhand_sim::simulator::{Simulator, SimulatorOptions};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    per_second, print_line, rounded,
    usage::{process_cpu, thread_cpu},
};
use crate::{
    cli::{
        CliError,
        client::Client,
        serve::{failed, in_system},
    },
    settings::{AuthMode, Settings},
    startup::Application,
};

/// The bench's script, as a file of `flows.dir`.
const FLOW_FILE: &str = "bench.yaml";
/// One command on the phone's shell (`cmd uimode night`), and nothing that waits for a screen. Taking the phone for the
/// attempt is another call.
const FLOW: &str =
    "appId: com.android.settings\nfarmhand:\n  description: One shell command.\n---\n- assertLightMode\n";
/// The simulated phones' thread: its CPU time is not the controller's.
const SIMULATOR_THREAD: &str = "simulator";
/// Counts the calls to phones.
const CALLS: &str = "farmhand_adb_command_duration_seconds_count";
/// Between two looks at how far the farm is; also what a measured time may be too long by.
const LOOK: Duration = Duration::from_millis(10);
/// Without any task coming to its end for so long, the bench gives up.
const STALL: Duration = Duration::from_secs(60);

/// The line that is printed.
#[derive(Serialize)]
struct Throughput {
    mode: &'static str,
    phones: u32,
    n: u32,
    /// Tasks completed in a second, from the first request on.
    tasks_s: f64,
    /// Calls to phones in a second.
    adb_calls_s: f64,
    /// CPU time of controller and client; without the phones' thread, seconds.
    cpu_s: f64,
}

/// Runs the bench and prints its line.
pub fn run(phones: u32, n: u32) -> Result<(), CliError> {
    let folder = tempfile::tempdir().map_err(failed)?;
    eprintln!("database: {}", folder.path().display());
    in_system(async {
        let count = usize::try_from(phones).unwrap_or(usize::MAX);
        let options = SimulatorOptions {
            phones: SimulatorOptions::numbered_phones(count),
            base_port: None,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.map_err(failed)?;
        let application = Application::start(settings(folder.path(), simulator.server())?).await;
        let application = application.map_err(failed)?;
        let address = application.address();
        let driven = tokio::task::spawn_blocking(move || Bench::new(address, phones)?.run(n));
        let mut result = None;
        let served = application.run_until(async { result = Some(driven.await) }).await;
        simulator.stop().await;
        served.map_err(failed)?;
        let result = result.ok_or_else(|| CliError::Failed("the controller ended before the bench".to_owned()))?;
        print_line(&result.map_err(failed)??)
    })
}

/// The defaults, on any free port, with the bench's script and phones.
pub(super) fn settings(folder: &Path, server: SocketAddr) -> Result<Settings, CliError> {
    let flows = folder.join("flows");
    std::fs::create_dir_all(&flows).map_err(failed)?;
    std::fs::write(flows.join(FLOW_FILE), FLOW).map_err(failed)?;
    let mut settings = Settings::defaults().map_err(failed)?;
    settings.data_dir = folder.join("data");
    settings.http.port = 0;
    settings.auth.mode = AuthMode::Off;
    settings.adb.servers = vec![server.to_string()];
    settings.adb.start_server = false;
    settings.flows.dir = flows.display().to_string();
    // The largest: the plan is not what is measured.
    settings.license.plan = "Business".to_owned();
    Ok(settings)
}

/// A client of the controller that is measured.
struct Bench {
    client: Client,
    metrics: String,
    serials: Vec<String>,
}

impl Bench {
    fn new(address: SocketAddr, phones: u32) -> Result<Self, CliError> {
        Ok(Self {
            client: Client::new(&format!("http://{address}"))?,
            metrics: format!("http://{address}/metrics"),
            serials: (1..=phones).map(|number| format!("sim-{number}")).collect(),
        })
    }

    fn run(&self, n: u32) -> Result<Throughput, CliError> {
        await_online(&self.client, self.serials.len())?;
        eprintln!("{} phones are online", self.serials.len());
        let (calls, cpu, started) = (self.calls()?, controller_cpu()?, Instant::now());
        let mut left = usize::try_from(n).unwrap_or(usize::MAX);
        while left > 0 {
            let serials: Vec<&String> = self.serials.iter().take(left).collect();
            left = left.saturating_sub(serials.len());
            let body = json!({ "serials": serials, "script_name": "bench", "script_config": {} });
            self.client.post("/task", &body)?;
        }
        eprintln!("created {n} tasks, {} a second", per_second(n, started.elapsed()));
        self.await_completed(n)?;
        let took = started.elapsed();
        let calls = self.calls()? - calls;
        Ok(Throughput {
            mode: "farm",
            phones: u32::try_from(self.serials.len()).unwrap_or(u32::MAX),
            n,
            tasks_s: per_second(n, took),
            adb_calls_s: rounded(calls / took.as_secs_f64().max(1e-9), 1),
            cpu_s: rounded(controller_cpu()? - cpu, 2),
        })
    }

    fn await_completed(&self, n: u32) -> Result<(), CliError> {
        let (mut before, mut moved) = (0, Instant::now());
        loop {
            let stats = self.client.get("/task/stats", &[])?;
            let count = |what: &str| stats.get(what).and_then(Value::as_u64).unwrap_or(0);
            let (completed, wrong) = (count("completed"), count("failed"));
            if wrong > 0 {
                return Err(CliError::Failed(format!(
                    "{wrong} tasks of the bench failed: {}",
                    self.first_failure()?
                )));
            }
            if completed >= u64::from(n) {
                return Ok(());
            }
            if completed > before {
                (before, moved) = (completed, Instant::now());
            } else if moved.elapsed() > STALL {
                return Err(CliError::Failed(format!(
                    "the bench stands still at {completed} of {n} tasks"
                )));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn first_failure(&self) -> Result<String, CliError> {
        let page = self
            .client
            .get("/task", &[("status", "3".to_owned()), ("page_size", "1".to_owned())])?;
        Ok(page
            .pointer("/items/0/remark")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned())
    }

    /// Calls to phones so far.
    fn calls(&self) -> Result<f64, CliError> {
        let mut answer = ureq::get(&self.metrics).call().map_err(failed)?;
        let text = answer.body_mut().read_to_string().map_err(failed)?;
        Ok(sum_of(CALLS, &text))
    }
}

/// Waits until so many phones are online.
pub(super) fn await_online(client: &Client, phones: usize) -> Result<(), CliError> {
    let deadline = Instant::now() + STALL;
    loop {
        let devices = client.get("/device", &[])?;
        let devices = devices.get("items").and_then(Value::as_array).into_iter().flatten();
        let online = devices.filter(|device| device.get("state").is_some_and(|state| state == "online"));
        if online.count() == phones {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(CliError::Failed("the simulated phones did not come online".to_owned()));
        }
        std::thread::sleep(LOOK);
    }
}

/// What a metric's series come to together, in Prometheus' text format.
fn sum_of(name: &str, text: &str) -> f64 {
    let ours = text.lines().filter_map(|line| line.strip_prefix(name));
    let values = ours
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next());
    values.filter_map(|value| value.parse::<f64>().ok()).sum()
}

fn controller_cpu() -> Result<f64, CliError> {
    Ok(process_cpu()? - thread_cpu(SIMULATOR_THREAD)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_of_a_metric_are_summed_and_no_other_ones() {
        let text = "# HELP calls x\ncalls{op=\"tap\"} 3\ncalls{op=\"text with space\"} 4\ncalls_total 9\ncalls 1\n";
        assert_eq!(sum_of("calls", text), 8.0);
    }
}
