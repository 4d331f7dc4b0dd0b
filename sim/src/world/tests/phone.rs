use super::{Rig, TIKTOK};
use crate::{
    apps::{ADB_KEYBOARD_IME, KEYBOARD, KEYBOARD_IME},
    handset::{Handset, Launched},
    world::{Phone, PhoneSpec, World},
};

#[test]
fn the_launcher_starts_apps_and_keys_lead_back() {
    let rig = Rig::new();
    rig.tap("TikTok");
    assert!(rig.sees("feed_pager"));
    rig.phone.key(3);
    assert!(rig.sees("workspace"));
    rig.phone.key(187);
    assert!(rig.sees("feed_pager"));
    rig.taps(&["tab_inbox"]);
    rig.back();
    assert!(rig.sees("feed_pager"));
    rig.back();
    assert!(rig.sees("workspace"));
}

#[test]
fn starts_say_whether_they_were_cold_and_refuse_what_is_not_there() {
    let rig = Rig::new();
    let activity = "com.zhiliaoapp.musically/com.ss.android.ugc.aweme.splash.SplashActivity".to_owned();
    assert_eq!(
        rig.phone.launch(TIKTOK, None, false),
        Launched::Started {
            activity: activity.clone(),
            cold: true
        }
    );
    assert_eq!(
        rig.phone.launch(TIKTOK, None, false),
        Launched::AlreadyInFront {
            activity: activity.clone()
        }
    );
    rig.phone.key(3);
    assert_eq!(
        rig.phone.launch(TIKTOK, Some(&activity), false),
        Launched::Started { activity, cold: false }
    );
    assert_eq!(
        rig.phone.launch(TIKTOK, Some("com.zhiliaoapp.musically/.Wrong"), false),
        Launched::Unresolved
    );
    assert_eq!(
        rig.phone.launch("com.example.absent", None, false),
        Launched::Unresolved
    );
    assert_eq!(rig.phone.open_link("https://example.com/", None), Launched::Unresolved);
    rig.phone.install("com.example.app");
    assert!(matches!(
        rig.phone.launch("com.example.app", None, false),
        Launched::Started { .. }
    ));
    assert!(rig.phone.uninstall("com.example.app"));
    assert!(!rig.phone.uninstall("com.example.app"));
}

#[test]
fn settings_scroll_switch_search_and_take_text() {
    let rig = Rig::new();
    rig.launch(crate::apps::SETTINGS);
    assert!(!rig.sees("About phone"));
    rig.phone.swipe((540, 2_000), (540, 600), 600);
    rig.tap("About phone");
    assert!(rig.sees("Build number"));
    rig.tap("Device name");
    rig.write("edit", "Farm phone 7");
    rig.tap("OK");
    assert!(rig.sees("Farm phone 7"));
    assert_eq!(
        rig.phone.setting("global", "device_name").as_deref(),
        Some("Farm phone 7")
    );

    rig.back();
    rig.tap("search_action_bar");
    assert!(rig.phone.type_text("network"));
    rig.tap("Network & internet");
    let wifi = rig.see("Wi-Fi");
    assert!(!wifi.text.is_empty());
    rig.tap("Airplane mode");
    assert_eq!(rig.phone.setting("global", "airplane_mode_on").as_deref(), Some("1"));
}

#[test]
fn a_locked_phone_shows_its_keyguard_and_takes_no_taps() {
    let rig = Rig::new();
    rig.phone.key(26);
    assert!(!rig.phone.power().awake);
    rig.phone.key(224);
    assert!(rig.phone.power().awake && rig.phone.power().locked);
    rig.phone.tap(180, 760);
    rig.phone.key(3);
    assert!(rig.sees("keyguard_root_view"));
    rig.phone.key(82);
    assert!(!rig.phone.power().locked);
    assert!(rig.sees("workspace"));
}

#[test]
fn input_methods_are_enabled_before_they_are_chosen() {
    let rig = Rig::new();
    assert_eq!(rig.phone.input_method(), KEYBOARD_IME);
    assert!(!rig.phone.set_input_method(ADB_KEYBOARD_IME));
    assert!(rig.phone.enable_input_method(ADB_KEYBOARD_IME, true));
    assert!(rig.phone.set_input_method(ADB_KEYBOARD_IME));
    assert!(!rig.phone.enable_input_method("com.absent/.Ime", true));
    rig.phone.open_link("https://www.tiktok.com/@user1", None);
    rig.taps(&["Home", "search_button"]);
    assert!(rig.phone.type_text("x"));
    assert!(!rig.views().iter().any(|view| view.package == KEYBOARD));
}

