//! Tasks one by one: reading, deleting, and what is written on those that wait.

use std::{collections::HashSet, sync::Arc};

use farmhand_actors::domain::{
    BatchStart, Failure, NewTask, ScheduleId, Status, Task, TaskId, TaskState, TaskStats, Timestamp,
};
use serde_json::json;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    account_use::keep_effects,
    counts::{ALL_BLOCKS, Kind},
    fault::Fault,
    transaction::Transaction,
    value::{
        duration, get, get_json, get_purpose, get_reason_opt, get_script, get_serial, get_serial_opt, get_source,
        get_state, get_time, get_time_opt, get_unsigned, get_username_opt, json as to_json, millis, parse_json,
        unsigned,
    },
};

/// One task.
pub(super) async fn find_task(conn: &mut SqliteConnection, task: TaskId) -> Result<Option<Task>, Fault> {
    let row = sqlx::query("SELECT * FROM task WHERE id = ?1")
        .bind(task.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(task_of).transpose()
}

/// States of tasks, in the order asked for; unknown ones are left out.
pub(super) async fn list_states(
    conn: &mut SqliteConnection,
    tasks: &[TaskId],
) -> Result<Vec<(TaskId, TaskState)>, Fault> {
    let rows = sqlx::query(
        "SELECT task.id, task.state FROM json_each(?1) AS asked CROSS JOIN task ON task.id = asked.value
         ORDER BY asked.key",
    )
    .bind(to_json(tasks)?)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((TaskId(get(row, "id")?), get_state(row, "state")?)))
        .collect()
}

/// The newest two starts of each batch that keeps a gap, by device, from `since` on; the newest first.
pub(super) async fn list_batch_starts(conn: &mut SqliteConnection, since: Timestamp) -> Result<Vec<BatchStart>, Fault> {
    let rows = sqlx::query(
        "SELECT batch_id, serial, id, at
         FROM (SELECT batch_id, serial, id, started_at AS at,
                      row_number() OVER (PARTITION BY batch_id, serial ORDER BY started_at DESC, id DESC) AS place
               FROM task INDEXED BY task_gap WHERE gap_ms IS NOT NULL AND serial IS NOT NULL AND started_at >= ?1)
         WHERE place <= 2 ORDER BY batch_id, serial, place",
    )
    .bind(millis(since))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(BatchStart {
                batch_id: get::<String>(row, "batch_id")?.into(),
                serial: get_serial(row, "serial")?,
                task: TaskId(get(row, "id")?),
                at: get_time(row, "at")?,
            })
        })
        .collect()
}

/// Exact numbers by status.
pub(super) async fn count_tasks(conn: &mut SqliteConnection) -> Result<TaskStats, Fault> {
    let rows = sqlx::query("SELECT status, sum(n) AS n FROM task_count WHERE block = ?1 GROUP BY status")
        .bind(ALL_BLOCKS)
        .fetch_all(conn)
        .await?;
    let mut stats = TaskStats::default();
    for row in &rows {
        let n = get_unsigned(row, "n")?;
        stats.total += n;
        let status: i64 = get(row, "status")?;
        match Status::ALL.into_iter().find(|known| known.number() == status) {
            Some(Status::Pending) => stats.pending = n,
            Some(Status::Running) => stats.running = n,
            Some(Status::Completed) => stats.completed = n,
            Some(Status::Failed) => stats.failed = n,
            None => {
                return Err(Fault::Row(format!(
                    "the database holds a status {status}, which is none"
                )));
            }
        }
    }
    Ok(stats)
}

/// Deletes tasks that are not running; answers those deleted, in the order asked for.
pub(super) async fn delete_tasks(tx: &mut Transaction, tasks: &Vec<TaskId>) -> Result<Vec<TaskId>, Fault> {
    keep_effects(tx, tasks).await?;
    let rows = sqlx::query(include_str!("queries/delete_tasks.sql"))
        .bind(to_json(tasks)?)
        .fetch_all(&mut tx.conn)
        .await?;
    let mut deleted = HashSet::with_capacity(rows.len());
    for row in &rows {
        let state = get_state(row, "state")?;
        let kind = Kind {
            script: get_script(row, "script_name")?,
            source: get_source(row, "source")?,
            status: state.status(),
            reason: get_reason_opt(row, "failure_reason")?,
        };
        let task = TaskId(get(row, "id")?);
        tx.counts.add(task, kind, -1);
        deleted.insert(task);
    }
    let mut answer = Vec::with_capacity(deleted.len());
    for task in tasks {
        if deleted.remove(task) {
            tx.tell_task("task.deleted", *task, &json!({}))?;
            answer.push(*task);
        }
    }
    Ok(answer)
}

/// Moves what waits for a span of time with a clock that was set. What is taken up again keeps its place.
pub(super) async fn shift_due(tx: &mut Transaction, (by_ms, before): &(i64, Timestamp)) -> Result<(), Fault> {
    sqlx::query(include_str!("queries/shift_due.sql"))
        .bind(*by_ms)
        .bind(millis(*before))
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// Sets the remark of pending tasks: why they wait.
pub(super) async fn remark_tasks(tx: &mut Transaction, remarks: &Vec<(TaskId, String)>) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE task SET remark = news.remark
         FROM (SELECT value ->> 0 AS id, value ->> 1 AS remark FROM json_each(?1)) AS news
         WHERE task.id = news.id AND task.state IN ('scheduled', 'available', 'retryable')
           AND task.remark <> news.remark",
    )
    .bind(to_json(remarks)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// A task of a row with all columns.
pub(super) fn task_of(row: &SqliteRow) -> Result<Task, Fault> {
    let state = get_state(row, "state")?;
    Ok(Task {
        id: TaskId(get(row, "id")?),
        request: request_of(row)?,
        state,
        purpose: get_purpose(row, "purpose")?,
        created_at: get_time(row, "created_at")?,
        started_at: get_time_opt(row, "started_at")?,
        finished_at: get_time_opt(row, "finished_at")?,
        retry_count: get_unsigned(row, "retry_count")?,
        progress: get::<Option<&str>>(row, "progress")?.map(parse_json).transpose()?,
        remark: get(row, "remark")?,
        failure: failure_of(row)?,
    })
}

fn request_of(row: &SqliteRow) -> Result<NewTask, Fault> {
    Ok(NewTask {
        batch_id: Arc::from(get::<&str>(row, "batch_id")?),
        script: get_script(row, "script_name")?,
        config: Arc::new(get_json(row, "config")?),
        serial: get_serial_opt(row, "serial")?,
        username: get_username_opt(row, "username")?,
        enable_multi_account: get(row, "enable_multi_account")?,
        source: get_source(row, "source")?,
        start_time: get(row, "start_time")?,
        scheduled_at: get_time_opt(row, "scheduled_at")?,
        due_at: get_time_opt(row, "due_at")?,
        gap: get::<Option<i64>>(row, "gap_ms")?.map(duration).transpose()?,
        priority: get(row, "priority")?,
        schedule: get::<Option<i64>>(row, "schedule_id")?.map(ScheduleId),
    })
}

fn failure_of(row: &SqliteRow) -> Result<Option<Failure>, Fault> {
    let Some(reason) = get_reason_opt(row, "failure_reason")? else {
        return Ok(None);
    };
    Ok(Some(Failure {
        reason,
        message: get::<Option<String>>(row, "failure_message")?.unwrap_or_default(),
        step: get::<Option<i64>>(row, "failure_step")?.map(unsigned).transpose()?,
        retryable: get::<Option<bool>>(row, "failure_retryable")?.unwrap_or(false),
    }))
}
