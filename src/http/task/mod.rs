//! `/api/v1/task`: tasks are created, listed, stopped, retried, resolved and deleted.

mod list;
pub mod submit;
mod view;

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use farmhand_actors::{
    domain::{ScriptName, Serial, Status, Submitted, Task, TaskId, Timestamp, Username},
    ports::{Resolution, RetryFilter},
};
use serde_json::{Map, Value, json};

use super::{
    auth::Principal,
    body::{JsonBody, NoFields, OptionalJsonBody},
    envelope::{Answer, ApiError, success},
    fields::{Fields, id, whole_number},
    query::{NoQuery, Query},
    state::App,
};

/// Most tasks that one batch delete names.
const BATCH_LIMIT: usize = 1000;
/// What `retry-all` can be narrowed by.
const RETRY_FILTERS: [&str; 8] = [
    "include_unknown",
    "serial",
    "username",
    "batch_id",
    "script_name",
    "failure_reason",
    "created_after",
    "created_before",
];
/// Longest note of a resolution, characters.
const NOTE_LIMIT: usize = 2000;

/// `POST /api/v1/task`
pub async fn create(
    app: web::Data<App>,
    request: HttpRequest,
    principal: Principal,
    JsonBody(body): JsonBody,
) -> Answer {
    let asked = submit::Asked::of(&request, &principal, &body, &app)?;
    if let Some(before) = submit::answered_before(&asked, &app).await? {
        return Ok(created(&before));
    }
    let submitted = app
        .state
        .tasks
        .submit(submit::parse(&body, asked, &*app.state.scripts).await?)
        .await?;
    log_created(&submitted);
    Ok(created(&submitted))
}

fn created(submitted: &Submitted) -> HttpResponse {
    success(&json!({
        "task_ids": submitted.task_ids,
        "created_count": submitted.task_ids.len(),
        "warnings": submitted.warnings,
    }))
}

/// Ties the request's id (in the span around this) to the task ids that every later line carries.
pub(in crate::http) fn log_created(submitted: &Submitted) {
    let (first, last) = (submitted.task_ids.first(), submitted.task_ids.last());
    if let (Some(first), Some(last)) = (first, last) {
        tracing::info!(tasks = submitted.task_ids.len(), task.first = %first, task.last = %last, "tasks created");
    }
}

/// `GET /api/v1/task`
pub async fn list(app: web::Data<App>, request: HttpRequest) -> Answer {
    let page = list::parse(Query::of(&request, &list::PARAMETERS))?;
    let (total, tasks) = app
        .state
        .reads
        .list_tasks(&page.filter, page.page, page.page_size)
        .await?;
    Ok(success(&json!({
        "total": total,
        "page": page.page,
        "page_size": page.page_size,
        "items": remarked(&app, &tasks).await,
    })))
}

/// `GET /api/v1/task/stats`
pub async fn stats(_: NoQuery, app: web::Data<App>) -> Answer {
    Ok(success(&json!(app.state.reads.stats().await?)))
}

/// `GET /api/v1/task/{task_id}`
pub async fn get(_: NoQuery, app: web::Data<App>, path: web::Path<String>) -> Answer {
    let id = parse_id(&path)?;
    let mut shown = show(&app, id).await?;
    let attempts = app.state.reads.list_attempts(id).await?;
    if let Value::Object(fields) = &mut shown {
        fields.insert("attempts".to_owned(), attempts.iter().map(view::attempt).collect());
        if fields.get("status") == Some(&json!(0)) {
            add_waiting_for(
                fields,
                waiting_for(&app, vec![id]).await.pop().map(|(_, reason)| reason),
            );
        }
    }
    Ok(success(&shown))
}

/// `DELETE /api/v1/task/{task_id}`
pub async fn delete(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let id = parse_id(&path)?;
    let done = app.state.tasks.delete(vec![id]).await?;
    if done.deleted.is_empty() {
        return Err(unknown(&id.to_string()));
    }
    Ok(success(&view::deleted(&done)))
}

/// `DELETE /api/v1/task/batch`
pub async fn delete_batch(app: web::Data<App>, JsonBody(body): JsonBody) -> Answer {
    let done = app.state.tasks.delete(parse_batch(&body)?).await?;
    Ok(success(&view::deleted(&done)))
}

/// `POST /api/v1/task/{task_id}/stop`
pub async fn stop(_: NoFields, app: web::Data<App>, path: web::Path<String>) -> Answer {
    let id = parse_id(&path)?;
    app.state.tasks.stop(id).await?;
    Ok(success(&show(&app, id).await?))
}

/// `POST /api/v1/task/{task_id}/retry`
pub async fn retry(_: NoFields, app: web::Data<App>, path: web::Path<String>) -> Answer {
    let id = parse_id(&path)?;
    app.state.tasks.retry(id).await?;
    Ok(success(&show(&app, id).await?))
}

/// `POST /api/v1/task/retry-all`
pub async fn retry_all(app: web::Data<App>, OptionalJsonBody(body): OptionalJsonBody) -> Answer {
    let done = app
        .state
        .tasks
        .retry_all(parse_retry_filter(&body.unwrap_or_else(|| json!({})))?)
        .await?;
    let skipped: Vec<Value> = done
        .skipped
        .iter()
        .map(|(id, why)| json!({ "id": id, "reason": why }))
        .collect();
    Ok(success(&json!({
        "retried_count": done.retried.len(),
        "task_ids": done.retried,
        "skipped": skipped,
    })))
}

