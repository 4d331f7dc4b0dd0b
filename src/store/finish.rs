//! Ends of attempts: the attempt, its task, its effects and the account's use in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use farmhand_actors::{
    domain::{AttemptId, Failure, FailureReason, Purpose, ScriptName, Source, Status, TaskId, TaskState},
    ports::{Finish, Finished, TaskNext},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    account::ask_for_a_person,
    account_use::{count_effects, insert_uses},
    change::Ask,
    effect::{confirm_open_effects, doubt_open_effects},
    fault::Fault,
    foresight::end_of,
    repetition::note_repetitions,
    transaction::Transaction,
    value::{Pairs, get_json, json as to_json, json_pairs, millis, timestamp},
    writes::Piece,
};

/// Ends the attempts of many callers; those whose lease is not the attempt's any more change nothing.
pub(super) async fn finish(tx: &mut Transaction, asks: &mut [Ask<Vec<Finish>, Vec<Finished>>]) -> Result<(), Fault> {
    let finishes = asks.iter().flat_map(|ask| &ask.input).collect::<Vec<_>>();
    let mut finished = end_all(tx, &finishes).await?.into_iter();
    for Ask { input, output, .. } in asks {
        *output = Some(finished.by_ref().take(input.len()).collect());
    }
    Ok(())
}

/// What was written of each.
async fn end_all(tx: &mut Transaction, finishes: &[&Finish]) -> Result<Vec<Finished>, Fault> {
    let mut endable = find_endable(tx, finishes).await?;
    let (mut accepted, mut ends) = (Vec::new(), Vec::new());
    let mut all = Vec::with_capacity(finishes.len());
    for finish in finishes {
        // Taken out, so that a second end of the same attempt in one group is refused like a later one.
        let lease = &finish.lease;
        let own = |found: &Endable| *found.token == *lease.token && tx.is_current(lease);
        let found = match endable.get(&finish.attempt).is_some_and(own) {
            true => endable.remove(&finish.attempt),
            false => None,
        };
        let Some(found) = found else {
            all.push(Finished::default());
            continue;
        };
        all.push(found.finished(&finish.next)?);
        ends.push(TaskEnd::of(finish, found));
        accepted.push(*finish);
    }
    if accepted.is_empty() {
        return Ok(all);
    }
    end_attempts(tx, &accepted).await?;
    end_tasks(tx, &ends).await?;
    settle_effects(tx, &ends).await?;
    count_late_effects(tx, &ends, finishes, &mut all).await?;
    let uses = accepted.iter().filter_map(|finish| finish.used.as_ref());
    insert_uses(tx, &uses.collect::<Vec<_>>()).await?;
    let asking = finishes.iter().zip(&mut all).filter(|(_, finished)| finished.written);
    for (finish, finished) in asking {
        if let Some((username, attention)) = &finish.attention {
            finished.asked = ask_for_a_person(tx, username, attention).await?;
        }
    }
    Ok(all)
}

/// What the ends themselves have confirmed counts with them.
async fn count_late_effects(
    tx: &mut Transaction,
    ends: &[TaskEnd],
    finishes: &[&Finish],
    all: &mut [Finished],
) -> Result<(), Fault> {
    let open: HashSet<TaskId> = ends.iter().filter(|end| end.effect_open).map(|end| end.task).collect();
    if open.is_empty() {
        return Ok(());
    }
    let late = finishes.iter().zip(all);
    let mut late = late
        .filter(|(finish, finished)| finished.written && open.contains(&finish.task))
        .collect::<Vec<_>>();
    let counted = late.iter().map(|(finish, _)| (finish.task, finish.attempt));
    let acts = count_effects(tx, &counted.collect::<Vec<_>>()).await?;
    for (finish, finished) in &mut late {
        let own = acts.iter().filter(|(task, _)| *task == finish.task);
        finished.acts.extend(own.map(|(_, at)| *at));
    }
    Ok(())
}

