use serde_json::json;

use super::{INSTAGRAM, Rig, TIKTOK};
use crate::{
    handset::{Dump, Handset, Launched},
    world::{PhoneSpec, WorldError, fault::FaultKind},
};

#[test]
fn every_kind_of_the_contract_is_known_and_others_are_refused() {
    let rig = Rig::new();
    for kind in FaultKind::all() {
        rig.fault(kind.name(), json!({ "ms": 1 }));
        rig.phone.clear_fault(kind.name()).unwrap();
    }
    assert_eq!(FaultKind::all().count(), 20);
    let refused = rig.phone.set_fault("gremlins", &json!({})).unwrap_err();
    assert!(matches!(&refused, WorldError::UnknownFault { kind } if kind == "gremlins"));
    assert!(refused.to_string().contains("upload_slow"));
    assert!(rig.phone.set_fault("slow", &json!({ "ms": "soon" })).is_err());
    assert!(rig.phone.set_fault("slow", &json!({})).is_err());
    assert!(rig.phone.set_fault("app_crash", &json!({ "when": "later" })).is_err());
}

#[test]
fn link_faults_reach_the_link() {
    let rig = Rig::new();
    let link = rig.phone.watch_link();
    rig.fault("offline", json!({}));
    rig.fault("slow", json!({ "ms": 250 }));
    assert!(link.borrow().offline);
    assert_eq!(link.borrow().slow_ms, 250);
    rig.fault("drop_connection", json!({}));
    assert_eq!(link.borrow().drops, 1);
    assert_eq!(rig.phone.clear_fault("offline"), Ok(true));
    assert_eq!(rig.phone.clear_fault("offline"), Ok(false));
    rig.fault("unauthorized", json!({}));
    rig.fault("hang", json!({}));
    assert!(link.borrow().unauthorized && link.borrow().hang && !link.borrow().offline);
    rig.phone.clear_all_faults();
    assert_eq!(
        (link.borrow().unauthorized, link.borrow().hang, link.borrow().slow_ms),
        (false, false, 0)
    );
}

#[test]
fn a_fault_is_counted_when_it_makes_a_difference_not_while_it_waits() {
    let rig = Rig::new();
    let struck = || rig.phone.describe()["struck"].clone();
    for kind in [
        "app_crash",
        "publish_ack_lost",
        "upload_fails",
        "no_idle",
        "popup",
        "challenge",
    ] {
        rig.fault(kind, json!({}));
    }
    rig.fault("slow", json!({ "ms": 1 }));
    rig.fault("storage_full", json!({}));
    rig.fault("app_not_installed", json!({ "app": "instagram" }));
    assert_eq!(
        struck(),
        json!({}),
        "nobody has met one of them, and telling of them meets none"
    );

    assert_eq!(rig.phone.dump(), Dump::NotIdle);
    rig.phone.clear_fault("no_idle").unwrap();
    rig.launch(TIKTOK);
    rig.phone.dump();
    assert!(rig.phone.files().write("/sdcard/a.txt", "a").is_err());
    rig.phone.launch(INSTAGRAM, None, false);
    rig.phone.was_slow();
    rig.fault("drop_connection", json!({}));
    rig.phone.clear_all_faults();

    let once = json!({
        "no_idle": 1, "popup": 1, "challenge": 1, "storage_full": 1, "app_not_installed": 1, "slow": 1, "drop_connection": 1
    });
    assert_eq!(struck(), once, "also when they are over");
}

#[test]
fn dumps_fail_in_three_ways() {
    let rig = Rig::new();
    rig.fault("no_idle", json!({}));
    assert_eq!(rig.phone.dump(), Dump::NotIdle);
    rig.phone.clear_all_faults();
    rig.fault("garbage_hierarchy", json!({}));
    assert!(matches!(rig.phone.dump(), Dump::Garbage(bytes) if !bytes.is_empty()));
    rig.phone.clear_all_faults();
    rig.fault("huge_hierarchy", json!({}));
    assert!(rig.views().len() > 8_000);
    rig.phone.clear_all_faults();
    rig.phone.key(223);
    assert_eq!(rig.phone.dump(), Dump::NoRoot);
}

