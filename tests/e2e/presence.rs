//! What an adb server says of its phones is what the API shows, at once; a phone that cannot be used makes its tasks
//! wait, never fail.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    harness::{Controller, SOON, Sim, follow, settings, wait_for},
    listing::ListingServer,
};

/// A controller that sees the simulated phones through a list that the test writes.
struct Listed {
    sim: Sim,
    list: ListingServer,
    controller: Controller,
    _dir: tempfile::TempDir,
}

impl Listed {
    fn start(phones: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::start(dir.path(), phones);
        let list = ListingServer::start(&sim.server);
        for (serial, _) in &sim.phones {
            list.show(serial, "device");
        }
        let controller = Controller::start(dir.path(), &settings(&list.address, &[], dir.path()));
        for (serial, _) in &sim.phones {
            controller.await_device(serial, "online");
        }
        Self {
            sim,
            list,
            controller,
            _dir: dir,
        }
    }

    fn device(&self, serial: &str) -> Value {
        self.controller.ok("GET", &format!("/api/v1/device/{serial}"), None)
    }
}

#[test]
fn f16_a_phone_in_any_unusable_state_makes_its_task_wait_with_the_reason_shown() {
    let rows = [
        ("offline", "offline", "does not answer"),
        ("unauthorized", "unauthorized", "trust"),
        ("recovery", "offline", "recovery"),
        ("sideload", "offline", "sideload"),
        ("authorizing", "offline", "asked whether it trusts"),
        (
            "no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com]",
            "offline",
            "may not be opened",
        ),
    ];
    let farm = Listed::start(u32::try_from(rows.len()).unwrap());
    let serials: Vec<String> = farm.sim.phones.iter().map(|(serial, _)| serial.clone()).collect();
    let mut ids = Vec::new();
    for (serial, (word, ..)) in serials.iter().zip(rows) {
        let username = format!("alice_{serial}").replace('-', "_");
        farm.sim.login(serial, "tiktok", &username);
        let account = json!({ "username": username, "app": "tiktok", "serial": serial });
        farm.controller.ok("POST", "/api/v1/account", Some(&account));
        farm.list.show(serial, word);
    }
    for (serial, (word, state, told)) in serials.iter().zip(rows) {
        farm.controller.await_device(serial, state);
        let device = farm.device(serial);
        assert!(device["cause"].as_str().unwrap().contains(told), "{word}: {device:#}");
        assert_ne!(device["next_action"], "", "{word}");
        ids.push(farm.controller.create(&follow(serial, "bob"))[0]);
    }
    for (id, (word, _, told)) in ids.iter().zip(rows) {
        let task = wait_for(&format!("the task says that it waits for {word}"), SOON, || {
            let task = farm.controller.task(*id);
            let remark = task["remark"].as_str().unwrap_or_default().to_owned();
            remark.contains(told).then_some(task)
        });
        assert_eq!((&task["status"], &task["attempts"]), (&json!(0), &json!([])), "{word}");
    }
    assert_eq!(farm.sim.ledger("follow").len(), 0);

    for serial in &serials {
        farm.list.show(serial, "device");
    }
    for id in ids {
        farm.controller.await_status(id, 2);
    }
    assert_eq!(farm.sim.ledger("follow").len(), rows.len());
}

#[test]
fn a_phone_that_goes_away_says_so_while_its_task_still_holds_it() {
    let farm = Listed::start(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.sim.login(&serial, "tiktok", "alice");
    let account = json!({ "username": "alice", "app": "tiktok", "serial": serial });
    farm.controller.ok("POST", "/api/v1/account", Some(&account));
    let id = farm.controller.create(&follow(&serial, "bob"))[0];
    let steps = || farm.controller.task(id)["progress"]["step"].as_i64();
    wait_for("the task is under way", SOON, || (steps() >= Some(2)).then_some(()));
    // The attempt waits for an answer, and holds the phone for as long.
    farm.sim.fault(&serial, &json!({ "kind": "hang" }));
    let (hung, mut last) = (Instant::now(), (Instant::now(), steps()));
    wait_for("a call hangs", SOON, || {
        let now = steps();
        if now != last.1 {
            last = (Instant::now(), now);
        }
        (last.0.elapsed() > Duration::from_millis(500)).then_some(())
    });

    farm.list.show(&serial, "unauthorized");

    let device = wait_for("what adb says is shown", SOON, || {
        let device = farm.device(&serial);
        (device["evidence"]["adb"]["state"] == "unauthorized").then_some(device)
    });
    assert_eq!(device["state"], "busy", "after {:?}: {device:#}", hung.elapsed());
    let cause = device["cause"].as_str().unwrap();
    assert!(cause.contains("runs task") && cause.contains("trust"), "{device:#}");
    assert!(
        device["next_action"].as_str().unwrap().contains("debugging"),
        "{device:#}"
    );
    farm.sim.heal(&serial);
    farm.list.show(&serial, "device");
    farm.controller.await_status(id, 2);
}

#[test]
fn what_the_adb_server_says_is_seen_in_the_api_without_waiting_for_the_poll() {
    const CHANGES: usize = 20;
    let farm = Listed::start(1);
    let serial = farm.sim.serial(0).to_owned();

    let mut delays: Vec<Duration> = (0..CHANGES)
        .map(|number| {
            let word = ["offline", "unauthorized"][number % 2];
            let said = Instant::now();
            farm.list.show(&serial, word);
            while farm.device(&serial)["state"] != word {
                assert!(said.elapsed() < SOON, "{word} is not seen");
            }
            said.elapsed()
        })
        .collect();

    assert_seen_at_once("a way down", &mut delays);
}

/// Half of the changes are seen within 100 ms of the adb server's word, and none only by the poll of once a second.
fn assert_seen_at_once(what: &str, delays: &mut [Duration]) {
    delays.sort();
    let (median, worst) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    println!("{what} is seen in the API after {median:.1?} (median), {worst:.1?} at most");
    assert!(median < Duration::from_millis(100), "{what}: {delays:?}");
    assert!(worst < Duration::from_millis(800), "{what}: {delays:?}");
}

#[test]
fn a_phone_that_comes_back_and_a_new_one_are_seen_in_the_api_without_waiting_for_the_poll() {
    const CHANGES: usize = 20;
    let farm = Listed::start(1);
    let serial = farm.sim.serial(0).to_owned();
    let seen = |serial: &str, word: &str| {
        let said = Instant::now();
        farm.list.show(serial, word);
        let path = format!("/api/v1/device/{serial}");
        loop {
            let (status, answer) = farm.controller.call("GET", &path, None);
            if status == 200 && answer["data"]["evidence"]["adb"]["state"] == word {
                return said.elapsed();
            }
            assert!(said.elapsed() < SOON, "{serial}: {word} is not seen");
        }
    };

    let mut back: Vec<Duration> = (0..CHANGES)
        .map(|_| {
            seen(&serial, "offline");
            seen(&serial, "device")
        })
        .collect();
    assert_seen_at_once("a way back", &mut back);
    let mut new: Vec<Duration> = (0..CHANGES)
        .map(|number| seen(&format!("new-{number}"), "unauthorized"))
        .collect();
    assert_seen_at_once("a new phone", &mut new);
}
