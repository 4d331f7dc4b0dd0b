//! Ends of attempts: the attempt, its task, its effects and the account's use in one transaction.

use std::collections::{HashMap, HashSet};

use farmhand_actors::{
    domain::{AttemptId, Failure, FailureReason, Purpose, ScriptName, Source, Status, TaskId, TaskState},
    ports::{Finish, TaskNext},
};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;

use super::{
    account::insert_uses,
    change::Ask,
    effect::{confirm_open_effects, doubt_open_effects},
    fault::Fault,
    transaction::Transaction,
    value::{get, get_script, get_source, json as to_json, millis},
};

/// Ends the attempts of many callers; those whose lease is not the attempt's any more change nothing.
pub(super) async fn finish(tx: &mut Transaction, asks: &mut [Ask<Vec<Finish>, Vec<bool>>]) -> Result<(), Fault> {
    let mut ended = end_attempts(tx, asks.iter().flat_map(|ask| &ask.input)).await?;
    let mut accepted = Vec::new();
    for Ask { input, output, .. } in asks {
        let taken = input.iter().map(|finish| {
            // Taken out, so that a second end of the same attempt in one group is refused like a later one.
            let taken = ended.remove(&(finish.attempt, finish.lease.token.to_string()));
            if taken {
                accepted.push(finish);
            }
            taken
        });
        *output = Some(taken.collect());
    }
    if accepted.is_empty() {
        return Ok(());
    }
    let stopped = find_stopped(tx, &accepted).await?;
    let ends = accepted
        .iter()
        .map(|finish| TaskEnd::of(finish, stopped.contains(&finish.task)))
        .collect::<Vec<_>>();
    end_tasks(tx, &ends).await?;
    settle_effects(tx, &ends).await?;
    let uses = accepted.iter().filter_map(|finish| finish.used.as_ref());
    insert_uses(tx, &uses.collect::<Vec<_>>()).await
}

/// Ends those that live under the lease given; answers them with their tokens.
async fn end_attempts(
    tx: &mut Transaction,
    finishes: impl Iterator<Item = &Finish>,
) -> Result<HashSet<(AttemptId, String)>, Fault> {
    let rows = finishes
        .filter(|finish| tx.is_current(&finish.lease))
        .map(|finish| {
            let Finish {
                task,
                attempt,
                lease,
                outcome,
                at,
                ..
            } = finish;
            (*attempt, *task, lease.epoch, &*lease.token, *outcome, millis(*at))
        })
        .collect::<Vec<_>>();
    let rows = sqlx::query(include_str!("queries/end_attempts.sql"))
        .bind(to_json(&rows)?)
        .fetch_all(&mut tx.conn)
        .await?;
    rows.iter()
        .map(|row| Ok((AttemptId(get(row, "id")?), get(row, "token")?)))
        .collect()
}

/// Those that would go on although somebody has asked to stop them. An open effect is looked up when they are retried.
async fn find_stopped(tx: &mut Transaction, finishes: &[&Finish]) -> Result<HashSet<TaskId>, Fault> {
    let going_on = finishes
        .iter()
        .filter(|finish| matches!(finish.next, TaskNext::Again { .. }))
        .map(|finish| finish.task)
        .collect::<Vec<_>>();
    if going_on.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query(
        "SELECT id FROM task WHERE id IN (SELECT value FROM json_each(?1)) AND stop_requested_at IS NOT NULL",
    )
    .bind(to_json(&going_on)?)
    .fetch_all(&mut tx.conn)
    .await?;
    rows.iter().map(|row| get(row, "id").map(TaskId)).collect()
}

/// What becomes of one running task.
pub(super) struct TaskEnd {
    pub task: TaskId,
    pub next: TaskNext,
    /// Milliseconds since 1970.
    pub at: i64,
}

impl TaskEnd {
    fn of(finish: &Finish, stopped: bool) -> Self {
        let next = if stopped {
            TaskNext::Failed {
                failure: stopped_failure(),
            }
        } else {
            finish.next.clone()
        };
        Self {
            task: finish.task,
            next,
            at: millis(finish.at),
        }
    }

