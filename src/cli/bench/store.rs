//! `farmhand bench store`: what a full database costs those who ask it, and its next start.

mod fill;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use farmhand_actors::{
    domain::{Epoch, FailureReason, ScriptName, Serial, Source, Status, Timestamp, Username},
    ports::TaskStore,
};
use serde::Serialize;

use self::fill::{LARGE_BATCH, batch_of};
use super::{print_line, queue::percentile, rounded, usage::resident_mib};
use crate::{
    cli::{
        CliError,
        serve::{failed, in_system},
    },
    store::{Store, TaskFilter, raw_commits_per_second},
};

/// Tasks of one request.
const REQUEST: usize = 1000;
/// How often each question is asked.
const ROUNDS: usize = 100;
const PAGE_SIZE: u32 = 20;
/// The page that has to be as quick as the first.
const DEEP_PAGE: u32 = 10_000;
/// What the dispatcher asks for of each lane when it starts.
const HEADS: u32 = 64;
const YARDSTICK: Duration = Duration::from_secs(1);

/// The line that is printed.
#[derive(Serialize)]
struct Figures {
    mode: &'static str,
    n: usize,
    devices: usize,
    /// Tasks created, claimed and ended in a second while the database was filled.
    fill_s: f64,
    /// Seconds until all blocks that are quiet were counted.
    count_s: f64,
    /// Length of the file when it was closed.
    mib: u64,
    /// From opening the file to the fronts of all lanes.
    ready_ms: f64,
    /// Memory of the process (`VmRSS`) over the empty database, and when all questions were asked.
    rss_empty_mib: f64,
    rss_full_mib: f64,
    raw_commits_s: f64,
    operations: Vec<Operation>,
}

/// How long one question or change took.
#[derive(Serialize)]
struct Operation {
    what: String,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// Fills a database and prints how it answers; the tasks are those of so many devices, each with two accounts.
pub fn run(n: u32, devices: u32) -> Result<(), CliError> {
    let folder = tempfile::tempdir().map_err(failed)?;
    eprintln!("database: {}", folder.path().display());
    in_system(async {
        let raw = raw_commits_per_second(folder.path(), YARDSTICK).await.map_err(failed)?;
        let [n, devices] = [n, devices].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let figures = measure(folder.path(), [n, devices], ROUNDS, rounded(raw, 0)).await?;
        print_line(&figures)
    })
}

async fn measure(
    folder: &Path,
    [n, devices]: [usize; 2],
    rounds: usize,
    raw_commits_s: f64,
) -> Result<Figures, CliError> {
    let path = folder.join("farmhand.db");
    let bench = Bench::open(&path, devices).await?;
    let rss_empty_mib = rounded(resident_mib()?, 1);
    let started = Instant::now();
    bench.fill(n).await?;
    let fill_s = rounded(n as f64 / started.elapsed().as_secs_f64().max(1e-9), 0);
    eprintln!("stored {n} tasks, {fill_s} a second");
    let (of_device, _) = bench.of_device();
    let mut operations = vec![
        bench
            .ask_list("while all blocks change, serial", &of_device, rounds)
            .await?
            .0,
    ];
    // What is too old, and what is quiet, goes first: it would go on beside what is measured.
    bench.store.prune(Timestamp::now()).await.map_err(failed)?;
    let started = Instant::now();
    for _ in 0..2 {
        bench.store.count_quiet().await.map_err(failed)?;
    }
    let count_s = rounded(started.elapsed().as_secs_f64(), 2);
    operations.extend(bench.ask_lists(rounds).await?);
    operations.extend(bench.ask_others(n, rounds).await?);
    let rss_full_mib = rounded(resident_mib()?, 1);
    bench.store.close().await;
    let mib = std::fs::metadata(&path).map_err(failed)?.len() >> 20;
    let started = Instant::now();
    let again = Bench::open(&path, devices).await?;
    again
        .store
        .rescue(again.epoch, 3, Timestamp::now())
        .await
        .map_err(failed)?;
    let lanes = again.store.lanes().await.map_err(failed)?;
    again
        .store
        .lane_heads(lanes.into_iter().map(Into::into).collect(), HEADS, Timestamp::now())
        .await
        .map_err(failed)?;
    let ready_ms = millis(started.elapsed());
    again.store.close().await;
    Ok(Figures {
        mode: "store",
        n,
        devices,
        fill_s,
        count_s,
        mib,
        ready_ms,
        rss_empty_mib,
        rss_full_mib,
        raw_commits_s,
        operations,
    })
}

/// A store, and what its tasks are about.
struct Bench {
    store: Arc<Store>,
    epoch: Epoch,
    /// How many devices the tasks are for; there are more serials, so that many tasks can be run at once.
    devices: usize,
    serials: Vec<Serial>,
    usernames: Vec<Username>,
    scripts: Vec<ScriptName>,
}

impl Bench {
    /// Every filter and every pair of filters: the first page, the 10,000th and the last, in turn.
    async fn ask_lists(&self, rounds: usize) -> Result<Vec<Operation>, CliError> {
        let mut operations = Vec::new();
        let mut all = Vec::new();
        for (what, filter) in self.filters() {
            let (operation, times) = self.ask_list(&what, &filter, rounds).await?;
            all.extend(times);
            operations.push(operation);
        }
        operations.insert(0, operation("list, all filters".to_owned(), all));
        Ok(operations)
    }

