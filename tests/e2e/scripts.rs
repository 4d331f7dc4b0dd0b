//! What `post`, `follow` and `unfollow` can be told to do, for both apps: each variant once, and what it left on the
//! phones.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::harness::{Farm, follow, post, tail, wait_for};

const APPS: [&str; 2] = ["tiktok", "instagram"];
/// Longest wait for all tasks of a table: they queue for the same phones.
const TABLE: Duration = Duration::from_secs(400);

/// One variant of a post and what the ledger must tell of it.
struct Variant {
    app: &'static str,
    config: Value,
    detail: Value,
}

fn variant(app: &'static str, config: Value, detail: Value) -> Variant {
    Variant { app, config, detail }
}

/// The config of a post of `video1.mp4`, with `extra` over it.
fn post_config(caption: &str, extra: &Value) -> Value {
    let mut config = json!({ "captions": caption, "material_list": ["C:/Videos/video1.mp4"], "upload_wait_time": 60 });
    for (key, value) in extra.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

/// A task of one account.
pub fn task_of(username: &str, script: &str, config: &Value) -> Value {
    json!({ "usernames": [username], "script_name": script, "script_config": config })
}

/// Waits until a task has ended.
pub fn ended(farm: &Farm, id: i64) -> Value {
    wait_for(&format!("task {id} ends"), TABLE, || {
        let task = farm.controller.task(id);
        (task["status"].as_i64() >= Some(2)).then_some(task)
    })
}

pub fn completed(farm: &Farm, id: i64) -> Value {
    let task = ended(farm, id);
    assert_eq!(task["status"], 2, "{task:#}\n{}", tail(&farm.controller.log()));
    task
}

pub fn failure(task: &Value) -> (&str, &str) {
    let text = |name: &str| task["failure"][name].as_str().unwrap_or_default();
    (text("reason"), text("message"))
}

/// A farm where each of `phones` phones has one account of each app: `tiktok0`, `instagram0`, `tiktok1` …
fn both_apps(phones: u32) -> Farm {
    let farm = Farm::without_adb(phones);
    for at in 0..farm.sim.phones.len() {
        for app in APPS {
            farm.account(farm.sim.serial(at), app, &format!("{app}{at}"));
        }
    }
    farm
}

/// Posts every variant, spread over phones, and compares the ledger with what was wanted.
fn post_all(variants: &[Variant]) -> Farm {
    let phones = 3;
    let farm = both_apps(phones);
    let tasks: Vec<(i64, String, String)> = (0..)
        .zip(variants)
        .map(|(at, variant)| {
            let caption = format!("variant {at}");
            let username = format!("{}{}", variant.app, at % phones);
            let body = task_of(&username, "post", &post_config(&caption, &variant.config));
            (farm.controller.create(&body)[0], caption, username)
        })
        .collect();
    for ((id, caption, username), variant) in tasks.iter().zip(variants) {
        let task = completed(&farm, *id);
        let published = farm.sim.ledger("publish");
        let mine: Vec<&Value> = published
            .iter()
            .filter(|entry| entry["detail"]["caption"] == *caption)
            .collect();
        assert_eq!(mine.len(), 1, "{}: {mine:#?}\n{task:#}", variant.config);
        assert_eq!(
            (mine[0]["account"].as_str(), mine[0]["app"].as_str()),
            (Some(username.as_str()), Some(variant.app))
        );
        for (key, wanted) in variant.detail.as_object().unwrap() {
            let found = if key == "files" {
                file_names(mine[0])
            } else {
                mine[0]["detail"][key].clone()
            };
            assert_eq!(found, *wanted, "{key} of {}: {:#}", variant.config, mine[0]);
        }
    }
    assert_eq!(farm.sim.ledger("publish").len(), variants.len());
    farm
}

pub fn file_names(entry: &Value) -> Value {
    let files = entry["detail"]["files"].as_array().unwrap();
    files.iter().map(|file| file["name"].clone()).collect()
}

#[test]
fn videos_and_images_in_order_are_posted_by_every_way() {
    let three = json!(["C:/Images/image3.jpg", "C:/Images/image1.jpg", "C:/Images/image4.png"]);
    let mut variants = Vec::new();
    for app in APPS {
        for way in ["share", "addButton"] {
            let detail = json!({ "content_type": "video", "files": ["video1.mp4"], "post_way": way });
            variants.push(variant(app, json!({ "post_way": way }), detail));
            variants.push(variant(
                app,
                json!({ "post_way": way, "content_type": 1, "image_count": 3, "material_list": three }),
                json!({
                    "content_type": "images", "files": ["image3.jpg", "image1.jpg", "image4.png"], "post_way": way
                }),
            ));
        }
    }
    post_all(&variants);
}

#[test]
fn sounds_are_used_by_name_and_by_link_and_chosen_as_told() {
    let links = [
        "https://www.tiktok.com/music/Slow-Tram-7012345678",
        "https://www.instagram.com/reels/audio/Slow-Tram",
    ];
    let mut variants = Vec::new();
    for (app, link) in APPS.into_iter().zip(links) {
        for sound in ["Low Tide", link] {
            let title = if sound == link { "Slow Tram" } else { sound };
            variants.push(variant(
                app,
                json!({ "post_way": "useSound", "sound_name": sound }),
                json!({ "post_way": "useSound", "sound": title, "files": ["video1.mp4"] }),
            ));
        }
        let custom = json!({ "add_sound": "custom", "custom_sound_keyword": "Paper Planes" });
        variants.push(variant(app, custom, json!({ "sound": "Paper Planes Home" })));
        for first in [json!("1"), json!(1)] {
            variants.push(variant(
                app,
                json!({ "add_sound": first }),
                json!({ "sound": "Morning Coffee" }),
            ));
        }
    }
    let images =
        |choice: Value| json!({ "content_type": 1, "material_list": ["C:/Images/image1.jpg"], "add_sound": choice });
    for (choice, sound) in [
        (json!("-1"), json!("Morning Coffee")),
        (json!(-1), json!("Morning Coffee")),
        (json!("0"), Value::Null),
        (json!(0), Value::Null),
    ] {
        variants.push(variant("tiktok", images(choice), json!({ "sound": sound })));
    }
    post_all(&variants);
}

#[test]
fn volumes_products_and_placement_are_set_as_told() {
    let mut variants = Vec::new();
    for app in APPS {
        variants.push(variant(
            app,
            json!({ "origin_sound_volume": 0, "add_sound_volume": 100 }),
            json!({ "original_volume": 0, "added_volume": 100 }),
        ));
        variants.push(variant(
            app,
            json!({ "origin_sound_volume": 7 }),
            json!({ "original_volume": 7, "added_volume": 50 }),
        ));
    }
    let product = json!({ "add_product_link": 1 });
    variants.push(variant(
        "tiktok",
        product.clone(),
        json!({ "product_link": "Ceramic Mug" }),
    ));
    variants.push(variant("instagram", product, json!({ "product_link": null })));
    for way in ["share", "addButton"] {
        let story = json!({ "placement": "story", "post_way": way });
        variants.push(variant(
            "instagram",
            story,
            json!({ "placement": "story", "post_way": way }),
        ));
    }
    variants.push(variant(
        "instagram",
        json!({ "placement": "reel" }),
        json!({ "placement": "reel" }),
    ));
    post_all(&variants);
}

#[test]
fn captions_are_chosen_and_arrive_complete_whatever_they_hold() {
    let long = "Zażółć gęślą jaźń 🎬 ".chars().cycle().take(1_999).collect::<String>() + "!";
    let any = "100%s 👩‍👩‍👧 «日本語» it's \"$HOME\" `x` \\n & ; שלום | a < b";
    let cases: Vec<(String, Vec<String>)> = vec![
        (
            "{Good {morning|evening}|Hi} all".to_owned(),
            ["Good morning all", "Good evening all", "Hi all"]
                .map(str::to_owned)
                .to_vec(),
        ),
        (
            "first line\n\nsecond line".to_owned(),
            ["first line", "second line"].map(str::to_owned).to_vec(),
        ),
        (any.to_owned(), vec![any.to_owned()]),
        (long.clone(), vec![long]),
        (String::new(), vec![String::new()]),
    ];
    let farm = Farm::without_adb(2);
    let mut tasks = Vec::new();
    for (at, (template, allowed)) in cases.iter().enumerate() {
        for app in APPS {
            let username = format!("{app}.user_{at}");
            farm.account(farm.sim.serial(at % 2), app, &username);
            let body = task_of(&username, "post", &post_config(template, &json!({})));
            tasks.push((farm.controller.create(&body)[0], username, allowed));
        }
    }

    for (id, username, allowed) in tasks {
        let task = completed(&farm, id);
        let published = farm.sim.ledger("publish");
        let mine: Vec<&Value> = published.iter().filter(|entry| entry["account"] == username).collect();
        assert_eq!(mine.len(), 1, "{task:#}");
        let caption = mine[0]["detail"]["caption"].as_str().unwrap();
        assert!(
            allowed.iter().any(|wanted| wanted == caption),
            "{caption:?} of {allowed:?}"
        );
    }
}

#[test]
fn every_attempt_makes_the_same_choice_of_caption() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.sim.fault(&serial, &json!({ "kind": "upload_fails" }));
    let template = (0..40)
        .map(|line| format!("{{a|b|c}} line {line}"))
        .collect::<Vec<_>>()
        .join("\n");
    let id = farm
        .controller
        .create(&task_of("tiktok0", "post", &post_config(&template, &json!({}))))[0];
    let task = ended(&farm, id);
    assert_eq!(
        (&task["status"], failure(&task).0),
        (&json!(3), "assertion_failed"),
        "{task:#}"
    );
    farm.sim.heal(&serial);
    farm.controller.ok("POST", &format!("/api/v1/task/{id}/retry"), None);
    completed(&farm, id);

    let mut captions: Vec<Value> = ["upload_failed", "publish"]
        .iter()
        .flat_map(|kind| farm.sim.ledger(kind))
        .map(|entry| entry["detail"]["caption"].clone())
        .collect();
    assert!(captions.len() >= 2, "{captions:?}");
    captions.dedup();
    assert_eq!(captions.len(), 1, "{captions:?}");
    assert_eq!(farm.sim.ledger("publish").len(), 1);
}

