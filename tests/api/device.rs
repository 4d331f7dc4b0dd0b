//! `/api/v1/device`.

use serde_json::{Value, json};

use crate::{
    harness::SOON,
    harness::wait_for,
    shared::{BY_HAND, PHONES, SHAKEN, shared},
};

fn path(action: &str) -> String {
    format!("/device/{BY_HAND}/{action}")
}

#[test]
fn a_device_shows_what_it_is_and_how_it_does() {
    let api = &shared().api;

    let list = api.get("/device").ok();
    let device = api.get(&format!("/device/{BY_HAND}")).ok();

    assert_eq!(list["total"], PHONES);
    assert!(
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["serial"] == BY_HAND)
    );
    for field in [
        "model",
        "android_version",
        "screen",
        "battery",
        "accounts",
        "last_seen",
        "restarts",
        "state",
    ] {
        assert!(!device[field].is_null(), "{field}: {device}");
    }
    for field in ["current_account", "current_task", "alias", "tags", "enabled"] {
        assert!(device.get(field).is_some(), "{field}: {device}");
    }
    assert_eq!(api.get("/device/sim-1").ok()["state"], "disabled");
}

#[test]
fn an_unknown_device_is_not_found_on_every_path() {
    let api = &shared().api;

    for serial in ["ghost", "a%20b", "%F0%9F%98%80", &"x".repeat(500)] {
        for action in ["", "/screenshot", "/hierarchy", "/log"] {
            api.get(&format!("/device/{serial}{action}")).refused(40401);
        }
        for (action, body) in [
            ("tap", json!({ "x": 1, "y": 1 })),
            ("swipe", json!({ "x1": 1, "y1": 1, "x2": 1, "y2": 9 })),
            ("key", json!({ "key": "home" })),
            ("text", json!({ "text": "a" })),
            ("open_link", json!({ "link": "https://example.com/" })),
            ("shell", json!({ "command": "id" })),
        ] {
            api.post(&format!("/device/{serial}/{action}"), &body).refused(40401);
        }
        api.patch(&format!("/device/{serial}"), &json!({ "enabled": true }))
            .refused(40401);
        api.upload(
            &format!("/device/{serial}/push"),
            &[("path", "/sdcard/x")],
            Some(("x", b"x")),
        )
        .refused(40401);
    }
}

#[test]
fn alias_tags_and_enabled_are_set_checked_and_answered_as_they_are_then() {
    let api = &shared().api;
    let path = format!("/device/{SHAKEN}");

    let body = json!({ "alias": " Shelf 3 ", "tags": ["a", "b", "a"], "enabled": false });
    let device = api.patch(&path, &body).ok();
    assert_eq!(
        (&device["alias"], &device["tags"]),
        (&json!("Shelf 3"), &json!(["a", "b"]))
    );
    assert_eq!(
        (&device["enabled"], &device["state"]),
        (&json!(false), &json!("disabled")),
        "{device}"
    );
    assert_eq!(api.get(&path).ok()["tags"], json!(["a", "b"]));

    let device = api
        .patch(&path, &json!({ "alias": null, "tags": [], "enabled": true }))
        .ok();
    assert_eq!(
        (&device["alias"], &device["tags"], &device["enabled"]),
        (&Value::Null, &json!([]), &json!(true))
    );
    assert_ne!(device["state"], "disabled", "{device}");
    shared().farm.controller.await_device(SHAKEN, "online");
    assert_eq!(api.patch(&path, &json!({})).ok()["alias"], Value::Null);

    let faults = api
        .patch(
            &path,
            &json!({ "alias": 5, "tags": ["x,y", 1], "enabled": "no", "aliass": "x", "state": "busy" }),
        )
        .faults();
    for field in ["alias", "tags[0]", "tags[1]", "enabled", "aliass", "state"] {
        assert!(faults.contains(&field.to_owned()), "{field} in {faults:?}");
    }
    assert_eq!(api.patch(&path, &json!([])).faults(), ["body"]);
}

#[test]
fn a_device_has_an_app_for_tasks_without_an_account() {
    let api = &shared().api;
    let path = format!("/device/{SHAKEN}");

    assert_eq!(api.get(&path).ok()["app"], "tiktok");
    assert_eq!(
        api.patch(&path, &json!({ "app": "Instagram" })).ok()["app"],
        "instagram"
    );
    assert_eq!(api.patch(&path, &json!({ "alias": null })).ok()["app"], "instagram");
    assert_eq!(api.patch(&path, &json!({ "app": "myspace" })).faults(), ["app"]);
    assert_eq!(api.patch(&path, &json!({ "app": null })).ok()["app"], "tiktok");
}

