//! What stands under `farmhand:` in the config section.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    FlowParser,
    fields::{Fields, incorrect, plain, scalar_text},
    suggest::{did_you_mean, slip},
    yaml::{Node, NodeValue},
};
use crate::flow::{
    expr::template::{Part, parts},
    model::{AccountFlow, Body, Extension, OwnEvidence, Popup, Text},
    policy::{Permission, Policy},
};

impl FlowParser<'_> {
    pub(super) fn extension(&mut self, mut fields: Fields) -> Extension {
        let problems = &mut self.problems;
        let description = fields.text("description", problems).unwrap_or_default().to_string();
        let apps = fields.list("apps", problems).unwrap_or_default();
        let apps = apps.iter().filter_map(|item| self.app(item)).collect();
        let problems = &mut self.problems;
        let commit = fields.text("commit", problems);
        let confirm = fields.text("confirm", problems);
        let checkpoint = fields.text("checkpoint", problems);
        let params = self.params(&mut fields);
        let mut extension = Extension {
            description,
            apps,
            commit,
            confirm,
            checkpoint,
            own_evidence: self.own_evidence(&mut fields),
            fan_out: self.fan_out(&mut fields, params.as_ref()),
            media: self.media(&mut fields, params.as_ref()),
            params,
            account: self.account(&mut fields),
            baseline: fields
                .list("baseline", &mut self.problems)
                .map(|items| self.steps(&items))
                .unwrap_or_default(),
            check: self.check(&mut fields),
            same: self.same(&mut fields),
            challenges: self.challenges(&mut fields),
            popups: self.popups(&mut fields),
            policy: self.policy(&mut fields),
            places: Vec::new(),
        };
        extension.places = fields.places();
        if extension.own_evidence == OwnEvidence::Same && extension.same.as_ref().is_none_or(Vec::is_empty) {
            let message = "`own_evidence: same` needs `same`: the expressions whose values the check compares with what the app shows";
            let at = fields.at("own_evidence");
            self.problems.add(&at, "Missing Property: farmhand.same", message);
        }
        fields.finish(&mut self.problems);
        extension
    }

    /// An app by name. Others than these two may be in the settings.
    fn app(&mut self, item: &Node) -> Option<String> {
        const APPS: [&str; 2] = ["tiktok", "instagram"];
        let app = scalar_text(item, "apps", &mut self.problems)?.to_lowercase();
        let message = match slip(&app, APPS) {
            _ if app.trim().is_empty() => "`apps` must be names of apps, like `tiktok`".to_owned(),
            Some(meant) if meant != app => format!("no app is named `{app}`. Did you mean `{meant}`?"),
            _ => return Some(app),
        };
        self.problems.add(&item.place, "Incorrect Format: apps", message);
        None
    }

    /// Expressions, with or without their `${}`.
    fn same(&mut self, fields: &mut Fields) -> Option<Vec<Text>> {
        let items = fields.list("same", &mut self.problems)?;
        let mut expressions = Vec::new();
        for item in &items {
            let Some(code) = scalar_text(item, "same", &mut self.problems) else {
                continue;
            };
            if code.trim().is_empty() {
                incorrect(
                    &item.place,
                    "same",
                    "an expression, like `params.text`",
                    &mut self.problems,
                );
                continue;
            }
            // One in `${}` is looked at with all others.
            if !matches!(parts(&code)[..], [Part::Expression(_)]) {
                self.expression(&code, &item.place);
            }
            expressions.push(code);
        }
        Some(expressions)
    }

    /// Whose acts the check could take for the effect. What it compares has to be there.
    fn own_evidence(&mut self, fields: &mut Fields) -> OwnEvidence {
        let Some(node) = fields.take("own_evidence") else {
            return OwnEvidence::No;
        };
        match plain(&node).map(str::to_lowercase).as_deref() {
            Some("true") => OwnEvidence::Yes,
            Some("false") => OwnEvidence::No,
            Some("same") => OwnEvidence::Same,
            _ => {
                incorrect(&node.place, "own_evidence", "true, false or same", &mut self.problems);
                OwnEvidence::No
            }
        }
    }

    fn account(&mut self, fields: &mut Fields) -> AccountFlow {
        let Some(node) = fields.take("account") else {
            return AccountFlow::Unsaid;
        };
        match scalar_text(&node, "account", &mut self.problems) {
            Some(reference) if *reference == *"none" => AccountFlow::None,
            Some(reference) => self
                .include(&reference, &node.place)
                .map_or(AccountFlow::Unsaid, AccountFlow::Own),
            // Told already.
            None => AccountFlow::Unsaid,
        }
    }

    fn check(&mut self, fields: &mut Fields) -> Option<Body> {
        let node = fields.take("check")?;
        match &node.value {
            NodeValue::List(items) => Some(Body::Inline(self.steps(items))),
            NodeValue::Scalar { text, .. } => self.include(text, &node.place).map(Body::File),
            NodeValue::Null | NodeValue::Map(_) => {
                incorrect(
                    &node.place,
                    "check",
                    "a list of commands or the name of a file",
                    &mut self.problems,
                );
                None
            }
        }
    }

    fn challenges(&mut self, fields: &mut Fields) -> Vec<crate::flow::model::Selector> {
        let challenges = self.selectors(fields, "challenges");
        for challenge in &challenges {
            self.without_images(&fields.place.clone(), "challenges", challenge);
        }
        challenges
    }

    fn popups(&mut self, fields: &mut Fields) -> Vec<Popup> {
        let items = fields.list("popups", &mut self.problems).unwrap_or_default();
        let mut popups = Vec::new();
        for item in &items {
            let Some(popup) = self.popup(item) else { continue };
            self.without_images(&item.place, "popups", &popup.visible);
            if popup.tap.has_image() && !popup.visible.has_image() {
                self.without_images(&item.place, "popups", &popup.tap);
            }
            popups.push(popup);
        }
        popups
    }

    fn popup(&mut self, node: &Arc<Node>) -> Option<Popup> {
        let own_map = match &node.value {
            NodeValue::Map(entries) => entries
                .iter()
                .any(|entry| matches!(entry.key.as_str(), "visible" | "tap")),
            _ => false,
        };
        if !own_map {
            let selector = self.selector(node, "popups")?;
            return Some(Popup {
                visible: selector.clone(),
                tap: selector,
            });
        }
        let mut fields = Fields::of(node, "popups", &mut self.problems)?;
        let visible = self.required_selector(&mut fields, "visible");
        let tap = self.optional_selector(&mut fields, "tap");
        fields.finish(&mut self.problems);
        let visible = visible?;
        Some(Popup {
            tap: tap.unwrap_or_else(|| visible.clone()),
            visible,
        })
    }

    fn scheme(&mut self, item: &Node) -> Option<String> {
        let text = scalar_text(item, "policy.link_schemes", &mut self.problems)?.to_lowercase();
        if is_scheme(&text) {
            return Some(text);
        }
        let bare = text.split(':').next().unwrap_or_default();
        let hint = if is_scheme(bare) {
            format!("; write `{bare}`")
        } else {
            String::new()
        };
        let wanted = format!("the name of a scheme without `://`, like `https`{hint}");
        incorrect(&item.place, "policy.link_schemes", &wanted, &mut self.problems);
        None
    }

    fn policy(&mut self, fields: &mut Fields) -> Policy {
        let mut policy = Policy::default();
        let Some(node) = fields.take("policy") else {
            return policy;
        };
        let Some(mut map) = Fields::of(&node, "policy", &mut self.problems) else {
            return policy;
        };
        let words = map.list("allow", &mut self.problems).unwrap_or_default();
        for item in &words {
            let Some(word) = scalar_text(item, "policy.allow", &mut self.problems) else {
                continue;
            };
            if let Some(permission) = Permission::from_word(&word) {
                policy.allow.insert(permission);
                continue;
            }
            let known = Permission::ALL.map(Permission::as_str);
            let hint = did_you_mean(&word, known);
            let message = format!("`{word}` is not one of {}{hint}", known.join(", "));
            self.problems
                .add(&item.place, "Incorrect Format: policy.allow", message);
        }
        let schemes = map.list("link_schemes", &mut self.problems).unwrap_or_default();
        policy.link_schemes = schemes.iter().filter_map(|item| self.scheme(item)).collect();
        map.finish(&mut self.problems);
        policy
    }
}