#[test]
fn an_upload_that_takes_longer_than_allowed_is_found_when_it_is_through() {
    let farm = both_apps(2);
    let configs = [
        ("tiktok0", json!({})),
        ("instagram0", json!({})),
        ("instagram1", json!({ "placement": "story" })),
    ];
    for (serial, _) in &farm.sim.phones {
        farm.sim.fault(serial, &json!({ "kind": "upload_slow", "ms": 6000 }));
    }
    let ids: Vec<i64> = configs
        .iter()
        .map(|(username, extra)| {
            let mut config = post_config("slow", extra);
            config["upload_wait_time"] = json!(0);
            farm.controller.create(&task_of(username, "post", &config))[0]
        })
        .collect();

    for id in ids {
        let task = completed(&farm, id);
        assert_eq!(task["attempts"].as_array().unwrap().len(), 1, "{task:#}");
    }
    assert_eq!(farm.sim.ledger("publish").len(), 3);
}

/// It is stopped between the touch and its confirmation, and a later task takes the follow back: the first one has done its
/// own.
#[test]
fn a_follow_that_was_taken_back_since_is_not_done_a_second_time() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    // So slow that the stop comes in between.
    farm.sim.fault(&serial, &json!({ "kind": "slow", "ms": 1_000 }));
    let config = json!({ "target_users": ["bob"] });
    let first = farm.controller.create(&task_of("tiktok0", "follow", &config))[0];
    wait_for("it has followed", TABLE, || {
        (farm.sim.ledger("follow").len() == 1).then_some(())
    });
    farm.controller.ok("POST", &format!("/api/v1/task/{first}/stop"), None);
    let task = ended(&farm, first);
    assert_eq!(failure(&task).0, "stopped", "{task:#}");
    farm.sim.heal(&serial);
    let back = farm.controller.create(&task_of("tiktok0", "unfollow", &config))[0];
    completed(&farm, back);

    farm.controller.ok("POST", &format!("/api/v1/task/{first}/retry"), None);
    let task = ended(&farm, first);

    assert_eq!(
        (&task["status"], failure(&task).0),
        (&json!(3), "outcome_unknown"),
        "{task:#}"
    );
    assert_eq!(
        (farm.sim.ledger("follow").len(), farm.sim.ledger("unfollow").len()),
        (1, 1)
    );
}

