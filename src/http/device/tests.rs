use actix_web::{http::header, test::TestRequest};
use farmhand_actors::{
    domain::{AdbState, SubmitTarget},
    ports::DriverError,
    supervisor::SupervisorError,
};
use serde_json::{Value, json};

use super::*;
use crate::http::{
    HttpSettings,
    testing::{Api, serial},
};

const DEVICE: &str = "/api/v1/device/device_serial_1";

#[actix_web::test]
async fn devices_are_shown() {
    let api = Api::new();

    let list = api.get("/api/v1/device").await.data();
    assert_eq!(
        (&list["total"], &list["items"][1]["serial"]),
        (&json!(2), &json!("device_serial_2"))
    );
    let device = api.get(DEVICE).await.data();
    assert_eq!(
        (&device["state"], &device["screen"]),
        (&json!("online"), &json!({"width": 1080, "height": 2400}))
    );
    assert_eq!(
        device["battery"],
        json!({"level": 80, "temperature_celsius": 27.5, "charging": null})
    );
    for path in ["nobody", "a%20b", "%00"] {
        assert_eq!(api.get(&format!("/api/v1/device/{path}")).await.code(), 40401, "{path}");
    }
}

#[actix_web::test]
async fn a_device_is_changed_by_what_its_patch_names() {
    let api = Api::new();

    for (body, patch) in [
        (json!({}), DevicePatch::default()),
        (
            json!({"alias": null}),
            DevicePatch {
                alias: Some(None),
                ..DevicePatch::default()
            },
        ),
        (
            json!({"alias": " "}),
            DevicePatch {
                alias: Some(None),
                ..DevicePatch::default()
            },
        ),
        (
            json!({"alias": "desk", "tags": ["a", "b", "a"], "enabled": false}),
            DevicePatch {
                alias: Some(Some("desk".to_owned())),
                tags: Some(vec!["a".to_owned(), "b".to_owned()]),
                app: None,
                enabled: Some(false),
            },
        ),
        (
            json!({"app": "Instagram"}),
            DevicePatch {
                app: Some(Some("instagram".to_owned())),
                ..DevicePatch::default()
            },
        ),
        (
            json!({"app": null}),
            DevicePatch {
                app: Some(None),
                ..DevicePatch::default()
            },
        ),
    ] {
        assert_eq!(api.patch(DEVICE, body.clone()).await.code(), 0, "{body}");
        assert_eq!(api.farm.device_patches.lock().unwrap().pop(), Some(patch), "{body}");
    }
    for (body, field) in [
        (json!({"alias": 5}), "alias"),
        (json!({"alias": "x".repeat(65)}), "alias"),
        (json!({"tags": "a"}), "tags"),
        (json!({"app": "myspace"}), "app"),
        (json!({"tags": ["a", ""]}), "tags[1]"),
        (json!({"tags": ["a,b"]}), "tags[0]"),
        (json!({"enabled": 1}), "enabled"),
        (json!({"serial": "x"}), "serial"),
    ] {
        let reply = api.patch(DEVICE, body.clone()).await;
        assert_eq!(
            (reply.code(), reply.faults()),
            (40001, vec![field.to_owned()]),
            "{body}"
        );
    }
}

#[actix_web::test]
async fn screens_are_shown_in_the_format_that_is_asked_for() {
    let api = Api::new();
    let ask = |query: &str, accept: &str| {
        let uri = format!("{DEVICE}/screenshot{query}");
        TestRequest::get()
            .uri(&uri)
            .insert_header((header::ACCEPT, accept.to_owned()))
    };

    for (accept, kind) in [
        ("*/*", "image/jpeg"),
        ("image/png", "image/png"),
        ("image/jpeg,image/png;q=0.5", "image/jpeg"),
        ("image/jpeg;q=0.1, image/png", "image/png"),
        ("image/png,*/*", "image/png"),
        ("text/html", "image/jpeg"),
    ] {
        assert_eq!(api.send(ask("", accept)).await.header("content-type"), kind, "{accept}");
    }
    assert_eq!(api.send(ask("?width=270", "*/*")).await.body, "Jpeg Some(270)");
    for query in ["?width=0", "?width=x", "?width=99999", "?w=5"] {
        assert_eq!(api.send(ask(query, "*/*")).await.code(), 40001, "{query}");
    }
    assert_eq!(api.farm.acting.lock().unwrap().first(), Some(&false));
}

