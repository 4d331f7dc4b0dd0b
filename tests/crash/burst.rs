//! More tasks at once than anybody can run: they hold up neither those who ask nor what can run.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    asked::{number, percentile},
    harness::{Sim, TASK, follow, free_port},
    storm::settings_of,
    victim::Victim,
};

/// Clients at once, and what each of them asks for.
const CLIENTS: usize = 10;
const REQUESTS_EACH: usize = 10;
const TASKS_EACH: usize = 100;
/// Tasks of one request when the queue is filled.
const FILLING: usize = 10_000;
/// How often creating and running are timed over a full queue.
const ROUNDS: usize = 100;
/// Until a request is answered, 99 of a hundred times: 250 ms where nothing else runs; this is for a debug build on a
/// machine that does many other things.
const CREATE_P99: Duration = Duration::from_secs(5);

/// A controller with a phone that works and one that is away.
fn farm(folder: &Path) -> (Sim, Victim) {
    let away = format!("{{ serial = \"away-1\", address = \"127.0.0.1:{}\" }}", free_port());
    let sim = Sim::start(folder, 1);
    let settings = settings_of(&sim, folder).replace("devices = []", &format!("devices = [{away}]"));
    let mut victim = Victim::new(folder, &settings);
    victim.start_ready();
    sim.login("sim-1", "tiktok", "alice");
    let account = json!({ "username": "alice", "app": "tiktok", "serial": "sim-1" });
    victim.ok("POST", "/api/v1/account", Some(&account));
    (sim, victim)
}

fn burst(name: &str, tasks: usize) -> Value {
    let targets: Vec<String> = (0..tasks).map(|at| format!("{name}_{at}")).collect();
    let mut body = follow("away-1", "nobody");
    body["script_config"]["target_users"] = json!(targets);
    body
}

/// How long a task of the phone that works takes.
fn run_one(victim: &Victim, target: &str) -> Duration {
    let body = json!({
        "serials": ["sim-1"], "script_name": "quick_follow", "script_config": { "target_users": [target] }
    });
    let begun = Instant::now();
    let id = victim.create(&body)[0];
    let done = victim.await_end(id, TASK);
    assert_eq!(done["status"], 2, "{done:#}");
    begun.elapsed()
}

#[test]
fn f22_ten_thousand_tasks_at_once_hold_up_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (_sim, victim) = farm(folder.path());

    let ids = victim.create(&burst("t", 10_000));
    let other = victim.create(&follow("sim-1", "bob"))[0];
    let done = victim.await_end(other, TASK);

    assert_eq!((ids.len(), &done["status"]), (10_000, &json!(2)), "{done:#}");
    let stats = victim.ok("GET", "/api/v1/task/stats", None);
    assert_eq!(
        (&stats["pending"], &stats["completed"]),
        (&json!(10_000), &json!(1)),
        "{stats}"
    );
    assert_eq!(victim.task(ids[9_999])["status"], 0);
}

#[test]
fn f22_ten_thousand_tasks_of_many_clients_within_a_moment_are_answered_quickly_or_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_sim, victim) = farm(folder.path());
    let empty = run_one(&victim, "before");

    let begun = Instant::now();
    let answers: Vec<(Duration, bool)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let victim = &victim;
                scope.spawn(move || -> Vec<_> {
                    let one = |request| {
                        let body = burst(&format!("c{client}_{request}"), TASKS_EACH);
                        let asked = Instant::now();
                        let (status, answer) = victim.try_call("POST", "/api/v1/task", Some(&body)).unwrap();
                        assert!(matches!(status, 200 | 429), "{status} {answer}");
                        (asked.elapsed(), status == 200)
                    };
                    (0..REQUESTS_EACH).map(one).collect()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let took = begun.elapsed();
    let full = run_one(&victim, "after");

    let stored = answers.iter().filter(|(_, stored)| *stored).count() * TASKS_EACH;
    let mut times: Vec<Duration> = answers.iter().map(|(time, _)| *time).collect();
    times.sort_unstable();
    let [p50, p99] = [50, 99].map(|percent| percentile(&times, percent));
    eprintln!("{stored} tasks in {took:?}: p50 {p50:?}, p99 {p99:?}; a task takes {empty:?} before, {full:?} after");
    assert!(p99 <= CREATE_P99, "{times:?}");
    let stats = victim.ok("GET", "/api/v1/task/stats", None);
    assert_eq!(
        stats["pending"],
        json!(stored),
        "what was refused is not there: {stats}"
    );
    if let Some(queued) = number("FARMHAND_CRASH_QUEUED") {
        time_over_a_full_queue(&victim, usize::try_from(queued).unwrap());
    }
}

/// Prints what creating and running take when so many tasks wait.
fn time_over_a_full_queue(victim: &Victim, queued: usize) {
    let waiting = |victim: &Victim| {
        victim.ok("GET", "/api/v1/task/stats", None)["pending"]
            .as_u64()
            .unwrap()
    };
    let before = run_one(victim, "before_the_queue");
    let begun = Instant::now();
    for request in 0.. {
        let missing = queued.saturating_sub(usize::try_from(waiting(victim)).unwrap());
        if missing == 0 {
            break;
        }
        victim.create(&burst(&format!("q{request}"), missing.min(FILLING)));
    }
    eprintln!("{} tasks wait after {:?}", waiting(victim), begun.elapsed());
    let mut creates: Vec<Duration> = (0..ROUNDS)
        .map(|round| {
            let body = burst(&format!("r{round}"), 1);
            let asked = Instant::now();
            victim.create(&body);
            asked.elapsed()
        })
        .collect();
    creates.sort_unstable();
    let [p50, p99] = [50, 99].map(|percent| percentile(&creates, percent));
    let after = run_one(victim, "after_the_queue");
    eprintln!("create: p50 {p50:?}, p99 {p99:?}; a task takes {before:?} before, {after:?} after");
}
