//! What stands under `farmhand:` in the config section.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    FlowParser,
    fields::{Fields, incorrect, scalar_text},
    suggest::did_you_mean,
    yaml::{Node, NodeValue},
};
use crate::flow::{
    model::{Body, Extension, FanOut, MediaParams, Popup},
    params::Schema,
    policy::{Permission, Policy},
    select::text::Pattern,
};

impl FlowParser<'_> {
    pub(super) fn extension(&mut self, mut fields: Fields) -> Extension {
        let problems = &mut self.problems;
        let description = fields.text("description", problems).unwrap_or_default().to_string();
        let apps = fields
            .texts("apps", problems)
            .iter()
            .map(|app| app.to_lowercase())
            .collect();
        let commit = fields.text("commit", problems);
        let confirm = fields.text("confirm", problems);
        let extension = Extension {
            description,
            apps,
            commit,
            confirm,
            params: self.params(&mut fields),
            fan_out: self.fan_out(&mut fields),
            media: self.media(&mut fields),
            account: self.account(&mut fields),
            baseline: fields
                .list("baseline", &mut self.problems)
                .map(|items| self.steps(&items))
                .unwrap_or_default(),
            check: self.check(&mut fields),
            same: fields
                .is_given("same")
                .then(|| fields.texts("same", &mut self.problems)),
            challenges: self.challenges(&mut fields),
            popups: self.popups(&mut fields),
            policy: self.policy(&mut fields),
        };
        fields.finish(&mut self.problems);
        extension
    }

    fn params(&mut self, fields: &mut Fields) -> Option<Value> {
        let node = fields.take("params")?;
        let mut schema = json(&node);
        if let Value::Object(schema) = &mut schema {
            schema.entry("type").or_insert_with(|| "object".into());
            schema.entry("additionalProperties").or_insert(Value::Bool(false));
        }
        match Schema::compile(&schema) {
            Ok(_) => Some(schema),
            Err(message) => {
                self.problems
                    .add(&node.place, "Invalid Schema: farmhand.params", message);
                None
            }
        }
    }

    fn fan_out(&mut self, fields: &mut Fields) -> Option<FanOut> {
        let node = fields.take("fan_out")?;
        let mut map = Fields::of(&node, "fan_out", &mut self.problems)?;
        let params: Vec<String> = map
            .texts("params", &mut self.problems)
            .iter()
            .map(ToString::to_string)
            .collect();
        let list = map.text("as", &mut self.problems).map(|list| list.to_string());
        let matches = map.take("matches").and_then(|node| {
            let text = scalar_text(&node, "matches", &mut self.problems)?;
            let pattern = Pattern::new(&text);
            if let Err(message) = &pattern {
                self.problems
                    .add(&node.place, "Invalid Regular Expression: matches", message.clone());
            }
            pattern.ok()
        });
        let expects = map.text("expects", &mut self.problems).map(|text| text.to_string());
        map.finish(&mut self.problems);
        let Some(first) = params.first().cloned() else {
            incorrect(
                &node.place,
                "fan_out.params",
                "a list of at least one parameter",
                &mut self.problems,
            );
            return None;
        };
        Some(FanOut {
            params,
            list: list.unwrap_or(first),
            matches,
            expects,
        })
    }

    fn media(&mut self, fields: &mut Fields) -> Option<MediaParams> {
        let node = fields.take("media")?;
        let mut map = Fields::of(&node, "media", &mut self.problems)?;
        let mut name = |field| {
            let text = map.text(field, &mut self.problems);
            text.map(|text| text.to_string())
        };
        let media = MediaParams {
            files: name("files"),
            source: name("source"),
            folder: name("folder"),
            tags: name("tags"),
            kind: name("kind"),
            count: name("count"),
        };
        map.finish(&mut self.problems);
        Some(media)
    }

    fn account(&mut self, fields: &mut Fields) -> Option<Arc<crate::flow::model::Flow>> {
        let node = fields.take("account")?;
        let reference = scalar_text(&node, "account", &mut self.problems)?;
        self.include(&reference, &node.place)
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

    fn policy(&mut self, fields: &mut Fields) -> Policy {
        let mut policy = Policy::default();
        let Some(node) = fields.take("policy") else {
            return policy;
        };
        let Some(mut map) = Fields::of(&node, "policy", &mut self.problems) else {
            return policy;
        };
        for word in map.texts("allow", &mut self.problems) {
            if let Some(permission) = Permission::from_word(&word) {
                policy.allow.insert(permission);
                continue;
            }
            let known = Permission::ALL.map(Permission::as_str);
            let hint = did_you_mean(&word, known);
            let message = format!("`{word}` is not one of {}{hint}", known.join(", "));
            self.problems
                .add(&node.place, "Incorrect Format: policy.allow", message);
        }
        policy.link_schemes = map
            .texts("link_schemes", &mut self.problems)
            .iter()
            .map(|scheme| scheme.trim_end_matches("://").trim_end_matches(':').to_lowercase())
            .collect();
        map.finish(&mut self.problems);
        policy
    }
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
            word => word
                .parse::<i64>()
                .map(Value::from)
                .ok()
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
