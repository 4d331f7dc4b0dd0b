//! What slides up over a page: accounts, confirmations, sounds, volumes, products.

use super::{Scene, search::sound_row};
use crate::{
    apps::{
        Field,
        kit::{self, BLACK, Column, GREY, PALE, WHITE, WIDTH},
        node::{Color, Icon, Node, Picture, Rect, ScrollId, class},
        social::{Sheet, SocialAction},
    },
    world::social::{SOUNDS, search_sounds},
};

const SOUND_LIST: ScrollId = ScrollId("sounds");
const RED: Color = Color(0xffd9_3025);

/// Products of the demo shop.
const PRODUCTS: [(&str, &str); 4] = [
    ("Ceramic Mug", "12.90"),
    ("Canvas Tote", "18.00"),
    ("Desk Lamp", "34.50"),
    ("Wool Socks", "9.99"),
];

pub(super) fn sheet(scene: &Scene<'_>, sheet: &Sheet) -> Node {
    let card = match sheet {
        Sheet::Accounts => accounts(scene),
        Sheet::Unfollow(name) => unfollow(name),
        Sheet::LeaveDraft => leave_draft(),
        Sheet::Sounds => sounds(scene),
        Sheet::Volumes => volumes(scene),
        Sheet::Products => products(),
    };
    kit::over(card, Some(SocialAction::CloseSheet.into()))
}

/// A card at the lower edge.
fn card(height: i32, id: &str, title: &str) -> (Node, i32) {
    let top = kit::NAVIGATION - height;
    let card = Node::new(class::LINEAR, Rect::at(0, top, WIDTH, height)).id(id).with(
        kit::label(Rect::at(60, top + 30, 960, 80), title)
            .id("sheet_title")
            .size(50)
            .centred(),
    );
    (card, top + 130)
}

fn accounts(scene: &Scene<'_>) -> Node {
    let count = i32::try_from(scene.data.accounts.len()).unwrap_or(0);
    let (mut sheet, y) = card(130 + (count + 1) * 160 + 60, "account_sheet", scene.skin.accounts_title);
    let mut column = Column::new(0, y, WIDTH);
    for name in &scene.data.accounts {
        let current = Some(name) == scene.data.current.as_ref();
        let rect = column.next(160);
        let mut row = Node::new(class::GROUP, rect)
            .id("account_row")
            .selected(current)
            .checked(current)
            .tap(SocialAction::SwitchTo(name.clone()))
            .with(kit::drawing(
                Rect::at(60, rect.top + 20, 120, 120),
                Picture::Avatar(name.clone()),
            ))
            .with(
                kit::label(Rect::at(210, rect.top + 45, 680, 70), name.as_str())
                    .id("account_name")
                    .selected(current),
            );
        if current {
            row = row
                .with(kit::drawing(Rect::at(930, rect.top + 45, 70, 70), Picture::Icon(Icon::Check)).desc("Selected"));
        }
        sheet = sheet.with(row);
    }
    let rect = column.next(160);
    sheet.with(
        Node::new(class::GROUP, rect)
            .id("add_account")
            .tap(SocialAction::AddAccount)
            .with(kit::drawing(
                Rect::at(70, rect.top + 30, 100, 100),
                Picture::Icon(Icon::Plus),
            ))
            .with(kit::label(Rect::at(210, rect.top + 45, 700, 70), "Add account")),
    )
}

fn unfollow(name: &str) -> Node {
    let (sheet, y) = card(480, "unfollow_sheet", &format!("Unfollow @{name}?"));
    let action = SocialAction::Unfollow(name.to_owned());
    sheet
        .with(kit::button(Rect::at(60, y, 960, 130), "Unfollow", PALE, RED, action).id("unfollow_confirm"))
        .with(
            kit::button(
                Rect::at(60, y + 150, 960, 130),
                "Cancel",
                PALE,
                BLACK,
                SocialAction::CloseSheet,
            )
            .id("unfollow_cancel"),
        )
}

