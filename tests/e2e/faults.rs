//! Each fault of a phone during `post` and `follow`, and some three at a time: the right end, the right reason, no second
//! effect, a device whose state tells the truth, one line in the log, and the simulator's word that the fault struck. Each
//! fault has a phone of its own in a farm of several: the others do not mind.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    harness::{Farm, SOON, Sim, call, follow, post, tail, wait_for},
    log::check_ends,
};

/// Longest wait for a task under a fault: several deadlines and attempts.
const ATTEMPTS: Duration = Duration::from_secs(240);

/// Contract, section 6.
const KINDS: [&str; 18] = [
    "offline",
    "unauthorized",
    "hang",
    "slow",
    "drop_connection",
    "garbage_hierarchy",
    "huge_hierarchy",
    "no_idle",
    "popup",
    "challenge",
    "logged_out",
    "upload_fails",
    "upload_slow",
    "app_crash",
    "publish_ack_lost",
    "reboot",
    "storage_full",
    "app_not_installed",
];
/// What only a script that uploads can meet.
const OF_UPLOADS: [&str; 3] = ["upload_fails", "upload_slow", "publish_ack_lost"];

/// What a script makes of a phone with a fault, before the fault ends.
#[derive(Debug, Clone, Copy)]
enum Rest {
    /// It completes in its first attempt, and the phone and the log show nothing else.
    Unharmed,
    /// The same, but the log says how the fault was dealt with.
    Handles(&'static str),
    /// Attempts end for these reasons, then it completes.
    Repeats(&'static [&'static str]),
    /// It fails for this reason, without an effect.
    Fails(&'static str),
    /// The phone is shown in this state for this cause, and the task waits for it.
    Waits(&'static str, &'static str),
    /// The account waits for a person.
    NeedsPerson,
}
use Rest::{Fails, Handles, NeedsPerson, Repeats, Unharmed, Waits};

const POPUP_DISMISSED: &str = "popup dismissed";
const FOUND_DONE: &str = "effect found done after it was not confirmed";
/// What a device says of itself.
const AWAY: &str = "does not answer the adb server";
const HANGS: &str = "does not answer (";
const UNTRUSTED: &str = "does not trust this computer";
const DOUBTED: &str = "has failed an attempt and is being looked at";
/// Before it is online again.
const LOOKED_AT: [&str; 2] = [DOUBTED, "has appeared and is being looked at"];
/// So many phones on a busy machine are slow themselves, which is none of these faults.
const PATIENT: &str = "[adb.deadlines]\nserver_ms = 20000\n[probe]\nheartbeat_timeout_ms = 5000\n";

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

impl Script {
    fn uploads(self) -> bool {
        self.kind == POST.kind
    }
}

/// The kinds of one row: a fault, or several that come together.
fn kinds_of(fault: &Value) -> BTreeSet<String> {
    let one = std::slice::from_ref(fault);
    let all = fault.as_array().map_or(one, Vec::as_slice);
    all.iter()
        .map(|fault| fault["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// The value of a field of a log line: `field="value"`.
fn field<'a>(line: &'a str, field: &str) -> Option<&'a str> {
    let (_, value) = line.split_once(&format!(" {field}=\""))?;
    Some(value.split_once('"')?.0)
}

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

    fn device(&self) -> Value {
        let path = format!("/api/v1/device/{}", self.serial);
        self.farm.controller.ok("GET", &path, None)
    }

    fn completes(&self, id: i64) {
        let task = self.ended(id);
        assert_eq!(task["status"], 2, "{}: {task:#}", self.fault);
    }

    fn fails_for(&self, id: i64, reason: &str) {
        let task = self.ended(id);
        let found = task["failure"]["reason"].as_str();
        assert_eq!((found, self.effects()), (Some(reason), 0), "{}: {task:#}", self.fault);
        // The fault is still there, but the phone answers when it is asked.
        self.farm.controller.await_device(self.serial, "online");
    }

    fn ended(&self, id: i64) -> Value {
        wait_for(&format!("the task under {} ends", self.fault), ATTEMPTS, || {
            let task = self.farm.controller.task(id);
            (task["status"].as_i64() >= Some(2)).then_some(task)
        })
    }

    /// Whatever else the device does, it tells the cause; then that of its state, and what a person can do.
    fn waits(&self, state: &str, cause: &str) {
        wait_for(&format!("the device tells of {}", self.fault), ATTEMPTS, || {
            self.device()["cause"].as_str()?.contains(cause).then_some(())
        });
        let device = wait_for(&format!("the device is {state} under {}", self.fault), ATTEMPTS, || {
            Some(self.device()).filter(|device| device["state"] == state)
        });
        let told = |field: &str| device[field].as_str().unwrap().to_owned();
        assert!(
            told("cause").starts_with(cause) && !told("next_action").is_empty(),
            "{}: {device:#}",
            self.fault
        );
    }

    fn needs_a_person(&self) {
        wait_for(&format!("{} is noticed", self.fault), ATTEMPTS, || {
            let path = format!("/api/v1/account/{}", self.username);
            let account = self.farm.controller.ok("GET", &path, None);
            (account["status"] == "needs_attention").then_some(())
        });
        assert_eq!(self.effects(), 0, "{}", self.fault);
        // It is nothing that the phone has done.
        self.farm.controller.await_device(self.serial, "online");
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
            Unharmed | Handles(_) | Repeats(_) | Waits(..) => {}
        }
        let task = self.ended(id);
        let log = tail(&controller.log());
        assert_eq!(
            (&task["status"], self.effects()),
            (&json!(2), 1),
            "{}: {task:#}\n{log}",
            self.fault
        );
        controller.await_device(self.serial, "online");
        let device = self.device();
        assert_eq!(
            (&device["cause"], &device["quarantine"]),
            (&json!("answers"), &Value::Null),
            "{}: {device:#}",
            self.fault
        );
        self.check_log(&task, rest);
        self.check_states_told(rest);
        self.check_struck(rest);
    }

