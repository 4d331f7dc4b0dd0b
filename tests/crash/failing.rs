//! A disk that is full for a while, and one that fails to sync.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    harness::{SOON, Sim, TASK, follow, post, tail, wait_for},
    storm::settings_of,
    victim::Victim,
};

/// Until a farm takes tasks again by itself when there is room on the disk: 5 s, and as much for a slow machine.
const RESUMED: Duration = Duration::from_secs(10);

/// A controller with one phone and one account, ready.
fn farm(folder: &std::path::Path) -> (Sim, Victim) {
    let sim = Sim::start(folder, 1);
    let mut victim = Victim::new(folder, &settings_of(&sim, folder));
    victim.records = true;
    victim.start_ready();
    sim.login("sim-1", "tiktok", "alice");
    let body = json!({ "username": "alice", "app": "tiktok", "serial": "sim-1" });
    victim.ok("POST", "/api/v1/account", Some(&body));
    (sim, victim)
}

/// Waits until the commit step of a task is under way, so that its intent is stored.
fn await_commit(victim: &Victim, id: i64) {
    wait_for("the commit step is reached", TASK, || {
        let task = victim.task(id);
        assert!(task["status"].as_i64() < Some(2), "{task:#}");
        let steps = task["attempts"].as_array()?.last()?["steps"].as_array()?.clone();
        steps.iter().any(|step| step["label"] == "Commit").then_some(())
    });
}

#[test]
fn f6_a_full_disk_refuses_tasks_drops_pictures_first_and_is_survived_without_a_second_effect() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, mut victim) = farm(folder.path());
    let picture = victim.data.join("evidence/999999-1-1.jpg");
    std::fs::write(&picture, "an old picture").unwrap();
    sim.fault("sim-1", &json!({ "kind": "upload_slow", "ms": 1_500 }));
    let under_way = victim.create(&post("sim-1", "over a full disk"))[0];
    await_commit(&victim, under_way);

    victim.disk().fill(true);
    let (status, refusal) = victim
        .try_call("POST", "/api/v1/task", Some(&follow("sim-1", "bob")))
        .unwrap();
    wait_for("the pictures are dropped", SOON, || (!picture.exists()).then_some(()));
    wait_for("the post takes place meanwhile", TASK, || {
        (sim.ledger("publish").len() == 1).then_some(())
    });
    let meanwhile = victim.task(under_way);
    assert!(victim.exited().is_none(), "{}", tail(&victim.log()));
    victim.disk().fill(false);
    let freed = Instant::now();
    let next = wait_for("tasks are taken again", RESUMED, || {
        let answer = victim.try_call("POST", "/api/v1/task", Some(&follow("sim-1", "carol")))?;
        (answer.0 == 200).then(|| answer.1["data"]["task_ids"][0].as_i64().unwrap())
    });
    let resumed = freed.elapsed();

    assert_eq!((status, &refusal["code"]), (503, &json!(50301)), "{refusal}");
    assert!(
        refusal["message"].as_str().unwrap().contains("disk is full"),
        "{refusal}"
    );
    assert_eq!(meanwhile["status"], 1, "{meanwhile:#}");
    let ended = victim.await_end(under_way, TASK);
    assert_eq!(ended["status"], 2, "{ended:#}");
    let looked_up = freed.elapsed();
    eprintln!("after there was room: tasks taken in {resumed:?}, what was under way over in {looked_up:?}");
    assert_eq!(victim.await_end(next, TASK)["status"], 2);
    assert_eq!(sim.ledger("publish").len(), 1);
    assert_eq!(victim.tasks().len(), 2, "the refused task is there");
}

#[test]
fn f7_after_a_failed_sync_nothing_is_written_any_more_and_the_process_ends_for_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, mut victim) = farm(folder.path());
    sim.fault("sim-1", &json!({ "kind": "upload_slow", "ms": 1_500 }));
    let under_way = victim.create(&post("sim-1", "over a failed sync"))[0];
    await_commit(&victim, under_way);

    victim.disk().fail_next_sync();
    let answer = victim.try_call("POST", "/api/v1/task", Some(&follow("sim-1", "bob")));
    let status = victim.await_exit(SOON);

    assert!(
        answer.as_ref().is_none_or(|(status, _)| *status != 200) && victim.disk().has_failed_sync(),
        "{answer:?}"
    );
    assert_eq!(status.code(), Some(1));
    let said = tail(&victim.log());
    assert!(said.contains("the disk failed to store a change"), "{said}");
    let changes = crate::power::read_log(&victim.disk().log());
    let failed = changes.iter().position(|change| change.kind == b'E').unwrap();
    let after: Vec<_> = changes[failed + 1..]
        .iter()
        .filter(|change| change.path.contains("farmhand.db") && !change.path.ends_with("-shm"))
        .collect();
    assert!(after.is_empty(), "{after:?}");

    victim.start_ready();
    let ended = victim.await_end(under_way, TASK);
    assert_eq!(ended["status"], 2, "{ended:#}");
    assert_eq!(sim.ledger("publish").len(), 1);
    wait_for("everything comes to rest", TASK + Duration::from_secs(30), || {
        let stats = victim.ok("GET", "/api/v1/task/stats", None);
        (stats["total"] == stats["completed"]).then_some(())
    });
}
