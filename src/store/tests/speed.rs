//! How fast it is: prints figures, judges nothing. Run by hand:
//! `cargo test -p farmhand --lib store::tests::speed -- --ignored --nocapture --test-threads 1`

use std::time::Instant;

use farmhand_actors::{
    domain::{FailureReason, PendingTask, Status},
    ports::TaskStore,
};

use super::*;
use crate::store::TaskFilter;

/// Tasks for 100 devices with two accounts each, 1000 in a request.
async fn fill(farm: &Farm, n: usize) {
    for request in 0..n / 1000 {
        let tasks = (0..1000).map(|index| {
            let phone = (request * 1000 + index) % 100;
            task_for(
                &format!("phone-{phone}"),
                Some(&format!("user-{phone}-{}", index / 100 % 2)),
            )
        });
        farm.submit(tasks.collect()).await;
    }
}

/// CPU time of the threads whose name begins so, milliseconds: it says more than the clock on a busy machine.
fn cpu_ms(thread: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("lists");
    let ticks = tasks.flatten().filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once(')')?;
        let fields = rest.split_whitespace().collect::<Vec<_>>();
        let ours = name.contains(&format!("({thread}"));
        ours.then(|| fields[11].parse::<u64>().unwrap_or(0) + fields[12].parse::<u64>().unwrap_or(0))
    });
    ticks.sum::<u64>() * 10
}

async fn drain(farm: &Farm, in_flight: usize) -> usize {
    let lanes = farm.store.lanes().await.expect("reads");
    let mut waiting: Vec<Vec<PendingTask>> = lanes.iter().map(|_| Vec::new()).collect();
    let mut done = 0;
    loop {
        let mut claims = Vec::new();
        for (index, tasks) in waiting.iter_mut().enumerate() {
            if tasks.is_empty() {
                let lane = vec![lanes[index].clone().into()];
                let mut heads = farm.store.lane_heads(lane, 256, at(1000)).await.expect("reads");
                *tasks = heads.remove(0).due;
                tasks.reverse();
            }
            let Some(task) = tasks.pop() else { continue };
            // A device of its own for each, so that many are in flight at once.
            claims.push(farm.claim_of(task.id, &format!("bench-{}", claims.len()), None));
            if claims.len() == in_flight {
                break;
            }
        }
        if claims.is_empty() {
            return done;
        }
        let claimed = farm.store.claim(claims).await.expect("claims");
        let ends = claimed
            .iter()
            .flatten()
            .map(|claimed| farm.finish_of(claimed, completed()))
            .collect::<Vec<_>>();
        done += farm.store.finish(ends).await.expect("finishes").len();
    }
}

#[tokio::test]
#[ignore = "prints figures"]
async fn figures_of_the_queue() {
    let n = 40_000;
    let farm = Farm::new().await;
    let started = Instant::now();
    fill(&farm, n).await;
    println!("enqueue  {:>9.0} tasks/s", n as f64 / started.elapsed().as_secs_f64());
    let threads = ["sqlite", "store-writer", "store::"];
    let before = threads.map(cpu_ms);
    let started = Instant::now();
    let done = drain(&farm, 200).await;
    println!(
        "drain    {:>9.0} tasks/s ({done})",
        done as f64 / started.elapsed().as_secs_f64()
    );
    for (thread, before) in threads.into_iter().zip(before) {
        println!(
            "         {:>9.1} µs a task of {thread}",
            (cpu_ms(thread) - before) as f64 * 1e3 / done as f64
        );
    }

    let started = Instant::now();
    let (producers, each) = (16, 250);
    let submits = (0..producers).map(async |_| {
        for _ in 0..each {
            let id = farm.submit_one(task_for("a", None)).await;
            let claimed = farm.claim(id, &format!("bench-{id}"), None).await;
            farm.finish(&claimed, completed()).await;
        }
    });
    futures_util::future::join_all(submits).await;
    println!(
        "single   {:>9.0} tasks/s",
        f64::from(producers * each) / started.elapsed().as_secs_f64()
    );

    let started = Instant::now();
    for _ in 0..200 {
        farm.submit_one(task_for("a", None)).await;
    }
    println!(
        "one by one {:>7.0} µs a commit",
        started.elapsed().as_secs_f64() * 1e6 / 200.0
    );
}

#[tokio::test]
#[ignore = "prints figures"]
async fn figures_of_a_large_table() {
    let n = std::env::var("TASKS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000);
    let farm = Farm::new().await;
    fill(&farm, n).await;
    for (index, id) in (1..=300).enumerate() {
        let id = TaskId(id * (n as i64) / 400);
        let claimed = farm.claim(id, "a", None).await;
        let next = if index % 3 == 0 {
            failed(FailureReason::Timeout)
        } else {
            completed()
        };
        farm.finish(&claimed, next).await;
    }
    let any = TaskFilter::default;
    let deep = u32::try_from(n / 20 / 5).expect("fits");
    for (what, filter) in [
        ("all", any()),
        (
            "status pending",
            TaskFilter {
                status: Some(Status::Pending),
                ..any()
            },
        ),
        (
            "status completed",
            TaskFilter {
                status: Some(Status::Completed),
                ..any()
            },
        ),
        (
            "serial",
            TaskFilter {
                serial: Some(serial_of("phone-7")),
                ..any()
            },
        ),
        (
            "username",
            TaskFilter {
                username: Some(username_of("user-7-1")),
                ..any()
            },
        ),
        (
            "script",
            TaskFilter {
                script_name: Some(script_of("post")),
                ..any()
            },
        ),
        (
            "source",
            TaskFilter {
                source: Some(Source::Api),
                ..any()
            },
        ),
        (
            "batch",
            TaskFilter {
                batch_id: Some("batch".to_owned()),
                ..any()
            },
        ),
        (
            "failure",
            TaskFilter {
                failure_reason: Some(FailureReason::Timeout),
                ..any()
            },
        ),
        (
            "status+source",
            TaskFilter {
                status: Some(Status::Pending),
                source: Some(Source::Api),
                ..any()
            },
        ),
        (
            "serial+status",
            TaskFilter {
                status: Some(Status::Completed),
                serial: Some(serial_of("phone-7")),
                ..any()
            },
        ),
    ] {
        for page in [1, deep] {
            let started = Instant::now();
            let (total, tasks) = farm.store.list_tasks(&filter, page, 20).await.expect("reads");
            println!(
                "list {what:<18} page {page:>6} {:>9.2?} ({} of {total})",
                started.elapsed(),
                tasks.len()
            );
        }
    }
    let started = Instant::now();
    farm.store.stats().await.expect("counts");
    println!("stats {:?}", started.elapsed());
    let started = Instant::now();
    let lanes = farm.store.lanes().await.expect("reads");
    println!("lanes {:?}", started.elapsed());
    let started = Instant::now();
    let lanes = lanes.into_iter().map(Into::into).collect();
    farm.store.lane_heads(lanes, 32, at(1000)).await.expect("reads");
    println!("heads of all {:?}", started.elapsed());
    let started = Instant::now();
    farm.store
        .intend_stop(TaskId(n as i64 / 2), at(1))
        .await
        .expect("stops");
    println!("stop {:?}", started.elapsed());
    farm.store.close().await;
    let length = std::fs::metadata(farm.path()).expect("is there").len();
    let started = Instant::now();
    let store = open(&farm.path()).await;
    let epoch = store.begin_epoch(at(1)).await.expect("begins");
    store.rescue(epoch, 2, at(1)).await.expect("rescues");
    store.lanes().await.expect("reads");
    println!("start with {n} tasks ({} MiB) {:?}", length >> 20, started.elapsed());
}
