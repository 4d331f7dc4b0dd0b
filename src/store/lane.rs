//! Lanes: what waits for a device and an account, in order.

use std::{collections::HashSet, sync::Arc};

use farmhand_actors::{
    domain::{PendingTask, TaskId, Timestamp},
    ports::{Lane, LaneHead},
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{
        duration, get, get_purpose, get_script, get_serial, get_time_opt, get_unsigned, get_username_opt, json, millis,
        timestamp,
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

/// All lanes that have pending tasks.
pub(super) async fn list_lanes(conn: &mut SqliteConnection) -> Result<Vec<Lane>, Fault> {
    let rows = sqlx::query(include_str!("queries/list_lanes.sql"))
        .fetch_all(conn)
        .await?;
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
    lanes: Vec<Lane>,
    limit_each: u32,
    at: Timestamp,
) -> Result<Vec<LaneHead>, Fault> {
    let names = lanes
        .iter()
        .map(|lane| (&lane.serial, &lane.username))
        .collect::<Vec<_>>();
    let names = json(&names)?;
    let mut heads = lanes
        .into_iter()
        .map(|lane| LaneHead {
            lane,
            due: Vec::new(),
            more: false,
            next_due: None,
        })
        .collect::<Vec<_>>();
    let due = sqlx::query(include_str!("queries/list_due.sql"))
        .bind(&names)
        .bind(millis(at))
        .bind(i64::from(limit_each).saturating_add(1))
        .fetch_all(&mut *conn)
        .await?;
    for row in &due {
        if let Some(head) = heads.get_mut(get_unsigned::<usize>(row, "lane")?) {
            head.due.push(pending_of(row)?);
        }
    }
    let next = sqlx::query(include_str!("queries/list_next_due.sql"))
        .bind(&names)
        .bind(millis(at))
        .fetch_all(conn)
        .await?;
    for (row, head) in next.iter().zip(&mut heads) {
        head.next_due = get::<Option<i64>>(row, "next_due")?.map(timestamp).transpose()?;
        let limit = usize::try_from(limit_each).unwrap_or(usize::MAX);
        head.more = head.due.len() > limit;
        head.due.truncate(limit);
    }
    Ok(heads)
}

/// A pending task of a row with the columns of `list_due.sql`.
pub(super) fn pending_of(row: &SqliteRow) -> Result<PendingTask, Fault> {
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
