//! `farmhand bench queue`: the real store and the real actors, with phones and a runner that do nothing.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use farmhand_actors::{
    Farm, FarmParts, FarmSettings,
    domain::{
        AdbState, DeviceState, Presence, ScriptName, Serial, Source, SubmitTarget, SubmitTasks, TaskId, TaskStats,
    },
    ports::SharedStore,
    router::RouterHandle,
    supervisor::PresenceReport,
};
use serde::Serialize;
use serde_json::json;

use super::{
    QueueMode,
    idle_phone::{IdlePhones, IdleRunner, NoScripts},
    per_second, print_line, rounded,
    usage::process_cpu,
};
use crate::{
    cli::{
        CliError,
        serve::{failed, in_system},
    },
    startup::SystemClock,
    store::{Store, StoreSettings, bare_tasks_per_second, raw_commits_per_second},
};

/// Phones of a bench: so many tasks can run at the same time.
const PHONES: u32 = 1000;
/// Phones of the latency's bench, all of them idle.
const LATENCY_PHONES: u32 = 100;
/// Clients that create one task at a time.
const PRODUCERS: u32 = 16;
/// Between two tasks of the latency's bench.
const PACE: Duration = Duration::from_millis(50);
/// Tasks in each commit of the bare table beside `drain` and beside `single`.
const FLOOR_DRAIN: u32 = 1000;
const FLOOR_SINGLE: u32 = 64;
/// How long each of the machine's own rates is measured.
const YARDSTICK: Duration = Duration::from_secs(1);
/// Between two looks at how far the farm is; also what a measured time may be too long by.
const LOOK: Duration = Duration::from_millis(10);
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(1);
/// Without any task coming to its end for so long, the bench gives up.
const STALL: Duration = Duration::from_secs(60);

/// One line of `drain` and `single`.
#[derive(Serialize)]
struct Throughput {
    mode: QueueMode,
    n: u32,
    /// Tasks created (and durable) in a second.
    enq_s: f64,
    /// Tasks completed (and durable) in a second.
    jobs_s: f64,
    /// CPU time of the whole process for one completed task, milliseconds.
    cpu_ms_job: f64,
    /// What a bare table of the same database takes through as many durable transitions in a second.
    floor_jobs_s: f64,
    raw_commits_s: f64,
}

/// One line of `lat`: from the call that creates a task to the start of its attempt.
#[derive(Serialize)]
struct Latency {
    mode: QueueMode,
    n: u32,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    raw_commits_s: f64,
}

/// What this machine does without farmhand, in a second.
#[derive(Clone, Copy)]
struct Machine {
    raw_commits_s: f64,
    floor_jobs_s: f64,
}

/// A farm on a fresh database.
struct Bench {
    farm: Farm,
    store: Arc<Store>,
    runner: Arc<IdleRunner>,
    serials: Vec<Serial>,
    script: ScriptName,
}

/// Runs one mode and prints its line.
pub fn run(mode: QueueMode, n: u32) -> Result<(), CliError> {
    let folder = tempfile::tempdir().map_err(failed)?;
    eprintln!("database: {}", folder.path().display());
    in_system(async {
        let raw = raw_commits_per_second(folder.path(), YARDSTICK).await.map_err(failed)?;
        let raw_commits_s = rounded(raw, 0);
        eprintln!("the disk takes {raw_commits_s} commits a second, one after another");
        let phones = if mode == QueueMode::Lat { LATENCY_PHONES } else { PHONES };
        let floor = async |in_flight| {
            bare_tasks_per_second(folder.path(), in_flight, YARDSTICK)
                .await
                .map_err(failed)
        };
        let floor_jobs_s = match mode {
            QueueMode::Drain => rounded(floor(FLOOR_DRAIN).await?, 0),
            QueueMode::Single => rounded(floor(FLOOR_SINGLE).await?, 0),
            QueueMode::Lat => 0.0,
        };
        let mut bench = Bench::start(folder.path(), phones.min(n)).await?;
        let machine = Machine {
            raw_commits_s,
            floor_jobs_s,
        };
        match mode {
            QueueMode::Drain => print_line(&bench.drain(n, machine).await?),
            QueueMode::Single => print_line(&bench.single(n, machine).await?),
            QueueMode::Lat => print_line(&bench.latency(n, raw_commits_s).await?),
        }?;
        bench.farm.shutdown(Duration::from_secs(5)).await;
        bench.store.close().await;
        Ok(())
    })
}

