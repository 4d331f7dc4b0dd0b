//! What a flow says of its parameters: their schema, and which of them name targets and media.

use std::sync::Arc;

use serde_json::Value;

use super::{
    FlowParser,
    extension::json,
    fields::{Fields, incorrect, scalar_text},
    suggest::did_you_mean,
    yaml::{Node, NodeValue},
};
use crate::flow::{
    model::{FanOut, MediaParams},
    params::Schema,
    problem::Place,
    select::text::Pattern,
};

impl FlowParser<'_> {
    pub(super) fn params(&mut self, fields: &mut Fields) -> Option<Value> {
        let node = fields.take("params")?;
        let mut schema = json(&node);
        if let Value::Object(schema) = &mut schema {
            schema.entry("type").or_insert_with(|| "object".into());
            schema.entry("additionalProperties").or_insert(Value::Bool(false));
        }
        let faults = match Schema::compile(&schema) {
            Ok(_) => return Some(schema),
            Err(faults) => faults,
        };
        for fault in faults {
            let name = fault.pointer.strip_prefix("/properties").unwrap_or(&fault.pointer);
            let name = name.trim_start_matches('/').replace('/', ".");
            let message = if name.is_empty() {
                fault.message
            } else {
                format!("{name}: {}", fault.message)
            };
            let place = place_at(&node, &fault.pointer);
            self.problems.add(place, "Invalid Schema: farmhand.params", message);
        }
        None
    }

    pub(super) fn fan_out(&mut self, fields: &mut Fields, params: Option<&Value>) -> Option<FanOut> {
        let node = fields.take("fan_out")?;
        let mut map = Fields::of(&node, "fan_out", &mut self.problems)?;
        let items = map.list("params", &mut self.problems).unwrap_or_default();
        let mut names = Vec::new();
        for item in &items {
            let Some(name) = self.parameter(item, "fan_out.params", params) else {
                continue;
            };
            if !may_name_targets(&name, params) {
                let message = format!("`{name}` cannot name targets: give it the type string or array");
                self.problems
                    .add(&item.place, "Incorrect Format: fan_out.params", message);
            }
            names.push(name);
        }
        let list = map
            .take("as")
            .and_then(|node| self.parameter(&node, "fan_out.as", params));
        let matches = map.take("matches").and_then(|node| self.target_pattern(&node));
        let expects = map.text("expects", &mut self.problems).map(|text| text.to_string());
        if expects.as_ref().is_some_and(|text| text.trim().is_empty()) {
            let wanted = "a text that says what fits, for people";
            incorrect(&map.at("expects"), "expects", wanted, &mut self.problems);
        }
        map.finish(&mut self.problems);
        if items.is_empty() {
            let wanted = "a list of at least one parameter";
            incorrect(&node.place, "fan_out.params", wanted, &mut self.problems);
        }
        let first = names.first().cloned()?;
        Some(FanOut {
            params: names,
            list: list.unwrap_or(first),
            matches,
            expects,
        })
    }

    /// What every target has to fit. Here a pattern that is none would let nothing through, or not what was meant.
    fn target_pattern(&mut self, node: &Arc<Node>) -> Option<Pattern> {
        let text = scalar_text(node, "matches", &mut self.problems)?;
        let message = match Pattern::new(&text) {
            Ok(pattern) if !pattern.is_literal() => return Some(pattern),
            Ok(_) => format!("`{text}` is no regular expression"),
            Err(message) => message,
        };
        self.problems
            .add(&node.place, "Invalid Regular Expression: matches", message);
        None
    }

    pub(super) fn media(&mut self, fields: &mut Fields, params: Option<&Value>) -> Option<MediaParams> {
        let node = fields.take("media")?;
        let mut map = Fields::of(&node, "media", &mut self.problems)?;
        let mut name = |field| {
            let node = map.take(field)?;
            self.parameter(&node, field, params)
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

    /// The name of a parameter, which the schema has to know.
    fn parameter(&mut self, node: &Node, what: &str, params: Option<&Value>) -> Option<String> {
        let name = scalar_text(node, what, &mut self.problems)?;
        let is_closed = params.is_some_and(|params| params.get("additionalProperties") == Some(&Value::Bool(false)));
        let properties = params.filter(|_| is_closed);
        let properties = properties.and_then(|params| params.get("properties")?.as_object());
        if let Some(properties) = properties.filter(|properties| !properties.contains_key(name.as_ref())) {
            let known = || properties.keys().map(String::as_str);
            let hint = did_you_mean(&name, known());
            let hint = if hint.is_empty() {
                format!("; there are {}", known().collect::<Vec<_>>().join(", "))
            } else {
                hint
            };
            let message = format!("`{name}` is none of the parameters{hint}");
            self.problems
                .add(&node.place, format!("Unknown Parameter: {what}"), message);
        }
        Some(name.to_string())
    }
}

/// Whether the schema lets a parameter be a text or a list.
fn may_name_targets(name: &str, params: Option<&Value>) -> bool {
    let kind = params.and_then(|params| params.get("properties")?.get(name)?.get("type"));
    let fits = |kind: &Value| matches!(kind.as_str(), Some("string" | "array"));
    match kind {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().any(fits),
        Some(kind) => fits(kind),
    }
}

/// Where the part of a document stands that a JSON Pointer leads to, or the last part on the way that is there.
fn place_at<'n>(node: &'n Node, pointer: &str) -> &'n Place {
    let (mut node, mut place) = (node, &node.place);
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let next = match &node.value {
            NodeValue::Map(entries) => entries.iter().find(|entry| entry.key == part).map(|entry| &entry.value),
            NodeValue::List(items) => part.parse().ok().and_then(|index: usize| items.get(index)),
            NodeValue::Null | NodeValue::Scalar { .. } => None,
        };
        let Some(next) = next else { break };
        (node, place) = (next, &next.place);
    }
    place
}
