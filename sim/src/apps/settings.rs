//! The settings app: a list to scroll, switches, a page with facts, a text field, a search. Needs no login.

use std::collections::BTreeMap;

use super::{
    Field, SETTINGS, Window,
    kit::{self, Column, GREY, WIDTH},
    node::{Icon, Node, Rect, ScrollId, class},
};
use crate::world::{PhoneState, state::Desk};

const LIST: ScrollId = ScrollId("settings");
const RESULTS: ScrollId = ScrollId("settings results");
const ROW: i32 = 180;

/// The main list: title, summary.
const ENTRIES: [(&str, &str); 16] = [
    ("Network & internet", "Mobile, Wi-Fi, hotspot"),
    ("Connected devices", "Bluetooth, pairing"),
    ("Apps", "Recent apps, default apps"),
    ("Notifications", "Notification history, conversations"),
    ("Battery", "100%"),
    ("Storage", "41% used - 75 GB free"),
    ("Sound & vibration", "Volume, haptics, Do Not Disturb"),
    ("Display", "Dark theme, font size, brightness"),
    ("Wallpaper & style", "Colors, themed icons, app grid"),
    ("Accessibility", "Display, interaction, audio"),
    ("Security & privacy", "App security, device lock"),
    ("Location", "On"),
    ("Safety & emergency", "Emergency SOS, medical info"),
    ("Passwords & accounts", "Saved passwords, synced accounts"),
    ("System", "Languages, gestures, time, backup"),
    ("About phone", "Device name, model, build"),
];

/// The switches: page, title, where the value is kept.
const SWITCHES: [(&str, &str, &str, &str); 4] = [
    ("Network & internet", "Wi-Fi", "global", "wifi_on"),
    ("Network & internet", "Airplane mode", "global", "airplane_mode_on"),
    ("Display", "Dark theme", "secure", "dark_theme"),
    ("Display", "Auto-rotate screen", "system", "accelerometer_rotation"),
];

/// The running app.
#[derive(Debug, Default)]
pub struct SettingsApp {
    /// Titles of the pages behind one another; empty: the main list.
    pub stack: Vec<&'static str>,
    pub fields: BTreeMap<Field, String>,
    pub scroll: BTreeMap<ScrollId, i32>,
}

/// What a tap means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SettingsAction {
    Open(&'static str),
    Toggle(&'static str, &'static str),
    Rename,
    Back,
}

/// The page with the search field.
const SEARCH: &str = "Search settings";
/// The page with the device's name.
const NAME: &str = "Device name";

impl SettingsApp {
    /// A name for `GET /phone/{serial}`.
    pub fn screen_name(&self) -> &'static str {
        self.stack.last().copied().unwrap_or("main")
    }

    pub(crate) fn act(&mut self, action: &SettingsAction, desk: &mut Desk<'_>) {
        desk.state.blur();
        match action {
            SettingsAction::Open(page) => {
                self.stack.push(page);
                self.scroll.clear();
                if *page == SEARCH {
                    self.fields.remove(&Field::SettingsSearch);
                    desk.state.focus_on(Field::SettingsSearch);
                }
                if *page == NAME {
                    let name = desk.state.system.setting("global", "device_name").unwrap_or_default();
                    self.fields.insert(Field::DeviceName, name);
                }
            }
            SettingsAction::Toggle(namespace, name) => {
                let on = desk.state.system.setting(namespace, name).as_deref() == Some("1");
                desk.state
                    .system
                    .put_setting(namespace, name, Some(if on { "0" } else { "1" }));
            }
            SettingsAction::Rename => {
                let name = self.fields.get(&Field::DeviceName).cloned().unwrap_or_default();
                desk.state.system.put_setting("global", "device_name", Some(&name));
                self.stack.pop();
            }
            SettingsAction::Back => drop(self.back()),
        }
    }

    /// The Back key; `false`: the app leaves.
    pub(crate) fn back(&mut self) -> bool {
        self.scroll.clear();
        self.stack.pop().is_some()
    }
}

/// The app's window.
pub fn window(app: &SettingsApp, phone: &PhoneState) -> Window {
    let page = match app.stack.last().copied() {
        None => main(app),
        Some(SEARCH) => search(app, phone),
        Some(NAME) => device_name(app, phone),
        Some("About phone") => about(phone),
        Some(title) => switches(title, phone),
    };
    Window::new(SETTINGS, format!("{SETTINGS}/.Settings"), kit::decor(page))
}

fn ground() -> Node {
    Node::new(class::RELATIVE, Rect::new(0, kit::STATUS, WIDTH, kit::NAVIGATION))
}

fn bar(title: &str) -> Node {
    let y = kit::STATUS;
    Node::new(class::GROUP, Rect::at(0, y, WIDTH, 140))
        .id("action_bar")
        .with(kit::icon(
            Rect::at(24, y + 25, 90, 90),
            Icon::Back,
            "Navigate up",
            SettingsAction::Back,
        ))
        .with(kit::label(Rect::at(140, y + 30, 880, 80), title).size(52))
}