#[test]
fn a_popup_lies_over_the_app_until_it_is_closed_and_comes_again_with_the_next_start() {
    let rig = Rig::new();
    rig.launch(TIKTOK);
    rig.fault("popup", json!({ "text": "Rate us!" }));
    assert!(rig.sees("Rate us!"));
    assert!(!rig.sees("feed_pager"));
    rig.tap("Close");
    assert!(rig.sees("feed_pager"));
    rig.phone.stop(TIKTOK);
    rig.launch(TIKTOK);
    rig.tap("OK");
    rig.phone.clear_all_faults();
    rig.phone.stop(TIKTOK);
    rig.launch(TIKTOK);
    assert!(!rig.sees("Rate us!"));
}

#[test]
fn a_challenge_lets_nobody_past() {
    let rig = Rig::new();
    for package in [TIKTOK, INSTAGRAM] {
        rig.fault("challenge", json!({}));
        rig.launch(package);
        assert!(rig.sees("Verify it's you"));
        rig.phone
            .open_link("https://www.tiktok.com/@coffee_corner", Some(package));
        assert!(!rig.sees("follow_button"));
        rig.phone.clear_all_faults();
        assert!(!rig.sees("Verify it's you"));
    }
    rig.fault("challenge", json!({ "app": "tiktok" }));
    assert!(!rig.sees("Verify it's you"));
    rig.launch(TIKTOK);
    assert!(rig.sees("Verify it's you"));
}

#[test]
fn a_challenge_of_one_account_leaves_the_way_to_another() {
    let rig = Rig::new();
    rig.fault("challenge", json!({ "account": "@User1" }));
    rig.phone.open_link("https://www.tiktok.com/@coffee_corner", None);
    assert!(rig.sees("Verify it's you"));
    assert!(!rig.sees("follow_button"));

    rig.back();
    rig.taps(&["tab_profile", "account_switcher", "user2"]);
    rig.phone.open_link("https://www.tiktok.com/@coffee_corner", None);
    rig.tap("Follow");

    assert_eq!(rig.deeds("follow")[0].account, "user2");
}

#[test]
fn a_login_on_the_phone_ends_logged_out() {
    let rig = Rig::new();
    rig.fault("logged_out", json!({}));
    rig.launch(TIKTOK);
    assert!(rig.sees("login_button"));
    assert!(!rig.sees("tab_profile"));
    rig.phone.login("tiktok", "@User2").unwrap();
    rig.tap("tab_profile");
    assert_eq!(rig.see("profile_username").text, "@user2");
    assert!(rig.phone.login("myspace", "tom").is_err());
    assert!(rig.phone.login("tiktok", "two words").is_err());
}

#[test]
fn a_failed_upload_has_no_effect_and_keeps_the_draft() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.to_tiktok_post_page();
    rig.write("caption_field", "try again");
    rig.fault("upload_fails", json!({}));
    rig.tap("Post");
    rig.wait(1_300);
    assert!(rig.sees("Couldn't upload. Saved to drafts"));
    assert_eq!(rig.deeds("publish"), []);
    assert_eq!(rig.see("posts_count").text, "0");

    rig.phone.clear_all_faults();
    rig.taps(&["Drafts: 1", "Post"]);
    rig.wait(1_300);
    assert_eq!(rig.deeds("publish")[0].detail["caption"], "try again");
}

#[test]
fn a_slow_upload_takes_its_time() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.fault("upload_slow", json!({ "ms": 20_000 }));
    rig.to_tiktok_post_page();
    rig.tap("Post");
    rig.wait(10_000);
    assert_eq!(rig.see("upload_progress").text, "Uploading… 50%");
    assert_eq!(rig.deeds("publish"), []);
    rig.wait(10_000);
    assert_eq!(rig.deeds("publish").len(), 1);
}

#[test]
fn the_word_on_an_upload_shows_while_the_next_one_is_on_its_way() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.fault("upload_slow", json!({ "ms": 60_000 }));
    for _ in 0..2 {
        rig.to_tiktok_post_page();
        rig.tap("Post");
        rig.wait(10_000);
    }
    assert!(rig.sees("upload_progress"));
    while rig.deeds("publish").is_empty() {
        rig.wait(1_000);
    }
    assert_eq!(rig.see("upload_result").text, "Your video has been posted");
    rig.wait(8_000);
    assert!(rig.sees("upload_progress") && !rig.sees("upload_result"));
}

