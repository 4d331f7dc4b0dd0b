//! Starts of the controller, and what a start does with the attempts that an earlier one left open.

use farmhand_actors::{
    domain::{
        AttemptId, Epoch, Failure, FailureReason, Purpose, RescueVerdict, Rescued, ScriptName, Source, TaskId,
        Timestamp,
    },
    ports::TaskNext,
};
use sqlx::sqlite::SqliteRow;

use super::{
    account_use::count_effects,
    effect::doubt_open_effects,
    fault::Fault,
    finish::{TaskEnd, end_tasks, stopped_failure},
    transaction::Transaction,
    value::{get, get_script, get_source, get_unsigned, json, millis},
};

/// A verification may be cut off this many times as often as a flow before it is given up: it only reads, but while it
/// has not succeeded nobody knows whether the effect took place.
const VERIFY_PATIENCE: u32 = 2;

/// Writes the row of this start: older ones can write no more.
pub(super) async fn begin_epoch(tx: &mut Transaction, at: &Timestamp) -> Result<Epoch, Fault> {
    let row = sqlx::query("INSERT INTO controller (started_at) VALUES (?1) RETURNING epoch")
        .bind(millis(*at))
        .fetch_one(&mut tx.conn)
        .await?;
    let epoch = Epoch(get(&row, "epoch")?);
    tx.own(epoch);
    Ok(epoch)
}

/// An attempt that was cut off, and what is known of its task.
struct CutOff {
    attempt: AttemptId,
    task: TaskId,
    script: ScriptName,
    source: Source,
    interruptions: u32,
    stop_requested: bool,
    effect_open: bool,
    effect_confirmed: bool,
}

/// Ends the attempts of former epochs, and decides what becomes of their tasks.
pub(super) async fn rescue(
    tx: &mut Transaction,
    &(epoch, poison_limit, at): &(Epoch, u32, Timestamp),
) -> Result<Vec<Rescued>, Fault> {
    let rows = sqlx::query(include_str!("queries/find_cut_off.sql"))
        .bind(epoch.0)
        .fetch_all(&mut tx.conn)
        .await?;
    let cut_off = rows.iter().map(cut_off_of).collect::<Result<Vec<_>, _>>()?;
    let verdicts = cut_off
        .iter()
        .map(|attempt| (attempt, verdict(attempt, poison_limit)))
        .collect::<Vec<_>>();
    abandon_attempts(tx, &cut_off, at).await?;
    let tasks = cut_off.iter().map(|attempt| attempt.task).collect::<Vec<_>>();
    doubt_open_effects(tx, &tasks).await?;
    let ends = verdicts
        .iter()
        .map(|(attempt, verdict)| TaskEnd {
            task: attempt.task,
            script: attempt.script.clone(),
            source: attempt.source,
            effect_open: attempt.effect_open,
            next: next(*verdict, at),
            at: millis(at),
        })
        .collect::<Vec<_>>();
    end_tasks(tx, &ends).await?;
    let counted = cut_off.iter().map(|attempt| (attempt.task, attempt.attempt));
    count_effects(tx, &counted.collect::<Vec<_>>()).await?;
    let rescued = verdicts.into_iter().map(|(attempt, verdict)| Rescued {
        task: attempt.task,
        attempt: attempt.attempt,
        verdict,
    });
    Ok(rescued.collect())
}

fn cut_off_of(row: &SqliteRow) -> Result<CutOff, Fault> {
    Ok(CutOff {
        attempt: AttemptId(get(row, "attempt")?),
        task: TaskId(get(row, "task")?),
        script: get_script(row, "script_name")?,
        source: get_source(row, "source")?,
        interruptions: get_unsigned::<u32>(row, "interruptions")?.saturating_add(1),
        stop_requested: get(row, "stop_requested")?,
        effect_open: get(row, "effect_open")?,
        effect_confirmed: get(row, "effect_confirmed")?,
    })
}

fn verdict(attempt: &CutOff, poison_limit: u32) -> RescueVerdict {
    if attempt.effect_open {
        // Also if it was to be stopped: a check only looks, and the stop still counts when it has.
        if attempt.interruptions >= poison_limit.saturating_mul(VERIFY_PATIENCE) {
            RescueVerdict::Failed(FailureReason::OutcomeUnknown)
        } else {
            RescueVerdict::Verify
        }
    } else if attempt.effect_confirmed {
        RescueVerdict::Completed
    } else if attempt.stop_requested {
        RescueVerdict::Failed(FailureReason::Stopped)
    } else if attempt.interruptions >= poison_limit {
        RescueVerdict::Failed(FailureReason::Interrupted)
    } else {
        RescueVerdict::Repeat
    }
}

fn next(verdict: RescueVerdict, at: Timestamp) -> TaskNext {
    let again = |purpose, remark: &str| TaskNext::Again {
        due_at: at,
        purpose,
        remark: remark.to_owned(),
        counts: false,
    };
    match verdict {
        RescueVerdict::Repeat => again(
            Purpose::Execute,
            "the controller ended in the middle of it; it runs again",
        ),
        RescueVerdict::Verify => again(
            Purpose::Verify,
            "the controller ended in the middle of it; whether it took place is looked up first",
        ),
        RescueVerdict::Completed => TaskNext::Completed {
            remark: "confirmed before the controller ended".to_owned(),
        },
        RescueVerdict::Failed(FailureReason::Stopped) => TaskNext::Failed {
            failure: stopped_failure(Purpose::Execute),
        },
        RescueVerdict::Failed(reason) => TaskNext::Failed {
            failure: Failure {
                reason,
                message: cut_off_too_often(reason).to_owned(),
                step: None,
                retryable: reason != FailureReason::OutcomeUnknown,
            },
        },
    }
}

fn cut_off_too_often(reason: FailureReason) -> &'static str {
    if reason == FailureReason::OutcomeUnknown {
        "the controller ended again and again while it looked up whether this took place: look at the phone, then \
         resolve the task"
    } else {
        "the controller ended again and again while this ran: look into its log before you retry it"
    }
}

async fn abandon_attempts(tx: &mut Transaction, cut_off: &[CutOff], at: Timestamp) -> Result<(), Fault> {
    let attempts = cut_off.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>();
    let tasks = cut_off.iter().map(|attempt| attempt.task).collect::<Vec<_>>();
    sqlx::query(
        "UPDATE attempt SET finished_at = max(?2, started_at), outcome = 'abandoned'
         WHERE id IN (SELECT value FROM json_each(?1));
         UPDATE task SET interruptions = interruptions + 1 WHERE id IN (SELECT value FROM json_each(?3))",
    )
    .bind(json(&attempts)?)
    .bind(millis(at))
    .bind(json(&tasks)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}
