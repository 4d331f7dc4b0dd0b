//! Lanes: what waits for a device and an account, in order.

use std::{collections::HashSet, sync::Arc};

use farmhand_actors::{
    domain::{PendingTask, ScriptName, Status, TaskId, Timestamp},
    ports::{Lane, LaneAsk, LaneHead, OpenTask, PassedOver},
};
use serde::Deserialize;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteRow};

use super::{
    counts::ALL_BLOCKS,
    fault::Fault,
    transaction::Transaction,
    value::{
        duration, get, get_purpose, get_script, get_serial, get_time_opt, get_unsigned, get_username_opt, json, millis,
        parse_json, purpose_of, timestamp,
    },
};

/// Lanes that the writer remembers to be there; a farm has far fewer.
const KNOWN_LANES_MAX: usize = 10_000;

/// Adds the lanes that are not there yet.
pub(super) async fn add_lanes(tx: &mut Transaction, lanes: HashSet<Lane>) -> Result<(), Fault> {
    let new = lanes.difference(&tx.known_lanes).cloned().collect::<Vec<_>>();
    if new.is_empty() {
        return Ok(());
    }
    let names = new
        .iter()
        .map(|lane| (&lane.serial, &lane.username))
        .collect::<Vec<_>>();
    sqlx::query("INSERT OR IGNORE INTO lane (serial, username) SELECT value ->> 0, value ->> 1 FROM json_each(?1)")
        .bind(json(&names)?)
        .execute(&mut tx.conn)
        .await?;
    if tx.known_lanes.len() >= KNOWN_LANES_MAX {
        tx.known_lanes.clear();
    }
    tx.known_lanes.extend(new);
    Ok(())
}

/// The blocks that have pending tasks, in order, as the queries want them.
async fn pending_blocks(conn: &mut SqliteConnection) -> Result<String, Fault> {
    let row = sqlx::query(
        "SELECT json_group_array(block) AS blocks FROM (
             SELECT DISTINCT block FROM task_count WHERE block > ?1 AND status = ?2 AND n > 0 ORDER BY block)",
    )
    .bind(ALL_BLOCKS)
    .bind(Status::Pending.number())
    .fetch_one(conn)
    .await?;
    get(&row, "blocks")
}

/// All lanes that have pending tasks.
pub(super) async fn list_lanes(conn: &mut SqliteConnection) -> Result<Vec<Lane>, Fault> {
    let mut snapshot = conn.begin().await?;
    let blocks = pending_blocks(&mut snapshot).await?;
    let rows = sqlx::query(include_str!("queries/list_lanes.sql"))
        .bind(blocks)
        .fetch_all(&mut *snapshot)
        .await?;
    snapshot.rollback().await?;
    rows.iter()
        .map(|row| {
            Ok(Lane {
                serial: get_serial(row, "serial")?,
                username: get_username_opt(row, "username")?,
            })
        })
        .collect()
}

/// The fronts of lanes, in the order asked for.
pub(super) async fn list_heads(
    conn: &mut SqliteConnection,
    asks: Vec<LaneAsk>,
    limit_each: u32,
    at: Timestamp,
) -> Result<Vec<LaneHead>, Fault> {
    let names = asks
        .iter()
        .map(|LaneAsk { lane, passed_over }| {
            let PassedOver { scripts, batches } = passed_over;
            let batches: Vec<&str> = batches.iter().map(|batch| &**batch).collect();
            (&lane.serial, &lane.username, scripts, batches)
        })
        .collect::<Vec<_>>();
    let mut snapshot = conn.begin().await?;
    let blocks = pending_blocks(&mut snapshot).await?;
    let rows = sqlx::query(include_str!("queries/list_due.sql"))
        .bind(json(&names)?)
        .bind(millis(at))
        .bind(i64::from(limit_each).saturating_add(1))
        .bind(asks.iter().any(|ask| !ask.passed_over.is_empty()))
        .bind(blocks)
        .fetch_all(&mut *snapshot)
        .await?;
    snapshot.rollback().await?;
    let limit = usize::try_from(limit_each).unwrap_or(usize::MAX);
    asks.into_iter()
        .zip(&rows)
        .map(|(LaneAsk { lane, .. }, row)| {
            let waiting: Vec<Waiting> = parse_json(get(row, "due")?)?;
            let more = waiting.len() > limit;
            let due = waiting.into_iter().take(limit).map(|task| task.of(&lane));
            Ok(LaneHead {
                due: due.collect::<Result<_, Fault>>()?,
                more,
                next_due: get::<Option<i64>>(row, "next_due")?.map(timestamp).transpose()?,
                unverified: open_of(row)?,
                lane,
            })
        })
        .collect()
}

fn open_of(row: &SqliteRow) -> Result<Option<OpenTask>, Fault> {
    let Some(open) = get::<Option<&str>>(row, "unverified")? else {
        return Ok(None);
    };
    let (task, unknown_checks) = parse_json(open)?;
    Ok(Some(OpenTask { task, unknown_checks }))
}

/// A task of a lane as `list_due.sql` writes it, in the order of its columns.
#[derive(Deserialize)]
struct Waiting(
    TaskId,
    String,
    ScriptName,
    Option<i64>,
    Option<i64>,
    i8,
    String,
    u32,
    u32,
);

impl Waiting {
    fn of(self, lane: &Lane) -> Result<PendingTask, Fault> {
        let Self(id, batch_id, script, due_at, gap_ms, priority, purpose, attempts, auto_retries) = self;
        Ok(PendingTask {
            id,
            batch_id: batch_id.into(),
            script,
            serial: lane.serial.clone(),
            username: lane.username.clone(),
            due_at: due_at.map(timestamp).transpose()?,
            gap: gap_ms.map(duration).transpose()?,
            priority,
            purpose: purpose_of(&purpose)?,
            attempts,
            auto_retries,
        })
    }
}

/// Those of the tasks that are pending and have a device.
pub(super) async fn list_pending(conn: &mut SqliteConnection, tasks: &[TaskId]) -> Result<Vec<PendingTask>, Fault> {
    let rows = sqlx::query(include_str!("queries/pending_tasks.sql"))
        .bind(json(&tasks)?)
        .fetch_all(conn)
        .await?;
    rows.iter().map(pending_of).collect()
}

/// A pending task of a row with the columns of `pending_tasks.sql`.
fn pending_of(row: &SqliteRow) -> Result<PendingTask, Fault> {
    Ok(PendingTask {
        id: TaskId(get(row, "id")?),
        batch_id: Arc::from(get::<&str>(row, "batch_id")?),
        script: get_script(row, "script_name")?,
        serial: get_serial(row, "serial")?,
        username: get_username_opt(row, "username")?,
        due_at: get_time_opt(row, "due_at")?,
        gap: get::<Option<i64>>(row, "gap_ms")?.map(duration).transpose()?,
        priority: get(row, "priority")?,
        purpose: get_purpose(row, "purpose")?,
        attempts: get_unsigned(row, "attempts")?,
        auto_retries: get_unsigned(row, "auto_retries")?,
    })
}
