//! Creating tasks: all of a request or none, and never twice for the same `Idempotency-Key`.

use farmhand_actors::{
    domain::{
        Claim, ClaimAhead, IdempotencyKey, NewTask, ScriptName, Serial, Status, Submitted, TaskId, TaskState,
        Timestamp, Username,
    },
    ports::{Lane, PRIORITY_HEAD_START, SubmitResult},
};
use serde::Serialize;

use super::{
    change::Ask,
    claim::{ClaimedRow, Wanted, claim_all, find_claimable},
    counts::Kind,
    fault::Fault,
    foresight::{Finds, Foresees},
    idempotency::{find_answers, remember_answers},
    lane::add_lanes,
    transaction::Transaction,
    value::{duration_millis, json as to_json, millis},
    writes::Piece,
};

/// What one caller wants to create.
pub(super) struct Submission {
    pub tasks: Vec<NewTask>,
    pub idempotency: Option<IdempotencyKey>,
    pub warnings: Vec<String>,
    pub at: Timestamp,
    /// What is claimed as it is created.
    pub ahead: Vec<ClaimAhead>,
}

/// What became of a request, and of its claims, in their order.
pub(super) type Stored = (SubmitResult, Vec<Option<ClaimedRow>>);

/// A task and the number that it will have.
struct Numbered<'a> {
    id: TaskId,
    task: &'a NewTask,
    created_at: Timestamp,
}

/// Rows per statement: keeps the text that SQLite has to parse at some hundred kilobytes.
const ROWS_MAX: usize = 500;

/// Creates the tasks of many requests.
pub(super) async fn submit(tx: &mut Transaction, asks: &mut [Ask<Submission, Stored>]) -> Result<(), Fault> {
    let mut answers = find_answers(
        &mut tx.conn,
        asks.iter().filter_map(|ask| ask.input.idempotency.as_ref()),
    )
    .await?;
    let mut numbered = Vec::new();
    for Ask { input, output, .. } in asks.iter_mut() {
        if let Some(key) = &input.idempotency
            && let Some(result) = answers.result_for(key, input.at)?
        {
            *output = Some((result, Vec::new()));
            continue;
        }
        let first = numbered.len();
        let created_at = tx.creation(input.at).await?;
        numbered.extend(input.tasks.iter().map(|task| Numbered {
            id: TaskId(tx.next_task()),
            task,
            created_at,
        }));
        let submitted = Submitted {
            task_ids: numbered.iter().skip(first).map(|numbered| numbered.id).collect(),
            warnings: input.warnings.clone(),
        };
        if let Some(key) = &input.idempotency {
            answers.add(key, &submitted, input.at)?;
        }
        *output = Some((SubmitResult::Created(submitted), Vec::new()));
    }
    insert_tasks_bulk(tx, &numbered).await?;
    remember_answers(tx, answers).await?;
    claim_ahead(tx, asks).await
}

/// Claims what is to start at once of what was created.
async fn claim_ahead(tx: &mut Transaction, asks: &mut [Ask<Submission, Stored>]) -> Result<(), Fault> {
    let mut finds = Finds::default();
    for ask in &*asks {
        ask.input.foresee(&mut finds);
    }
    if finds.claims.is_empty() {
        return Ok(());
    }
    let found = find_claimable(tx, finds.claims).await?;
    // One for each that was foreseen, also where nothing was created.
    let claims = asks
        .iter()
        .flat_map(|ask| ask.input.ahead.iter().map(|ahead| claim_of_new(ask, ahead)));
    let claims = claims.collect::<Vec<_>>();
    let wanted = claims.iter().zip(found).filter_map(|(claim, found)| {
        let (claim, new) = claim.as_ref()?;
        Some((Wanted { claim, new: Some(new) }, found))
    });
    let (wanted, found): (Vec<_>, Vec<_>) = wanted.unzip();
    let mut rows = claim_all(tx, &wanted, found).await?.into_iter();
    let answers = claims
        .iter()
        .map(|claim| claim.as_ref().and_then(|_| rows.next().flatten()));
    let mut answers = answers.collect::<Vec<_>>().into_iter();
    for Ask { input, output, .. } in asks {
        let own = answers.by_ref().take(input.ahead.len()).collect();
        if let Some(stored) = output {
            stored.1 = own;
        }
    }
    Ok(())
}

