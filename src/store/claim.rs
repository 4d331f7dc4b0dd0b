//! Claims: a pending task becomes running, with a new attempt on a device.

use std::collections::HashSet;

use farmhand_actors::domain::{
    AttemptId, Claim, Claimed, NewTask, Purpose, ScriptName, Serial, Source, Status, TaskId, Username,
};
use serde::{Deserialize, Serialize};

use super::{
    change::Ask,
    fault::Fault,
    foresight::claim_of,
    transaction::Transaction,
    value::{get_json, json as to_json, json_pairs, millis, parse_json},
    writes::Piece,
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

/// What is to be claimed: a stored task, or one that this transaction creates.
pub(super) struct Wanted<'a> {
    pub claim: &'a Claim,
    pub new: Option<&'a NewTask>,
}

/// Claims the tasks of many callers.
pub(super) async fn claim(
    tx: &mut Transaction,
    asks: &mut [Ask<Vec<Claim>, Vec<Option<ClaimedRow>>>],
) -> Result<(), Fault> {
    let claims = asks.iter().flat_map(|ask| &ask.input);
    let wanted = claims.map(|claim| Wanted { claim, new: None }).collect::<Vec<_>>();
    let found = find_claimable(tx, wanted.iter().map(|wanted| claim_of(wanted.claim)).collect()).await?;
    let mut rows = claim_all(tx, &wanted, found).await?.into_iter();
    for Ask { input, output, .. } in asks {
        *output = Some(rows.by_ref().take(input.len()).collect());
    }
    Ok(())
}

/// What was claimed of each; what is not pending, or whose device or account is not free, is left alone.
pub(super) async fn claim_all(
    tx: &mut Transaction,
    wanted: &[Wanted<'_>],
    found: Vec<Claimable>,
) -> Result<Vec<Option<ClaimedRow>>, Fault> {
    let (mut starts, mut attempts) = (Vec::new(), Vec::new());
    let mut begun = HashSet::new();
    let mut rows = Vec::with_capacity(wanted.len());
    for (Wanted { claim, new }, found) in wanted.iter().zip(found) {
        let row = match found.is_free(tx, claim) && !begun.contains(&claim.task) {
            true => found.begin(tx, claim.task, *new)?,
            false => None,
        };
        if let Some(row) = &row {
            begun.insert(claim.task);
            tx.taken.insert(claim.serial.clone());
            tx.taken_accounts.extend(claim.username.clone());
            starts.push((claim.task, millis(claim.at)));
            attempts.push(attempt_row(row, claim));
            tx.tell_task("task.started", claim.task, &started(row, claim))?;
        }
        rows.push(row);
    }
    if !attempts.is_empty() {
        tx.write_later(Piece::Starts, json_pairs(starts)?).await?;
        tx.write_later(Piece::Attempts, to_json(&attempts)?).await?;
    }
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

/// What `find_claimable.sql` says of a claim.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claimable {
    task: Option<TaskId>,
    attempts: Option<u32>,
    purpose: Option<Purpose>,
    script: Option<ScriptName>,
    source: Option<Source>,
    config: Option<String>,
    on_device: Option<AttemptId>,
    on_account: Option<AttemptId>,
}

impl Claimable {
    /// Whether the newest controller claims, and device and account do nothing else.
    fn is_free(&self, tx: &Transaction, claim: &Claim) -> bool {
        let over = |attempt: Option<AttemptId>| attempt.is_none_or(|attempt| tx.ended.contains(&attempt));
        let taken = |name: &Username| tx.taken_accounts.contains(name);
        tx.is_current(&claim.lease)
            && over(self.on_device)
            && over(self.on_account)
            && !tx.taken.contains(&claim.serial)
            && !claim.username.as_ref().is_some_and(taken)
    }

    /// The task's next attempt; `None` when it is not pending.
    fn begin(self, tx: &mut Transaction, task: TaskId, new: Option<&NewTask>) -> Result<Option<ClaimedRow>, Fault> {
        let (script, source, config) = match (new, self.script, self.source, self.config) {
            (Some(new), ..) => (new.script.clone(), new.source, to_json(&*new.config)?),
            (None, Some(script), Some(source), Some(config)) if self.task == Some(task) => (script, source, config),
            _ => return Ok(None),
        };
        let (from, to) = ((Status::Pending, None), (Status::Running, None));
        tx.counts.moved(task, (&script, source), from, to);
        Ok(Some(ClaimedRow {
            task,
            attempt: AttemptId(tx.next_attempt()),
            number: self.attempts.unwrap_or(0).saturating_add(1),
            purpose: self.purpose.unwrap_or(Purpose::Execute),
            script,
            config,
        }))
    }
}

/// What the claims come upon, in their order.
pub(super) async fn find_claimable(
    tx: &mut Transaction,
    asked: Vec<(Option<TaskId>, Option<Serial>, Option<Username>)>,
) -> Result<Vec<Claimable>, Fault> {
    if asked.len() <= tx.found.claimable.len() {
        return Ok(tx.found.claimable.drain(..asked.len()).collect());
    }
    let row = sqlx::query(include_str!("queries/find_claimable.sql"))
        .bind(to_json(&asked)?)
        .fetch_one(&mut tx.conn)
        .await?;
    get_json(&row, "claimable")
}

#[derive(Serialize)]
struct Started<'a> {
    status: i64,
    attempt: u32,
    purpose: Purpose,
    serial: &'a Serial,
    username: &'a Option<Username>,
}