#[actix_web::test]
async fn trees_and_logs_are_shown() {
    let api = Api::new();

    let tree = api.get(&format!("{DEVICE}/hierarchy")).await.data();
    assert_eq!(tree["nodes"][0]["text"], "OK");
    let ask = TestRequest::get().uri("/api/v1/device/device_serial_1/hierarchy");
    let xml = api.send(ask.insert_header((header::ACCEPT, "application/xml"))).await;
    assert_eq!(
        (xml.header("content-type"), xml.body.as_ref()),
        ("application/xml; charset=utf-8", &b"<hierarchy/>"[..])
    );
    assert_eq!(
        api.get(&format!("{DEVICE}/log?lines=5")).await.data(),
        json!({"log": "line"})
    );
    assert_eq!(api.get(&format!("{DEVICE}/log?lines=0")).await.code(), 40001);
}

#[actix_web::test]
async fn a_persons_hand_reaches_the_phone() {
    let api = Api::new();

    for (verb, body, call) in [
        ("tap", json!({"x": 1, "y": 2}), "tap 1 2"),
        (
            "swipe",
            json!({"x1": 1, "y1": 2, "x2": 3, "y2": 4}),
            "swipe 1 2 3 4 300ms",
        ),
        ("key", json!({"key": "back"}), "key 4"),
        ("key", json!({"code": 26}), "key 26"),
        ("text", json!({"text": "$(rm) ü😀\n"}), "text $(rm) ü😀\n"),
        (
            "open_link",
            json!({"link": "https://example.com/"}),
            "open_link https://example.com/ None",
        ),
        (
            "shell",
            json!({"command": ["pm", "list; rm"]}),
            "shell [\"pm\", \"list; rm\"] None",
        ),
        (
            "shell",
            json!({"command": "id | wc", "timeout_ms": 5}),
            "shell [\"sh\", \"-c\", \"id | wc\"] Some(5ms)",
        ),
    ] {
        let reply = api.post(&format!("{DEVICE}/{verb}"), body).await;
        assert_eq!(reply.code(), 0, "{verb}: {:?}", reply.body);
        assert_eq!(api.farm.driver.calls.lock().unwrap().pop().as_deref(), Some(call));
    }
    assert!(api.farm.acting.lock().unwrap().iter().all(|acting| *acting));
    let output = api
        .post(&format!("{DEVICE}/shell"), json!({"command": ["id"]}))
        .await
        .data();
    assert_eq!(
        output,
        json!({"stdout": "out\u{fffd}", "stderr": "", "exit_code": 3, "truncated": false})
    );
}

#[actix_web::test]
async fn a_wrong_hand_touches_nothing() {
    let api = Api::new();

    for (verb, body, field) in [
        ("tap", json!({"x": 1}), "y"),
        ("tap", json!({"x": -1, "y": 1}), "x"),
        ("tap", json!({"x": "1", "y": 1}), "x"),
        (
            "swipe",
            json!({"x1": 1, "y1": 2, "x2": 3, "y2": 4, "duration_ms": 0}),
            "duration_ms",
        ),
        ("key", json!({}), "key"),
        ("key", json!({"key": "any"}), "key"),
        ("key", json!({"key": "home", "code": 3}), "code"),
        ("text", json!({"text": ""}), "text"),
        ("text", json!({}), "text"),
        ("open_link", json!({"link": "example"}), "link"),
        ("open_link", json!({"link": "https://a\nb"}), "link"),
        ("open_link", json!({"link": "https://a", "package": "a b"}), "package"),
        ("shell", json!({"command": []}), "command"),
        ("shell", json!({"command": " "}), "command"),
        ("shell", json!({}), "command"),
        ("shell", json!({"command": ["a\u{0}"]}), "command[0]"),
        ("shell", json!({"command": "id", "timeout_ms": 0}), "timeout_ms"),
    ] {
        let reply = api.post(&format!("{DEVICE}/{verb}"), body.clone()).await;
        assert_eq!(
            (reply.code(), reply.faults()),
            (40001, vec![field.to_owned()]),
            "{verb} {body}"
        );
    }
    assert_eq!(*api.farm.driver.calls.lock().unwrap(), Vec::<String>::new());
}

