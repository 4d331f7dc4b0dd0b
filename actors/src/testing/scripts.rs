//! A catalog in which every script is but `gone`, and takes every `script_config` that is an object without `"fault"`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{
    domain::{FieldError, ScriptInfo, ScriptName, ValidConfig},
    ports::ScriptCatalog,
};

/// The catalog.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyScript;

#[async_trait]
impl ScriptCatalog for AnyScript {
    fn list(&self) -> Vec<ScriptInfo> {
        Vec::new()
    }

    fn get(&self, name: &ScriptName) -> Option<ScriptInfo> {
        (name.as_str() != "gone").then(|| ScriptInfo {
            name: name.clone(),
            description: String::new(),
            params: Arc::new(json!({})),
            content_hash: String::new(),
            built_in: true,
            errors: Vec::new(),
        })
    }

    async fn validate(&self, _: &ScriptName, config: &Value) -> Result<ValidConfig, Vec<FieldError>> {
        if config.get("fault").is_some() {
            return Err(vec![FieldError {
                field: "script_config.fault".to_owned(),
                message: "is one".to_owned(),
            }]);
        }
        Ok(ValidConfig {
            configs: vec![Arc::new(config.clone())],
            warnings: Vec::new(),
        })
    }
}
