//! `/api/v1/webhook`: who is told of events at an address of their own.

mod fields;

use actix_web::{HttpRequest, web};
use farmhand_actors::{
    domain::{Delivery, DeliveryId, DeliveryState, NewWebhook, Webhook, WebhookId},
    ports::ResendResult,
};
use serde_json::{Value, json};

use super::{
    body::{JsonBody, NoFields},
    envelope::{Answer, ApiError, instant, success, success_list},
    fields::echo,
    query::{NoQuery, Query},
    state::App,
};

/// Messages of a page at most, and when nobody says how many.
const DELIVERIES_LIMIT: u32 = 1000;
const DELIVERIES: u32 = 100;

/// `GET /api/v1/webhook`
pub async fn list(_: NoQuery, app: web::Data<App>) -> Answer {
    let webhooks = app.state.webhooks.list_webhooks().await?;
    Ok(success_list(webhooks.iter().map(view).collect()))
}

/// `POST /api/v1/webhook`
pub async fn create(app: web::Data<App>, JsonBody(body): JsonBody) -> Answer {
    let new = fields::parse_new(&body, &app).await?;
    let created = app.state.webhooks.create_webhook(new).await?;
    app.state.sender.nudge();
    let mut shown = view(&created);
    // Only here: whoever has lost it gives the webhook another one.
    if let Value::Object(fields) = &mut shown {
        fields.insert("secret".to_owned(), json!(created.new.secret));
    }
    Ok(success(&shown))
}

/// `GET /api/v1/webhook/{id}`
pub async fn get(_: NoQuery, app: web::Data<App>, path: web::Path<String>) -> Answer {
    Ok(success(&view(&find(&app, &path).await?)))
}

/// `PATCH /api/v1/webhook/{id}`
pub async fn patch(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let id = find(&app, &path).await?.id;
    let patch = fields::parse_patch(&body, &app).await?;
    let patched = app.state.webhooks.patch_webhook(id, patch).await?;
    app.state.sender.nudge();
    Ok(success(&view(&patched.ok_or_else(|| missing(&path))?)))
}

/// `DELETE /api/v1/webhook/{id}`
pub async fn delete(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let id = parse_id(&path)?;
    if !app.state.webhooks.delete_webhook(id).await? {
        return Err(missing(&path));
    }
    Ok(success(&json!({ "deleted_count": 1, "deleted": [id.0] })))
}

/// `GET /api/v1/webhook/{id}/deliveries`
pub async fn deliveries(app: web::Data<App>, path: web::Path<String>, request: HttpRequest) -> Answer {
    let id = find(&app, &path).await?.id;
    let (state, limit, offset) = parse_query(&request)?;
    let deliveries = app.state.webhooks.list_deliveries(id, state, limit, offset).await?;
    Ok(success_list(deliveries.iter().map(delivery_view).collect()))
}

/// `POST /api/v1/webhook/{id}/test`
pub async fn test(_: NoFields, app: web::Data<App>, path: web::Path<String>) -> Answer {
    let webhook = find(&app, &path).await?;
    must_be_on(&webhook)?;
    let made = app.state.webhooks.make_test_message(webhook.id, app.now()).await?;
    app.state.sender.nudge();
    Ok(success(&delivery_view(&made.ok_or_else(|| missing(&path))?)))
}

/// `POST /api/v1/webhook/{id}/deliveries/{delivery}/resend`
pub async fn resend(_: NoFields, app: web::Data<App>, path: web::Path<(String, String)>) -> Answer {
    let (webhook, delivery) = path.into_inner();
    let webhook = find(&app, &webhook).await?;
    must_be_on(&webhook)?;
    let id = number(&delivery).map(DeliveryId).ok_or_else(|| no_message(&delivery))?;
    let resent = app.state.webhooks.resend(webhook.id, id, app.now()).await?;
    app.state.sender.nudge();
    resent_view(resent, &delivery)
}

fn resent_view(resent: ResendResult, delivery: &str) -> Answer {
    match resent {
        ResendResult::Waiting(delivery) => Ok(success(&delivery_view(&delivery))),
        ResendResult::NotFound => Err(no_message(delivery)),
        ResendResult::WrongState(state) => Err(ApiError::Conflict(format!(
            "message {} is {}: only a dead one can be sent again",
            echo(delivery),
            state.as_str()
        ))),
    }
}

fn parse_query(request: &HttpRequest) -> Result<(Option<DeliveryState>, u32, u64), ApiError> {
    let mut query = Query::of(request, &["state", "page", "page_size", "limit"]);
    let state = query.parsed("state", |word| {
        DeliveryState::from_word(word).ok_or("must be one of: waiting, delivered, dead")
    });
    let page = query.integer("page", 1..=u32::MAX).unwrap_or(1);
    // `limit` is the older word for it.
    let limit = query.integer("limit", 1..=DELIVERIES_LIMIT).unwrap_or(DELIVERIES);
    let size = query.integer("page_size", 1..=DELIVERIES_LIMIT).unwrap_or(limit);
    query.finish((state, size, u64::from(page - 1) * u64::from(size)))
}

async fn find(app: &App, text: &str) -> Result<Webhook, ApiError> {
    let found = app.state.webhooks.find_webhook(parse_id(text)?).await?;
    found.ok_or_else(|| missing(text))
}

fn parse_id(text: &str) -> Result<WebhookId, ApiError> {
    number(text).map(WebhookId).ok_or_else(|| missing(text))
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id > 0)
}

fn missing(text: &str) -> ApiError {
    ApiError::not_found(format!("webhook {} does not exist", echo(text)))
}

fn no_message(text: &str) -> ApiError {
    ApiError::not_found(format!("the webhook has no message {}", echo(text)))
}

fn must_be_on(webhook: &Webhook) -> Result<(), ApiError> {
    if webhook.new.enabled {
        return Ok(());
    }
    let problem = format!("webhook {} is switched off: enable it first", webhook.id);
    Err(ApiError::Conflict(problem))
}

fn view(webhook: &Webhook) -> Value {
    let Webhook {
        id,
        new,
        remark,
        waiting,
        dead,
    } = webhook;
    let NewWebhook {
        url,
        events,
        secret: _,
        enabled,
        description,
        created_at,
    } = new;
    json!({
        "id": id.0,
        "url": url,
        "events": events,
        "enabled": enabled,
        "description": description,
        "remark": remark,
        "waiting": waiting,
        "dead": dead,
        "created_at": instant(*created_at),
    })
}

fn delivery_view(delivery: &Delivery) -> Value {
    let Delivery {
        id,
        webhook,
        message_id,
        kind,
        body,
        state,
        attempts,
        last_status,
        last_error,
        created_at,
        sent_at,
        due_at,
    } = delivery;
    json!({
        "id": id.0,
        "webhook_id": webhook.0,
        "message_id": message_id,
        "type": kind,
        "payload": serde_json::from_str::<Value>(body).unwrap_or(Value::Null),
        "state": state.as_str(),
        "attempts": attempts,
        "last_status": last_status,
        "last_error": last_error,
        "created_at": instant(*created_at),
        "sent_at": sent_at.map(instant),
        "next_at": due_at.map(instant),
    })
}

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
