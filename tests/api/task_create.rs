//! `POST /api/v1/task`.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::{
    harness::follow,
    http::Reply,
    shared::{ALONE, PARKED, Shared, ids, shared},
};

fn with(mut body: Value, changes: Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap().clone() {
        if value == "absent" {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    body
}

fn create(changes: Value) -> Reply {
    shared().api.post("/task", &with(follow(PARKED[0], "x"), changes))
}

fn total(farm: &Shared, serial: &str) -> i64 {
    farm.api.get(&format!("/task?serial={serial}")).ok()["total"]
        .as_i64()
        .unwrap()
}

#[test]
fn a_task_is_created_pending_with_its_defaults_filled_in() {
    let farm = shared();

    let created = farm.api.post("/task", &follow(PARKED[0], "@Somebody")).ok();
    let task = farm.task(ids(&created)[0]);

    let object = task.as_object().unwrap();
    for field in [
        "id",
        "batch_id",
        "script_name",
        "script_config",
        "serial",
        "username",
        "enable_multi_account",
        "source",
        "status",
        "status_text",
        "start_time",
        "scheduled_at",
        "created_at",
        "started_at",
        "finished_at",
        "retry_count",
        "progress",
        "remark",
        "failure",
        "attempts",
    ] {
        assert!(object.contains_key(field), "{field}");
    }
    assert_eq!((&task["status"], &task["status_text"]), (&json!(0), &json!("pending")));
    assert_eq!((&task["source"], &task["serial"]), (&json!("api"), &json!(PARKED[0])));
    assert_eq!(task["script_config"]["action"], "follow");
    assert_eq!(task["script_config"]["access_method"], "direct");
    assert_eq!((&task["retry_count"], &task["attempts"]), (&json!(0), &json!([])));
    for field in [
        "start_time",
        "scheduled_at",
        "started_at",
        "finished_at",
        "progress",
        "failure",
    ] {
        assert_eq!(task[field], Value::Null, "{field}");
    }
    let at = task["created_at"].as_str().unwrap();
    assert!(
        at.len() == 24 && at.ends_with('Z') && at.as_bytes()[19] == b'.',
        "{at}: UTC with milliseconds"
    );
}

#[test]
fn a_missing_or_empty_script_name_is_a_40002() {
    for name in [json!("absent"), json!(""), json!("  "), Value::Null] {
        create(json!({ "script_name": name })).refused(40002);
    }
    assert_eq!(create(json!({ "script_name": 5 })).faults(), ["script_name"]);
}

#[test]
fn an_unknown_script_is_a_40003_with_those_there_are() {
    let data = create(json!({ "script_name": "psot" })).refused(40003);

    let supported = data["supported"].as_array().unwrap();
    for name in ["post", "follow", "unfollow"] {
        assert!(supported.contains(&json!(name)), "{supported:?}");
    }
}

#[test]
fn every_wrong_field_is_named() {
    for (changes, field) in [
        (json!({ "serials": "absent" }), "serials"),
        (json!({ "serials": [] }), "serials"),
        (json!({ "serials": "sim-1" }), "serials"),
        (json!({ "serials": {} }), "serials"),
        (json!({ "serials": ["sim-1", 5] }), "serials[1]"),
        (json!({ "serials": "absent", "usernames": [] }), "serials"),
        (json!({ "serials": "absent", "usernames": ["", " ", "@"] }), "serials"),
        (json!({ "serials": "absent", "usernames": "user1" }), "usernames"),
        (json!({ "script_config": "absent" }), "script_config"),
        (json!({ "script_config": null }), "script_config"),
        (json!({ "script_config": [] }), "script_config"),
        (json!({ "script_config": "{}" }), "script_config"),
        (json!({ "script_config": {} }), "script_config.target_users"),
        (
            json!({ "script_config": { "target_users": ["", "@"] } }),
            "script_config.target_users",
        ),
        (json!({ "enable_multi_account": "yes" }), "enable_multi_account"),
        (json!({ "enable_multi_account": 1 }), "enable_multi_account"),
        (json!({ "start_time": "24:00" }), "start_time"),
        (json!({ "start_time": "9:05" }), "start_time"),
        (json!({ "start_time": "12:60" }), "start_time"),
        (json!({ "start_time": "12:00:00" }), "start_time"),
        (json!({ "start_time": 1200 }), "start_time"),
        (json!({ "min_interval": -1, "max_interval": 5 }), "min_interval"),
        (json!({ "min_interval": 1, "max_interval": 1441 }), "max_interval"),
        (json!({ "min_interval": 1.5, "max_interval": 2 }), "min_interval"),
        (json!({ "min_interval": "1", "max_interval": 2 }), "min_interval"),
    ] {
        assert_eq!(create(changes.clone()).faults(), [field], "{changes}");
    }
    let reversed = create(json!({ "min_interval": 9, "max_interval": 3 })).faults();
    assert_eq!(reversed.len(), 1, "{reversed:?}");
}

#[test]
fn every_field_of_a_post_is_checked() {
    for (config, field) in [
        (json!({ "content_type": 2 }), "content_type"),
        (json!({ "content_type": "video" }), "content_type"),
        (json!({ "content_type": 1, "image_count": 0 }), "image_count"),
        (json!({ "captions": 5 }), "captions"),
        (json!({ "post_way": "send" }), "post_way"),
        (json!({ "post_way": "useSound" }), "sound_name"),
        (json!({ "material_source": "cloud" }), "material_source"),
        (json!({ "material_source": "localFolder" }), "material_path"),
        (json!({ "material_list": "a.mp4" }), "material_list"),
        (json!({ "materials_tags": ["a"] }), "materials_tags"),
        (json!({ "upload_wait_time": "long" }), "upload_wait_time"),
        (json!({ "sound_wait_time": -1 }), "sound_wait_time"),
        (json!({ "add_sound": 2 }), "add_sound"),
        (json!({ "add_sound": "custom" }), "custom_sound_keyword"),
        (json!({ "origin_sound_volume": 101 }), "origin_sound_volume"),
        (json!({ "add_sound_volume": -1 }), "add_sound_volume"),
        (json!({ "add_product_link": 2 }), "add_product_link"),
        (json!({ "placement": "feed" }), "placement"),
    ] {
        let body = json!({ "serials": [PARKED[0]], "script_name": "post", "script_config": config });
        let mut faults = shared().api.post("/task", &body).faults();
        // Two things may be wrong with one value.
        faults.dedup();
        assert_eq!(faults, [format!("script_config.{field}")], "{config}");
    }
}

#[test]
fn a_post_gets_the_documented_defaults() {
    let farm = shared();
    let body = json!({ "serials": [PARKED[0]], "script_name": "post", "script_config": {} });

    let task = farm.task(ids(&farm.api.post("/task", &body).ok())[0]);

    let wanted = json!({
        "content_type": 0, "image_count": 1, "captions": "", "post_way": "share", "material_source": "materialLibrary",
        "material_path": "", "material_list": [], "materials_tags": "", "upload_wait_time": 30, "sound_wait_time": 10,
        "add_sound": "-1", "sound_name": "", "custom_sound_keyword": "", "origin_sound_volume": 50,
        "add_sound_volume": 50, "add_product_link": 0, "placement": "reel",
    });
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(task["script_config"][name], *value, "{name}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let faults = create(json!({
        "serials": [1], "start_time": "x", "min_interval": -1, "enable_multi_account": 0, "nonsense": 1,
        "script_config": { "target_users": ["a"], "access_method": "fly", "speed": 1 },
    }))
    .faults();

    for field in [
        "serials[0]",
        "start_time",
        "min_interval",
        "enable_multi_account",
        "nonsense",
        "script_config.access_method",
        "script_config.speed",
    ] {
        assert!(faults.contains(&field.to_owned()), "{field} in {faults:?}");
    }
}

