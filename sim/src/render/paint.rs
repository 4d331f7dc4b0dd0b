//! Draws windows: fills, borders, pictures, text.

use tiny_skia::{Color as SkiaColor, FillRule, Paint, Path, PathBuilder, Pixmap, Rect as SkiaRect, Stroke, Transform};

use super::{glyphs, icons};
use crate::{
    apps::{
        kit,
        node::{Align, Color, Node, Picture, Rect},
    },
    device::Frame,
};

/// The usual height of text, pixels.
const TEXT: i32 = 42;
const WIDTH: u32 = 1_080;
const HEIGHT: u32 = 2_400;

/// A screen: its windows from the lowest to the topmost, then the status bar.
pub(crate) fn screen(roots: &[&Node], clock: &str, battery: u8) -> Frame {
    let Some(mut canvas) = Canvas::new() else { return dark() };
    for root in roots {
        canvas.node(root, 0);
    }
    canvas.status_bar(clock, battery);
    canvas.finish()
}

/// A screen that is off.
pub(crate) fn dark() -> Frame {
    let black = [0, 0, 0, 255].repeat(usize::try_from(WIDTH * HEIGHT).unwrap_or(0));
    Frame {
        width: WIDTH,
        height: HEIGHT,
        rgba: black,
    }
}

/// A drawing surface of the panel's size.
pub(super) struct Canvas {
    pixels: Pixmap,
}

/// A tree cannot be deeper than this on a screen of ours.
const DEPTH_MAX: usize = 64;

impl Canvas {
    fn new() -> Option<Self> {
        let mut pixels = Pixmap::new(WIDTH, HEIGHT)?;
        pixels.fill(SkiaColor::BLACK);
        Some(Self { pixels })
    }

    fn finish(self) -> Frame {
        Frame {
            width: WIDTH,
            height: HEIGHT,
            rgba: self.pixels.take(),
        }
    }

    fn node(&mut self, node: &Node, depth: usize) {
        let look = &node.look;
        let rect = &node.rect;
        if let Some(fill) = look.fill {
            self.fill(rect, look.radius, fill);
        }
        if let Some(border) = look.border {
            self.border(rect, look.radius, border);
        }
        let ink = look.ink.unwrap_or(kit::BLACK);
        if let Some(picture) = &look.picture {
            self.picture(rect, picture, ink);
        }
        if !node.text.is_empty() && ink.0 != 0 {
            let size = if look.size == 0 { TEXT } else { look.size };
            let field = node.field.is_some();
            let pad = if field { 24 } else { 0 };
            let place = Rect {
                left: rect.left + pad,
                right: rect.right - pad,
                ..*rect
            };
            let text = if node.password {
                "•".repeat(node.text.chars().count())
            } else {
                node.text.clone()
            };
            self.text(&place, &text, size, ink, look.align);
        }
        if depth < DEPTH_MAX {
            for child in &node.children {
                self.node(child, depth + 1);
            }
        }
    }

    fn picture(&mut self, rect: &Rect, picture: &Picture, ink: Color) {
        match picture {
            Picture::Icon(icon) => icons::draw(self, rect, *icon, ink),
            Picture::Tile { name, video } => self.tile(rect, name, *video),
            Picture::Avatar(name) => {
                self.fill(rect, rect.width() / 2, tint(name, 0x60));
                let initial: String = name.chars().take(1).flat_map(char::to_uppercase).collect();
                self.text(rect, &initial, rect.height() * 5 / 9, kit::WHITE, Align::Centre);
            }
            Picture::Glyph(letter) => self.text(rect, letter, 46, ink, Align::Centre),
            Picture::Slider(value) => {
                let y = (rect.top + rect.bottom) / 2;
                let x = rect.left + rect.width() * i32::from(*value) / 100;
                self.fill(&Rect::new(rect.left, y - 5, rect.right, y + 5), 5, kit::LINE);
                self.fill(&Rect::new(rect.left, y - 5, x, y + 5), 5, kit::GREY);
                self.fill(&Rect::at(x - 24, y - 24, 48, 48), 24, kit::BLACK);
            }
            Picture::Switch(on) => {
                let radius = rect.height() / 2;
                self.fill(rect, radius, if *on { Color(0xff1a_73e8) } else { kit::LINE });
                let left = if *on { rect.right - rect.height() } else { rect.left };
                self.fill(
                    &Rect::at(left, rect.top, rect.height(), rect.height()).inset(10),
                    radius,
                    kit::WHITE,
                );
            }
        }
    }

