//! `/health/…`: for whoever watches the process. No key is needed, and nothing secret is told.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::state::{App, Check};

/// A check that takes longer has failed.
const CHECK_DEADLINE: Duration = Duration::from_secs(2);

/// `GET /health/live`: the process serves connections.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /health/startup`: everything is loaded and the actors run.
pub async fn startup(app: web::Data<App>) -> HttpResponse {
    let started = app.state.health.is_started();
    answer(started, json!({ "status": if started { "ok" } else { "starting" } }))
}

/// `GET /health/ready`: tasks may be sent here.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let health = &app.state.health;
    let mut well = health.is_started() && !health.is_draining();
    let mut shown = Vec::new();
    for check in health.checks() {
        let problem = problem_of(check).await;
        well &= problem.is_none() || !check.required;
        shown.push(json!({
            "name": check.name,
            "required": check.required,
            "ok": problem.is_none(),
            "problem": problem,
        }));
    }
    let status = match (health.is_draining(), health.is_started(), well) {
        (true, ..) => "draining",
        (_, false, _) => "starting",
        (_, _, false) => "not_ready",
        // Tasks are taken, and wait until the farm is resumed.
        (..) if is_farm_drained(&app).await => "draining",
        (..) => "ok",
    };
    answer(well, json!({ "status": status, "checks": shown }))
}

async fn is_farm_drained(app: &App) -> bool {
    let drains = tokio::time::timeout(CHECK_DEADLINE, app.state.tasks.drains()).await;
    matches!(drains, Ok(Ok(drains)) if drains.iter().any(|drain| drain.serial.is_none()))
}

async fn problem_of(check: &Check) -> Option<String> {
    match tokio::time::timeout(CHECK_DEADLINE, (check.run)()).await {
        Ok(Ok(())) => None,
        Ok(Err(problem)) => Some(problem),
        Err(_) => Some("no answer in time".to_owned()),
    }
}

fn answer(well: bool, body: Value) -> HttpResponse {
    HttpResponse::build(if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    })
    .json(body)
}
