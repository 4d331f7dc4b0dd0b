//! The editor, and the page on which a post is described and sent.

use super::{Scene, ground, title_bar};
use crate::{
    apps::{
        Field,
        kit::{self, BLACK, GREY, PALE, WHITE},
        node::{Icon, Node, Picture, Rect, class},
        social::SocialAction,
    },
    world::{Network, social::Placement},
};

pub(super) fn editor(scene: &Scene<'_>) -> Node {
    let draft = &scene.app.draft;
    let story = draft.placement == Placement::Story;
    let y = kit::STATUS + 20;
    let root = ground()
        .with(kit::icon(Rect::at(24, y, 90, 90), Icon::Back, "Back", SocialAction::Back).id("back_button"))
        .with(sound_pill(scene, y))
        .with(preview(scene, Rect::new(90, 260, 990, 1_980)))
        .with(
            Node::new(class::FRAME, Rect::at(940, y, 120, 100))
                .id("volume_button")
                .desc("Volume")
                .tap(SocialAction::OpenVolumes)
                .with(kit::drawing(Rect::at(960, y + 10, 80, 80), Picture::Icon(Icon::Volume))),
        );
    if story {
        let text = scene.app.value(Field::StoryText);
        let field = Rect::at(140, 300, 800, 110);
        return root
            .with(kit::field(field, Field::StoryText, text, "Add text...", scene.phone.focus).id("story_text_field"))
            .with(
                kit::button(
                    Rect::at(90, 2_130, 900, 130),
                    "Your story",
                    scene.skin.accent,
                    WHITE,
                    SocialAction::Publish,
                )
                .id("story_button"),
            );
    }
    root.with(
        kit::button(
            Rect::at(590, 2_130, 440, 130),
            "Next",
            scene.skin.accent,
            WHITE,
            SocialAction::EditorNext,
        )
        .id("editor_next"),
    )
}

/// "Add sound", or the sound's name with its cross.
fn sound_pill(scene: &Scene<'_>, y: i32) -> Node {
    let sound = scene.app.draft.sound.as_deref();
    let mut pill = Node::new(class::LINEAR, Rect::at(230, y, 640, 100))
        .id("sound_pill")
        .fill(PALE)
        .radius(50)
        .with(
            kit::label(Rect::at(250, y + 15, 510, 70), sound.unwrap_or(scene.skin.add_sound))
                .id("sound_name")
                .desc(scene.skin.add_sound)
                .centred()
                .tap(SocialAction::OpenSounds),
        );
    if sound.is_some() {
        pill = pill.with(
            kit::icon(
                Rect::at(770, y + 10, 80, 80),
                Icon::Close,
                "Remove sound",
                SocialAction::RemoveSound,
            )
            .id("sound_remove"),
        );
    }
    pill
}

/// The chosen media, the first one large, all names below.
fn preview(scene: &Scene<'_>, rect: Rect) -> Node {
    let rows = scene
        .app
        .draft
        .picks
        .iter()
        .filter_map(|pick| scene.phone.library.row(*pick));
    let names: Vec<String> = rows.map(|row| row.name.clone()).collect();
    let first = names.first().cloned().unwrap_or_default();
    let picture = Picture::Tile {
        name: first,
        video: scene.app.draft.video,
    };
    Node::new(class::FRAME, rect)
        .id("preview")
        .with(kit::drawing(rect, picture).id("preview_media"))
        .with(
            kit::label(
                Rect::new(rect.left, rect.bottom + 10, rect.right, rect.bottom + 90),
                names.join(", "),
            )
            .id("preview_names")
            .size(36)
            .ink(GREY),
        )
}

pub(super) fn post(scene: &Scene<'_>) -> Node {
    let draft = &scene.app.draft;
    let skin = scene.skin;
    let rows = draft.picks.iter().filter_map(|pick| scene.phone.library.row(*pick));
    let names: Vec<String> = rows.map(|row| row.name.clone()).collect();
    let cover = Picture::Tile {
        name: names.first().cloned().unwrap_or_default(),
        video: draft.video,
    };
    let text = scene.app.value(Field::Caption);
    let place = Rect::at(40, 260, 720, 380);
    let caption = kit::field(place, Field::Caption, text, skin.caption_hint, scene.phone.focus).fill(WHITE);
    let sound = draft
        .sound
        .as_deref()
        .map_or_else(|| "No sound".to_owned(), |sound| format!("♫ {sound}"));
    let root = ground()
        .with(title_bar(skin.post_screen, "post_title"))
        .with(caption.id(skin.caption_id))
        .with(kit::drawing(Rect::at(790, 260, 250, 380), cover).id("post_cover"))
        .with(
            kit::label(Rect::at(40, 650, 1_000, 60), names.join(", "))
                .id("post_files")
                .size(34)
                .ink(GREY),
        )
        .with(
            kit::label(Rect::at(40, 730, 1_000, 70), sound)
                .id("post_sound")
                .ink(GREY),
        );
    let send = |x: i32, width: i32| {
        let place = Rect::at(x, 2_170, width, 130);
        kit::button(place, skin.post, skin.accent, WHITE, SocialAction::Publish).id(skin.post_id)
    };
    match scene.app.network {
        Network::TikTok => root
            .with(product_row(draft.product_link.as_deref()))
            .with(
                kit::button(
                    Rect::at(40, 2_170, 480, 130),
                    "Drafts",
                    PALE,
                    BLACK,
                    SocialAction::SaveDraft,
                )
                .id("draft_button"),
            )
            .with(send(560, 480)),
        Network::Instagram => root.with(send(40, 1_000)),
    }
}

fn product_row(product: Option<&str>) -> Node {
    let y = 850;
    let mut row = Node::new(class::LINEAR, Rect::at(40, y, 1_000, 120))
        .id("product_row")
        .tap(SocialAction::OpenProducts)
        .with(kit::label(Rect::at(40, y + 25, 420, 70), "Add product link").id("product_label"));
    match product {
        Some(product) => {
            row = row
                .with(
                    kit::label(Rect::at(470, y + 25, 440, 70), product)
                        .id("product_name")
                        .ink(GREY),
                )
                .with(
                    kit::icon(
                        Rect::at(930, y + 20, 80, 80),
                        Icon::Close,
                        "Remove product link",
                        SocialAction::RemoveProduct,
                    )
                    .id("product_remove"),
                );
        }
        None => {
            row = row.with(kit::drawing(
                Rect::at(950, y + 30, 60, 60),
                Picture::Icon(Icon::ChevronRight),
            ))
        }
    }
    row
}
