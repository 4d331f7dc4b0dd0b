//! Where posts take their media from, what is used up by them, and what is refused.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use crate::{
    harness::{Farm, media},
    scripts::{completed, ended, failure, file_names, task_of},
};

fn farm_of(accounts: &[&str]) -> Farm {
    let farm = Farm::without_adb(1);
    for name in accounts {
        farm.account(farm.sim.serial(0), "tiktok", name);
    }
    farm
}

/// Posts with `config` as `username`; the task when it has ended.
fn post_as(farm: &Farm, username: &str, config: &Value) -> Value {
    let id = farm.controller.create(&task_of(username, "post", config))[0];
    ended(farm, id)
}

/// The files of an account's posts, oldest first.
fn posted(farm: &Farm, username: &str) -> Vec<Value> {
    let published = farm.sim.ledger("publish");
    let mine = published.iter().filter(|entry| entry["account"] == username);
    mine.map(file_names).collect()
}

#[test]
fn a_file_that_the_phone_had_before_is_the_one_that_is_posted_again() {
    let farm = farm_of(&["alice"]);
    for way in ["share", "addButton"] {
        for name in ["video1.mp4", "video2.mp4", "video1.mp4"] {
            let path = format!("C:/Videos/{name}");
            let config = json!({ "material_list": [path], "post_way": way, "upload_wait_time": 60 });
            let task = post_as(&farm, "alice", &config);
            assert_eq!(task["status"], 2, "{task:#}");
        }
    }

    let files: Vec<_> = posted(&farm, "alice").iter().map(|files| files[0].clone()).collect();
    assert_eq!(files, ["video1.mp4", "video2.mp4", "video1.mp4"].repeat(2));
}

#[test]
fn a_local_folder_prefers_the_accounts_own_part_and_its_texts_are_defaults() {
    let farm = farm_of(&["alice", "bella"]);
    let root = farm.media.join("posts");
    let own = root.join("@alice");
    fs::create_dir_all(&own).unwrap();
    let copy = |name: &str, to: &std::path::Path| fs::copy(media().join(name), to.join(name)).unwrap();
    copy("video1.mp4", &root);
    copy("video2.mp4", &own);
    copy("image1.jpg", &own);
    fs::write(root.join("caption.txt"), "{from|of} the folder").unwrap();
    fs::write(own.join("caption.txt"), "alice's own\n").unwrap();
    fs::write(own.join("sound_names.txt"), "Low Tide\n").unwrap();
    fs::write(
        root.join("sound_urls.txt"),
        "https://www.tiktok.com/music/Slow-Tram-7012345678\n",
    )
    .unwrap();
    let config = json!({ "material_source": "localFolder", "material_path": "C:/Farm/posts", "upload_wait_time": 60 });

    let mut with_sound = config.clone();
    with_sound["post_way"] = json!("useSound");
    let task = post_as(&farm, "alice", &with_sound);
    assert_eq!(task["status"], 2, "{task:#}");
    let task = post_as(&farm, "bella", &with_sound);
    assert_eq!(task["status"], 2, "{task:#}");
    // Her own part has no unused video left: the folder's is next. A caption of the task wins over the folder's.
    let mut captioned = config.clone();
    captioned["captions"] = json!("the task's");
    let task = post_as(&farm, "alice", &captioned);
    assert_eq!(task["status"], 2, "{task:#}");

    let published = farm.sim.ledger("publish");
    let rows: Vec<(String, Value, Value)> = published
        .iter()
        .map(|entry| {
            let text = |name: &str| entry["detail"][name].as_str().unwrap_or("none").to_owned();
            (text("caption"), json!(text("sound")), file_names(entry))
        })
        .collect();
    assert_eq!(
        rows[0],
        ("alice's own".to_owned(), json!("Slow Tram"), json!(["video2.mp4"]))
    );
    assert!(
        ["from the folder", "of the folder"].contains(&rows[1].0.as_str()),
        "{rows:?}"
    );
    assert_eq!((&rows[1].1, &rows[1].2), (&json!("Slow Tram"), &json!(["video1.mp4"])));
    assert_eq!((rows[2].0.as_str(), &rows[2].2), ("the task's", &json!(["video1.mp4"])));

    let task = post_as(&farm, "alice", &config);
    let (reason, message) = failure(&task);
    assert_eq!(reason, "material_missing");
    assert!(
        message.contains("alice has not posted yet") && message.contains("add more"),
        "{message}"
    );
}