/// Tasks of a phone, for whoever is shown there. They are stopped between the touch and its confirmation, and somebody else is
/// shown when they are looked up: what is on that profile is nothing to them.
#[test]
fn what_somebody_did_is_not_looked_for_at_somebody_else() {
    let farm = Farm::without_adb(3);
    let phones = [0, 1, 2].map(|at| farm.sim.serial(at).to_owned());
    let slow = json!({ "kind": "slow", "ms": 1_000 });
    let late = json!({ "kind": "upload_slow", "ms": 6_000 });
    for (serial, fault) in phones.iter().zip([late, slow.clone(), slow]) {
        farm.sim.login(serial, "tiktok", "alice");
        farm.sim.fault(serial, &fault);
    }
    let mut ids = Vec::new();
    let tasks = [
        (post(&phones[0], "of alice"), "bob"),
        (follow(&phones[1], "bob"), "bob"),
        (follow(&phones[2], "carol"), "alice"),
    ];
    for (at, ((task, shown), serial)) in tasks.iter().zip(&phones).enumerate() {
        let id = farm.controller.create(task)[0];
        wait_for("it has acted", TABLE, || {
            let is_on_its_way = farm.controller.task(id)["progress"]["label"] == "Wait for the upload";
            let has_followed = at > 0 && farm.sim.ledger("follow").len() == at;
            (is_on_its_way || has_followed).then_some(())
        });
        farm.controller.ok("POST", &format!("/api/v1/task/{id}/stop"), None);
        assert_eq!(failure(&ended(&farm, id)).0, "stopped");
        farm.sim.heal(serial);
        farm.sim.login(serial, "tiktok", shown);
        ids.push(id);
    }
    wait_for("all took place", TABLE, || {
        (farm.sim.ledger("publish").len() == 1 && farm.sim.ledger("follow").len() == 2).then_some(())
    });
    for id in &ids {
        farm.controller.ok("POST", &format!("/api/v1/task/{id}/retry"), None);
    }

    for id in &ids[..2] {
        let task = ended(&farm, *id);
        assert_eq!(failure(&task).0, "outcome_unknown", "{task:#}");
    }
    completed(&farm, ids[2]);
    assert_eq!(
        (farm.sim.ledger("publish").len(), farm.sim.ledger("follow").len()),
        (1, 2)
    );
}

