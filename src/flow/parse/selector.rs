//! Selectors: a text, or a map of what an element looks like.

use std::sync::Arc;

use super::{
    FlowParser,
    fields::{Fields, incorrect, scalar_text},
    yaml::Node,
};
use crate::flow::{
    model::{Selector, Text, Trait},
    select::text::Pattern,
};

/// What an index may be: a screen has no more elements.
const INDEXES: (i64, i64) = (-100_000, 100_000);
/// Widest screen that a size can mean, pixels.
const MAX_PIXELS: i64 = 100_000;

impl FlowParser<'_> {
    /// A selector on its own: nothing but a selector may stand in its map.
    pub(super) fn selector(&mut self, node: &Arc<Node>, what: &str) -> Option<Selector> {
        let mut fields = Fields::or_scalar(node, what, "text", &mut self.problems)?;
        let selector = self.main_selector(&mut fields);
        // Accepted and unused, as upstream: a selector inside of a command may carry the command's own fields.
        fields.take("optional");
        fields.take("label");
        match selector {
            Some(_) => fields.finish(&mut self.problems),
            None => fields.finish_slips(&mut self.problems),
        }
        selector
    }

    pub(super) fn required_selector(&mut self, fields: &mut Fields, name: &'static str) -> Option<Selector> {
        let Some(node) = fields.take(name) else {
            fields.missing(name, &mut self.problems);
            return None;
        };
        self.selector(&node, name)
    }

    pub(super) fn optional_selector(&mut self, fields: &mut Fields, name: &'static str) -> Option<Selector> {
        let node = fields.take(name)?;
        self.selector(&node, name)
    }

    /// Takes a selector that must be there out of a command's map; its absence is only told if nothing else was wrong.
    pub(super) fn main_selector(&mut self, fields: &mut Fields) -> Option<Selector> {
        let before = self.problems.len();
        let selector = self.selector_fields(fields);
        if selector.is_none() && self.problems.len() == before {
            incorrect(&fields.place, &fields.what, "a selector", &mut self.problems);
        }
        selector
    }

    /// Takes a selector's fields out of a map; `None` if there are none of them.
    pub(super) fn selector_fields(&mut self, fields: &mut Fields) -> Option<Selector> {
        let problems = &mut self.problems;
        let mut found = Selector {
            text: fields.text("text", problems),
            id: fields.text("id", problems),
            index: fields.whole_text("index", INDEXES, problems),
            enabled: fields.flag("enabled", problems),
            checked: fields.flag("checked", problems),
            focused: fields.flag("focused", problems),
            selected: fields.flag("selected", problems),
            width: pixels(fields.whole("width", (0, MAX_PIXELS), problems)),
            height: pixels(fields.whole("height", (0, MAX_PIXELS), problems)),
            tolerance: pixels(fields.whole("tolerance", (0, MAX_PIXELS), problems)).unwrap_or(0),
            nearest: fields.flag("nearest", problems).unwrap_or(false),
            ..Selector::default()
        };
        for (pattern, what) in [(&found.text, "text"), (&found.id, "id")] {
            if let Some(pattern) = pattern
                && !pattern.contains("${")
                && let Err(message) = Pattern::new(pattern)
            {
                self.problems
                    .add(&fields.at(what), format!("Invalid Regular Expression: {what}"), message);
            }
        }
        self.traits(fields, &mut found);
        found.css = self.css(fields);
        found.image = self.image(fields);
        self.relations(fields, &mut found);
        self.check_image(fields, &found);
        self.check_any_of(fields, &found);
        let given = found.given();
        given
            .iter()
            .any(|name| !matches!(*name, "tolerance" | "nearest"))
            .then_some(found)
    }

    fn relations(&mut self, fields: &mut Fields, found: &mut Selector) {
        found.below = self.optional_selector(fields, "below").map(Box::new);
        found.above = self.optional_selector(fields, "above").map(Box::new);
        found.left_of = self.optional_selector(fields, "leftOf").map(Box::new);
        found.right_of = self.optional_selector(fields, "rightOf").map(Box::new);
        found.contains_child = self.optional_selector(fields, "containsChild").map(Box::new);
        found.child_of = self.optional_selector(fields, "childOf").map(Box::new);
        found.contains_descendants = self.selectors(fields, "containsDescendants");
        found.any_of = self.selectors(fields, "anyOf");
    }

    /// Takes a list of selectors.
    pub(super) fn selectors(&mut self, fields: &mut Fields, name: &'static str) -> Vec<Selector> {
        let items = fields.list(name, &mut self.problems).unwrap_or_default();
        items.iter().filter_map(|item| self.selector(item, name)).collect()
    }

    fn traits(&mut self, fields: &mut Fields, found: &mut Selector) {
        let Some(text) = fields.text("traits", &mut self.problems) else {
            return;
        };
        for word in text.split_whitespace() {
            match word.to_lowercase().as_str() {
                "text" => found.traits.push(Trait::Text),
                "square" => found.traits.push(Trait::Square),
                "long-text" => found.traits.push(Trait::LongText),
                _ => incorrect(
                    &fields.at("traits"),
                    "traits",
                    "some of text, square, long-text",
                    &mut self.problems,
                ),
            }
        }
    }

    fn css(&mut self, fields: &mut Fields) -> Option<Text> {
        let node = fields.take_unlisted("css")?;
        let why = "css selectors work in web flows only; farmhand drives Android apps";
        self.note_web(&node.place, "css", why);
        scalar_text(&node, "css", &mut self.problems)
    }

    /// Notes what stands beside `anyOf`: each of its selectors is looked for as it is.
    fn check_any_of(&mut self, fields: &Fields, found: &Selector) {
        // Pictures have told of it.
        if found.any_of.is_empty() || found.image.is_some() {
            return;
        }
        for name in found.given().into_iter().filter(|name| *name != "anyOf") {
            let message = format!("`{name}` cannot stand beside `anyOf`; say it in each of the selectors of `anyOf`");
            self.problems
                .add(&fields.at(name), format!("Incorrect Format: {name}"), message);
        }
    }
}

fn pixels(number: Option<i64>) -> Option<i32> {
    number.and_then(|number| i32::try_from(number).ok())
}