/// A whole number of YAML 1.2, section 10.3.2.
fn parse_integer(word: &str) -> Option<i64> {
    match (word.strip_prefix("0x"), word.strip_prefix("0o")) {
        (Some(digits), _) => i64::from_str_radix(digits, 16).ok(),
        (_, Some(digits)) => i64::from_str_radix(digits, 8).ok(),
        _ => word.parse().ok(),
    }
}

/// Source of the shape: RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
}

/// A node as JSON, its plain scalars typed as YAML 1.2 has it.
#[must_use]
pub fn json(node: &Node) -> Value {
    match &node.value {
        NodeValue::Null => Value::Null,
        NodeValue::List(items) => items.iter().map(|item| json(item)).collect(),
        NodeValue::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), json(&entry.value)))
                .collect::<Map<_, _>>(),
        ),
        NodeValue::Scalar { text, quoted: true } => text.as_str().into(),
        NodeValue::Scalar { text, quoted: false } => match text.as_str() {
            "true" | "True" | "TRUE" => true.into(),
            "false" | "False" | "FALSE" => false.into(),
            word => parse_integer(word)
                .map(Value::from)
                .or_else(|| {
                    let decimal = word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
                    word.parse::<f64>()
                        .ok()
                        .filter(|number| decimal && number.is_finite())
                        .map(Value::from)
                })
                .unwrap_or_else(|| word.into()),
        },
    }
}
