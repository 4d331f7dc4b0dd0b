//! What accounts have done: it counts towards their limits, and uses up files.

use farmhand_actors::domain::{AccountUse, AttemptId, OpenUse, TaskId, Timestamp, Username};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{get, get_script, get_time, get_username, json, millis},
};

/// Stands for the attempt where a person said that an effect took place.
pub(super) const BY_A_PERSON: AttemptId = AttemptId(0);

/// Confirmed uses since a time, oldest first.
pub(super) async fn list_uses(conn: &mut SqliteConnection, since: Timestamp) -> Result<Vec<AccountUse>, Fault> {
    let rows = sqlx::query("SELECT username, script_name, at FROM account_use WHERE at >= ?1 ORDER BY at, id")
        .bind(millis(since))
        .fetch_all(conn)
        .await?;
    rows.iter().map(use_of).collect()
}

/// Those of one account.
pub(super) async fn list_uses_of(
    conn: &mut SqliteConnection,
    username: &Username,
    since: Timestamp,
) -> Result<Vec<AccountUse>, Fault> {
    let rows = sqlx::query(
        "SELECT username, script_name, at FROM account_use WHERE username = ?1 AND at >= ?2 ORDER BY at, id",
    )
    .bind(username.as_str().to_owned())
    .bind(millis(since))
    .fetch_all(conn)
    .await?;
    rows.iter().map(use_of).collect()
}

/// Effects of accounts (or of one) that may have taken place.
pub(super) async fn list_open(conn: &mut SqliteConnection, username: Option<&Username>) -> Result<Vec<OpenUse>, Fault> {
    let rows = sqlx::query(include_str!("queries/list_open_uses.sql"))
        .bind(username.map(|username| username.as_str().to_owned()))
        .fetch_all(conn)
        .await?;
    rows.iter().map(open_of).collect()
}

/// Those of these tasks.
pub(super) async fn list_open_of_tasks(conn: &mut SqliteConnection, tasks: &[TaskId]) -> Result<Vec<OpenUse>, Fault> {
    let rows = sqlx::query(
        "SELECT attempt.username, task.id AS task_id, task.script_name, effect.intended_at
         FROM json_each(?1) AS asked CROSS JOIN effect ON effect.task_id = asked.value
              JOIN attempt ON attempt.id = effect.attempt_id JOIN task ON task.id = effect.task_id
         WHERE effect.state IN ('intended', 'unknown') AND attempt.username IS NOT NULL",
    )
    .bind(json(tasks)?)
    .fetch_all(conn)
    .await?;
    rows.iter().map(open_of).collect()
}

fn open_of(row: &SqliteRow) -> Result<OpenUse, Fault> {
    Ok(OpenUse {
        username: get_username(row, "username")?,
        task: TaskId(get(row, "task_id")?),
        script: get_script(row, "script_name")?,
        at: get_time(row, "intended_at")?,
    })
}

/// What tasks that are about to be deleted have done, or may have, goes on to count.
pub(super) async fn keep_effects(tx: &mut Transaction, tasks: &[TaskId]) -> Result<(), Fault> {
    sqlx::query(include_str!("queries/keep_effects.sql"))
        .bind(json(tasks)?)
        .bind(millis(Timestamp::now()))
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

fn use_of(row: &SqliteRow) -> Result<AccountUse, Fault> {
    Ok(AccountUse {
        username: get_username(row, "username")?,
        script: get_script(row, "script_name")?,
        at: get_time(row, "at")?,
    })
}

/// Writes uses that count towards the accounts' limits.
pub(super) async fn insert_uses(tx: &mut Transaction, uses: &[&AccountUse]) -> Result<(), Fault> {
    if uses.is_empty() {
        return Ok(());
    }
    let rows = uses
        .iter()
        .map(|used| (&used.username, &used.script, millis(used.at)))
        .collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO account_use (username, script_name, at)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)",
    )
    .bind(json(&rows)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Counts the effects of these tasks that have taken place and are not counted yet, and marks their files as used by the
/// account, in the transaction that knows that they have. Answers the tasks and when they acted.
pub(super) async fn count_effects(
    tx: &mut Transaction,
    counted: &[(TaskId, AttemptId)],
) -> Result<Vec<(TaskId, Timestamp)>, Fault> {
    if counted.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(include_str!("queries/count_effects.sql"))
        .bind(json(counted)?)
        .fetch_all(&mut tx.conn)
        .await?;
    rows.iter()
        .map(|row| Ok((TaskId(get(row, "task_id")?), get_time(row, "intended_at")?)))
        .collect()
}
