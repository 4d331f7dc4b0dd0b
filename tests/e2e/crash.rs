//! SIGKILL of the controller at each step of a task: no effect twice, none lost, none reported that did not happen.

use serde_json::{Value, json};

use crate::harness::{Farm, TASK, follow, post, wait_for};

/// Kills the controller as soon as step `step` of the task is recorded; `None` when the task ended before it.
fn kill_at_step(farm: &mut Farm, id: i64, step: usize) -> Option<()> {
    let reached = wait_for("the step is reached", TASK, || {
        let task = farm.controller.task(id);
        let steps = task["attempts"]
            .as_array()?
            .iter()
            .map(|attempt| attempt["steps"].as_array().map_or(0, Vec::len));
        let reached = steps.sum::<usize>() >= step;
        let over = task["status"].as_i64() >= Some(2);
        (reached || over).then_some(reached && !over)
    });
    reached.then(|| farm.controller.kill())
}

/// Farms that share the steps of a task among them: a kill, a restart and a task take seconds each.
const FARMS: usize = 3;

fn survives_a_kill_at_each_step(kind: &str, app: &str, body: fn(&str, &str) -> Value) {
    let kills: usize = std::thread::scope(|scope| {
        let farms: Vec<_> = (1..=FARMS)
            .map(|first| scope.spawn(move || survives_kills_from(first, kind, app, body)))
            .collect();
        farms.into_iter().map(|farm| farm.join().unwrap()).sum()
    });
    assert!(kills >= 5, "only {kills} kills");
}

/// One task after the other, killed at every third step from `first` on, until one is over before; how many kills.
fn survives_kills_from(first: usize, kind: &str, app: &str, body: fn(&str, &str) -> Value) -> usize {
    let mut farm = Farm::without_adb(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, app, "alice");
    let mut kills = 0;
    for step in (first..).step_by(FARMS) {
        let target = format!("target{step}");
        let before = farm.sim.ledger(kind).len();
        let id = farm.controller.create(&body(&serial, &target))[0];
        if kill_at_step(&mut farm, id, step).is_none() {
            assert!(step > 5, "only {step} steps");
            break;
        }
        kills += 1;
        farm.controller.restart();
        let task = farm.controller.await_status(id, 2);
        let effects: Vec<Value> = farm.sim.ledger(kind).split_off(before);
        assert_eq!(effects.len(), 1, "killed at step {step}: {effects:#?}\n{task:#}");
        let named = &effects[0]["detail"][if kind == "publish" { "caption" } else { "target" }];
        assert_eq!(*named, target, "killed at step {step}");
    }
    let stats = farm.controller.ok("GET", "/api/v1/task/stats", None);
    assert_eq!(stats["total"], stats["completed"]);
    kills
}

#[test]
fn f1_a_post_survives_a_kill_at_each_step() {
    survives_a_kill_at_each_step("publish", "tiktok", post);
}

#[test]
fn f1_a_follow_survives_a_kill_at_each_step() {
    survives_a_kill_at_each_step("follow", "instagram", follow);
}

/// A flow that may be taken up at its third step.
const STAGES: &str = "appId: ${APP_PACKAGE}
farmhand: { checkpoint: again }
---
- launchApp
- evalScript: ${output.first = ATTEMPT}
- launchApp: { label: again }
- repeat: { times: 8, commands: [swipe: UP] }
- evalScript: ${output.remark = 'begun by ' + output.first + ', ended by ' + ATTEMPT}
";

#[test]
fn a_flow_with_a_checkpoint_goes_on_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stages.yaml"), STAGES).unwrap();
    let mut farm = Farm::without_adb_set(1, &format!("[flows]\ndir = \"{}\"\n", folder.path().display()));
    let serial = farm.sim.serial(0).to_owned();
    farm.controller.await_device(&serial, "online");
    let id = farm
        .controller
        .create(&json!({ "serials": [serial], "script_name": "stages", "script_config": {} }))[0];
    kill_at_step(&mut farm, id, 6).expect("the flow is still under way");

    farm.controller.restart();
    let task = farm.controller.await_status(id, 2);

    assert_eq!(task["remark"], "begun by 1, ended by 2", "{task:#}");
    let steps = task["attempts"][1]["steps"].as_array().unwrap();
    let states: Vec<&str> = steps.iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states[..3], ["skipped", "skipped", "completed"]);
}
