//! Selectors of the agent, as its Python client writes them, matched as `UiSelector` does.

use regex::Regex;
use serde_json::Value;

use super::{
    objects::{Object, Objects},
    rpc::RpcError,
};

/// Deeper chains of `child` and `sibling` than this are refused.
const LONGEST_CHAIN: usize = 16;

/// What one object must be like; the bits of `mask` say which fields count.
#[derive(Debug)]
pub(super) struct Selector {
    tests: Vec<Test>,
    instance: usize,
    /// `child` or `sibling` steps from the object that was found so far.
    steps: Vec<(Step, Selector)>,
    shown: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Child,
    Sibling,
}

#[derive(Debug)]
enum Test {
    Text(Field, Comparison),
    State(&'static str, bool),
    Index(usize),
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Text,
    Class,
    Description,
    Package,
    Id,
}

#[derive(Debug)]
enum Comparison {
    Equal(String),
    Contains(String),
    StartsWith(String),
    Matches(Regex),
}

/// Makes a comparison with a text; `None` when the text is no pattern.
type Compare = fn(&str) -> Option<Comparison>;

/// Name in JSON, bit of the mask, what it compares, and how.
const TEXTS: [(&str, u64, Field, Compare); 14] = [
    ("text", 0x1, Field::Text, equal),
    ("textContains", 0x2, Field::Text, contains),
    ("textMatches", 0x4, Field::Text, matches),
    ("textStartsWith", 0x8, Field::Text, starts_with),
    ("className", 0x10, Field::Class, equal),
    ("classNameMatches", 0x20, Field::Class, matches),
    ("description", 0x40, Field::Description, equal),
    ("descriptionContains", 0x80, Field::Description, contains),
    ("descriptionMatches", 0x100, Field::Description, matches),
    ("descriptionStartsWith", 0x200, Field::Description, starts_with),
    ("packageName", 0x8_0000, Field::Package, equal),
    ("packageNameMatches", 0x10_0000, Field::Package, matches),
    ("resourceId", 0x20_0000, Field::Id, equal),
    ("resourceIdMatches", 0x40_0000, Field::Id, matches),
];

const STATES: [(&str, u64); 9] = [
    ("checkable", 0x400),
    ("checked", 0x800),
    ("clickable", 0x1000),
    ("longClickable", 0x2000),
    ("scrollable", 0x4000),
    ("enabled", 0x8000),
    ("focusable", 0x1_0000),
    ("focused", 0x2_0000),
    ("selected", 0x4_0000),
];

const INDEX: u64 = 0x80_0000;
const INSTANCE: u64 = 0x100_0000;

impl Selector {
    /// Reads a selector; `BadParameters` when a field does not fit.
    pub(super) fn parse(value: &Value) -> Result<Self, RpcError> {
        Self::parse_step(value, 0)
    }

    fn parse_step(value: &Value, depth: usize) -> Result<Self, RpcError> {
        let bad = || RpcError::BadParameters;
        let mask = value.get("mask").and_then(Value::as_u64).ok_or_else(bad)?;
        let field = |name: &str| value.get(name).ok_or(RpcError::BadParameters);
        let mut selector = Self {
            tests: Vec::new(),
            instance: 0,
            steps: Vec::new(),
            shown: String::new(),
        };
        for (name, _, tested, comparison) in TEXTS.iter().filter(|(_, bit, ..)| mask & bit != 0) {
            let text = field(name)?.as_str().ok_or_else(bad)?;
            selector
                .tests
                .push(Test::Text(*tested, comparison(text).ok_or_else(bad)?));
            selector.shown.push_str(&format!("{name}={text}, "));
        }
        for (name, _) in STATES.iter().filter(|(_, bit)| mask & bit != 0) {
            selector
                .tests
                .push(Test::State(name, field(name)?.as_bool().ok_or_else(bad)?));
        }
        let number = |name| {
            field(name)?
                .as_u64()
                .and_then(|number| usize::try_from(number).ok())
                .ok_or_else(bad)
        };
        if mask & INDEX != 0 {
            selector.tests.push(Test::Index(number("index")?));
        }
        if mask & INSTANCE != 0 {
            selector.instance = number("instance")?;
        }
        let list = |name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        for (step, inner) in list("childOrSibling").iter().zip(&list("childOrSiblingSelector")) {
            if depth >= LONGEST_CHAIN {
                return Err(RpcError::BadParameters);
            }
            let step = if step == "sibling" { Step::Sibling } else { Step::Child };
            selector.steps.push((step, Self::parse_step(inner, depth + 1)?));
        }
        Ok(selector)
    }

    /// The object that is meant.
    pub(super) fn find<'a>(&self, objects: &Objects<'a>) -> Result<Object<'a>, RpcError> {
        self.all(objects)
            .into_iter()
            .nth(self.last_instance())
            .ok_or_else(|| self.not_found())
    }

    /// All objects that fit, when the last step's instance is left open.
    pub(super) fn all<'a>(&self, objects: &Objects<'a>) -> Vec<Object<'a>> {
        let mut found = self.matching(objects, None);
        let mut instance = self.instance;
        for (step, inner) in &self.steps {
            let Some(from) = found.get(instance) else {
                return Vec::new();
            };
            let scope = match step {
                Step::Child => objects.below(from),
                Step::Sibling => objects.around(from),
            };
            found = inner.matching(objects, Some(scope));
            instance = inner.instance;
        }
        found
    }

    fn last_instance(&self) -> usize {
        self.steps.last().map_or(self.instance, |(_, inner)| inner.instance)
    }

    fn matching<'a>(&self, objects: &Objects<'a>, scope: Option<std::ops::Range<usize>>) -> Vec<Object<'a>> {
        let scope = scope.unwrap_or(0..objects.len());
        scope
            .filter_map(|at| objects.get(at))
            .filter(|object| self.tests.iter().all(|test| test.fits(object)))
            .collect()
    }

    pub(super) fn not_found(&self) -> RpcError {
        RpcError::NotFound {
            selector: format!("UiSelector[{}]", self.shown.trim_end_matches(", ")),
        }
    }
}

