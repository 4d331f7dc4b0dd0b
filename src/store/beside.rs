//! What other tasks do beside one: on its phone, and for its account while it was cut off.

use farmhand_actors::domain::{Serial, TaskId, Timestamp, Username};
use sqlx::SqliteConnection;

use super::{
    fault::Fault,
    value::{get, millis},
};

/// Whether nobody knows of another task's act in this app of this phone, intended since then, whether it took place.
pub(super) async fn is_another_open(
    conn: &mut SqliteConnection,
    task: TaskId,
    serial: &Serial,
    package: &str,
    since: Timestamp,
) -> Result<bool, Fault> {
    let row = sqlx::query(include_str!("queries/find_open_beside.sql"))
        .bind(task.0)
        .bind(serial.as_str().to_owned())
        .bind(package.to_owned())
        .bind(millis(since))
        .fetch_one(conn)
        .await?;
    get(&row, "is_open")
}

/// Whether another task may have acted for the account (without one: on the phone) since this one was at its checkpoint.
pub(super) async fn acted_since_checkpoint(
    conn: &mut SqliteConnection,
    task: TaskId,
    username: Option<&Username>,
    serial: &Serial,
) -> Result<bool, Fault> {
    let row = sqlx::query(include_str!("queries/find_acts_since.sql"))
        .bind(task.0)
        .bind(username.map(|username| username.as_str().to_owned()))
        .bind(serial.as_str().to_owned())
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(false), |row| get(&row, "acted"))
}
