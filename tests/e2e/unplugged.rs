//! Phones that vanish in the middle of a task: pulled out, put back, exchanged, restarted.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    harness::{AdbServer, Controller, Farm, SOON, Sim, TASK, follow, post, settings, tail, wait_for},
    log::check_ends,
    plug::Plug,
};

/// Steps that were recorded of all attempts of a task so far; `None` once it is over.
fn steps(controller: &Controller, id: i64) -> Option<usize> {
    let task = controller.task(id);
    let attempts = task["attempts"].as_array().unwrap();
    let steps = attempts
        .iter()
        .map(|attempt| attempt["steps"].as_array().map_or(0, Vec::len));
    (task["status"].as_i64() < Some(2)).then(|| steps.sum())
}

/// Waits until step `step` of the task is recorded; `false` when the task is over before.
fn reaches(controller: &Controller, id: i64, step: usize) -> bool {
    wait_for("the step is reached", TASK, || match steps(controller, id) {
        Some(steps) => (steps >= step).then_some(true),
        None => Some(false),
    })
}

/// On each phone one task; the phone of place n has its accident at step `2 + n * stride`.
fn at_each_step(
    phones: u32,
    stride: usize,
    body: fn(&str, &str) -> Value,
    kind: &str,
    accident: impl Fn(&Farm, &str) + Sync,
) {
    const FIRST: usize = 2;
    let farm = Farm::without_adb(phones);
    let serials: Vec<&str> = farm.sim.phones.iter().map(|(serial, _)| serial.as_str()).collect();
    for (place, serial) in serials.iter().enumerate() {
        farm.account(serial, ["tiktok", "instagram"][place % 2], &format!("alice{place}"));
    }
    let struck = std::thread::scope(|scope| {
        let (farm, accident) = (&farm, &accident);
        let trials: Vec<_> = serials
            .iter()
            .enumerate()
            .map(|(place, serial)| {
                scope.spawn(move || {
                    let step = FIRST + place * stride;
                    let id = farm.controller.create(&body(serial, "bob"))[0];
                    let struck = reaches(&farm.controller, id, step);
                    if struck {
                        accident(farm, serial);
                    }
                    let task = farm.controller.await_status(id, 2);
                    check(farm, serial, kind, &task, step);
                    usize::from(struck)
                })
            })
            .collect();
        trials.into_iter().map(|trial| trial.join().unwrap()).sum::<usize>()
    });
    println!("{struck} of {phones} phones had their accident before the end");
    assert!(struck >= serials.len() / 2, "only {struck}");
}

fn check(farm: &Farm, serial: &str, kind: &str, task: &Value, step: usize) {
    let effects = farm.sim.ledger(kind);
    let effects = effects.iter().filter(|entry| entry["serial"] == serial).count();
    assert_eq!(effects, 1, "step {step}: {task:#}");
    let attempts = task["attempts"].as_array().unwrap();
    // An attempt that runs the flow again begins at its beginning, one that looks back does not run it.
    for attempt in attempts.iter().filter(|attempt| !attempt["steps"][0].is_null()) {
        assert_eq!(attempt["steps"][0]["index"], 1, "step {step}: {task:#}");
    }
    let ended = check_ends(&farm.controller, task);
    assert!(
        ended.iter().all(|line| line.contains("reason=\"device_offline\"")),
        "{ended:#?}"
    );
}

fn unplug_and_replug(farm: &Farm, serial: &str) {
    farm.sim.fault(serial, &json!({ "kind": "offline" }));
    wait_for("the task's attempt has ended", SOON, || {
        let device = farm.controller.ok("GET", &format!("/api/v1/device/{serial}"), None);
        (device["state"] == "offline").then_some(())
    });
    farm.sim.heal(serial);
}

#[test]
fn f14_a_post_whose_phone_is_unplugged_at_any_step_goes_on_when_it_is_back() {
    at_each_step(22, 3, post, "publish", unplug_and_replug);
}

#[test]
fn f14_a_follow_whose_phone_is_unplugged_at_any_step_goes_on_when_it_is_back() {
    at_each_step(16, 2, follow, "follow", unplug_and_replug);
}

