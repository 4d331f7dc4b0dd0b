//! The launcher: one page of icons, and a dock's worth of room below.

use super::{
    LAUNCHER, Window,
    kit::{self, WHITE},
    node::{Color, Node, Picture, Rect, class},
    overlay::SystemAction,
};
use crate::world::PhoneState;

/// The launcher's window.
pub fn window(phone: &PhoneState) -> Window {
    let mut page = Node::new(class::GROUP, Rect::new(0, kit::STATUS, kit::WIDTH, kit::NAVIGATION)).id("workspace");
    page = page.with(
        kit::label(Rect::at(90, 260, 900, 110), phone.system.model.model)
            .id("model")
            .size(70)
            .ink(WHITE),
    );
    let (mut x, mut y) = (60, 620);
    let apps = phone
        .system
        .apps
        .values()
        .filter(|app| app.package != LAUNCHER && app.launcher.is_some());
    for app in apps.filter(|app| phone.is_installed(&app.package)) {
        let name = label_of(&app.package);
        let cell = Rect::at(x, y, 240, 280);
        page = page.with(
            Node::new(class::FRAME, cell)
                .desc(name.as_str())
                .tap(SystemAction::Launch(app.package.clone()))
                .with(kit::drawing(
                    Rect::at(x + 45, y + 20, 150, 150),
                    Picture::Avatar(name.clone()),
                ))
                .with(
                    kit::label(Rect::at(x, y + 190, 240, 60), name)
                        .id("icon")
                        .size(34)
                        .ink(WHITE)
                        .centred(),
                ),
        );
        x += 240;
        if x + 240 > kit::WIDTH {
            (x, y) = (60, y + 320);
        }
    }
    let root = kit::decor(page).fill(Color(0xff2b_4c7e));
    Window::new(LAUNCHER, format!("{LAUNCHER}/.NexusLauncherActivity"), root)
}

/// What an app is called.
pub fn label_of(package: &str) -> String {
    match package {
        super::SETTINGS => "Settings".to_owned(),
        super::GALLERY => "Gallery".to_owned(),
        other => match crate::world::Network::parse(other) {
            Some(network) => super::social::Skin::of(network).label.to_owned(),
            None => other.rsplit('.').next().unwrap_or(other).to_owned(),
        },
    }
}
