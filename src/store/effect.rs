//! The ledger of effects that cannot be undone: written before the act, settled after it.

use farmhand_actors::domain::{
    AttemptId, Effect, EffectFinding, EffectGate, EffectIntent, EffectKey, EffectState, Lease, Serial, TaskId,
    Timestamp, Username,
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    account_use::count_effects,
    fault::Fault,
    transaction::Transaction,
    value::{get, get_json, get_unsigned, json, millis, parse_json, steady},
};

/// Writes the intent to act, if nothing stands in the way. The caller acts only after the commit.
pub(super) async fn intend(tx: &mut Transaction, intent: &EffectIntent) -> Result<EffectGate, Fault> {
    if !holds_lease(tx, intent.key.task, intent.attempt, &intent.lease).await? {
        return Ok(EffectGate::Fenced);
    }
    let written = sqlx::query(include_str!("queries/intend_effect.sql"))
        .bind(intent.key.task.0)
        .bind(&*intent.key.step)
        .bind(intent.key.ordinal)
        .bind(json(&intent.content)?)
        .bind(json(&intent.baseline)?)
        .bind(intent.attempt.0)
        .bind(millis(Timestamp::now()))
        .bind(steady())
        .execute(&mut tx.conn)
        .await?;
    if written.rows_affected() > 0 {
        return Ok(EffectGate::Act);
    }
    let state = state_of(&mut tx.conn, &intent.key).await?.ok_or_else(|| {
        let EffectKey { task, step, .. } = &intent.key;
        Fault::Row(format!(
            "the effect {step} of task {task} was neither written nor there"
        ))
    })?;
    Ok(EffectGate::Closed(state))
}

/// Writes what was found out about an open effect.
pub(super) async fn settle(tx: &mut Transaction, finding: &EffectFinding) -> Result<(), Fault> {
    let EffectFinding {
        key,
        attempt,
        lease,
        state,
        evidence,
    } = finding;
    let EffectKey { task, step, ordinal } = key;
    if !matches!(
        state,
        EffectState::Confirmed | EffectState::Refuted | EffectState::Unknown
    ) {
        let state = state.as_str();
        return Err(Fault::Conflict(format!(
            "an attempt cannot find an effect {state}; this is a fault of farmhand"
        )));
    }
    if !holds_lease(tx, *task, *attempt, lease).await? {
        return Err(Fault::Conflict(format!(
            "attempt {attempt} of task {task} has lost its lease"
        )));
    }
    let written = sqlx::query(include_str!("queries/settle_effect.sql"))
        .bind(task.0)
        .bind(&**step)
        .bind(*ordinal)
        .bind(state.as_str())
        .bind(json(evidence)?)
        .bind(millis(Timestamp::now()))
        .execute(&mut tx.conn)
        .await?;
    if written.rows_affected() > 0 {
        count_effects(tx, &[(*task, *attempt)]).await?;
        return Ok(());
    }
    match state_of(&mut tx.conn, key).await? {
        // Found once more: a repeated answer changes nothing.
        Some(stored) if stored == *state => Ok(()),
        Some(stored) => Err(Fault::Conflict(format!(
            "the effect {step} of task {task} is {} and cannot become {}",
            stored.as_str(),
            state.as_str()
        ))),
        None => Err(Fault::Conflict(format!(
            "the effect {step} of task {task} was never intended"
        ))),
    }
}

/// All effects of a task, oldest first.
pub(super) async fn list_effects(conn: &mut SqliteConnection, task: TaskId) -> Result<Vec<Effect>, Fault> {
    let rows = sqlx::query(
        "SELECT task_id, step, ordinal, state, content, baseline, evidence, unknown_checks FROM effect
         WHERE task_id = ?1 ORDER BY id",
    )
    .bind(task.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(effect_of).collect()
}

/// The newest other task of the account (or of the phone, when either has no account) whose effect has this hash and has taken
/// place, or may have, since then.
pub(super) async fn find_repeated(
    conn: &mut SqliteConnection,
    task: TaskId,
    username: Option<&Username>,
    serial: &Serial,
    hash: &str,
    since: Timestamp,
) -> Result<Option<TaskId>, Fault> {
    let ago = millis(Timestamp::now()).saturating_sub(millis(since));
    let row = sqlx::query(include_str!("queries/find_repeated.sql"))
        .bind(task.0)
        .bind(username.map(|username| username.as_str().to_owned()))
        .bind(serial.as_str().to_owned())
        .bind(hash.to_owned())
        .bind(millis(since))
        .bind(steady().saturating_sub(ago))
        .fetch_optional(conn)
        .await?;
    row.map(|row| get(&row, "task_id").map(TaskId)).transpose()
}

/// Whether another task's act could be taken for this effect.
pub(super) async fn has_rival(
    conn: &mut SqliteConnection,
    EffectKey { task, step, ordinal }: &EffectKey,
    username: Option<&Username>,
    serial: &Serial,
    by_same: bool,
) -> Result<bool, Fault> {
    let row = sqlx::query(include_str!("queries/find_rival.sql"))
        .bind(task.0)
        .bind(step.to_string())
        .bind(*ordinal)
        .bind(username.map(|username| username.as_str().to_owned()))
        .bind(serial.as_str().to_owned())
        .bind(by_same)
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(false), |row| get(&row, "rival"))
}

