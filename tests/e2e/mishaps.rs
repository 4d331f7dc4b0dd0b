//! Faults together and at random, by a seed. Whatever a phone does, a task that a person sees through (resumes, retries,
//! resolves) completes with its effect exactly once, and the log has one line for each attempt that did not succeed.
//!
//! `FARMHAND_TEST_SEED=7` runs another seed; a failure tells the seed that it had.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    harness::{Farm, SOON, call, follow, post, tail, wait_for},
    log::check_ends,
};

/// How long faults are left alone, unless the task has ended before.
const LEFT_ALONE: Duration = Duration::from_secs(8);
/// Longest wait for what a person does to help.
const PATIENCE: Duration = Duration::from_secs(240);
/// More rounds of help than any task needs.
const ROUNDS: usize = 12;

/// The same numbers for the same seed on every machine (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(count).unwrap()).unwrap()
    }
}

fn seed() -> u64 {
    std::env::var("FARMHAND_TEST_SEED").map_or(20_261_124, |seed| seed.parse().expect("FARMHAND_TEST_SEED is a number"))
}

/// Two or three different ones of the faults that leave something of each other to be seen. (A hierarchy of 8,000 nodes
/// is left out: it makes the test slow, not the phone awkward.)
fn together(dice: &mut Dice) -> Vec<Value> {
    let mut all = vec![
        json!({ "kind": "offline" }),
        json!({ "kind": "unauthorized" }),
        json!({ "kind": "hang" }),
        json!({ "kind": "slow", "ms": 40 }),
        json!({ "kind": "drop_connection" }),
        json!({ "kind": "garbage_hierarchy" }),
        json!({ "kind": "no_idle" }),
        json!({ "kind": "popup", "text": "Rate this app!" }),
        json!({ "kind": "challenge" }),
        json!({ "kind": "logged_out" }),
        json!({ "kind": "upload_fails" }),
        json!({ "kind": "upload_slow", "ms": 2000 }),
        json!({ "kind": "app_crash" }),
        json!({ "kind": "app_crash", "when": "after" }),
        json!({ "kind": "publish_ack_lost" }),
        json!({ "kind": "reboot" }),
        json!({ "kind": "storage_full" }),
        json!({ "kind": "app_not_installed" }),
    ];
    let count = 2 + dice.below(2);
    (0..count).map(|_| all.swap_remove(dice.below(all.len()))).collect()
}

/// One phone, one task, and what goes wrong.
struct Trial<'a> {
    farm: &'a Farm,
    serial: &'a str,
    username: String,
    body: fn(&str, &str) -> Value,
    /// What the ledger calls the effect.
    kind: &'static str,
    faults: Vec<Value>,
    /// For messages.
    seed: u64,
}

impl Trial<'_> {
    fn effects(&self) -> usize {
        let all = self.farm.sim.ledger(self.kind);
        all.iter().filter(|entry| entry["serial"] == self.serial).count()
    }

    fn what(&self) -> String {
        format!(
            "FARMHAND_TEST_SEED={} {} on {} with {}",
            self.seed,
            self.kind,
            self.serial,
            json!(self.faults)
        )
    }

    fn needs_attention(&self) -> bool {
        let path = format!("/api/v1/account/{}", self.username);
        self.farm.controller.ok("GET", &path, None)["status"] == "needs_attention"
    }

    fn run(&self) {
        let controller = &self.farm.controller;
        let id = controller.create(&(self.body)(self.serial, "bob"))[0];
        wait_for("the task is under way", PATIENCE, || {
            let task = controller.task(id);
            (task["progress"]["step"].as_i64() >= Some(2) || task["status"].as_i64() >= Some(2)).then_some(())
        });
        for fault in &self.faults {
            self.farm.sim.fault(self.serial, fault);
        }
        let since = Instant::now();
        wait_for("the faults have had their time", PATIENCE, || {
            let over = controller.task(id)["status"].as_i64() >= Some(2);
            (over || since.elapsed() > LEFT_ALONE).then_some(())
        });
        assert!(self.effects() <= 1, "{}", self.what());
        self.farm.sim.heal(self.serial);
        let task = self.see_through(id);
        let log = tail(&controller.log());
        assert_eq!(self.effects(), 1, "{}: {task:#}\n{log}", self.what());
        check_ends(controller, &task);
        controller.await_device(self.serial, "online");
    }

    /// Does what a person would do until the task is completed.
    fn see_through(&self, id: i64) -> Value {
        let controller = &self.farm.controller;
        for _ in 0..ROUNDS {
            let task = wait_for(&format!("{} ends", self.what()), PATIENCE, || {
                let task = controller.task(id);
                (task["status"].as_i64() >= Some(2) || self.needs_attention()).then_some(task)
            });
            if task["status"] == 2 {
                return task;
            }
            let ask = |what: &str, body: Value| {
                let path = format!("/api/v1/task/{id}/{what}");
                drop(controller.ok("POST", &path, Some(&body)));
            };
            if self.needs_attention() {
                let path = format!("/api/v1/account/{}/resume", self.username);
                controller.ok("POST", &path, Some(&json!({})));
            } else if task["failure"]["reason"] == "outcome_unknown" {
                let outcome = if self.effects() == 1 { "done" } else { "not_done" };
                ask("resolve", json!({ "outcome": outcome, "note": "looked at the phone" }));
            } else {
                ask("retry", json!({}));
            }
        }
        panic!("{} does not complete: {:#}", self.what(), controller.task(id));
    }
}