    /// A photo or video: two bands of a colour that follows from the name, the name, a triangle for videos.
    fn tile(&mut self, rect: &Rect, name: &str, video: bool) {
        self.fill(rect, 8, tint(name, 0x90));
        let lower = Rect {
            top: rect.top + rect.height() * 3 / 5,
            ..*rect
        };
        self.fill(&lower, 8, tint(name, 0x58));
        if video {
            let (x, y, r) = (
                (rect.left + rect.right) / 2,
                rect.top + rect.height() * 2 / 5,
                rect.width().min(rect.height()) / 8,
            );
            let mut path = PathBuilder::new();
            path.move_to(px(x - r), px(y - r));
            path.line_to(px(x + r), px(y));
            path.line_to(px(x - r), px(y + r));
            path.close();
            self.path(path.finish(), kit::WHITE, None);
        }
        let size = (rect.width() / 9).clamp(20, 44);
        let place = Rect {
            left: rect.left + 12,
            top: rect.bottom - size - 24,
            right: rect.right - 12,
            bottom: rect.bottom - 8,
        };
        self.text(&place, name, size, kit::WHITE, Align::Start);
    }

    fn status_bar(&mut self, clock: &str, battery: u8) {
        let bar = Rect::new(0, 0, kit::WIDTH, kit::STATUS);
        self.fill(&bar, 0, Color(0xe611_1111));
        self.text(&Rect::new(48, 0, 400, kit::STATUS), clock, 38, kit::WHITE, Align::Start);
        self.text(
            &Rect::new(850, 0, 960, kit::STATUS),
            &format!("{battery}%"),
            34,
            kit::WHITE,
            Align::Start,
        );
        let cell = Rect::new(970, 28, 1_030, 58);
        self.border(&cell, 6, kit::WHITE);
        self.fill(
            &Rect {
                right: cell.left + 60 * i32::from(battery.min(100)) / 100,
                ..cell
            },
            6,
            kit::WHITE,
        );
        self.fill(&Rect::at(430, 2_366, 220, 8), 4, Color(0x9988_8888));
    }

    /// Text in lines that fit; what is left over when the place is full ends in "…".
    fn text(&mut self, place: &Rect, text: &str, size: i32, ink: Color, align: Align) {
        let height = size * 5 / 4;
        let room = usize::try_from((place.height() / height.max(1)).max(1)).unwrap_or(1);
        let lines = wrapped(text, px(place.width()), px(size), room);
        let total = height * i32::try_from(lines.len()).unwrap_or(1);
        let mut top = place.top + ((place.height() - total) / 2).max(0);
        if lines.len() > 1 && align == Align::Start {
            top = place.top + 12.min(place.height());
        }
        for line in lines {
            let free = px(place.width()) - glyphs::width(&line, px(size));
            let x = px(place.left)
                + if align == Align::Centre {
                    (free / 2.0).max(0.0)
                } else {
                    0.0
                };
            self.line(&line, x, px(top) + px(size), px(size), ink);
            top += height;
        }
    }

    fn line(&mut self, line: &str, mut x: f32, baseline: f32, size: f32, ink: Color) {
        for character in line.chars() {
            let glyph = glyphs::glyph(character);
            if let Some(outline) = &glyph.outline {
                let scale = glyphs::scale(size);
                let place = Transform::from_row(scale, 0.0, 0.0, scale, x, baseline);
                self.pixels
                    .fill_path(outline, &paint(ink), FillRule::Winding, place, None);
            }
            x += glyph.advance * size;
        }
    }

