use serde_json::json;

use super::{INSTAGRAM, Rig, TIKTOK};
use crate::{
    handset::{Handset, Launched},
    world::{Phone, PhoneSpec},
};

#[test]
fn a_person_is_followed_directly_by_link_once() {
    let rig = Rig::new();
    for (link, package) in [
        ("https://www.tiktok.com/@Coffee_Corner", TIKTOK),
        ("https://www.instagram.com/coffee_corner/", INSTAGRAM),
    ] {
        assert!(matches!(
            rig.phone.open_link(link, Some(package)),
            Launched::Started { .. }
        ));
        assert_eq!(rig.see("follow_button").text, "Follow");

        rig.tap("follow_button");

        assert_eq!(rig.see("follow_button").text, "Following");
        let app = rig.deeds("follow").last().unwrap().clone();
        assert_eq!(
            (app.account.as_str(), &app.detail),
            ("user1", &json!({ "target": "coffee_corner" }))
        );
    }
    assert_eq!(rig.deeds("follow").len(), 2);

    rig.phone.open_link("snssdk1233://user/profile/coffee_corner", None);
    assert_eq!(rig.see("follow_button").text, "Following");
}

#[test]
fn a_person_is_found_by_search() {
    let rig = Rig::new();
    rig.launch(TIKTOK);
    rig.taps(&["tab_discover", "search_entry"]);
    assert!(rig.see("search_field").focused);
    assert!(rig.phone.type_text("trail_diary"));
    rig.tap("search_submit");
    rig.taps(&["search_user", "Follow"]);
    assert_eq!(rig.deeds("follow")[0].detail["target"], "trail_diary");

    rig.taps(&["Back", "search_field"]);
    assert!(rig.phone.clear_text());
    assert!(rig.phone.type_text("no_such_person"));
    rig.phone.key(66);
    assert!(rig.sees("No results found for \"no_such_person\""));
}

#[test]
fn unfollowing_asks_first() {
    let rig = Rig::new();
    rig.phone.open_link("https://www.instagram.com/paper_birds/", None);
    rig.taps(&["Follow", "Following", "Cancel"]);
    assert_eq!(rig.deeds("unfollow"), []);

    rig.taps(&["Following", "Unfollow"]);

    assert_eq!(rig.see("follow_button").text, "Follow");
    assert_eq!(rig.deeds("unfollow")[0].detail, json!({ "target": "paper_birds" }));
}

#[test]
fn followers_are_offered_follow_back_and_private_people_are_asked() {
    let rig = Rig::new();
    rig.phone.open_link("https://www.tiktok.com/@user9", None);
    rig.tap("Follow");
    let other = Phone::new(
        rig.world.clone(),
        PhoneSpec {
            first_run: false,
            ..PhoneSpec::new("sim-2")
        }
        .with_account("tiktok", "user9"),
    );
    let other = Rig {
        world: rig.world.clone(),
        phone: other,
    };
    other.phone.open_link("https://www.tiktok.com/@user1", None);
    assert_eq!(other.see("follow_button").text, "Follow back");
    assert_eq!(other.see("following_count").text, "1");

    other.phone.open_link("https://www.tiktok.com/@private_garden", None);
    other.tap("Follow");
    assert_eq!(other.see("follow_button").text, "Requested");
    assert_eq!(other.deeds("follow_request")[0].serial, "sim-2");
    assert!(other.sees("This account is private"));
    other.taps(&["Requested", "Unfollow", "Follow"]);
    assert_eq!(other.see("follow_button").text, "Requested");
    assert_eq!(other.deeds("unfollow").len(), 1);
}

#[test]
fn unknown_people_are_not_found() {
    let rig = Rig::new();
    rig.phone.open_link("https://www.tiktok.com/@nobody_here", None);
    assert!(rig.sees("Couldn't find this account"));
    rig.phone.open_link("instagram://user?username=nobody_here", None);
    assert!(rig.sees("User not found"));
    assert!(!rig.sees("follow_button"));
}

#[test]
fn the_account_switcher_shows_the_current_account_and_switches() {
    let rig = Rig::new();
    rig.launch(TIKTOK);
    rig.tap("tab_profile");
    assert_eq!(rig.see("profile_username").text, "@user1");
    rig.tap("account_switcher");
    let rows: Vec<_> = rig
        .views()
        .into_iter()
        .filter(|view| view.id.ends_with("/account_row"))
        .collect();
    assert_eq!(
        rows.iter().map(|row| (row.selected, row.checked)).collect::<Vec<_>>(),
        [(true, true), (false, false)]
    );

    rig.tap("user2");

    assert_eq!(rig.see("profile_username").text, "@user2");
    assert_eq!(
        rig.deeds("switch_account")[0].detail,
        json!({ "from": "user1", "to": "user2" })
    );
    rig.launch(INSTAGRAM);
    rig.tap("profile_tab");
    assert_eq!(rig.see("action_bar_title").text, "user1");
}

#[test]
fn an_account_is_added_by_its_owner() {
    let rig = Rig::new();
    rig.launch(INSTAGRAM);
    rig.taps(&["profile_tab", "account_switcher", "Add account"]);
    rig.write("login_username", "user3");
    rig.write("login_password", "secret");
    assert_eq!(rig.see("login_password").text, "••••••");
    rig.tap("login_button");

    rig.tap("profile_tab");
    assert_eq!(rig.see("action_bar_title").text, "user3");
    assert_eq!(rig.deeds("login")[0].account, "user3");
}

#[test]
fn the_feed_turns_page_by_page() {
    let rig = Rig::new();
    rig.launch(TIKTOK);
    let first = rig.see("feed_author").text;
    rig.phone.swipe((540, 1_800), (540, 600), 300);
    let second = rig.see("feed_author").text;
    assert_ne!(first, second);
    rig.phone.swipe((540, 600), (540, 1_800), 300);
    assert_eq!(rig.see("feed_author").text, first);
}
