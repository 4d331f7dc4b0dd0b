//! The diary of attempts: their steps, and how far they are.

use std::collections::HashMap;

use farmhand_actors::domain::{AttemptId, Progress, StepRecord, StepState, TaskId};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{get, get_time, get_unsigned, json, millis, parse_json, unsigned},
};

/// Rows per statement: a step may carry kilobytes of detail.
const ROWS_MAX: usize = 200;

/// Writes steps in the order in which they were recorded; those of attempts that are gone are passed over.
pub(super) async fn write_steps(tx: &mut Transaction, steps: &[(AttemptId, StepRecord)]) -> Result<(), Fault> {
    for chunk in steps.chunks(ROWS_MAX) {
        let rows = chunk
            .iter()
            .map(|(attempt, step)| {
                (
                    attempt,
                    step.index,
                    &step.command,
                    &step.label,
                    step.state.as_str(),
                    millis(step.started_at),
                    step.duration_ms,
                    &step.error,
                    step.detail.as_ref(),
                    &step.screenshot,
                    &step.hierarchy,
                )
            })
            .collect::<Vec<_>>();
        sqlx::query(include_str!("queries/write_steps.sql"))
            .bind(json(&rows)?)
            .execute(&mut tx.conn)
            .await?;
    }
    Ok(())
}

/// Writes which version of its flow each attempt runs; attempts that are gone are passed over.
pub(super) async fn write_flows(tx: &mut Transaction, flows: &HashMap<AttemptId, String>) -> Result<(), Fault> {
    if flows.is_empty() {
        return Ok(());
    }
    let rows = flows.iter().collect::<Vec<_>>();
    sqlx::query(
        "UPDATE attempt SET flow_hash = news.hash
         FROM (SELECT value ->> 0 AS attempt_id, value ->> 1 AS hash FROM json_each(?1)) AS news
         WHERE attempt.id = news.attempt_id",
    )
    .bind(json(&rows)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Writes how far running attempts are; attempts that are over are passed over.
pub(super) async fn write_progress(
    tx: &mut Transaction,
    progress: &HashMap<AttemptId, (TaskId, Progress)>,
) -> Result<(), Fault> {
    if progress.is_empty() {
        return Ok(());
    }
    let rows = progress
        .iter()
        .map(|(attempt, (task, progress))| (task, attempt, progress))
        .collect::<Vec<_>>();
    sqlx::query(
        "UPDATE task SET progress = news.progress
         FROM (SELECT value ->> 0 AS task_id, value ->> 1 AS attempt_id, value -> 2 AS progress
               FROM json_each(?1)) AS news
              JOIN attempt ON attempt.id = news.attempt_id
         WHERE task.id = news.task_id AND attempt.task_id = task.id AND attempt.finished_at IS NULL",
    )
    .bind(json(&rows)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// The steps of a task's attempts, in order.
pub(super) async fn list_steps(
    conn: &mut SqliteConnection,
    task: TaskId,
) -> Result<Vec<(AttemptId, StepRecord)>, Fault> {
    let rows = sqlx::query(
        "SELECT step.* FROM attempt JOIN step ON step.attempt_id = attempt.id
         WHERE attempt.task_id = ?1 ORDER BY attempt.number, step.number",
    )
    .bind(task.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(step_of).collect()
}

fn step_of(row: &SqliteRow) -> Result<(AttemptId, StepRecord), Fault> {
    let word: &str = get(row, "state")?;
    let state = [
        StepState::Running,
        StepState::Completed,
        StepState::Skipped,
        StepState::Warned,
        StepState::Failed,
    ]
    .into_iter()
    .find(|state| state.as_str() == word)
    .ok_or_else(|| {
        Fault::Row(format!(
            "the database holds a step that is {word}, which is no state of one"
        ))
    })?;
    let step = StepRecord {
        index: get_unsigned(row, "number")?,
        command: get(row, "command")?,
        label: get(row, "label")?,
        state,
        started_at: get_time(row, "started_at")?,
        duration_ms: get::<Option<i64>>(row, "duration_ms")?.map(unsigned).transpose()?,
        error: get(row, "error")?,
        detail: get::<Option<&str>>(row, "detail")?.map(parse_json).transpose()?,
        screenshot: get(row, "screenshot")?,
        hierarchy: get(row, "hierarchy")?,
    };
    Ok((AttemptId(get(row, "attempt_id")?), step))
}
