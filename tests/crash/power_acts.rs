//! Lost power while phones act: what a phone has been seen to do was intended on the disk before, and what clients were told
//! to be completed is there.

use std::{collections::BTreeSet, path::Path};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    harness::{Sim, TASK, wait_for},
    power::{Platter, Promise, Recording, assert_no_faults, read_log, replay},
    storm::{set_up, settings_of, usernames},
    victim::Victim,
};

/// Instants at which the power goes.
const POINTS: usize = 1_000;
/// Tasks of each of two lives.
const TASKS: i64 = 12;
const PHONES: u32 = 2;

/// Records how phones follow one after another, in two lives of the controller, the first of which is killed.
fn record(folder: &Path) -> Recording {
    let sim = Sim::start(folder, PHONES);
    let mut victim = Victim::new(folder, &settings_of(&sim, folder));
    victim.records = true;
    victim.start_ready();
    set_up(&sim, &victim);
    let log = victim.disk().log();
    let mut promises = vec![Promise::default()];
    for life in 1..=2 {
        for task in 0..TASKS {
            let target = format!("life{life}task{task}");
            let (serial, _) = &sim.phones[usize::try_from(task).unwrap() % sim.phones.len()];
            let (username, _) = usernames(serial).next().unwrap();
            let body = json!({
                "usernames": [username], "script_name": "quick_follow", "script_config": { "target_users": [target] }
            });
            assert_eq!(victim.create(&body).len(), 1);
        }
        // The first life ends in the middle of its work.
        let enough = if life == 1 { TASKS / 2 } else { 2 * TASKS };
        wait_for("they have followed", TASK * 4, || {
            // Seen first, looked at the log afterwards: what it holds then has to know of it.
            let acted: Vec<String> = sim.ledger("follow").iter().map(target_of).collect();
            let items = victim.tasks();
            let over = items.iter().filter(|task| task["status"] == 2);
            let promise = Promise {
                created: TASKS * life,
                stopped: 0,
                acted,
                completed: over.map(|task| task["id"].as_i64().unwrap()).collect(),
                logged: std::fs::metadata(&log).unwrap().len(),
            };
            let done = i64::try_from(promise.completed.len()).unwrap();
            let news = promises.last().is_none_or(|last| {
                (last.acted.len(), last.completed.len()) != (promise.acted.len(), promise.completed.len())
            });
            if news {
                promises.push(promise);
            }
            (done >= enough).then_some(())
        });
        if life == 1 {
            victim.kill();
            victim.start_ready();
        }
    }
    assert!(victim.terminate().success());
    let changes = read_log(&log);
    Recording {
        database: victim.database(),
        early: changes.len(),
        changes,
        promises,
    }
}

fn target_of(entry: &Value) -> String {
    entry["detail"]["target"].as_str().unwrap().to_owned()
}

#[test]
fn f3_lost_power_leaves_the_intent_of_each_act_and_each_completion_that_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path());
    let acts = recording.promises.last().unwrap().acted.len();
    assert_eq!(acts, usize::try_from(2 * TASKS).unwrap(), "each once");
    let mut dice = StdRng::seed_from_u64(42);
    let points: BTreeSet<usize> = (0..POINTS)
        .map(|_| dice.random_range(0..recording.changes.len()))
        .collect();

    assert_no_faults(&replay(&recording, Platter::default(), &points, 42), points.len());

    let late: BTreeSet<usize> = points.into_iter().rev().take(100).collect();
    let found = replay(&recording, Platter::that_lies(), &late, 42);
    assert!(
        found.iter().any(|fault| fault.contains("no intent of Some")),
        "an intent that was not synced is not found out: {found:?}"
    );
}
