//! `/api/v1/script`: the scripts that tasks may name, with the schemas of their `script_config`.

use actix_web::web;
use farmhand_actors::domain::ScriptInfo;
use serde_json::{Value, json};

use super::{
    envelope::{Answer, success},
    query::NoQuery,
    state::App,
};

/// `GET /api/v1/script`
pub async fn list(_: NoQuery, app: web::Data<App>) -> Answer {
    let scripts: Vec<Value> = app.state.scripts.list().iter().map(view).collect();
    let ignored = app.state.scripts.ignored();
    Ok(success(
        &json!({ "total": scripts.len(), "items": scripts, "ignored": ignored }),
    ))
}

fn view(script: &ScriptInfo) -> Value {
    let ScriptInfo {
        name,
        description,
        params,
        content_hash,
        built_in,
        errors,
    } = script;
    json!({
        "name": name,
        "description": description,
        "params": params,
        "content_hash": content_hash,
        "built_in": built_in,
        "errors": errors,
    })
}
