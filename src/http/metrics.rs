//! `/metrics`: counts and durations in Prometheus' text format.
//!
//! Labels are bounded: states, routes and codes, never a serial, a task or an account.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use farmhand_actors::domain::{DeviceState, TaskStats};

use super::state::App;

/// Prometheus' own name for its format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const DEVICE_STATES: [DeviceState; 6] = [
    DeviceState::Online,
    DeviceState::Busy,
    DeviceState::Offline,
    DeviceState::Unauthorized,
    DeviceState::Quarantined,
    DeviceState::Disabled,
];

/// `GET /metrics`
pub async fn get(app: web::Data<App>) -> HttpResponse {
    metrics::gauge!("farmhand_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    // Read when they are asked for, so that they are exact; what cannot be read now is left as it was.
    match app.state.reads.stats().await {
        Ok(stats) => set_tasks(&stats),
        Err(error) => tracing::warn!(%error, "task counts for the metrics could not be read"),
    }
    if let Err(error) = set_devices(&app).await {
        tracing::warn!(%error, "device counts for the metrics could not be read");
    }
    HttpResponse::Ok()
        .content_type(CONTENT_TYPE)
        .body(app.state.metrics.render())
}

fn set_tasks(stats: &TaskStats) {
    let TaskStats {
        total: _,
        pending,
        running,
        completed,
        failed,
    } = *stats;
    for (state, count) in [
        ("pending", pending),
        ("running", running),
        ("completed", completed),
        ("failed", failed),
    ] {
        metrics::gauge!("farmhand_tasks", "state" => state).set(count as f64);
    }
}

async fn set_devices(app: &App) -> Result<(), farmhand_actors::supervisor::SupervisorError> {
    let mut counts: HashMap<DeviceState, u32> = HashMap::new();
    for device in app.state.farm.devices().await? {
        *counts.entry(device.state).or_default() += 1;
    }
    for state in DEVICE_STATES {
        let count = counts.get(&state).copied().unwrap_or(0);
        metrics::gauge!("farmhand_devices", "state" => state.as_str()).set(f64::from(count));
    }
    let alarms = app.state.farm.tree().await?.iter().any(|actor| actor.alarm.is_some());
    metrics::gauge!("farmhand_quarantine_alarm").set(f64::from(u8::from(alarms)));
    Ok(())
}
