//! A schema's complaints in plain words: which field, what is wrong, what would be right.

use farmhand_actors::domain::FieldError;
use jsonschema::{ValidationError, error::TypeKind, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::{ROOT, field_error};
use crate::flow::parse::suggest::did_you_mean;

/// Longest value that is shown in a message, characters.
const SHOWN: usize = 60;

/// Whether another complaint says more of the same value: the allowed values also say of which type they are.
pub fn is_implied(error: &ValidationError<'_>, all: &[ValidationError<'_>]) -> bool {
    matches!(error.kind(), Kind::Type { .. })
        && all
            .iter()
            .any(|other| matches!(other.kind(), Kind::Enum { .. }) && other.instance_path() == error.instance_path())
}

/// What one complaint means for the fields.
pub fn field_errors(schema: &Value, error: &ValidationError<'_>) -> Vec<FieldError> {
    let path = field_path(error.instance_path().as_str());
    match error.kind() {
        // A schema without any property: whatever is given is too much.
        Kind::FalseSchema if error.instance_path().as_str().is_empty() => {
            let given = error.instance().as_object().into_iter().flat_map(|given| given.keys());
            given
                .map(|name| field_error(&format!("{path}.{name}"), "is not a known field: there are none"))
                .collect()
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known_names(schema, error);
            unexpected
                .iter()
                .map(|name| {
                    let hint = did_you_mean(name, known.iter().map(String::as_str));
                    let hint = if hint.is_empty() && !known.is_empty() {
                        format!("; known are {}", known.join(", "))
                    } else {
                        hint
                    };
                    field_error(&format!("{path}.{name}"), &format!("is not a known field{hint}"))
                })
                .collect()
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![field_error(&format!("{path}.{name}"), "is required")]
        }
        kind => vec![field_error(&path, &what_is_wrong(kind, error))],
    }
}

pub fn what_is_wrong(kind: &Kind, error: &ValidationError<'_>) -> String {
    let got = show(error.instance());
    match kind {
        Kind::Type { kind } => format!("must be {}, not {got}", type_words(kind)),
        Kind::Enum { options } => {
            let words: Vec<String> = options.as_array().into_iter().flatten().map(show).collect();
            let plain: Vec<&str> = options
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let hint = error
                .instance()
                .as_str()
                .map_or_else(String::new, |wrong| did_you_mean(wrong, plain));
            format!("must be one of {}, not {got}{hint}", words.join(", "))
        }
        Kind::Constant { expected_value } => format!("must be {}, not {got}", show(expected_value)),
        Kind::Minimum { limit } => format!("must be at least {limit}, not {got}"),
        Kind::Maximum { limit } => format!("must be at most {limit}, not {got}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}, not {got}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}, not {got}"),
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} entries"),
        Kind::MaxItems { limit } => format!("must have at most {limit} entries"),
        Kind::UniqueItems => "must not have the same entry twice".to_owned(),
        Kind::Pattern { pattern } => format!("must fit the pattern {pattern}, not {got}"),
        Kind::Format { format } => format!("must be a valid {format}, not {got}"),
        Kind::FalseSchema => "is not a known field".to_owned(),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => alternatives(context),
        other => format!("does not fit ({}): {error}", other.keyword()),
    }
}

/// What each of several alternatives wants.
fn alternatives(context: &[Vec<ValidationError<'static>>]) -> String {
    let mut wanted: Vec<String> = Vec::new();
    for error in context.iter().filter_map(|errors| errors.first()) {
        let words = what_is_wrong(error.kind(), error);
        let words = words.strip_prefix("must be ").unwrap_or(&words);
        let words = words.split(", not ").next().unwrap_or(words).to_owned();
        if !wanted.contains(&words) {
            wanted.push(words);
        }
    }
    format!("must be {}", wanted.join(" or "))
}

fn type_words(kind: &TypeKind) -> String {
    let words = |name: &str| match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        _ => "null",
    };
    match kind {
        TypeKind::Single(kind) => words(kind.as_str()).to_owned(),
        TypeKind::Multiple(kinds) => {
            let all: Vec<&str> = kinds.iter().map(|kind| words(kind.as_str())).collect();
            all.join(" or ")
        }
    }
}

/// A value as JSON, cut when long.
pub fn show(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN).chain("…".chars()).collect()
}

/// `/targets/0/name` as `script_config.targets[0].name`.
fn field_path(pointer: &str) -> String {
    let mut path = ROOT.to_owned();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.chars().all(|c| c.is_ascii_digit()) && !part.is_empty() {
            path.push_str(&format!("[{part}]"));
        } else {
            path.push('.');
            path.push_str(&part);
        }
    }
    path
}

/// The names that the complaining part of the schema knows.
fn known_names(schema: &Value, error: &ValidationError<'_>) -> Vec<String> {
    let location = error.schema_path().as_str();
    let parent = location.rsplit_once('/').map_or("", |(parent, _)| parent);
    let part = schema.pointer(parent).unwrap_or(schema);
    let properties = part.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}
