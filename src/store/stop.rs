//! The intent to stop, and giving back what was claimed.

use farmhand_actors::{
    domain::{AttemptId, FailureReason, Purpose, ScriptName, Source, Status, TaskId, TaskState, Timestamp},
    ports::StopIntent,
};
use serde_json::json;

use super::{
    fault::Fault,
    finish::stopped_failure,
    transaction::Transaction,
    value::{get, get_purpose, get_script, get_source, get_state, get_time_opt, json as to_json, millis},
};

/// Ends a pending task as stopped; of a running one, notes that it has to stop.
pub(super) async fn intend_stop(tx: &mut Transaction, &(task, at): &(TaskId, Timestamp)) -> Result<StopIntent, Fault> {
    let row = sqlx::query("SELECT state, script_name, source, purpose FROM task WHERE id = ?1")
        .bind(task.0)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(row) = row else {
        return Ok(StopIntent::NotFound);
    };
    match get_state(&row, "state")? {
        state @ (TaskState::Completed | TaskState::Failed) => Ok(StopIntent::Finished(state)),
        TaskState::Running => {
            sqlx::query("UPDATE task SET stop_requested_at = coalesce(stop_requested_at, ?2) WHERE id = ?1")
                .bind(task.0)
                .bind(millis(at))
                .execute(&mut tx.conn)
                .await?;
            tx.tell_task(
                "task.stop_requested",
                task,
                &json!({"status": Status::Running.number()}),
            )?;
            Ok(StopIntent::Running)
        }
        TaskState::Scheduled | TaskState::Available | TaskState::Retryable => {
            stop_pending(
                tx,
                task,
                &get_script(&row, "script_name")?,
                get_source(&row, "source")?,
                (get_purpose(&row, "purpose")?, at),
            )
            .await?;
            Ok(StopIntent::Unstarted)
        }
    }
}

async fn stop_pending(
    tx: &mut Transaction,
    task: TaskId,
    script: &ScriptName,
    source: Source,
    (purpose, at): (Purpose, Timestamp),
) -> Result<(), Fault> {
    let message = match purpose {
        Purpose::Execute => "stopped on request before it started".to_owned(),
        Purpose::Verify => stopped_failure(purpose).message,
    };
    sqlx::query(
        "UPDATE task SET state = 'failed', finished_at = ?2, remark = ?3, stop_requested_at = NULL,
                         failure_reason = 'stopped', failure_message = ?3, failure_retryable = 1
         WHERE id = ?1",
    )
    .bind(task.0)
    .bind(millis(at))
    .bind(&message)
    .execute(&mut tx.conn)
    .await?;
    let to = (Status::Failed, Some(FailureReason::Stopped));
    tx.counts.moved(task, (script, source), (Status::Pending, None), to);
    let data = json!({
        "status": Status::Failed.number(), "reason": FailureReason::Stopped, "message": message, "retryable": true,
    });
    tx.tell_task("task.failed", task, &data)?;
    Ok(())
}

/// Makes claimed tasks pending again as if they had not been claimed: their attempts did not run. One that somebody
/// has asked to stop in the meantime is stopped.
pub(super) async fn release(
    tx: &mut Transaction,
    (claims, remark): &(Vec<(TaskId, AttemptId)>, String),
) -> Result<(), Fault> {
    let rows = sqlx::query(include_str!("queries/release_tasks.sql"))
        .bind(to_json(claims)?)
        .bind(remark)
        .fetch_all(&mut tx.conn)
        .await?;
    let mut released = Vec::with_capacity(rows.len());
    for row in &rows {
        let task = TaskId(get(row, "id")?);
        let (script, source) = (get_script(row, "script_name")?, get_source(row, "source")?);
        tx.counts.moved(
            task,
            (&script, source),
            (Status::Running, None),
            (Status::Pending, None),
        );
        released.push(task);
        if let Some(at) = get_time_opt(row, "stop_requested_at")? {
            stop_pending(tx, task, &script, source, (get_purpose(row, "purpose")?, at)).await?;
        } else {
            let data = json!({"status": Status::Pending.number(), "remark": remark});
            tx.tell_task("task.released", task, &data)?;
        }
    }
    sqlx::query("DELETE FROM attempt WHERE finished_at IS NULL AND task_id IN (SELECT value FROM json_each(?1))")
        .bind(to_json(&released)?)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}
