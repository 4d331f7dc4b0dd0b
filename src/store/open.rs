//! Opening the database: looked at before it is touched, brought up to date, refused with a reason.

use std::{
    ffi::OsString,
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use farmhand_actors::ports::StoreError;
use sqlx::{
    ConnectOptions, Connection, SqlSafeStr, SqliteConnection, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{fault::Fault, value::get};

/// Why a database cannot be used; the file is as it was.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("database.url is {0:?}: this version stores in SQLite; write sqlite://data/farmhand.db")]
    Url(String),
    #[error("{}: {problem}; {mend}", path.display())]
    File {
        path: PathBuf,
        problem: String,
        mend: &'static str,
    },
}

const MEND_PERMISSION: &str = "see that its folder exists on a local disk and that farmhand may write there";
const MEND_BACKUP: &str = "farmhand has not changed it: put a backup in its place, or move it away to begin anew";
const MEND_UPGRADE: &str = "farmhand has not changed it: start the version that wrote it, or a newer one";
const MEND_OTHER: &str = "farmhand has not changed it: set database.url to another file";

/// Readers at the same time; each costs a thread and its page cache.
const READERS_MAX: u32 = 4;

/// Beyond this many bytes only the header and the schema are checked at the start: a full check reads the whole file.
const CHECKED_BYTES_MAX: u64 = 192 * 1024 * 1024;

/// The connections to a database that was found to be in order.
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) readers: SqlitePool,
}

/// The migrations, in order. They are never changed once released.
pub(super) fn migrations() -> Vec<Migration> {
    [
        (1, "task engine", include_str!("../../migrations/0001_task_engine.sql")),
        (2, "farm", include_str!("../../migrations/0002_farm.sql")),
        (3, "outbox", include_str!("../../migrations/0003_outbox.sql")),
        (4, "api key", include_str!("../../migrations/0004_api_key.sql")),
        (5, "flow hash", include_str!("../../migrations/0005_flow_hash.sql")),
        (
            6,
            "device state",
            include_str!("../../migrations/0006_device_state.sql"),
        ),
        (7, "schedule", include_str!("../../migrations/0007_schedule.sql")),
        (8, "webhook", include_str!("../../migrations/0008_webhook.sql")),
        (9, "scale", include_str!("../../migrations/0009_scale.sql")),
        (
            10,
            "effect counts",
            include_str!("../../migrations/0010_effect_counts.sql"),
        ),
        (11, "device app", include_str!("../../migrations/0011_device_app.sql")),
        (12, "gaps", include_str!("../../migrations/0012_gaps.sql")),
        (13, "checkpoint", include_str!("../../migrations/0013_checkpoint.sql")),
        (14, "lean", include_str!("../../migrations/0014_lean.sql")),
        (15, "quiet", include_str!("../../migrations/0015_quiet.sql")),
        (16, "indexes", include_str!("../../migrations/0016_indexes.sql")),
        (
            17,
            "effects_and_accounts",
            include_str!("../../migrations/0017_effects_and_accounts.sql"),
        ),
        (
            18,
            "past_effects",
            include_str!("../../migrations/0018_past_effects.sql"),
        ),
        (
            19,
            "planned_since",
            include_str!("../../migrations/0019_planned_since.sql"),
        ),
        (20, "repetition", include_str!("../../migrations/0020_repetition.sql")),
    ]
    .into_iter()
    .map(|(version, name, sql)| Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false))
    .collect()
}

/// Opens (or creates) the database that the URL names.
pub(super) async fn open(url: &str, busy_timeout: Duration) -> Result<Opened, StoreError> {
    let path = path_of(url)?;
    match std::fs::metadata(&path) {
        Ok(_) => check(&path, busy_timeout).await?,
        Err(error) if error.kind() == ErrorKind::NotFound => create(&path, busy_timeout).await?,
        Err(error) => return Err(refuse(&path, format!("cannot be read: {error}"), MEND_PERMISSION)),
    }
    let mut writer = connect(&path, writing(&path, busy_timeout)).await?;
    migrate(&path, &mut writer).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(busy_timeout)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(reading(&path, busy_timeout))
        .await
        .map_err(|error| unusable(&path, error))?;
    Ok(Opened { writer, readers })
}

fn path_of(url: &str) -> Result<PathBuf, StoreError> {
    let path = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))
        .filter(|path| !path.is_empty() && !path.starts_with(':') && !path.contains('?'));
    path.map(PathBuf::from)
        .ok_or_else(|| broken(&Refusal::Url(url.to_owned())))
}

fn broken(refusal: &Refusal) -> StoreError {
    StoreError::Broken(refusal.to_string())
}

fn refuse(path: &Path, problem: String, mend: &'static str) -> StoreError {
    let path = path.to_owned();
    broken(&Refusal::File { path, problem, mend })
}

fn common(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy_timeout)
        .foreign_keys(true)
        // Rows that SQLite's thread may send ahead: fewer make it wait for us again and again.
        .row_buffer_size(4096)
        .thread_name(|id| format!("sqlite-{id}"))
        .disable_statement_logging()
}

fn writing(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    common(path, busy_timeout)
        .journal_mode(SqliteJournalMode::Wal)
        // The log is synced before every answer; see "durable before reply".
        .synchronous(SqliteSynchronous::Full)
        // 16 MiB of log between checkpoints: a page that changes often is then copied once, not each time.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-16384")
        .pragma("temp_store", "MEMORY")
}

fn reading(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    common(path, busy_timeout)
        .read_only(true)
        .pragma("cache_size", "-4096")
        .pragma("mmap_size", "268435456")
}

async fn connect(path: &Path, options: SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    options.connect().await.map_err(|error| unusable(path, error))
}

