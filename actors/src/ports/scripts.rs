//! The scripts that tasks may name, as a port.

use async_trait::async_trait;
use serde_json::Value;

use crate::domain::{FieldError, ScriptInfo, ScriptName, ValidConfig};

/// Knows the scripts and the schemas of their `script_config`.
#[async_trait]
pub trait ScriptCatalog: Send + Sync {
    /// All scripts, by name.
    fn list(&self) -> Vec<ScriptInfo>;

    /// Files of the operator's that look like scripts but cannot be any: a line each, with the file and the mend.
    fn ignored(&self) -> Vec<String> {
        Vec::new()
    }

    /// One script.
    fn get(&self, name: &ScriptName) -> Option<ScriptInfo>;

    /// Validates a `script_config`, fills in defaults, fans it out over its targets.
    ///
    /// # Errors
    /// Every fault at once; `field` begins with `script_config`.
    async fn validate(&self, name: &ScriptName, config: &Value) -> Result<ValidConfig, Vec<FieldError>>;
}
