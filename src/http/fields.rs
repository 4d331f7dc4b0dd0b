//! Reading the fields of a JSON body so that every fault is found at once, each named by its path.

use std::ops::RangeInclusive;

use farmhand_actors::domain::{FieldError, InvalidId};
use serde_json::{Map, Value};

use super::envelope::ApiError;

/// Longest piece of a client's own text that is repeated in a message, characters.
const ECHO_LIMIT: usize = 64;
/// How alike an unknown name must be to a known one to be taken for it (0 to 1, Jaro-Winkler).
const NEAR_ENOUGH: f64 = 0.8;

/// A JSON object that is being read.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: String,
    faults: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// The body as an object with the fields `known`; any other is a fault.
    ///
    /// # Errors
    /// It is no object.
    pub fn of_body(body: &'a Value, known: &[&str]) -> Result<Self, ApiError> {
        match body {
            Value::Object(object) => Ok(Self::new(object, String::new(), known)),
            other => Err(ApiError::invalid(
                "body",
                format!("must be a JSON object, not {}", kind_of(other)),
            )),
        }
    }

    /// An object within the body; `path` names it and ends with a dot.
    #[must_use]
    pub fn new(object: &'a Map<String, Value>, path: String, known: &[&str]) -> Self {
        let faults = object
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .map(|name| FieldError {
                field: format!("{path}{}", echo(name)),
                message: unknown(name, known, "field"),
            })
            .collect();
        Self { object, path, faults }
    }

    /// The value of a field; `null` counts as absent.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there and `null`.
    #[must_use]
    pub fn is_null(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_null)
    }

    /// Notes a fault of a field.
    pub fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.faults.push(FieldError {
            field: format!("{}{name}", self.path),
            message: message.into(),
        });
    }

    /// Takes over faults that were found elsewhere.
    pub fn add_faults(&mut self, faults: Vec<FieldError>) {
        self.faults.extend(faults);
    }

    /// A text of at most `max` characters.
    pub fn text(&mut self, name: &str, max: usize) -> Option<&'a str> {
        match self.value(name)? {
            Value::String(text) if text.chars().count() <= max => Some(text),
            Value::String(_) => {
                self.fault(name, format!("is too long: at most {max} characters"));
                None
            }
            other => {
                self.fault(name, format!("must be a string, not {}", kind_of(other)));
                None
            }
        }
    }

    /// A text that `parse` makes something of.
    pub fn parsed<T, E: ToString>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let text = self.text(name, 4096)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.fault(name, problem.to_string());
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(*flag),
            other => {
                self.fault(name, format!("must be true or false, not {}", kind_of(other)));
                None
            }
        }
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.value(name)?;
        match whole_number(value).filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                self.fault(
                    name,
                    format!("must be a whole number from {} to {}", range.start(), range.end()),
                );
                None
            }
        }
    }

    /// An array; at most `max` entries.
    pub fn array(&mut self, name: &str, max: usize) -> Option<&'a [Value]> {
        match self.value(name)? {
            Value::Array(entries) if entries.len() <= max => Some(entries),
            Value::Array(entries) => {
                self.fault(
                    name,
                    format!("has {} entries; at most {max} are allowed", entries.len()),
                );
                None
            }
            other => {
                self.fault(name, format!("must be an array, not {}", kind_of(other)));
                None
            }
        }
    }

    /// An array of texts with their places; entries of another type are faults.
    pub fn texts(&mut self, name: &str, max: usize) -> Option<Vec<(usize, &'a str)>> {
        let entries = self.array(name, max)?;
        let mut texts = Vec::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            match entry {
                Value::String(text) => texts.push((place, text.as_str())),
                other => self.fault(
                    &format!("{name}[{place}]"),
                    format!("must be a string, not {}", kind_of(other)),
                ),
            }
        }
        Some(texts)
    }

    /// An object.
    pub fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        match self.value(name)? {
            Value::Object(object) => Some(object),
            other => {
                self.fault(name, format!("must be an object, not {}", kind_of(other)));
                None
            }
        }
    }

    /// A field that must be there: `value` is what reading it gave. Its absence is a fault; a wrong value is one
    /// already.
    pub fn required<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.value(name).is_none() {
            self.fault(name, "is required");
        }
        value
    }

    /// All faults so far.
    #[must_use]
    pub fn into_faults(self) -> Vec<FieldError> {
        self.faults
    }

    /// `read`, if nothing was wrong.
    ///
    /// # Errors
    /// Every fault.
    pub fn finish<T>(self, read: T) -> Result<T, ApiError> {
        if self.faults.is_empty() {
            Ok(read)
        } else {
            Err(ApiError::Invalid(self.faults))
        }
    }
}

/// Parses an id; its fault is told without the id's kind, since the field says it.
pub fn id<T>(parse: fn(&str) -> Result<T, InvalidId>) -> impl FnOnce(&str) -> Result<T, &'static str> {
    move |text| parse(text).map_err(|error| error.problem)
}

/// A whole number; `5.0` is one too, as JSON does not tell them apart.
#[must_use]
pub fn whole_number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        // 2^53: beyond it a float no longer holds every whole number.
        let float = value
            .as_f64()
            .filter(|float| float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0)?;
        Some(float as i64)
    })
}

/// What a value is, for messages.
#[must_use]
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A client's own text, short and without control characters, for messages.
#[must_use]
pub fn echo(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(ECHO_LIMIT)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if text.chars().nth(ECHO_LIMIT).is_some() {
        short.push('…');
    }
    short
}

/// What to say of an unknown name: the nearest known one, and all of them when none is near.
#[must_use]
pub fn unknown(name: &str, known: &[&str], what: &str) -> String {
    let short = echo(name);
    let nearest = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&short.to_lowercase(), candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match nearest {
        Some((_, candidate)) => format!("unknown {what}; did you mean \"{candidate}\"?"),
        None if known.is_empty() => format!("unknown {what}; none is taken here"),
        None => format!("unknown {what}; known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_known_one() {
        let known = ["serials", "usernames", "script_name", "script_config"];

        for (name, nearest) in [
            ("serial", "serials"),
            ("scriptname", "script_name"),
            ("Usernames", "usernames"),
        ] {
            assert_eq!(
                unknown(name, &known, "field"),
                format!("unknown field; did you mean \"{nearest}\"?")
            );
        }
        assert!(unknown("zzz", &known, "field").contains("serials, usernames"));
    }

    #[test]
    fn a_name_of_a_client_is_repeated_short_and_on_one_line() {
        let message = echo(&"a\r\n\u{1b}[31m".repeat(50));

        assert!(message.chars().count() <= ECHO_LIMIT + 1);
        assert!(!message.chars().any(char::is_control));
    }

    #[test]
    fn whole_numbers_are_taken_however_json_writes_them() {
        for (value, wanted) in [
            (json!(5), Some(5)),
            (json!(5.0), Some(5)),
            (json!(-3), Some(-3)),
            (json!(5.5), None),
            (json!(1e300), None),
            (json!(u64::MAX), None),
            (json!("5"), None),
        ] {
            assert_eq!(whole_number(&value), wanted, "{value}");
        }
    }
}