    async fn ask_list(
        &self,
        what: &str,
        filter: &TaskFilter,
        rounds: usize,
    ) -> Result<(Operation, Vec<Duration>), CliError> {
        let (total, _) = self.store.list_tasks(filter, 1, 1).await.map_err(failed)?;
        let last = u32::try_from(total.div_ceil(u64::from(PAGE_SIZE)))
            .unwrap_or(u32::MAX)
            .max(1);
        let mut times = Vec::new();
        for page in [1, DEEP_PAGE, last].into_iter().cycle().take(rounds.saturating_mul(3)) {
            let started = Instant::now();
            self.store.list_tasks(filter, page, PAGE_SIZE).await.map_err(failed)?;
            times.push(started.elapsed());
        }
        Ok((operation(format!("list {what} ({total})"), times.clone()), times))
    }

    /// The lists of one device and of one of its accounts.
    fn of_device(&self) -> (TaskFilter, TaskFilter) {
        let device = self.devices.saturating_sub(1).min(7);
        let serial = self.serials.get(device).cloned();
        let username = self.usernames.get(2 * device + 1).cloned();
        (
            TaskFilter {
                serial,
                ..TaskFilter::default()
            },
            TaskFilter {
                username,
                ..TaskFilter::default()
            },
        )
    }

    /// Each filter alone, each two together, and none.
    fn filters(&self) -> Vec<(String, TaskFilter)> {
        let (of_device, of_account) = self.of_device();
        let filter = |choose: &dyn Fn(&mut TaskFilter)| {
            let mut filter = TaskFilter::default();
            choose(&mut filter);
            filter
        };
        let status = |status| filter(&|any| any.status = Some(status));
        let batch = |request| filter(&|any| any.batch_id = Some(batch_of(request)));
        let values = [
            ("completed", status(Status::Completed)),
            ("failed", status(Status::Failed)),
            ("pending", status(Status::Pending)),
            ("running", status(Status::Running)),
            ("serial", of_device),
            ("username", of_account),
            ("script", filter(&|any| any.script_name = self.scripts.get(1).cloned())),
            ("source", filter(&|any| any.source = Some(Source::Api))),
            ("batch", batch(1)),
            ("large batch", batch(LARGE_BATCH.start)),
            (
                "reason",
                filter(&|any| any.failure_reason = Some(FailureReason::Timeout)),
            ),
        ];
        let mut filters = vec![("all".to_owned(), TaskFilter::default())];
        for (place, (what, one)) in values.iter().enumerate() {
            filters.push(((*what).to_owned(), one.clone()));
            for (other_what, other) in values.iter().skip(place + 1) {
                let one_status = one.status.is_none() || other.status.is_none();
                if one_status && (one.batch_id.is_none() || other.batch_id.is_none()) {
                    filters.push((format!("{what}+{other_what}"), both(one, other)));
                }
            }
        }
        filters
    }