fn size(format: &str, bytes: &[u8]) -> (u32, u32) {
    let format = image::ImageFormat::from_mime_type(format).unwrap();
    let picture = image::load_from_memory_with_format(bytes, format).unwrap();
    (picture.width(), picture.height())
}

#[test]
fn a_screenshot_comes_as_asked_for() {
    let api = &shared().api;
    let device = api.get(&format!("/device/{BY_HAND}")).ok();
    let full = (
        device["screen"]["width"].as_u64().unwrap(),
        device["screen"]["height"].as_u64().unwrap(),
    );

    for (accept, format) in [
        ("*/*", "image/jpeg"),
        ("image/jpeg", "image/jpeg"),
        ("image/png", "image/png"),
        ("image/jpeg;q=0.1, image/png", "image/png"),
    ] {
        let url = format!("/api/v1{}?width=108", path("screenshot"));
        let reply = api.send("GET", &url, &[("accept", accept)], b"");
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some(format)),
            "{accept}"
        );
        let (width, height) = size(format, &reply.body);
        assert_eq!(width, 108);
        assert_eq!(u64::from(height), full.1 * 108 / full.0);
    }
    let whole = api.send("GET", &format!("/api/v1{}", path("screenshot")), &[], b"");
    let (width, height) = size("image/jpeg", &whole.body);
    assert_eq!((u64::from(width), u64::from(height)), full);
    for wrong in ["0", "-5", "x", "99999", ""] {
        assert_eq!(
            api.get(&path(&format!("screenshot?width={wrong}"))).faults(),
            ["width"],
            "{wrong}"
        );
    }
}

#[test]
fn the_hierarchy_comes_as_json_and_as_xml() {
    let api = &shared().api;

    let nodes = api.get(&path("hierarchy")).ok()["nodes"].as_array().unwrap().len();
    let url = format!("/api/v1{}", path("hierarchy"));
    let xml = api.send("GET", &url, &[("accept", "application/xml")], b"");

    assert!(nodes > 1);
    assert!(xml.header("content-type").unwrap().starts_with("application/xml"));
    assert!(xml.text().contains("<hierarchy"), "{}", xml.text());
}

#[test]
fn a_hand_acts_on_a_phone() {
    let api = &shared().api;

    for (action, body) in [
        ("key", json!({ "key": "home" })),
        ("key", json!({ "code": 4 })),
        ("tap", json!({ "x": 1, "y": 1 })),
        (
            "swipe",
            json!({ "x1": 500, "y1": 1500, "x2": 500, "y2": 900, "duration_ms": 50 }),
        ),
        ("open_link", json!({ "link": "https://www.tiktok.com/@somebody" })),
    ] {
        api.post(&path(action), &body).ok();
    }
    let shown = api
        .post(&path("shell"), &json!({ "command": ["dumpsys", "window"] }))
        .ok();
    assert!(
        shown["stdout"].as_str().unwrap().contains("com.zhiliaoapp.musically"),
        "{shown}"
    );
}

#[test]
fn wrong_acts_are_faults_of_their_fields() {
    let api = &shared().api;

    for (action, body, fields) in [
        ("tap", json!({}), vec!["x", "y"]),
        ("tap", json!({ "x": -1, "y": "1" }), vec!["x", "y"]),
        ("tap", json!({ "x": 1.5, "y": 1e9 }), vec!["x", "y"]),
        ("swipe", json!({ "x1": 1, "y1": 1, "x2": 1 }), vec!["y2"]),
        (
            "swipe",
            json!({ "x1": 1, "y1": 1, "x2": 1, "y2": 1, "duration_ms": 0 }),
            vec!["duration_ms"],
        ),
        ("key", json!({}), vec!["key"]),
        ("key", json!({ "key": "hom" }), vec!["key"]),
        ("key", json!({ "code": -4 }), vec!["code"]),
        ("text", json!({}), vec!["text"]),
        ("text", json!({ "text": "" }), vec!["text"]),
        ("text", json!({ "text": 5 }), vec!["text"]),
        ("open_link", json!({}), vec!["link"]),
        ("open_link", json!({ "link": "no link" }), vec!["link"]),
        ("shell", json!({}), vec!["command"]),
        ("shell", json!({ "command": "" }), vec!["command"]),
        ("shell", json!({ "command": [] }), vec!["command"]),
        ("shell", json!({ "command": "id", "timeout_ms": 0 }), vec!["timeout_ms"]),
    ] {
        assert_eq!(api.post(&path(action), &body).faults(), fields, "{action} {body}");
    }
}

