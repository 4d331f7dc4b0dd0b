//! Messages to webhooks: made of events, sent, given up, forgotten.

use farmhand_actors::{
    domain::{Delivery, DeliveryId, DeliveryState, Event, SendResult, Timestamp, WebhookId, is_told},
    ports::ResendResult,
};
use serde_json::json;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    event::list_events,
    fault::Fault,
    transaction::Transaction,
    value::{get, get_json, get_time, get_time_opt, get_unsigned, json as to_json, millis},
    webhook::switch_off,
};

/// Events that are looked at for one webhook in one transaction.
const SLICE_EVENTS: u32 = 500;

/// Messages of one webhook that wait at the same time; the events behind them stay in the outbox until there is room.
const WAITING_MAX: i64 = 5_000;

/// Makes messages of the events that webhooks have not been told of yet; `true` when there are more.
pub(super) async fn fan_out(tx: &mut Transaction, at: &Timestamp) -> Result<bool, Fault> {
    let rows = sqlx::query(
        "SELECT id, events, position FROM webhook
         WHERE enabled AND position < (SELECT seq FROM sqlite_sequence WHERE name = 'event')
           AND (SELECT count(*) FROM (SELECT 1 FROM delivery
                                      WHERE webhook_id = webhook.id AND state = 'waiting' LIMIT ?1)) < ?1",
    )
    .bind(WAITING_MAX)
    .fetch_all(&mut tx.conn)
    .await?;
    let mut more = false;
    for row in &rows {
        let (id, events) = (WebhookId(get(row, "id")?), get_json::<Vec<String>>(row, "events")?);
        more |= fan_out_one(tx, id, &events, get(row, "position")?, *at).await?;
    }
    Ok(more)
}

async fn fan_out_one(
    tx: &mut Transaction,
    id: WebhookId,
    events: &[String],
    position: i64,
    at: Timestamp,
) -> Result<bool, Fault> {
    let page = list_events(&mut tx.conn, position, SLICE_EVENTS).await?;
    if page.oldest_retained > position.saturating_add(1) && position > 0 {
        tracing::warn!(webhook.id = id.0, "events went before the webhook was told of them");
    }
    let told = page
        .events
        .iter()
        .filter(|event| is_told(events, event.event.topic, &event.event.kind));
    let messages: Vec<_> = told
        .map(|event| (message_id(event), &event.event.kind, body_of(event)))
        .collect();
    add(tx, id, &to_json(&messages)?, at).await?;
    let newest = page.events.last().map_or(page.oldest_retained - 1, |event| event.seq);
    sqlx::query("UPDATE webhook SET position = max(position, ?2) WHERE id = ?1")
        .bind(id.0)
        .bind(newest)
        .execute(&mut tx.conn)
        .await?;
    Ok(page.events.len() == usize::try_from(SLICE_EVENTS).unwrap_or(usize::MAX))
}

async fn add(tx: &mut Transaction, id: WebhookId, messages: &str, at: Timestamp) -> Result<Option<Delivery>, Fault> {
    let row = sqlx::query(
        "INSERT INTO delivery (webhook_id, message_id, kind, body, state, created_at, due_at)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, 'waiting', ?3, ?3 FROM json_each(?2) ORDER BY key
         RETURNING *",
    )
    .bind(id.0)
    .bind(messages)
    .bind(millis(at))
    .fetch_all(&mut tx.conn)
    .await?;
    row.last().map(delivery_of).transpose()
}

/// The same however often it is sent.
fn message_id(event: &Event) -> String {
    format!("evt_{}_{}", event.seq, event.at.as_millisecond())
}

/// `type`, `timestamp` and `data` are the scheme's; the rest says where the event stands.
fn body_of(event: &Event) -> String {
    json!({
        "type": event.event.kind,
        "timestamp": format!("{:.3}", event.at),
        "seq": event.seq,
        "topic": event.event.topic.as_str(),
        "subject": event.event.subject,
        "data": event.event.data,
    })
    .to_string()
}

/// A message that tells of nothing.
pub(super) async fn add_test(
    tx: &mut Transaction,
    &(id, at): &(WebhookId, Timestamp),
) -> Result<Option<Delivery>, Fault> {
    let known = sqlx::query("SELECT 1 FROM webhook WHERE id = ?1")
        .bind(id.0)
        .fetch_optional(&mut tx.conn)
        .await?;
    if known.is_none() {
        return Ok(None);
    }
    let kind = "webhook.test";
    let body = json!({
        "type": kind,
        "timestamp": format!("{at:.3}"),
        "data": { "webhook_id": id.0 },
    });
    let name = format!("test_{}", ulid::Ulid::generate());
    add(tx, id, &to_json(&[(name, kind, body.to_string())])?, at).await
}

/// A dead message waits again, as if it were new.
pub(super) async fn resend(
    tx: &mut Transaction,
    &(webhook, id, at): &(WebhookId, DeliveryId, Timestamp),
) -> Result<ResendResult, Fault> {
    let row = sqlx::query(
        "UPDATE delivery SET state = 'waiting', attempts = 0, created_at = ?3, due_at = ?3
         WHERE id = ?1 AND webhook_id = ?2 AND state = 'dead' RETURNING *",
    )
    .bind(id.0)
    .bind(webhook.0)
    .bind(millis(at))
    .fetch_optional(&mut tx.conn)
    .await?;
    if let Some(row) = row {
        return Ok(ResendResult::Waiting(delivery_of(&row)?));
    }
    let row = sqlx::query("SELECT state FROM delivery WHERE id = ?1 AND webhook_id = ?2")
        .bind(id.0)
        .bind(webhook.0)
        .fetch_optional(&mut tx.conn)
        .await?;
    row.as_ref().map_or(Ok(ResendResult::NotFound), |row| {
        state_of(row).map(ResendResult::WrongState)
    })
}

