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

/// Keywords of a schema: those of JSON Schema draft 2020-12, and ours.
const KEYWORDS: [&str; 63] = [
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
    "minContains",
    "maxContains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "definitions",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "readOnly",
    "writeOnly",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "$ref",
    "$defs",
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$dynamicRef",
    "$dynamicAnchor",
    "$vocabulary",
    X_ALIAS,
    X_EXPAND,
    X_REQUIRED_WHEN,
];
/// Words of other tools that say nothing of what fits (OpenAPI, form builders).
const ANNOTATIONS: [&str; 6] = [
    "nullable",
    "example",
    "enumNames",
    "enumDescriptions",
    "enumTitles",
    "markdownDescription",
];
/// Formats of JSON Schema draft 2020-12 (section 7.3 of its part on validation).
const FORMATS: [&str; 19] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uuid",
    "uri-template",
    "json-pointer",
    "relative-json-pointer",
    "regex",
];
const X_ALIAS: &str = "x-alias";
const X_EXPAND: &str = "x-expand";
const X_REQUIRED_WHEN: &str = "x-required-when";

/// Everything that keeps a schema from meaning what its author wrote.
pub(super) fn faults(schema: &Value) -> Vec<SchemaFault> {
    let mut faults: Vec<SchemaFault> = draft202012::meta::validator().iter_errors(schema).map(told).collect();
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        faults.push(fault("/type", "must be `object`: the parameters are one"));
    }
    references(schema, schema, String::new(), &mut faults);
    keywords(schema, "", &mut faults);
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for (name, property) in properties {
        own_keywords(name, property, properties, &mut faults);
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for (index, name) in required.enumerate() {
        let Some(name) = name.as_str().filter(|name| !properties.contains_key(*name)) else {
            continue;
        };
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            faults.push(fault(&format!("/required/{index}"), unknown(name, properties)));
        }
    }
    compiled(schema, "", &mut faults);
    // The same value may be told of by several rules.
    faults.sort_by(|one, other| one.pointer.cmp(&other.pointer));
    faults.dedup_by(|one, other| one.pointer == other.pointer);
    faults
}

/// The faults of patterns and defaults of properties, each looked at by itself: a schema as a whole only tells its first.
fn compiled(schema: &Value, pointer: &str, faults: &mut Vec<SchemaFault>) {
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let pointer = format!("{pointer}/properties/{}", escaped(name));
        let is_within = |fault: &SchemaFault| {
            let rest = fault.pointer.strip_prefix(&pointer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if faults.iter().any(is_within) || refers(property) {
            continue;
        }
        let validator = match draft202012::new(property) {
            Ok(validator) => validator,
            Err(error) => {
                faults.push(below(&pointer, &error));
                continue;
            }
        };
        let mut default = property.get("default").cloned();
        if let Some(Value::Object(fields)) = &mut default {
            super::fill_defaults(property, fields);
        }
        let complaint = default
            .as_ref()
            .and_then(|default| validator.iter_errors(default).next());
        if let Some(error) = complaint {
            let why = what_is_wrong(error.kind(), &error);
            faults.push(fault(
                &format!("{pointer}/default"),
                format!("the default does not fit: it {why}"),
            ));
        }
        compiled(property, &pointer, faults);
    }
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
fn references(schema: &Value, whole: &Value, pointer: String, faults: &mut Vec<SchemaFault>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = format!("{pointer}/{}", escaped(name));
                match value.as_str().filter(|_| name == "$ref") {
                    Some(target) => faults.extend(unreachable(target, whole).map(|message| fault(&inner, message))),
                    None => references(value, whole, inner, faults),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                references(item, whole, format!("{pointer}/{index}"), faults);
            }
        }
        _ => {}
    }
}

fn unreachable(target: &str, whole: &Value) -> Option<String> {
    let Some(place) = target.strip_prefix('#') else {
        return Some("must point into this schema, like `#/$defs/name`: no other file or address is read".to_owned());
    };
    let is_pointer = place.is_empty() || place.starts_with('/');
    (is_pointer && whole.pointer(place).is_none()).then(|| format!("there is nothing at `{target}`"))
}