/// The claim for a task that was created just now; `None` when it was not.
fn claim_of_new<'a>(ask: &'a Ask<Submission, Stored>, ahead: &ClaimAhead) -> Option<(Claim, &'a NewTask)> {
    let (SubmitResult::Created(submitted), _) = ask.output.as_ref()? else {
        return None;
    };
    let claim = ahead.claim(&ask.input.tasks, &submitted.task_ids, ask.input.at)?;
    Some((claim, ask.input.tasks.get(ahead.place)?))
}

/// Creates tasks; answers their ids in the same order.
pub(super) async fn create_tasks(tx: &mut Transaction, tasks: &[NewTask], at: Timestamp) -> Result<Vec<TaskId>, Fault> {
    let created_at = tx.creation(at).await?;
    let numbered = tasks.iter().map(|task| Numbered {
        id: TaskId(tx.next_task()),
        task,
        created_at,
    });
    let numbered = numbered.collect::<Vec<_>>();
    insert_tasks_bulk(tx, &numbered).await?;
    Ok(numbered.iter().map(|numbered| numbered.id).collect())
}

/// Inserts any number of tasks with few statements, counts them and tells of them.
async fn insert_tasks_bulk(tx: &mut Transaction, tasks: &[Numbered<'_>]) -> Result<(), Fault> {
    let lanes = tasks.iter().filter_map(|Numbered { task, .. }| {
        Some(Lane {
            serial: task.serial.clone()?,
            username: task.username.clone(),
        })
    });
    add_lanes(tx, lanes.collect()).await?;
    for chunk in tasks.chunks(ROWS_MAX) {
        let rows = chunk.iter().map(task_row).collect::<Vec<_>>();
        tx.write_later(Piece::Tasks, to_json(&rows)?).await?;
    }
    for Numbered { id, task, .. } in tasks {
        let kind = Kind {
            script: task.script.clone(),
            source: task.source,
            status: Status::Pending,
            reason: None,
        };
        tx.counts.add(*id, kind, 1);
        let data = Created {
            status: Status::Pending.number(),
            batch_id: &task.batch_id,
            script_name: &task.script,
            serial: &task.serial,
            username: &task.username,
        };
        tx.tell_task("task.created", *id, &data)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Created<'a> {
    status: i64,
    batch_id: &'a str,
    script_name: &'a ScriptName,
    serial: &'a Option<Serial>,
    username: &'a Option<Username>,
}

/// In the order of `insert_tasks.sql`.
fn task_row(numbered: &Numbered<'_>) -> impl Serialize {
    let Numbered { id, task, created_at } = numbered;
    let due = task.due_at.filter(|due| due > created_at);
    let state = if due.is_some() {
        TaskState::Scheduled
    } else {
        TaskState::Available
    };
    (
        *id,
        &*task.batch_id,
        &task.script,
        &task.serial,
        &task.username,
        task.enable_multi_account,
        task.source.as_str(),
        &task.start_time,
        task.scheduled_at.map(millis),
        task.due_at.map(millis),
        task.gap.map(duration_millis),
        task.priority,
        rank(task.due_at.unwrap_or(*created_at), task.priority),
        state.as_str(),
        millis(*created_at),
        (&*task.config, task.schedule),
    )
}

/// The place in a lane's order: the due time minus the head start of the priority.
pub(super) fn rank(due: Timestamp, priority: i8) -> i64 {
    millis(due).saturating_sub(i64::from(priority).saturating_mul(duration_millis(PRIORITY_HEAD_START)))
}
