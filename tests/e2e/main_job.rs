//! Tasks in over HTTP, effects on phones behind the real adb server.

use serde_json::{Value, json};

use crate::harness::{BINARY, Farm, SOON, follow, post, wait_for};

#[test]
fn a_post_has_its_effect_exactly_once_and_can_be_read_back() {
    let Some(farm) = Farm::with_adb(1) else { return };
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, "tiktok", "alice");

    let ids = farm
        .controller
        .create(&post(&serial, "Check out my new video! #viral #fyp"));
    let task = farm.controller.await_status(ids[0], 2);

    let published = farm.sim.ledger("publish");
    assert_eq!(published.len(), 1, "{published:#?}");
    assert_eq!(published[0]["serial"], serial);
    assert_eq!(published[0]["account"], "alice");
    assert_eq!(published[0]["detail"]["caption"], "Check out my new video! #viral #fyp");
    assert_eq!(published[0]["detail"]["files"].as_array().unwrap().len(), 1);
    let steps = task["attempts"][0]["steps"].as_array().unwrap();
    assert!(steps.len() > 3, "{task:#}");
    assert!(steps.iter().all(|step| step["state"] != "running"), "{task:#}");
}

#[test]
fn a_caption_of_any_unicode_arrives_complete() {
    let Some(farm) = Farm::with_adb(1) else { return };
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, "instagram", "alice");
    let caption = "Zażółć gęślą jaźń 100%s 🎬👩‍👩‍👧 «日本語» it's \"$HOME\" `x` \\ שלום";

    let ids = farm.controller.create(&post(&serial, caption));
    farm.controller.await_status(ids[0], 2);

    assert_eq!(farm.sim.ledger("publish")[0]["detail"]["caption"], caption);
}

#[test]
fn follow_acts_once_and_says_when_there_was_nothing_to_do() {
    let Some(farm) = Farm::with_adb(1) else { return };
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, "tiktok", "alice");
    let first = farm.controller.create(&follow(&serial, "@Bob"));
    farm.controller.await_status(first[0], 2);
    let second = farm.controller.create(&follow(&serial, "bob"));
    let task = farm.controller.await_status(second[0], 2);

    let followed = farm.sim.ledger("follow");
    assert_eq!(followed.len(), 1, "{followed:#?}");
    assert_eq!(followed[0]["detail"]["target"], "bob");
    assert!(task["remark"].as_str().unwrap().contains("already"), "{task:#}");
}

#[test]
fn two_accounts_of_one_phone_take_turns_and_each_acts_as_itself() {
    let Some(farm) = Farm::with_adb(1) else { return };
    let serial = farm.sim.serial(0).to_owned();
    for name in ["alice", "bella"] {
        farm.account(&serial, "tiktok", name);
    }

    let mut body = follow(&serial, "carol");
    body["enable_multi_account"] = json!(true);
    body["script_config"]["target_users"] = json!(["carol", "dave"]);
    let ids = farm.controller.create(&body);
    assert_eq!(ids.len(), 4);
    for id in &ids {
        farm.controller.await_status(*id, 2);
    }

    let who: Vec<Value> = farm
        .sim
        .ledger("follow")
        .iter()
        .map(|entry| entry["account"].clone())
        .collect();
    assert!(
        who.contains(&json!("alice")) && who.contains(&json!("bella")),
        "{who:?}"
    );
    assert_ne!(who[0], who[1], "the accounts take turns: {who:?}");
    assert_eq!(who.len(), 4);
}

#[test]
fn a_task_on_a_hung_phone_stops_within_two_seconds_and_can_be_retried() {
    let Some(farm) = Farm::with_adb(1) else { return };
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, "tiktok", "alice");
    let ids = farm.controller.create(&post(&serial, "stopped"));
    farm.controller.await_status(ids[0], 1);
    farm.sim.fault(&serial, &json!({ "kind": "hang" }));

    let begun = std::time::Instant::now();
    let task = farm
        .controller
        .ok("POST", &format!("/api/v1/task/{}/stop", ids[0]), None);
    let took = begun.elapsed();
    assert!(took.as_millis() < 2_500, "{took:?}");
    assert_eq!(
        (&task["status"], &task["failure"]["reason"]),
        (&json!(3), &json!("stopped"))
    );

    farm.sim.heal(&serial);
    farm.controller.await_device(&serial, "online");
    farm.controller
        .ok("POST", &format!("/api/v1/task/{}/retry", ids[0]), None);
    let task = farm.controller.await_status(ids[0], 2);
    assert_eq!(task["retry_count"], 1);
    assert_eq!(task["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(farm.sim.ledger("publish").len(), 1);
}

#[test]
fn a_phone_that_was_unplugged_goes_on_when_it_is_back() {
    let Some(farm) = Farm::with_adb(1) else { return };
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, "tiktok", "alice");
    let ids = farm.controller.create(&post(&serial, "unplugged"));
    farm.controller.await_status(ids[0], 1);

    farm.sim.fault(&serial, &json!({ "kind": "offline" }));
    farm.controller.await_device(&serial, "offline");
    farm.sim.heal(&serial);

    farm.controller.await_status(ids[0], 2);
    assert_eq!(farm.sim.ledger("publish").len(), 1);
}

#[test]
fn a_killed_adb_server_costs_no_task_and_repeats_no_effect() {
    let Some(mut farm) = Farm::with_adb(2) else { return };
    let serials: Vec<String> = farm.sim.phones.iter().map(|(serial, _)| serial.clone()).collect();
    for (serial, name) in serials.iter().zip(["alice", "bella"]) {
        farm.account(serial, "tiktok", name);
    }
    let ids: Vec<i64> = serials
        .iter()
        .flat_map(|serial| farm.controller.create(&post(serial, serial)))
        .collect();
    farm.controller.await_status(ids[0], 1);

    let adb = farm.adb.as_mut().unwrap();
    adb.kill();
    adb.restart();

    for id in ids {
        farm.controller.await_status(id, 2);
    }
    let mut captions: Vec<Value> = farm
        .sim
        .ledger("publish")
        .iter()
        .map(|e| e["detail"]["caption"].clone())
        .collect();
    captions.sort_by_key(ToString::to_string);
    assert_eq!(captions, serials);
}

#[test]
fn phones_appear_and_vanish_while_the_controller_runs() {
    let farm = Farm::without_adb(2);
    let gone = farm.sim.serial(1).to_owned();

    farm.sim.fault(&gone, &json!({ "kind": "offline" }));
    farm.controller.await_device(&gone, "offline");
    farm.sim.heal(&gone);
    farm.controller.await_device(&gone, "online");
    farm.sim.fault(&gone, &json!({ "kind": "unauthorized" }));
    farm.controller.await_device(&gone, "unauthorized");

    wait_for("the other one stays online", SOON, || {
        let device = farm
            .controller
            .ok("GET", &format!("/api/v1/device/{}", farm.sim.serial(0)), None);
        (device["state"] == "online").then_some(())
    });
}

#[test]
fn authors_see_a_phones_screen_with_selectors() {
    let farm = Farm::without_adb(1);
    let inspect = |serial: &str| {
        let mut command = std::process::Command::new(BINARY);
        command.args(["flow", "inspect", "--serial", serial, "--server", &farm.controller.base]);
        command.output().unwrap()
    };

    let output = inspect(farm.sim.serial(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(r#""TikTok"  { text: "TikTok" }"#), "{text}");

    assert_eq!(inspect("nowhere").status.code(), Some(3));
}
