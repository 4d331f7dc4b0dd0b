//! Names and numbers of things, parsed once at the edge.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {problem}")]
pub struct InvalidId {
    /// Which kind of id was wanted, e.g. `serial`.
    pub what: &'static str,
    /// What is wrong with it and how to mend it.
    pub problem: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $normalise:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses the text as it comes from outside.
            ///
            /// # Errors
            /// Says what is wrong with the text.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let normalise: fn(&str) -> Result<String, &'static str> = $normalise;
                normalise(text)
                    .map(|text| Self(text.into()))
                    .map_err(|problem| InvalidId { what: $what, problem })
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
    };
}

fn printable(text: &str, max: usize) -> Result<&str, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty");
    }
    if text.chars().count() > max {
        return Err("is too long");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("must not contain blanks or control characters");
    }
    Ok(text)
}

text_id!(
    /// The serial by which farmhand names a device (1 to 128 printable characters).
    Serial,
    "serial",
    |text| printable(text, 128).map(str::to_owned)
);

text_id!(
    /// An account's name: without a leading `@`, in lower case (1 to 64 printable characters).
    Username,
    "username",
    |text| {
        let text = text.trim();
        let text = text.strip_prefix('@').unwrap_or(text);
        printable(text, 64).map(str::to_lowercase)
    }
);

text_id!(
    /// A script's name: its flow file's stem (letters, digits, `_`, `-`, `.`; 1 to 64), or `flow:<stem>@<id>` for a flow
    /// that was sent by itself, `id` being 16 hex digits of its content's hash.
    ScriptName,
    "script_name",
    |text| {
        let text = printable(text, 64)?;
        let stem = sent_flow(text).map_or(text, |(stem, _)| stem);
        if stem.starts_with('.') || !stem.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c)) {
            return Err("may only contain letters, digits, '_', '-' and '.'");
        }
        Ok(text.to_owned())
    }
);

impl ScriptName {
    /// What the names of flows begin with that were sent by themselves.
    pub const SENT: &str = "flow:";

    /// The name of a flow that was sent by itself.
    ///
    /// # Errors
    /// `stem` or `id` has characters that a name may not have.
    pub fn of_bundle(stem: &str, id: &str) -> Result<Self, InvalidId> {
        let name = Self::parse(&format!("{}{stem}@{id}", Self::SENT))?;
        Ok(name)
    }

    /// The id of the flow's bundle, if it was sent by itself.
    #[must_use]
    pub fn bundle(&self) -> Option<&str> {
        sent_flow(&self.0).map(|(_, id)| id)
    }
}

/// Stem and id of a flow that was sent by itself.
fn sent_flow(name: &str) -> Option<(&str, &str)> {
    let (stem, id) = name.strip_prefix(ScriptName::SENT)?.rsplit_once('@')?;
    let is_id = id.len() == 16 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then_some((stem, id))
}

text_id!(
    /// Android's name of an app, e.g. `com.instagram.android`.
    Package,
    "package",
    |text| {
        let text = printable(text, 256)?;
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c)) {
            return Err("may only contain ASCII letters, digits, '.' and '_'");
        }
        Ok(text.to_owned())
    }
);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A task's number; never reused.
    TaskId
);
number_id!(
    /// An attempt's number over all tasks; never reused.
    AttemptId
);
number_id!(
    /// A material's number; never reused.
    MaterialId
);
number_id!(
    /// A schedule's number; never reused.
    ScheduleId
);
number_id!(
    /// The number of a start of the controller: writes that carry an older one are refused.
    Epoch
);

/// The incarnation of an actor or a driver; what an older one says is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The incarnation after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_that_was_sent_is_known_by_the_name_of_its_script() {
        let name = ScriptName::of_bundle("log-in", "0123456789abcdef").unwrap();
        assert_eq!(name.as_str(), "flow:log-in@0123456789abcdef");
        assert_eq!(
            ScriptName::parse(name.as_str()).unwrap().bundle(),
            Some("0123456789abcdef")
        );
        assert_eq!(ScriptName::parse("post").unwrap().bundle(), None);
        for wrong in [
            "flow:x",
            "flow:x@0123",
            "flow:x@0123456789ABCDEF",
            "flow:a/b@0123456789abcdef",
            "x@0123456789abcdef",
        ] {
            assert!(ScriptName::parse(wrong).is_err(), "{wrong}");
        }
    }
}