    /// Statistics, the fronts of all lanes, creating a task and stopping it.
    async fn ask_others(&self, n: usize, rounds: usize) -> Result<Vec<Operation>, CliError> {
        let (mut stats, mut heads, mut creates, mut stops) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            let started = Instant::now();
            self.store.stats().await.map_err(failed)?;
            stats.push(started.elapsed());
            let started = Instant::now();
            let lanes = self.store.lanes().await.map_err(failed)?;
            let asks = lanes.into_iter().map(Into::into).collect();
            let fronts = self.store.lane_heads(asks, HEADS, Timestamp::now()).await;
            fronts.map_err(failed)?;
            heads.push(started.elapsed());
            let task = self.task(n.saturating_add(round), &batch_of(n))?;
            let started = Instant::now();
            let ids = self.submit(vec![task]).await?;
            creates.push(started.elapsed());
            for id in ids {
                let started = Instant::now();
                self.store.intend_stop(id, Timestamp::now()).await.map_err(failed)?;
                stops.push(started.elapsed());
            }
        }
        Ok(vec![
            operation("stats".to_owned(), stats),
            operation(format!("fronts of all lanes, {HEADS} tasks each"), heads),
            operation("create one".to_owned(), creates),
            operation("stop".to_owned(), stops),
        ])
    }
}

fn both(one: &TaskFilter, other: &TaskFilter) -> TaskFilter {
    TaskFilter {
        status: one.status.or(other.status),
        serial: one.serial.clone().or_else(|| other.serial.clone()),
        username: one.username.clone().or_else(|| other.username.clone()),
        script_name: one.script_name.clone().or_else(|| other.script_name.clone()),
        source: one.source.or(other.source),
        batch_id: one.batch_id.clone().or_else(|| other.batch_id.clone()),
        failure_reason: one.failure_reason.or(other.failure_reason),
    }
}

fn operation(what: String, mut times: Vec<Duration>) -> Operation {
    times.sort_unstable();
    Operation {
        what,
        p50_ms: percentile(&times, 50),
        p99_ms: percentile(&times, 99),
        max_ms: percentile(&times, 100),
    }
}

fn millis(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn the_database_holds_what_is_asked_for_and_every_question_is_timed() {
        let folder = tempfile::tempdir().unwrap();

        let figures = measure(folder.path(), [3000, 100], 1, 1.0).await.unwrap();

        assert!(figures.ready_ms > 0.0 && figures.fill_s > 0.0);
        assert!(figures.rss_empty_mib > 0.0 && figures.rss_full_mib > 0.0);
        let what: Vec<&str> = figures
            .operations
            .iter()
            .map(|operation| operation.what.as_str())
            .collect();
        for wanted in [
            "list all (3000)",
            "list failed (176)",
            "list batch (1000)",
            "list large batch (0)",
            "list serial (30)",
            "stats",
            "create one",
            "stop",
        ] {
            assert!(what.contains(&wanted), "{wanted}: {what:?}");
        }
        // None, each of eleven filters alone, each pair of them that can go together; their sum, the other four, and one before
        // anything is counted.
        assert_eq!(what.len(), 1 + 11 + 48 + 1 + 4 + 1);
    }

    #[actix_rt::test]
    async fn a_large_request_and_a_few_devices_with_all_the_tasks_are_asked_for_as_well() {
        let folder = tempfile::tempdir().unwrap();

        let figures = measure(folder.path(), [21_000, 3], 1, 1.0).await.unwrap();

        let what: Vec<&str> = figures
            .operations
            .iter()
            .map(|operation| operation.what.as_str())
            .collect();
        for wanted in ["list large batch (10000)", "list serial (7000)", "list running (3)"] {
            assert!(what.contains(&wanted), "{wanted}: {what:?}");
        }
    }
}
