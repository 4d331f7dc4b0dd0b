//! Races and load on the real program: one key many times at once, followers that do not read, an end under load.

use std::{
    io::Read,
    sync::Barrier,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use crate::{
    harness::{Farm, SOON, TASK, follow, tail, wait_for},
    http::Api,
    shared::ids,
};

/// Requests at once with one key (R1).
const AT_ONCE: usize = 64;
/// Followers that do not read (F29), a twentieth of the thousand that a server has to stand.
const SILENT: usize = 50;

#[test]
fn r1_one_idempotency_key_64_times_at_once_creates_once_and_answers_all_alike() {
    let farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    api.patch("/device/sim-1", &json!({ "enabled": false })).ok();
    let bodies = [follow("sim-1", "one"), follow("sim-1", "other")].map(|body| body.to_string());

    for (key, kinds) in [("same-body", 1), ("two-bodies", 2)] {
        let headers = [("content-type", "application/json"), ("Idempotency-Key", key)];
        let start = Barrier::new(AT_ONCE);
        let answers: Vec<(usize, Value)> = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..AT_ONCE)
                .map(|place| {
                    let (api, body, start, headers) = (&api, &bodies[place % kinds], &start, &headers);
                    scope.spawn(move || {
                        start.wait();
                        (
                            place % kinds,
                            api.envelope("POST", "/task", headers, body.as_bytes()).json(),
                        )
                    })
                })
                .collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });

        let done: Vec<_> = answers.iter().filter(|(_, answer)| answer["code"] == 0).collect();
        let refused = answers.iter().filter(|(_, answer)| answer["code"] == 40901).count();
        assert_eq!(
            (done.len(), refused),
            (AT_ONCE / kinds, AT_ONCE - AT_ONCE / kinds),
            "{key}"
        );
        assert!(done.iter().all(|one| *one == done[0]), "{key}: {done:?}");
    }
    assert_eq!(api.get("/task/stats").ok()["total"], 2, "one of each key");
}

fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Places of the events of a stream until `last`.
fn places(stream: &mut impl Read, last: i64) -> Vec<i64> {
    let mut text = String::new();
    let mut places: Vec<i64> = Vec::new();
    let mut bytes = [0; 65536];
    while places.last().is_none_or(|place| *place < last) {
        let read = stream.read(&mut bytes).unwrap();
        assert!(read > 0, "the stream ended at {:?} of {last}", places.last());
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        while let Some((line, rest)) = text.split_once('\n') {
            places.extend(
                line.trim()
                    .strip_prefix("id: ")
                    .map(|place| place.parse::<i64>().unwrap()),
            );
            text = rest.to_owned();
        }
    }
    places.retain(|place| *place <= last);
    places
}

#[test]
fn f29_followers_that_stop_reading_cost_nobody_anything_and_miss_nothing() {
    let farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    api.patch("/device/sim-1", &json!({ "enabled": false })).ok();
    let headers = [("last-event-id", "0")];
    let mut silent: Vec<_> = (0..SILENT)
        .map(|_| api.open("GET", "/api/v1/events", &headers, b""))
        .collect();
    let process = farm.controller.process_id().unwrap();
    let before = resident_kib(process);
    let targets: Vec<String> = (0..5_000).map(|number| format!("target{number}")).collect();
    let body = json!({ "serials": ["sim-1"], "script_name": "follow", "script_config": { "target_users": targets } });

    let mut slowest = Duration::ZERO;
    for _ in 0..3 {
        let created = ids(&api.post("/task", &body).ok());
        assert_eq!(created.len(), 5_000);
        let asked = Instant::now();
        api.get("/task/stats").ok();
        slowest = slowest.max(asked.elapsed());
    }

    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let grown = resident_kib(process).saturating_sub(before);
    assert!(
        grown < 300 * 1024,
        "{grown} KiB for {SILENT} followers that do not read"
    );
    // 15,000 events and those before them: in order, without a hole, for one that begins to read only now.
    let last = 15_000;
    let places = places(&mut silent[0], last);
    let first = places[0];
    let wanted: Vec<i64> = (first..=last).collect();
    assert_eq!(places, wanted);
}

/// How many tasks and attempts the database of a controller that has ended says are under way.
fn under_way(farm: &Farm) -> (i64, i64) {
    let file = farm.controller.log().with_file_name("data").join("farmhand.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(async {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut database = options.connect().await.unwrap();
        sqlx::query_as(
            "SELECT (SELECT count(*) FROM task WHERE state = 'running'),
                    (SELECT count(*) FROM attempt WHERE finished_at IS NULL)",
        )
        .fetch_one(&mut database)
        .await
        .unwrap()
    })
}

#[test]
fn f31_sigterm_under_load_ends_cleanly_and_the_next_start_has_nothing_to_rescue() {
    let mut farm = Farm::without_adb(3);
    let api = Api::new(&farm.controller.base);
    let serials = ["sim-1", "sim-2", "sim-3"];
    for (serial, name) in serials.iter().zip(["ann", "bob", "cy"]) {
        farm.account(serial, "tiktok", name);
    }
    let targets: Vec<String> = (0..10).map(|number| format!("target{number}")).collect();
    let body = json!({ "serials": serials, "script_name": "follow", "script_config": { "target_users": targets } });
    let created = ids(&api.post("/task", &body).ok());
    wait_for("some are done and some run", TASK, || {
        let stats = api.get("/task/stats").ok();
        (stats["completed"].as_i64()? >= 3 && stats["running"].as_i64()? >= 1).then_some(())
    });

    let (status, took) = farm.controller.terminate(Duration::from_secs(10));
    assert_eq!(
        status.code(),
        Some(0),
        "after {took:?}\n{}",
        tail(&farm.controller.log())
    );
    assert_eq!(under_way(&farm), (0, 0), "tasks and attempts");
    let before = std::fs::read_to_string(farm.controller.log()).unwrap().len();
    farm.controller.restart();

    let log = std::fs::read_to_string(farm.controller.log()).unwrap();
    assert!(!log[before..].contains("cut off"), "{}", &log[before..]);
    wait_for("all are done", TASK + TASK, || {
        let stats = api.get("/task/stats").ok();
        (stats["completed"].as_u64()? == created.len() as u64).then_some(())
    });
    assert_eq!(farm.sim.ledger("follow").len(), created.len(), "each once");
    wait_for("nothing is held", SOON, || {
        (api.get("/supervisor").ok()["leases"] == json!([])).then_some(())
    });
}