#[test]
fn a_post_without_a_caption_whose_confirmation_was_lost_is_found() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.sim.fault(&serial, &json!({ "kind": "publish_ack_lost" }));

    for username in ["tiktok0", "instagram0"] {
        let id = farm
            .controller
            .create(&task_of(username, "post", &post_config("", &json!({}))))[0];
        completed(&farm, id);
    }

    assert_eq!(farm.sim.ledger("publish").len(), 2);
}

/// A post that nobody knows of, and another one of the account after it: what is on the profile is the other one's.
#[test]
fn a_post_that_did_not_take_place_is_not_taken_for_a_later_one_of_the_account() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.sim.fault(&serial, &json!({ "kind": "upload_slow", "ms": 4000 }));
    farm.sim.fault(&serial, &json!({ "kind": "upload_fails" }));
    let lost = farm
        .controller
        .create(&task_of("tiktok0", "post", &post_config("", &json!({}))))[0];
    wait_for("the post is on its way", TABLE, || {
        let task = farm.controller.task(lost);
        (task["progress"]["label"] == "Wait for the upload").then_some(())
    });
    farm.controller.ok("POST", &format!("/api/v1/task/{lost}/stop"), None);
    wait_for("the upload has failed", TABLE, || {
        (farm.sim.ledger("upload_failed").len() == 1).then_some(())
    });
    farm.sim.heal(&serial);
    let mut config = post_config("later", &json!({}));
    config["material_list"] = json!(["C:/Videos/video2.mp4"]);
    let later = farm.controller.create(&task_of("tiktok0", "post", &config))[0];
    completed(&farm, later);

    farm.controller.ok("POST", &format!("/api/v1/task/{lost}/retry"), None);
    let task = ended(&farm, lost);

    assert_eq!(
        (&task["status"], failure(&task).0),
        (&json!(3), "outcome_unknown"),
        "{task:#}"
    );
    assert_eq!(farm.sim.ledger("publish").len(), 1);
}

