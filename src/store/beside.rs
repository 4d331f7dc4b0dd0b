//! What other tasks do beside one: on its phone, and for its account while it was cut off.

use farmhand_actors::domain::{Serial, TaskId, Timestamp, Username};
use sqlx::SqliteConnection;

use super::{
    fault::Fault,
    value::{get, millis, timestamp},
};

/// When the newest act of another task in this app of this phone was intended, since then, of which nobody knows whether it
/// took place.
pub(super) async fn newest_open(
    conn: &mut SqliteConnection,
    task: TaskId,
    serial: &Serial,
    package: &str,
    since: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let row = sqlx::query(include_str!("queries/find_open_beside.sql"))
        .bind(task.0)
        .bind(serial.as_str().to_owned())
        .bind(package.to_owned())
        .bind(millis(since))
        .fetch_one(conn)
        .await?;
    get::<Option<i64>>(&row, "newest")?.map(timestamp).transpose()
}

/// Whether an account of this app is bound to the phone.
pub(super) async fn has_account(conn: &mut SqliteConnection, serial: &Serial, app: &str) -> Result<bool, Fault> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM account WHERE serial = ?1 AND app = ?2 COLLATE NOCASE) AS has_account",
    )
    .bind(serial.as_str().to_owned())
    .bind(app.to_owned())
    .fetch_one(conn)
    .await?;
    get(&row, "has_account")
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