#[test]
fn three_targets_on_two_devices_are_six_tasks_in_order() {
    let farm = shared();

    let created = create(json!({
        "serials": [PARKED[1], PARKED[0], PARKED[1]],
        "script_config": { "target_users": ["@C", "a", "c", " B ", "", "A"] },
    }))
    .ok();

    let ids = ids(&created);
    assert!(ids.is_sorted(), "{ids:?}");
    let tasks = ids.iter().map(|id| farm.task(*id)).collect::<Vec<_>>();
    let pairs: Vec<_> = tasks
        .iter()
        .map(|task| {
            (
                task["serial"].as_str().unwrap(),
                task["script_config"]["target_users"][0].as_str().unwrap(),
            )
        })
        .collect();
    let [one, two] = [PARKED[1], PARKED[0]];
    let lower: Vec<_> = pairs
        .iter()
        .map(|(serial, target)| (*serial, target.to_lowercase()))
        .collect();
    let wanted = [(one, "c"), (one, "a"), (one, "b"), (two, "c"), (two, "a"), (two, "b")];
    assert_eq!(lower, wanted.map(|(serial, target)| (serial, target.to_owned())));
    assert!(tasks.iter().all(|task| task["batch_id"] == tasks[0]["batch_id"]));
}

#[test]
fn targets_may_be_one_text() {
    for name in ["target_user", "target_username"] {
        let created = create(json!({ "script_config": { name: "a, b\n@C,,b" } })).ok();
        assert_eq!(ids(&created).len(), 3, "{name}");
    }
}