/// Its upload comes through while the next one is on its way, which then fails: "posted" is what the app says of the first.
#[test]
fn what_the_app_says_of_another_tasks_post_completes_nothing() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.sim.fault(&serial, &json!({ "kind": "upload_slow", "ms": 25_000 }));
    let post_it = |caption: &str, file: &str| {
        let mut config = post_config(caption, &json!({ "upload_wait_time": 50 }));
        config["material_list"] = json!([file]);
        let task = farm.controller.create(&task_of("tiktok0", "post", &config))[0];
        wait_for("the post is on its way", TABLE, || {
            (farm.controller.task(task)["progress"]["label"] == "Wait for the upload").then_some(())
        });
        task
    };
    let first = post_it("first", "C:/Videos/video1.mp4");
    farm.controller.ok("POST", &format!("/api/v1/task/{first}/stop"), None);
    let second = post_it("second", "C:/Videos/video2.mp4");
    wait_for("the first upload is through", TABLE, || {
        (farm.sim.ledger("publish").len() == 1).then_some(())
    });
    farm.sim.fault(&serial, &json!({ "kind": "upload_fails" }));

    let task = ended(&farm, second);

    assert_eq!(
        (&task["status"], failure(&task).0),
        (&json!(3), "outcome_unknown"),
        "{task:#}"
    );
    assert_eq!(farm.sim.ledger("publish").len(), 1);
}

#[test]
fn a_story_whose_confirmation_was_lost_is_read_back() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    let story = |caption: &str| {
        task_of(
            "instagram0",
            "post",
            &post_config(caption, &json!({ "placement": "story" })),
        )
    };
    let first = farm.controller.create(&story("first"))[0];
    completed(&farm, first);

    farm.sim.fault(&serial, &json!({ "kind": "publish_ack_lost" }));
    let lost = farm.controller.create(&story("second"))[0];
    completed(&farm, lost);
    farm.sim.fault(&serial, &json!({ "kind": "app_crash" }));
    let crashed = farm.controller.create(&story("third"))[0];
    completed(&farm, crashed);

    let captions: Vec<Value> = farm
        .sim
        .ledger("publish")
        .iter()
        .map(|entry| entry["detail"]["caption"].clone())
        .collect();
    assert_eq!(captions, ["first", "second", "third"]);
}

#[test]
fn follows_and_their_ends_do_what_is_missing_and_say_what_was_there() {
    let farm = both_apps(2);
    // Of one account in a row: (script, config, ledger's kind or none, a word of the remark).
    let rows = [
        (
            "follow",
            json!({ "target_users": ["bob"] }),
            Some("follow"),
            "followed bob",
        ),
        ("follow", json!({ "target_user": "@Bob" }), None, "already"),
        (
            "follow",
            json!({ "target_users": ["anna.b_c"], "access_method": "search" }),
            Some("follow"),
            "followed anna.b_c",
        ),
        (
            "follow",
            json!({ "target_users": ["private_eve"] }),
            Some("follow_request"),
            "asked to follow",
        ),
        (
            "follow",
            json!({ "target_users": ["private_eve"] }),
            None,
            "already asked",
        ),
        (
            "unfollow",
            json!({ "target_username": "bob" }),
            Some("unfollow"),
            "unfollowed bob",
        ),
        ("unfollow", json!({ "target_users": ["bob"] }), None, "was not followed"),
        (
            "follow",
            json!({ "target_users": ["anna.b_c"], "action": "unfollow", "access_method": "search" }),
            Some("unfollow"),
            "unfollowed anna.b_c",
        ),
        (
            "unfollow",
            json!({ "target_users": ["private_eve"] }),
            Some("unfollow"),
            "unfollowed private_eve",
        ),
    ];
    let kinds = ["follow", "follow_request", "unfollow"];
    let effects = |username: &str| -> Vec<Value> {
        let all = kinds.iter().flat_map(|kind| farm.sim.ledger(kind));
        all.filter(|entry| entry["account"] == username).collect()
    };
    std::thread::scope(|scope| {
        for username in ["tiktok0", "instagram1"] {
            let (farm, rows, effects) = (&farm, &rows, &effects);
            scope.spawn(move || {
                for (script, config, kind, remark) in rows {
                    let before = effects(username).len();
                    let id = farm.controller.create(&task_of(username, script, config))[0];
                    let task = completed(farm, id);
                    assert!(task["remark"].as_str().unwrap().contains(remark), "{remark}: {task:#}");
                    let now = effects(username);
                    assert_eq!(
                        now.len() - before,
                        usize::from(kind.is_some()),
                        "{username} {script} {config}"
                    );
                    if let Some(kind) = kind {
                        let same = |entry: &&Value| {
                            entry["kind"] == *kind
                                && remark.ends_with(entry["detail"]["target"].as_str().unwrap_or("?"))
                        };
                        assert!(now.iter().any(|entry| entry["kind"] == *kind), "{now:#?}");
                        assert!(
                            *kind == "follow_request" || now.iter().any(|entry| same(&entry)),
                            "{now:#?}"
                        );
                    }
                }
            });
        }
    });
}

