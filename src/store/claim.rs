//! Claims: a pending task becomes running, with a new attempt on a device.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

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

/// Claims the tasks of many callers; what is not pending, or whose device or account is not free, is left alone.
pub(super) async fn claim(
    tx: &mut Transaction,
    asks: &mut [Ask<Vec<Claim>, Vec<Option<ClaimedRow>>>],
) -> Result<(), Fault> {
    let free = claimable(tx, asks.iter().flat_map(|ask| &ask.input));
    let mut running = start_tasks(tx, &free).await?;
    let mut attempts = Vec::new();
    for ask in asks {
        let rows = ask.input.iter().map(|claim| {
            // By the token too: of two claims for one task only one was let through.
            let row = running.remove(&(claim.task, Arc::clone(&claim.lease.token)))?;
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

/// Those given by the newest controller, one for each task, device and account.
fn claimable<'a>(tx: &Transaction, claims: impl Iterator<Item = &'a Claim>) -> Vec<&'a Claim> {
    let (mut tasks, mut serials, mut usernames) = (HashSet::new(), HashSet::new(), HashSet::new());
    claims
        .filter(|claim| {
            tx.is_current(&claim.lease)
                && !tasks.contains(&claim.task)
                && !serials.contains(&claim.serial)
                && claim.username.as_ref().is_none_or(|name| !usernames.contains(name))
                && tasks.insert(claim.task)
                && serials.insert(&claim.serial)
                && claim.username.as_ref().is_none_or(|name| usernames.insert(name))
        })
        .collect()
}

/// Makes those running that are pending, and numbers their attempts.
async fn start_tasks(
    tx: &mut Transaction,
    claims: &[&Claim],
) -> Result<HashMap<(TaskId, Arc<str>), ClaimedRow>, Fault> {
    let mut running = HashMap::with_capacity(claims.len());
    if claims.is_empty() {
        return Ok(running);
    }
    let asked = claims
        .iter()
        .map(|claim| (claim.task, millis(claim.at), &claim.serial, &claim.username))
        .collect::<Vec<_>>();
    let tokens = claims
        .iter()
        .map(|claim| (claim.task, &claim.lease.token))
        .collect::<HashMap<_, _>>();
    let rows = sqlx::query(include_str!("queries/start_tasks.sql"))
        .bind(to_json(&asked)?)
        .fetch_all(&mut tx.conn)
        .await?;
    for row in &rows {
        let script = get_script(row, "script_name")?;
        let (from, to) = ((Status::Pending, None), (Status::Running, None));
        tx.counts.moved(&script, get_source(row, "source")?, from, to);
        let task = TaskId(get(row, "id")?);
        let claimed = ClaimedRow {
            task,
            attempt: AttemptId(tx.next_attempt()),
            number: get_unsigned(row, "attempts")?,
            purpose: get_purpose(row, "purpose")?,
            script,
            config: get(row, "config")?,
        };
        if let Some(token) = tokens.get(&task) {
            running.insert((task, Arc::clone(token)), claimed);
        }
    }
    Ok(running)
}