#[test]
fn a_crash_before_the_effect_leaves_nothing_and_happens_once() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.fault("app_crash", json!({}));
    rig.to_tiktok_post_page();
    rig.tap("Post");
    assert!(rig.sees("TikTok keeps stopping"));
    assert_eq!(rig.phone.focus().unwrap().1, format!("Application Error: {TIKTOK}"));
    rig.tap("Close app");
    assert_eq!(rig.phone.focus().unwrap().0, crate::apps::LAUNCHER);
    rig.wait(5_000);
    assert_eq!((rig.deeds("publish").len(), rig.deeds("app_crash").len()), (0, 1));

    rig.to_tiktok_post_page();
    rig.tap("Post");
    rig.wait(1_300);
    assert_eq!(rig.deeds("publish").len(), 1);
}

#[test]
fn a_crash_after_the_effect_leaves_it() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.fault("app_crash", json!({ "when": "after" }));
    rig.to_tiktok_post_page();
    rig.tap("Post");
    assert!(rig.sees("upload_progress"));
    rig.wait(1_300);
    assert!(rig.sees("TikTok keeps stopping"));
    assert_eq!(rig.deeds("publish").len(), 1);

    rig.fault("app_crash", json!({ "when": "after" }));
    rig.phone.open_link("https://www.tiktok.com/@coffee_corner", None);
    rig.tap("Follow");
    assert!(rig.sees("TikTok keeps stopping"));
    assert_eq!(rig.deeds("follow").len(), 1);
    rig.phone.open_link("https://www.tiktok.com/@coffee_corner", None);
    assert_eq!(rig.see("follow_button").text, "Following");
}

#[test]
fn a_crash_on_command_hits_the_running_app() {
    let rig = Rig::new();
    rig.launch(INSTAGRAM);
    rig.fault("app_crash", json!({ "now": true }));
    assert!(rig.sees("Instagram keeps stopping"));
    assert_eq!(rig.deeds("app_crash")[0].app, "instagram");
}

#[test]
fn a_lost_confirmation_shows_an_error_and_yet_the_post_is_there() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.fault("publish_ack_lost", json!({}));
    rig.to_tiktok_post_page();
    rig.write("caption_field", "did it work?");
    rig.tap("Post");
    rig.wait(1_300);
    assert!(rig.sees("Something went wrong. Check your connection"));
    assert!(!rig.sees("Your video has been posted"));
    assert_eq!(rig.see("profile_post").description, "did it work?");
    assert_eq!(rig.deeds("publish").len(), 1);
}

#[test]
fn a_reboot_loses_the_upload_drops_the_link_and_comes_back() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.to_tiktok_post_page();
    rig.tap("Post");
    let (boot_id, link) = (rig.phone.boot_id(), rig.phone.watch_link());
    rig.fault("reboot", json!({}));
    assert!(link.borrow().offline);
    assert_eq!(link.borrow().drops, 1);
    assert_eq!(rig.phone.dump(), Dump::NoRoot);
    assert_eq!(rig.phone.launch(TIKTOK, None, false), Launched::Unresolved);

    rig.wait(1_500);
    // adb comes before Android.
    assert!(!link.borrow().offline);
    assert_ne!(rig.phone.boot_id(), boot_id);
    assert_eq!(rig.phone.property("sys.boot_completed").as_deref(), Some(""));
    assert_eq!(rig.phone.launch(TIKTOK, None, false), Launched::Unresolved);

    rig.wait(1_500);

    assert_eq!(rig.phone.property("sys.boot_completed").as_deref(), Some("1"));
    assert!(rig.phone.power().locked);
    assert!(rig.sees("keyguard_indication_text"));
    rig.phone.swipe((540, 1_900), (540, 500), 200);
    assert_eq!(rig.phone.focus().unwrap().0, crate::apps::LAUNCHER);
    assert_eq!((rig.deeds("publish").len(), rig.deeds("upload_lost").len()), (0, 1));
}

#[test]
fn a_forced_stop_loses_the_upload_and_home_does_not() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.to_tiktok_post_page();
    rig.tap("Post");
    rig.phone.key(3);
    rig.wait(1_300);
    assert_eq!(rig.deeds("publish").len(), 1);

    rig.to_tiktok_post_page();
    rig.tap("Post");
    rig.phone.launch(TIKTOK, None, true);
    rig.wait(1_300);
    assert_eq!(rig.deeds("publish").len(), 1);
}

