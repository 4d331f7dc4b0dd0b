//! Accounts.

use farmhand_actors::domain::{
    AccountChange, AccountPatch, AccountRecord, AccountStatus, Attention, EventTopic, NewEvent, Package, Timestamp,
    Username,
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{get, get_json, get_serial_opt, get_time, get_time_opt, get_unsigned, get_username, json, millis},
};

/// All accounts, by name.
pub(super) async fn list_accounts(conn: &mut SqliteConnection) -> Result<Vec<AccountRecord>, Fault> {
    let rows = sqlx::query("SELECT * FROM account ORDER BY username")
        .fetch_all(conn)
        .await?;
    rows.iter().map(account_of).collect()
}

/// Creates an account, if its name is free.
pub(super) async fn create_account(tx: &mut Transaction, account: &AccountRecord) -> Result<(), Fault> {
    let written = sqlx::query(
        "INSERT INTO account (username, app, package, serial, status, status_reason, evidence, cooldown_until, limits,
                              last_used, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (username) DO NOTHING",
    )
    .bind(account.username.as_str())
    .bind(&account.app)
    .bind(account.package.as_ref().map(Package::as_str))
    .bind(account.serial.as_ref().map(|serial| serial.as_str()))
    .bind(account.status.as_str())
    .bind(&account.status_reason)
    .bind(&account.evidence)
    .bind(account.cooldown_until.map(millis))
    .bind(json(&account.limits)?)
    .bind(account.last_used.map(millis))
    .bind(millis(account.created_at))
    .execute(&mut tx.conn)
    .await?;
    if written.rows_affected() == 0 {
        return Err(Fault::Conflict(format!("account {} exists already", account.username)));
    }
    tell(tx, &account.username, "account.created")?;
    Ok(())
}

/// Changes what the patch names.
pub(super) async fn patch_account(
    tx: &mut Transaction,
    (username, patch): &(Username, AccountPatch),
) -> Result<Option<AccountRecord>, Fault> {
    let Some(mut account) = find_account(&mut tx.conn, username).await? else {
        return Ok(None);
    };
    let events = patch.clone().apply(&mut account);
    sqlx::query(
        "UPDATE account SET app = ?2, package = ?3, serial = ?4, status = ?5, status_reason = ?6, evidence = ?7,
                            cooldown_until = ?8, limits = ?9, status_revision = ?10
         WHERE username = ?1",
    )
    .bind(username.as_str())
    .bind(&account.app)
    .bind(account.package.as_ref().map(Package::as_str))
    .bind(account.serial.as_ref().map(|serial| serial.as_str()))
    .bind(account.status.as_str())
    .bind(&account.status_reason)
    .bind(&account.evidence)
    .bind(account.cooldown_until.map(millis))
    .bind(json(&account.limits)?)
    .bind(i64::try_from(account.status_revision).unwrap_or(i64::MAX))
    .execute(&mut tx.conn)
    .await?;
    for event in events {
        tx.tell(event)?;
    }
    Ok(Some(account))
}

/// Creates and changes accounts; the first that cannot be undoes all.
pub(super) async fn import_accounts(
    tx: &mut Transaction,
    changes: &Vec<AccountChange>,
) -> Result<Vec<AccountRecord>, Fault> {
    let mut records = Vec::with_capacity(changes.len());
    for change in changes {
        let record = match change {
            AccountChange::Create(record) => {
                create_account(tx, record).await?;
                record.clone()
            }
            AccountChange::Patch(username, patch) => {
                let patched = patch_account(tx, &(username.clone(), patch.clone())).await?;
                patched.ok_or_else(|| Fault::Conflict(format!("account {username} does not exist")))?
            }
        };
        records.push(record);
    }
    Ok(records)
}

/// Makes an account active that waits for a person or rests; the record as it is then.
pub(super) async fn resume_account(
    tx: &mut Transaction,
    (username, event): &(Username, NewEvent),
) -> Result<Option<AccountRecord>, Fault> {
    let written = sqlx::query(
        "UPDATE account SET status = 'active', status_reason = NULL, evidence = NULL, cooldown_until = NULL,
                            status_revision = status_revision + 1
         WHERE username = ?1 AND status IN ('needs_attention', 'cooldown')",
    )
    .bind(username.as_str())
    .execute(&mut tx.conn)
    .await?;
    if written.rows_affected() > 0 {
        tx.tell(event.clone())?;
    }
    find_account(&mut tx.conn, username).await
}

