//! `/api/v1/account`: the accounts that act on phones. No passwords: people log in on the phone.

mod exchange;
mod fields;

use actix_web::web;
use farmhand_actors::{
    domain::{AccountRecord, Limits, Username},
    supervisor::{AccountSnapshot, UseCounter},
};
use serde_json::{Map, Value, json};

pub use self::{
    exchange::{export, import},
    fields::{USUAL_APP, read_app},
};
use super::{
    body::{JsonBody, NoFields},
    envelope::{Answer, ApiError, instant, success, success_list},
    evidence,
    fields::echo,
    lease::Held,
    query::NoQuery,
    state::App,
};

/// `GET /api/v1/account`
pub async fn list(_: NoQuery, app: web::Data<App>) -> Answer {
    let (accounts, held) = (app.state.farm.accounts().await?, Held::read(&app).await?);
    Ok(success_list(
        accounts.iter().map(|account| shown(account, &held)).collect(),
    ))
}

/// `POST /api/v1/account`
pub async fn create(app: web::Data<App>, JsonBody(body): JsonBody) -> Answer {
    let account = fields::parse_new(&body, &fields::Known::of(&app))?;
    show(&app, &app.state.farm.create_account(account).await?).await
}

/// `GET /api/v1/account/{username}`
pub async fn get(_: NoQuery, app: web::Data<App>, path: web::Path<String>) -> Answer {
    show(&app, &app.state.farm.account(parse_username(&path)?).await?).await
}

/// `PATCH /api/v1/account/{username}`
pub async fn patch(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let username = parse_username(&path)?;
    let patch = fields::parse_patch(&body, &fields::Known::of(&app))?;
    show(&app, &app.state.farm.patch_account(username, patch).await?).await
}

/// `DELETE /api/v1/account/{username}`
pub async fn delete(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let username = parse_username(&path)?;
    app.state.farm.delete_account(username.clone()).await?;
    Ok(success(&json!({ "deleted_count": 1, "deleted": [username] })))
}

/// `POST /api/v1/account/{username}/resume`
pub async fn resume(_: NoFields, app: web::Data<App>, path: web::Path<String>) -> Answer {
    let username = parse_username(&path)?;
    show(&app, &app.state.farm.resume_account(username).await?).await
}

/// Whatever is not a username is the username of no account.
fn parse_username(text: &str) -> Result<Username, ApiError> {
    Username::parse(text).map_err(|_| ApiError::not_found(format!("account {} does not exist", echo(text))))
}

async fn show(app: &App, account: &AccountSnapshot) -> Answer {
    Ok(success(&shown(account, &Held::read(app).await?)))
}

/// An account with who holds it.
fn shown(account: &AccountSnapshot, held: &Held) -> Value {
    let mut shown = view(account);
    if let Value::Object(fields) = &mut shown {
        fields.insert("lease".to_owned(), held.of_account(&account.record.username));
    }
    shown
}

fn view(account: &AccountSnapshot) -> Value {
    let AccountSnapshot {
        record,
        package,
        effective_limits,
        counters,
        current_task,
    } = account;
    let AccountRecord {
        username,
        app,
        package: own_package,
        serial,
        status,
        status_reason,
        evidence,
        ..
    } = record;
    json!({
        "username": username,
        "app": app,
        "package": own_package.as_ref().or(package.as_ref()),
        "serial": serial,
        "status": status.as_str(),
        "status_reason": status_reason,
        "evidence": evidence.as_deref().map(evidence::url),
        "cooldown_until": record.cooldown_until.map(instant),
        "limits": limits_view(&record.limits),
        "effective_limits": limits_view(effective_limits),
        "counters": counters_view(counters),
        "current_task": current_task,
        "last_used": record.last_used.map(instant),
        "created_at": instant(record.created_at),
    })
}

fn limits_view(limits: &Limits) -> Value {
    let entries = limits.iter().map(|(script, limit)| {
        let limit = json!({ "per_hour": limit.per_hour, "per_day": limit.per_day, "min_gap_s": limit.min_gap_s });
        (script.to_string(), limit)
    });
    Value::Object(entries.collect())
}

fn counters_view(counters: &[UseCounter]) -> Value {
    let entries = counters.iter().map(|counter| {
        let UseCounter {
            script,
            last_hour,
            today,
        } = counter;
        (script.to_string(), json!({ "last_hour": last_hour, "today": today }))
    });
    Value::Object(entries.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests;
