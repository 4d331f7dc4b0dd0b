//! Claims: a pending task becomes running, with a new attempt on a device.

use std::collections::HashMap;

use farmhand_actors::domain::{AttemptId, Claim, Claimed, Purpose, ScriptName, Status, TaskId};
use serde_json::json;

use super::{
    change::Ask,
    fault::Fault,
    transaction::Transaction,
    value::{get, get_purpose, get_script, get_source, get_unsigned, json as to_json, millis, parse_json},
};

/// A claim that was committed, its parameters still as text: they are parsed outside of the writer.
#[derive(Debug)]
pub(super) struct ClaimedRow {
    task: TaskId,
    attempt: AttemptId,
    number: u32,
    purpose: Purpose,
    script: ScriptName,
    config: String,
}

impl ClaimedRow {
    /// The claim as the port shows it.
    pub(super) fn parse(self) -> Result<Claimed, Fault> {
        Ok(Claimed {
            task: self.task,
            attempt: self.attempt,
            number: self.number,
            purpose: self.purpose,
            script: self.script,
            config: parse_json(&self.config)?,
        })
    }
}

/// Claims the tasks of many callers.
pub(super) async fn claim(
    tx: &mut Transaction,
    asks: &mut [Ask<Vec<Claim>, Vec<Option<ClaimedRow>>>],
) -> Result<(), Fault> {
    if let Some(stale) = asks
        .iter()
        .flat_map(|ask| &ask.input)
        .find(|claim| !tx.is_current(&claim.lease))
    {
        return Err(Fault::Conflict(format!(
            "task {} was claimed for epoch {}, which is not the newest: only the controller that was started last may \
             claim",
            stale.task, stale.lease.epoch
        )));
    }
    let mut running = start_tasks(tx, asks.iter().flat_map(|ask| &ask.input)).await?;
    let mut attempts = Vec::new();
    for ask in asks {
        let rows = ask.input.iter().map(|claim| {
            let row = running.remove(&claim.task)?;
            attempts.push(attempt_row(&row, claim));
            let data = json!({
                "status": Status::Running.number(), "attempt": row.number, "purpose": row.purpose,
                "serial": claim.serial, "username": claim.username,
            });
            tx.tell_task("task.started", claim.task, data);
            Some(row)
        });
        ask.output = Some(rows.collect());
    }
    if attempts.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("queries/insert_attempts.sql"))
        .bind(to_json(&attempts)?)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// In the order of `insert_attempts.sql`.
fn attempt_row(row: &ClaimedRow, claim: &Claim) -> impl serde::Serialize + use<> {
    (
        row.attempt,
        row.task,
        row.number,
        row.purpose.as_str(),
        claim.serial.clone(),
        claim.username.clone(),
        claim.lease.epoch,
        claim.lease.token.clone(),
        millis(claim.at),
    )
}

/// Makes those running that are pending, and numbers their attempts.
async fn start_tasks(
    tx: &mut Transaction,
    claims: impl Iterator<Item = &Claim>,
) -> Result<HashMap<TaskId, ClaimedRow>, Fault> {
    let claims = claims.map(|claim| (claim.task, millis(claim.at))).collect::<Vec<_>>();
    let rows = sqlx::query(include_str!("queries/start_tasks.sql"))
        .bind(to_json(&claims)?)
        .fetch_all(&mut tx.conn)
        .await?;
    let mut running = HashMap::with_capacity(rows.len());
    for row in &rows {
        let script = get_script(row, "script_name")?;
        tx.counts.moved(
            &script,
            get_source(row, "source")?,
            (Status::Pending, None),
            (Status::Running, None),
        );
        let task = TaskId(get(row, "id")?);
        let claimed = ClaimedRow {
            task,
            attempt: AttemptId(tx.next_attempt()),
            number: get_unsigned(row, "attempts")?,
            purpose: get_purpose(row, "purpose")?,
            script,
            config: get(row, "config")?,
        };
        running.insert(task, claimed);
    }
    Ok(running)
}
