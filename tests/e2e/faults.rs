//! Each fault of a phone during `post` and `follow`: the right end, the right reason, no second effect.

use serde_json::{Value, json};

use crate::harness::{Farm, TASK, follow, post, wait_for};

/// Runs one task under a fault, heals the phone, and answers the task when it has come to rest, with the ledger's
/// number of effects.
fn under(fault: Value, kind: &str, body: fn(&str, &str) -> Value) -> (Value, usize, Farm) {
    let farm = Farm::without_adb(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, "tiktok", "alice");
    farm.sim.fault(&serial, &fault);
    let ids = farm.controller.create(&body(&serial, "bob"));
    let task = wait_for("the task comes to rest", TASK, || {
        let task = farm.controller.task(ids[0]);
        let resting = task["status"].as_i64() >= Some(2);
        let account = farm.controller.ok("GET", "/api/v1/account/alice", None);
        (resting || account["status"] == "needs_attention").then_some(task)
    });
    let effects = farm.sim.ledger(kind).len();
    (task, effects, farm)
}

#[test]
fn a_lost_confirmation_is_read_back_and_not_repeated() {
    for (kind, body) in [("publish", post as fn(&str, &str) -> Value), ("follow", follow)] {
        let (task, effects, _farm) = under(json!({ "kind": "publish_ack_lost" }), kind, body);

        assert_eq!(effects, 1, "{task:#}");
        assert_eq!(task["status"], 2, "{task:#}");
    }
}

#[test]
fn a_crash_of_the_app_repeats_only_what_did_not_take_place() {
    for (kind, body) in [("publish", post as fn(&str, &str) -> Value), ("follow", follow)] {
        let (task, effects, _farm) = under(json!({ "kind": "app_crash" }), kind, body);

        assert_eq!((effects, &task["status"]), (1, &json!(2)), "{kind}: {task:#}");
    }
}

#[test]
fn a_dropped_connection_and_a_reboot_are_survived() {
    for fault in ["drop_connection", "reboot"] {
        let (task, effects, _farm) = under(json!({ "kind": fault }), "publish", post);

        assert_eq!((effects, &task["status"]), (1, &json!(2)), "{fault}: {task:#}");
    }
}

#[test]
fn a_challenge_stops_the_account_until_a_person_has_dealt_with_it() {
    for fault in ["challenge", "logged_out"] {
        let (task, effects, farm) = under(json!({ "kind": fault }), "follow", follow);
        assert_eq!((effects, &task["status"]), (0, &json!(0)), "{fault}: {task:#}");

        farm.sim.heal(farm.sim.serial(0));
        farm.controller
            .ok("POST", "/api/v1/account/alice/resume", Some(&json!({})));
        farm.controller.await_status(task["id"].as_i64().unwrap(), 2);

        assert_eq!(farm.sim.ledger("follow").len(), 1, "{fault}");
    }
}

#[test]
fn a_missing_app_is_said_and_has_no_effect() {
    let (task, effects, _farm) = under(json!({ "kind": "app_not_installed" }), "publish", post);

    assert_eq!(
        (effects, &task["failure"]["reason"]),
        (0, &json!("app_missing")),
        "{task:#}"
    );
}

#[test]
fn popups_and_slow_phones_only_take_longer() {
    for fault in [
        json!({ "kind": "popup", "text": "Rate this app!" }),
        json!({ "kind": "slow", "ms": 50 }),
        json!({ "kind": "upload_slow", "ms": 4000 }),
    ] {
        let (task, effects, _farm) = under(fault.clone(), "publish", post);

        assert_eq!((effects, &task["status"]), (1, &json!(2)), "{fault}: {task:#}");
    }
}
