//! The material library's rows, and which contents accounts have used.

use std::collections::HashMap;

use farmhand_actors::{
    domain::{Material, MaterialId, MediaKind, Username},
    ports::NewMaterial,
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{get, get_json, get_time, get_unsigned, get_username, get_username_opt, json, millis},
};

/// All materials, by `sort_order`, then id.
pub(super) async fn list_materials(conn: &mut SqliteConnection) -> Result<Vec<Material>, Fault> {
    let rows = sqlx::query("SELECT * FROM material ORDER BY sort_order, id")
        .fetch_all(&mut *conn)
        .await?;
    let uses = sqlx::query(
        "SELECT sha256, username FROM media_use
         WHERE sha256 IN (SELECT sha256 FROM material) ORDER BY sha256, username",
    )
    .fetch_all(conn)
    .await?;
    let mut used_by: HashMap<String, Vec<Username>> = HashMap::new();
    for row in &uses {
        used_by
            .entry(get(row, "sha256")?)
            .or_default()
            .push(get_username(row, "username")?);
    }
    rows.iter()
        .map(|row| {
            let mut material = material_of(row)?;
            material.used_by = used_by.get(&material.sha256).cloned().unwrap_or_default();
            Ok(material)
        })
        .collect()
}

/// Stores one.
pub(super) async fn create_material(tx: &mut Transaction, new: &NewMaterial) -> Result<Material, Fault> {
    let row = sqlx::query(
        "INSERT INTO material (name, file, kind, sha256, bytes, tags, username, caption, sort_order, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING *",
    )
    .bind(&new.name)
    .bind(&new.file)
    .bind(new.kind.as_str())
    .bind(&new.sha256)
    .bind(i64::try_from(new.bytes).unwrap_or(i64::MAX))
    .bind(json(&new.tags)?)
    .bind(new.username.as_ref().map(|username| username.as_str()))
    .bind(&new.caption)
    .bind(new.sort_order)
    .bind(millis(new.created_at))
    .fetch_one(&mut tx.conn)
    .await?;
    let mut material = material_of(&row)?;
    material.used_by = list_users(&mut tx.conn, &material.sha256).await?;
    Ok(material)
}

/// Deletes the row and answers it; which accounts used its content is kept.
pub(super) async fn delete_material(tx: &mut Transaction, id: &MaterialId) -> Result<Option<Material>, Fault> {
    let row = sqlx::query("DELETE FROM material WHERE id = ?1 RETURNING *")
        .bind(id.0)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let mut material = material_of(&row)?;
    material.used_by = list_users(&mut tx.conn, &material.sha256).await?;
    Ok(Some(material))
}

/// Which of these contents the account has used, or may have.
pub(super) async fn list_used(
    conn: &mut SqliteConnection,
    username: &Username,
    sha256: &[String],
) -> Result<Vec<String>, Fault> {
    let rows = sqlx::query(
        "SELECT content.value AS sha256 FROM json_each(?2) AS content
         WHERE EXISTS (SELECT 1 FROM media_use WHERE sha256 = content.value AND username = ?1)
            OR content.value IN (
                SELECT file.value ->> 'sha256'
                FROM effect INDEXED BY effect_open CROSS JOIN attempt ON attempt.id = effect.attempt_id
                     CROSS JOIN json_each(effect.content, '$.media') AS file
                WHERE (effect.state = 'intended' OR effect.state = 'unknown') AND attempt.username = ?1)
         ORDER BY content.key",
    )
    .bind(username.as_str())
    .bind(json(sha256)?)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| get(row, "sha256")).collect()
}

async fn list_users(conn: &mut SqliteConnection, sha256: &str) -> Result<Vec<Username>, Fault> {
    let rows = sqlx::query("SELECT username FROM media_use WHERE sha256 = ?1 ORDER BY username")
        .bind(sha256)
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| get_username(row, "username")).collect()
}

fn material_of(row: &SqliteRow) -> Result<Material, Fault> {
    let word: &str = get(row, "kind")?;
    let kind = [MediaKind::Video, MediaKind::Image]
        .into_iter()
        .find(|kind| kind.as_str() == word)
        .ok_or_else(|| {
            Fault::Row(format!(
                "the database holds a material that is {word}, which is no kind of one"
            ))
        })?;
    Ok(Material {
        id: MaterialId(get(row, "id")?),
        name: get(row, "name")?,
        file: get(row, "file")?,
        kind,
        sha256: get(row, "sha256")?,
        bytes: get_unsigned(row, "bytes")?,
        tags: get_json(row, "tags")?,
        username: get_username_opt(row, "username")?,
        caption: get(row, "caption")?,
        sort_order: get(row, "sort_order")?,
        used_by: Vec::new(),
        created_at: get_time(row, "created_at")?,
    })
}