#[test]
fn accounts_of_a_device_are_taken_by_name_and_disabled_ones_are_left_out() {
    let farm = shared();
    for (name, status) in [("multi_b", "active"), ("multi_a", "active"), ("multi_c", "disabled")] {
        farm.api
            .post(
                "/account",
                &json!({ "username": name, "serial": ALONE, "status": status }),
            )
            .ok();
    }
    let body = json!({ "serials": [ALONE], "enable_multi_account": true });

    let created = create(body.clone()).ok();

    let users: Vec<_> = ids(&created)
        .iter()
        .map(|id| farm.task(*id)["username"].clone())
        .collect();
    assert_eq!(users, ["multi_a", "multi_b"]);
    for name in ["multi_a", "multi_b", "multi_c"] {
        farm.api.delete(&format!("/account/{name}")).ok();
    }
    assert_eq!(create(body).faults(), ["enable_multi_account"]);
}

#[test]
fn usernames_lose_their_at_sign_and_case_and_win_over_serials() {
    let farm = shared();
    let name = farm.account(PARKED[1], "tiktok");
    let body = json!({
        "usernames": [format!("@{}", name.to_uppercase()), name, "", format!(" {name} ")], "serials": [PARKED[0]],
        "enable_multi_account": true,
    });

    let created = create(body).ok();

    let ids = ids(&created);
    assert_eq!(ids.len(), 1);
    let task = farm.task(ids[0]);
    assert_eq!((&task["username"], &task["serial"]), (&json!(name), &json!(PARKED[1])));
    let warnings = created["warnings"].to_string();
    assert!(
        warnings.contains("serials") && warnings.contains("enable_multi_account"),
        "{warnings}"
    );
}

#[test]
fn empty_usernames_beside_serials_are_the_device_mode() {
    for usernames in [json!([]), json!([""]), Value::Null] {
        let created = create(json!({ "usernames": usernames })).ok();
        assert_eq!(ids(&created).len(), 1, "{usernames}");
        assert_eq!(created["warnings"], json!([]), "{usernames}");
    }
}

#[test]
fn unknown_names_are_all_named_and_nothing_is_created() {
    let farm = shared();
    let name = farm.account(PARKED[2], "tiktok");
    let before = total(farm, PARKED[2]);

    let devices = create(json!({ "serials": ["ghost-1", PARKED[2], "ghost-2"] }));
    let accounts = create(json!({ "serials": "absent", "usernames": ["ghost1", name, "@Ghost2"] }));

    assert_eq!(devices.refused(40401)["unknown"], json!(["ghost-1", "ghost-2"]));
    assert_eq!(accounts.refused(40401)["unknown"], json!(["ghost1", "ghost2"]));
    assert!(devices.text().contains("ghost-1") && devices.text().contains("ghost-2"));
    // Ids are exact and no other test uses this account.
    assert_eq!(farm.api.get(&format!("/task?username={name}")).ok()["total"], 0);
    assert!(total(farm, PARKED[2]) >= before);
}

#[test]
fn an_account_without_a_device_is_a_fault() {
    let farm = shared();
    farm.api.post("/account", &json!({ "username": "homeless" })).ok();

    assert_eq!(
        create(json!({ "serials": "absent", "usernames": ["homeless"] })).faults(),
        ["usernames"]
    );
}

