//! Where no attempt begins because a person said so.

use farmhand_actors::domain::{Drain, EventTopic, NewEvent, Serial, Timestamp};
use serde_json::json;
use sqlx::SqliteConnection;

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{get_serial_opt, get_time, millis},
};

/// Begins or ends a drain; once more changes nothing.
pub(super) async fn set_drain(
    tx: &mut Transaction,
    (serial, draining, at): &(Option<Serial>, bool, Timestamp),
) -> Result<(), Fault> {
    // An empty name is no device's: it stands for the farm.
    let name = serial.as_ref().map_or("", Serial::as_str);
    let sql = if *draining {
        "INSERT INTO drain (serial, since) VALUES (?1, ?2) ON CONFLICT (serial) DO NOTHING"
    } else {
        "DELETE FROM drain WHERE serial = ?1 AND ?2 = ?2"
    };
    let changed = sqlx::query(sql)
        .bind(name.to_owned())
        .bind(millis(*at))
        .execute(&mut tx.conn)
        .await?;
    if changed.rows_affected() == 0 {
        return Ok(());
    }
    let (topic, kind, subject) = match serial {
        Some(serial) => (EventTopic::Device, "device.changed", serial.as_str()),
        None => (EventTopic::Supervisor, "supervisor.changed", "farm"),
    };
    tx.tell(NewEvent {
        topic,
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        data: json!({ "draining": draining }),
    })?;
    Ok(())
}

/// All drains, the farm's first.
pub(super) async fn list_drains(conn: &mut SqliteConnection) -> Result<Vec<Drain>, Fault> {
    let rows = sqlx::query("SELECT nullif(serial, '') AS serial, since FROM drain ORDER BY drain.serial")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Drain {
                serial: get_serial_opt(row, "serial")?,
                since: get_time(row, "since")?,
            })
        })
        .collect()
}