#[actix_web::test]
async fn what_a_phone_cannot_do_is_told_by_its_code() {
    let api = Api::new();
    let serial = serial("device_serial_1");

    for (error, code) in [
        (
            DriverError::Lost {
                serial: serial.clone(),
                command: "tap",
            },
            40901,
        ),
        (
            DriverError::NotReady {
                serial: serial.clone(),
                state: AdbState::Offline,
                problem: "offline".to_owned(),
            },
            40901,
        ),
        (
            DriverError::ServerDown {
                server: "127.0.0.1:5037".to_owned(),
                problem: "refused".to_owned(),
            },
            50301,
        ),
        (
            DriverError::Untypable {
                serial,
                problem: "no input method".to_owned(),
            },
            40001,
        ),
    ] {
        *api.farm.driver.fails.lock().unwrap() = Some(error);
        assert_eq!(
            api.post(&format!("{DEVICE}/tap"), json!({"x": 1, "y": 1})).await.code(),
            code
        );
    }
    *api.farm.fails.lock().unwrap() = Some(SupervisorError::WrongState("a task runs on it".to_owned()));
    assert_eq!(
        api.post(&format!("{DEVICE}/tap"), json!({"x": 1, "y": 1})).await.code(),
        40901
    );
}

/// A body with the parts `(name, file name, content)`.
fn form(uri: &str, parts: &[(&str, &str, &str)]) -> TestRequest {
    let mut body = String::new();
    for (name, file, content) in parts {
        let file = if file.is_empty() {
            String::new()
        } else {
            format!("; filename=\"{file}\"")
        };
        body += &format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n");
    }
    body += "--b--\r\n";
    let request = TestRequest::post().uri(uri).set_payload(body);
    request.insert_header((header::CONTENT_TYPE, "multipart/form-data; boundary=b"))
}

#[actix_web::test]
async fn files_reach_the_phone() {
    let api = Api::new();
    let (install, push) = (format!("{DEVICE}/install"), format!("{DEVICE}/push"));

    assert_eq!(
        api.send(form(&install, &[("file", "a.apk", "PK\u{3}\u{4}rest")]))
            .await
            .code(),
        0
    );
    let parts = [("path", "", "/sdcard/Download/"), ("file", "a b.txt", "text")];
    assert_eq!(
        api.send(form(&push, &parts)).await.data(),
        json!({"path": "/sdcard/Download/a b.txt"})
    );
    let calls = api.farm.driver.calls.lock().unwrap().clone();
    assert_eq!(calls, ["install 8 bytes", "push \"text\" /sdcard/Download/a b.txt"]);

    for (request, fields) in [
        (form(&install, &[("file", "a.apk", "text")]), vec!["file"]),
        (form(&install, &[]), vec!["file"]),
        (form(&install, &[("file", "", "PK\u{3}\u{4}")]), vec!["file"]),
        (form(&install, &[("flie", "a.apk", "PK")]), vec!["flie", "file"]),
        (form(&push, &[("file", "a", "x")]), vec!["path"]),
        (
            form(&push, &[("file", "a", "x"), ("path", "", "/system/bin/sh")]),
            vec!["path"],
        ),
        (
            form(
                &push,
                &[("file", "a", "x"), ("file", "b", "x"), ("paht", "", "/sdcard/a")],
            ),
            vec!["file", "paht", "path"],
        ),
    ] {
        let reply = api.send(request).await;
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        assert_eq!((reply.code(), reply.faults()), (40001, fields));
    }
    assert_eq!(api.post(&install, Value::Null).await.code(), 41501);
    assert_eq!(
        std::fs::read_dir(api.folder.path().join("uploads")).unwrap().count(),
        0,
        "uploads are left over"
    );
}