/// An attempt of `find_endable.sql`, and its task.
#[derive(Debug, Deserialize)]
pub(super) struct Endable {
    attempt: AttemptId,
    token: String,
    script: ScriptName,
    source: Source,
    /// 1: somebody has asked to stop the task. What would go on ends then; an open effect is looked up when it is
    /// retried.
    stop_requested: u8,
    /// Of its task's effects, if there are any.
    effects: Option<Effects>,
}

/// What is known of a task's effects.
#[derive(Debug, Default, Deserialize)]
struct Effects {
    /// 1: the task has an effect of which nobody knows whether it took place.
    open: u8,
    /// 1: the one effect that the task is for has taken place.
    done: u8,
    /// When the attempt did what counts, milliseconds since 1970.
    acts: Vec<i64>,
}

impl Endable {
    /// Whether the one effect that the task is for has taken place.
    fn is_done(&self) -> bool {
        let effects = self.effects.as_ref();
        effects.is_some_and(|effects| effects.done != 0 && effects.open == 0)
    }

    fn has_open_effect(&self) -> bool {
        self.effects.as_ref().is_some_and(|effects| effects.open != 0)
    }

    /// Whether a task that would go on is stopped instead.
    fn is_stopped(&self, next: &TaskNext) -> bool {
        self.stop_requested != 0 && !self.is_done() && matches!(next, TaskNext::Again { .. })
    }

    fn finished(&self, next: &TaskNext) -> Result<Finished, Fault> {
        let acts = self.effects.iter().flat_map(|effects| &effects.acts);
        let acts = acts.map(|act| timestamp(*act));
        Ok(Finished {
            written: true,
            done: self.is_done(),
            stopped: self.is_stopped(next),
            asked: None,
            acts: acts.collect::<Result<_, _>>()?,
        })
    }
}

/// Those that live under the lease given.
async fn find_endable(tx: &mut Transaction, finishes: &[&Finish]) -> Result<HashMap<AttemptId, Endable>, Fault> {
    let endable = match tx.found.endable.take() {
        Some(endable) => endable,
        None => {
            let asked = finishes.iter().map(|finish| end_of(finish)).collect::<Vec<_>>();
            let row = sqlx::query(include_str!("queries/find_endable.sql"))
                .bind(to_json(&asked)?)
                .fetch_one(&mut tx.conn)
                .await?;
            get_json::<Vec<Endable>>(&row, "endable")?
        }
    };
    Ok(endable.into_iter().map(|row| (row.attempt, row)).collect())
}

async fn end_attempts(tx: &mut Transaction, finishes: &[&Finish]) -> Result<(), Fault> {
    tx.ended.extend(finishes.iter().map(|finish| finish.attempt));
    let mut by_outcome: BTreeMap<&'static str, Pairs<AttemptId, i64>> = BTreeMap::new();
    for finish in finishes {
        let ends = by_outcome.entry(finish.outcome).or_default();
        ends.0.push((finish.attempt, millis(finish.at)));
    }
    tx.write_later(Piece::Ends, to_json(&by_outcome)?).await
}

/// What becomes of one running task.
pub(super) struct TaskEnd {
    pub task: TaskId,
    pub script: ScriptName,
    pub source: Source,
    /// Whether it may have an effect of which nobody knows whether it took place.
    pub effect_open: bool,
    pub next: TaskNext,
    /// Milliseconds since 1970.
    pub at: i64,
}