#[test]
fn without_space_or_network_nothing_is_published_or_followed() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.fault("storage_full", json!({}));
    assert!(rig.phone.files().write("/sdcard/DCIM/more.mp4", vec![1, 2, 3]).is_err());
    rig.to_tiktok_post_page();
    rig.tap("Post");
    rig.wait(1_300);
    rig.phone.clear_all_faults();
    rig.phone.put_setting("global", "airplane_mode_on", Some("1"));
    rig.tap("Post");
    rig.wait(1_300);
    rig.phone.open_link("https://www.tiktok.com/@coffee_corner", None);
    rig.tap("Follow");
    assert_eq!(rig.world.ledger(), []);
    assert_eq!(rig.see("follow_button").text, "Follow");
}

#[test]
fn an_app_can_be_missing() {
    let rig = Rig::new();
    rig.launch(TIKTOK);
    rig.fault("app_not_installed", json!({ "app": "tiktok" }));
    assert_eq!(rig.phone.launch(TIKTOK, None, false), Launched::Unresolved);
    assert_eq!(
        rig.phone.open_link("https://www.tiktok.com/@user1", None),
        Launched::Unresolved
    );
    assert!(!rig.phone.apps().iter().any(|app| app.package == TIKTOK));
    assert!(!rig.sees("TikTok"));
    assert!(matches!(
        rig.phone.launch(INSTAGRAM, None, false),
        Launched::Started { cold: true, .. }
    ));
    rig.phone.clear_all_faults();
    assert!(matches!(
        rig.phone.launch(TIKTOK, None, false),
        Launched::Started { cold: true, .. }
    ));
}

#[test]
fn the_first_start_asks_things_once() {
    let spec = PhoneSpec::new("sim-1").with_account("tiktok", "user1");
    let rig = Rig::of(spec);
    rig.launch(TIKTOK);
    rig.taps(&["Not now", "Don't allow"]);
    assert!(rig.sees("feed_pager"));
    rig.phone.launch(TIKTOK, None, true);
    assert!(rig.sees("feed_pager"));
}

#[test]
fn cleared_app_data_means_no_accounts_no_permissions_and_first_dialogs_again() {
    let rig = Rig::new().media(&["clip.mp4"]);
    assert!(rig.phone.clear(TIKTOK));
    rig.launch(TIKTOK);
    assert!(rig.sees("login_button"));
    rig.phone.login("tiktok", "user1").unwrap();
    rig.taps(&["Not now", "Don't allow", "Create", "Upload"]);
    assert!(
        rig.see("permission_message")
            .text
            .starts_with("Allow TikTok to access photos")
    );
    rig.tap("Allow");
    assert!(rig.sees("clip.mp4"));
    assert!(!rig.phone.clear("com.example.absent"));
}

#[test]
fn a_secure_window_is_black_in_pictures_and_still_in_the_dump() {
    let rig = Rig::new();
    let row = |at: usize| {
        let pixels = rig.phone.frame().rgba;
        let row = &pixels[at * 1_080 * 4..(at + 1) * 1_080 * 4];
        row.chunks(4).any(|pixel| pixel[..3] != [0; 3])
    };
    let middle = |any: &dyn Fn(usize) -> bool| (300..2_000).step_by(50).any(any);
    assert!(middle(&row) && !rig.phone.is_secure());

    rig.fault("secure_screen", json!({}));

    assert!(!middle(&row) && rig.phone.is_secure());
    assert!((0..100).any(row), "the status bar shows");
    assert!(!rig.views().is_empty());
    rig.phone.clear_all_faults();
    assert!(middle(&row));
}

#[test]
fn a_toast_is_drawn_and_no_dump_tells_it() {
    let rig = Rig::new();
    rig.launch(TIKTOK);
    rig.phone.put_setting("global", "airplane_mode_on", Some("1"));
    rig.phone.open_link("https://www.tiktok.com/@coffee_corner", None);
    let where_toasts_are = || {
        let pixels = rig.phone.frame().rgba;
        pixels[2_115 * 1_080 * 4..2_116 * 1_080 * 4].to_vec()
    };
    let before = where_toasts_are();

    rig.tap("follow_button");

    assert_ne!(where_toasts_are(), before, "nothing was drawn");
    assert!(rig.see("follow_button").text == "Follow" && !rig.sees("No internet connection"));
}
