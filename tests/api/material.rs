//! `/api/v1/material`, `/api/v1/script` and what posts make of them.

use serde_json::{Value, json};

use crate::{
    harness::media,
    shared::{WORKING, ids, shared},
};

fn video() -> Vec<u8> {
    std::fs::read(media().join("video1.mp4")).unwrap()
}

#[test]
fn a_material_is_uploaded_listed_and_deleted() {
    let api = &shared().api;
    let name = shared().account(WORKING, "tiktok");
    let fields = [
        ("tags", "shelf, b,shelf,"),
        ("caption", "Hello"),
        ("sort_order", "-3"),
        ("username", &*name),
    ];

    let made = api
        .upload("/material", &fields, Some(("../../clip.mp4", &video())))
        .ok();

    assert_eq!(
        (&made["tags"], &made["username"]),
        (&json!(["shelf", "b"]), &json!(name))
    );
    assert_eq!((&made["caption"], &made["sort_order"]), (&json!("Hello"), &json!(-3)));
    assert_eq!((&made["used_by"], &made["bytes"]), (&json!([]), &json!(video().len())));
    assert!(!made["name"].as_str().unwrap().contains('/'), "{made}");
    let id = made["id"].as_i64().unwrap();
    let list = api.get("/material").ok();
    assert!(
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|material| material["id"] == id)
    );
    assert_eq!(api.delete(&format!("/material/{id}")).ok()["deleted_count"], 1);
    for unknown in [
        id.to_string(),
        "0".into(),
        "-1".into(),
        "abc".into(),
        "99999999999999999999".into(),
    ] {
        api.delete(&format!("/material/{unknown}")).refused(40401);
    }
    let next = api.upload("/material", &[], Some(("clip.mp4", &video()))).ok()["id"]
        .as_i64()
        .unwrap();
    assert!(next > id, "{next}: ids are never reused");
    api.delete(&format!("/material/{next}")).ok();
}

#[test]
fn materials_are_judged_by_their_content() {
    let api = &shared().api;

    for (name, content) in [
        ("a.mp4", &b"just a text"[..]),
        ("a.jpg", b""),
        ("a.png", b"<html></html>"),
        ("a.mp4", b"PK\x03\x04 an archive"),
        ("a.gif", b"GIF89a.............."),
    ] {
        assert_eq!(
            api.upload("/material", &[], Some((name, content))).faults(),
            ["file"],
            "{name}"
        );
    }
    let misnamed = api.upload("/material", &[], Some(("picture.jpg", &video()))).ok();
    assert_eq!(misnamed["kind"], "video");
    api.delete(&format!("/material/{}", misnamed["id"])).ok();
    assert_eq!(api.upload("/material", &[], None).faults(), ["file"]);
    let many = (0..40).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let fields = [("tags", &*many), ("username", "a b"), ("sort_order", "x")];
    assert_eq!(
        api.upload("/material", &fields, Some(("a.mp4", &video()))).faults(),
        ["tags", "username", "sort_order"]
    );
    assert_eq!(
        api.upload("/material", &[("tag", "x")], Some(("a.mp4", &video())))
            .faults(),
        ["tag"]
    );
    api.upload("/material", &[("username", "nobody")], Some(("a.mp4", &video())))
        .refused(40401);
    api.envelope("POST", "/material", &[("content-type", "multipart/form-data")], b"x")
        .refused(40001);
}

#[test]
fn a_material_of_the_library_is_used_once_per_account() {
    let farm = shared();
    let name = farm.account(WORKING, "tiktok");
    let tag = format!("for-{name}");
    let material = farm
        .api
        .upload("/material", &[("tags", &*tag)], Some(("once.mp4", &video())))
        .ok()["id"]
        .clone();
    let body = json!({ "usernames": [name], "script_name": "post", "script_config": { "materials_tags": tag } });
    let used_by = || -> Value {
        let list = farm.api.get("/material").ok();
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["id"] == material).unwrap()["used_by"].clone()
    };
    assert_eq!(used_by(), json!([]));

    let first = ids(&farm.api.post("/task", &body).ok())[0];
    farm.farm.controller.await_status(first, 2);
    assert_eq!(used_by(), json!([name]));

    let second = ids(&farm.api.post("/task", &body).ok())[0];
    let failed = farm.farm.controller.await_status(second, 3);
    assert_eq!(failed["failure"]["reason"], "material_missing", "{failed}");
}

#[test]
fn scripts_are_listed_with_the_schema_of_their_parameters() {
    let list = shared().api.get("/script").ok();

    for name in ["post", "follow", "unfollow"] {
        let script = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|script| script["name"] == name)
            .unwrap();
        assert_eq!(script["built_in"], true);
        assert!(jsonschema::validator_for(&script["params"]).is_ok(), "{script}");
        assert!(
            script["params"]["properties"]
                .as_object()
                .is_some_and(|fields| fields.len() >= 3),
            "{script}"
        );
    }
}