/// Whether another task of the account (or of the phone, when either has no account) has acted since with the same value of
/// this parameter.
pub(super) async fn was_touched_again(
    conn: &mut SqliteConnection,
    EffectKey { task, step, ordinal }: &EffectKey,
    param: &str,
) -> Result<bool, Fault> {
    let row = sqlx::query(include_str!("queries/find_touched_again.sql"))
        .bind(task.0)
        .bind(step.to_string())
        .bind(*ordinal)
        .bind(param.to_owned())
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(false), |row| get(&row, "touched"))
}

/// Whether somebody has asked to stop the task.
pub(super) async fn is_stop_requested(conn: &mut SqliteConnection, task: TaskId) -> Result<bool, Fault> {
    let row = sqlx::query("SELECT stop_requested_at IS NOT NULL AS stop_requested FROM task WHERE id = ?1")
        .bind(task.0)
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(false), |row| get(&row, "stop_requested"))
}

/// Which of these tasks have an effect that may have taken place, in the order asked for.
pub(super) async fn list_open(conn: &mut SqliteConnection, tasks: &[TaskId]) -> Result<Vec<TaskId>, Fault> {
    let rows = sqlx::query(
        "SELECT asked.value AS id FROM json_each(?1) AS asked
         WHERE EXISTS (SELECT 1 FROM effect
                       WHERE effect.task_id = asked.value AND effect.state IN ('intended', 'unknown'))
         ORDER BY asked.key",
    )
    .bind(json(tasks)?)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| get(row, "id").map(TaskId)).collect()
}

/// The open effects of completed tasks took place. `completed`: tasks and when they were.
pub(super) async fn confirm_open_effects(tx: &mut Transaction, completed: &[(TaskId, i64)]) -> Result<(), Fault> {
    if completed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE effect SET state = 'confirmed', settled_at = completed.at
         FROM (SELECT value ->> 0 AS task_id, value ->> 1 AS at FROM json_each(?1)) AS completed
         WHERE effect.task_id = completed.task_id AND effect.state IN ('intended', 'unknown')",
    )
    .bind(json(completed)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Nobody will find out by itself any more whether these tasks' open effects took place.
pub(super) async fn doubt_open_effects(tx: &mut Transaction, tasks: &[TaskId]) -> Result<(), Fault> {
    if tasks.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE effect SET state = 'unknown'
         WHERE task_id IN (SELECT value FROM json_each(?1)) AND state = 'intended'",
    )
    .bind(json(tasks)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// A person's word on a task's open effects.
pub(super) async fn resolve_effects(
    tx: &mut Transaction,
    task: TaskId,
    state: EffectState,
    at: Timestamp,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE effect SET state = ?2, settled_at = ?3 WHERE task_id = ?1 AND state IN ('intended', 'unknown')",
    )
    .bind(task.0)
    .bind(state.as_str())
    .bind(millis(at))
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Whether the attempt lives and the lease is its own, given by the newest controller.
pub(super) async fn holds_lease(
    tx: &mut Transaction,
    task: TaskId,
    attempt: AttemptId,
    lease: &Lease,
) -> Result<bool, Fault> {
    if !tx.is_current(lease) {
        return Ok(false);
    }
    let row = sqlx::query(
        "SELECT 1 FROM attempt
         WHERE id = ?1 AND task_id = ?2 AND epoch = ?3 AND token = ?4 AND finished_at IS NULL",
    )
    .bind(attempt.0)
    .bind(task.0)
    .bind(lease.epoch.0)
    .bind(&*lease.token)
    .fetch_optional(&mut tx.conn)
    .await?;
    Ok(row.is_some())
}

async fn state_of(conn: &mut SqliteConnection, key: &EffectKey) -> Result<Option<EffectState>, Fault> {
    let row = sqlx::query("SELECT state FROM effect WHERE task_id = ?1 AND step = ?2 AND ordinal = ?3")
        .bind(key.task.0)
        .bind(&*key.step)
        .bind(key.ordinal)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(get_effect_state).transpose()
}

fn get_effect_state(row: &SqliteRow) -> Result<EffectState, Fault> {
    let word: &str = get(row, "state")?;
    EffectState::from_word(word).ok_or_else(|| {
        Fault::Row(format!(
            "the database holds an effect that is {word}, which is no state of one"
        ))
    })
}

fn effect_of(row: &SqliteRow) -> Result<Effect, Fault> {
    Ok(Effect {
        key: EffectKey {
            task: TaskId(get(row, "task_id")?),
            step: get::<&str>(row, "step")?.into(),
            ordinal: get_unsigned(row, "ordinal")?,
        },
        state: get_effect_state(row)?,
        content: get_json(row, "content")?,
        baseline: get_json(row, "baseline")?,
        evidence: get::<Option<&str>>(row, "evidence")?.map(parse_json).transpose()?,
        unknown_checks: get_unsigned(row, "unknown_checks")?,
    })
}
