//! `/api/v1/supervisor`: the tree of actors.

use actix_web::web;
use farmhand_actors::supervisor::{ActorKind, ActorSnapshot};
use serde_json::{Value, json};

use super::{
    body::NoFields,
    envelope::{Answer, instant, success},
    lease::Held,
    query::NoQuery,
    state::App,
};

/// `GET /api/v1/supervisor`
pub async fn tree(_: NoQuery, app: web::Data<App>) -> Answer {
    let (actors, held) = (app.state.farm.tree().await?, Held::read(&app).await?);
    let items: Vec<Value> = actors.iter().map(view).collect();
    Ok(success(&json!({
        "total": items.len(),
        "items": items,
        "leases": held.leases(),
        "drains": held.drains(),
    })))
}

/// `POST /api/v1/supervisor/{kind}/{name}/restart`
pub async fn restart(_: NoFields, app: web::Data<App>, path: web::Path<(String, String)>) -> Answer {
    let (kind, name) = path.into_inner();
    Ok(success(&view(&app.state.farm.restart(kind, name).await?)))
}

fn view(actor: &ActorSnapshot) -> Value {
    let ActorSnapshot {
        kind,
        name,
        state,
        since,
        restarts,
        last_heartbeat,
        mailbox_depth,
        current_task,
        device_state,
        alarm,
        generation,
    } = actor;
    let parent = (*kind != ActorKind::Supervisor).then_some(ActorKind::Supervisor.as_str());
    json!({
        "kind": kind.as_str(),
        "name": name,
        "parent": parent,
        "state": state,
        "since": instant(*since),
        "restarts": restarts,
        "last_heartbeat": last_heartbeat.map(instant),
        "mailbox_depth": mailbox_depth,
        "current_task": current_task,
        "device_state": device_state.map(farmhand_actors::domain::DeviceState::as_str),
        "alarm": alarm,
        "generation": generation,
    })
}
