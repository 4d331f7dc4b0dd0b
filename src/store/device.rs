//! Devices ever seen or configured.

use farmhand_actors::domain::{DeviceInfo, DevicePatch, DeviceRecord, EventTopic, Held, NewEvent, Serial, Timestamp};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{get, get_json, get_serial, get_time, get_time_opt, json, millis},
};

/// All devices, by serial.
pub(super) async fn list_devices(conn: &mut SqliteConnection) -> Result<Vec<DeviceRecord>, Fault> {
    let rows = sqlx::query("SELECT * FROM device ORDER BY serial")
        .fetch_all(conn)
        .await?;
    rows.iter().map(device_of).collect()
}

/// Notes that a device exists; one that is known stays as it is.
pub(super) async fn add_device(tx: &mut Transaction, (serial, at): &(Serial, Timestamp)) -> Result<(), Fault> {
    sqlx::query("INSERT INTO device (serial, created_at) VALUES (?1, ?2) ON CONFLICT (serial) DO NOTHING")
        .bind(serial.as_str())
        .bind(millis(*at))
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// Notes what a device said of itself.
pub(super) async fn note_device(
    tx: &mut Transaction,
    (serial, info, at): &(Serial, DeviceInfo, Timestamp),
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO device (serial, info, last_seen, created_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (serial) DO UPDATE SET info = excluded.info, last_seen = excluded.last_seen",
    )
    .bind(serial.as_str())
    .bind(json(info)?)
    .bind(millis(*at))
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Changes what the patch names.
pub(super) async fn patch_device(tx: &mut Transaction, (serial, patch): &(Serial, DevicePatch)) -> Result<(), Fault> {
    let DevicePatch {
        alias,
        tags,
        app,
        enabled,
    } = patch;
    let written = sqlx::query(
        "UPDATE device SET alias = CASE WHEN ?2 THEN ?3 ELSE alias END, tags = coalesce(?4, tags),
                           enabled = coalesce(?5, enabled), app = CASE WHEN ?6 THEN ?7 ELSE app END
         WHERE serial = ?1",
    )
    .bind(serial.as_str())
    .bind(alias.is_some())
    .bind(alias.clone().flatten())
    .bind(tags.as_ref().map(json).transpose()?)
    .bind(*enabled)
    .bind(app.is_some())
    .bind(app.clone().flatten())
    .execute(&mut tx.conn)
    .await?;
    if written.rows_affected() == 0 {
        return Err(Fault::Conflict(format!("device {serial} does not exist")));
    }
    tell_changed(tx, serial)?;
    Ok(())
}

/// Puts a device into a person's quarantine, or lets it out.
pub(super) async fn hold_device(tx: &mut Transaction, (serial, held): &(Serial, Option<Held>)) -> Result<(), Fault> {
    let written = sqlx::query("UPDATE device SET held_reason = ?2, held_since = ?3 WHERE serial = ?1")
        .bind(serial.as_str())
        .bind(held.as_ref().map(|held| held.reason.clone()))
        .bind(held.as_ref().map(|held| millis(held.since)))
        .execute(&mut tx.conn)
        .await?;
    if written.rows_affected() == 0 {
        return Err(Fault::Conflict(format!("device {serial} does not exist")));
    }
    tell_changed(tx, serial)?;
    Ok(())
}

fn tell_changed(tx: &mut Transaction, serial: &Serial) -> Result<(), Fault> {
    tx.tell(NewEvent {
        topic: EventTopic::Device,
        kind: "device.changed".to_owned(),
        subject: serial.to_string(),
        data: serde_json::json!({}),
    })
}

fn device_of(row: &SqliteRow) -> Result<DeviceRecord, Fault> {
    let reason: Option<String> = get(row, "held_reason")?;
    let held = reason.zip(get_time_opt(row, "held_since")?);
    Ok(DeviceRecord {
        serial: get_serial(row, "serial")?,
        alias: get(row, "alias")?,
        tags: get_json(row, "tags")?,
        app: get(row, "app")?,
        enabled: get(row, "enabled")?,
        held: held.map(|(reason, since)| Held { reason, since }),
        info: get_json(row, "info")?,
        last_seen: get_time_opt(row, "last_seen")?,
        created_at: get_time(row, "created_at")?,
    })
}