#[test]
fn several_targets_are_a_task_each_and_unknown_ones_fail_by_name_without_effect() {
    let farm = both_apps(2);
    let mut all = Vec::new();
    for (username, method) in [
        ("tiktok0", "direct"),
        ("instagram1", "search"),
        ("tiktok1", "search"),
        ("instagram0", "direct"),
    ] {
        let config = json!({ "target_users": ["bob", "@nobody_here", "carol", "BOB"], "access_method": method });
        let ids = farm.controller.create(&task_of(username, "follow", &config));
        assert_eq!(ids.len(), 3);
        all.push((username, ids));
    }
    for (username, ids) in all {
        completed(&farm, ids[0]);
        completed(&farm, ids[2]);
        let task = ended(&farm, ids[1]);
        assert_eq!(
            (&task["status"], failure(&task).0),
            (&json!(3), "assertion_failed"),
            "{task:#}"
        );
        assert!(failure(&task).1.contains("nobody of the name @nobody_here"), "{task:#}");
        let targets: Vec<Value> = farm
            .sim
            .ledger("follow")
            .iter()
            .filter(|entry| entry["account"] == username)
            .map(|entry| entry["detail"]["target"].clone())
            .collect();
        assert_eq!(targets, ["bob", "carol"]);
    }
}

#[test]
fn the_phone_is_switched_to_the_tasks_account_and_nobody_else_acts() {
    let farm = Farm::without_adb(1);
    let serial = farm.sim.serial(0).to_owned();
    for name in ["anna.b_c", "annaxb_c", "bella"] {
        farm.account(&serial, "tiktok", name);
    }
    for name in ["bella", "anna.b_c", "annaxb_c"] {
        let id = farm.controller.create(&task_of(
            name,
            "follow",
            &json!({ "target_users": [format!("of_{name}")] }),
        ))[0];
        completed(&farm, id);
    }
    let mut body = follow(&serial, "of_all");
    body["enable_multi_account"] = json!(true);
    for id in farm.controller.create(&body) {
        completed(&farm, id);
    }

    let mut pairs: Vec<String> = farm
        .sim
        .ledger("follow")
        .iter()
        .map(|entry| {
            format!(
                "{} {}",
                entry["account"].as_str().unwrap(),
                entry["detail"]["target"].as_str().unwrap()
            )
        })
        .collect();
    pairs.sort();
    assert_eq!(
        pairs,
        [
            "anna.b_c of_all",
            "anna.b_c of_anna.b_c",
            "annaxb_c of_all",
            "annaxb_c of_annaxb_c",
            "bella of_all",
            "bella of_bella"
        ]
    );
}

/// An operator's own flow: it acts, and does not say how its account is shown.
const OWN: &str = "appId: ${APP_PACKAGE}
farmhand:
  params: { required: [who], properties: { who: { type: string } } }
  policy: { link_schemes: [https] }
  commit: Follow
---
- openLink: https://www.tiktok.com/@${params.who}
- tapOn: { id: follow_button, label: Follow }
- assertVisible: { id: follow_button, text: Following }
";

