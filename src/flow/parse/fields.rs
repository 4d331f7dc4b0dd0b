//! Reading the options of a command: typed, with every fault noted and every unknown name told.

use std::sync::Arc;

use super::{
    keys::FIELD_MISTAKES,
    suggest::did_you_mean,
    yaml::{Entry, Node, NodeValue},
};
use farmhand_actors::domain::Package;

use crate::flow::{
    expr::{is_own_object, is_variable},
    model::Text,
    problem::{Place, Problems},
};

/// What a time may be, milliseconds: up to a day.
pub const TIME_MS: (i64, i64) = (0, 86_400_000);

/// The entries of a map, taken out one by one; what is left at the end is unknown.
pub struct Fields {
    /// What the map belongs to, e.g. `tapOn`.
    pub what: String,
    /// Where it begins.
    pub place: Place,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
    /// Where the values of the fields stand that were taken.
    taken: Vec<(&'static str, Place)>,
}

impl Fields {
    /// The fields of a map.
    pub fn of(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            NodeValue::Map(entries) => Some(Self::new(what, node.place.clone(), entries.clone())),
            _ => {
                incorrect(&node.place, what, &format!("a map, not {}", node.kind()), problems);
                None
            }
        }
    }

    /// The fields of a map, or of a scalar that stands for its field `main`.
    pub fn or_scalar(node: &Arc<Node>, what: &str, main: &'static str, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            NodeValue::Scalar { .. } => {
                let entry = Entry {
                    key: main.to_owned(),
                    place: node.place.clone(),
                    value: node.clone(),
                };
                Some(Self::new(what, node.place.clone(), vec![entry]))
            }
            NodeValue::Map(_) => Self::of(node, what, problems),
            NodeValue::Null | NodeValue::List(_) => {
                let wanted = format!("a text or a map, not {}", node.kind());
                incorrect(&node.place, what, &wanted, problems);
                None
            }
        }
    }

    /// No fields: a command that is only its name.
    #[must_use]
    pub fn none(what: &str, place: Place) -> Self {
        Self::new(what, place, Vec::new())
    }

    /// One field.
    #[must_use]
    pub fn with(what: &str, place: Place, name: &str, value: Arc<Node>) -> Self {
        let entry = Entry {
            key: name.to_owned(),
            place: value.place.clone(),
            value,
        };
        Self::new(what, place, vec![entry])
    }

    fn new(what: &str, place: Place, entries: Vec<Entry>) -> Self {
        Self {
            what: what.to_owned(),
            place,
            entries,
            known: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Where the value of a field stands that was taken; where the map begins, if there was none.
    #[must_use]
    pub fn at(&self, name: &str) -> Place {
        let taken = self.taken.iter().rev().find(|(taken, _)| *taken == name);
        taken.map_or_else(|| self.place.clone(), |(_, place)| place.clone())
    }

    /// Where the values stand that were taken.
    #[must_use]
    pub fn places(&self) -> Vec<(&'static str, Place)> {
        self.taken.clone()
    }

    /// Takes a field, whatever it is.
    pub fn take(&mut self, name: &'static str) -> Option<Arc<Node>> {
        self.known.push(name);
        let at = self.entries.iter().position(|entry| entry.key == name)?;
        let value = self.entries.remove(at).value;
        self.taken.push((name, value.place.clone()));
        Some(value)
    }

    /// Takes a field that is not to be suggested.
    pub fn take_unlisted(&mut self, name: &'static str) -> Option<Arc<Node>> {
        let node = self.take(name);
        self.known.pop();
        node
    }

    /// The names that were asked for.
    pub fn known(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.known.iter().copied()
    }

    /// Takes all entries that are left: a map whose keys are free.
    pub fn take_rest(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// Takes a text; any scalar is one.
    pub fn text(&mut self, name: &'static str, problems: &mut Problems) -> Option<Text> {
        let node = self.take(name)?;
        scalar_text(&node, name, problems)
    }

    /// Takes the package of an app, or an expression that gives one.
    pub fn package(&mut self, name: &'static str, problems: &mut Problems) -> Option<Text> {
        let text = self.text(name, problems)?;
        if !text.contains("${")
            && let Err(error) = Package::parse(&text)
        {
            problems.add(
                &self.at(name),
                format!("Incorrect Format: {name}"),
                format!("`{name}`: {error}"),
            );
        }
        Some(text)
    }

    /// Takes a text that must be there.
    pub fn required_text(&mut self, name: &'static str, problems: &mut Problems) -> Option<Text> {
        let before = problems.len();
        let text = self.text(name, problems);
        if text.is_none() && problems.len() == before {
            self.missing(name, problems);
        }
        text
    }

    /// Notes that a field must be there.
    pub fn missing(&self, name: &str, problems: &mut Problems) {
        let message = format!("`{}` needs `{name}`", self.what);
        problems.add(&self.place, format!("Missing Property: {name}"), message);
    }

    /// Takes `true` or `false`.
    pub fn flag(&mut self, name: &'static str, problems: &mut Problems) -> Option<bool> {
        let node = self.take(name)?;
        match plain(&node).map(str::to_lowercase).as_deref() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                incorrect(&node.place, name, "true or false", problems);
                None
            }
        }
    }

    /// Takes a whole number between two bounds; underscores may group its digits.
    pub fn whole(&mut self, name: &'static str, range: (i64, i64), problems: &mut Problems) -> Option<i64> {
        let node = self.take(name)?;
        let number = plain(&node)
            .and_then(|text| text.replace('_', "").parse::<i64>().ok())
            .filter(|number| (range.0..=range.1).contains(number));
        if number.is_none() {
            let wanted = format!("a whole number from {} to {}", range.0, range.1);
            incorrect(&node.place, name, &wanted, problems);
        }
        number
    }

    /// Takes a number, or an expression that gives one.
    pub fn number_text(&mut self, name: &'static str, problems: &mut Problems) -> Option<Text> {
        let node = self.take(name)?;
        let text = plain(&node).map(|text| text.replace('_', ""));
        match text {
            Some(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => Some(text.into()),
            Some(text) if text.contains("${") => Some(plain(&node)?.into()),
            _ => {
                incorrect(&node.place, name, "a number or an expression `${…}`", problems);
                None
            }
        }
    }

    /// Takes a whole number between two bounds, which may be written as `1.0`, or an expression that gives one.
    pub fn whole_text(&mut self, name: &'static str, range: (i64, i64), problems: &mut Problems) -> Option<Text> {
        let before = problems.len();
        let text = self.number_text(name, problems)?;
        if problems.len() > before || text.contains("${") {
            return Some(text);
        }
        if parse_whole(&text).is_some_and(|number| (range.0..=range.1).contains(&number)) {
            return Some(text);
        }
        let wanted = format!(
            "a whole number from {} to {}, or an expression `${{…}}`",
            range.0, range.1
        );
        incorrect(&self.at(name), name, &wanted, problems);
        None
    }

    /// Takes a list; a single scalar counts as a list of one.
    pub fn list(&mut self, name: &'static str, problems: &mut Problems) -> Option<Vec<Arc<Node>>> {
        let node = self.take(name)?;
        match &node.value {
            NodeValue::List(items) => Some(items.clone()),
            NodeValue::Scalar { .. } => Some(vec![node]),
            NodeValue::Null | NodeValue::Map(_) => {
                incorrect(&node.place, name, &format!("a list, not {}", node.kind()), problems);
                None
            }
        }
    }

    /// Takes a list of texts.
    pub fn texts(&mut self, name: &'static str, problems: &mut Problems) -> Vec<Text> {
        let items = self.list(name, problems).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| scalar_text(item, name, problems))
            .collect()
    }

    /// Takes a map of texts, in the order of the file.
    pub fn text_map(&mut self, name: &'static str, problems: &mut Problems) -> Option<Vec<(String, Text)>> {
        let entries = self.text_entries(name, problems)?;
        Some(entries.into_iter().map(|(entry, text)| (entry.key, text)).collect())
    }

    /// The same with the places.
    pub fn text_entries(&mut self, name: &'static str, problems: &mut Problems) -> Option<Vec<(Entry, Text)>> {
        let node = self.take(name)?;
        let mut fields = Fields::of(&node, name, problems)?;
        let mut texts = Vec::new();
        for entry in fields.take_rest() {
            if matches!(entry.value.value, NodeValue::Null) {
                let message = format!(
                    "`{}` has no value; give it one, or \"\" if it is to be empty",
                    entry.key
                );
                let what = if name == "env" { "Environment variable" } else { name };
                let title = format!("{what} has no value: {}", entry.key);
                problems.add(&entry.place, title, message);
            } else if name == "env" && is_own_object(&entry.key) {
                let message = format!("scripts find something else under `{}`; choose another name", entry.key);
                problems.add(&entry.place, format!("Reserved Name: {}", entry.key), message);
            } else if name == "env" && !is_variable(&entry.key) {
                let message = format!(
                    "`{}` is no name of a variable: letters, digits, `_` and `$`, not beginning with a digit, and no word of \
                     JavaScript",
                    entry.key
                );
                problems.add(&entry.place, format!("Invalid Name: {}", entry.key), message);
            } else if let Some(text) = scalar_text(&entry.value, &entry.key, problems) {
                texts.push((entry, text));
            }
        }
        Some(texts)
    }

    /// Notes those fields that nobody took which look like misspelt ones: what is left of a command that could not be read
    /// need not be wrong.
    pub fn finish_slips(&self, problems: &mut Problems) {
        for entry in &self.entries {
            let hint = self.hint(&entry.key);
            if !hint.is_empty() {
                self.unknown(entry, &hint, problems);
            }
        }
    }

    /// What a field was meant to be.
    fn hint(&self, wrong: &str) -> String {
        if wrong.ends_with('%') {
            return "; put a text with a comma in it in quotes".to_owned();
        }
        let mistake = FIELD_MISTAKES.iter().find(|(known, _)| *known == wrong);
        match mistake.filter(|(_, right)| self.known.contains(right)) {
            Some((_, right)) => format!(". Did you mean `{right}`?"),
            None => did_you_mean(wrong, self.known.iter().copied()),
        }
    }

    fn unknown(&self, entry: &Entry, hint: &str, problems: &mut Problems) {
        let Entry { key, place, .. } = entry;
        let message = format!("the property `{key}` of `{}` is not recognized{hint}", self.what);
        problems.add(place, format!("Unknown Property: {key}"), message);
    }

    /// Notes every field that nobody took.
    pub fn finish(self, problems: &mut Problems) {
        for entry in &self.entries {
            let known = self.known.iter().copied();
            let mut hint = self.hint(&entry.key);
            if hint.is_empty() && !self.known.is_empty() {
                hint = format!("; `{}` takes {}", self.what, known.collect::<Vec<_>>().join(", "));
            }
            self.unknown(entry, &hint, problems);
        }
    }
}

/// A whole number, also one that is written `1.0` or with underscores between its digits.
#[must_use]
pub fn parse_whole(text: &str) -> Option<i64> {
    let trimmed = text.trim().replace('_', "");
    let whole = match trimmed.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => &trimmed,
    };
    whole.parse().ok()
}

/// A scalar's text as it is written.
#[must_use]
pub fn plain(node: &Node) -> Option<&str> {
    match &node.value {
        NodeValue::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// A scalar's text, or a fault.
pub fn scalar_text(node: &Node, what: &str, problems: &mut Problems) -> Option<Text> {
    let text = plain(node).map(Text::from);
    if text.is_none() {
        incorrect(&node.place, what, &format!("a text, not {}", node.kind()), problems);
    }
    text
}

/// Notes a value of the wrong kind.
pub fn incorrect(place: &Place, what: &str, wanted: &str, problems: &mut Problems) {
    problems.add(
        place,
        format!("Incorrect Format: {what}"),
        format!("`{what}` must be {wanted}"),
    );
}