fn row(rect: Rect, title: &str, summary: &str, action: Option<SettingsAction>) -> Node {
    let mut node = Node::new(class::LINEAR, rect).with(
        kit::label(Rect::at(60, rect.top + 30, 780, 64), title)
            .id("android:id/title")
            .size(46),
    );
    if !summary.is_empty() {
        node = node.with(
            kit::label(Rect::at(60, rect.top + 98, 780, 54), summary)
                .id("android:id/summary")
                .size(36)
                .ink(GREY),
        );
    }
    match action {
        Some(action) => node.tap(action),
        None => node,
    }
}

fn main(app: &SettingsApp) -> Node {
    let entry = Node::new(class::LINEAR, Rect::at(40, 220, 1_000, 110))
        .id("search_action_bar")
        .fill(kit::PALE)
        .radius(55)
        .tap(SettingsAction::Open(SEARCH))
        .with(
            kit::label(Rect::at(120, 240, 800, 70), SEARCH)
                .id("search_action_bar_title")
                .ink(GREY),
        );
    let rect = Rect::new(0, 350, WIDTH, kit::NAVIGATION);
    let mut column = Column::new(0, rect.top, WIDTH);
    let rows = ENTRIES
        .iter()
        .map(|(title, summary)| row(column.next(ROW), title, summary, Some(SettingsAction::Open(title))));
    let rows: Vec<Node> = rows.collect();
    let list = Node::new(class::LIST, rect).id("recycler_view").scrolling(
        LIST,
        column.y - rect.top,
        app.scroll.get(&LIST).copied().unwrap_or(0),
        rows,
    );
    ground()
        .with(
            kit::label(Rect::at(60, 110, 900, 90), "Settings")
                .id("homepage_title")
                .size(60),
        )
        .with(entry)
        .with(list)
}

fn search(app: &SettingsApp, phone: &PhoneState) -> Node {
    let value = app.fields.get(&Field::SettingsSearch).map_or("", String::as_str);
    let field = kit::field(
        Rect::at(140, 100, 900, 110),
        Field::SettingsSearch,
        value,
        SEARCH,
        phone.focus,
    );
    let wanted = value.trim().to_lowercase();
    let mut column = Column::new(0, 240, WIDTH);
    let found = ENTRIES
        .iter()
        .filter(|(title, _)| !wanted.is_empty() && title.to_lowercase().contains(&wanted));
    let rows = found.map(|(title, summary)| row(column.next(ROW), title, summary, Some(SettingsAction::Open(title))));
    let rows: Vec<Node> = rows.collect();
    let back = kit::icon(
        Rect::at(24, 110, 90, 90),
        Icon::Back,
        "Navigate up",
        SettingsAction::Back,
    );
    let root = ground().with(back).with(field.id("open_search_view_edit_text"));
    if rows.is_empty() && !wanted.is_empty() {
        return root.with(
            kit::label(Rect::at(60, 500, 960, 80), "No results")
                .id("empty_text")
                .centred(),
        );
    }
    let rect = Rect::new(0, 240, WIDTH, kit::NAVIGATION);
    let offset = app.scroll.get(&RESULTS).copied().unwrap_or(0);
    let list = Node::new(class::LIST, rect).id("search_results");
    root.with(list.scrolling(RESULTS, column.y - rect.top, offset, rows))
}

fn switches(title: &'static str, phone: &PhoneState) -> Node {
    let mut column = Column::new(0, 240, WIDTH);
    let mut root = ground().with(bar(title));
    for (_, name, namespace, key) in SWITCHES.iter().filter(|(page, ..)| *page == title) {
        let rect = column.next(ROW);
        let on = phone.system.setting(namespace, key).as_deref() == Some("1");
        let action = SettingsAction::Toggle(namespace, key);
        let place = Rect::at(880, rect.top + 45, 140, 90);
        let switch = kit::toggle(place, on, action.clone())
            .id("android:id/switch_widget")
            .desc(*name);
        root = root.with(row(rect, name, if on { "On" } else { "Off" }, Some(action)).with(switch));
    }
    if column.y == 240 {
        root = root.with(
            kit::label(Rect::at(60, 500, 960, 80), "Nothing to set here")
                .id("empty_text")
                .ink(GREY),
        );
    }
    root
}

fn about(phone: &PhoneState) -> Node {
    let model = phone.system.model;
    let name = phone.system.setting("global", "device_name").unwrap_or_default();
    let facts = [
        (NAME, name.as_str(), Some(SettingsAction::Open(NAME))),
        ("Model", model.model, None),
        ("Android version", model.release, None),
        ("Android security update", model.patch, None),
        ("Build number", model.build, None),
        ("Serial number", phone.spec.serial.as_str(), None),
    ];
    let mut column = Column::new(0, 240, WIDTH);
    let rows = facts
        .into_iter()
        .map(|(title, summary, action)| row(column.next(ROW), title, summary, action));
    let rows: Vec<Node> = rows.collect();
    ground().with(bar("About phone")).all(rows)
}

fn device_name(app: &SettingsApp, phone: &PhoneState) -> Node {
    let value = app.fields.get(&Field::DeviceName).map_or("", String::as_str);
    let field = kit::field(Rect::at(60, 300, 960, 110), Field::DeviceName, value, NAME, phone.focus);
    ground().with(bar(NAME)).with(field.id("android:id/edit")).with(
        kit::button(
            Rect::at(660, 460, 360, 110),
            "OK",
            kit::PALE,
            kit::BLACK,
            SettingsAction::Rename,
        )
        .id("android:id/button1"),
    )
}
