//! What is wrong with a schema of `script_config`: all of it at once, each with its place.

use jsonschema::{ValidationError, draft202012};
use serde_json::{Map, Value};

use super::message::{show, what_is_wrong};
use crate::flow::parse::suggest::{did_you_mean, slip};

/// A fault of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// JSON Pointer (RFC 6901) to what is wrong.
    pub pointer: String,
    /// What is wrong and what would be right, in one line.
    pub message: String,
}

/// Keywords of a property: those of JSON Schema draft 2020-12 that people write, and ours.
const KEYWORDS: [&str; 36] = [
    "type",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "items",
    "prefixItems",
    "contains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "$ref",
    X_ALIAS,
    X_EXPAND,
    X_REQUIRED_WHEN,
];
const X_ALIAS: &str = "x-alias";
const X_EXPAND: &str = "x-expand";
const X_REQUIRED_WHEN: &str = "x-required-when";

/// Everything that keeps a schema from meaning what its author wrote.
pub(super) fn faults(schema: &Value) -> Vec<SchemaFault> {
    let mut faults: Vec<SchemaFault> = draft202012::meta::validator().iter_errors(schema).map(told).collect();
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        faults.push(fault("/type", "the schema of script_config must be one of an object: `type: object`"));
    }
    references(schema, String::new(), &mut faults);
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for (name, property) in properties {
        let pointer = format!("/properties/{}", escaped(name));
        keywords(property, &pointer, &mut faults);
        own_keywords(property, &pointer, properties, &mut faults);
    }
    if faults.is_empty() {
        // One by one, since a schema as a whole only tells its first fault.
        let alone = properties.iter().filter(|(_, property)| !refers(property));
        faults.extend(alone.filter_map(|(name, property)| {
            let error = draft202012::new(property).err()?;
            Some(below(&format!("/properties/{}", escaped(name)), &error))
        }));
    }
    // The same value may be told of by several rules.
    faults.dedup_by(|one, other| one.pointer == other.pointer);
    faults
}

/// What the compiler says of a schema whose parts are right.
pub(super) fn told(error: ValidationError<'_>) -> SchemaFault {
    below("", &error)
}

fn below(pointer: &str, error: &ValidationError<'_>) -> SchemaFault {
    let path = error.instance_path().as_str();
    let message = if path.ends_with("/pattern") {
        format!("{} is no regular expression", show(error.instance()))
    } else {
        what_is_wrong(error.kind(), error)
    };
    SchemaFault {
        pointer: format!("{pointer}{path}"),
        message,
    }
}

fn fault(pointer: &str, message: impl Into<String>) -> SchemaFault {
    SchemaFault {
        pointer: pointer.to_owned(),
        message: message.into(),
    }
}

/// As RFC 6901 has it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => fields.contains_key("$ref") || fields.values().any(refers),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

/// A schema is read without asking anybody else.
fn references(schema: &Value, pointer: String, faults: &mut Vec<SchemaFault>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = format!("{pointer}/{}", escaped(name));
                if name == "$ref" && value.as_str().is_some_and(|target| !target.starts_with('#')) {
                    let message = "must point into this schema, like `#/$defs/name`: no other file or address is read";
                    faults.push(fault(&inner, message));
                } else {
                    references(value, inner, faults);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                references(item, format!("{pointer}/{index}"), faults);
            }
        }
        _ => {}
    }
}

/// Unknown keywords mean nothing in JSON Schema: only what looks like a slip is told.
fn keywords(property: &Value, pointer: &str, faults: &mut Vec<SchemaFault>) {
    let Some(fields) = property.as_object() else { return };
    for name in fields.keys().filter(|name| !KEYWORDS.contains(&name.as_str())) {
        if let Some(meant) = slip(name, KEYWORDS) {
            let message = format!("`{name}` means nothing. Did you mean `{meant}`?");
            faults.push(fault(&format!("{pointer}/{}", escaped(name)), message));
        }
    }
    if let Some(items) = fields.get("items") {
        keywords(items, &format!("{pointer}/items"), faults);
    }
    for (name, inner) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
        keywords(inner, &format!("{pointer}/properties/{}", escaped(name)), faults);
    }
}

fn own_keywords(property: &Value, pointer: &str, all: &Map<String, Value>, faults: &mut Vec<SchemaFault>) {
    let mut refuse = |name: &str, message: &str| faults.push(fault(&format!("{pointer}/{name}"), message));
    let is_texts = |value: &Value| {
        value
            .as_array()
            .is_some_and(|items| items.iter().all(Value::is_string))
    };
    if property.get(X_ALIAS).is_some_and(|value| !is_texts(value)) {
        refuse(X_ALIAS, "must be a list of names, like `[other]`");
    }
    if property.get(X_EXPAND).is_some_and(|value| !value.is_boolean()) {
        refuse(X_EXPAND, "must be true or false");
    }
    match property.get(X_REQUIRED_WHEN) {
        None => {}
        Some(Value::Object(conditions)) => {
            let names = || all.keys().map(String::as_str);
            for name in conditions.keys().filter(|name| !all.contains_key(*name)) {
                let message = format!("`{name}` is none of the parameters{}", did_you_mean(name, names()));
                refuse(&format!("{X_REQUIRED_WHEN}/{}", escaped(name)), &message);
            }
        }
        Some(_) => refuse(X_REQUIRED_WHEN, "must be a map of parameters and their values"),
    }
}