#[test]
fn start_time_is_the_next_time_the_clock_shows_it() {
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    for offset_min in [-2, 3, 700] {
        let minute = (now / 60 + offset_min).rem_euclid(1440);
        let text = format!("{:02}:{:02}", minute / 60, minute % 60);

        let task = shared().task(ids(&create(json!({ "start_time": text })).ok())[0]);

        assert_eq!(task["start_time"], text);
        let at: jiff::Timestamp = task["scheduled_at"].as_str().unwrap().parse().unwrap();
        let wait = at.as_second() - now;
        assert_eq!(at.as_second().rem_euclid(86_400), minute * 60, "{task}");
        assert!((0..=86_400).contains(&wait), "{text}: in {wait} s");
        assert_eq!(task["status"], 0);
    }
}

#[test]
fn an_interval_is_taken_in_minutes() {
    for (min, max) in [(0, 0), (0, 1440), (5, 5), (1440, 1440)] {
        assert_eq!(
            ids(&create(json!({ "min_interval": min, "max_interval": max })).ok()).len(),
            1
        );
    }
}

fn create_once(key: &str, target: &str) -> Reply {
    let headers = [("content-type", "application/json"), ("Idempotency-Key", key)];
    let body = follow(PARKED[0], target).to_string();
    shared().api.envelope("POST", "/task", &headers, body.as_bytes())
}

#[test]
fn an_idempotency_key_creates_once() {
    let first = create_once("key-1", "x").ok();
    let again = create_once("key-1", "x").ok();

    assert_eq!(first, again);
    create_once("key-1", "y").refused(40901);
    assert_ne!(ids(&create_once("key-2", "x").ok()), ids(&first));
    for bad in ["", &"k".repeat(256)] {
        assert_eq!(create_once(bad, "x").faults(), ["Idempotency-Key"]);
    }
    create_once(&"k".repeat(255), "x").ok();
}

#[test]
fn an_idempotency_key_gives_the_first_answer_also_when_what_it_named_is_gone() {
    let farm = shared();
    let name = farm.account(PARKED[0], "tiktok");
    let headers = [("content-type", "application/json"), ("Idempotency-Key", "order 7")];
    let body = json!({
        "usernames": [name], "script_name": "follow", "script_config": { "target_users": ["x"] }
    });
    let create = || {
        farm.api
            .envelope("POST", "/task", &headers, body.to_string().as_bytes())
    };
    let first = create().ok();

    farm.api.delete(&format!("/task/{}", ids(&first)[0])).ok();
    farm.api.delete(&format!("/account/{name}")).ok();

    assert_eq!(create().ok(), first);
    farm.api.post("/task", &body).refused(40401);
}

#[test]
fn an_idempotency_key_that_was_refused_may_be_used_again() {
    let headers = [("content-type", "application/json"), ("Idempotency-Key", "key-3")];
    let body = follow("ghost", "x").to_string();

    shared()
        .api
        .envelope("POST", "/task", &headers, body.as_bytes())
        .refused(40401);

    create_once("key-3", "x").ok();
}

#[test]
fn an_idempotency_key_used_64_times_at_once_creates_once() {
    let clients: Vec<_> = (0..64)
        .map(|_| std::thread::spawn(|| create_once("key-64", "x").ok()))
        .collect();
    let answers: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();

    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(ids(&answers[0]).len(), 1);
}

#[test]
fn files_that_are_missing_or_outside_of_the_roots_are_warned_of() {
    let farm = shared();
    let create_all = |files: &[&str]| {
        let config = json!({ "material_list": files });
        let body = json!({ "serials": [PARKED[0]], "script_name": "post", "script_config": config });
        farm.api.post("/task", &body)
    };

    let create = |file: &str| create_all(&[file]);

    let missing = create("C:/Videos/no-such-file.mp4").ok();
    assert!(missing["warnings"].to_string().contains("no-such-file"), "{missing}");
    assert_eq!(create("C:/Videos/video1.mp4").ok()["warnings"], json!([]));
    let two = create_all(&["C:/Videos/video1.mp4", "C:/Videos/video1.mp4"]).ok();
    assert!(two["warnings"].to_string().contains("only the first is used"), "{two}");
    for outside in [
        "/etc/passwd",
        "C:/Videos/../../Cargo.toml",
        "relative.mp4",
        "//host/share/a.mp4",
    ] {
        let warnings = create(outside).ok()["warnings"].clone();
        let told = warnings[0].as_str().is_some_and(|text| text.contains(outside));
        assert!(told, "{outside}: {warnings}");
    }
}
