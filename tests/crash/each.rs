//! SIGKILL before and after each sync of the disk and each message to a phone that one task needs, one after another.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rand::RngExt;
use serde_json::{Value, json};

use crate::{
    asked::{number, number_or},
    harness::{Sim, TASK, tail, wait_for},
    storm::settings_of,
    verdict::examine_database,
    victim::Victim,
};

/// Farms at once: what takes time is waiting for phones.
const FARMS: u32 = 4;
/// Every so manyth place unless `FARMHAND_CRASH_STRIDE` says otherwise (1: all); where it begins, the seed says.
const STRIDE: u32 = 32;
/// A task has more places than this, at which it was killed and not only the quiet after it.
const LEAST_PLACES: u32 = 100;

struct EachFarm {
    sim: Sim,
    victim: Victim,
    _folder: tempfile::TempDir,
}

impl EachFarm {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path: &Path = folder.path();
        let sim = Sim::start(path, 1);
        let mut victim = Victim::new(path, &settings_of(&sim, path));
        victim.start_ready();
        sim.login("sim-1", "tiktok", "alice");
        let body = json!({ "username": "alice", "app": "tiktok", "serial": "sim-1" });
        victim.ok("POST", "/api/v1/account", Some(&body));
        Self {
            sim,
            victim,
            _folder: folder,
        }
    }

    fn ask(&self, target: &str) -> Option<i64> {
        let body = json!({
            "serials": ["sim-1"], "script_name": "quick_follow", "script_config": { "target_users": [target] }
        });
        let answer = self
            .victim
            .try_call_with("POST", "/api/v1/task", Some(&body), Some(target));
        let (status, answer) = answer?;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["task_ids"][0].as_i64()
    }

    /// Runs a task until its controller is killed, at the place that it was started for; `false` when the task was over
    /// before.
    fn is_killed_at(&mut self, place: u32) -> bool {
        // The phone is at hand, so that the places are those of the task and not of a start.
        self.await_online();
        self.victim.disk().count(true);
        let id = self.ask(&target(place));
        wait_for("it is killed, or the task is over", TASK, || {
            if self.victim.was_killed() {
                return Some(true);
            }
            let (_, answer) = self.victim.try_call("GET", &format!("/api/v1/task/{}", id?), None)?;
            (answer["data"]["status"].as_i64() >= Some(2)).then_some(false)
        })
    }

    fn await_online(&self) {
        wait_for("the phone is online", TASK, || {
            let (_, answer) = self.victim.try_call("GET", "/api/v1/device/sim-1", None)?;
            (answer["data"]["state"] == "online").then_some(())
        });
    }

    /// The next start completes the task, and the phone has seen its effect once. Who had no answer asks again.
    fn check(&mut self, place: u32) {
        self.victim.await_ready();
        let target = target(place);
        let id = self.ask(&target).expect("nobody kills it now");
        let task = self.victim.await_end(id, TASK);
        assert_eq!(
            task["status"],
            2,
            "killed at {place}: {task:#}\n{}",
            tail(&self.victim.log())
        );
        let ledger = self.sim.ledger("follow");
        let effects: Vec<&Value> = ledger
            .iter()
            .filter(|entry| entry["detail"]["target"] == *target)
            .collect();
        assert_eq!(effects.len(), 1, "killed at {place}: {effects:#?}\n{task:#}");
    }
}

fn target(place: u32) -> String {
    format!("place{place}")
}

/// Kills at every `stride`th place from `first` on, until a task gets through; answers the last place at which one was
/// killed, 0 for none.
fn kill_at_each(first: u32, stride: u32) -> u32 {
    let mut farm = EachFarm::start();
    let mut place = first;
    farm.victim.start_armed(place);
    farm.victim.await_ready();
    while farm.is_killed_at(place) {
        // It is not killed again before the next task begins.
        farm.victim.start_armed(place + stride);
        farm.check(place);
        place += stride;
    }
    // Armed it stays, and its end has places too.
    farm.victim.start_ready();
    farm.check(place);
    let tasks = farm.victim.tasks();
    let killed = place.saturating_sub(stride);
    assert!(tasks.iter().all(|task| task["status"] == 2), "{tasks:#?}");
    assert_eq!(farm.sim.ledger("follow").len(), tasks.len());
    assert!(farm.victim.terminate().success());
    examine_database(&farm.victim.database());
    killed
}

#[test]
fn f1_a_follow_survives_a_kill_at_each_commit_and_each_message_to_its_phone() {
    let stride = number_or("FARMHAND_CRASH_STRIDE", STRIDE).max(1);
    let seed = number("FARMHAND_CRASH_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let first = 1 + u32::try_from(seed % u64::from(stride)).unwrap();
    let begun = Instant::now();
    eprintln!("from place {first} on, every {stride}th: FARMHAND_CRASH_SEED={seed} FARMHAND_CRASH_STRIDE={stride}");

    let last: Vec<u32> = std::thread::scope(|scope| {
        let farms: Vec<_> = (0..FARMS)
            .map(|farm| scope.spawn(move || kill_at_each(first + farm * stride, stride * FARMS)))
            .collect();
        farms.into_iter().map(|farm| farm.join().unwrap()).collect()
    });

    let places = last.iter().max().unwrap();
    eprintln!(
        "killed until place {places}, in {:?}",
        Duration::from_secs(begun.elapsed().as_secs())
    );
    assert!(*places > LEAST_PLACES, "a task has only {places} places");
}
