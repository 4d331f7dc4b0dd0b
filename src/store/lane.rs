//! Lanes: what waits for a device and an account, in order.

use std::sync::Arc;

use farmhand_actors::{
    domain::{PendingTask, TaskId, Timestamp},
    ports::{Lane, LaneHead},
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    value::{
        duration, get, get_purpose, get_script, get_serial, get_time_opt, get_unsigned, get_username_opt, json, millis,
        timestamp,
    },
};

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