/// `POST /api/v1/task/{task_id}/resolve`
pub async fn resolve(app: web::Data<App>, path: web::Path<String>, OptionalJsonBody(body): OptionalJsonBody) -> Answer {
    let task = parse_id(&path)?;
    show(&app, task).await?;
    let (done, note) = parse_resolution(&body.unwrap_or_else(|| json!({})))?;
    let at = app.now();
    app.state.tasks.resolve(Resolution { task, done, note, at }).await?;
    Ok(success(&show(&app, task).await?))
}

async fn show(app: &App, id: TaskId) -> Result<Value, ApiError> {
    let task = app
        .state
        .reads
        .get_task(id)
        .await?
        .ok_or_else(|| unknown(&id.to_string()))?;
    Ok(view::task(&task))
}

/// The remark that is stored follows a second later: until then it is the same.
fn add_waiting_for(fields: &mut Map<String, Value>, waiting_for: Option<String>) {
    if let Some(reason) = &waiting_for
        && fields.get("remark").is_some_and(|remark| remark == "")
    {
        fields.insert("remark".to_owned(), json!(reason));
    }
    fields.insert("waiting_for".to_owned(), json!(waiting_for));
}

/// What a task waits for is shown when the router is there to say it: the task itself is worth showing without.
async fn waiting_for(app: &App, ids: Vec<TaskId>) -> Vec<(TaskId, String)> {
    app.state.tasks.waiting_for(ids).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "what tasks wait for is not known");
        Vec::new()
    })
}

/// Tasks as they are shown in a list: those that wait say what for, also where nothing is stored about it (yet).
async fn remarked(app: &App, tasks: &[Task]) -> Vec<Value> {
    let silent = |task: &&Task| task.state.status() == Status::Pending && task.remark.is_empty();
    let ids: Vec<TaskId> = tasks.iter().filter(silent).map(|task| task.id).collect();
    let reasons: HashMap<TaskId, String> = match ids.is_empty() {
        true => HashMap::new(),
        false => waiting_for(app, ids).await.into_iter().collect(),
    };
    let show = |task: &Task| {
        let mut shown = view::task(task);
        if let Some((fields, reason)) = shown.as_object_mut().zip(reasons.get(&task.id)) {
            fields.insert("remark".to_owned(), json!(reason));
        }
        shown
    };
    tasks.iter().map(show).collect()
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found(format!("task {} does not exist", super::fields::echo(id)))
}

/// Whatever is not the id of a task is the id of no task.
fn parse_id(text: &str) -> Result<TaskId, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|id| digits && *id > 0)
        .map(TaskId)
        .ok_or_else(|| unknown(text))
}

fn parse_batch(body: &Value) -> Result<Vec<TaskId>, ApiError> {
    let mut fields = Fields::of_body(body, &["task_ids"])?;
    let entries = fields.array("task_ids", BATCH_LIMIT);
    let entries = fields.required("task_ids", entries).unwrap_or_default();
    let mut ids: Vec<TaskId> = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        match whole_number(entry).filter(|id| *id > 0) {
            Some(id) => ids.push(TaskId(id)),
            None => fields.fault(
                &format!("task_ids[{place}]"),
                "must be a task's id: a whole number above 0",
            ),
        }
    }
    if entries.is_empty()
        && fields
            .value("task_ids")
            .is_some_and(|value| value.as_array().is_some_and(Vec::is_empty))
    {
        fields.fault(
            "task_ids",
            format!("must name at least one task and at most {BATCH_LIMIT}"),
        );
    }
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(*id));
    fields.finish(ids)
}

fn parse_retry_filter(body: &Value) -> Result<RetryFilter, ApiError> {
    let mut fields = Fields::of_body(body, &RETRY_FILTERS)?;
    let from = fields.parsed("created_after", parse_instant);
    let before = fields.parsed("created_before", parse_instant);
    if from.zip(before).is_some_and(|(from, before)| from >= before) {
        fields.fault("created_before", "must be later than created_after");
    }
    let filter = RetryFilter {
        include_unknown: fields.flag("include_unknown").unwrap_or(false),
        serial: fields.parsed("serial", id(Serial::parse)),
        username: fields.parsed("username", id(Username::parse)),
        batch_id: fields.parsed("batch_id", list::parse_batch_id),
        script: fields.parsed("script_name", id(ScriptName::parse)),
        reason: fields.parsed("failure_reason", list::parse_reason),
        created_from: from,
        created_before: before,
    };
    fields.finish(filter)
}

fn parse_instant(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "must be an instant like 2026-05-01T06:00:00Z")
}

fn parse_resolution(body: &Value) -> Result<(bool, String), ApiError> {
    let mut fields = Fields::of_body(body, &["outcome", "note"])?;
    let outcome = fields.parsed("outcome", |word| match word {
        "done" => Ok(true),
        "not_done" => Ok(false),
        _ => Err("must be \"done\" or \"not_done\""),
    });
    let outcome = fields.required("outcome", outcome);
    let note = fields.text("note", NOTE_LIMIT).unwrap_or_default().to_owned();
    fields.finish((outcome.unwrap_or(false), note))
}

#[cfg(test)]
mod tests;
