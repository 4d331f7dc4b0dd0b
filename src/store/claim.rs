//! Claims: a pending task becomes running, with a new attempt on a device.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use farmhand_actors::domain::{
    AttemptId, Claim, Claimed, Purpose, ScriptName, Serial, Source, Status, TaskId, Username,
};
use serde::{Deserialize, Serialize};

use super::{
    change::Ask,
    fault::Fault,
    transaction::Transaction,
    value::{get_json, json as to_json, json_pairs, millis, parse_json},
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
    let claims = asks.iter().flat_map(|ask| &ask.input).collect::<Vec<_>>();
    let mut rows = claim_all(tx, &claims).await?.into_iter();
    for Ask { input, output, .. } in asks {
        *output = Some(rows.by_ref().take(input.len()).collect());
    }
    Ok(())
}

/// What was claimed of each; what is not pending, or whose device or account is not free, is left alone.
pub(super) async fn claim_all(tx: &mut Transaction, claims: &[&Claim]) -> Result<Vec<Option<ClaimedRow>>, Fault> {
    let free = claimable(tx, claims);
    let mut startable = find_startable(tx, &free).await?;
    let (mut starts, mut attempts) = (Vec::new(), Vec::new());
    let mut rows = Vec::with_capacity(claims.len());
    for claim in claims {
        // By the token too: of two claims for one task only one was let through.
        let row = startable.remove(&(claim.task, Arc::clone(&claim.lease.token)));
        if let Some(row) = &row {
            starts.push((claim.task, millis(claim.at)));
            attempts.push(attempt_row(row, claim));
            tx.tell_task("task.started", claim.task, &started(row, claim))?;
        }
        rows.push(row);
    }
    if attempts.is_empty() {
        return Ok(rows);
    }
    let sql = concat!(
        include_str!("queries/start_tasks.sql"),
        ";",
        include_str!("queries/insert_attempts.sql")
    );
    sqlx::query(sql)
        .bind(json_pairs(starts)?)
        .bind(to_json(&attempts)?)
        .execute(&mut tx.conn)
        .await?;
    Ok(rows)
}

fn started<'a>(row: &ClaimedRow, claim: &'a Claim) -> Started<'a> {
    Started {
        status: Status::Running.number(),
        attempt: row.number,
        purpose: row.purpose,
        serial: &claim.serial,
        username: &claim.username,
    }
}

/// In the order of `insert_attempts.sql`.
fn attempt_row(row: &ClaimedRow, claim: &Claim) -> impl Serialize + use<> {
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
fn claimable<'a>(tx: &Transaction, claims: &[&'a Claim]) -> Vec<&'a Claim> {
    let (mut tasks, mut serials, mut usernames) = (HashSet::new(), HashSet::new(), HashSet::new());
    claims
        .iter()
        .copied()
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

/// A task of `find_startable.sql`.
#[derive(Deserialize)]
struct Startable {
    task: TaskId,
    attempts: u32,
    purpose: Purpose,
    script: ScriptName,
    source: Source,
    config: String,
}

/// Those that are pending, with the numbers of their attempts.
async fn find_startable(
    tx: &mut Transaction,
    claims: &[&Claim],
) -> Result<HashMap<(TaskId, Arc<str>), ClaimedRow>, Fault> {
    let asked = claims
        .iter()
        .map(|claim| (claim.task, &claim.serial, &claim.username))
        .collect::<Vec<_>>();
    let tokens = claims
        .iter()
        .map(|claim| (claim.task, &claim.lease.token))
        .collect::<HashMap<_, _>>();
    let row = sqlx::query(include_str!("queries/find_startable.sql"))
        .bind(to_json(&asked)?)
        .fetch_one(&mut tx.conn)
        .await?;
    let mut startable = HashMap::with_capacity(claims.len());
    for row in get_json::<Vec<Startable>>(&row, "startable")? {
        let (from, to) = ((Status::Pending, None), (Status::Running, None));
        tx.counts.moved(row.task, (&row.script, row.source), from, to);
        let claimed = ClaimedRow {
            task: row.task,
            attempt: AttemptId(tx.next_attempt()),
            number: row.attempts.saturating_add(1),
            purpose: row.purpose,
            script: row.script,
            config: row.config,
        };
        if let Some(token) = tokens.get(&row.task) {
            startable.insert((row.task, Arc::clone(token)), claimed);
        }
    }
    Ok(startable)
}

#[derive(Serialize)]
struct Started<'a> {
    status: i64,
    attempt: u32,
    purpose: Purpose,
    serial: &'a Serial,
    username: &'a Option<Username>,
}
