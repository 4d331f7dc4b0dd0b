//! What was there instead of what was looked for: the end of a failure's line, for the person who reads it.

use farmhand_actors::domain::{Bounds, UiTree};

use super::Run;
use crate::flow::select::{self, Query, tree::Screen};

/// Longest text of the screen that is told, characters.
const MAX_TEXT: usize = 80;
/// Status bar, notifications and the like: they are always there.
const SYSTEM_UI: &str = "com.android.systemui";

impl Run {
    /// In brackets after a blank: how well a picture fitted, what the element says that has everything but the wanted
    /// text, or which app is in front instead of the flow's; nothing when nothing is known.
    pub(in crate::flow) fn instead(&self, query: &Query) -> String {
        let told = match (&self.sight, &self.look) {
            (Some(sight), _) => Some(sight.clone()),
            (None, Some(look)) => self
                .other_words(query, &look.tree)
                .or_else(|| self.other_app(&look.tree)),
            (None, None) => None,
        };
        told.map(|told| format!(" ({told})")).unwrap_or_default()
    }

    fn other_words(&self, query: &Query, tree: &UiTree) -> Option<String> {
        query.text.as_ref().and(query.id.as_ref())?;
        let (width, height) = self.size?;
        let any_text = Query {
            text: None,
            ..query.clone()
        };
        let screen = Screen::new(tree, width, height);
        let node = screen.node(select::find(&any_text, &screen)?)?;
        let words = if node.text.is_empty() {
            &node.description
        } else {
            &node.text
        };
        let words: String = words.chars().take(MAX_TEXT).collect();
        (!words.is_empty()).then(|| format!("it says {words:?}"))
    }

    fn other_app(&self, tree: &UiTree) -> Option<String> {
        let wanted = self.app_id.as_str();
        let in_front = in_front(tree)?;
        (!wanted.is_empty() && in_front != wanted)
            .then(|| format!("{in_front} is in front, not {wanted}: that has been closed, or it crashed"))
    }
}

fn area(bounds: Bounds) -> u64 {
    u64::from(bounds.width().unsigned_abs()).saturating_mul(bounds.height().unsigned_abs().into())
}

/// The package that most of the screen belongs to.
fn in_front(tree: &UiTree) -> Option<&str> {
    let apps = tree
        .nodes
        .iter()
        .filter(|node| !node.package.is_empty() && *node.package != *SYSTEM_UI);
    let sized = apps.filter_map(|node| Some((area(node.bounds?), &*node.package)));
    // The first of those that are as large, which is the outermost.
    let largest = sized.fold(None, |largest: Option<(u64, &str)>, one| match largest {
        Some(largest) if largest.0 >= one.0 => Some(largest),
        _ => Some(one),
    });
    largest.map(|(_, package)| package)
}