/// A fresh database without tables, with the durability of the store's own.
pub(super) async fn open_bare(path: &Path) -> Result<SqliteConnection, StoreError> {
    let busy_timeout = Duration::from_secs(1);
    connect(path, writing(path, busy_timeout).create_if_missing(true)).await
}

fn unusable(path: &Path, error: sqlx::Error) -> StoreError {
    let fault = Fault::Sql(error);
    match fault.told() {
        away @ StoreError::Away(_) => away,
        told if fault.is_damage() => refuse(path, format!("is damaged: {told}"), MEND_BACKUP),
        told => refuse(path, format!("cannot be opened: {told}"), MEND_PERMISSION),
    }
}

/// Creates a database beside its place and moves it there when it is whole: so a file that is there is never half one.
async fn create(path: &Path, busy_timeout: Duration) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| refuse(path, format!("cannot be created: {error}"), MEND_PERMISSION);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let draft = beside(path, ".new");
    for leftover in [draft.clone(), beside(&draft, "-wal"), beside(&draft, "-shm")] {
        match std::fs::remove_file(leftover) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let mut conn = connect(path, writing(&draft, busy_timeout).create_if_missing(true)).await?;
    migrate(path, &mut conn).await?;
    conn.close().await.map_err(|error| Fault::Sql(error).told())?;
    std::fs::rename(&draft, path).map_err(failed)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Brings the schema up to date. A table that is made anew is dropped and replaced, which must not take along what refers
/// to its rows; within a migration's own transaction foreign keys cannot be switched any more.
async fn migrate(path: &Path, conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed =
        |error: &dyn std::fmt::Display| refuse(path, format!("cannot be brought up to date: {error}"), MEND_UPGRADE);
    let off = sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *conn);
    off.await.map_err(|error| failed(&error))?;
    let migrated = Migrator::with_migrations(migrations()).run(&mut *conn).await;
    migrated.map_err(|error| failed(&error))?;
    let on = sqlx::query("PRAGMA foreign_keys = ON").execute(conn);
    on.await.map_err(|error| failed(&error))?;
    Ok(())
}

/// Looks at a file without changing it.
async fn check(path: &Path, busy_timeout: Duration) -> Result<(), StoreError> {
    let length = check_header(path)?;
    let mut conn = connect(path, reading(path, busy_timeout)).await?;
    let checked = check_content(path, &mut conn, length).await;
    if let Err(error) = conn.close().await {
        tracing::debug!(%error, "the connection that checked the database was not closed cleanly");
    }
    checked
}

/// Checks the file's first 100 bytes (<https://www.sqlite.org/fileformat2.html#the_database_header>) and its length.
fn check_header(path: &Path) -> Result<u64, StoreError> {
    let unreadable = |error: std::io::Error| refuse(path, format!("cannot be read: {error}"), MEND_PERMISSION);
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length == 0 {
        return Err(refuse(path, "is empty, so it was cut off".to_owned(), MEND_BACKUP));
    }
    let mut header = [0_u8; 100];
    match file.read_exact(&mut header) {
        Ok(()) if header.starts_with(b"SQLite format 3\0") => {}
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(unreadable(error)),
        _ => return Err(refuse(path, "is not an SQLite database".to_owned(), MEND_OTHER)),
    }
    let [.., high, low, _, _, _, _, _, _, _, _, _, _] = first_bytes::<28>(&header);
    let page_size = match u64::from(u16::from_be_bytes([high, low])) {
        1 => 65_536,
        size => size,
    };
    let [.., a, b, c, d] = first_bytes::<32>(&header);
    let pages = u64::from(u32::from_be_bytes([a, b, c, d]));
    // A log that was left behind holds what a checkpoint was about to write.
    let log = std::fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
    if log == 0 && length < pages.saturating_mul(page_size) {
        let whole = pages.saturating_mul(page_size);
        let problem = format!("is cut off: it has {length} of {whole} bytes");
        return Err(refuse(path, problem, MEND_BACKUP));
    }
    Ok(length)
}

fn first_bytes<const N: usize>(header: &[u8; 100]) -> [u8; N] {
    header.first_chunk::<N>().copied().unwrap_or([0; N])
}

async fn check_content(path: &Path, conn: &mut SqliteConnection, length: u64) -> Result<(), StoreError> {
    let damaged = |fault: Fault| match fault.told() {
        StoreError::Away(problem) => StoreError::Away(problem),
        _ => refuse(path, format!("is damaged: {fault}"), MEND_BACKUP),
    };
    let tables = list_names(conn, "SELECT name FROM sqlite_schema WHERE type = 'table'")
        .await
        .map_err(damaged)?;
    if !tables.iter().any(|table| table == "_sqlx_migrations") {
        let problem = "is a database of another program".to_owned();
        return Err(refuse(path, problem, MEND_OTHER));
    }
    let known = migrations()
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    let row = sqlx::query("SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations")
        .fetch_one(&mut *conn)
        .await
        .map_err(|error| damaged(Fault::Sql(error)))?;
    let version: i64 = get(&row, "version").map_err(damaged)?;
    if version > known {
        let problem = format!("was written by a newer farmhand (schema {version}; this one knows {known})");
        return Err(refuse(path, problem, MEND_UPGRADE));
    }
    if length <= CHECKED_BYTES_MAX {
        let problems = list_names(conn, "PRAGMA quick_check(1)").await.map_err(damaged)?;
        if let Some(problem) = problems.into_iter().find(|problem| problem != "ok") {
            return Err(damaged(Fault::Row(problem)));
        }
    }
    Ok(())
}

async fn list_names(conn: &mut SqliteConnection, sql: &'static str) -> Result<Vec<String>, Fault> {
    let rows = sqlx::query(sql).fetch_all(conn).await?;
    rows.iter().map(|row| get(row, 0)).collect()
}
