use std::{fs::File, io::BufWriter, path::Path};

use serde_json::json;

use super::{INSTAGRAM, Rig, TIKTOK};
use crate::{device::Frame, handset::Handset};

/// Set `FARMHAND_SIM_PICTURES` to a folder to look at the screens.
fn keep(frame: &Frame, name: &str) {
    let Some(folder) = std::env::var_os("FARMHAND_SIM_PICTURES") else {
        return;
    };
    let file = File::create(Path::new(&folder).join(format!("{name}.png"))).unwrap();
    let mut encoder = png::Encoder::new(BufWriter::new(file), frame.width, frame.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(&frame.rgba).unwrap();
}

fn colours(frame: &Frame) -> usize {
    frame
        .rgba
        .chunks(4)
        .step_by(7)
        .collect::<std::collections::HashSet<_>>()
        .len()
}

#[test]
fn every_screen_is_drawn_in_the_panels_size_and_differs_from_the_others() {
    let rig = Rig::new().media(&["photo_of_a_cat.jpg", "b.jpg", "video1.mp4"]);
    let mut seen = std::collections::HashSet::new();
    let mut show = |name: &str| {
        let frame = rig.phone.frame();
        assert_eq!(
            (frame.width, frame.height, frame.rgba.len()),
            (1_080, 2_400, 1_080 * 2_400 * 4)
        );
        assert!(colours(&frame) > 20, "{name} is blank");
        keep(&frame, name);
        assert!(seen.insert(frame.rgba), "{name} looks like another screen");
    };
    show("launcher");
    rig.launch(TIKTOK);
    show("tiktok_home");
    rig.taps(&["Create", "Upload", "video1.mp4"]);
    show("tiktok_picker");
    rig.tap("picker_next");
    show("tiktok_editor");
    rig.tap("Volume");
    show("tiktok_volume");
    rig.taps(&["Done", "sound_name"]);
    show("tiktok_sounds");
    rig.back();
    rig.taps(&["editor_next", "caption_field"]);
    rig.phone.type_text("Check out my new video! Żółć 🎉 日本 #viral #fyp");
    show("tiktok_post_keyboard");
    rig.back();
    show("tiktok_post");
    rig.tap("Post");
    rig.wait(600);
    show("tiktok_uploading");
    rig.wait(1_000);
    show("tiktok_profile");
    rig.tap("account_switcher");
    show("tiktok_accounts");
    rig.launch(INSTAGRAM);
    rig.phone.open_link("https://www.instagram.com/coffee_corner/", None);
    show("instagram_person");
    rig.taps(&["Follow", "Following"]);
    show("instagram_unfollow");
    rig.back();
    rig.fault("popup", json!({ "text": "How do you like this app so far?" }));
    show("popup");
    rig.phone.clear_all_faults();
    rig.fault("challenge", json!({}));
    show("instagram_challenge");
    rig.launch(crate::apps::SETTINGS);
    show("settings");
    rig.launch(crate::apps::GALLERY);
    rig.taps(&["Select", "b.jpg", "video1.mp4"]);
    show("gallery_selection");
    rig.tap("Share");
    show("share_sheet");
}

#[test]
fn a_dark_screen_is_black() {
    let rig = Rig::new();
    rig.phone.key(223);
    let frame = rig.phone.frame();
    assert_eq!(colours(&frame), 1);
    assert_eq!(frame.rgba[..4], [0, 0, 0, 255]);
}
