//! Scripts as the API and the router see them.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::ScriptName;

/// A script that tasks may name.
#[derive(Debug, Clone, Serialize)]
pub struct ScriptInfo {
    /// Its name.
    pub name: ScriptName,
    /// One line for people.
    pub description: String,
    /// JSON Schema of its `script_config`.
    pub params: Arc<Value>,
    /// SHA-256 of its flow file and all that it includes, hex.
    pub content_hash: String,
    /// Whether it ships with farmhand.
    pub built_in: bool,
    /// What is wrong with the file's newest version; the last good one stays in use.
    pub errors: Vec<String>,
}

/// One fault of a body, named so that it can be mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Path of the field, e.g. `script_config.captions`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A `script_config` after validation.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidConfig {
    /// Defaults filled in; one entry per target of the script's fan-out (one, if it has none).
    pub configs: Vec<Arc<Value>>,
    /// What the client should know, e.g. a media file that is not there yet.
    pub warnings: Vec<String>,
}