impl Test {
    fn fits(&self, object: &Object<'_>) -> bool {
        let view = object.view;
        match self {
            Self::Text(field, comparison) => comparison.fits(match field {
                Field::Text => &view.text,
                Field::Class => &view.class,
                Field::Description => &view.description,
                Field::Package => &view.package,
                Field::Id => &view.id,
            }),
            Self::State(name, wanted) => {
                let state = match *name {
                    "checkable" => view.checkable,
                    "checked" => view.checked,
                    "clickable" => view.clickable,
                    "longClickable" => view.long_clickable,
                    "scrollable" => view.scrollable,
                    "enabled" => view.enabled,
                    "focusable" => view.focusable,
                    "focused" => view.focused,
                    _ => view.selected,
                };
                state == *wanted
            }
            Self::Index(index) => object.index == *index,
        }
    }
}

impl Comparison {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Equal(wanted) => text == wanted,
            // `UiSelector` compares these two without case.
            Self::Contains(wanted) => text.to_lowercase().contains(wanted),
            Self::StartsWith(wanted) => text.to_lowercase().starts_with(wanted),
            Self::Matches(pattern) => pattern.is_match(text),
        }
    }
}

fn equal(text: &str) -> Option<Comparison> {
    Some(Comparison::Equal(text.to_owned()))
}

fn contains(text: &str) -> Option<Comparison> {
    Some(Comparison::Contains(text.to_lowercase()))
}

fn starts_with(text: &str) -> Option<Comparison> {
    Some(Comparison::StartsWith(text.to_lowercase()))
}

/// `Pattern.matches`: the whole text must fit.
fn matches(pattern: &str) -> Option<Comparison> {
    Regex::new(&format!("^(?s:{pattern})$")).ok().map(Comparison::Matches)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::handset::View;

    fn screen() -> Vec<View> {
        let leaf = |text: &str, id: &str| View {
            text: text.into(),
            id: id.into(),
            ..View::default()
        };
        let row = |name: &str, children: Vec<View>| View {
            class: name.into(),
            children,
            ..View::default()
        };
        vec![
            row("Row", vec![leaf("Alice", "name"), leaf("Follow", "button")]),
            row("Row", vec![leaf("Bob", "name"), leaf("Follow", "button")]),
        ]
    }

    fn found(selector: Value) -> Result<(String, usize), RpcError> {
        let views = screen();
        let objects = Objects::new(&views);
        let object = Selector::parse(&selector)?.find(&objects)?;
        Ok((object.view.text.clone(), object.position))
    }

    #[test]
    fn objects_are_found_by_field_pattern_and_instance() {
        let cases = [
            (json!({ "mask": 1, "text": "Bob" }), ("Bob", 4)),
            (json!({ "mask": 2, "textContains": "LIC" }), ("Alice", 1)),
            (json!({ "mask": 4, "textMatches": "B.b" }), ("Bob", 4)),
            (json!({ "mask": 0x20_0000, "resourceId": "button" }), ("Follow", 2)),
            (
                json!({ "mask": 0x120_0000, "resourceId": "button", "instance": 1 }),
                ("Follow", 5),
            ),
            (
                json!({ "mask": 0x80_0001, "text": "Follow", "index": 1 }),
                ("Follow", 2),
            ),
        ];
        for (selector, (text, position)) in cases {
            assert_eq!(
                found(selector.clone()).expect("an object"),
                (text.to_owned(), position),
                "{selector}"
            );
        }
    }

    #[test]
    fn a_sibling_and_a_child_are_found_from_another_object() {
        let sibling = json!({ "mask": 1, "text": "Bob", "childOrSibling": ["sibling"],
            "childOrSiblingSelector": [{ "mask": 1, "text": "Follow" }] });
        let child = json!({ "mask": 0x100_0010, "className": "Row", "instance": 1, "childOrSibling": ["child"],
            "childOrSiblingSelector": [{ "mask": 0x20_0000, "resourceId": "name" }] });

        assert_eq!(found(sibling).expect("a sibling"), ("Follow".to_owned(), 5));
        assert_eq!(found(child).expect("a child"), ("Bob".to_owned(), 4));
    }

    #[test]
    fn nothing_that_fits_is_not_found_and_nonsense_is_refused() {
        assert!(matches!(
            found(json!({ "mask": 1, "text": "Eve" })),
            Err(RpcError::NotFound { .. })
        ));
        for selector in [
            json!({}),
            json!({ "mask": 1 }),
            json!({ "mask": 4, "textMatches": "(" }),
            json!("x"),
        ] {
            assert_eq!(found(selector.clone()), Err(RpcError::BadParameters), "{selector}");
        }
    }
}
