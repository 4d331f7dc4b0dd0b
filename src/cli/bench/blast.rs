//! `farmhand bench blast`: what one sick phone costs the others. The whole controller over HTTP, on simulated phones that
//! answer as slowly as real ones, so that the phones and not the processor decide how fast the farm is.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use farmhand_sim::{
    simulator::{Simulator, SimulatorOptions},
    world::World,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{farm, per_second, print_line, rounded};
use crate::{
    cli::{
        CliError,
        client::Client,
        serve::{failed, in_system},
    },
    settings::Settings,
    startup::Application,
};

/// The sick phone's script: it looks at the screen, so that garbage there matters.
const LOOK_FILE: &str = "look.yaml";
const LOOK_FLOW: &str =
    "appId: com.android.settings\nfarmhand:\n  description: One look at the screen.\n---\n- assertVisible: TikTok\n";
/// The time that a healthy phone takes for each answer.
const ANSWER_MS: u64 = 100;
/// Between two changes of a phone that flaps.
const FLAP: Duration = Duration::from_millis(100);
/// Between two looks at how far the farm is.
const LOOK: Duration = Duration::from_millis(20);
/// Without any task coming to its end for so long, the bench gives up.
const STALL: Duration = Duration::from_secs(60);
/// As many as one request may delete.
const DELETE_MAX: usize = 1000;

/// What is wrong with the sick phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Sickness {
    /// It refuses at once whatever it is told.
    FailsAtOnce,
    /// It answers nothing.
    Hangs,
    /// It comes and goes ten times a second.
    Flaps,
    /// What it shows of its screen is no view tree.
    SendsGarbage,
}

impl Sickness {
    const ALL: [Self; 4] = [Self::FailsAtOnce, Self::Hangs, Self::Flaps, Self::SendsGarbage];

    /// The simulated phone's fault.
    fn fault(self) -> &'static str {
        match self {
            // Not even the lease can be written.
            Self::FailsAtOnce => "storage_full",
            Self::Hangs => "hang",
            Self::Flaps => "offline",
            Self::SendsGarbage => "garbage_hierarchy",
        }
    }
}

/// The line that is printed for each sickness.
#[derive(Serialize)]
struct Blast {
    mode: Sickness,
    phones: u32,
    n: u32,
    /// Tasks that the other phones complete in a second beside the sick one.
    tasks_s: f64,
    /// The same beside a healthy one: the mean of a run before and a run after.
    clean_tasks_s: f64,
    /// The one as a share of the other.
    share: f64,
}

