//! Keys to the API; of their secrets only hashes are stored.

use farmhand_actors::domain::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{get, get_json, get_time, get_time_opt, json, millis},
};

/// A key to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The public part, by which the key is found; unique.
    pub prefix: String,
    /// Hash of the secret part, as the one who compares it wrote it.
    pub hash: String,
    /// A person's name for it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When.
    pub created_at: Timestamp,
    /// Not valid from then on.
    pub expires_at: Option<Timestamp>,
}

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its number; never reused.
    pub id: i64,
    /// What was stored.
    pub key: NewKey,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// Not valid since then.
    pub revoked_at: Option<Timestamp>,
}

/// Stores a key, if its prefix is free.
pub(super) async fn create_key(tx: &mut Transaction, key: &NewKey) -> Result<ApiKey, Fault> {
    let row = sqlx::query(
        "INSERT INTO api_key (prefix, hash, name, scopes, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (prefix) DO NOTHING RETURNING *",
    )
    .bind(&key.prefix)
    .bind(&key.hash)
    .bind(&key.name)
    .bind(json(&key.scopes)?)
    .bind(millis(key.created_at))
    .bind(key.expires_at.map(millis))
    .fetch_optional(&mut tx.conn)
    .await?;
    match row {
        Some(row) => key_of(&row),
        None => Err(Fault::Conflict(format!(
            "an API key with the prefix {} exists already",
            key.prefix
        ))),
    }
}

/// All keys, oldest first, revoked ones too.
pub(super) async fn list_keys(conn: &mut SqliteConnection) -> Result<Vec<ApiKey>, Fault> {
    let rows = sqlx::query("SELECT * FROM api_key ORDER BY id").fetch_all(conn).await?;
    rows.iter().map(key_of).collect()
}

/// The key with this prefix, revoked ones too.
pub(super) async fn find_key(conn: &mut SqliteConnection, prefix: &str) -> Result<Option<ApiKey>, Fault> {
    let row = sqlx::query("SELECT * FROM api_key WHERE prefix = ?1")
        .bind(prefix.to_owned())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(key_of).transpose()
}

/// Revokes a key; `false` when there is none that is not revoked.
pub(super) async fn revoke_key(tx: &mut Transaction, (prefix, at): &(String, Timestamp)) -> Result<bool, Fault> {
    let revoked = sqlx::query("UPDATE api_key SET revoked_at = ?2 WHERE prefix = ?1 AND revoked_at IS NULL")
        .bind(prefix)
        .bind(millis(*at))
        .execute(&mut tx.conn)
        .await?;
    Ok(revoked.rows_affected() > 0)
}

/// Notes that a key was used.
pub(super) async fn touch_key(tx: &mut Transaction, &(id, at): &(i64, Timestamp)) -> Result<(), Fault> {
    sqlx::query("UPDATE api_key SET last_used_at = ?2 WHERE id = ?1")
        .bind(id)
        .bind(millis(at))
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

fn key_of(row: &SqliteRow) -> Result<ApiKey, Fault> {
    Ok(ApiKey {
        id: get(row, "id")?,
        key: NewKey {
            prefix: get(row, "prefix")?,
            hash: get(row, "hash")?,
            name: get(row, "name")?,
            scopes: get_json(row, "scopes")?,
            created_at: get_time(row, "created_at")?,
            expires_at: get_time_opt(row, "expires_at")?,
        },
        last_used_at: get_time_opt(row, "last_used_at")?,
        revoked_at: get_time_opt(row, "revoked_at")?,
    })
}
