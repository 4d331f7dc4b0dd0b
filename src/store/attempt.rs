//! Attempts as they are shown, and who holds what.

use std::collections::HashMap;

use farmhand_actors::domain::{Attempt, AttemptId, Epoch, Serial, StepRecord, TaskId, Timestamp, Username};
use sqlx::SqliteConnection;

use super::{
    fault::Fault,
    step::list_steps,
    value::{get, get_purpose, get_serial, get_time, get_time_opt, get_unsigned, get_username_opt},
};

/// A device and perhaps an account that are leased to a live attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// The device.
    pub serial: Serial,
    /// The account.
    pub username: Option<Username>,
    /// Whose they are.
    pub task: TaskId,
    /// Whose they are.
    pub attempt: AttemptId,
    /// Which of the task's attempts: 1 for the first.
    pub number: u32,
    /// The lease's token.
    pub token: String,
    /// The controller's start that gave the lease.
    pub epoch: Epoch,
    /// Since when.
    pub since: Timestamp,
}

/// A task's attempts with their steps, oldest first.
pub(super) async fn list_attempts(conn: &mut SqliteConnection, task: TaskId) -> Result<Vec<Attempt>, Fault> {
    let rows = sqlx::query("SELECT * FROM attempt WHERE task_id = ?1 ORDER BY number")
        .bind(task.0)
        .fetch_all(&mut *conn)
        .await?;
    let mut steps: HashMap<AttemptId, Vec<StepRecord>> = HashMap::new();
    for (attempt, step) in list_steps(conn, task).await? {
        steps.entry(attempt).or_default().push(step);
    }
    rows.iter()
        .map(|row| {
            let id = AttemptId(get(row, "id")?);
            Ok(Attempt {
                id,
                number: get_unsigned(row, "number")?,
                purpose: get_purpose(row, "purpose")?,
                serial: get_serial(row, "serial")?,
                username: get_username_opt(row, "username")?,
                started_at: get_time(row, "started_at")?,
                finished_at: get_time_opt(row, "finished_at")?,
                outcome: get(row, "outcome")?,
                flow_hash: get(row, "flow_hash")?,
                steps: steps.remove(&id).unwrap_or_default(),
            })
        })
        .collect()
}

/// Who holds what since when, by serial.
pub(super) async fn list_holders(conn: &mut SqliteConnection) -> Result<Vec<LeaseHolder>, Fault> {
    let rows = sqlx::query(
        "SELECT serial, username, task_id, id, number, token, epoch, started_at FROM attempt
         WHERE finished_at IS NULL ORDER BY serial",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(LeaseHolder {
                serial: get_serial(row, "serial")?,
                username: get_username_opt(row, "username")?,
                task: TaskId(get(row, "task_id")?),
                attempt: AttemptId(get(row, "id")?),
                number: get_unsigned(row, "number")?,
                token: get(row, "token")?,
                epoch: Epoch(get(row, "epoch")?),
                since: get_time(row, "started_at")?,
            })
        })
        .collect()
}
