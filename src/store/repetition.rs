//! What was repeated by itself: it counts towards `retry.per_hour`, also after a start.

use farmhand_actors::domain::{
    ScriptName, Timestamp,
    retry::{REPETITIONS_KEPT, Repetition},
};
use sqlx::sqlite::SqliteConnection;

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{get_script, get_time, json},
};

/// Adds repetitions (of which script, when in milliseconds since 1970), and forgets those that count no more.
pub(super) async fn note_repetitions(tx: &mut Transaction, repeated: &[(&ScriptName, i64)]) -> Result<(), Fault> {
    let Some(newest) = repeated.iter().map(|(_, at)| *at).max() else {
        return Ok(());
    };
    let kept = i64::try_from(REPETITIONS_KEPT.as_millis()).unwrap_or(i64::MAX);
    sqlx::query("DELETE FROM repetition WHERE at <= ?1")
        .bind(newest.saturating_sub(kept))
        .execute(&mut tx.conn)
        .await?;
    sqlx::query("INSERT INTO repetition (script_name, at) SELECT value ->> 0, value ->> 1 FROM json_each(?1)")
        .bind(json(repeated)?)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// All that may still count, the oldest first.
pub(super) async fn list_repetitions(conn: &mut SqliteConnection) -> Result<Vec<Repetition>, Fault> {
    let rows = sqlx::query("SELECT script_name, at FROM repetition ORDER BY at")
        .fetch_all(conn)
        .await?;
    let repetition = |row| {
        let (script, at): (ScriptName, Timestamp) = (get_script(row, "script_name")?, get_time(row, "at")?);
        Ok(Repetition { script, at })
    };
    rows.iter().map(repetition).collect()
}