impl Bench {
    async fn start(folder: &Path, phones: u32) -> Result<Self, CliError> {
        let settings = StoreSettings {
            url: format!("sqlite://{}", folder.join("farmhand.db").display()),
            ..StoreSettings::default()
        };
        let store = Store::open(settings).await.map_err(failed)?;
        let names = (1..=phones).map(|number| Serial::parse(&format!("phone-{number}")));
        let serials = names.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let runner = Arc::new(IdleRunner::default());
        let farm = Farm::start(FarmParts {
            store: Arc::clone(&store) as SharedStore,
            drivers: Arc::new(IdlePhones),
            runner: Arc::clone(&runner) as Arc<_>,
            scripts: Arc::new(NoScripts),
            clock: Arc::new(SystemClock::default()),
            settings: FarmSettings::default(),
            configured_devices: serials.clone(),
        });
        Ok(Self {
            farm: farm.await.map_err(failed)?,
            store,
            runner,
            serials,
            script: ScriptName::parse("bench").map_err(failed)?,
        })
    }

    /// Stores all tasks while the phones are away, then lets the phones come.
    async fn drain(&mut self, n: u32, machine: Machine) -> Result<Throughput, CliError> {
        let started = Instant::now();
        let mut left = usize::try_from(n).unwrap_or(usize::MAX);
        while left > 0 {
            let serials: Vec<Serial> = self.serials.iter().take(left).cloned().collect();
            left = left.saturating_sub(serials.len());
            self.farm.router.submit(self.request(serials)).await.map_err(failed)?;
        }
        let enq_s = per_second(n, started.elapsed());
        eprintln!("stored {n} tasks, {enq_s} a second");
        let (started, cpu) = (Instant::now(), process_cpu()?);
        self.show_phones();
        self.await_completed(n).await?;
        Ok(Throughput {
            mode: QueueMode::Drain,
            n,
            enq_s,
            jobs_s: per_second(n, started.elapsed()),
            cpu_ms_job: cpu_ms_job(cpu, n)?,
            floor_jobs_s: machine.floor_jobs_s,
            raw_commits_s: machine.raw_commits_s,
        })
    }

    /// Creates tasks one by one from several producers while they are run.
    async fn single(&mut self, n: u32, machine: Machine) -> Result<Throughput, CliError> {
        self.show_phones();
        self.await_online().await?;
        let (started, cpu) = (Instant::now(), process_cpu()?);
        let producers = (0..PRODUCERS).map(|number| {
            let serials = self.serials.iter().cycle().skip(usize::try_from(number).unwrap_or(0));
            let step = usize::try_from(PRODUCERS).unwrap_or(1);
            let count = n / PRODUCERS + u32::from(number < n % PRODUCERS);
            let serials = serials.step_by(step).take(usize::try_from(count).unwrap_or(0));
            let requests = serials.map(|serial| self.request(vec![serial.clone()]));
            actix_rt::spawn(produce(self.farm.router.clone(), requests.collect()))
        });
        let producers = futures_util::future::join_all(producers.collect::<Vec<_>>());
        let created = async {
            for made in producers.await {
                made.map_err(failed)??;
            }
            Ok::<_, CliError>(started.elapsed())
        };
        let (created, ended) = futures_util::future::join(created, self.await_completed(n)).await;
        ended?;
        let jobs_s = per_second(n, started.elapsed());
        Ok(Throughput {
            mode: QueueMode::Single,
            n,
            enq_s: per_second(n, created?),
            jobs_s,
            cpu_ms_job: cpu_ms_job(cpu, n)?,
            floor_jobs_s: machine.floor_jobs_s,
            raw_commits_s: machine.raw_commits_s,
        })
    }

