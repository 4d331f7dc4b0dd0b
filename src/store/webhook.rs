//! Webhooks: who is told of events.

use farmhand_actors::domain::{NewWebhook, Webhook, WebhookId, WebhookPatch};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    event::newest_event,
    fault::Fault,
    transaction::Transaction,
    value::{get, get_json, get_time, get_unsigned, json, millis},
};

/// Most webhooks: each is one more reader of every event.
const WEBHOOKS_MAX: i64 = 50;

/// Stores a webhook; it is told of what happens from now on.
pub(super) async fn create_webhook(tx: &mut Transaction, new: &NewWebhook) -> Result<Webhook, Fault> {
    let row = sqlx::query("SELECT count(*) AS n FROM webhook")
        .fetch_one(&mut tx.conn)
        .await?;
    if get::<i64>(&row, "n")? >= WEBHOOKS_MAX {
        return Err(Fault::Conflict(format!(
            "there are {WEBHOOKS_MAX} webhooks already: delete one first"
        )));
    }
    let position = newest_event(&mut tx.conn).await?;
    let row = sqlx::query(
        "INSERT INTO webhook (url, events, secret, enabled, description, position, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING *, 0 AS waiting, 0 AS dead",
    )
    .bind(&new.url)
    .bind(json(&new.events)?)
    .bind(&new.secret)
    .bind(new.enabled)
    .bind(&new.description)
    .bind(position)
    .bind(millis(new.created_at))
    .fetch_one(&mut tx.conn)
    .await?;
    webhook_of(&row)
}

/// All webhooks, by number.
pub(super) async fn list_webhooks(conn: &mut SqliteConnection) -> Result<Vec<Webhook>, Fault> {
    let rows = sqlx::query(include_str!("queries/list_webhooks.sql"))
        .bind(None::<i64>)
        .fetch_all(conn)
        .await?;
    rows.iter().map(webhook_of).collect()
}

/// One webhook.
pub(super) async fn find_webhook(conn: &mut SqliteConnection, id: WebhookId) -> Result<Option<Webhook>, Fault> {
    let row = sqlx::query(include_str!("queries/list_webhooks.sql"))
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(webhook_of).transpose()
}

/// Changes what the patch names. One that is switched on again has not missed anything: it begins anew.
pub(super) async fn patch_webhook(
    tx: &mut Transaction,
    (id, patch): &(WebhookId, WebhookPatch),
) -> Result<Option<Webhook>, Fault> {
    let position = newest_event(&mut tx.conn).await?;
    sqlx::query(
        "UPDATE webhook
         SET url = coalesce(?2, url), events = coalesce(?3, events), secret = coalesce(?4, secret),
             description = coalesce(?6, description),
             position = CASE WHEN ?5 AND NOT enabled THEN ?7 ELSE position END,
             remark = CASE WHEN ?5 IS NULL THEN remark END,
             enabled = coalesce(?5, enabled)
         WHERE id = ?1",
    )
    .bind(id.0)
    .bind(patch.url.clone())
    .bind(patch.events.as_ref().map(json).transpose()?)
    .bind(patch.secret.clone())
    .bind(patch.enabled)
    .bind(patch.description.clone())
    .bind(position)
    .execute(&mut tx.conn)
    .await?;
    find_webhook(&mut tx.conn, *id).await
}

/// Switches a webhook off, for a reason that people are told; `false` when its messages go elsewhere than to `url` by now.
pub(super) async fn switch_off(tx: &mut Transaction, id: WebhookId, url: &str, remark: &str) -> Result<bool, Fault> {
    let changed = sqlx::query("UPDATE webhook SET enabled = 0, remark = ?3 WHERE id = ?1 AND url = ?2")
        .bind(id.0)
        .bind(url.to_owned())
        .bind(remark.to_owned())
        .execute(&mut tx.conn)
        .await?;
    Ok(changed.rows_affected() > 0)
}

/// Deletes a webhook with its messages; `false` when there is none.
pub(super) async fn delete_webhook(tx: &mut Transaction, id: &WebhookId) -> Result<bool, Fault> {
    let deleted = sqlx::query("DELETE FROM webhook WHERE id = ?1")
        .bind(id.0)
        .execute(&mut tx.conn)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

fn webhook_of(row: &SqliteRow) -> Result<Webhook, Fault> {
    Ok(Webhook {
        id: WebhookId(get(row, "id")?),
        new: NewWebhook {
            url: get(row, "url")?,
            events: get_json(row, "events")?,
            secret: get(row, "secret")?,
            enabled: get(row, "enabled")?,
            description: get(row, "description")?,
            created_at: get_time(row, "created_at")?,
        },
        remark: get(row, "remark")?,
        waiting: get_unsigned(row, "waiting")?,
        dead: get_unsigned(row, "dead")?,
    })
}
