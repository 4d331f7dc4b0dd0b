//! The state of a device: what it rests on, people's quarantine, and black pictures, on a farm of its own.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{Farm, wait_for},
    http::Api,
};

/// Longer than a hung phone may be shown as online: that is twice a heartbeat and its answers, on a busy machine.
const NOTICED: Duration = Duration::from_secs(25);

/// Waits until the device shows itself so.
fn await_view(api: &Api, serial: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, NOTICED, || {
        Some(api.get(&format!("/device/{serial}")).ok()).filter(&holds)
    })
}

#[test]
fn a_device_tells_the_truth_with_its_evidence_and_obeys_people_over_a_restart() {
    let mut farm = Farm::without_adb(2);
    let api = Api::new(&farm.controller.base);
    let hung = farm.sim.serial(0).to_owned();
    let held = farm.sim.serial(1).to_owned();

    // A phone that hangs while adb still calls it usable.
    farm.sim.fault(&hung, &json!({ "kind": "hang" }));
    let shown = await_view(&api, &hung, "the hung phone is offline", |device| {
        device["state"] == "offline"
    });
    assert_eq!(shown["evidence"]["adb"]["state"], "device", "{shown}");
    assert_eq!(shown["evidence"]["probe"]["ok"], false, "{shown}");
    assert!(shown["cause"].as_str().unwrap().contains("does not answer"), "{shown}");
    assert_eq!(shown["state_since"], shown["since"]);
    farm.sim.heal(&hung);
    await_view(&api, &hung, "the healed phone is online", |device| {
        device["state"] == "online"
    });

    // Black pictures say why they are black.
    let header = |name: &str| {
        let path = format!("/api/v1/device/{hung}/screenshot?width=108");
        let reply = api.send("GET", &path, &[], b"");
        assert_eq!(reply.status, 200);
        reply.header(name).map(str::to_owned)
    };
    assert_eq!(header("x-screen-secure"), None);
    farm.sim.fault(&hung, &json!({ "kind": "secure_screen" }));
    wait_for("a secure screen is said", NOTICED, || header("x-screen-secure"));
    farm.sim.heal(&hung);
    api.post(&format!("/device/{hung}/key"), &json!({ "code": 223 })).ok();
    wait_for("a screen that is off is said", NOTICED, || header("x-screen-asleep"));
    let shown = await_view(&api, &hung, "the last command is shown", |device| {
        !device["evidence"]["last_good"].is_null()
    });
    assert!(shown["evidence"]["last_good"]["command"].is_string(), "{shown}");

    // People's quarantine.
    let path = |verb: &str| format!("/device/{held}/{verb}");
    api.post(&path("release"), &json!({})).refused(40901);
    let shown = api.post(&path("quarantine"), &json!({ "reason": "cracked" })).ok();
    assert_eq!(
        (&shown["state"], &shown["quarantine"]["by"]),
        (&json!("quarantined"), &json!("person"))
    );
    api.post(&path("quarantine"), &json!({ "reason": "again" }))
        .refused(40901);
    farm.controller.restart();
    await_view(&api, &hung, "the other phone is online again", |device| {
        device["state"] == "online"
    });
    let shown = api.get(&format!("/device/{held}")).ok();
    assert_eq!(shown["state"], "quarantined", "{shown}");
    assert_eq!(shown["quarantine"]["reason"], "cracked", "{shown}");
    assert!(api.get("/supervisor").ok()["items"][0]["alarm"].is_null());
    api.post(&path("release"), &json!({})).ok();
    await_view(&api, &held, "the released phone is online", |device| {
        device["state"] == "online"
    });
    api.post(&path("release"), &json!({})).refused(40901);
}
