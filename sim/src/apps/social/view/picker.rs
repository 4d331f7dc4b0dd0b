//! The camera and the media picker.

use super::{Scene, ground, title_bar};
use crate::{
    apps::{
        kit::{self, BLACK, GREY, LINE, PALE, WHITE, WIDTH},
        node::{Color, Icon, Node, Picture, Rect, ScrollId, class},
        social::{Filter, SocialAction},
    },
    handset::MediaRow,
    world::{Network, social::Placement},
};

const MEDIA: ScrollId = ScrollId("media");

pub(super) fn camera(scene: &Scene<'_>) -> Node {
    let sound = scene.app.draft.sound.as_deref().unwrap_or(scene.skin.add_sound);
    ground()
        .fill(Color(0xff22_2222))
        .with(
            kit::icon(
                Rect::at(24, kit::STATUS + 20, 90, 90),
                Icon::Close,
                "Close",
                SocialAction::Back,
            )
            .id("close_button")
            .ink(WHITE),
        )
        .with(
            kit::label(Rect::at(240, kit::STATUS + 25, 600, 80), sound)
                .id("camera_sound")
                .ink(WHITE)
                .centred(),
        )
        .with(
            Node::new(class::IMAGE, Rect::at(420, 1_880, 240, 240))
                .id("record_button")
                .desc("Record video")
                .fill(scene.skin.accent)
                .radius(120),
        )
        .with(
            Node::new(class::FRAME, Rect::at(800, 1_890, 220, 220))
                .id("upload_entry")
                .desc("Upload")
                .tap(SocialAction::CameraUpload)
                .with(
                    Node::new(class::IMAGE, Rect::at(850, 1_900, 120, 120))
                        .fill(PALE)
                        .radius(20),
                )
                .with(
                    kit::label(Rect::at(800, 2_035, 220, 60), "Upload")
                        .id("upload_text")
                        .ink(WHITE)
                        .centred(),
                ),
        )
}

pub(super) fn picker(scene: &Scene<'_>) -> Node {
    let app = scene.app;
    let tab = |x: i32, text: &str, id: &str, filter: Filter| {
        let selected = app.filter == filter;
        kit::word(
            Rect::at(x, 230, 300, 90),
            text,
            if selected { BLACK } else { GREY },
            SocialAction::PickFilter(filter),
        )
        .id(id)
        .selected(selected)
    };
    let root = ground()
        .with(title_bar("Recents", "picker_title"))
        .with(tab(90, "All", "picker_tab_all", Filter::All))
        .with(tab(390, "Videos", "picker_tab_videos", Filter::Videos))
        .with(tab(690, "Photos", "picker_tab_photos", Filter::Photos));
    let foot = if app.network == Network::Instagram {
        2_040
    } else {
        2_180
    };
    let root = root.with(media_grid(scene, Rect::new(0, 330, WIDTH, foot - 10)));
    let count = app.draft.picks.len();
    let next = if count > 1 {
        format!("Next ({count})")
    } else {
        "Next".to_owned()
    };
    let (fill, ink) = if count > 0 {
        (scene.skin.accent, WHITE)
    } else {
        (LINE, GREY)
    };
    let mut next = kit::button(
        Rect::at(590, foot + 15, 450, 110),
        next,
        fill,
        ink,
        SocialAction::PickNext,
    )
    .id("picker_next")
    .desc("Next")
    .enabled(count > 0);
    if count == 0 {
        next.action = Some(crate::apps::Action::Nothing);
    }
    let root = root.with(next);
    match app.network {
        Network::TikTok => root,
        Network::Instagram => root.with(kinds(scene)),
    }
}

/// Instagram: what it shall become.
fn kinds(scene: &Scene<'_>) -> Node {
    let kinds = [
        ("POST", "kind_post", Placement::Post),
        ("STORY", "kind_story", Placement::Story),
        ("REEL", "kind_reel", Placement::Reel),
    ];
    let mut bar = Node::new(class::LINEAR, Rect::at(0, 2_190, WIDTH, 140)).id("kind_bar");
    let mut x = 90;
    for (text, id, placement) in kinds {
        let selected = scene.app.draft.placement == placement;
        let ink = if selected { BLACK } else { GREY };
        let action = SocialAction::PickPlacement(placement);
        bar = bar.with(
            kit::word(Rect::at(x, 2_200, 300, 120), text, ink, action)
                .id(id)
                .selected(selected),
        );
        x += 300;
    }
    bar
}

fn media_grid(scene: &Scene<'_>, rect: Rect) -> Node {
    let list = Node::new(class::LIST, rect).id("media_grid");
    let allowed = scene.phone.may_read_media(scene.app.network.package());
    let rows = scene
        .phone
        .library
        .rows()
        .iter()
        .rev()
        .filter(|row| match scene.app.filter {
            Filter::All => true,
            Filter::Videos => row.video,
            Filter::Photos => !row.video,
        });
    let rows: Vec<&MediaRow> = rows.filter(|_| allowed).collect();
    if rows.is_empty() {
        let text = if allowed {
            "No photos or videos"
        } else {
            "Allow access to your photos and videos"
        };
        return list.with(
            kit::label(Rect::at(90, 900, 900, 80), text)
                .id("empty_text")
                .ink(GREY)
                .centred(),
        );
    }
    let (places, height) = kit::cells(rect, 3, rows.len());
    let content = rows
        .into_iter()
        .zip(places)
        .map(|(row, place)| cell(scene, row, place))
        .collect();
    list.scrolling(MEDIA, height, scene.app.offset(MEDIA), content)
}

fn cell(scene: &Scene<'_>, row: &MediaRow, rect: Rect) -> Node {
    let place = scene.app.draft.picks.iter().position(|pick| *pick == row.id);
    let badge = Rect::at(rect.right - 90, rect.top + 20, 70, 70);
    let number = place.map_or_else(String::new, |place| (place + 1).to_string());
    let fill = if place.is_some() {
        scene.skin.accent
    } else {
        Color(0x66ff_ffff)
    };
    Node::new(class::FRAME, rect)
        .id("media_cell")
        .desc(row.name.as_str())
        .selected(place.is_some())
        .tap(SocialAction::TogglePick(row.id))
        .with(kit::drawing(
            rect.inset(4),
            Picture::Tile {
                name: row.name.clone(),
                video: row.video,
            },
        ))
        .with(
            Node::new(class::TEXT, badge)
                .id("media_counter")
                .text(number)
                .fill(fill)
                .ink(WHITE)
                .border(WHITE)
                .radius(35)
                .centred(),
        )
}