fn leave_draft() -> Node {
    let (sheet, y) = card(640, "leave_sheet", "Discard this post?");
    sheet
        .with(kit::button(Rect::at(60, y, 960, 130), "Discard", PALE, RED, SocialAction::Discard).id("leave_discard"))
        .with(
            kit::button(
                Rect::at(60, y + 150, 960, 130),
                "Save draft",
                PALE,
                BLACK,
                SocialAction::SaveDraft,
            )
            .id("leave_save"),
        )
        .with(
            kit::button(
                Rect::at(60, y + 300, 960, 130),
                "Keep editing",
                PALE,
                BLACK,
                SocialAction::CloseSheet,
            )
            .id("leave_keep"),
        )
}

fn sounds(scene: &Scene<'_>) -> Node {
    let app = scene.app;
    let (sheet, y) = card(1_900, "sound_sheet", scene.skin.sounds_title);
    let value = app.value(Field::SoundSearch);
    let field = kit::field(
        Rect::at(40, y, 760, 100),
        Field::SoundSearch,
        value,
        "Search sounds",
        scene.phone.focus,
    );
    let search = kit::word(
        Rect::at(820, y, 220, 100),
        "Search",
        scene.skin.accent,
        SocialAction::SearchSounds,
    );
    let sheet = sheet
        .with(field.id("sound_search_field"))
        .with(search.id("sound_search_submit"));
    let found = if value.trim().is_empty() {
        SOUNDS
            .iter()
            .map(|(title, artist)| ((*title).to_owned(), (*artist).to_owned()))
            .collect()
    } else {
        search_sounds(value)
    };
    let rect = Rect::new(0, y + 120, WIDTH, kit::NAVIGATION);
    let list = Node::new(class::LIST, rect).id("sound_list");
    if found.is_empty() {
        let place = Rect::at(60, rect.top + 120, 960, 80);
        return sheet.with(
            list.with(
                kit::label(place, "No sounds found")
                    .id("empty_text")
                    .ink(GREY)
                    .centred(),
            ),
        );
    }
    let mut column = Column::new(0, rect.top, WIDTH);
    let rows: Vec<Node> = found
        .into_iter()
        .map(|(title, artist)| {
            sound_row(
                column.next(170),
                &title,
                &artist,
                SocialAction::ChooseSound(title.clone()),
            )
        })
        .collect();
    sheet.with(list.scrolling(SOUND_LIST, column.y - rect.top, app.offset(SOUND_LIST), rows))
}

fn volumes(scene: &Scene<'_>) -> Node {
    let app = scene.app;
    let (mut sheet, y) = card(800, "volume_sheet", "Volume");
    let rows = [
        (y, "Original sound", "original_volume", Field::OriginalVolume),
        (y + 250, "Added sound", "added_volume", Field::AddedVolume),
    ];
    for (y, name, id, field) in rows {
        let value = app.value(field).parse::<u8>().unwrap_or(0).min(100);
        sheet = sheet
            .with(kit::label(Rect::at(40, y, 500, 70), name).id(format!("{id}_label")))
            .with(
                Node::new(class::SEEK, Rect::at(40, y + 90, 760, 100))
                    .id(format!("{id}_slider"))
                    .desc(format!("{name} {value}%"))
                    .picture(Picture::Slider(value))
                    .tap(SocialAction::Slide(field)),
            )
            .with(
                kit::field(
                    Rect::at(830, y + 90, 210, 100),
                    field,
                    app.value(field),
                    "0",
                    scene.phone.focus,
                )
                .id(format!("{id}_value")),
            );
    }
    sheet.with(
        kit::button(
            Rect::at(40, y + 510, 1_000, 120),
            "Done",
            scene.skin.accent,
            WHITE,
            SocialAction::CloseVolumes,
        )
        .id("volume_done"),
    )
}

fn products() -> Node {
    let (mut sheet, y) = card(900, "product_sheet", "Add product");
    let mut column = Column::new(0, y, WIDTH);
    for (product, price) in PRODUCTS {
        let rect = column.next(160);
        sheet = sheet.with(
            Node::new(class::GROUP, rect)
                .id("product_item")
                .tap(SocialAction::ChooseProduct(product.to_owned()))
                .with(kit::label(Rect::at(60, rect.top + 45, 640, 70), product).id("product_item_name"))
                .with(
                    kit::label(Rect::at(760, rect.top + 45, 260, 70), price)
                        .id("product_item_price")
                        .ink(GREY),
                ),
        );
    }
    sheet
}
