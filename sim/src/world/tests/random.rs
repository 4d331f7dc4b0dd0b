use serde_json::json;

use super::Rig;
use crate::{handset::Handset, world::fault::FaultKind};

#[test]
fn random_faults_repeat_with_their_seed() {
    let run = |seed: u64, rate: f64| {
        let rig = Rig::new();
        rig.fault("random", json!({ "seed": seed, "rate": rate }));
        for _ in 0..60 {
            rig.phone.open_link("https://www.tiktok.com/@coffee_corner", None);
            rig.phone.dump();
            rig.phone.tap(380, 660);
            rig.wait(1_000);
        }
        let log = rig
            .phone
            .log(500)
            .into_iter()
            .filter_map(|line| Some(line.split_once("W random: ")?.1.to_owned()));
        let ledger = rig.world.ledger().into_iter().map(|entry| entry.kind);
        (log.collect::<Vec<_>>(), ledger.collect::<Vec<_>>())
    };
    assert_eq!(run(7, 0.2), run(7, 0.2));
    assert_ne!(run(7, 0.2), run(8, 0.2));
    assert!(run(7, 0.2).0.len() > 10);
    assert!(run(7, 0.0).0.is_empty());
    assert!(Rig::new().phone.set_fault("random", &json!({ "rate": 2 })).is_err());
}

#[test]
fn every_kind_comes_at_random_and_what_lasts_ends_by_itself() {
    let rig = Rig::new();
    rig.fault("random", json!({ "seed": 3, "rate": 1 }));
    for _ in 0..600 {
        rig.phone.dump();
        rig.phone.key(82);
        rig.wait(200);
    }
    rig.phone.clear_fault("random").unwrap();

    let told = rig.phone.describe();
    let came: Vec<&str> = told["mishaps"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut all: Vec<&str> = FaultKind::all().map(FaultKind::name).collect();
    all.retain(|kind| *kind != "random");
    all.sort_unstable();
    assert_eq!(came, all);
    rig.wait(10_000);
    let waits = ["app_crash", "publish_ack_lost", "popup"];
    let faults = rig.phone.describe()["faults"].clone();
    let lasting = faults
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["kind"].as_str().unwrap());
    assert_eq!(lasting.filter(|kind| !waits.contains(kind)).count(), 0, "{faults}");
    // The room on the disk came back, too.
    rig.phone.files().write("/sdcard/room", "x").unwrap();
}

#[test]
fn a_mishap_neither_replaces_nor_ends_what_somebody_has_set() {
    let rig = Rig::new();
    rig.fault("slow", json!({ "ms": 9_000 }));
    rig.fault("random", json!({ "seed": 3, "rate": 1 }));
    for _ in 0..300 {
        rig.phone.dump();
        rig.wait(200);
    }
    rig.phone.clear_fault("random").unwrap();
    rig.wait(10_000);

    assert_eq!(rig.phone.describe()["link"]["slow_ms"], 9_000);
    assert!(rig.phone.describe()["mishaps"]["slow"].as_u64() > Some(0));
}

#[test]
fn a_popup_that_came_at_random_does_not_come_again() {
    let rig = Rig::new();
    rig.fault("random", json!({ "seed": 1, "rate": 1 }));
    let popup = |rig: &Rig| rig.phone.describe()["faults"].to_string().contains("popup");
    for _ in 0..100 {
        if popup(&rig) {
            break;
        }
        rig.phone.dump();
        rig.wait(5_000);
    }
    rig.phone.clear_fault("random").unwrap();
    rig.phone.key(82);
    rig.tap("OK");
    assert!(!popup(&rig));
}

/// Fingers and keys at random, with faults in between.
#[test]
fn no_sequence_of_input_breaks_the_world() {
    let rig = Rig::new().media(&["a.jpg", "b.jpg", "clip.mp4"]);
    let mut seed = 0x5eed_u64;
    let mut draw = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let keys = [3, 4, 4, 26, 66, 67, 82, 82, 187, 224, 224, 29, 279];
    let links = [
        "https://www.tiktok.com/@trail_diary",
        "https://www.instagram.com/reels/audio/1/",
        "instagram://x",
    ];
    let kinds: Vec<_> = FaultKind::all().collect();
    for step in 0..4_000 {
        if step % 50 == 0 {
            rig.phone.clear_all_faults();
            rig.phone.put_setting("global", "airplane_mode_on", Some("0"));
            [224, 82].into_iter().for_each(|code| rig.phone.key(code));
        }
        let views: Vec<_> = rig.views().into_iter().filter(|view| view.clickable).collect();
        match draw(20) {
            0 => rig.phone.key(keys[usize::try_from(draw(13)).unwrap()]),
            1 => drop(rig.phone.open_link(links[usize::try_from(draw(3)).unwrap()], None)),
            2 => drop(rig.phone.type_text("7 Ünï 🎉")),
            3 => rig
                .phone
                .swipe((540, 1_500), (540, i32::try_from(draw(2_400)).unwrap()), 300),
            4 if draw(3) == 0 => {
                let kind = kinds[usize::try_from(draw(19)).unwrap()];
                rig.fault(kind.name(), json!({ "ms": 900, "when": "after" }));
            }
            5 if draw(2) == 0 => rig.phone.clear_all_faults(),
            6 => rig.wait(draw(2_000)),
            7 => rig.launch_any(draw(4)),
            _ if !views.is_empty() => {
                let view = &views[usize::try_from(draw(views.len() as u64)).unwrap()];
                rig.phone.tap(
                    (view.bounds[0] + view.bounds[2]) / 2,
                    (view.bounds[1] + view.bounds[3]) / 2,
                );
            }
            _ => rig.wait(500),
        }
        for view in rig.views().iter().filter(|view| !view.text.starts_with("item ")) {
            let [left, top, right, bottom] = view.bounds;
            assert!(0 <= left && left < right && right <= 1_080, "step {step}: {view:?}");
            assert!(0 <= top && top < bottom && bottom <= 2_400, "step {step}: {view:?}");
        }
    }
    rig.phone.clear_all_faults();
    rig.wait(60_000);
    let ledger = rig.world.ledger();
    assert!(ledger.iter().zip(1..).all(|(entry, seq)| entry.seq == seq));
    assert!(ledger.windows(2).all(|pair| pair[0].at <= pair[1].at));
    for kind in [
        "publish",
        "follow",
        "switch_account",
        "app_crash",
        "reboot",
        "upload_lost",
    ] {
        assert!(ledger.iter().any(|entry| entry.kind == kind), "{kind} never happened");
    }
}
