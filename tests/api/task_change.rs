//! Stopping, retrying, resolving and deleting tasks.

use serde_json::{Value, json};

use crate::{
    harness::{Farm, SOON, follow, post, wait_for},
    http::Api,
    shared::{FAILING, WORKING, ids, shared},
};

fn act(id: i64, verb: &str) -> crate::http::Reply {
    shared().api.json("POST", &format!("/task/{id}/{verb}"), None)
}

#[test]
fn a_pending_task_is_stopped_unstarted_and_retried() {
    let farm = shared();
    let id = farm.pending();

    act(id, "retry").refused(40901);
    let stopped = act(id, "stop").ok();

    assert_eq!(
        (&stopped["status"], &stopped["status_text"]),
        (&json!(3), &json!("failed"))
    );
    assert_eq!(stopped["failure"]["reason"], "stopped");
    assert_eq!((&stopped["started_at"], &stopped["id"]), (&Value::Null, &json!(id)));
    assert!(
        stopped["finished_at"].is_string() && stopped["remark"] != "",
        "{stopped}"
    );
    let listed = farm.api.get("/task?failure_reason=stopped&status=3&page_size=100").ok();
    assert!(listed["items"].as_array().unwrap().iter().any(|task| task["id"] == id));
    act(id, "stop").refused(40901);
    shared()
        .api
        .post(&format!("/task/{id}/resolve"), &json!({ "outcome": "done" }))
        .refused(40901);

    let retried = act(id, "retry").ok();
    assert_eq!((&retried["status"], &retried["retry_count"]), (&json!(0), &json!(1)));
    assert_eq!(
        (&retried["failure"], &retried["finished_at"]),
        (&Value::Null, &Value::Null)
    );
    act(id, "retry").refused(40901);
}

#[test]
fn a_resolution_must_say_what_happened() {
    let api = &shared().api;
    let id = shared().pending();
    let path = format!("/task/{id}/resolve");

    for body in [
        json!({}),
        json!({ "outcome": "maybe" }),
        json!({ "outcome": true }),
        json!({ "outcome": null }),
    ] {
        assert_eq!(api.post(&path, &body).faults(), ["outcome"], "{body}");
    }
    let body = json!({ "outcome": "done", "note": 5, "why": "x" });
    assert_eq!(api.post(&path, &body).faults().len(), 2);
    api.post(&path, &json!({ "outcome": "not_done", "note": "I looked" }))
        .refused(40901);
}

#[test]
fn a_deleted_task_is_gone() {
    let farm = shared();
    let id = farm.pending();

    let deleted = farm.api.delete(&format!("/task/{id}")).ok();

    assert_eq!(deleted, json!({ "deleted_count": 1, "deleted": [id], "not_found": [] }));
    farm.api.get(&format!("/task/{id}")).refused(40401);
    farm.api.delete(&format!("/task/{id}")).refused(40401);
    act(id, "stop").refused(40401);
    act(id, "retry").refused(40401);
}

#[test]
fn a_batch_names_1_to_1000_tasks() {
    let api = &shared().api;
    let delete = |body: Value| api.json("DELETE", "/task/batch", Some(&body));

    assert_eq!(delete(json!({})).faults(), ["task_ids"]);
    assert_eq!(delete(json!({ "task_ids": [] })).faults(), ["task_ids"]);
    assert_eq!(delete(json!({ "task_ids": 5 })).faults(), ["task_ids"]);
    assert_eq!(
        delete(json!({ "task_ids": (1..=1001).collect::<Vec<_>>() })).faults(),
        ["task_ids"]
    );
    assert_eq!(delete(json!({ "task_ids": ["1", 0, 1.5] })).faults().len(), 3);
    assert_eq!(delete(json!({ "ids": [1] })).faults().len(), 2);
    assert_eq!(api.json("DELETE", "/task/batch", None).faults(), ["body"]);
    let far: Vec<i64> = (1..=1000).map(|id| id + 5_000_000).collect();
    let answer = delete(json!({ "task_ids": far })).ok();
    assert_eq!(
        (&answer["deleted_count"], &answer["not_found"]),
        (&json!(0), &json!(far))
    );
}

#[test]
fn retry_all_checks_its_body() {
    let api = &shared().api;

    assert_eq!(
        api.post("/task/retry-all", &json!({ "include_unknown": "yes" }))
            .faults(),
        ["include_unknown"]
    );
    assert_eq!(
        api.post("/task/retry-all", &json!({ "include_unkown": true })).faults(),
        ["include_unkown"]
    );
    // A filter there would be overlooked, and more would be retried than was meant.
    assert_eq!(api.post("/task/retry-all?serial=x", &json!({})).faults(), ["serial"]);
    assert_eq!(api.delete("/task/1?force=1").faults(), ["force"]);
    api.post(
        "/task/retry-all",
        &json!({ "include_unknown": false, "batch_id": "none" }),
    )
    .ok();
}