    /// A filled rectangle with round corners.
    pub(super) fn fill(&mut self, rect: &Rect, radius: i32, color: Color) {
        if color.0 >> 24 == 0 || rect.is_empty() {
            return;
        }
        if radius == 0 {
            if let Some(area) = SkiaRect::from_ltrb(px(rect.left), px(rect.top), px(rect.right), px(rect.bottom)) {
                self.pixels.fill_rect(area, &paint(color), Transform::identity(), None);
            }
        } else {
            self.path(rounded(rect, radius), color, None);
        }
    }

    fn border(&mut self, rect: &Rect, radius: i32, color: Color) {
        self.path(rounded(&rect.inset(2), radius.max(1)), color, Some(3.0));
    }

    /// A filled path, or a line along it of this width.
    pub(super) fn path(&mut self, path: Option<Path>, color: Color, stroke: Option<f32>) {
        let Some(path) = path else { return };
        match stroke {
            None => self
                .pixels
                .fill_path(&path, &paint(color), FillRule::Winding, Transform::identity(), None),
            Some(width) => {
                let stroke = Stroke {
                    width,
                    ..Stroke::default()
                };
                self.pixels
                    .stroke_path(&path, &paint(color), &stroke, Transform::identity(), None);
            }
        }
    }
}

/// Pixels as the painter counts them; the panel is far smaller than where this loses anything.
pub(super) fn px(pixels: i32) -> f32 {
    i16::try_from(pixels).map_or(0.0, f32::from)
}

fn paint(color: Color) -> Paint<'static> {
    let [alpha, red, green, blue] = color.0.to_be_bytes();
    let mut paint = Paint {
        anti_alias: true,
        ..Paint::default()
    };
    paint.set_color_rgba8(red, green, blue, alpha);
    paint
}

fn rounded(rect: &Rect, radius: i32) -> Option<Path> {
    let (l, t, r, b) = (px(rect.left), px(rect.top), px(rect.right), px(rect.bottom));
    let round = px(radius.min(rect.width() / 2).min(rect.height() / 2));
    // The usual factor with which a cubic curve comes close to a quarter of a circle.
    let k = round * (1.0 - 0.552_284_8);
    let mut path = PathBuilder::new();
    path.move_to(l + round, t);
    path.line_to(r - round, t);
    path.cubic_to(r - k, t, r, t + k, r, t + round);
    path.line_to(r, b - round);
    path.cubic_to(r, b - k, r - k, b, r - round, b);
    path.line_to(l + round, b);
    path.cubic_to(l + k, b, l, b - k, l, b - round);
    path.line_to(l, t + round);
    path.cubic_to(l, t + k, l + k, t, l + round, t);
    path.close();
    path.finish()
}

/// A colour that follows from a name, of about this brightness.
fn tint(name: &str, brightness: u8) -> Color {
    let sum = name
        .bytes()
        .fold(17_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let part = |shift: u32| (u32::from(brightness) + (sum >> shift) % 0x50).min(0xff);
    Color(0xff00_0000 | part(0) << 16 | part(9) << 8 | part(17))
}

fn wrapped(text: &str, width: f32, size: f32, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if !line.is_empty() && glyphs::width(&line, size) + glyphs::width(word.trim_end(), size) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    let over = lines.len() > room;
    lines.truncate(room);
    for (place, line) in lines.iter_mut().enumerate() {
        *line = line.trim_end().to_owned();
        let last = over && place + 1 == room;
        if last {
            line.push('…');
        }
        while glyphs::width(line, size) > width && line.chars().count() > 2 {
            line.pop();
            line.pop();
            line.push('…');
        }
    }
    lines
}
