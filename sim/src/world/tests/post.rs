use serde_json::json;

use super::{INSTAGRAM, Rig, TIKTOK};
use crate::handset::{Handset, Launched};

#[test]
fn a_video_is_published_when_its_upload_ends_and_not_before() {
    let rig = Rig::new().media(&["old.mp4", "video1.mp4"]);
    rig.to_tiktok_post_page();
    rig.write("caption_field", "Zażółć gęślą jaźń 🎉 #fyp");

    rig.tap("Post");

    assert!(rig.see("upload_progress").text.starts_with("Uploading… "));
    assert_eq!(rig.deeds("publish"), []);
    rig.wait(1_300);
    assert!(rig.sees("Your video has been posted"));
    let publishes = rig.deeds("publish");
    assert_eq!(publishes.len(), 1);
    assert_eq!(publishes[0].account, "user1");
    assert_eq!(publishes[0].app, "tiktok");
    assert_eq!(publishes[0].serial, "sim-1");
    let detail = &publishes[0].detail;
    assert_eq!(detail["caption"], "Zażółć gęślą jaźń 🎉 #fyp");
    assert_eq!(detail["files"][0]["name"], "video1.mp4");
    assert_eq!(detail["files"][0]["size"], "content of video1.mp4".len());
    assert_eq!(detail["files"][0]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(detail["content_type"], "video");
    assert_eq!(detail["post_way"], "addButton");
    assert_eq!(detail["placement"], "feed");
    assert_eq!(rig.see("profile_post").description, "Zażółć gęślą jaźń 🎉 #fyp");
    assert_eq!(rig.see("posts_count").text, "1");
    rig.wait(9_000);
    assert!(!rig.sees("upload_result"));
}

#[test]
fn three_images_are_published_in_the_order_in_which_they_were_chosen() {
    let rig = Rig::new().media(&["a.jpg", "b.jpg", "clip.mp4", "c.jpg"]);
    rig.launch(TIKTOK);
    rig.taps(&["Create", "Upload", "Photos"]);
    assert!(!rig.sees("clip.mp4"));

    rig.taps(&["b.jpg", "c.jpg", "a.jpg"]);
    assert_eq!(rig.see("b.jpg").children[1].text, "1");
    assert_eq!(rig.see("a.jpg").children[1].text, "3");
    assert_eq!(rig.see("picker_next").text, "Next (3)");
    rig.taps(&["picker_next", "editor_next", "Post"]);
    rig.wait(1_300);

    let detail = rig.deeds("publish")[0].detail.clone();
    let names: Vec<_> = detail["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["name"].clone())
        .collect();
    assert_eq!(names, ["b.jpg", "c.jpg", "a.jpg"]);
    assert_eq!(detail["content_type"], "images");
    assert!(rig.sees("Your photos have been posted"));
}

#[test]
fn a_video_and_photos_do_not_mix() {
    let rig = Rig::new().media(&["a.jpg", "clip.mp4"]);
    rig.launch(TIKTOK);
    rig.taps(&["Create", "Upload", "clip.mp4", "a.jpg"]);
    assert!(rig.see("clip.mp4").selected);
    assert!(!rig.see("a.jpg").selected);
}

#[test]
fn instagram_publishes_reels_posts_and_stories() {
    let rig = Rig::new().media(&["clip.mp4"]);
    for (kind, placement) in [("REEL", "reel"), ("POST", "post")] {
        rig.launch(INSTAGRAM);
        rig.taps(&["Create", kind, "clip.mp4", "picker_next", "editor_next"]);
        rig.write("caption_text_view", placement);
        rig.tap("share_button");
        rig.wait(1_300);
        assert!(rig.sees("Posted"));
        let detail = rig.deeds("publish").last().unwrap().detail.clone();
        assert_eq!(
            (&detail["placement"], &detail["caption"]),
            (&json!(placement), &json!(placement))
        );
        rig.wait(9_000);
    }

    rig.taps(&["Create", "STORY", "clip.mp4", "picker_next"]);
    rig.write("story_text_field", "hello");
    rig.tap("Your story");
    rig.wait(1_300);

    let story = rig.deeds("publish").last().unwrap().detail.clone();
    assert_eq!(
        (&story["placement"], &story["caption"]),
        (&json!("story"), &json!("hello"))
    );
    rig.tap("profile_tab");
    assert_eq!(rig.see("posts_count").text, "2");
    assert_eq!(rig.see("stories_count").text, "Stories: 1");
    rig.tap("user1's story");
    assert_eq!(rig.see("story_caption").text, "hello");
    assert_eq!(rig.see("story_media").description, "clip.mp4");
}

#[test]
fn use_sound_leads_from_a_link_to_a_post_with_that_sound() {
    let rig = Rig::new().media(&["clip.mp4"]);
    let link = "https://www.tiktok.com/music/Slow-Tram-7012345678";
    assert!(matches!(
        rig.phone.open_link(link, Some(TIKTOK)),
        Launched::Started { cold: true, .. }
    ));
    assert_eq!(rig.see("sound_title").text, "Slow Tram");

    rig.taps(&[
        "Use this sound",
        "Upload",
        "clip.mp4",
        "picker_next",
        "editor_next",
        "Post",
    ]);
    rig.wait(1_300);

    let detail = rig.deeds("publish")[0].detail.clone();
    assert_eq!(
        (&detail["post_way"], &detail["sound"]),
        (&json!("useSound"), &json!("Slow Tram"))
    );
}

#[test]
fn a_sound_is_found_by_its_name() {
    let rig = Rig::new();
    rig.launch(INSTAGRAM);
    rig.taps(&["Search and explore", "search_entry"]);
    assert!(rig.phone.type_text("low tide"));
    rig.phone.key(66);
    rig.taps(&["search_tab_sounds", "Low Tide"]);
    assert!(rig.sees("Use audio"));
}

#[test]
fn the_gallery_shares_into_both_apps() {
    let rig = Rig::new().media(&["a.jpg", "b.jpg", "clip.mp4"]);
    rig.launch(crate::apps::GALLERY);
    rig.taps(&["clip.mp4", "Share", "TikTok", "editor_next", "Post"]);
    rig.wait(1_300);

    let detail = rig.deeds("publish")[0].detail.clone();
    assert_eq!(detail["post_way"], "share");
    rig.launch(crate::apps::GALLERY);
    rig.back();
    rig.taps(&["Select", "b.jpg", "a.jpg", "Share", "Stories", "Your story"]);
    rig.wait(1_300);
    let story = rig.deeds("publish")[1].clone();
    assert_eq!(
        (story.app.as_str(), &story.detail["placement"]),
        ("instagram", &json!("story"))
    );
    assert_eq!(story.detail["files"][0]["name"], "b.jpg");
}

#[test]
fn sounds_volumes_and_product_enter_the_ledger() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.launch(TIKTOK);
    rig.taps(&["Create", "Upload", "clip.mp4", "picker_next", "sound_name"]);
    rig.write("sound_search_field", "my own tune");
    rig.tap("my own tune");
    assert_eq!(rig.see("sound_name").text, "my own tune");
    rig.tap("Volume");
    rig.write("original_volume_value", "20");
    let [left, top, right, bottom] = rig.see("added_volume_slider").bounds;
    rig.phone.tap(left + (right - left) * 80 / 100, (top + bottom) / 2);
    assert_eq!(rig.see("added_volume_value").text, "80");
    rig.taps(&["Done", "editor_next", "product_row", "Desk Lamp"]);
    assert_eq!(rig.see("product_name").text, "Desk Lamp");
    rig.tap("Post");
    rig.wait(1_300);

    let detail = rig.deeds("publish")[0].detail.clone();
    assert_eq!(detail["sound"], "my own tune");
    assert_eq!(
        (&detail["original_volume"], &detail["added_volume"]),
        (&json!(20), &json!(80))
    );
    assert_eq!(detail["product_link"], "Desk Lamp");
}

#[test]
fn photos_come_with_a_sound_that_can_be_taken_off() {
    let rig = Rig::new().media(&["a.jpg"]);
    rig.launch(TIKTOK);
    rig.taps(&["Create", "Upload", "a.jpg", "picker_next"]);
    assert_eq!(rig.see("sound_name").text, "Morning Coffee");
    rig.tap("Remove sound");
    assert_eq!(rig.see("sound_name").text, "Add sound");
    rig.taps(&["editor_next", "Post"]);
    rig.wait(1_300);
    assert_eq!(rig.deeds("publish")[0].detail["sound"], json!(null));
}

#[test]
fn leaving_the_post_page_asks_and_keeps_a_draft() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.to_tiktok_post_page();
    rig.write("caption_field", "for later");
    rig.back();
    rig.tap("Save draft");

    rig.tap("Profile");
    rig.tap("Drafts: 1");
    assert_eq!(rig.see("caption_field").text, "for later");
    rig.tap("Post");
    rig.wait(1_300);
    assert_eq!(rig.deeds("publish")[0].detail["caption"], "for later");
    assert!(!rig.sees("drafts_cell"));

    rig.to_tiktok_post_page();
    rig.back();
    rig.tap("Discard");
    assert!(rig.sees("feed_pager"));
    assert_eq!(rig.deeds("publish").len(), 1);
}

#[test]
fn the_keyboard_lies_over_the_post_button_until_back_hides_it() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.to_tiktok_post_page();
    rig.tap("caption_field");
    assert!(rig.views().iter().any(|view| view.package == crate::apps::KEYBOARD));
    rig.fault("no_idle", json!({}));
    assert!(rig.phone.keyboard_shown());
    rig.phone.clear_all_faults();

    rig.tap("Post");
    rig.wait(1_300);
    assert_eq!(rig.deeds("publish"), []);

    rig.back();
    assert!(!rig.views().iter().any(|view| view.package == crate::apps::KEYBOARD));
    assert!(!rig.phone.keyboard_shown());
    rig.tap("Post");
    rig.wait(1_300);
    assert_eq!(rig.deeds("publish").len(), 1);
}

#[test]
fn keys_of_the_keyboard_type() {
    let rig = Rig::new().media(&["clip.mp4"]);
    rig.to_tiktok_post_page();
    rig.taps(&["caption_field", "h", "i", "Space", "y", "o", "Delete"]);
    assert_eq!(rig.see("caption_field").text, "hi y");
}