/// Runs the bench and prints its lines.
pub fn run(phones: u32, n: u32) -> Result<(), CliError> {
    let folder = tempfile::tempdir().map_err(failed)?;
    eprintln!("database: {}", folder.path().display());
    in_system(async {
        // Each sickness has a phone of its own: what farmhand has learnt of one would help it with the next.
        let count = usize::try_from(phones).unwrap_or(usize::MAX) - 1 + Sickness::ALL.len();
        let options = SimulatorOptions {
            phones: SimulatorOptions::numbered_phones(count),
            base_port: None,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.map_err(failed)?;
        let settings = settings(folder.path(), &simulator)?;
        let application = Application::start(settings).await.map_err(failed)?;
        let client = Client::new(&format!("http://{}", application.address()))?;
        let names = simulator.phones().iter().map(|(serial, _)| serial.clone());
        let bench = Bench::new(client, Arc::clone(simulator.world()), names.collect(), n);
        let driven = tokio::task::spawn_blocking(move || bench.run());
        let mut result = None;
        let served = application.run_until(async { result = Some(driven.await) }).await;
        simulator.stop().await;
        served.map_err(failed)?;
        let result = result.ok_or_else(|| CliError::Failed("the controller ended before the bench".to_owned()))?;
        result.map_err(failed)?
    })
}

fn settings(folder: &Path, simulator: &Simulator) -> Result<Settings, CliError> {
    let mut settings = farm::settings(folder, simulator.server())?;
    std::fs::write(Path::new(&settings.flows.dir).join(LOOK_FILE), LOOK_FLOW).map_err(failed)?;
    // As much as a sick phone can be made to be tried.
    settings.retry.auto = true;
    settings.retry.delay = [0, 1];
    Ok(settings)
}

/// A client of the controller, and a hand on the phones.
struct Bench {
    client: Client,
    world: Arc<World>,
    healthy: Vec<String>,
    /// One for each sickness.
    sick: Vec<String>,
    n: u32,
}

impl Bench {
    fn new(client: Client, world: Arc<World>, mut healthy: Vec<String>, n: u32) -> Self {
        let sick = healthy.split_off(healthy.len().saturating_sub(Sickness::ALL.len()));
        Self {
            client,
            world,
            healthy,
            sick,
            n,
        }
    }

    fn run(&self) -> Result<(), CliError> {
        farm::await_online(&self.client, self.healthy.len() + self.sick.len())?;
        for serial in &self.healthy {
            self.set_fault(serial, "slow")?;
        }
        for (mode, serial) in Sickness::ALL.into_iter().zip(&self.sick) {
            let before = self.tasks_s(serial)?;
            let tasks_s = self.beside(serial, mode)?;
            let clean_tasks_s = rounded(f64::midpoint(before, self.tasks_s(serial)?), 1);
            print_line(&Blast {
                mode,
                phones: u32::try_from(self.healthy.len() + 1).unwrap_or(u32::MAX),
                n: self.n,
                tasks_s,
                clean_tasks_s,
                share: rounded(tasks_s / clean_tasks_s.max(1e-9), 3),
            })?;
        }
        Ok(())
    }

    /// The others' tasks a second while this phone is sick.
    fn beside(&self, serial: &str, mode: Sickness) -> Result<f64, CliError> {
        self.set_fault(serial, mode.fault())?;
        let flapping = (mode == Sickness::Flaps).then(|| Flapping::begin(&self.world, serial));
        let tasks_s = self.tasks_s(serial);
        drop(flapping);
        if let Some(phone) = self.world.phone(serial) {
            phone.clear_all_faults();
        }
        tasks_s
    }

    fn set_fault(&self, serial: &str, kind: &str) -> Result<(), CliError> {
        let phone = self.world.phone(serial);
        let phone = phone.ok_or_else(|| CliError::Failed(format!("there is no phone {serial}")))?;
        phone.set_fault(kind, &json!({ "ms": ANSWER_MS })).map_err(failed)
    }

    /// Gives every phone its share of the tasks, and waits for those of the healthy ones.
    fn tasks_s(&self, sick: &str) -> Result<f64, CliError> {
        let rounds = usize::try_from(self.n)
            .unwrap_or(usize::MAX)
            .div_ceil(self.healthy.len().max(1));
        let mut of_sick = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let body = json!({ "serials": [sick], "script_name": "look", "script_config": {} });
            let answer = self.client.post("/task", &body)?;
            of_sick.extend(answer.pointer("/task_ids/0").cloned());
        }
        let (done, started) = (self.completed()?, Instant::now());
        let mut left = usize::try_from(self.n).unwrap_or(usize::MAX);
        while left > 0 {
            let serials: Vec<&String> = self.healthy.iter().take(left).collect();
            left = left.saturating_sub(serials.len());
            let body = json!({ "serials": serials, "script_name": "bench", "script_config": {} });
            self.client.post("/task", &body)?;
        }
        self.await_completed(done + u64::from(self.n))?;
        let tasks_s = per_second(self.n, started.elapsed());
        eprintln!("{tasks_s} tasks a second beside {sick}");
        for ids in of_sick.chunks(DELETE_MAX) {
            self.client.delete_with("/task/batch", &json!({ "task_ids": ids }))?;
        }
        Ok(tasks_s)
    }

    /// Tasks of the healthy phones that are completed.
    fn completed(&self) -> Result<u64, CliError> {
        let query = [("status", "2"), ("script_name", "bench"), ("page_size", "1")];
        let page = self
            .client
            .get("/task", &query.map(|(name, value)| (name, value.to_owned())))?;
        Ok(page.get("total").and_then(Value::as_u64).unwrap_or(0))
    }

    fn await_completed(&self, wanted: u64) -> Result<(), CliError> {
        let (mut before, mut moved) = (0, Instant::now());
        loop {
            let completed = self.completed()?;
            if completed >= wanted {
                return Ok(());
            }
            if completed > before {
                (before, moved) = (completed, Instant::now());
            } else if moved.elapsed() > STALL {
                let text = format!("the bench stands still at {completed} of {wanted} tasks");
                return Err(CliError::Failed(text));
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// A phone that comes and goes until this is dropped.
struct Flapping {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flapping {
    fn begin(world: &Arc<World>, serial: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, phone) = (Arc::clone(&stop), world.phone(serial));
        let thread = std::thread::spawn(move || {
            while let Some(phone) = phone.as_ref().filter(|_| !stopped.load(Ordering::Relaxed)) {
                phone.clear_all_faults();
                std::thread::sleep(FLAP / 2);
                // The fault has no parameters that could be wrong.
                let _ = phone.set_fault(Sickness::Flaps.fault(), &json!({}));
                std::thread::sleep(FLAP / 2);
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Flapping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it has ended the flapping as well.
            let _ = thread.join();
        }
    }
}
