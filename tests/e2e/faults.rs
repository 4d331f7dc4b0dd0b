//! Each fault of a phone during `post` and `follow`, and some three at a time: the right end, the right reason, no second effect, a device whose
//! state tells the truth, and one line in the log. Each fault has a phone of its own in a farm of several: the others do
//! not mind.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    harness::{Farm, SOON, follow, post, tail, wait_for},
    log::check_ends,
};

/// Longest wait for a task under a fault: several deadlines and attempts.
const ATTEMPTS: Duration = Duration::from_secs(240);

/// What a script makes of a phone with a fault, before the fault ends.
#[derive(Debug, Clone, Copy)]
enum Rest {
    /// It completes nevertheless.
    Completes,
    /// It fails for this reason, without an effect.
    Fails(&'static str),
    /// The phone is shown in this state, and the task waits for it.
    Waits(&'static str),
    /// The account waits for a person.
    NeedsPerson,
}
use Rest::{Completes, Fails, NeedsPerson, Waits};

/// A script with what it leaves in the ledger.
#[derive(Clone, Copy)]
struct Script {
    body: fn(&str, &str) -> Value,
    kind: &'static str,
}

const POST: Script = Script {
    body: post,
    kind: "publish",
};
const FOLLOW: Script = Script {
    body: follow,
    kind: "follow",
};

/// One phone with its fault, in a farm.
struct Trial<'a> {
    farm: &'a Farm,
    serial: &'a str,
    username: String,
    script: Script,
    /// Or several, which come together.
    fault: Value,
}

impl Trial<'_> {
    /// Begins a task, then the fault; answers the task's id.
    fn begin(&self) -> i64 {
        let id = self.farm.controller.create(&(self.script.body)(self.serial, "bob"))[0];
        wait_for("the task is under way", ATTEMPTS, || {
            let steps = self.farm.controller.task(id)["progress"]["step"].as_i64();
            (steps >= Some(3)).then_some(())
        });
        let one = std::slice::from_ref(&self.fault);
        for fault in self.fault.as_array().map_or(one, Vec::as_slice) {
            self.farm.sim.fault(self.serial, fault);
        }
        id
    }

    fn effects(&self) -> usize {
        let all = self.farm.sim.ledger(self.script.kind);
        all.iter().filter(|entry| entry["serial"] == self.serial).count()
    }

    fn fails_for(&self, id: i64, reason: &str) {
        let task = self.ended(id);
        let found = task["failure"]["reason"].as_str();
        assert_eq!((found, self.effects()), (Some(reason), 0), "{}: {task:#}", self.fault);
    }

    fn ended(&self, id: i64) -> Value {
        wait_for(&format!("the task under {} ends", self.fault), ATTEMPTS, || {
            let task = self.farm.controller.task(id);
            (task["status"].as_i64() >= Some(2)).then_some(task)
        })
    }

    fn needs_a_person(&self) {
        wait_for(&format!("{} is noticed", self.fault), ATTEMPTS, || {
            let path = format!("/api/v1/account/{}", self.username);
            let account = self.farm.controller.ok("GET", &path, None);
            (account["status"] == "needs_attention").then_some(())
        });
        assert_eq!(self.effects(), 0, "{}", self.fault);
    }

    /// Ends the fault, does what a person would do then, and sees the task through.
    fn mend(&self, id: i64, rest: Rest) {
        let controller = &self.farm.controller;
        self.farm.sim.heal(self.serial);
        match rest {
            Fails(_) => drop(controller.ok("POST", &format!("/api/v1/task/{id}/retry"), None)),
            NeedsPerson => {
                let path = format!("/api/v1/account/{}/resume", self.username);
                controller.ok("POST", &path, Some(&json!({})));
            }
            Completes | Waits(_) => {}
        }
        let task = self.ended(id);
        let log = tail(&controller.log());
        assert_eq!(
            (&task["status"], self.effects()),
            (&json!(2), 1),
            "{}: {task:#}\n{log}",
            self.fault
        );
        let ends = check_ends(controller, &task);
        let told = |reason: &str| ends.iter().any(|line| line.contains(&format!("reason=\"{reason}\"")));
        match rest {
            Fails(reason) => assert!(told(reason), "{}: {ends:#?}", self.fault),
            NeedsPerson => assert!(told("needs_attention"), "{}: {ends:#?}", self.fault),
            Waits(_) => assert!(
                told("device_offline") || told("device_error"),
                "{}: {ends:#?}",
                self.fault
            ),
            Completes => {}
        }
        controller.await_device(self.serial, "online");
    }

    fn run(&self, rest: Rest) {
        let begun = Instant::now();
        let id = self.begin();
        match rest {
            Completes => assert_eq!(
                self.ended(id)["status"],
                2,
                "{}: {:#}",
                self.fault,
                self.farm.controller.task(id)
            ),
            Fails(reason) => self.fails_for(id, reason),
            Waits(state) => self.farm.controller.await_device(self.serial, state),
            NeedsPerson => self.needs_a_person(),
        }
        let rested = begun.elapsed();
        self.mend(id, rest);
        println!(
            "{}: {rest:?} after {rested:.1?}, mended after {:.1?}",
            self.fault,
            begun.elapsed()
        );
    }
}