#[actix_web::test]
async fn materials_are_uploaded_listed_and_deleted() {
    let api = Api::new();
    let uri = "/api/v1/material";

    let parts = [
        ("tags", "", "cats, dogs,,cats"),
        ("username", "", "@User1"),
        ("caption", "", "{a|b}"),
        ("sort_order", "", "-3"),
        ("file", "C:/Videos/v.mp4", "bytes"),
    ];
    assert_eq!(api.send(form(uri, &parts)).await.data()["name"], "v.mp4");
    let (upload, bytes) = api.library.uploads.lock().unwrap()[0].clone();
    assert_eq!(
        (upload.tags, upload.sort_order, bytes),
        (vec!["cats".into(), "dogs".into()], -3, b"bytes".to_vec())
    );
    assert_eq!(upload.caption.as_deref(), Some("{a|b}"));
    assert_eq!(
        api.send(form(uri, &[("tags", "", ""), ("file", "v.mp4", "x")]))
            .await
            .code(),
        0
    );

    assert_eq!(api.get(uri).await.data()["items"][0]["kind"], "video");
    assert_eq!(api.delete("/api/v1/material/7").await.data()["deleted"], json!([7]));
    for id in ["8", "x", "-7", "99999999999999999999"] {
        assert_eq!(api.delete(&format!("/api/v1/material/{id}")).await.code(), 40401);
    }
    for (parts, field) in [
        (vec![("file", "v.mp4", "text")], "file"),
        (vec![("file", "v.mp4", "x"), ("sort_order", "", "first")], "sort_order"),
        (vec![("file", "v.mp4", "x"), ("username", "", "a b")], "username"),
    ] {
        assert_eq!(api.send(form(uri, &parts)).await.faults(), [field]);
    }
    let all = [
        ("sort_order", "", "first"),
        ("tagz", "", "a"),
        ("username", "", "a b"),
        ("sort_order", "", "1"),
    ];
    assert_eq!(
        api.send(form(uri, &all)).await.faults(),
        ["tagz", "sort_order", "file", "username", "sort_order"]
    );
    assert_eq!(
        api.send(form(uri, &[("file", "v.mp4", "x"), ("username", "", "nobody")]))
            .await
            .code(),
        40401
    );
}

#[actix_web::test]
async fn an_upload_over_its_limit_is_refused() {
    let api = Api::with_settings(crate::http::HttpSettings {
        max_upload: 10,
        ..Default::default()
    });

    let reply = api
        .send(form("/api/v1/material", &[("file", "v.mp4", "eleven byte")]))
        .await;

    assert_eq!((reply.status.as_u16(), reply.code()), (413, 41301));
    assert_eq!(std::fs::read_dir(api.folder.path().join("uploads")).unwrap().count(), 0);
}

#[actix_web::test]
async fn a_black_picture_says_why_it_is_black() {
    let api = Api::new();
    for (content, secure, asleep) in [
        (ScreenContent::Visible, false, false),
        (ScreenContent::Secure, true, false),
        (ScreenContent::Asleep, false, true),
    ] {
        *api.farm.driver.content.lock().unwrap() = content;
        let reply = api.get(&format!("{DEVICE}/screenshot")).await;
        let says = |name: &str| reply.headers.get(name).is_some_and(|value| value == "true");
        assert_eq!(
            (says("X-Screen-Secure"), says("X-Screen-Asleep")),
            (secure, asleep),
            "{content:?}"
        );
    }
}