/// A webhook's messages, newest first: so many after so many.
pub(super) async fn list_deliveries(
    conn: &mut SqliteConnection,
    id: WebhookId,
    state: Option<DeliveryState>,
    (limit, offset): (u32, u64),
) -> Result<Vec<Delivery>, Fault> {
    let rows = sqlx::query(
        "SELECT * FROM delivery WHERE webhook_id = ?1 AND (?2 IS NULL OR state = ?2)
         ORDER BY id DESC LIMIT ?3 OFFSET ?4",
    )
    .bind(id.0)
    .bind(state.map(DeliveryState::as_str))
    .bind(limit)
    .bind(i64::try_from(offset).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    rows.iter().map(delivery_of).collect()
}

/// Messages of one webhook that are due and not under way.
pub(super) async fn list_due(
    conn: &mut SqliteConnection,
    id: WebhookId,
    under_way: &[DeliveryId],
    limit: u32,
    at: Timestamp,
) -> Result<Vec<Delivery>, Fault> {
    let under_way: Vec<i64> = under_way.iter().map(|id| id.0).collect();
    let rows = sqlx::query(
        "SELECT * FROM delivery
         WHERE webhook_id = ?1 AND state = 'waiting' AND due_at <= ?2
           AND id NOT IN (SELECT value FROM json_each(?3))
         ORDER BY due_at, id LIMIT ?4",
    )
    .bind(id.0)
    .bind(millis(at))
    .bind(to_json(&under_way)?)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(delivery_of).collect()
}

/// What waits for an instant later than `after` is due at `at`.
pub(super) async fn recall(tx: &mut Transaction, &(after, at): &(Timestamp, Timestamp)) -> Result<(), Fault> {
    sqlx::query("UPDATE delivery SET due_at = ?2 WHERE state = 'waiting' AND due_at > ?1")
        .bind(millis(after))
        .bind(millis(at))
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// When the next message of a webhook that is switched on falls due.
pub(super) async fn next_due(conn: &mut SqliteConnection) -> Result<Option<Timestamp>, Fault> {
    let row = sqlx::query(
        "SELECT min((SELECT min(due_at) FROM delivery WHERE webhook_id = webhook.id AND state = 'waiting')) AS due_at
         FROM webhook WHERE enabled",
    )
    .fetch_one(conn)
    .await?;
    get_time_opt(&row, "due_at")
}

/// Writes what became of sendings.
pub(super) async fn note_sent(tx: &mut Transaction, results: &Vec<SendResult>) -> Result<(), Fault> {
    for result in results {
        // One that was sent before the URL was changed says nothing of the new one: the message goes there next.
        let switched_off = match &result.gone {
            Some(remark) => switch_off(tx, result.webhook, &result.url, remark).await?,
            None => false,
        };
        let state = match (&result.error, result.again_at) {
            (None, _) => DeliveryState::Delivered,
            (Some(_), Some(_)) if !switched_off => DeliveryState::Waiting,
            (Some(_), _) => DeliveryState::Dead,
        };
        sqlx::query(
            "UPDATE delivery SET state = ?2, attempts = attempts + 1, last_status = ?3, last_error = ?4, sent_at = ?5,
                                 due_at = ?6
             WHERE id = ?1 AND state = 'waiting'",
        )
        .bind(result.delivery.0)
        .bind(state.as_str())
        .bind(result.status)
        .bind(&result.error)
        .bind(millis(result.at))
        .bind(result.again_at.filter(|_| state == DeliveryState::Waiting).map(millis))
        .execute(&mut tx.conn)
        .await?;
    }
    Ok(())
}

/// Forgets messages that are over: those made before `before`, at most `limit` of them; dead ones a week later, so
/// that somebody can send them again.
pub(super) async fn forget(tx: &mut Transaction, before: i64, limit: i64) -> Result<u64, Fault> {
    const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;
    let deleted = sqlx::query(
        "DELETE FROM delivery WHERE id IN (
             SELECT id FROM delivery WHERE state <> 'waiting' AND created_at <= ?1
               AND (state = 'delivered' OR created_at <= ?2) ORDER BY created_at LIMIT ?3)",
    )
    .bind(before)
    .bind(before.saturating_sub(WEEK_MS))
    .bind(limit)
    .execute(&mut tx.conn)
    .await?;
    Ok(deleted.rows_affected())
}

fn state_of(row: &SqliteRow) -> Result<DeliveryState, Fault> {
    let word: &str = get(row, "state")?;
    DeliveryState::from_word(word).ok_or_else(|| {
        Fault::Row(format!(
            "the database holds a message that is {word}, which is no state of one"
        ))
    })
}

fn delivery_of(row: &SqliteRow) -> Result<Delivery, Fault> {
    Ok(Delivery {
        id: DeliveryId(get(row, "id")?),
        webhook: WebhookId(get(row, "webhook_id")?),
        message_id: get(row, "message_id")?,
        kind: get(row, "kind")?,
        body: get(row, "body")?,
        state: state_of(row)?,
        attempts: get_unsigned(row, "attempts")?,
        last_status: get(row, "last_status")?,
        last_error: get(row, "last_error")?,
        created_at: get_time(row, "created_at")?,
        sent_at: get_time_opt(row, "sent_at")?,
        due_at: get_time_opt(row, "due_at")?,
    })
}