#[test]
fn a_shell_answers_what_the_command_printed_and_how_it_ended() {
    let api = &shared().api;

    let line = api
        .post(&path("shell"), &json!({ "command": "echo $((1+2)); exit 3" }))
        .ok();
    let words = api
        .post(
            &path("shell"),
            &json!({ "command": ["echo", "a  b", "$(id)", "; rm x"] }),
        )
        .ok();

    assert_eq!((&line["stdout"], &line["exit_code"]), (&json!("3\n"), &json!(3)));
    assert_eq!(words["stdout"], "a  b $(id) ; rm x\n");
}

#[test]
fn a_pushed_file_lies_on_the_phone_and_only_where_files_of_people_lie() {
    let api = &shared().api;
    let push = |to: &str| api.upload(&path("push"), &[("path", to)], Some(("note.txt", b"hello")));

    assert_eq!(push("/sdcard/Download/").ok()["path"], "/sdcard/Download/note.txt");
    let read = json!({ "command": ["cat", "/sdcard/Download/note.txt"] });
    assert_eq!(api.post(&path("shell"), &read).ok()["stdout"], "hello");
    for to in [
        "",
        "note.txt",
        "/system/note.txt",
        "/sdcard/../system/x",
        "/data/local/tmp/.farmhand_lease",
    ] {
        assert_eq!(push(to).faults(), ["path"], "{to}");
    }
    assert_eq!(
        api.upload(&path("push"), &[("path", "/sdcard/x")], None).faults(),
        ["file"]
    );
    api.post(&path("push"), &json!({ "path": "/sdcard/x" })).refused(41501);
    assert_eq!(
        api.upload(&path("install"), &[], Some(("a.apk", b"no apk"))).faults(),
        ["file"]
    );
    assert_eq!(api.upload(&path("install"), &[], None).faults(), ["file"]);
}

#[test]
fn the_log_has_as_many_lines_as_asked_for() {
    let api = &shared().api;
    for _ in 0..3 {
        api.post(
            &path("open_link"),
            &json!({ "link": "https://www.tiktok.com/@somebody" }),
        )
        .ok();
    }

    let log = api.get(&path("log?lines=1")).ok();
    assert!(
        log["log"]
            .as_str()
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with("---"))
            .count()
            <= 1,
        "{log}"
    );
    for wrong in ["0", "x", "1000000"] {
        assert_eq!(api.get(&path(&format!("log?lines={wrong}"))).faults(), ["lines"]);
    }
}

#[test]
fn the_tree_of_actors_is_shown_and_an_actor_is_restarted() {
    let api = &shared().api;
    let find = |kind: &str, name: &str| {
        let tree = api.get("/supervisor").ok();
        let items = tree["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .find(|actor| actor["kind"] == kind && actor["name"] == name)
    };
    let before = find("device", SHAKEN).unwrap();
    for field in [
        "kind",
        "name",
        "state",
        "since",
        "restarts",
        "last_heartbeat",
        "mailbox_depth",
        "current_task",
    ] {
        assert!(before.get(field).is_some(), "{field}: {before}");
    }
    let name = shared().account(SHAKEN, "tiktok");
    assert!(find("account", &name).is_some());
    let restarts = |actor: &Value| actor["restarts"].as_i64().unwrap();

    api.json("POST", &format!("/supervisor/device/{SHAKEN}/restart"), None)
        .ok();

    wait_for("the actor is rebuilt and counted", SOON, || {
        let actor = find("device", SHAKEN)?;
        (restarts(&actor) > restarts(&before) && actor["state"] == "running").then_some(())
    });
    shared().farm.controller.await_device(SHAKEN, "online");
    for unknown in ["device/ghost", "thing/sim-1", "account/ghost"] {
        api.json("POST", &format!("/supervisor/{unknown}/restart"), None)
            .refused(40401);
    }
}