    async fn latency(&mut self, n: u32, raw_commits_s: f64) -> Result<Latency, CliError> {
        self.show_phones();
        self.await_online().await?;
        let mut created: HashMap<TaskId, Instant> = HashMap::new();
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let phones: Vec<Serial> = self.serials.clone();
        for serial in phones.iter().cycle().take(usize::try_from(n).unwrap_or(usize::MAX)) {
            pace.tick().await;
            let at = Instant::now();
            let request = self.request(vec![serial.clone()]);
            let submitted = self.farm.router.submit(request).await.map_err(failed)?;
            created.extend(submitted.task_ids.into_iter().map(|task| (task, at)));
        }
        self.await_completed(n).await?;
        let starts = self.runner.take_starts().into_iter();
        let waits = starts.filter_map(|(task, at)| Some(at.duration_since(*created.get(&task)?)));
        let mut waits: Vec<Duration> = waits.collect();
        waits.sort_unstable();
        Ok(Latency {
            mode: QueueMode::Lat,
            n,
            p50_ms: percentile(&waits, 50),
            p99_ms: percentile(&waits, 99),
            max_ms: percentile(&waits, 100),
            raw_commits_s,
        })
    }

    /// A request for one task on each phone.
    fn request(&self, serials: Vec<Serial>) -> SubmitTasks {
        SubmitTasks {
            target: SubmitTarget::Devices(serials),
            script: self.script.clone(),
            configs: vec![Arc::new(json!({}))],
            enable_multi_account: false,
            start_time: None,
            scheduled_at: None,
            interval_minutes: None,
            priority: 0,
            source: Source::Api,
            idempotency: None,
            warnings: Vec::new(),
        }
    }

    fn show_phones(&self) {
        let presence = |serial: &Serial| Presence {
            serial: serial.clone(),
            state: AdbState::Device,
        };
        self.farm.supervisor.report_presence(PresenceReport {
            server: "bench".to_owned(),
            devices: self.serials.iter().map(presence).collect(),
            problem: None,
        });
    }

    async fn await_online(&self) -> Result<(), CliError> {
        let deadline = Instant::now() + STALL;
        loop {
            let devices = self.farm.supervisor.devices().await.map_err(failed)?;
            let online = devices.iter().filter(|device| device.state == DeviceState::Online);
            if online.count() == self.serials.len() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(CliError::Failed("the bench's phones did not come online".to_owned()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until `n` tasks are completed, by the counts of the database: what they say is durable.
    async fn await_completed(&self, n: u32) -> Result<(), CliError> {
        let (mut before, mut moved) = (0, Instant::now());
        let mut told = Instant::now();
        loop {
            let TaskStats {
                completed,
                failed: wrong,
                ..
            } = self.store.stats().await.map_err(failed)?;
            if wrong > 0 {
                return Err(CliError::Failed(format!("{wrong} tasks of the bench failed")));
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
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                eprintln!("{completed} of {n} tasks are completed");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn produce(router: RouterHandle, requests: Vec<SubmitTasks>) -> Result<(), CliError> {
    for request in requests {
        router.submit(request).await.map_err(failed)?;
    }
    Ok(())
}

fn cpu_ms_job(before: f64, n: u32) -> Result<f64, CliError> {
    Ok(rounded((process_cpu()? - before) * 1e3 / f64::from(n.max(1)), 4))
}

/// Of sorted times, the one that so many percent do not exceed, milliseconds.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    let time = sorted.get(place).or(sorted.last()).copied().unwrap_or_default();
    rounded(time.as_secs_f64() * 1e3, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), 100.0);
        assert_eq!(percentile(&times, 99), 198.0);
        assert_eq!(percentile(&times, 100), 200.0);
        assert_eq!(percentile(&times[..1], 99), 1.0);
        assert_eq!(percentile(&[], 50), 0.0);
    }

    #[actix_rt::test]
    async fn every_mode_runs_all_its_tasks_and_reports_figures_above_zero() {
        let folder = tempfile::tempdir().unwrap();
        let mut drained = Bench::start(&folder.path().join("drain"), 7).await.unwrap();
        let machine = Machine {
            raw_commits_s: 1.0,
            floor_jobs_s: 1.0,
        };
        let drain = drained.drain(25, machine).await.unwrap();
        drained.farm.shutdown(Duration::from_secs(5)).await;
        let mut other = Bench::start(&folder.path().join("single"), 7).await.unwrap();
        let single = other.single(25, machine).await.unwrap();
        let latency = other.latency(3, 1.0).await;
        other.farm.shutdown(Duration::from_secs(5)).await;

        assert!(drain.jobs_s > 0.0 && drain.enq_s > 0.0, "{}", drain.jobs_s);
        assert!(single.jobs_s > 0.0 && single.enq_s > 0.0, "{}", single.jobs_s);
        let latency = latency.unwrap();
        assert!(latency.p50_ms > 0.0 && latency.p50_ms <= latency.max_ms);
    }
}
