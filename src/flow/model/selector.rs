//! What an element looks like.

use std::{fmt, sync::Arc};

use super::{ImageSelector, Text};

/// What an element looks like.
#[derive(Debug, Default, Clone)]
pub struct Selector {
    /// Regular expression on text, hint or description.
    pub text: Option<Text>,
    /// Regular expression on the resource id.
    pub id: Option<Text>,
    /// Which of several, by place on the screen.
    pub index: Option<Text>,
    /// Below another element.
    pub below: Option<Box<Selector>>,
    /// Above another element.
    pub above: Option<Box<Selector>>,
    /// Left of another element.
    pub left_of: Option<Box<Selector>>,
    /// Right of another element.
    pub right_of: Option<Box<Selector>>,
    /// Has this child.
    pub contains_child: Option<Box<Selector>>,
    /// Has all of these below it.
    pub contains_descendants: Vec<Selector>,
    /// Inside of this.
    pub child_of: Option<Box<Selector>>,
    /// `enabled`
    pub enabled: Option<bool>,
    /// `checked`
    pub checked: Option<bool>,
    /// `focused`
    pub focused: Option<bool>,
    /// `selected`
    pub selected: Option<bool>,
    /// Pixels.
    pub width: Option<i32>,
    /// Pixels.
    pub height: Option<i32>,
    /// Pixels that width and height may be off.
    pub tolerance: i32,
    /// Kinds of shape.
    pub traits: Vec<Trait>,
    /// Of several, the one nearest to what it is below, above, left or right of.
    pub nearest: bool,
    /// The first of these that is there, instead of all the above.
    pub any_of: Vec<Selector>,
    /// What it looks like, pixel by pixel.
    pub image: Option<Arc<ImageSelector>>,
    /// Selector of an element of a page; in browsers only.
    pub css: Option<Text>,
}

impl Selector {
    /// Names of the fields that are given.
    #[must_use]
    pub fn given(&self) -> Vec<&'static str> {
        // Taken apart, so that none is forgotten.
        let Self {
            text,
            id,
            index,
            below,
            above,
            left_of,
            right_of,
            contains_child,
            contains_descendants,
            child_of,
            enabled,
            checked,
            focused,
            selected,
            width,
            height,
            tolerance,
            traits,
            nearest,
            any_of,
            image,
            css,
        } = self;
        let all = [
            ("text", text.is_some()),
            ("id", id.is_some()),
            ("index", index.is_some()),
            ("below", below.is_some()),
            ("above", above.is_some()),
            ("leftOf", left_of.is_some()),
            ("rightOf", right_of.is_some()),
            ("containsChild", contains_child.is_some()),
            ("containsDescendants", !contains_descendants.is_empty()),
            ("childOf", child_of.is_some()),
            ("enabled", enabled.is_some()),
            ("checked", checked.is_some()),
            ("focused", focused.is_some()),
            ("selected", selected.is_some()),
            ("width", width.is_some()),
            ("height", height.is_some()),
            ("tolerance", *tolerance != 0),
            ("traits", !traits.is_empty()),
            ("nearest", *nearest),
            ("anyOf", !any_of.is_empty()),
            ("image", image.is_some()),
            ("css", css.is_some()),
        ];
        all.into_iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| name)
            .collect()
    }

    /// Whether a picture of the screen is needed to find it.
    #[must_use]
    pub fn has_image(&self) -> bool {
        let one = [
            &self.below,
            &self.above,
            &self.left_of,
            &self.right_of,
            &self.contains_child,
            &self.child_of,
        ];
        let one = one.into_iter().filter_map(|other| other.as_deref());
        let mut others = one.chain(&self.contains_descendants).chain(&self.any_of);
        self.image.is_some() || others.any(Self::has_image)
    }
}

/// A kind of shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// Has a text.
    Text,
    /// As wide as high, nearly.
    Square,
    /// More than 200 characters.
    LongText,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        let mut add = |word: &str, value: Option<String>| {
            if let Some(value) = value {
                parts.push(format!("{word}{value}"));
            }
        };
        add("", self.text.as_ref().map(|text| format!("\"{text}\"")));
        add("image: ", self.image.as_ref().map(|image| image.file.to_string()));
        add("css: ", self.css.as_ref().map(ToString::to_string));
        add("id: ", self.id.as_ref().map(ToString::to_string));
        for (word, flag) in [
            ("enabled: ", self.enabled),
            ("checked: ", self.checked),
            ("focused: ", self.focused),
            ("selected: ", self.selected),
        ] {
            add(word, flag.map(|flag| flag.to_string()));
        }
        add("width: ", self.width.map(|width| width.to_string()));
        add("height: ", self.height.map(|height| height.to_string()));
        for (word, other) in [
            ("below ", &self.below),
            ("above ", &self.above),
            ("left of ", &self.left_of),
            ("right of ", &self.right_of),
            ("containing child ", &self.contains_child),
            ("child of ", &self.child_of),
        ] {
            add(word, other.as_ref().map(ToString::to_string));
        }
        for other in &self.contains_descendants {
            add("containing ", Some(other.to_string()));
        }
        add("index: ", self.index.as_ref().map(ToString::to_string));
        if !self.any_of.is_empty() {
            let all: Vec<String> = self.any_of.iter().map(ToString::to_string).collect();
            add("any of ", Some(format!("[{}]", all.join(" | "))));
        }
        if parts.is_empty() {
            return f.write_str("any element");
        }
        f.write_str(&parts.join(", "))
    }
}