#[test]
fn a_running_task_is_stopped_within_two_seconds_and_its_device_is_free() {
    let farm = Farm::without_adb(2);
    let api = Api::new(&farm.controller.base);
    farm.account("sim-1", "tiktok", "runner");
    farm.sim.fault("sim-1", &json!({ "kind": "upload_slow", "ms": 30_000 }));
    let id = ids(&api.post("/task", &post("sim-1", "slow")).ok())[0];
    let running = wait_for("the task runs", SOON, || {
        let task = api.get(&format!("/task/{id}")).ok();
        (task["status"] == 1 && task["progress"]["step"].as_i64() > Some(1)).then_some(task)
    });
    assert!(
        running["started_at"].is_string() && running["progress"]["steps"].is_i64(),
        "{running}"
    );
    assert_eq!(api.get("/device/sim-1").ok()["state"], "busy");
    assert_eq!(api.get("/device/sim-1").ok()["current_task"], id);
    api.json("POST", &format!("/task/{id}/retry"), None).refused(40901);
    api.post("/device/sim-1/tap", &json!({ "x": 1, "y": 1 })).refused(40901);

    let asked = std::time::Instant::now();
    let stopped = api.json("POST", &format!("/task/{id}/stop"), None).ok();

    assert!(asked.elapsed().as_millis() < 2500, "{:?}", asked.elapsed());
    assert_eq!(
        (&stopped["status"], &stopped["failure"]["reason"]),
        (&json!(3), &json!("stopped"))
    );
    let shown = api.get(&format!("/task/{id}")).ok();
    let attempts = shown["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    for field in [
        "number",
        "serial",
        "username",
        "started_at",
        "finished_at",
        "outcome",
        "steps",
    ] {
        assert!(!attempts[0][field].is_null(), "{field}: {}", attempts[0]);
    }
    let steps = attempts[0]["steps"].as_array().unwrap();
    for field in [
        "index",
        "command",
        "label",
        "state",
        "started_at",
        "duration_ms",
        "error",
        "screenshot",
    ] {
        assert!(steps.iter().all(|step| step.get(field).is_some()), "{field}: {steps:?}");
    }
    farm.controller.await_device("sim-1", "online");

    farm.account("sim-2", "tiktok", "walker");
    farm.sim.fault("sim-2", &json!({ "kind": "upload_slow", "ms": 30_000 }));
    let id = ids(&api.post("/task", &post("sim-2", "slow")).ok())[0];
    wait_for("the task runs", SOON, || {
        (api.get(&format!("/task/{id}")).ok()["status"] == 1).then_some(())
    });
    api.delete(&format!("/task/{id}")).ok();
    let device = api.get("/device/sim-2").ok();
    assert_eq!(
        (&device["state"], &device["current_task"]),
        (&json!("online"), &Value::Null),
        "{device}"
    );
}

#[test]
fn a_failed_task_says_why_with_a_picture_and_keeps_its_attempts_when_retried() {
    let farm = shared();
    let name = farm.account(FAILING, "tiktok");
    farm.farm.sim.fault(FAILING, &json!({ "kind": "upload_fails" }));
    let body = json!({
        "usernames": [name], "script_name": "post",
        "script_config": { "material_list": ["C:/Videos/video1.mp4"], "captions": "fails", "upload_wait_time": 5 }
    });
    let id = ids(&farm.api.post("/task", &body).ok())[0];

    let failed = farm.farm.controller.await_status(id, 3);
    farm.farm.sim.heal(FAILING);

    assert!(
        failed["failure"]["reason"].is_string() && failed["failure"]["message"] != "",
        "{failed}"
    );
    assert!(
        failed["failure"]["retryable"].is_boolean() && failed["remark"] != "",
        "{failed}"
    );
    let attempts = failed["attempts"].as_array().unwrap().clone();
    let broken = attempts.last().unwrap()["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| !step["error"].is_null());
    let broken = broken.unwrap_or_else(|| panic!("no failed step: {failed:#}"));
    for (field, kind) in [("screenshot", "image/"), ("hierarchy", "xml")] {
        let url = broken[field].as_str().unwrap_or_else(|| panic!("no {field}: {broken}"));
        assert!(url.starts_with("/api/v1/"), "{url}");
        let reply = farm.api.send("GET", url, &[], b"");
        assert_eq!(reply.status, 200, "{url}");
        assert!(reply.header("content-type").unwrap().contains(kind), "{url}: {reply:?}");
    }

    if failed["failure"]["reason"] == "outcome_unknown" {
        let path = format!("/task/{id}/resolve");
        let resolved = farm
            .api
            .post(&path, &json!({ "outcome": "not_done", "note": "looked" }))
            .ok();
        assert_eq!(resolved["status"], 3);
    }
    act(id, "retry").ok();
    let done = farm.farm.controller.await_status(id, 2);
    assert_eq!(done["retry_count"], failed["retry_count"].as_i64().unwrap() + 1);
    assert!(done["attempts"].as_array().unwrap().len() > attempts.len());
    act(id, "retry").refused(40901);
    act(id, "stop").refused(40901);
}

#[test]
fn a_task_for_a_device_that_is_away_waits() {
    let farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    farm.sim.fault("sim-1", &json!({ "kind": "offline" }));
    farm.controller.await_device("sim-1", "offline");

    let id = ids(&api.post("/task", &follow("sim-1", "somebody")).ok())[0];

    let task = api.get(&format!("/task/{id}")).ok();
    assert_eq!(task["status"], 0, "{task}");
    assert!(
        task["waiting_for"].as_str().is_some_and(|text| !text.is_empty()),
        "{task}"
    );
    farm.sim.login("sim-1", "tiktok", "late");
    farm.sim.heal("sim-1");
    farm.controller.await_status(id, 2);
}

#[test]
fn an_interval_keeps_the_second_task_of_a_device_waiting() {
    let farm = shared();
    let name = farm.account(WORKING, "tiktok");
    let body = json!({
        "usernames": [name], "script_name": "follow", "script_config": { "target_users": ["gap_a", "gap_b"] },
        "min_interval": 600, "max_interval": 600
    });

    let created = ids(&farm.api.post("/task", &body).ok());

    farm.farm.controller.await_status(created[0], 2);
    let second = farm.task(created[1]);
    assert_eq!(second["status"], 0, "{second}");
    farm.api.delete(&format!("/task/{}", created[1])).ok();
}