    fn state(&self) -> TaskState {
        match self.next {
            TaskNext::Completed { .. } => TaskState::Completed,
            TaskNext::Failed { .. } => TaskState::Failed,
            TaskNext::Again { .. } => TaskState::Retryable,
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match &self.next {
            TaskNext::Failed { failure } => Some(failure),
            TaskNext::Completed { .. } | TaskNext::Again { .. } => None,
        }
    }

    /// In the order of `end_tasks.sql`.
    fn row(&self) -> impl Serialize {
        let (due_at, purpose, counts) = match &self.next {
            TaskNext::Again {
                due_at,
                purpose,
                counts,
                ..
            } => (Some(millis(*due_at)), *purpose, *counts),
            TaskNext::Completed { .. } | TaskNext::Failed { .. } => (None, Purpose::Execute, false),
        };
        let remark = match &self.next {
            TaskNext::Completed { remark } | TaskNext::Again { remark, .. } => remark,
            TaskNext::Failed { failure } => &failure.message,
        };
        let failure = self.failure();
        (
            self.task,
            self.state().as_str(),
            due_at.is_none().then_some(self.at),
            due_at,
            purpose.as_str(),
            counts,
            remark,
            failure.map(|failure| failure.reason.as_str()),
            failure.map(|failure| &failure.message),
            failure.and_then(|failure| failure.step),
            failure.map(|failure| failure.retryable),
        )
    }

    fn event(&self) -> (&'static str, Value) {
        match &self.next {
            TaskNext::Completed { remark } => (
                "task.completed",
                json!({"status": Status::Completed.number(), "remark": remark}),
            ),
            TaskNext::Failed { failure } => (
                "task.failed",
                json!({
                    "status": Status::Failed.number(), "reason": failure.reason, "message": failure.message,
                    "retryable": failure.retryable,
                }),
            ),
            TaskNext::Again {
                due_at,
                purpose,
                remark,
                ..
            } => (
                "task.retrying",
                json!({"status": Status::Pending.number(), "due_at": due_at, "purpose": purpose, "remark": remark}),
            ),
        }
    }
}

/// The failure of a task that was stopped.
pub(super) fn stopped_failure() -> Failure {
    Failure {
        reason: FailureReason::Stopped,
        message: "stopped on request".to_owned(),
        step: None,
        retryable: true,
    }
}

/// Writes what becomes of running tasks, counts them and tells of them.
pub(super) async fn end_tasks(tx: &mut Transaction, ends: &[TaskEnd]) -> Result<(), Fault> {
    let mut written = complete_tasks(tx, ends).await?;
    let others = ends
        .iter()
        .filter(|end| !matches!(end.next, TaskNext::Completed { .. }))
        .map(TaskEnd::row)
        .collect::<Vec<_>>();
    if !others.is_empty() {
        let rows = sqlx::query(include_str!("queries/end_tasks.sql"))
            .bind(to_json(&others)?)
            .fetch_all(&mut tx.conn)
            .await?;
        written.extend(rows);
    }
    let mut kinds: HashMap<TaskId, (ScriptName, Source)> = HashMap::with_capacity(written.len());
    for row in &written {
        kinds.insert(
            TaskId(get(row, "id")?),
            (get_script(row, "script_name")?, get_source(row, "source")?),
        );
    }
    for end in ends {
        if let Some((script, source)) = kinds.get(&end.task) {
            let to = (end.state().status(), end.failure().map(|failure| failure.reason));
            tx.counts.moved(script, *source, (Status::Running, None), to);
            let (kind, data) = end.event();
            tx.tell_task(kind, end.task, data);
        }
    }
    Ok(())
}

async fn complete_tasks(tx: &mut Transaction, ends: &[TaskEnd]) -> Result<Vec<SqliteRow>, Fault> {
    let rows = ends
        .iter()
        .filter_map(|end| match &end.next {
            TaskNext::Completed { remark } => Some((end.task, end.at, remark)),
            TaskNext::Failed { .. } | TaskNext::Again { .. } => None,
        })
        .collect::<Vec<_>>();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(include_str!("queries/complete_tasks.sql"))
        .bind(to_json(&rows)?)
        .fetch_all(&mut tx.conn)
        .await?;
    Ok(rows)
}

/// A completed task's effect took place; whether one of `outcome_unknown` did, nobody knows.
async fn settle_effects(tx: &mut Transaction, ends: &[TaskEnd]) -> Result<(), Fault> {
    let mut completed = Vec::new();
    let mut unknown = Vec::new();
    for end in ends {
        match &end.next {
            TaskNext::Completed { .. } => completed.push((end.task, end.at)),
            TaskNext::Failed { failure } if failure.reason == FailureReason::OutcomeUnknown => unknown.push(end.task),
            TaskNext::Failed { .. } | TaskNext::Again { .. } => {}
        }
    }
    confirm_open_effects(tx, &completed).await?;
    doubt_open_effects(tx, &unknown).await
}
