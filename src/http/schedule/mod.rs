//! `/api/v1/schedule`: task requests that are repeated, each run an ordinary batch of tasks.

mod fields;
mod ports;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod view;

use actix_web::{HttpRequest, web};
use farmhand_actors::{domain::ScheduleId, router::ScheduleFault};
use serde_json::json;

pub use self::ports::{ScheduleShown, Schedules};
use super::{
    auth::Principal,
    body::{JsonBody, NoFields},
    envelope::{Answer, ApiError, success, success_list},
    fields::echo,
    query::NoQuery,
    state::App,
    task::submit::Asked,
};

/// `GET /api/v1/schedule`
pub async fn list(_: NoQuery, app: web::Data<App>) -> Answer {
    let schedules = app.state.schedules.list().await?;
    let now = app.now();
    Ok(success_list(
        schedules.iter().map(|shown| view::schedule(shown, now)).collect(),
    ))
}

/// `POST /api/v1/schedule`
pub async fn create(
    app: web::Data<App>,
    request: HttpRequest,
    principal: Principal,
    JsonBody(body): JsonBody,
) -> Answer {
    let asked = Asked::of(&request, &principal, &body, &app)?;
    let parsed = fields::parse_new(&body, asked, &*app.state.scripts).await?;
    let warnings = parsed.request.warnings.clone();
    let id = app.state.schedules.create(parsed.spec, parsed.request).await?;
    tracing::info!(schedule.id = %id, "schedule created");
    show_written(&app, id, &warnings).await
}

/// `GET /api/v1/schedule/{id}`
pub async fn get(_: NoQuery, app: web::Data<App>, path: web::Path<String>) -> Answer {
    show(&app, parse_id(&path)?).await
}

/// `PATCH /api/v1/schedule/{id}`
pub async fn patch(
    app: web::Data<App>,
    request: HttpRequest,
    principal: Principal,
    path: web::Path<String>,
    JsonBody(body): JsonBody,
) -> Answer {
    let id = parse_id(&path)?;
    let asked = Asked::of(&request, &principal, &body, &app)?;
    let ScheduleShown { schedule, .. } = find(&app, id).await?;
    let patch = fields::parse_patch(&schedule.spec, &body, asked, &*app.state.scripts).await?;
    let warnings = patch.request.iter().flat_map(|request| request.warnings.clone());
    let warnings: Vec<String> = warnings.collect();
    let of = (id, schedule.revision);
    let changed = app.state.schedules.change(of, patch.spec, patch.request, patch.replan);
    changed.await?;
    show_written(&app, id, &warnings).await
}

/// `DELETE /api/v1/schedule/{id}`
pub async fn delete(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let id = parse_id(&path)?;
    app.state.schedules.delete(id).await?;
    Ok(success(&json!({ "deleted_count": 1, "deleted": [id] })))
}

/// `POST /api/v1/schedule/{id}/run`
pub async fn run(_: NoFields, app: web::Data<App>, path: web::Path<String>) -> Answer {
    let started = app.state.schedules.run(parse_id(&path)?).await?;
    Ok(success(&json!({
        "batch_id": started.batch_id,
        "task_ids": started.task_ids,
        "created_count": started.task_ids.len(),
        "warnings": started.warnings,
    })))
}

async fn find(app: &App, id: ScheduleId) -> Result<ScheduleShown, ApiError> {
    let found = app.state.schedules.find(id).await?;
    found.ok_or_else(|| ScheduleFault::NotFound(id).into())
}

async fn show(app: &App, id: ScheduleId) -> Answer {
    Ok(success(&view::schedule(&find(app, id).await?, app.now())))
}

async fn show_written(app: &App, id: ScheduleId, warnings: &[String]) -> Answer {
    Ok(success(&view::written(&find(app, id).await?, app.now(), warnings)))
}

/// Whatever is not the id of a schedule is the id of no schedule.
fn parse_id(text: &str) -> Result<ScheduleId, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|id| digits && *id > 0)
        .map(ScheduleId)
        .ok_or_else(|| ApiError::not_found(format!("schedule {} does not exist", echo(text))))
}

impl From<ScheduleFault> for ApiError {
    fn from(fault: ScheduleFault) -> Self {
        let message = fault.to_string();
        match fault {
            ScheduleFault::NotFound(_) => Self::not_found(message),
            ScheduleFault::NameTaken(_) | ScheduleFault::TooMany | ScheduleFault::Changed(_) => Self::Conflict(message),
            ScheduleFault::NoScript { name, supported } => Self::UnknownScript {
                name: name.to_string(),
                supported,
                faults: Vec::new(),
            },
            ScheduleFault::Invalid(faults) => Self::Invalid(faults),
        }
    }
}
