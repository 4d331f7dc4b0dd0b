//! Two controllers on one database, and a task that its controller does not survive.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    asked::number,
    harness::{SOON, Sim, TASK, follow, tail, wait_for},
    storm::{pass, settings_of},
    victim::Victim,
};

fn farm(folder: &Path, more: &str) -> (Sim, Victim) {
    let sim = Sim::start(folder, 1);
    let mut victim = Victim::new(folder, &(settings_of(&sim, folder) + more));
    victim.start_ready();
    sim.login("sim-1", "tiktok", "alice");
    let body = json!({ "username": "alice", "app": "tiktok", "serial": "sim-1" });
    victim.ok("POST", "/api/v1/account", Some(&body));
    (sim, victim)
}

fn steps_of(task: &Value) -> usize {
    let attempts = task["attempts"].as_array().unwrap();
    let steps = attempts.last().and_then(|attempt| attempt["steps"].as_array());
    steps.map_or(0, Vec::len)
}

/// Waits until the newest attempt of a task has recorded so many steps; `false` when it ended before.
fn await_step(victim: &Victim, id: i64, step: usize) -> bool {
    wait_for("the step is reached", TASK, || {
        let task = victim.task(id);
        let over = task["status"].as_i64() >= Some(2);
        let running = task["status"] == 1 && steps_of(&task) >= step;
        (over || running).then_some(!over)
    })
}

/// Pauses a controller. One that sleeps in the middle of a write holds the database's lock, and nobody could take over:
/// then it goes on a little and is paused again.
fn pause_between_writes(victim: &Victim) {
    wait_for("it is paused between two writes", SOON, || {
        victim.signal("STOP");
        let free = crate::damage::takes_writes(&victim.database());
        if !free {
            victim.signal("CONT");
        }
        free.then_some(())
    });
}

/// A controller is paused in the middle of a task. Another one is refused as long as the first one holds the folder's
/// lock; somebody takes that away, and the other takes over. When the first one wakes up, it believes that it is still
/// the one: its taps and its writes have to be refused.
fn takes_over_at(step: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (sim, mut zombie) = farm(folder.path(), "");
    let mut targets: Vec<String> = Vec::new();
    // Who looks too late asks for another one.
    let id = wait_for("a task is caught in the middle", TASK, || {
        targets.push(format!("bob{}", targets.len()));
        let id = zombie.create(&follow("sim-1", &targets[targets.len() - 1]))[0];
        await_step(&zombie, id, step).then_some(id)
    });
    pause_between_writes(&zombie);
    let paused = Instant::now();

    let mut heir = Victim::beside(&zombie);
    let refused = heir.command(&["serve"]).stdin(Stdio::null()).output().unwrap();
    std::fs::remove_file(zombie.data.join("controller.lock")).unwrap();
    heir.start_ready();
    let inherited = heir.await_end(id, TASK);
    // As long as somebody asks for; what counts is that the other one has taken over.
    let pause = Duration::from_secs(number("FARMHAND_CRASH_PAUSE_S").unwrap_or(0));
    pass(pause.saturating_sub(paused.elapsed()));
    zombie.signal("CONT");
    // It has something to do in any case: it is asked.
    let answer = zombie.try_call("POST", "/api/v1/task", Some(&follow("sim-1", "nobody_asked")));
    let end = zombie.await_exit(SOON);
    let next = heir.create(&follow("sim-1", "carol"))[0];
    let next = heir.await_end(next, TASK);
    targets.push("carol".to_owned());

    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("another controller"), "{said}");
    assert!(answer.as_ref().is_none_or(|(status, _)| *status != 200), "{answer:?}");
    assert_eq!(end.code(), Some(1));
    let log = std::fs::read_to_string(zombie.log()).unwrap();
    assert!(log.contains("another controller has taken the database over"), "{log}");
    assert_eq!(
        (&inherited["status"], &next["status"]),
        (&json!(2), &json!(2)),
        "{inherited:#}"
    );
    // Whatever was done on the phone: a tap too many would end what the first one began.
    let acts: Vec<(Value, Value)> = ["follow", "unfollow", "publish"]
        .iter()
        .flat_map(|kind| sim.ledger(kind))
        .map(|entry| (entry["kind"].clone(), entry["detail"]["target"].clone()))
        .collect();
    let wanted: Vec<_> = targets.iter().map(|target| (json!("follow"), json!(target))).collect();
    assert_eq!(acts, wanted, "paused at step {step}\n{}", tail(&heir.log()));
    assert_eq!(heir.tasks().len(), targets.len());
    assert!(heir.terminate().success());
    crate::verdict::examine_database(&heir.database());
}

#[test]
fn f27_a_controller_that_was_thought_dead_early_in_a_task_can_neither_act_nor_write() {
    takes_over_at(2);
}

#[test]
fn f27_a_controller_that_was_thought_dead_near_the_commit_step_can_neither_act_nor_write() {
    takes_over_at(22);
}

#[test]
fn f33_a_task_that_its_controller_does_not_survive_is_given_up_after_two_deaths() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(folder.path(), 1);
    let settings = settings_of(&sim, folder.path()).replace("poison_limit = 100000", "poison_limit = 2");
    let mut victim = Victim::new(folder.path(), &settings);
    victim.start_ready();
    sim.login("sim-1", "tiktok", "alice");
    let body = json!({ "username": "alice", "app": "tiktok", "serial": "sim-1" });
    victim.ok("POST", "/api/v1/account", Some(&body));

    let poison = victim.create(&follow("sim-1", "bob"))[0];
    for _ in 0..2 {
        assert!(await_step(&victim, poison, 1), "it has ended");
        victim.kill();
        victim.start_ready();
    }

    let given_up = victim.await_end(poison, TASK);
    assert_eq!(given_up["failure"]["reason"], "interrupted", "{given_up:#}");
    assert_eq!(given_up["attempts"].as_array().unwrap().len(), 2, "{given_up:#}");
    let next = victim.create(&follow("sim-1", "carol"))[0];
    assert_eq!(victim.await_end(next, TASK)["status"], 2);
    assert_eq!(sim.ledger("follow").len(), 1);
}