impl TaskEnd {
    fn of(finish: &Finish, found: Endable) -> Self {
        let (done, effect_open) = (found.is_done(), found.has_open_effect());
        let stopped = found.is_stopped(&finish.next);
        let next = match &finish.next {
            // Whatever has ended the attempt afterwards: what the task is for has taken place.
            TaskNext::Failed { failure } if done => TaskNext::Completed {
                remark: format!("done; what came after it failed: {}", failure.message),
            },
            TaskNext::Again { remark, .. } if done => TaskNext::Completed {
                remark: format!("done; what came after it was cut short: {remark}"),
            },
            TaskNext::Again { purpose, .. } if stopped => TaskNext::Failed {
                failure: stopped_failure(*purpose),
            },
            next => next.clone(),
        };
        Self {
            task: finish.task,
            script: found.script,
            source: found.source,
            effect_open,
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

    /// Of which script the next attempt is one that nobody asked for, and since when.
    fn repetition(&self) -> Option<(&ScriptName, i64)> {
        matches!(self.next, TaskNext::Again { counts: true, .. }).then_some((&self.script, self.at))
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

    fn tell(&self, tx: &mut Transaction) -> Result<(), Fault> {
        match &self.next {
            TaskNext::Completed { remark } => {
                let status = Status::Completed.number();
                tx.tell_task("task.completed", self.task, &Completed { status, remark })
            }
            TaskNext::Failed { failure } => {
                let data = json!({
                    "status": Status::Failed.number(), "reason": failure.reason, "message": failure.message,
                    "retryable": failure.retryable,
                });
                tx.tell_task("task.failed", self.task, &data)
            }
            TaskNext::Again {
                due_at,
                purpose,
                remark,
                ..
            } => {
                let data = json!({
                    "status": Status::Pending.number(), "due_at": format!("{due_at:.3}"), "purpose": purpose, "remark": remark,
                });
                tx.tell_task("task.retrying", self.task, &data)
            }
        }
    }
}

#[derive(Serialize)]
struct Completed<'a> {
    status: i64,
    remark: &'a str,
}

/// The failure of a task that was stopped.
pub(super) fn stopped_failure(purpose: Purpose) -> Failure {
    let message = match purpose {
        Purpose::Execute => "stopped on request",
        Purpose::Verify => "stopped on request; whether its effect took place is not known: a retry looks first",
    };
    Failure {
        reason: FailureReason::Stopped,
        message: message.to_owned(),
        step: None,
        retryable: true,
    }
}

/// Writes what becomes of running tasks, counts them and tells of them.
pub(super) async fn end_tasks(tx: &mut Transaction, ends: &[TaskEnd]) -> Result<(), Fault> {
    complete_tasks(tx, ends).await?;
    let others = ends
        .iter()
        .filter(|end| !matches!(end.next, TaskNext::Completed { .. }))
        .map(TaskEnd::row)
        .collect::<Vec<_>>();
    if !others.is_empty() {
        sqlx::query(include_str!("queries/end_tasks.sql"))
            .bind(to_json(&others)?)
            .execute(&mut tx.conn)
            .await?;
    }
    note_repetitions(tx, &ends.iter().filter_map(TaskEnd::repetition).collect::<Vec<_>>()).await?;
    for end in ends {
        let to = (end.state().status(), end.failure().map(|failure| failure.reason));
        tx.counts
            .moved(end.task, (&end.script, end.source), (Status::Running, None), to);
        end.tell(tx)?;
    }
    Ok(())
}

async fn complete_tasks(tx: &mut Transaction, ends: &[TaskEnd]) -> Result<(), Fault> {
    let completed = ends
        .iter()
        .filter_map(|end| match &end.next {
            TaskNext::Completed { remark } => Some((end.task, (end.at, remark))),
            TaskNext::Failed { .. } | TaskNext::Again { .. } => None,
        })
        .collect::<Vec<_>>();
    if completed.is_empty() {
        return Ok(());
    }
    tx.write_later(Piece::Completions, json_pairs(completed)?).await
}

/// A completed task's effect took place; whether one of `outcome_unknown` did, nobody knows.
async fn settle_effects(tx: &mut Transaction, ends: &[TaskEnd]) -> Result<(), Fault> {
    let mut completed = Vec::new();
    let mut unknown = Vec::new();
    for end in ends.iter().filter(|end| end.effect_open) {
        match &end.next {
            TaskNext::Completed { .. } => completed.push((end.task, end.at)),
            TaskNext::Failed { failure } if failure.reason == FailureReason::OutcomeUnknown => unknown.push(end.task),
            TaskNext::Failed { .. } | TaskNext::Again { .. } => {}
        }
    }
    confirm_open_effects(tx, &completed).await?;
    doubt_open_effects(tx, &unknown).await
}