/// The app asks the account for a person. The new revision of its status; `None` when a person has disabled it, or it is
/// gone.
pub(super) async fn ask_for_a_person(
    tx: &mut Transaction,
    username: &Username,
    Attention { message, screenshot }: &Attention,
) -> Result<Option<u64>, Fault> {
    let row = sqlx::query(
        "UPDATE account SET status = 'needs_attention', status_reason = ?2, evidence = ?3, cooldown_until = NULL,
                            status_revision = status_revision + 1
         WHERE username = ?1 AND status <> 'disabled' RETURNING *",
    )
    .bind(username.as_str())
    .bind(message)
    .bind(screenshot)
    .fetch_optional(&mut tx.conn)
    .await?;
    let Some(account) = row.as_ref().map(account_of).transpose()? else {
        return Ok(None);
    };
    tx.tell(account.status_event(message))?;
    Ok(Some(account.status_revision))
}

/// Makes an account active that rests until `ended`; one that a person has changed since stays as it is.
pub(super) async fn end_rest(
    tx: &mut Transaction,
    (username, ended, event): &(Username, Option<Timestamp>, NewEvent),
) -> Result<(), Fault> {
    let written = sqlx::query(
        "UPDATE account SET status = 'active', status_reason = NULL, evidence = NULL, cooldown_until = NULL,
                            status_revision = status_revision + 1
         WHERE username = ?1 AND status = 'cooldown' AND cooldown_until IS ?2",
    )
    .bind(username.as_str())
    .bind(ended.map(millis))
    .execute(&mut tx.conn)
    .await?;
    if written.rows_affected() > 0 {
        tx.tell(event.clone())?;
    }
    Ok(())
}

/// Notes the start of an attempt for the account.
pub(super) async fn touch_account(tx: &mut Transaction, (username, at): &(Username, Timestamp)) -> Result<(), Fault> {
    let written = sqlx::query("UPDATE account SET last_used = ?2 WHERE username = ?1")
        .bind(username.as_str())
        .bind(millis(*at))
        .execute(&mut tx.conn)
        .await?;
    must_exist(username, written.rows_affected())
}

/// Deletes an account; `false` when there is none.
pub(super) async fn delete_account(tx: &mut Transaction, username: &Username) -> Result<bool, Fault> {
    let row = sqlx::query("SELECT task_id FROM attempt WHERE username = ?1 AND finished_at IS NULL")
        .bind(username.as_str())
        .fetch_optional(&mut tx.conn)
        .await?;
    if let Some(row) = row {
        let task: i64 = get(&row, "task_id")?;
        return Err(Fault::Conflict(format!(
            "task {task} runs for account {username}: stop it, or wait for its end"
        )));
    }
    let deleted = sqlx::query("DELETE FROM account WHERE username = ?1")
        .bind(username.as_str())
        .execute(&mut tx.conn)
        .await?;
    let deleted = deleted.rows_affected() > 0;
    if deleted {
        tell(tx, username, "account.deleted")?;
    }
    Ok(deleted)
}

/// What a person did; who listens asks for the account itself.
fn tell(tx: &mut Transaction, username: &Username, kind: &str) -> Result<(), Fault> {
    tx.tell(NewEvent {
        topic: EventTopic::Account,
        kind: kind.to_owned(),
        subject: username.to_string(),
        data: serde_json::json!({}),
    })
}

/// One account.
pub(super) async fn find_account(
    conn: &mut SqliteConnection,
    username: &Username,
) -> Result<Option<AccountRecord>, Fault> {
    let row = sqlx::query("SELECT * FROM account WHERE username = ?1")
        .bind(username.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(account_of).transpose()
}

fn must_exist(username: &Username, rows: u64) -> Result<(), Fault> {
    if rows == 0 {
        return Err(Fault::Conflict(format!("account {username} does not exist")));
    }
    Ok(())
}

fn account_of(row: &SqliteRow) -> Result<AccountRecord, Fault> {
    let word: &str = get(row, "status")?;
    let package = get::<Option<&str>>(row, "package")?.map(|text| {
        Package::parse(text).map_err(|error| Fault::Row(format!("the database holds a name that is none: {error}")))
    });
    Ok(AccountRecord {
        username: get_username(row, "username")?,
        app: get(row, "app")?,
        package: package.transpose()?,
        serial: get_serial_opt(row, "serial")?,
        status: AccountStatus::from_word(word).ok_or_else(|| {
            Fault::Row(format!(
                "the database holds an account that is {word}, which is no status"
            ))
        })?,
        status_reason: get(row, "status_reason")?,
        evidence: get(row, "evidence")?,
        cooldown_until: get_time_opt(row, "cooldown_until")?,
        status_revision: get_unsigned(row, "status_revision")?,
        limits: get_json(row, "limits")?,
        last_used: get_time_opt(row, "last_used")?,
        created_at: get_time(row, "created_at")?,
    })
}
