//! What Android itself lays over the apps: dialogs, share sheet, popup, keyboard, toast, keyguard.

use super::{
    KEYBOARD, Layer, SYSTEM_UI, Window,
    kit::{self, BLACK, Column, GREY, PALE, WHITE, WIDTH},
    node::{Color, Icon, Node, Picture, Rect, class},
};
use crate::world::{Network, PhoneState, clock::Millis, social::Placement, state::Dialog};

/// The keyboard's upper edge.
pub const KEYBOARD_TOP: i32 = 1_560;

/// What a tap on these means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SystemAction {
    Launch(String),
    DismissPopup,
    CloseCrash,
    Permission(bool),
    ShareTo(Network, Placement),
    CancelShare,
    /// A key of the keyboard.
    Type(String),
    Erase,
    Enter,
}

/// The windows over the app, the lowest first.
pub fn windows(phone: &PhoneState, app: &Window, now: Millis) -> Vec<Window> {
    let mut windows = Vec::new();
    if phone.keyboard_open && phone.focus.is_some() {
        windows.push(keyboard());
    }
    windows.extend(phone.dialogs.iter().map(dialog));
    if phone.popup_open
        && let Some(fault) = phone.faults.get(crate::world::fault::FaultKind::Popup)
    {
        windows.push(popup(&fault.text, app));
    }
    if let Some(toast) = phone.toast.as_ref().filter(|toast| toast.until > now) {
        windows.push(toast_window(&toast.text, &app.package));
    }
    if phone.system.locked {
        windows.push(keyguard(phone));
    }
    windows
}

fn popup(text: &str, app: &Window) -> Window {
    let buttons = vec![
        (
            "popup_ok".to_owned(),
            "OK".to_owned(),
            SystemAction::DismissPopup.into(),
        ),
        (
            "popup_close".to_owned(),
            "Close".to_owned(),
            SystemAction::DismissPopup.into(),
        ),
    ];
    Window::new(
        app.package.clone(),
        app.component.clone(),
        kit::over(kit::dialog(text, "", buttons), None),
    )
}

fn dialog(dialog: &Dialog) -> Window {
    match dialog {
        Dialog::Crash { package, label } => {
            let buttons = vec![(
                "android:id/aerr_close".to_owned(),
                "Close app".to_owned(),
                SystemAction::CloseCrash.into(),
            )];
            let card = kit::dialog(&format!("{label} keeps stopping"), "", buttons);
            Window::new(
                "android",
                format!("Application Error: {package}"),
                kit::over(card, None),
            )
        }
        Dialog::Permission { label, .. } => {
            let id = |name: &str| format!("com.android.permissioncontroller:id/{name}");
            let buttons = vec![
                (
                    id("permission_allow_button"),
                    "Allow".to_owned(),
                    SystemAction::Permission(true).into(),
                ),
                (
                    id("permission_deny_button"),
                    "Don't allow".to_owned(),
                    SystemAction::Permission(false).into(),
                ),
            ];
            let title = format!("Allow {label} to access photos and videos on this device?");
            let mut card = kit::dialog("", &title, buttons);
            if let Some(message) = card.children.iter_mut().find(|child| child.id == "android:id/message") {
                message.id = id("permission_message");
            }
            card.children.retain(|child| child.id != "android:id/alertTitle");
            let component = "com.android.permissioncontroller/.permission.ui.GrantPermissionsActivity";
            Window::new("com.android.permissioncontroller", component, kit::over(card, None))
        }
        Dialog::Share(_) => share_sheet(),
    }
}

fn share_sheet() -> Window {
    let targets = [
        ("TikTok", Network::TikTok, Placement::Feed),
        ("Reels", Network::Instagram, Placement::Reel),
        ("Stories", Network::Instagram, Placement::Story),
        ("Feed", Network::Instagram, Placement::Post),
    ];
    let top = 1_500;
    let mut card = Node::new(class::LINEAR, Rect::new(0, top, WIDTH, kit::NAVIGATION))
        .id("sharesheet")
        .with(
            kit::label(Rect::at(60, top + 30, 960, 80), "Share")
                .id("sharesheet_title")
                .size(50)
                .centred(),
        );
    let mut column = Column::new(60, top + 130, 960);
    for (name, network, placement) in targets {
        let rect = column.next(150);
        card = card.with(
            Node::new(class::LINEAR, rect)
                .id("sharesheet_target")
                .tap(SystemAction::ShareTo(network, placement))
                .with(kit::drawing(
                    Rect::at(70, rect.top + 20, 110, 110),
                    Picture::Avatar(name.to_owned()),
                ))
                .with(kit::label(Rect::at(220, rect.top + 40, 400, 70), name).id("android:id/text1"))
                .with(
                    kit::label(
                        Rect::at(640, rect.top + 40, 380, 70),
                        super::social::Skin::of(network).label,
                    )
                    .id("android:id/text2")
                    .ink(GREY),
                ),
        );
    }
    let root = kit::over(card, Some(SystemAction::CancelShare.into()));
    Window::new("android", "android/com.android.internal.app.ChooserActivity", root)
}

