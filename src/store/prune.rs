//! What is forgotten after a while: events, finished tasks, answered requests, uses that no limit looks at any more.

use std::time::Duration;

use farmhand_actors::{
    domain::{DELIVERY_LIFE, TaskId, Timestamp},
    ports::IDEMPOTENCY_WINDOW,
};

use super::{
    counts::forget_empty,
    fault::Fault,
    task::delete_tasks,
    transaction::Transaction,
    value::{duration_millis, get, millis},
};

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Finished tasks with their attempts, steps and effects, after their end; `None`: for ever.
    pub finished_tasks: Option<Duration>,
    /// What deleted tasks have done, so that it is not done again and not taken for another's.
    pub acts: Duration,
    /// Events, at most this long …
    pub events: Duration,
    /// … and at most this many.
    pub events_max: u64,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            finished_tasks: Some(90 * DAY),
            acts: 31 * DAY,
            events: 7 * DAY,
            events_max: 1_000_000,
        }
    }
}

/// Rows forgotten in one transaction: a slice must not hold up the writer noticeably.
const SLICE_ROWS: i64 = 500;

/// Rows looked at in one transaction.
const SLICE_SCAN: i64 = 5_000;

/// No limit looks further back than a day; a month is kept for people who ask.
const USES_KEPT: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// How far a round of forgetting has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    /// Tasks up to this one have been looked at.
    task: i64,
    /// Nothing is left to forget.
    pub(super) done: bool,
}

/// Forgets one slice; answers how far the round is.
pub(super) async fn prune_slice(
    tx: &mut Transaction,
    (retention, round, now): &(Retention, Round, Timestamp),
) -> Result<Round, Fault> {
    let now = millis(*now);
    let mut rows = delete_events(tx, retention, now).await?;
    rows = rows.max(delete_old(tx, retention.acts, now).await?);
    let sent_before = now.saturating_sub(duration_millis(DELIVERY_LIFE));
    rows = rows.max(super::delivery::forget(tx, sent_before, SLICE_ROWS).await?);
    let mut next = round.clone();
    let scanned_all = match retention.finished_tasks {
        Some(kept) => delete_finished(tx, &mut next, now.saturating_sub(duration_millis(kept))).await?,
        None => true,
    };
    next.done = scanned_all && i64::try_from(rows).is_ok_and(|rows| rows < SLICE_ROWS);
    if next.done {
        forget_empty(tx).await?;
    }
    Ok(next)
}

async fn delete_events(tx: &mut Transaction, retention: &Retention, now: i64) -> Result<u64, Fault> {
    let deleted = sqlx::query(include_str!("queries/delete_events.sql"))
        .bind(now.saturating_sub(duration_millis(retention.events)))
        .bind(i64::try_from(retention.events_max).unwrap_or(i64::MAX))
        .bind(SLICE_ROWS)
        .bind(now.saturating_sub(duration_millis(DELIVERY_LIFE)))
        .execute(&mut tx.conn)
        .await?;
    Ok(deleted.rows_affected())
}

async fn delete_old(tx: &mut Transaction, kept_acts: Duration, now: i64) -> Result<u64, Fault> {
    let answers = sqlx::query(
        "DELETE FROM idempotency
         WHERE key IN (SELECT key FROM idempotency WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)",
    )
    .bind(now.saturating_sub(duration_millis(IDEMPOTENCY_WINDOW)))
    .bind(SLICE_ROWS)
    .execute(&mut tx.conn)
    .await?;
    let uses = sqlx::query(
        "DELETE FROM account_use WHERE id IN (SELECT id FROM account_use WHERE at <= ?1 ORDER BY at LIMIT ?2)",
    )
    .bind(now.saturating_sub(duration_millis(USES_KEPT)))
    .bind(SLICE_ROWS)
    .execute(&mut tx.conn)
    .await?;
    let acts = sqlx::query(
        "DELETE FROM past_effect WHERE id IN (SELECT id FROM past_effect WHERE gone_at <= ?1 ORDER BY gone_at LIMIT ?2)",
    )
    .bind(now.saturating_sub(duration_millis(kept_acts)))
    .bind(SLICE_ROWS)
    .execute(&mut tx.conn)
    .await?;
    let uses = uses.rows_affected().max(acts.rows_affected());
    Ok(answers.rows_affected().max(uses))
}

/// Walks through the tasks by number, since those with small numbers are the old ones: an index on the end of tasks
/// would cost every task more than it saves here. Answers whether the walk is over.
async fn delete_finished(tx: &mut Transaction, round: &mut Round, before: i64) -> Result<bool, Fault> {
    let rows = sqlx::query(include_str!("queries/find_old_tasks.sql"))
        .bind(round.task)
        .bind(before)
        .bind(SLICE_SCAN)
        .fetch_all(&mut tx.conn)
        .await?;
    let mut old = Vec::new();
    let mut looked_at = 0;
    for row in &rows {
        if i64::try_from(old.len()).unwrap_or(i64::MAX) >= SLICE_ROWS {
            break;
        }
        looked_at += 1;
        round.task = get(row, "id")?;
        if get(row, "old")? {
            old.push(TaskId(round.task));
        }
    }
    if !old.is_empty() {
        delete_tasks(tx, &old).await?;
    }
    Ok(looked_at == rows.len() && i64::try_from(rows.len()).is_ok_and(|rows| rows < SLICE_SCAN))
}
