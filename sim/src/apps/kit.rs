//! The widgets that all screens share, and the measures of the panel.

use super::{
    Action, Field,
    node::{Align, Color, Icon, Node, Picture, Rect, class},
};

/// Pixels of the panel.
pub const WIDTH: i32 = 1080;
/// Pixels of the panel.
pub const HEIGHT: i32 = 2400;
/// The status bar's lower edge.
pub const STATUS: i32 = 84;
/// The navigation bar's upper edge.
pub const NAVIGATION: i32 = 2340;
/// The whole panel.
pub const SCREEN: Rect = Rect::new(0, 0, WIDTH, HEIGHT);

pub const WHITE: Color = Color(0xffff_ffff);
pub const BLACK: Color = Color(0xff11_1111);
pub const GREY: Color = Color(0xff75_7575);
pub const PALE: Color = Color(0xfff1_f1f2);
pub const LINE: Color = Color(0xffd8_d8da);
pub const SCRIM: Color = Color(0x9900_0000);
pub const CLEAR: Color = Color(0);

/// Text without a handler.
pub fn label(rect: Rect, text: impl Into<String>) -> Node {
    Node::new(class::TEXT, rect).text(text)
}

/// A filled button.
pub fn button(rect: Rect, text: impl Into<String>, fill: Color, ink: Color, action: impl Into<Action>) -> Node {
    let mut node = Node::new(class::BUTTON, rect)
        .text(text)
        .fill(fill)
        .ink(ink)
        .radius(16)
        .tap(action);
    node.look.align = Align::Centre;
    node
}

/// A button without a face: a word that can be tapped.
pub fn word(rect: Rect, text: impl Into<String>, ink: Color, action: impl Into<Action>) -> Node {
    button(rect, text, CLEAR, ink, action)
}

/// A drawing that can be tapped; `desc` is what a screen reader says.
pub fn icon(rect: Rect, icon: Icon, desc: &str, action: impl Into<Action>) -> Node {
    Node::new(class::IMAGE_BUTTON, rect)
        .desc(desc)
        .picture(Picture::Icon(icon))
        .tap(action)
}

/// A drawing only.
pub fn drawing(rect: Rect, picture: Picture) -> Node {
    Node::new(class::IMAGE, rect).picture(picture)
}

/// A text field. Its text shows, or its hint while it is empty (as Android reports it: as text and as hint).
pub fn field(rect: Rect, field: Field, value: &str, hint: &str, focus: Option<Field>) -> Node {
    let mut node = Node::new(class::EDIT, rect).fill(PALE).radius(16);
    node.text = if value.is_empty() {
        hint.to_owned()
    } else {
        value.to_owned()
    };
    node.look.ink = Some(if value.is_empty() { GREY } else { BLACK });
    node.hint = hint.to_owned();
    node.focused = focus == Some(field);
    node.look.border = node.focused.then_some(BLACK);
    node.field = Some(field);
    node
}

/// A switch that can be tapped.
pub fn toggle(rect: Rect, on: bool, action: impl Into<Action>) -> Node {
    Node::new(class::SWITCH, rect)
        .text(if on { "ON" } else { "OFF" })
        .checked(on)
        .picture(Picture::Switch(on))
        .tap(action)
        .ink(CLEAR)
}

/// An app's window: the nested containers that every real dump has, and the bars' backgrounds.
pub fn decor(content: Node) -> Node {
    let bars = [
        Node::new(class::VIEW, Rect::new(0, 0, WIDTH, STATUS)).id("android:id/statusBarBackground"),
        Node::new(class::VIEW, Rect::new(0, NAVIGATION, WIDTH, HEIGHT)).id("android:id/navigationBarBackground"),
    ];
    let frame = Node::new(class::FRAME, SCREEN).id("android:id/content").with(content);
    let linear = Node::new(class::LINEAR, SCREEN).with(frame);
    Node::new(class::FRAME, SCREEN).fill(WHITE).with(linear).all(bars)
}

/// A dialog's or sheet's window: a scrim over everything, `outside` when it is tapped, and the card on it.
pub fn over(card: Node, outside: Option<Action>) -> Node {
    let mut scrim = Node::new(class::FRAME, SCREEN).fill(SCRIM);
    scrim.action = Some(outside.unwrap_or(Action::Nothing));
    let mut card = card.fill(WHITE).radius(36);
    card.action = None;
    // Between scrim and card, so that a tap beside the card's buttons does not count as one outside.
    let guard = Node::new(class::FRAME, card.rect)
        .id("android:id/content")
        .tap(Action::Nothing)
        .with(card);
    scrim.with(guard)
}

/// A dialog's card in the middle: title, message and up to three buttons below one another.
pub fn dialog(title: &str, message: &str, buttons: Vec<(String, String, Action)>) -> Node {
    let lines = i32::try_from(message.chars().count() / 42 + 1).unwrap_or(1).min(8);
    let body = if message.is_empty() { 0 } else { 30 + lines * 54 };
    let count = i32::try_from(buttons.len()).unwrap_or(3);
    let height = 170 + body + count * 130 + 30;
    let top = (HEIGHT - height) / 2;
    let rect = Rect::at(90, top, 900, height);
    let mut card = Node::new(class::LINEAR, rect).id("android:id/parentPanel");
    card.children.push(
        label(Rect::at(150, top + 50, 780, 80), title)
            .id("android:id/alertTitle")
            .size(50),
    );
    if !message.is_empty() {
        card.children.push(
            label(Rect::at(150, top + 150, 780, body), message)
                .id("android:id/message")
                .ink(GREY),
        );
    }
    let mut y = top + 170 + body;
    for (id, text, action) in buttons {
        card.children
            .push(button(Rect::at(150, y, 780, 110), text, PALE, BLACK, action).id(id));
        y += 130;
    }
    card
}

/// Lines up nodes of one height below each other.
pub struct Column {
    pub left: i32,
    pub width: i32,
    pub y: i32,
}

impl Column {
    /// Begins at this height.
    pub fn new(left: i32, y: i32, width: i32) -> Self {
        Self { left, width, y }
    }

    /// The next place.
    pub fn next(&mut self, height: i32) -> Rect {
        let rect = Rect::at(self.left, self.y, self.width, height);
        self.y += height;
        rect
    }
}

/// The places of a grid's square cells, row by row, `columns` beside each other, and the height of `count` of them.
pub fn cells(rect: Rect, columns: i32, count: usize) -> (impl Iterator<Item = Rect>, i32) {
    let side = rect.width() / columns;
    let places = (0..).map(move |place: i32| {
        Rect::at(
            rect.left + place % columns * side,
            rect.top + place / columns * side,
            side,
            side,
        )
    });
    let rows = i32::try_from(count).unwrap_or(0).saturating_add(columns - 1) / columns;
    (places, rows * side)
}