fn toast_window(text: &str, package: &str) -> Window {
    let root = Node::new(class::FRAME, Rect::at(190, 2_060, 700, 110))
        .fill(Color(0xee33_3333))
        .radius(55)
        .with(
            Node::new("android.widget.Toast", Rect::at(220, 2_080, 640, 70))
                .id("android:id/message")
                .text(text)
                .ink(WHITE)
                .size(36)
                .centred(),
        );
    Window {
        layer: Layer::Toast,
        ..Window::new(package, "Toast", root)
    }
}

fn keyguard(phone: &PhoneState) -> Window {
    let root = Node::new(class::FRAME, kit::SCREEN)
        .id("keyguard_root_view")
        .fill(Color(0xff1d_2733))
        .with(
            Node::new(class::LINEAR, Rect::at(90, 500, 900, 300))
                .id("keyguard_status_view")
                .with(
                    kit::label(Rect::at(90, 520, 900, 120), phone.system.model.model)
                        .id("keyguard_model")
                        .size(100)
                        .ink(WHITE)
                        .centred(),
                ),
        )
        .with(
            Node::new(class::IMAGE, Rect::at(495, 1_900, 90, 90))
                .id("lock_icon")
                .desc("Device locked")
                .ink(WHITE)
                .picture(Picture::Icon(Icon::Lock)),
        )
        .with(
            kit::label(Rect::at(90, 2_120, 900, 70), "Swipe up to open")
                .id("keyguard_indication_text")
                .ink(WHITE)
                .centred(),
        );
    Window::new(SYSTEM_UI, "NotificationShade", root)
}

/// The rows of the letter keyboard.
const ROWS: [&str; 4] = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];

fn keyboard() -> Window {
    let rect = Rect::new(0, KEYBOARD_TOP, WIDTH, kit::NAVIGATION);
    let mut area = Node::new(class::FRAME, rect)
        .id("keyboard_holder")
        .fill(Color(0xffe3_e5e9))
        .tap(super::Action::Nothing);
    let mut y = KEYBOARD_TOP + 20;
    for row in ROWS {
        let count = i32::try_from(row.chars().count()).unwrap_or(1);
        let mut x = (WIDTH - count * 104) / 2;
        for letter in row.chars() {
            area = area.with(key(
                Rect::at(x + 4, y, 96, 130),
                &letter.to_string(),
                SystemAction::Type(letter.to_string()),
            ));
            x += 104;
        }
        y += 145;
    }
    let erase = kit::icon(
        Rect::at(960, y - 145, 110, 130),
        Icon::Back,
        "Delete",
        SystemAction::Erase,
    );
    let area = area
        .with(erase.id("key_pos_del").fill(PALE))
        .with(
            key(Rect::at(220, y, 620, 130), " ", SystemAction::Type(" ".to_owned()))
                .desc("Space")
                .id("key_pos_space"),
        )
        .with(
            Node::new(class::FRAME, Rect::at(860, y, 200, 130))
                .id("key_pos_ime_action")
                .desc("Enter")
                .fill(Color(0xffc3_d3f5))
                .radius(20)
                .tap(SystemAction::Enter)
                .with(kit::drawing(
                    Rect::at(920, y + 25, 80, 80),
                    Picture::Icon(Icon::ChevronRight),
                )),
        );
    Window {
        layer: Layer::Keyboard,
        ..Window::new(KEYBOARD, "InputMethod", area)
    }
}

/// Keys say what they are to screen readers only; their letters are drawn, not texts of the hierarchy.
fn key(rect: Rect, letter: &str, action: SystemAction) -> Node {
    let mut node = Node::new(class::FRAME, rect)
        .desc(letter)
        .fill(WHITE)
        .radius(14)
        .ink(BLACK)
        .tap(action);
    node.look.picture = (letter != " ").then(|| Picture::Glyph(letter.to_owned()));
    node
}