#[test]
fn an_operators_flow_that_says_nothing_of_accounts_acts_for_the_tasks_own_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.yaml"), OWN).unwrap();
    let farm = Farm::without_adb_set(1, &format!("[flows]\ndir = \"{}\"\n", folder.path().display()));
    let serial = farm.sim.serial(0).to_owned();
    for name in ["anna", "bella"] {
        farm.account(&serial, "tiktok", name);
    }

    for (name, who) in [("anna", "dora"), ("bella", "dora"), ("anna", "emma")] {
        let id = farm.controller.create(&task_of(name, "own", &json!({ "who": who })))[0];
        completed(&farm, id);
    }

    let ledger = farm.sim.ledger("follow");
    let who: Vec<(&str, &str)> = ledger
        .iter()
        .map(|entry| {
            (
                entry["account"].as_str().unwrap(),
                entry["detail"]["target"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(who, [("anna", "dora"), ("bella", "dora"), ("anna", "emma")]);
}

#[test]
fn an_account_that_is_not_logged_in_on_its_phone_is_unavailable_and_its_steps_say_for_whom() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    let body = json!({ "username": "stranger", "app": "tiktok", "serial": serial });
    farm.controller.ok("POST", "/api/v1/account", Some(&body));
    let id = farm
        .controller
        .create(&task_of("stranger", "follow", &json!({ "target_users": ["bob"] })))[0];

    let task = ended(&farm, id);

    assert_eq!(
        (&task["status"], failure(&task).0),
        (&json!(3), "account_unavailable"),
        "{task:#}"
    );
    let message = failure(&task).1;
    assert!(
        message.contains("stranger") && message.contains("logged in"),
        "{message}"
    );
    assert!(farm.sim.ledger("follow").is_empty());
    let steps = task["attempts"][0]["steps"].as_array().unwrap();
    assert!(
        steps.iter().any(|step| step["label"] == "Switch to stranger"),
        "{steps:#?}"
    );
    let failed: Vec<&Value> = steps.iter().filter(|step| step["state"] == "failed").collect();
    assert!(failed.iter().all(|step| step["screenshot"].is_string()), "{failed:#?}");
}

#[test]
fn a_challenge_right_after_the_post_waits_for_a_person_and_then_the_post_is_found() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.sim.fault(&serial, &json!({ "kind": "upload_slow", "ms": 6000 }));
    let id = farm
        .controller
        .create(&task_of("tiktok0", "post", &post_config("once", &json!({}))))[0];
    wait_for("the post is on its way", TABLE, || {
        let task = farm.controller.task(id);
        (task["progress"]["label"] == "Wait for the upload").then_some(())
    });
    farm.sim.fault(&serial, &json!({ "kind": "challenge" }));

    let account = || farm.controller.ok("GET", "/api/v1/account/tiktok0", None);
    let waiting = wait_for("the account needs a person", TABLE, || {
        let account = account();
        (account["status"] == "needs_attention").then_some(account)
    });
    assert!(waiting["evidence"].is_string(), "{waiting:#}");
    let task = farm.controller.task(id);
    assert_eq!(task["status"], 0, "{task:#}");
    assert_eq!(task["attempts"].as_array().unwrap().len(), 1, "{task:#}");

    farm.sim.heal(&serial);
    farm.controller
        .ok("POST", "/api/v1/account/tiktok0/resume", Some(&json!({})));
    let task = completed(&farm, id);
    let attempts = task["attempts"].as_array().unwrap();
    let purposes: Vec<&Value> = attempts.iter().map(|attempt| &attempt["purpose"]).collect();
    assert_eq!(purposes, ["execute", "verify"], "{task:#}");
    assert_eq!(farm.sim.ledger("publish").len(), 1);
}

/// The page that asks for a person is in front when the next account's turn comes.
#[test]
fn an_account_that_has_to_wait_for_a_person_does_not_hold_up_another_one_of_its_phone() {
    for kind in ["challenge", "logged_out"] {
        let farm = both_apps(1);
        let serial = farm.sim.serial(0).to_owned();
        farm.account(&serial, "tiktok", "second");
        farm.sim.login(&serial, "tiktok", "tiktok0");
        let fault = json!({ "kind": kind, "app": "tiktok", "account": "tiktok0" });
        farm.sim.fault(&serial, &fault);
        let target = |name: &str| json!({ "target_users": [name] });
        let stuck = farm.controller.create(&task_of("tiktok0", "follow", &target("bob")))[0];
        let status = |name: &str| farm.controller.ok("GET", &format!("/api/v1/account/{name}"), None)["status"].clone();
        wait_for("the account needs a person", TABLE, || {
            (status("tiktok0") == "needs_attention").then_some(())
        });

        let other = farm.controller.create(&task_of("second", "follow", &target("carol")))[0];
        completed(&farm, other);

        assert_eq!(
            (status("second"), status("tiktok0")),
            (json!("active"), json!("needs_attention"))
        );
        assert_eq!(farm.controller.task(stuck)["status"], 0, "{kind}");
        let follows = farm.sim.ledger("follow");
        assert_eq!(follows.len(), 1, "{follows:#?}");
        assert_eq!(
            (&follows[0]["account"], &follows[0]["detail"]["target"]),
            (&json!("second"), &json!("carol"))
        );
        // Nor is the page gone for the one whom it asks.
        farm.controller
            .ok("POST", "/api/v1/account/tiktok0/resume", Some(&json!({})));
        wait_for("it asks again", TABLE, || {
            (status("tiktok0") == "needs_attention").then_some(())
        });
        assert_eq!(farm.sim.ledger("follow").len(), 1);
    }
}

/// The page stands before each of those that the account before was in the middle of.
#[test]
fn an_account_that_was_stopped_in_the_middle_of_a_post_does_not_hold_up_another_one_of_its_phone() {
    let farm = both_apps(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, "tiktok", "second");
    farm.sim.login(&serial, "tiktok", "tiktok0");
    let stuck = farm
        .controller
        .create(&task_of("tiktok0", "post", &post_config("never", &json!({}))))[0];
    wait_for("it is in the middle of the post", TABLE, || {
        let task = farm.controller.task(stuck);
        (task["progress"]["step"].as_i64() > Some(20)).then_some(())
    });
    farm.sim.fault(
        &serial,
        &json!({ "kind": "challenge", "app": "tiktok", "account": "tiktok0" }),
    );
    wait_for("the account needs a person", TABLE, || {
        let account = farm.controller.ok("GET", "/api/v1/account/tiktok0", None);
        (account["status"] == "needs_attention").then_some(())
    });

    let config = json!({ "target_users": ["carol"] });
    let other = farm.controller.create(&task_of("second", "follow", &config))[0];
    wait_for("it is over, or its account waits", TABLE, || {
        let account = farm.controller.ok("GET", "/api/v1/account/second", None);
        assert_eq!(
            account["status"],
            "active",
            "{account:#}\n{:#}",
            farm.controller.task(other)
        );
        (farm.controller.task(other)["status"].as_i64() >= Some(2)).then_some(())
    });
    completed(&farm, other);

    assert_eq!(farm.sim.ledger("follow").len(), 1);
    assert_eq!(farm.controller.task(stuck)["status"], 0);
}

/// A line of a flow as it would be for an app whose ids have all changed, where it knows another way than by id.
fn without_id(line: &str) -> Option<String> {
    const FIRST: &str = "anyOf: [{ id: ";
    let (before, id) = line.split_once(FIRST).filter(|_| !line.contains("launcher"))?;
    Some(match id.strip_prefix('"').and_then(|id| id.split_once('"')) {
        Some((id, rest)) => format!("{before}{FIRST}\"gone_({id})\"{rest}"),
        None => format!("{before}{FIRST}gone_{id}"),
    })
}

/// Copies a folder of flows and takes their ids away; how many lines that has changed.
fn copy_without_ids(from: &Path, to: &Path) -> usize {
    std::fs::create_dir_all(to).unwrap();
    let mut changed = 0;
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            changed += copy_without_ids(&path, &copy);
            continue;
        }
        let flow = std::fs::read_to_string(&path).unwrap();
        changed += flow.lines().filter_map(without_id).count();
        let lines = flow
            .lines()
            .map(|line| without_id(line).unwrap_or_else(|| line.to_owned()));
        std::fs::write(copy, lines.collect::<Vec<_>>().join("\n")).unwrap();
    }
    changed
}

