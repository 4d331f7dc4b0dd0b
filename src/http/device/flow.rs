//! A flow that is sent by itself: checked as a script is, stored, and run as an ordinary task.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use base64::{Engine, prelude::BASE64_STANDARD};
use farmhand_actors::domain::{SubmitTarget, SubmitTasks};
use serde_json::{Map, Value, json};

use super::parse_serial;
use crate::http::{
    auth::{AdminOnly, Principal},
    body::{check_type, parse_json, read_body_within},
    envelope::{Answer, ApiError, success},
    fields::{Fields, echo, kind_of},
    ports::SentFlow,
    state::App,
    task::{log_created, submit::Asked},
};

/// Longest body, bytes: what a bundle may hold, written as base64, and some room for its names.
const BODY_LIMIT: usize = 45 * 1024 * 1024;
/// Longest name of the flow that is to be run, characters; also of a variable's value.
const TEXT_LIMIT: usize = 64 * 1024;

/// `POST /api/v1/device/{serial}/flow`
pub async fn run(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    principal: Principal,
    _: AdminOnly,
    LargeBody(body): LargeBody,
) -> Answer {
    let asked = Asked::of(&request, &principal, &body, &app)?;
    let serial = app.state.farm.device(parse_serial(&path)?).await?.serial;
    let (flow, config) = parse(&body)?;
    let (script, valid) = app.state.flows.keep(flow, &config).await?;
    let submitted = app
        .state
        .tasks
        .submit(SubmitTasks {
            target: SubmitTarget::Devices(vec![serial]),
            script: script.clone(),
            configs: valid.configs,
            enable_multi_account: false,
            start_time: None,
            scheduled_at: None,
            interval_minutes: None,
            priority: 0,
            source: asked.source,
            idempotency: asked.idempotency,
            warnings: valid.warnings,
        })
        .await?;
    log_created(&submitted);
    Ok(success(&json!({
        "script_name": script,
        "task_ids": submitted.task_ids,
        "created_count": submitted.task_ids.len(),
        "warnings": submitted.warnings,
    })))
}

/// A JSON body that may hold files. It is read only for those who may send it.
pub struct LargeBody(Value);

impl FromRequest for LargeBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let allowed = AdminOnly::from_request(request, payload).into_inner();
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            allowed?;
            check_type(&request, &["application/json"], "application/json")?;
            let bytes = read_body_within(&request, payload, BODY_LIMIT, "the limit for flows").await?;
            parse_json(&bytes).map(Self)
        })
    }
}

fn parse(body: &Value) -> Result<(SentFlow, Value), ApiError> {
    let mut fields = Fields::of_body(body, &["main", "files", "env", "script_config"])?;
    let main = fields.text("main", TEXT_LIMIT);
    let main = fields.required("main", main).unwrap_or_default().to_owned();
    let files = fields.object("files");
    let files = fields.required("files", files);
    let files = files.map(|files| read_files(files, &mut fields)).unwrap_or_default();
    let env = fields.object("env").map(|env| read_env(env, &mut fields));
    let config = fields.object("script_config").cloned().unwrap_or_default();
    let env = env.unwrap_or_default();
    fields.finish((SentFlow { main, files, env }, Value::Object(config)))
}

/// A file is its text, or `{"base64": …}`.
fn read_files(files: &Map<String, Value>, fields: &mut Fields<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut read = BTreeMap::new();
    for (path, content) in files {
        let bytes = match content {
            Value::String(text) => Ok(text.clone().into_bytes()),
            Value::Object(object) if object.len() == 1 => match object.get("base64") {
                Some(Value::String(text)) => BASE64_STANDARD
                    .decode(text)
                    .map_err(|error| format!("is not valid base64: {error}")),
                _ => Err("must be a text or {\"base64\": \"…\"}".to_owned()),
            },
            other => Err(format!(
                "must be a text or {{\"base64\": \"…\"}}, not {}",
                kind_of(other)
            )),
        };
        match bytes {
            Ok(bytes) => {
                read.insert(path.clone(), bytes);
            }
            Err(problem) => fields.fault(&format!("files.{}", echo(path)), problem),
        }
    }
    read
}

fn read_env(env: &Map<String, Value>, fields: &mut Fields<'_>) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    for (name, value) in env {
        match value {
            Value::String(text) => {
                read.insert(name.clone(), text.clone());
            }
            other => fields.fault(
                &format!("env.{}", echo(name)),
                format!("must be a string, not {}", kind_of(other)),
            ),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_texts_or_base64_and_every_other_thing_is_told() {
        let body = json!({
            "main": "x.yaml",
            "files": { "x.yaml": "text", "a.png": { "base64": "AAEC" } },
            "env": { "WHO": "anna" },
        });
        let (flow, config) = parse(&body).unwrap();
        assert_eq!(flow.files.get("a.png").unwrap(), &[0, 1, 2]);
        assert_eq!((flow.main.as_str(), flow.env.len(), config), ("x.yaml", 1, json!({})));

        let wrong = json!({
            "files": { "a": 1, "b": { "base64": "*" }, "c": { "base46": "" }, "d": { "base64": "", "x": 1 } },
            "env": { "N": 1 }, "script_config": [], "mian": "x",
        });
        let Err(ApiError::Invalid(faults)) = parse(&wrong) else {
            panic!()
        };
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        for field in [
            "main",
            "files.a",
            "files.b",
            "files.c",
            "files.d",
            "env.N",
            "script_config",
            "mian",
        ] {
            assert!(fields.contains(&field), "{field}: {fields:?}");
        }
        assert!(matches!(parse(&json!({})), Err(ApiError::Invalid(faults)) if faults.len() == 2));
    }
}
