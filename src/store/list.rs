//! Lists of tasks, newest first, with any filter: never by a walk over a table, nor over the rows before a page.
//!
//! A page is found by passing over whole blocks: how many tasks each has is counted in advance ([`blocks`]), or, for those
//! of a device or an account, in sums of blocks at rest and in the entries of an index that holds all that can be asked for
//! ([`lanes`]). What runs, and a request's tasks, lie close together: they are walked over ([`entries`]).

pub(super) mod blocks;
pub(super) mod entries;
pub(super) mod lanes;

use farmhand_actors::domain::{FailureReason, ScriptName, Serial, Source, Status, Task, Username};
use sqlx::{Connection, QueryBuilder, Sqlite, SqliteConnection};

use super::{
    counts::ALL_BLOCKS,
    fault::Fault,
    task::task_of,
    value::{get, get_script, json},
};

/// Which tasks to list; `None` means any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Only with this status.
    pub status: Option<Status>,
    /// Only this device's.
    pub serial: Option<Serial>,
    /// Only this account's.
    pub username: Option<Username>,
    /// Only of this script.
    pub script_name: Option<ScriptName>,
    /// Only from there.
    pub source: Option<Source>,
    /// Only of this request.
    pub batch_id: Option<String>,
    /// Only those that failed for this reason.
    pub failure_reason: Option<FailureReason>,
}

impl TaskFilter {
    /// The status that a task must have: what has a failure's reason has failed.
    fn status(&self) -> Option<Status> {
        self.failure_reason.map_or(self.status, |_| Some(Status::Failed))
    }

    /// Whether it asks for something that no task can be.
    fn is_contradictory(&self) -> bool {
        self.failure_reason.is_some() && self.status.is_some_and(|status| status != Status::Failed)
    }

    /// Whether only columns are filtered by which tasks are counted.
    fn is_counted(&self) -> bool {
        !self.is_of_lanes() && self.batch_id.is_none()
    }

    /// Whether it asks for the tasks of a device or an account.
    fn is_of_lanes(&self) -> bool {
        self.serial.is_some() || self.username.is_some()
    }
}

/// A part of a list, in the order of the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub offset: u64,
    pub size: u64,
}

impl Page {
    /// The part of the page that lies in something that holds `n` of the list's tasks; the rest of the page comes after it.
    fn cut(&mut self, n: u64) -> Page {
        let part = Page {
            offset: self.offset,
            size: n.saturating_sub(self.offset).min(self.size),
        };
        self.offset = self.offset.saturating_sub(n);
        self.size -= part.size;
        part
    }

    /// Pushes what cuts the page out of all tasks that a query names.
    fn push(self, query: &mut QueryBuilder<Sqlite>) {
        query.push(" ORDER BY id DESC LIMIT ").push_bind(number(self.size));
        query.push(" OFFSET ").push_bind(number(self.offset));
    }
}

/// How many tasks the filter names, and those of one page (from 1).
pub(super) async fn list_tasks(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    page: u32,
    page_size: u32,
) -> Result<(u64, Vec<Task>), Fault> {
    if filter.is_contradictory() {
        return Ok((0, Vec::new()));
    }
    let page = Page {
        offset: u64::from(page.saturating_sub(1)).saturating_mul(u64::from(page_size)),
        size: u64::from(page_size),
    };
    // All of it sees the database as it was at one instant.
    let mut snapshot = conn.begin().await?;
    let (total, ids) = if filter.status() == Some(Status::Running) {
        entries::find(&mut snapshot, filter, page).await?
    } else if filter.is_counted() {
        blocks::find(&mut snapshot, filter, page).await?
    } else if filter.is_of_lanes() {
        lanes::find(&mut snapshot, filter, page).await?
    } else {
        entries::find(&mut snapshot, filter, page).await?
    };
    let rows = sqlx::query("SELECT * FROM task WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id DESC")
        .bind(json(&ids)?)
        .fetch_all(&mut *snapshot)
        .await?;
    snapshot.rollback().await?;
    Ok((total, rows.iter().map(task_of).collect::<Result<_, _>>()?))
}

/// Scripts of flows that were sent by themselves (`flow:…`) and that a task names.
pub(super) async fn list_sent_scripts(conn: &mut SqliteConnection) -> Result<Vec<ScriptName>, Fault> {
    // `;` is the letter after `:`.
    let rows = sqlx::query(
        "SELECT DISTINCT script_name FROM task_count
         WHERE block = ?1 AND script_name >= 'flow:' AND script_name < 'flow;' AND n > 0",
    )
    .bind(ALL_BLOCKS)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| get_script(row, "script_name")).collect()
}

/// Pushes the condition that a task has a status, by the states that make it up: `status` itself is computed from the
/// whole row, so that no index would have all that is asked for.
fn push_status(query: &mut QueryBuilder<Sqlite>, status: Option<Status>) {
    query.push(match status {
        None => "",
        Some(Status::Pending) => " AND finished_at IS NULL AND state <> 'running'",
        Some(Status::Running) => " AND state = 'running'",
        Some(Status::Completed) => " AND state = 'completed'",
        Some(Status::Failed) => " AND state = 'failed'",
    });
}

/// Pushes the filter's conditions on what tasks are counted by.
pub(super) fn push_counted(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    if let Some(status) = filter.status() {
        query.push(" AND status = ").push_bind(status.number());
    }
    push_kind(query, filter);
}

/// Pushes the conditions on columns that every index for lists has.
fn push_kind(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    if let Some(reason) = filter.failure_reason {
        query.push(" AND failure_reason = ").push_bind(reason.as_str());
    }
    if let Some(script) = &filter.script_name {
        query.push(" AND script_name = ").push_bind(script.as_str().to_owned());
    }
    if let Some(source) = filter.source {
        // As a word: a bound one does not tell SQLite that a partial index has all that is asked for.
        query.push(match source {
            Source::Api => " AND source = 'api'",
            Source::Ui => " AND source = 'ui'",
        });
    }
}

/// Pushes what tells pending tasks from those that run, among those of an index that knows neither.
fn push_waits(query: &mut QueryBuilder<Sqlite>) {
    query.push(" AND id NOT IN (SELECT task_id FROM attempt WHERE finished_at IS NULL)");
}

/// Pushes the names of a device and an account.
fn push_names(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    if let Some(serial) = &filter.serial {
        query.push(" AND serial = ").push_bind(serial.as_str().to_owned());
    }
    if let Some(username) = &filter.username {
        query.push(" AND username = ").push_bind(username.as_str().to_owned());
    }
}

fn push_batch(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    if let Some(batch) = &filter.batch_id {
        query.push(" AND batch_id = ").push_bind(batch.clone());
    }
}

async fn select(conn: &mut SqliteConnection, mut query: QueryBuilder<Sqlite>) -> Result<Vec<i64>, Fault> {
    let rows = query.build().fetch_all(conn).await?;
    rows.iter().map(|row| get(row, "id")).collect()
}

/// A number for SQLite.
fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