#[test]
fn f14_another_phone_at_an_address_that_was_connected_by_hand_is_named_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let Some(adb) = AdbServer::start(dir.path()) else {
        return;
    };
    let sim = Sim::start(dir.path(), 2);
    let [(_, at), (other, elsewhere)] = [&sim.phones[0], &sim.phones[1]];
    let plug = Plug::to(at);
    let connect = || {
        let port = adb.port.to_string();
        for word in ["disconnect", "connect"] {
            let told = Command::new("adb").args(["-P", &port, word, &plug.address]).output();
            assert!(told.is_ok());
        }
    };
    connect();
    let mut controller = Controller::start(dir.path(), &settings(&adb.address(), &[], dir.path()));
    controller.await_device(&plug.address, "online");
    // What it called itself is stored a moment later.
    assert!(controller.terminate(SOON).0.success());

    plug.put(Some(elsewhere));
    connect();
    controller.restart();

    let path = format!("/api/v1/device/{}", plug.address);
    let device = wait_for("the other phone is named", SOON, || {
        let (status, answer) = controller.call("GET", &path, None);
        let named = answer["data"]["cause"].as_str()?.contains(other.as_str());
        (status == 200 && named).then(|| answer["data"].clone())
    });
    assert_eq!(device["state"], "offline", "{device:#}");

    // A person who has meant it says so.
    for enabled in [false, true] {
        controller.ok("PATCH", &path, Some(&json!({ "enabled": enabled })));
    }
    controller.await_device(&plug.address, "online");
}

#[test]
fn f14_a_phone_that_is_plugged_in_at_another_host_in_the_middle_of_a_post_goes_on_there_with_one_effect() {
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::start(dir.path(), 1);
    // Two adb servers, of which only the one shows the phone to which its cable leads.
    let (near, far) = (Plug::to(&sim.server), Plug::to(&sim.server));
    far.put(None);
    let servers = format!("{}\", \"{}", near.address, far.address);
    let controller = Controller::start(dir.path(), &settings(&servers, &[], dir.path()));
    let serial = sim.serial(0);
    controller.await_device(serial, "online");
    sim.login(serial, "tiktok", "alice");
    let account = json!({ "username": "alice", "app": "tiktok", "serial": serial });
    controller.ok("POST", "/api/v1/account", Some(&account));
    let id = controller.create(&post(serial, "on the move"))[0];
    assert!(reaches(&controller, id, 5));

    near.put(None);
    far.put(Some(&sim.server));

    let task = controller.await_status(id, 2);
    assert!(
        task["attempts"].as_array().unwrap().len() > 1,
        "it was cut off: {task:#}"
    );
    check_ends(&controller, &task);
    assert_eq!(sim.ledger("publish").len(), 1);
    controller.await_device(serial, "online");
}

#[test]
fn f15_a_post_whose_phone_restarts_at_any_step_begins_again_and_acts_once() {
    at_each_step(12, 4, post, "publish", |farm, serial| {
        farm.sim.fault(serial, &json!({ "kind": "reboot" }));
    });
}

#[test]
fn f14_another_phone_with_the_same_account_at_the_same_address_is_named_and_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let Some(adb) = AdbServer::start(dir.path()) else {
        return;
    };
    let sim = Sim::start(dir.path(), 2);
    let [(wanted, at), (other, elsewhere)] = [&sim.phones[0], &sim.phones[1]];
    let plug = Plug::to(at);
    let devices = [(wanted.clone(), plug.address.clone())];
    let controller = Controller::start(dir.path(), &settings(&adb.address(), &devices, dir.path()));
    controller.await_device(wanted, "online");
    for serial in [wanted, other] {
        sim.login(serial, "tiktok", "alice");
    }
    let account = json!({ "username": "alice", "app": "tiktok", "serial": wanted });
    controller.ok("POST", "/api/v1/account", Some(&account));
    let id = controller.create(&follow(wanted, "bob"))[0];
    assert!(reaches(&controller, id, 3));

    plug.put(Some(elsewhere));

    let device = wait_for("the other phone is named", SOON, || {
        let device = controller.ok("GET", &format!("/api/v1/device/{wanted}"), None);
        let named = device["cause"]
            .as_str()
            .is_some_and(|cause| cause.contains(other.as_str()));
        named.then_some(device)
    });
    assert_eq!(device["state"], "offline", "{device:#}");
    let task = controller.task(id);
    assert!(
        task["status"].as_i64() < Some(2),
        "{task:#}\n{}",
        tail(&controller.log())
    );
    assert_eq!(sim.ledger("follow"), Vec::<Value>::new());

    plug.put(Some(at));
    controller.await_status(id, 2);
    let followed = sim.ledger("follow");
    assert_eq!(followed.len(), 1, "{followed:#?}");
    assert_eq!(followed[0]["serial"], **wanted);
}