    /// What the log tells of this phone.
    fn lines(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.farm.controller.log()).unwrap();
        let own = format!(" device.serial={} ", self.serial);
        let lines = log.lines().map(|line| format!("{line} "));
        lines.filter(|line| line.contains(&own)).collect()
    }

    /// One line for each attempt that was cut short, of the right reason and blamed on the right one, and no other warning.
    fn check_log(&self, task: &Value, rest: Rest) {
        let ends = check_ends(&self.farm.controller, task);
        let reasons: Vec<&str> = ends.iter().map(|line| field(line, "reason").unwrap()).collect();
        let as_expected = match rest {
            Unharmed | Handles(_) => reasons.is_empty(),
            Repeats(expected) if self.drops() && reasons.is_empty() => expected == ["device_offline"],
            Repeats(expected) => reasons == expected,
            Fails(reason) => reasons.last() == Some(&reason),
            NeedsPerson => reasons.last() == Some(&"needs_attention"),
            Waits(_, HANGS) => reasons == ["device_error"],
            Waits(..) => reasons == ["device_offline"],
        };
        assert!(as_expected, "{}: {rest:?} {ends:#?}", self.fault);
        for (line, reason) in ends.iter().zip(&reasons) {
            let blamed = if reason.starts_with("device_") { "device" } else { "app" };
            assert_eq!(field(line, "blame"), Some(blamed), "{}: {line}", self.fault);
        }
        let lines = self.lines();
        // The question to a phone that hangs has a deadline too; whether it is over before the fault is, is a race.
        let asked = |line: &str| matches!(rest, Waits(_, HANGS)) && line.contains("adb call failed: no answer within");
        let warnings = lines
            .iter()
            .filter(|line| [" WARN ", " ERROR "].iter().any(|level| line.contains(level)) && !asked(line));
        assert_eq!(warnings.count(), ends.len(), "{}: {lines:#?}", self.fault);
        if let Handles(words) = rest {
            let told = lines.iter().filter(|line| line.contains(words)).count();
            assert!(
                told == 1 || told > 1 && words == POPUP_DISMISSED,
                "{}: {lines:#?}",
                self.fault
            );
        }
    }

    /// Its connection goes once, at once: between two calls of an attempt that is found again without anybody's noticing.
    fn drops(&self) -> bool {
        kinds_of(&self.fault).contains("drop_connection")
    }

    /// Which states the device has told of since it was first online: none, unless the fault is one of its own.
    fn check_states_told(&self, rest: Rest) {
        let kinds = kinds_of(&self.fault);
        let goes_away = ["drop_connection", "reboot"].iter().any(|kind| kinds.contains(*kind));
        let tells = match rest {
            Waits(state, cause) => Some((state, cause)),
            _ if goes_away => Some(("offline", AWAY)),
            Fails("device_error") => Some(("offline", DOUBTED)),
            _ => None,
        };
        let lines = self.lines();
        let mut told = lines.iter().filter_map(|line| {
            let (_, rest) = line.split_once(" device.")?;
            let state = rest.split_whitespace().next()?;
            Some((state, field(line, "cause")?))
        });
        let online = ("online", "answers");
        assert!(told.any(|told| told == online), "{}: {lines:#?}", self.fault);
        let told: Vec<(&str, &str)> = told.collect();
        let as_expected = match tells {
            None => told.is_empty(),
            Some(_) if self.drops() && told.is_empty() => true,
            Some((state, cause)) => {
                // Only a change of the state is told. Which is noticed first, the phone's going or the attempt's end, is
                // chance.
                let is_it = |told: &(&str, &str)| told.0 == state && told.1.starts_with(cause);
                let looked_at = |told: &(&str, &str)| told.0 == "offline" && LOOKED_AT.contains(&told.1);
                let doubted_first = state == "offline" && told.contains(&("offline", DOUBTED));
                (doubted_first || told.iter().any(is_it))
                    && told
                        .iter()
                        .all(|told| *told == online || is_it(told) || looked_at(told))
                    && told.last() == Some(&online)
            }
        };
        assert!(as_expected, "{}: {tells:?} {told:#?}", self.fault);
    }

    /// The simulator tells which faults made a difference. A task that completes by itself has met all that concern it.
    fn check_struck(&self, rest: Rest) {
        let (status, phone) = call("GET", &format!("{}/phone/{}", self.farm.sim.control, self.serial), None);
        assert_eq!(status, 200, "{phone}");
        let struck: BTreeSet<String> = phone["struck"].as_object().unwrap().keys().cloned().collect();
        let mut kinds = kinds_of(&self.fault);
        if !self.script.uploads() {
            kinds.retain(|kind| !OF_UPLOADS.contains(&kind.as_str()));
        }
        match rest {
            Unharmed | Handles(_) | Repeats(_) => assert_eq!(struck, kinds, "{}", self.fault),
            // The gravest one decides, and may keep the others from coming at all.
            Fails(_) | Waits(..) | NeedsPerson => assert!(
                !struck.is_empty() && struck.is_subset(&kinds),
                "{}: {struck:?}",
                self.fault
            ),
        }
    }

    fn run(&self, rest: Rest) {
        let begun = Instant::now();
        let id = self.begin();
        match rest {
            Unharmed | Handles(_) | Repeats(_) => self.completes(id),
            Fails(reason) => self.fails_for(id, reason),
            Waits(state, cause) => self.waits(state, cause),
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
    let farm = Farm::without_adb_set(u32::try_from(rows.len()).unwrap(), PATIENT);
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
        (json!({ "kind": "offline" }), Waits("offline", AWAY)),
        (json!({ "kind": "unauthorized" }), Waits("unauthorized", UNTRUSTED)),
        (json!({ "kind": "slow", "ms": 50 }), Unharmed),
        (json!({ "kind": "drop_connection" }), Repeats(&["device_offline"])),
        (json!({ "kind": "reboot" }), Repeats(&["device_offline"])),
        (json!({ "kind": "garbage_hierarchy" }), unreadable),
        (json!({ "kind": "no_idle" }), unreadable),
        (json!({ "kind": "huge_hierarchy" }), Unharmed),
        (json!({ "kind": "hang" }), Waits("offline", HANGS)),
        // Neither the media nor the lease can be written.
        (json!({ "kind": "storage_full" }), Fails("device_error")),
    ]
}