/// What JSON Schema does not know means nothing there: a slip, or a parameter in the wrong place.
fn keywords(schema: &Value, pointer: &str, faults: &mut Vec<SchemaFault>) {
    let Some(fields) = schema.as_object() else { return };
    let is_known = |name: &str| KEYWORDS.contains(&name) || ANNOTATIONS.contains(&name);
    for (name, value) in fields.iter().filter(|(name, _)| !is_known(name)) {
        // Names with `x-` are anybody's.
        let hint = if is_schema(value) && !name.starts_with("x-") {
            "; parameters stand under `properties`".to_owned()
        } else if let Some(meant) = slip(name, KEYWORDS) {
            format!(". Did you mean `{meant}`?")
        } else {
            continue;
        };
        let message = format!("`{name}` is no keyword of a schema{hint}");
        faults.push(fault(&format!("{pointer}/{}", escaped(name)), message));
    }
    if let Some(meant) = fields
        .get("format")
        .and_then(Value::as_str)
        .filter(|format| !FORMATS.contains(format))
        .and_then(|format| slip(format, FORMATS))
    {
        faults.push(fault(
            &format!("{pointer}/format"),
            format!("no such format. Did you mean `{meant}`?"),
        ));
    }
    if let Some(items) = fields.get("items") {
        keywords(items, &format!("{pointer}/items"), faults);
    }
    for (name, inner) in fields
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        keywords(inner, &format!("{pointer}/properties/{}", escaped(name)), faults);
    }
}

/// Whether a value says what another one may be: a parameter that stands beside the keywords.
fn is_schema(value: &Value) -> bool {
    const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "array", "object", "null"];
    match value {
        Value::String(text) => TYPES.contains(&text.as_str()),
        Value::Object(fields) => fields.contains_key("type") || fields.contains_key("enum"),
        _ => false,
    }
}

fn unknown(name: &str, all: &Map<String, Value>) -> String {
    let hint = did_you_mean(name, all.keys().map(String::as_str));
    format!("`{name}` is none of the parameters{hint}")
}

fn own_keywords(name: &str, property: &Value, all: &Map<String, Value>, faults: &mut Vec<SchemaFault>) {
    let pointer = format!("/properties/{}", escaped(name));
    let mut refuse = |keyword: &str, message: &str| faults.push(fault(&format!("{pointer}/{keyword}"), message));
    match property.get(X_ALIAS) {
        None => {}
        Some(Value::Array(aliases)) if aliases.iter().all(Value::is_string) => {
            for alias in aliases.iter().filter_map(Value::as_str) {
                let others = all.iter().filter(|(other, _)| *other != name);
                let taken = others
                    .filter_map(|(_, other)| other.get(X_ALIAS)?.as_array())
                    .flatten()
                    .any(|other| other == alias);
                if all.contains_key(alias) || taken {
                    refuse(X_ALIAS, &format!("`{alias}` is the name of a parameter already"));
                }
            }
        }
        Some(_) => refuse(X_ALIAS, "must be a list of names, like `[other]`"),
    }
    match property.get(X_EXPAND) {
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) if property.get("type").is_none_or(|kind| kind == "string") => {}
        Some(Value::Bool(true)) => refuse(
            X_EXPAND,
            "only texts have lines and words to choose from: `type: string`",
        ),
        Some(_) => refuse(X_EXPAND, "must be true or false"),
    }
    match property.get(X_REQUIRED_WHEN) {
        None => {}
        Some(Value::Object(conditions)) => {
            for (field, wanted) in conditions {
                let keyword = format!("{X_REQUIRED_WHEN}/{}", escaped(field));
                match all.get(field) {
                    None => refuse(&keyword, &unknown(field, all)),
                    Some(other) => {
                        if let Some(value) = never(other, wanted) {
                            refuse(&keyword, &format!("`{field}` is never {}", show(value)));
                        }
                    }
                }
            }
        }
        Some(_) => refuse(X_REQUIRED_WHEN, "must be a map of parameters and their values"),
    }
}

/// A wanted value that the list of allowed ones has not.
fn never<'w>(property: &Value, wanted: &'w Value) -> Option<&'w Value> {
    let allowed = property.get("enum")?.as_array()?;
    let wanted = match wanted {
        Value::Array(any) => any.as_slice(),
        one => std::slice::from_ref(one),
    };
    wanted.iter().find(|value| !allowed.contains(value))
}