#[test]
fn the_library_gives_each_material_once_per_account_and_only_a_confirmed_post_uses_it_up() {
    let farm = farm_of(&["alice", "bella"]);
    let serial = farm.sim.serial(0).to_owned();
    let upload = |name: &str, fields: &[(&str, &str)]| farm.controller.upload(&media().join(name), fields);
    upload(
        "video1.mp4",
        &[
            ("tags", "spring, cats"),
            ("sort_order", "2"),
            ("caption", "{A|A} caption of its own"),
        ],
    );
    upload("video2.mp4", &[("tags", "spring"), ("sort_order", "1")]);
    upload("video3.mp4", &[("tags", "autumn")]);
    upload("image1.jpg", &[("tags", "spring")]);
    let config = json!({ "materials_tags": "spring", "upload_wait_time": 60 });
    let used = |name: &str| -> usize {
        let all = farm.controller.ok("GET", "/api/v1/material", None);
        let items = all["items"].as_array().unwrap().clone();
        let found = items.iter().find(|item| item["name"] == name).unwrap();
        found["used_by"].as_array().unwrap().len()
    };

    farm.sim.fault(&serial, &json!({ "kind": "upload_fails" }));
    let task = post_as(&farm, "alice", &config);
    assert_eq!(
        (&task["status"], failure(&task).0),
        (&json!(3), "assertion_failed"),
        "{task:#}"
    );
    assert_eq!(used("video2.mp4"), 0, "a failed post uses nothing up");
    farm.sim.heal(&serial);

    for _ in 0..2 {
        let task = post_as(&farm, "alice", &config);
        assert_eq!(task["status"], 2, "{task:#}");
    }
    let task = post_as(
        &farm,
        "bella",
        &json!({ "materials_tags": "spring, cats", "upload_wait_time": 60 }),
    );
    assert_eq!(task["status"], 2, "{task:#}");
    assert_eq!(posted(&farm, "alice"), [json!(["video2.mp4"]), json!(["video1.mp4"])]);
    assert_eq!(posted(&farm, "bella"), [json!(["video1.mp4"])]);
    assert_eq!(
        farm.sim.ledger("publish")[1]["detail"]["caption"],
        "A caption of its own"
    );
    assert_eq!((used("video1.mp4"), used("video2.mp4"), used("video3.mp4")), (2, 1, 0));

    let task = post_as(&farm, "alice", &config);
    let (reason, message) = failure(&task);
    assert_eq!(reason, "material_missing");
    assert!(message.contains("library") && message.contains("add more"), "{message}");
}

#[test]
fn media_that_are_missing_wrong_or_elsewhere_are_named_and_nothing_is_posted() {
    let farm = farm_of(&["alice"]);
    let outside = farm.media.parent().unwrap().join("outside.mp4");
    fs::copy(media().join("video1.mp4"), &outside).unwrap();
    symlink(&outside, farm.media.join("link.mp4")).unwrap();
    fs::write(farm.media.join("text.mp4"), "not a video").unwrap();
    fs::copy(media().join("image1.jpg"), farm.media.join("image.mp4")).unwrap();
    // (file, reason, words of the message, whether the creation warns)
    let rows = [
        ("C:/Farm/later.mp4".to_owned(), "material_missing", "no such file", true),
        (
            "C:/Farm/text.mp4".to_owned(),
            "material_invalid",
            "neither MP4, JPG nor PNG",
            false,
        ),
        (
            "C:/Farm/image.mp4".to_owned(),
            "material_invalid",
            "its content is an image",
            false,
        ),
        (
            "C:/Farm/link.mp4".to_owned(),
            "material_missing",
            "outside of the folders of media.roots",
            true,
        ),
        (
            outside.display().to_string(),
            "material_missing",
            "outside of the folders of media.roots",
            true,
        ),
        (
            "C:/Farm/../outside.mp4".to_owned(),
            "material_missing",
            "'..' is not allowed",
            true,
        ),
        ("later.mp4".to_owned(), "material_missing", "not an absolute path", true),
    ];
    for (file, reason, words, warns) in rows {
        let config = json!({ "material_list": [file] });
        let data = farm
            .controller
            .ok("POST", "/api/v1/task", Some(&task_of("alice", "post", &config)));
        let warnings = data["warnings"].as_array().unwrap();
        assert_eq!(!warnings.is_empty(), warns, "{file}: {warnings:?}");
        assert!(
            warnings.iter().all(|warning| warning.as_str().unwrap().contains(words)),
            "{warnings:?}"
        );
        let task = ended(&farm, data["task_ids"][0].as_i64().unwrap());
        assert_eq!(failure(&task).0, reason, "{file}: {task:#}");
        assert!(
            failure(&task).1.contains(words) && failure(&task).1.contains(&file),
            "{file}: {task:#}"
        );
        assert_eq!(
            task["attempts"].as_array().unwrap().len(),
            1,
            "another attempt would not help: {task:#}"
        );
    }
    assert!(farm.sim.ledger("publish").is_empty());

    // What was missing may come before the task is tried again.
    fs::copy(media().join("video1.mp4"), farm.media.join("later.mp4")).unwrap();
    farm.controller.ok("POST", "/api/v1/task/1/retry", None);
    completed(&farm, 1);
    assert_eq!(posted(&farm, "alice"), [json!(["later.mp4"])]);
}

#[test]
fn as_many_images_as_wanted_are_posted_in_the_order_of_their_names() {
    let farm = Farm::without_adb(2);
    let folder = farm.media.join("album");
    fs::create_dir_all(&folder).unwrap();
    let names: Vec<String> = (10..27).map(|at| format!("image{at}.jpg")).collect();
    for (name, at) in names.iter().zip((1..=3).cycle()) {
        fs::copy(media().join(format!("image{at}.jpg")), folder.join(name)).unwrap();
    }
    let ids: Vec<i64> = [("tiktok", "share"), ("instagram", "addButton")]
        .into_iter()
        .zip(&farm.sim.phones)
        .map(|((app, way), (serial, _))| {
            farm.account(serial, app, app);
            let config = json!({
                "content_type": 1, "image_count": 15, "material_source": "localFolder", "material_path": "C:/Farm/album",
                "post_way": way, "upload_wait_time": 60
            });
            farm.controller.create(&task_of(app, "post", &config))[0]
        })
        .collect();

    for (id, app) in ids.into_iter().zip(["tiktok", "instagram"]) {
        completed(&farm, id);
        assert_eq!(posted(&farm, app), [json!(names[..15])]);
    }
}
