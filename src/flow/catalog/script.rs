//! A script: a flow with the schema of its parameters.

use std::sync::Arc;

use farmhand_actors::domain::FieldError;
use serde_json::{Value, json};

use crate::flow::{
    model::{Body, Command, Flow, Step},
    params::{Schema, SchemaFault, fan_out},
    parse::{LoadedFlow, Platform, load_for, sources::Sources},
    problem::Problem,
};

/// One version of a script. Attempts keep the version that they began with.
#[derive(Debug)]
pub struct Script {
    flow: Arc<Flow>,
    schema: Schema,
    params: Arc<Value>,
    content_hash: String,
    env: Vec<(String, String)>,
    known_steps: u32,
}

impl Script {
    /// Reads and checks the flow at `path`.
    ///
    /// # Errors
    /// Every fault of the file and of all that it includes.
    pub fn load(sources: &dyn Sources, path: &str) -> Result<Self, Vec<Problem>> {
        Self::load_for(Platform::Android, sources, path)
    }

    /// As [`Self::load`], for the screens of a platform.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for(platform: Platform, sources: &dyn Sources, path: &str) -> Result<Self, Vec<Problem>> {
        let LoadedFlow { flow, content_hash, .. } = load_for(platform, sources, path)?;
        let params = flow.config.extension.params.clone();
        // A flow without a schema takes anything: it was written for another tool.
        let params = params.unwrap_or_else(|| json!({ "type": "object", "additionalProperties": true }));
        let schema = Schema::compile(&params).map_err(|faults| {
            let problem = |fault: SchemaFault| Problem {
                place: flow.place_of("params"),
                title: "Invalid Schema: farmhand.params".to_owned(),
                message: fault.message,
            };
            faults.into_iter().map(problem).collect::<Vec<_>>()
        })?;
        Ok(Self {
            known_steps: count(&flow.steps),
            flow,
            schema,
            params: Arc::new(params),
            content_hash,
            env: Vec::new(),
        })
    }

    /// With variables that are set before the flow's own.
    #[must_use]
    pub fn with_env(self, env: Vec<(String, String)>) -> Self {
        Self { env, ..self }
    }

    /// Variables that are set before the flow's own.
    #[must_use]
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// The flow.
    #[must_use]
    pub fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// The schema of `script_config`.
    #[must_use]
    pub fn params(&self) -> &Arc<Value> {
        &self.params
    }

    /// SHA-256 of all its files, hex.
    #[must_use]
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }

    /// Checks a config, fills in defaults and splits it by target.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn configs(&self, config: &Value) -> Result<Vec<Value>, Vec<FieldError>> {
        let (config, mut errors) = self.schema.check(config);
        let configs = match &self.flow.config.extension.fan_out {
            None => Ok(vec![config]),
            Some(rule) => fan_out(rule, &config),
        };
        match configs {
            Ok(configs) if errors.is_empty() => Ok(configs),
            Ok(_) => Err(errors),
            Err(more) => {
                // One complaint per field is enough.
                let new = more
                    .into_iter()
                    .filter(|new| errors.iter().all(|old| old.field != new.field));
                let new: Vec<FieldError> = new.collect();
                errors.extend(new);
                Err(errors)
            }
        }
    }

    /// A stored config with its texts chosen by the task's seed.
    #[must_use]
    pub fn expand(&self, config: &Value, seed: u64) -> Value {
        self.schema.expand(config, seed)
    }

    /// How many steps the flow has, as far as that can be told beforehand.
    #[must_use]
    pub fn known_steps(&self) -> u32 {
        self.known_steps
    }
}

/// Flows whose includes would make this long are refused before.
fn count(steps: &[Step]) -> u32 {
    steps.iter().fold(0, |sum: u32, step| {
        let below = match &step.command {
            Command::RunFlow(run) => count_body(&run.body),
            Command::Repeat(repeat) => count(&repeat.steps),
            Command::Retry(retry) => count_body(&retry.body),
            _ => 0,
        };
        sum.saturating_add(1).saturating_add(below)
    })
}

fn count_body(body: &Body) -> u32 {
    match body {
        Body::Inline(steps) => count(steps),
        Body::File(flow) => count(&flow.steps),
    }
}
