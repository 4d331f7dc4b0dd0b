//! Text: which font has a character, how wide it is, its outline. Outlines are kept, in units of the font.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use skrifa::{
    FontRef, GlyphId, MetadataProvider,
    instance::{LocationRef, Size},
    outline::{DrawSettings, OutlinePen},
};
use tiny_skia::{Path, PathBuilder};

use crate::world::lock;

/// Tried in this order for every character.
static FONTS: LazyLock<Vec<FontRef<'static>>> = LazyLock::new(|| {
    let files = [
        epaint_default_fonts::UBUNTU_LIGHT,
        epaint_default_fonts::HACK_REGULAR,
        epaint_default_fonts::NOTO_EMOJI_REGULAR,
        epaint_default_fonts::EMOJI_ICON,
    ];
    files.into_iter().filter_map(|bytes| FontRef::new(bytes).ok()).collect()
});

/// A character's outline for a font size of one pixel, and how far it moves the pen.
#[derive(Debug)]
pub(super) struct Glyph {
    /// Nothing to draw for spaces.
    pub outline: Option<Path>,
    pub advance: f32,
}

static GLYPHS: LazyLock<Mutex<HashMap<char, Arc<Glyph>>>> = LazyLock::new(Mutex::default);

/// How many outlines are kept; more than any set of screens shows.
const KEPT: usize = 4_096;

/// Outlines are taken at this size and scaled, pixels.
const REFERENCE: f32 = 64.0;

/// The glyph of a character.
pub(super) fn glyph(character: char) -> Arc<Glyph> {
    let mut glyphs = lock(&GLYPHS);
    if let Some(known) = glyphs.get(&character) {
        return Arc::clone(known);
    }
    if glyphs.len() >= KEPT {
        glyphs.clear();
    }
    let made = Arc::new(outlined(character));
    glyphs.insert(character, Arc::clone(&made));
    made
}

/// The width of a text at a size, pixels.
pub(super) fn width(text: &str, size: f32) -> f32 {
    text.chars().map(|character| glyph(character).advance * size).sum()
}

fn outlined(character: char) -> Glyph {
    let hit = FONTS.iter().find_map(|font| {
        let id = font.charmap().map(character)?;
        (id != GlyphId::NOTDEF).then_some((font, id))
    });
    let Some((font, id)) = hit else {
        return missing(character);
    };
    let size = Size::new(REFERENCE);
    let metrics = font.glyph_metrics(size, LocationRef::default());
    let advance = metrics.advance_width(id).unwrap_or(REFERENCE / 2.0) / REFERENCE;
    let mut pen = Pen(PathBuilder::new());
    if let Some(outline) = font.outline_glyphs().get(id) {
        // A broken outline leaves the character blank.
        let _ = outline.draw(DrawSettings::unhinted(size, LocationRef::default()), &mut pen);
    }
    Glyph {
        outline: pen.0.finish(),
        advance,
    }
}

/// An empty box, as every system draws what no font has; nothing for characters that join or control.
fn missing(character: char) -> Glyph {
    if character.is_control() || matches!(character, '\u{200d}' | '\u{fe0f}' | '\u{fe0e}') {
        return Glyph {
            outline: None,
            advance: 0.0,
        };
    }
    let mut path = PathBuilder::new();
    for (inset, down) in [(0.0, false), (5.0, true)] {
        let (left, right, bottom, top) = (6.0 + inset, 34.0 - inset, inset, 46.0 - inset);
        path.move_to(left, -bottom);
        if down {
            path.line_to(left, -top);
            path.line_to(right, -top);
            path.line_to(right, -bottom);
        } else {
            path.line_to(right, -bottom);
            path.line_to(right, -top);
            path.line_to(left, -top);
        }
        path.close();
    }
    Glyph {
        outline: path.finish(),
        advance: 40.0 / REFERENCE,
    }
}

/// Fonts count upwards, pixels downwards.
struct Pen(PathBuilder);

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, -y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, -y);
    }

    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        self.0.quad_to(cx0, -cy0, x, -y);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.0.cubic_to(cx0, -cy0, cx1, -cy1, x, -y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}

/// The scale of [`Glyph::outline`] at a font size.
pub(super) fn scale(size: f32) -> f32 {
    size / REFERENCE
}
