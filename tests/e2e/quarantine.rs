//! Phones that keep failing: they rest by themselves, no more than a share of the farm at a time, and come back on
//! probation. What is the task's, the app's or the host's fault is never held against them.

use serde_json::{Value, json};

use crate::{
    harness::{AdbServer, Controller, Farm, SOON, Sim, TASK, follow, post, settings, tail, wait_for},
    log::ends_of,
};

/// A fault that is the phone's own, and told at once.
const SICK: &str = "garbage_hierarchy";

/// The usual settings with these rules of quarantine, and enough repetitions to see them at work.
fn with_rules(usual: &str, rules: &str) -> String {
    assert!(usual.contains("auto = true"));
    usual.replace("auto = true", "auto = true\nmax = 5") + "[quarantine]\n" + rules + "\n"
}

fn farm(phones: u32, rules: &str) -> Farm {
    let farm = Farm::without_adb_as(phones, |usual| with_rules(&usual, rules));
    for (place, (serial, _)) in farm.sim.phones.iter().enumerate() {
        farm.account(serial, "tiktok", &format!("alice{place}"));
    }
    farm
}

fn device(controller: &Controller, serial: &str) -> Value {
    controller.ok("GET", &format!("/api/v1/device/{serial}"), None)
}

fn rests(controller: &Controller, serial: &str) -> bool {
    device(controller, serial)["state"] == "quarantined"
}

/// The device while it rests until another time than `not`.
fn await_rest(controller: &Controller, serial: &str, not: Option<&Value>) -> Value {
    wait_for(&format!("{serial} rests"), TASK, || {
        let device = device(controller, serial);
        let until = &device["quarantine"]["until"];
        (device["state"] == "quarantined" && !until.is_null() && not != Some(until)).then_some(device)
    })
}