/// Tries every row on a phone of its own, all at once.
fn try_all(script: Script, rows: &[(Value, Rest)]) {
    let farm = Farm::without_adb(u32::try_from(rows.len()).unwrap());
    let trials: Vec<(Trial<'_>, Rest)> = rows
        .iter()
        .zip(&farm.sim.phones)
        .zip(0..)
        .map(|(((fault, rest), (serial, _)), at)| {
            let username = format!("alice{at}");
            farm.account(serial, ["tiktok", "instagram"][at % 2], &username);
            let fault = fault.clone();
            (
                Trial {
                    farm: &farm,
                    serial,
                    username,
                    script,
                    fault,
                },
                *rest,
            )
        })
        .collect();
    std::thread::scope(|scope| {
        for (trial, rest) in &trials {
            scope.spawn(|| trial.run(*rest));
        }
    });
    wait_for("every phone is free again", SOON, || {
        let stats = farm.controller.ok("GET", "/api/v1/task/stats", None);
        (stats["completed"] == stats["total"]).then_some(())
    });
}

/// Faults of the phone and of its connection.
fn phone_faults() -> Vec<(Value, Rest)> {
    let unreadable = Fails("device_error");
    vec![
        (json!({ "kind": "offline" }), Waits("offline")),
        (json!({ "kind": "unauthorized" }), Waits("unauthorized")),
        (json!({ "kind": "slow", "ms": 50 }), Completes),
        (json!({ "kind": "drop_connection" }), Completes),
        (json!({ "kind": "reboot" }), Completes),
        (json!({ "kind": "garbage_hierarchy" }), unreadable),
        (json!({ "kind": "no_idle" }), unreadable),
        (json!({ "kind": "huge_hierarchy" }), Completes),
        (json!({ "kind": "hang" }), Waits("offline")),
        // Neither the media nor the lease can be written.
        (json!({ "kind": "storage_full" }), Fails("device_error")),
    ]
}

/// Faults of the app and of its service.
fn app_faults(upload: Rest) -> Vec<(Value, Rest)> {
    vec![
        (json!({ "kind": "popup", "text": "Rate this app!" }), Completes),
        (json!({ "kind": "challenge" }), NeedsPerson),
        (json!({ "kind": "logged_out" }), NeedsPerson),
        (json!({ "kind": "upload_fails" }), upload),
        (json!({ "kind": "upload_slow", "ms": 4000 }), Completes),
        (json!({ "kind": "app_crash" }), Completes),
        (json!({ "kind": "app_crash", "when": "after" }), Completes),
        (json!({ "kind": "publish_ack_lost" }), Completes),
        (json!({ "kind": "app_not_installed" }), Fails("app_missing")),
    ]
}

/// Three faults at once: the gravest decides what becomes of the task, and the others do not make it worse.
fn three_at_once() -> Vec<(Value, Rest)> {
    let drop = || json!({ "kind": "drop_connection" });
    let slow = || json!({ "kind": "slow", "ms": 50 });
    let popup = || json!({ "kind": "popup", "text": "Rate this app!" });
    let ack_lost = || json!({ "kind": "publish_ack_lost" });
    vec![
        (json!([popup(), slow(), drop()]), Completes),
        (
            json!([slow(), { "kind": "upload_slow", "ms": 2000 }, ack_lost()]),
            Completes,
        ),
        (
            json!([{ "kind": "app_crash", "when": "after" }, popup(), drop()]),
            Completes,
        ),
        (
            json!([{ "kind": "reboot" }, { "kind": "app_crash" }, slow()]),
            Completes,
        ),
        (json!([{ "kind": "challenge" }, popup(), slow()]), NeedsPerson),
        (
            json!([{ "kind": "logged_out" }, drop(), { "kind": "upload_fails" }]),
            NeedsPerson,
        ),
        (
            json!([{ "kind": "offline" }, { "kind": "challenge" }, { "kind": "app_crash" }]),
            Waits("offline"),
        ),
        (
            json!([{ "kind": "unauthorized" }, { "kind": "storage_full" }, popup()]),
            Waits("unauthorized"),
        ),
        (
            json!([{ "kind": "hang" }, { "kind": "logged_out" }, ack_lost()]),
            Waits("offline"),
        ),
        (
            json!([{ "kind": "storage_full" }, { "kind": "no_idle" }, slow()]),
            Fails("device_error"),
        ),
        (
            json!([{ "kind": "app_not_installed" }, slow(), drop()]),
            Fails("app_missing"),
        ),
    ]
}

#[test]
fn a_post_under_three_faults_at_once_ends_by_the_gravest_with_one_effect() {
    try_all(POST, &three_at_once());
}

#[test]
fn a_follow_under_three_faults_at_once_ends_by_the_gravest_with_one_effect() {
    try_all(FOLLOW, &three_at_once());
}

#[test]
fn a_post_survives_or_names_each_fault_of_its_phone() {
    try_all(POST, &phone_faults());
}

#[test]
fn a_post_survives_or_names_each_fault_of_its_app() {
    try_all(POST, &app_faults(Fails("assertion_failed")));
}

#[test]
fn a_follow_survives_or_names_each_fault_of_its_phone() {
    try_all(FOLLOW, &phone_faults());
}

#[test]
fn a_follow_survives_or_names_each_fault_of_its_app() {
    try_all(FOLLOW, &app_faults(Completes));
}