#[test]
fn where_the_ids_of_an_app_have_changed_its_words_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let changed = copy_without_ids(&Path::new(env!("CARGO_MANIFEST_DIR")).join("flows"), folder.path());
    assert!(
        changed >= 35,
        "only {changed} targets are known by something else than their id"
    );
    let farm = Farm::without_adb_set(2, &format!("[flows]\ndir = \"{}\"\n", folder.path().display()));
    let mut ids = Vec::new();
    for (at, app) in APPS.into_iter().enumerate() {
        farm.account(farm.sim.serial(at), app, app);
        let images = json!(["C:/Images/image3.jpg", "C:/Images/image1.jpg"]);
        let shared = json!({ "content_type": 1, "material_list": images, "origin_sound_volume": 7, "add_sound": "1" });
        let made = json!({ "post_way": "addButton" });
        let heard = json!({ "post_way": "useSound", "sound_name": "Low Tide" });
        for (caption, extra) in [("shared", shared), ("made", made), ("heard", heard)] {
            ids.push((app, task_of(app, "post", &post_config(caption, &extra))));
        }
        let person = json!({ "target_users": ["bob"], "access_method": "search" });
        ids.push((app, task_of(app, "follow", &person)));
        ids.push((app, task_of(app, "unfollow", &json!({ "target_users": ["bob"] }))));
    }

    let ids: Vec<i64> = ids.iter().map(|(_, body)| farm.controller.create(body)[0]).collect();
    for id in ids {
        completed(&farm, id);
    }

    for (kind, count) in [("publish", 6), ("follow", 2), ("unfollow", 2)] {
        assert_eq!(farm.sim.ledger(kind).len(), count, "{kind}");
    }
}