/// Faults of the app and of its service.
fn app_faults(script: Script) -> Vec<(Value, Rest)> {
    let (failed, ack_lost) = if script.uploads() {
        (Fails("assertion_failed"), Handles(FOUND_DONE))
    } else {
        (Unharmed, Unharmed)
    };
    vec![
        (
            json!({ "kind": "popup", "text": "Rate this app!" }),
            Handles(POPUP_DISMISSED),
        ),
        (json!({ "kind": "challenge" }), NeedsPerson),
        (json!({ "kind": "logged_out" }), NeedsPerson),
        (json!({ "kind": "upload_fails" }), failed),
        (json!({ "kind": "upload_slow", "ms": 4000 }), Unharmed),
        (json!({ "kind": "app_crash" }), Repeats(&["assertion_failed"])),
        (json!({ "kind": "app_crash", "when": "after" }), Handles(FOUND_DONE)),
        (json!({ "kind": "publish_ack_lost" }), ack_lost),
        (json!({ "kind": "app_not_installed" }), Fails("app_missing")),
    ]
}

/// Three faults at once: the gravest decides what becomes of the task, and the others do not make it worse.
fn three_at_once(script: Script) -> Vec<(Value, Rest)> {
    let drop = || json!({ "kind": "drop_connection" });
    let slow = || json!({ "kind": "slow", "ms": 50 });
    let popup = || json!({ "kind": "popup", "text": "Rate this app!" });
    let ack_lost = || json!({ "kind": "publish_ack_lost" });
    let not_told = if script.uploads() {
        Handles(FOUND_DONE)
    } else {
        Unharmed
    };
    vec![
        (json!([popup(), slow(), drop()]), Repeats(&["device_offline"])),
        (
            json!([slow(), { "kind": "upload_slow", "ms": 2000 }, ack_lost()]),
            not_told,
        ),
        (
            json!([{ "kind": "app_crash", "when": "after" }, popup(), drop()]),
            Repeats(&["device_offline"]),
        ),
        (
            json!([{ "kind": "reboot" }, { "kind": "app_crash" }, slow()]),
            Repeats(&["device_offline", "assertion_failed"]),
        ),
        (json!([{ "kind": "challenge" }, popup(), slow()]), NeedsPerson),
        (
            json!([{ "kind": "logged_out" }, drop(), { "kind": "upload_fails" }]),
            NeedsPerson,
        ),
        (
            json!([{ "kind": "offline" }, { "kind": "challenge" }, { "kind": "app_crash" }]),
            Waits("offline", AWAY),
        ),
        (
            json!([{ "kind": "unauthorized" }, { "kind": "storage_full" }, popup()]),
            Waits("unauthorized", UNTRUSTED),
        ),
        (
            json!([{ "kind": "hang" }, { "kind": "logged_out" }, ack_lost()]),
            Waits("offline", HANGS),
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
fn every_kind_of_fault_has_its_row_for_post_and_for_follow_and_the_simulator_has_no_other() {
    let contract: BTreeSet<String> = KINDS.map(str::to_owned).into();
    for script in [POST, FOLLOW] {
        let rows = [phone_faults(), app_faults(script)].concat();
        let kinds: BTreeSet<String> = rows.iter().flat_map(|(fault, _)| kinds_of(fault)).collect();
        assert_eq!(kinds, contract, "{}", script.kind);
    }

    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::start(dir.path(), 1);
    let url = format!("{}/phone/{}/fault", sim.control, sim.serial(0));
    let (status, refusal) = call("POST", &url, Some(&json!({ "kind": "none of them" })));
    assert_eq!(status, 400, "{refusal}");
    let known = refusal["known"].as_array().unwrap().iter();
    let known: BTreeSet<String> = known.map(|kind| kind.as_str().unwrap().to_owned()).collect();
    // One is any of the others at random, one concerns pictures alone, which no script of these looks at.
    let others = BTreeSet::from(["random".to_owned(), "secure_screen".to_owned()]);
    assert_eq!(known, &contract | &others);
}

#[test]
fn a_post_under_three_faults_at_once_ends_by_the_gravest_with_one_effect() {
    try_all(POST, &three_at_once(POST));
}

#[test]
fn a_follow_under_three_faults_at_once_ends_by_the_gravest_with_one_effect() {
    try_all(FOLLOW, &three_at_once(FOLLOW));
}

#[test]
fn a_post_survives_or_names_each_fault_of_its_phone() {
    try_all(POST, &phone_faults());
}

#[test]
fn a_post_survives_or_names_each_fault_of_its_app() {
    try_all(POST, &app_faults(POST));
}

#[test]
fn a_follow_survives_or_names_each_fault_of_its_phone() {
    try_all(FOLLOW, &phone_faults());
}

#[test]
fn a_follow_survives_or_names_each_fault_of_its_app() {
    try_all(FOLLOW, &app_faults(FOLLOW));
}
