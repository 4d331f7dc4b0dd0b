//! Lists of tasks, newest first, with any filter.

use farmhand_actors::domain::{FailureReason, ScriptName, Serial, Source, Status, Task, Username};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{
    fault::Fault,
    task::task_of,
    value::{get_script, get_unsigned},
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
    /// Whether only columns are filtered by which tasks are counted.
    fn is_counted(&self) -> bool {
        self.serial.is_none() && self.username.is_none() && self.batch_id.is_none()
    }
}

/// How many tasks the filter names, and those of one page (from 1).
pub(super) async fn list_tasks(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    page: u32,
    page_size: u32,
) -> Result<(u64, Vec<Task>), Fault> {
    let total = count(conn, filter).await?;
    let offset = u64::from(page.saturating_sub(1)).saturating_mul(u64::from(page_size));
    if offset >= total {
        return Ok((total, Vec::new()));
    }
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM task WHERE id IN (SELECT id FROM task");
    push_conditions(&mut query, filter);
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(page_size));
    query
        .push(" OFFSET ")
        .push_bind(i64::try_from(offset).unwrap_or(i64::MAX))
        .push(") ORDER BY id DESC");
    let rows = query.build().fetch_all(conn).await?;
    Ok((total, rows.iter().map(task_of).collect::<Result<_, _>>()?))
}

/// Scripts of flows that were sent by themselves (`flow:…`) and that a task names.
pub(super) async fn list_sent_scripts(conn: &mut SqliteConnection) -> Result<Vec<ScriptName>, Fault> {
    // `;` is the letter after `:`: a range of the index instead of a look at every task.
    let rows =
        sqlx::query("SELECT DISTINCT script_name FROM task WHERE script_name >= 'flow:' AND script_name < 'flow;'")
            .fetch_all(conn)
            .await?;
    rows.iter().map(|row| get_script(row, "script_name")).collect()
}

async fn count(conn: &mut SqliteConnection, filter: &TaskFilter) -> Result<u64, Fault> {
    let mut query;
    if filter.is_counted() {
        query = QueryBuilder::<Sqlite>::new("SELECT coalesce(sum(n), 0) AS total FROM task_count WHERE true");
        for (condition, bound) in conditions(filter) {
            push_condition(&mut query, " AND ", condition, bound);
        }
    } else {
        query = QueryBuilder::<Sqlite>::new("SELECT count(*) AS total FROM task");
        push_conditions(&mut query, filter);
    }
    let row = query.build().fetch_one(conn).await?;
    get_unsigned(&row, "total")
}

/// Pushes the conditions on `task`. The first leads to an index; the `+` before the others keeps SQLite from preferring
/// theirs, which is worse: the order is from the most to the least selective.
fn push_conditions(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    let mut word = " WHERE ";
    if filter.status == Some(Status::Running) {
        query.push(" WHERE id IN (SELECT task_id FROM attempt WHERE finished_at IS NULL)");
        word = " AND +";
    }
    for (condition, bound) in conditions(filter) {
        if word == " WHERE " && condition == STATUS {
            // So that SQLite sees that the index has all that is asked for.
            query.push(" WHERE status <> 1");
            word = " AND ";
        }
        push_condition(query, word, condition, bound);
        word = " AND +";
    }
}

fn push_condition(query: &mut QueryBuilder<Sqlite>, word: &str, condition: &str, bound: Bound<'_>) {
    query.push(word).push(condition);
    match bound {
        Bound::Text(text) => query.push_bind(text.to_owned()),
        Bound::Number(number) => query.push_bind(number),
    };
}

const STATUS: &str = "status = ";

/// The conditions of the filter, the most selective first.
fn conditions(filter: &TaskFilter) -> impl Iterator<Item = (&'static str, Bound<'_>)> {
    let text = Bound::Text;
    [
        ("batch_id = ", filter.batch_id.as_deref().map(text)),
        (
            "username = ",
            filter.username.as_ref().map(|username| text(username.as_str())),
        ),
        ("serial = ", filter.serial.as_ref().map(|serial| text(serial.as_str()))),
        (
            "failure_reason = ",
            filter.failure_reason.map(|reason| text(reason.as_str())),
        ),
        (STATUS, filter.status.map(|status| Bound::Number(status.number()))),
        (
            "script_name = ",
            filter.script_name.as_ref().map(|script| text(script.as_str())),
        ),
        ("source = ", filter.source.map(|source| text(source.as_str()))),
    ]
    .into_iter()
    .filter_map(|(condition, bound)| Some((condition, bound?)))
}

enum Bound<'a> {
    Text(&'a str),
    Number(i64),
}
