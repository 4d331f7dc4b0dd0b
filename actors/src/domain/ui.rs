//! What a screen shows: the view tree and the picture.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A rectangle in pixels of the current rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bounds {
    /// Left edge.
    pub left: i32,
    /// Top edge.
    pub top: i32,
    /// Right edge (exclusive).
    pub right: i32,
    /// Bottom edge (exclusive).
    pub bottom: i32,
}

impl Bounds {
    /// Width; 0 when the edges are the wrong way round.
    #[must_use]
    pub fn width(&self) -> i32 {
        self.right.saturating_sub(self.left).max(0)
    }

    /// Height; 0 when the edges are the wrong way round.
    #[must_use]
    pub fn height(&self) -> i32 {
        self.bottom.saturating_sub(self.top).max(0)
    }

    /// The middle.
    #[must_use]
    pub fn centre(&self) -> (i32, i32) {
        (
            self.left.saturating_add(self.width() / 2),
            self.top.saturating_add(self.height() / 2),
        )
    }
}

/// One node of a view tree. Booleans that the dump does not name are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UiNode {
    /// Place of the parent in [`UiTree::nodes`]; `None` for a window's root.
    pub parent: Option<usize>,
    /// Places of the children, in document order.
    pub children: Vec<usize>,
    /// `text`
    pub text: String,
    /// `hint` or `hintText`
    pub hint: String,
    /// `content-desc`
    pub description: String,
    /// `resource-id`
    pub id: String,
    /// `class`; nodes of a class share it.
    pub class: Arc<str>,
    /// `package`; nodes of an app share it.
    pub package: Arc<str>,
    /// `bounds`; `None` when absent or unreadable.
    pub bounds: Option<Bounds>,
    /// `clickable`
    pub clickable: Option<bool>,
    /// `enabled`
    pub enabled: Option<bool>,
    /// `checked`
    pub checked: Option<bool>,
    /// `focused`
    pub focused: Option<bool>,
    /// `selected`
    pub selected: Option<bool>,
    /// `scrollable`
    pub scrollable: Option<bool>,
    /// `password`
    pub password: Option<bool>,
    /// In a browser, the selector that found it; Android has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub css: Option<Box<str>>,
}

/// A view tree: nodes in document order (every parent before its children).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UiTree {
    /// All nodes of all windows.
    pub nodes: Vec<UiNode>,
    /// `rotation` of the hierarchy, quarter turns.
    pub rotation: u8,
}

/// A picture of the screen: `width * height` pixels of RGBA, row by row, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screenshot {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Red, green, blue, alpha.
    pub rgba: Bytes,
}
