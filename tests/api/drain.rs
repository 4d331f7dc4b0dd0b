//! Draining a farm and a device: nothing starts, what runs comes to its own end, a restart changes nothing.

use serde_json::json;

use crate::{
    harness::{Farm, SOON, follow, post, wait_for},
    http::Api,
    shared::ids,
};

#[test]
fn a_drained_farm_ends_what_runs_starts_nothing_and_goes_on_when_it_is_resumed() {
    let mut farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    farm.account("sim-1", "tiktok", "drained");
    farm.sim.fault("sim-1", &json!({ "kind": "upload_slow", "ms": 3_000 }));
    let running = ids(&api.post("/task", &post("sim-1", "before the drain")).ok())[0];
    wait_for("the task runs", SOON, || {
        (api.get(&format!("/task/{running}")).ok()["status"] == 1).then_some(())
    });
    let lease = api.get("/device/sim-1").ok()["lease"].clone();
    assert_eq!((&lease["task_id"], &lease["attempt"]), (&json!(running), &json!(1)));
    assert_eq!(api.get("/account/drained").ok()["lease"], lease);
    assert_eq!(api.get("/supervisor").ok()["leases"][0]["serial"], "sim-1");

    let drained = api.post("/drain", &json!({})).ok();
    let waiting = ids(&api.post("/task", &follow("sim-1", "somebody")).ok())[0];

    assert_eq!((&drained["draining"], &drained["running"]), (&json!(true), &json!(1)));
    farm.controller.await_status(running, 2);
    let ready = api.send("GET", "/health/ready", &[], b"");
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("draining")));
    wait_for("nothing is held any more", SOON, || {
        (api.get("/supervisor").ok()["leases"] == json!([])).then_some(())
    });
    farm.controller.kill();
    farm.controller.restart();
    farm.controller.await_device("sim-1", "online");
    let told = wait_for("the task says why it waits", SOON, || {
        let task = api.get(&format!("/task/{waiting}")).ok();
        assert_eq!(task["status"], 0, "{task}");
        let reason = task["waiting_for"].as_str().unwrap_or_default().to_owned();
        (reason.contains("drained") && task["remark"].as_str()?.contains("drained")).then_some(reason)
    });
    assert!(told.contains("resume"), "{told}");
    assert_eq!(api.get("/supervisor").ok()["drains"][0]["serial"], json!(null));

    assert_eq!(api.post("/resume", &json!({})).ok()["draining"], false);
    farm.controller.await_status(waiting, 2);
}

#[test]
fn a_drained_device_holds_up_only_its_own_tasks() {
    let farm = Farm::without_adb(2);
    let api = Api::new(&farm.controller.base);
    farm.account("sim-1", "tiktok", "one");
    farm.account("sim-2", "tiktok", "two");

    assert_eq!(api.post("/device/sim-1/drain", &json!({})).ok()["draining"], true);
    let held = ids(&api.post("/task", &follow("sim-1", "somebody")).ok())[0];
    let free = ids(&api.post("/task", &follow("sim-2", "somebody")).ok())[0];

    farm.controller.await_status(free, 2);
    let task = api.get(&format!("/task/{held}")).ok();
    assert_eq!(task["status"], 0);
    assert!(
        task["waiting_for"].as_str().unwrap().contains("sim-1 is drained"),
        "{task}"
    );
    assert_eq!(api.post("/device/sim-1/resume", &json!({})).ok()["draining"], false);
    farm.controller.await_status(held, 2);
    api.post("/device/nowhere/drain", &json!({})).refused(40401);
}