#[test]
fn text_needs_a_field_and_keys_type_too() {
    let rig = Rig::new();
    assert!(!rig.phone.type_text("lost"));
    assert!(!rig.phone.clear_text());
    rig.launch(crate::apps::SETTINGS);
    rig.tap("search_action_bar");
    for code in [29, 30, 8, 62, 67] {
        rig.phone.key(code);
    }
    rig.phone.set_clipboard("Ω");
    rig.phone.key(279);
    assert_eq!(rig.see("open_search_view_edit_text").text, "ab1Ω");
}

#[test]
fn media_are_found_by_a_scan_and_forgotten_when_they_are_gone() {
    let rig = Rig::new().media(&["a.jpg"]);
    rig.phone
        .files()
        .write("/sdcard/Pictures/deep/er/b.PNG", vec![1])
        .unwrap_or_else(|_| {
            rig.phone.files().mkdirs("/sdcard/Pictures/deep/er").unwrap();
            rig.phone
                .files()
                .write("/sdcard/Pictures/deep/er/b.PNG", vec![1])
                .unwrap();
        });
    rig.phone.files().write("/sdcard/Download/notes.txt", vec![1]).unwrap();
    assert_eq!(rig.phone.media().len(), 1);
    rig.phone.scan_media("external_primary");
    let names = |rig: &Rig| rig.phone.media().into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(&rig), ["a.jpg", "b.PNG"]);
    rig.phone.files().remove("/sdcard/DCIM/Camera/a.jpg").unwrap();
    rig.phone.scan_media("file:///storage/emulated/0/DCIM/Camera/a.jpg");
    assert_eq!(names(&rig), ["b.PNG"]);
}

#[test]
fn phones_differ_in_model_and_name_their_serial() {
    let world = World::with_manual_clock();
    let models: std::collections::BTreeSet<_> = (1..=5)
        .map(|number| Phone::new(world.clone(), PhoneSpec::new(format!("sim-{number}"))))
        .map(|phone| {
            assert_eq!(phone.property("ro.serialno"), Some(phone.serial()));
            assert_eq!(phone.property("ro.absent"), None);
            phone.property("ro.product.model").unwrap()
        })
        .collect();
    assert_eq!(models.len(), 5);
}

#[test]
fn a_description_tells_the_state() {
    let rig = Rig::new().media(&["a.jpg"]);
    rig.launch(TIKTOK);
    rig.fault("upload_slow", serde_json::json!({ "ms": 7 }));
    let told = rig.phone.describe();
    assert_eq!(told["serial"], "sim-1");
    assert_eq!(told["foreground"], TIKTOK);
    assert_eq!(told["screen"], "home");
    assert_eq!(told["faults"], serde_json::json!([{ "kind": "upload_slow", "ms": 7 }]));
    assert_eq!(told["apps"][0]["accounts"], serde_json::json!(["user1", "user2"]));
    assert_eq!(told["apps"][0]["current"], "user1");
    assert_eq!(told["media"], serde_json::json!(["/sdcard/DCIM/Camera/a.jpg"]));
}

#[test]
fn scrolled_lists_show_whole_or_cut_rows_only_inside_their_bounds() {
    let rig = Rig::new();
    rig.launch(crate::apps::SETTINGS);
    rig.phone.swipe((540, 2_000), (540, 1_650), 600);
    let list = rig.see("recycler_view");
    assert!(list.scrollable);
    for row in &list.children {
        assert!(row.bounds[1] >= list.bounds[1] && row.bounds[3] <= list.bounds[3]);
        assert!(row.bounds[1] < row.bounds[3]);
    }
}

#[tokio::test]
async fn with_the_machines_time_uploads_end_and_phones_come_back_though_nobody_looks() {
    let world = World::new();
    let quick = |serial: &str| PhoneSpec {
        first_run: false,
        boot_ms: 100,
        upload_ms: 20,
        ..PhoneSpec::new(serial)
    };
    let phone = Phone::new(world.clone(), quick("sim-1").with_account("tiktok", "user1"));
    let rig = Rig {
        world: world.clone(),
        phone,
    }
    .media(&["clip.mp4"]);
    let other = Phone::new(world.clone(), quick("sim-2"));
    let mut link = other.watch_link();
    rig.to_tiktok_post_page();
    rig.tap("Post");
    other.reboot();
    assert!(link.borrow_and_update().offline);

    let back = tokio::time::timeout(std::time::Duration::from_secs(10), link.changed()).await;

    assert!(back.is_ok() && !link.borrow().offline);
    let published = crate::world::lock(&world.ledger).entries();
    assert!(published.iter().any(|entry| entry.kind == "publish"));
}