/// All trials at once, each on a phone of its own; posts and follows, TikTok and Instagram in turn.
fn try_on_phones(farm: &Farm, mut faults_of: impl FnMut(usize) -> Vec<Value>) {
    let trials: Vec<Trial<'_>> = (0..)
        .zip(&farm.sim.phones)
        .map(|(place, (serial, _))| {
            let username = format!("alice{place}");
            farm.account(serial, ["tiktok", "instagram"][place / 2 % 2], &username);
            let (body, kind): (fn(&str, &str) -> Value, _) = if place % 2 == 0 {
                (post, "publish")
            } else {
                (follow, "follow")
            };
            Trial {
                farm,
                serial,
                username,
                body,
                kind,
                faults: faults_of(place),
                seed: seed(),
            }
        })
        .collect();
    println!("FARMHAND_TEST_SEED={}", seed());
    std::thread::scope(|scope| {
        for trial in &trials {
            scope.spawn(|| trial.run());
        }
    });
    wait_for("every task is completed", SOON, || {
        let stats = farm.controller.ok("GET", "/api/v1/task/stats", None);
        (stats["completed"] == stats["total"]).then_some(())
    });
    // Late ones would have come by now: whatever went wrong, each task left its one effect.
    let effects = farm.sim.ledger("publish").len() + farm.sim.ledger("follow").len();
    assert_eq!(effects, farm.sim.phones.len(), "FARMHAND_TEST_SEED={}", seed());
}

/// How often each kind came at random, on all phones.
fn mishaps(farm: &Farm) -> BTreeMap<String, u64> {
    let mut came = BTreeMap::new();
    for (serial, _) in &farm.sim.phones {
        let (status, phone) = call("GET", &format!("{}/phone/{serial}", farm.sim.control), None);
        assert_eq!(status, 200, "{phone}");
        for (kind, times) in phone["mishaps"].as_object().unwrap() {
            *came.entry(kind.clone()).or_default() += times.as_u64().unwrap();
        }
    }
    came
}

#[test]
fn any_faults_together_leave_one_effect_and_a_line_for_each_attempt() {
    let mut dice = Dice(seed());
    try_on_phones(&Farm::without_adb(12), |_| together(&mut dice));
}

#[test]
fn faults_at_random_leave_one_effect_and_a_line_for_each_attempt() {
    let first = seed();
    let farm = Farm::without_adb(10);
    try_on_phones(&farm, |place| {
        let seed = first.wrapping_add(u64::try_from(place).unwrap());
        vec![json!({ "kind": "random", "seed": seed, "rate": 0.1 })]
    });
    let came = mishaps(&farm);
    println!("{came:?}");
    // A test without mishaps would show nothing.
    assert!(came.values().sum::<u64>() >= 10 && came.len() >= 4, "{came:?}");
}
