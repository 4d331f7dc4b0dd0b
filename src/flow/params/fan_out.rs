//! One config per target.

use farmhand_actors::domain::FieldError;
use serde_json::{Value, json};

use super::{ROOT, field_error, message};
use crate::flow::model::FanOut;

/// Most targets of one request: more is a mistake, and each becomes a task on every device.
const MAX_TARGETS: usize = 10_000;

/// Most unfit targets that one answer tells.
const MAX_UNFIT: usize = 20;

/// Splits a valid config into one per target, in the order in which they are named.
///
/// # Errors
/// No target is named, or too many are, or one is nothing that the flow takes for one.
pub fn fan_out(rule: &FanOut, config: &Value) -> Result<Vec<Value>, Vec<FieldError>> {
    let targets = targets(rule, config);
    let first = rule.params.first().map_or("", String::as_str);
    let field = format!("{ROOT}.{first}");
    if targets.is_empty() {
        let message = format!("must name at least one target (in {})", rule.params.join(" or "));
        return Err(vec![field_error(&field, &message)]);
    }
    if targets.len() > MAX_TARGETS {
        let message = format!(
            "names {} targets; at most {MAX_TARGETS} fit in one request",
            targets.len()
        );
        return Err(vec![field_error(&field, &message)]);
    }
    let errors = unfit(rule, &field, &targets);
    if !errors.is_empty() {
        return Err(errors);
    }
    let rest = without_targets(rule, config);
    Ok(targets.iter().map(|target| config_for(rule, &rest, target)).collect())
}

/// What the flow does not take for a target.
fn unfit(rule: &FanOut, field: &str, targets: &[String]) -> Vec<FieldError> {
    let Some(pattern) = &rule.matches else {
        return Vec::new();
    };
    let unfit = targets.iter().filter(|target| !pattern.matches(target));
    let told = |target: &String| {
        let target = message::show(&json!(target));
        let fits = match &rule.expects {
            Some(words) => words.clone(),
            None => format!("one fits the pattern {}", pattern.source()),
        };
        field_error(field, &format!("{target} cannot be a target; {fits}"))
    };
    unfit.take(MAX_UNFIT).map(told).collect()
}

/// All targets once, lower-cased, without `@`.
fn targets(rule: &FanOut, config: &Value) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut found = Vec::new();
    for value in rule.params.iter().filter_map(|name| config.get(name)) {
        let texts: Vec<&str> = match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            Value::String(text) => vec![text],
            _ => Vec::new(),
        };
        for word in texts.iter().flat_map(|text| text.split([',', '\n', '\r'])) {
            let word = word.trim();
            let word = word.strip_prefix('@').unwrap_or(word).trim().to_lowercase();
            if !word.is_empty() && seen.insert(word.clone()) {
                found.push(word);
            }
        }
    }
    found
}

/// The config that the tasks share, each parameter in its place: thousands of targets are not copied for each of them.
fn without_targets(rule: &FanOut, config: &Value) -> Value {
    let Value::Object(map) = config else {
        return config.clone();
    };
    let rest = map.iter().map(|(name, value)| {
        let is_target = rule.params.contains(name);
        (name.clone(), if is_target { Value::Null } else { value.clone() })
    });
    Value::Object(rest.collect())
}

fn config_for(rule: &FanOut, rest: &Value, target: &str) -> Value {
    let mut config = rest.clone();
    if let Value::Object(map) = &mut config {
        for name in &rule.params {
            let value = if *name == rule.list {
                Value::Array(vec![target.into()])
            } else {
                target.into()
            };
            map.insert(name.clone(), value);
        }
    }
    config
}
