//! The gallery: all media, newest first, one by one or several, with a Share button.

use std::collections::BTreeMap;

use super::{
    GALLERY, Window,
    kit::{self, BLACK, GREY, PALE, WHITE, WIDTH},
    node::{Color, Icon, Node, Picture, Rect, ScrollId, class},
};
use crate::{
    handset::MediaRow,
    world::{
        PhoneState,
        state::{Desk, Dialog},
    },
};

const GRID: ScrollId = ScrollId("gallery");

/// A running gallery.
#[derive(Debug, Default)]
pub struct GalleryApp {
    /// The medium that is shown large.
    pub open: Option<u64>,
    /// Chosen media in their order; `None`: not choosing.
    pub chosen: Option<Vec<u64>>,
    pub scroll: BTreeMap<ScrollId, i32>,
}

/// What a tap means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GalleryAction {
    Open(u64),
    Select,
    Choose(u64),
    Share,
    Back,
}

impl GalleryApp {
    /// A name for `GET /phone/{serial}`.
    pub fn screen_name(&self) -> &'static str {
        match (&self.open, &self.chosen) {
            (Some(_), _) => "medium",
            (None, Some(_)) => "selection",
            (None, None) => "grid",
        }
    }

    pub(crate) fn act(&mut self, action: &GalleryAction, desk: &mut Desk<'_>) {
        match action {
            GalleryAction::Open(id) => self.open = Some(*id),
            GalleryAction::Select => self.chosen = Some(Vec::new()),
            GalleryAction::Choose(id) => {
                let chosen = self.chosen.get_or_insert_default();
                match chosen.iter().position(|other| other == id) {
                    Some(place) => drop(chosen.remove(place)),
                    None => chosen.push(*id),
                }
            }
            GalleryAction::Share => {
                let media = self
                    .open
                    .map_or_else(|| self.chosen.clone().unwrap_or_default(), |id| vec![id]);
                if !media.is_empty() {
                    desk.state.dialogs.push(Dialog::Share(media));
                }
            }
            GalleryAction::Back => drop(self.back()),
        }
    }

    /// The Back key; `false`: the app leaves.
    pub(crate) fn back(&mut self) -> bool {
        self.open.take().is_some() || self.chosen.take().is_some()
    }
}

/// The gallery's window.
pub fn window(app: &GalleryApp, phone: &PhoneState) -> Window {
    let page = match app.open.and_then(|id| phone.library.row(id)) {
        Some(row) => Node::new(class::RELATIVE, Rect::new(0, kit::STATUS, WIDTH, kit::NAVIGATION))
            .fill(BLACK)
            .with(
                kit::icon(
                    Rect::at(24, kit::STATUS + 20, 90, 90),
                    Icon::Back,
                    "Back",
                    GalleryAction::Back,
                )
                .id("back_button")
                .ink(WHITE),
            )
            .with(
                kit::label(Rect::at(130, kit::STATUS + 25, 820, 80), row.name.as_str())
                    .id("photo_name")
                    .ink(WHITE)
                    .centred(),
            )
            .with(
                kit::drawing(
                    Rect::new(40, 300, 1_040, 2_000),
                    Picture::Tile {
                        name: row.name.clone(),
                        video: row.video,
                    },
                )
                .id("photo_view")
                .desc(row.name.as_str()),
            )
            .with(share_button()),
        None => grid(app, phone),
    };
    Window::new(GALLERY, format!("{GALLERY}/.app.GalleryActivity"), kit::decor(page))
}

fn share_button() -> Node {
    kit::button(
        Rect::at(90, 2_110, 900, 130),
        "Share",
        PALE,
        BLACK,
        GalleryAction::Share,
    )
    .id("action_share")
    .desc("Share")
}

fn grid(app: &GalleryApp, phone: &PhoneState) -> Node {
    let y = kit::STATUS;
    let title = match &app.chosen {
        Some(chosen) => format!("{} selected", chosen.len()),
        None => "Photos".to_owned(),
    };
    let mut root = Node::new(class::RELATIVE, Rect::new(0, y, WIDTH, kit::NAVIGATION)).with(
        kit::label(Rect::at(60, y + 25, 700, 80), title)
            .id("gallery_title")
            .size(52),
    );
    root = match &app.chosen {
        None => root.with(
            kit::word(Rect::at(820, y + 20, 220, 90), "Select", BLACK, GalleryAction::Select).id("action_select"),
        ),
        Some(_) => root.with(
            kit::icon(
                Rect::at(950, y + 20, 90, 90),
                Icon::Close,
                "Cancel selection",
                GalleryAction::Back,
            )
            .id("action_cancel"),
        ),
    };
    let bottom = if app.chosen.is_some() { 2_090 } else { kit::NAVIGATION };
    let rect = Rect::new(0, 230, WIDTH, bottom);
    let list = Node::new(class::LIST, rect).id("gallery_grid");
    let count = phone.library.rows().len();
    if count == 0 {
        let place = Rect::at(90, 900, 900, 80);
        return root.with(
            list.with(
                kit::label(place, "No photos or videos")
                    .id("empty_text")
                    .ink(GREY)
                    .centred(),
            ),
        );
    }
    let (places, height) = kit::cells(rect, 4, count);
    let rows = phone.library.rows().iter().rev().zip(places);
    let content = rows.map(|(row, place)| cell(app, row, place)).collect();
    let offset = app.scroll.get(&GRID).copied().unwrap_or(0);
    root = root.with(list.scrolling(GRID, height, offset, content));
    if app.chosen.is_some() {
        root.with(share_button())
    } else {
        root
    }
}

fn cell(app: &GalleryApp, row: &MediaRow, rect: Rect) -> Node {
    let chosen = app.chosen.as_ref();
    let place = chosen.and_then(|chosen| chosen.iter().position(|id| *id == row.id));
    let action = if chosen.is_some() {
        GalleryAction::Choose(row.id)
    } else {
        GalleryAction::Open(row.id)
    };
    let picture = Picture::Tile {
        name: row.name.clone(),
        video: row.video,
    };
    let mut node = Node::new(class::FRAME, rect)
        .id("gallery_item")
        .desc(row.name.as_str())
        .selected(place.is_some())
        .tap(action)
        .with(kit::drawing(rect.inset(4), picture));
    node.long_action = Some(GalleryAction::Choose(row.id).into());
    if let Some(place) = place {
        let badge = Rect::at(rect.right - 80, rect.top + 16, 64, 64);
        let number = kit::label(badge, (place + 1).to_string()).id("gallery_counter");
        node = node.with(number.fill(Color(0xff1a_73e8)).radius(32).ink(WHITE).centred());
    }
    node
}