fn lines_with(controller: &Controller, words: &[&str]) -> Vec<String> {
    let log = std::fs::read_to_string(controller.log()).unwrap();
    let lines = log.lines().filter(|line| words.iter().all(|word| line.contains(word)));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_phone_that_keeps_failing_rests_by_itself_and_a_good_attempt_on_probation_lets_it_back() {
    let farm = farm(3, "failures = 2\nback_off_s = 2\nmax_back_off_s = 60");
    let (controller, sick) = (&farm.controller, farm.sim.serial(0));
    farm.sim.fault(sick, &json!({ "kind": SICK }));
    let id = controller.create(&follow(sick, "bob"))[0];

    let first = await_rest(controller, sick, None);

    assert_eq!(first["cause"], "failed too often and rests", "{first:#}");
    assert!(
        first["next_action"]
            .as_str()
            .unwrap()
            .contains("is tried again by itself"),
        "{first:#}"
    );
    assert_eq!(first["quarantine"]["by"], "farmhand", "{first:#}");
    assert_eq!(
        first["quarantine"]["reason"], "2 failures of its own within 600 s",
        "{first:#}"
    );
    let task = controller.task(id);
    assert_eq!(
        (&task["status"], task["attempts"].as_array().unwrap().len()),
        (&json!(0), 2),
        "its task waits: {task:#}"
    );
    // The others do not mind.
    let others: Vec<i64> = (1..3)
        .flat_map(|at| controller.create(&follow(farm.sim.serial(at), "bob")))
        .collect();
    for other in others {
        controller.await_status(other, 2);
    }

    // On probation one failure is enough.
    let second = await_rest(controller, sick, Some(&first["quarantine"]["until"]));
    assert_eq!(controller.task(id)["attempts"].as_array().unwrap().len(), 3);
    assert_eq!(
        second["quarantine"]["reason"], "1 failure of its own within 600 s",
        "{second:#}"
    );
    farm.sim.heal(sick);

    let task = controller.await_status(id, 2);
    assert_eq!(task["attempts"].as_array().unwrap().len(), 4, "{task:#}");
    let device = wait_for("it is free again", SOON, || {
        let device = device(controller, sick);
        (device["state"] == "online").then_some(device)
    });
    assert_eq!(device["quarantine"], Value::Null, "{device:#}");
    assert_eq!(farm.sim.ledger("follow").len(), 3);
    let told = lines_with(controller, &["device.quarantined", sick, "failed too often and rests"]);
    assert_eq!(told.len(), 2, "a line for each rest: {told:#?}");
}

#[test]
fn no_more_than_the_share_of_the_farm_rests_and_the_next_one_is_an_alarm_instead() {
    let farm = farm(
        5,
        "failures = 2\nback_off_s = 600\nmax_back_off_s = 600\nmax_share = 0.4",
    );
    let controller = &farm.controller;
    let sick: Vec<&str> = (0..3).map(|at| farm.sim.serial(at)).collect();
    for serial in &sick {
        farm.sim.fault(serial, &json!({ "kind": SICK }));
    }
    let ids: Vec<i64> = sick
        .iter()
        .flat_map(|serial| controller.create(&follow(serial, "bob")))
        .collect();

    // The one that may not rest is tried until its task has no attempts left, and is refused each time.
    let (at, task) = wait_for("one is tried to the end", TASK * 2, || {
        let ended = ids.iter().map(|id| controller.task(*id)).enumerate();
        ended.into_iter().find(|(_, task)| task["status"] == 3)
    });
    let (refused, task_id) = (sick[at], ids[at]);
    assert_eq!(task["failure"]["reason"], "device_error", "{task:#}");
    let resting: Vec<&&str> = sick.iter().filter(|serial| rests(controller, serial)).collect();
    assert_eq!(resting.len(), 2, "two fifths of the farm\n{}", tail(&controller.log()));
    assert_eq!(device(controller, refused)["quarantine"], Value::Null);
    assert_eq!(
        lines_with(controller, &["device.quarantined", refused]),
        Vec::<String>::new()
    );

    let tree = controller.ok("GET", "/api/v1/supervisor", None);
    let alarms: Vec<&str> = tree["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|actor| actor["alarm"].as_str())
        .collect();
    assert!(
        matches!(alarms[..], [alarm] if alarm.contains(refused) && alarm.contains("quarantine.max_share")),
        "{alarms:?}"
    );
    let (_, metrics) = controller.call("GET", "/metrics", None);
    let metrics = metrics.as_str().unwrap();
    for line in [
        "farmhand_quarantine_alarm 1",
        "farmhand_devices{state=\"quarantined\"} 2",
    ] {
        assert!(metrics.lines().any(|told| told == line), "no {line} in {metrics}");
    }
    let told = lines_with(controller, &["ERROR", "too many devices fail together", refused]);
    assert!(!told.is_empty(), "{}", tail(&controller.log()));

    // Once the host is mended, people need not wait for the end of the rests.
    for serial in &sick {
        farm.sim.heal(serial);
    }
    for serial in resting {
        controller.ok("POST", &format!("/api/v1/device/{serial}/release"), Some(&json!({})));
    }
    controller.ok("POST", &format!("/api/v1/task/{task_id}/retry"), None);
    for id in ids {
        controller.await_status(id, 2);
    }
    assert_eq!(farm.sim.ledger("follow").len(), 3);
}

#[test]
fn failures_of_the_task_the_app_and_the_host_send_no_phone_to_rest() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut adb) = AdbServer::start(dir.path()) else {
        return;
    };
    let sim = Sim::start(dir.path(), 1);
    let usual = settings(&adb.address(), &sim.phones, dir.path());
    // One failure of its own would be enough.
    let controller = Controller::start(dir.path(), &with_rules(&usual, "failures = 1\nback_off_s = 600"));
    let serial = sim.serial(0);
    controller.await_device(serial, "online");
    sim.login(serial, "tiktok", "alice");
    let account = json!({ "username": "alice", "app": "tiktok", "serial": serial });
    controller.ok("POST", "/api/v1/account", Some(&account));
    let no_phone_rests = |blame: &str, id: i64| {
        let blamed = format!("blame=\"{blame}\"");
        let ends = ends_of(&controller, id);
        assert!(
            !ends.is_empty() && ends.iter().all(|line| line.contains(&blamed)),
            "{blame}: {ends:#?}"
        );
        assert!(lines_with(&controller, &["device.quarantined"]).is_empty(), "{blame}");
        assert_eq!(device(&controller, serial)["quarantine"], Value::Null, "{blame}");
    };

    let mut missing = post(serial, "no media");
    missing["script_config"]["material_list"] = json!(["C:/Videos/none.mp4"]);
    let of_task = controller.create(&missing)[0];
    let failed = controller.await_status(of_task, 3);
    assert_eq!(failed["failure"]["reason"], "material_missing", "{failed:#}");
    no_phone_rests("task", of_task);

    sim.fault(serial, &json!({ "kind": "app_not_installed" }));
    let of_app = controller.create(&follow(serial, "bob"))[0];
    let failed = controller.await_status(of_app, 3);
    assert_eq!(failed["failure"]["reason"], "app_missing", "{failed:#}");
    no_phone_rests("app", of_app);
    sim.heal(serial);

    let of_host = controller.create(&follow(serial, "bob"))[0];
    wait_for("the task is under way", TASK, || {
        (controller.task(of_host)["progress"]["step"].as_i64() >= Some(2)).then_some(())
    });
    adb.kill();
    wait_for("the attempt has ended", TASK, || {
        (!ends_of(&controller, of_host).is_empty()).then_some(())
    });
    adb.restart();
    controller.await_status(of_host, 2);
    no_phone_rests("host", of_host);

    sim.fault(serial, &json!({ "kind": SICK }));
    controller.create(&follow(serial, "carol"));
    await_rest(&controller, serial, None);
}
