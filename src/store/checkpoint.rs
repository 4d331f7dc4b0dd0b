//! Where tasks' flows can be taken up.

use farmhand_actors::domain::{Checkpoint, Reached, TaskId, Timestamp};
use sqlx::SqliteConnection;

use super::{
    effect::holds_lease,
    fault::Fault,
    transaction::Transaction,
    value::{get, get_json, json, millis},
};

/// Writes how far an attempt is, in place of what earlier ones have written.
pub(super) async fn reach(tx: &mut Transaction, checkpoint: &Checkpoint) -> Result<(), Fault> {
    let Checkpoint {
        task,
        attempt,
        lease,
        reached,
    } = checkpoint;
    if !holds_lease(tx, *task, *attempt, lease).await? {
        return Err(Fault::Conflict(format!(
            "attempt {attempt} of task {task} has lost its lease"
        )));
    }
    sqlx::query(
        "INSERT OR REPLACE INTO checkpoint (task_id, attempt_id, retries, step, flow_hash, state, reached_at)
         SELECT id, ?2, retry_count, ?3, ?4, ?5, ?6 FROM task WHERE id = ?1",
    )
    .bind(task.0)
    .bind(attempt.0)
    .bind(&*reached.step)
    .bind(reached.flow_hash.as_str())
    .bind(json(&reached.state)?)
    .bind(millis(Timestamp::now()))
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// How far an earlier attempt has come since the task was last begun anew.
pub(super) async fn reached(conn: &mut SqliteConnection, task: TaskId) -> Result<Option<Reached>, Fault> {
    let row = sqlx::query(
        "SELECT step, flow_hash, checkpoint.state AS state FROM checkpoint JOIN task ON task.id = task_id
         WHERE task_id = ?1 AND retries = retry_count",
    )
    .bind(task.0)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Reached {
        step: get::<&str>(&row, "step")?.into(),
        flow_hash: get(&row, "flow_hash")?,
        state: get_json(&row, "state")?,
    }))
}
