//! `script_config`: validated by the flow's JSON Schema, with defaults and every fault told at once.

mod fan_out;
mod message;
mod schema_check;
pub mod spintax;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use fan_out::fan_out;
pub use schema_check::SchemaFault;

use self::spintax::Chooser;
use farmhand_actors::domain::FieldError;

/// The name that all fields of a `script_config` begin with in errors.
const ROOT: &str = "script_config";

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    schema: Value,
    validator: jsonschema::Validator,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// All that keeps it from being an object schema of JSON Schema draft 2020-12.
    pub fn compile(schema: &Value) -> Result<Self, Vec<SchemaFault>> {
        let faults = schema_check::faults(schema);
        if !faults.is_empty() {
            return Err(faults);
        }
        let validator = jsonschema::draft202012::new(schema).map_err(|error| vec![schema_check::told(error)])?;
        Ok(Self {
            schema: schema.clone(),
            validator,
        })
    }

    /// Renames aliases, fills in defaults and checks the result: the config, and every fault at once.
    #[must_use]
    pub fn check(&self, config: &Value) -> (Value, Vec<FieldError>) {
        let Value::Object(given) = config else {
            let error = field_error(ROOT, "must be an object, e.g. {}");
            return (config.clone(), vec![error]);
        };
        let mut errors = Vec::new();
        let mut config = given.clone();
        self.rename_aliases(&mut config, &mut errors);
        fill_defaults(&self.schema, &mut config);
        let mut config = Value::Object(config);
        take_whole_numbers(&mut config);
        let complaints: Vec<_> = self.validator.iter_errors(&config).collect();
        for error in complaints
            .iter()
            .filter(|error| !message::is_implied(error, &complaints))
        {
            errors.extend(message::field_errors(&self.schema, error));
        }
        self.required_when(&config, &mut errors);
        errors.dedup();
        (config, errors)
    }

    fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    }

    fn rename_aliases(&self, config: &mut Map<String, Value>, errors: &mut Vec<FieldError>) {
        for (name, property) in self.properties() {
            let aliases = property.get("x-alias").and_then(Value::as_array).into_iter().flatten();
            for alias in aliases.filter_map(Value::as_str) {
                let Some(value) = config.remove(alias) else { continue };
                if config.contains_key(name) {
                    let message = format!("is another name of `{name}`, which is given too; keep one of them");
                    errors.push(field_error(&format!("{ROOT}.{alias}"), &message));
                } else {
                    config.insert(name.clone(), value);
                }
            }
        }
    }

    fn required_when(&self, config: &Value, errors: &mut Vec<FieldError>) {
        for (name, property) in self.properties() {
            let Some(conditions) = property.get("x-required-when").and_then(Value::as_object) else {
                continue;
            };
            let holds = conditions.iter().all(|(field, wanted)| {
                let found = config.get(field).unwrap_or(&Value::Null);
                match wanted {
                    Value::Array(any) => any.contains(found),
                    one => one == found,
                }
            });
            if holds && is_blank(config.get(name)) {
                let when: Vec<String> = conditions
                    .iter()
                    .map(|(field, _)| {
                        format!(
                            "{field} is {}",
                            message::show(config.get(field).unwrap_or(&Value::Null))
                        )
                    })
                    .collect();
                let message = format!("is required when {}", when.join(" and "));
                errors.push(field_error(&format!("{ROOT}.{name}"), &message));
            }
        }
    }

    /// Replaces every `x-expand` text by the line and the words that the seed chooses.
    #[must_use]
    pub fn expand(&self, config: &Value, seed: u64) -> Value {
        let mut config = config.clone();
        for (name, property) in self.properties() {
            if property.get("x-expand") != Some(&Value::Bool(true)) {
                continue;
            }
            if let Some(Value::String(text)) = config.get_mut(name) {
                *text = spintax::expand(text, &mut Chooser::new(seed, name));
            }
        }
        config
    }
}

/// Whether a value says nothing: absent, null, a blank text, an empty list.
pub(crate) fn is_blank(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(items)) => items.iter().all(|item| is_blank(Some(item))),
        Some(_) => false,
    }
}

fn fill_defaults(schema: &Value, config: &mut Map<String, Value>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if let Some(default) = property.get("default")
            && !config.contains_key(name)
        {
            config.insert(name.clone(), default.clone());
        }
        if let Some(Value::Object(inner)) = config.get_mut(name) {
            fill_defaults(property, inner);
        }
    }
}

/// JSON does not tell `1.0` from `1`, and neither does a schema: scripts find the whole number in either case.
fn take_whole_numbers(value: &mut Value) {
    /// 2^53: beyond it a float no longer holds every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() <= EXACT);
            if let Some(float) = float {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(take_whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(take_whole_numbers),
        _ => {}
    }
}

fn field_error(field: &str, message: &str) -> FieldError {
    FieldError {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}