#[actix_web::test]
async fn a_device_shows_what_its_state_rests_on() {
    let api = Api::new();
    let device = api.get(DEVICE).await.data();
    let now = &device["state_since"];
    assert_eq!(
        device["evidence"],
        json!({
            "adb": {"state": "device", "since": now},
            "probe": {"kind": "look", "at": now, "ok": true, "problem": null},
            "last_good": {"command": "tap", "at": now},
        })
    );
    assert_eq!(device["quarantine"], Value::Null);
}

#[actix_web::test]
async fn people_put_devices_into_quarantine_with_a_reason() {
    let api = Api::new();
    let path = format!("{DEVICE}/quarantine");

    let device = api.post(&path, json!({"reason": " cracked glass "})).await.data();

    assert_eq!(
        (&device["state"], &device["quarantine"]),
        (
            &json!("quarantined"),
            &json!({"by": "person", "reason": "cracked glass", "until": null})
        )
    );
    for (body, field) in [
        (json!({}), "reason"),
        (json!({"reason": ""}), "reason"),
        (json!({"reason": "  "}), "reason"),
        (json!({"reason": "a\nb"}), "reason"),
        (json!({"reason": 5}), "reason"),
        (json!({"reason": "x".repeat(201)}), "reason"),
        (json!({"reason": "x", "until": 1}), "until"),
    ] {
        let reply = api.post(&path, body.clone()).await;
        assert_eq!(
            (reply.code(), reply.faults()),
            (40001, vec![field.to_owned()]),
            "{body}"
        );
    }
    assert_eq!(api.post(&format!("{DEVICE}/release"), json!({})).await.code(), 40901);
    for (verb, body) in [("quarantine", json!({"reason": "x"})), ("release", json!({}))] {
        let reply = api.post(&format!("/api/v1/device/ghost/{verb}"), body).await;
        assert_eq!(reply.code(), 40401, "{verb}");
    }
}

#[actix_web::test]
async fn a_flow_that_is_sent_along_becomes_an_ordinary_task() {
    let api = Api::new();
    let flow = |main: &str| json!({"main": main, "files": {"x.yaml": "text"}, "script_config": {"a": 1}});

    let answer = api.post(&format!("{DEVICE}/flow"), flow("x.yaml")).await.data();
    assert_eq!(answer["script_name"], "flow:x@0123456789abcdef");
    assert_eq!(answer["task_ids"], json!([101, 102]));
    {
        let submitted = api.tasks.submitted.lock().unwrap();
        assert_eq!(
            submitted[0].target,
            SubmitTarget::Devices(vec![serial("device_serial_1")])
        );
        assert_eq!(*submitted[0].configs[0], json!({"a": 1}));
    }
    let wrong = api.post(&format!("{DEVICE}/flow"), flow("wrong.yaml")).await;
    assert_eq!(
        (wrong.code(), wrong.faults()),
        (40001, vec!["files.wrong.yaml".to_owned()])
    );
    let broken = api.post(&format!("{DEVICE}/flow"), flow("broken.yaml")).await;
    assert_eq!(broken.code(), 50001);
    assert!(!broken.json().to_string().contains("secret"));
    assert_eq!(
        api.post("/api/v1/device/ghost/flow", flow("x.yaml")).await.code(),
        40401
    );
    assert_eq!(
        api.tasks.submitted.lock().unwrap().len(),
        1,
        "the others created nothing"
    );
}

#[actix_web::test]
async fn a_flow_may_be_larger_than_other_bodies_and_has_a_limit_of_its_own() {
    let api = Api::with_settings(HttpSettings {
        max_body: 100,
        ..HttpSettings::default()
    });
    let flow = |length: usize| json!({"main": "x.yaml", "files": {"x.yaml": "x".repeat(length)}});
    assert_eq!(api.post(&format!("{DEVICE}/flow"), flow(10_000)).await.code(), 0);
    let large = api.post(&format!("{DEVICE}/flow"), flow(46 * 1024 * 1024)).await;
    assert_eq!(large.code(), 41301);
}
