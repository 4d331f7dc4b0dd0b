//! What people do with failed tasks: retry them, or say what became of an effect that nobody could see.

use farmhand_actors::{
    domain::{
        EffectState, FailureReason, PendingTask, ScriptName, Source, Status, TaskId, TaskState, Timestamp, Username,
    },
    ports::{Resolution, ResolveResult, RetriedAll, RetryFilter, RetryResult},
};
use serde_json::json;

use super::{
    account_use::{BY_A_PERSON, count_effects},
    effect::{list_open, resolve_effects},
    fault::Fault,
    lane::list_pending,
    transaction::Transaction,
    value::{get, get_reason_opt, get_script, get_source, get_state, get_username_opt, json as to_json, millis},
};

/// A task that somebody wants to change.
struct Found {
    state: TaskState,
    reason: Option<FailureReason>,
    script: ScriptName,
    source: Source,
    username: Option<Username>,
}

/// Failed → pending, for one task.
pub(super) async fn retry(tx: &mut Transaction, &(task, at): &(TaskId, Timestamp)) -> Result<RetryResult, Fault> {
    let Some(found) = find(tx, task).await? else {
        return Ok(RetryResult::NotFound);
    };
    let Some(reason) = found.reason else {
        return Ok(RetryResult::WrongState(found.state));
    };
    if reason == FailureReason::OutcomeUnknown {
        return Ok(RetryResult::OutcomeUnknown);
    }
    let failed = [(task, found.script, found.source, reason)];
    match retry_tasks(tx, &failed, at).await?.pop() {
        Some(pending) => Ok(RetryResult::Retried(pending)),
        None => Err(Fault::Conflict(format!("task {task} names no device and cannot run"))),
    }
}

/// Failed → pending, for all that the filter names.
pub(super) async fn retry_all(
    tx: &mut Transaction,
    (filter, at): &(RetryFilter, Timestamp),
) -> Result<RetriedAll, Fault> {
    let rows = sqlx::query(include_str!("queries/find_failed.sql"))
        .bind(filter.serial.as_ref().map(|serial| serial.as_str().to_owned()))
        .bind(filter.username.as_ref().map(|username| username.as_str().to_owned()))
        .bind(filter.batch_id.clone())
        .bind(filter.script.as_ref().map(|script| script.as_str().to_owned()))
        .bind(filter.reason.map(FailureReason::as_str))
        .bind(filter.created_from.map(millis))
        .bind(filter.created_before.map(millis))
        .fetch_all(&mut tx.conn)
        .await?;
    let mut failed = Vec::with_capacity(rows.len());
    let mut all = RetriedAll::default();
    for row in &rows {
        let task = TaskId(get(row, "id")?);
        let reason = get_reason_opt(row, "failure_reason")?.unwrap_or(FailureReason::Internal);
        if reason == FailureReason::OutcomeUnknown && !filter.include_unknown {
            let why = "its outcome is unknown: look at the phone and resolve it, or ask with include_unknown";
            all.skipped.push((task, why.to_owned()));
        } else {
            failed.push((
                task,
                get_script(row, "script_name")?,
                get_source(row, "source")?,
                reason,
            ));
        }
    }
    all.retried = retry_tasks(tx, &failed, *at).await?;
    Ok(all)
}

/// A person's word on a task with `outcome_unknown`.
pub(super) async fn resolve(tx: &mut Transaction, resolution: &Resolution) -> Result<ResolveResult, Fault> {
    let Resolution { task, done, note, at } = resolution;
    let Some(found) = find(tx, *task).await? else {
        return Ok(ResolveResult::NotFound);
    };
    // One that was stopped in the middle of its effect, too: whoever looks at the phone need not wait for a retry that does.
    let is_open = found.state == TaskState::Failed && !list_open(&mut tx.conn, &[*task]).await?.is_empty();
    if found.reason != Some(FailureReason::OutcomeUnknown) && !is_open {
        return Ok(ResolveResult::WrongState(found.state));
    }
    let from = (Status::Failed, found.reason);
    if *done {
        let remark = said("a person says that it took place", note);
        resolve_effects(tx, *task, EffectState::ResolvedDone, *at).await?;
        complete(tx, *task, &remark, *at).await?;
        tx.counts
            .moved(*task, (&found.script, found.source), from, (Status::Completed, None));
        let data = json!({"status": Status::Completed.number(), "remark": remark, "resolved": true});
        tx.tell_task("task.completed", *task, &data)?;
    } else {
        let reason = FailureReason::Interrupted;
        let remark = said("a person says that it did not take place", note);
        sqlx::query(
            "UPDATE task SET failure_reason = ?2, failure_message = ?3, failure_retryable = 1, remark = ?3
             WHERE id = ?1",
        )
        .bind(task.0)
        .bind(reason.as_str())
        .bind(&remark)
        .execute(&mut tx.conn)
        .await?;
        resolve_effects(tx, *task, EffectState::ResolvedNotDone, *at).await?;
        tx.counts.moved(
            *task,
            (&found.script, found.source),
            from,
            (Status::Failed, Some(reason)),
        );
        let data = json!({
            "status": Status::Failed.number(), "reason": reason, "message": remark, "retryable": true,
            "resolved": true,
        });
        tx.tell_task("task.failed", *task, &data)?;
    }
    Ok(ResolveResult::Resolved(found.username))
}

/// The task is completed, and its effect counts towards the limits of the account that made it.
async fn complete(tx: &mut Transaction, task: TaskId, remark: &str, at: Timestamp) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE task SET state = 'completed', finished_at = ?2, remark = ?3, failure_reason = NULL,
                         failure_message = NULL, failure_step = NULL, failure_retryable = NULL
         WHERE id = ?1",
    )
    .bind(task.0)
    .bind(millis(at))
    .bind(remark)
    .execute(&mut tx.conn)
    .await?;
    count_effects(tx, &[(task, BY_A_PERSON)]).await?;
    Ok(())
}

fn said(what: &str, note: &str) -> String {
    if note.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {note}")
    }
}

async fn find(tx: &mut Transaction, task: TaskId) -> Result<Option<Found>, Fault> {
    let row = sqlx::query("SELECT state, failure_reason, script_name, source, username FROM task WHERE id = ?1")
        .bind(task.0)
        .fetch_optional(&mut tx.conn)
        .await?;
    let found = row.as_ref().map(|row| {
        Ok(Found {
            state: get_state(row, "state")?,
            reason: get_reason_opt(row, "failure_reason")?,
            script: get_script(row, "script_name")?,
            source: get_source(row, "source")?,
            username: get_username_opt(row, "username")?,
        })
    });
    found.transpose()
}

/// Makes failed tasks pending; one with an open effect is verified before its flow runs again.
async fn retry_tasks(
    tx: &mut Transaction,
    failed: &[(TaskId, ScriptName, Source, FailureReason)],
    at: Timestamp,
) -> Result<Vec<PendingTask>, Fault> {
    let ids = failed.iter().map(|(task, ..)| task).collect::<Vec<_>>();
    sqlx::query(include_str!("queries/retry_tasks.sql"))
        .bind(to_json(&ids)?)
        .bind(millis(at))
        .execute(&mut tx.conn)
        .await?;
    for (task, script, source, reason) in failed {
        let from = (Status::Failed, Some(*reason));
        tx.counts.moved(*task, (script, *source), from, (Status::Pending, None));
        tx.tell_task("task.retried", *task, &json!({"status": Status::Pending.number()}))?;
    }
    let ids = ids.into_iter().copied().collect::<Vec<_>>();
    list_pending(&mut tx.conn, &ids).await
}
