//! Lists of what runs, and of a request's tasks: counted and paged in the entries of one index.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use farmhand_actors::domain::Status;

use super::{Page, TaskFilter, push_batch, push_kind, push_names, push_status};
use crate::store::{
    fault::Fault,
    value::{get, get_unsigned},
};

/// Numbers that the tasks of a request may lie between for their rows to be walked one after the other. They are made
/// together, so there is hardly another one between them.
const SPAN_MAX: i64 = 20_000;

/// A walk over one index from the newest task to the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Walk {
    /// The live attempts: at most one for each device.
    Live,
    /// The tasks of one request, one by one.
    Batch,
    /// The rows between the first and the last task of one request.
    Span,
    /// The tasks between these that have failed.
    Failed,
}

/// How many tasks the filter names, and the numbers of those on a page.
pub(super) async fn find(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    page: Page,
) -> Result<(u64, Vec<i64>), Fault> {
    let walk = if filter.status() == Some(Status::Running) {
        Walk::Live
    } else {
        walk_of_batch(conn, filter).await?
    };
    let row = total_query(walk, filter).build().fetch_one(&mut *conn).await?;
    let total = get_unsigned(&row, "total")?;
    if page.offset >= total {
        return Ok((total, Vec::new()));
    }
    let ids = super::select(conn, page_query(walk, filter, page)).await?;
    Ok((total, ids))
}

/// How many tasks the filter names.
pub(in crate::store) fn total_query(walk: Walk, filter: &TaskFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT count(*) AS total FROM (");
    push_walk(&mut query, walk, filter);
    query.push(")");
    query
}

/// The numbers of the tasks on a page.
pub(in crate::store) fn page_query(walk: Walk, filter: &TaskFilter, page: Page) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("");
    push_walk(&mut query, walk, filter);
    page.push(&mut query);
    query
}

/// How the tasks of a request are found, without a device or an account.
async fn walk_of_batch(conn: &mut SqliteConnection, filter: &TaskFilter) -> Result<Walk, Fault> {
    if filter.status() == Some(Status::Failed) {
        return Ok(Walk::Failed);
    }
    // Its index counts a whole request without a look at the rows.
    if filter.status().is_none() && filter.script_name.is_none() && filter.source.is_none() {
        return Ok(Walk::Batch);
    }
    let span = span_of_batch(conn, filter).await?;
    let near = span.is_none_or(|(first, last)| last - first <= SPAN_MAX);
    Ok(if near { Walk::Span } else { Walk::Batch })
}

/// The numbers of the first and the last task of the request.
pub(super) async fn span_of_batch(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
) -> Result<Option<(i64, i64)>, Fault> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    push_end_of_batch(&mut query, "min", filter);
    query.push(" AS first, ");
    push_end_of_batch(&mut query, "max", filter);
    query.push(" AS last");
    let row = query.build().fetch_one(conn).await?;
    Ok(get::<Option<i64>>(&row, "first")?.zip(get(&row, "last")?))
}

fn push_walk(query: &mut QueryBuilder<Sqlite>, walk: Walk, filter: &TaskFilter) {
    match walk {
        Walk::Live => {
            query.push("SELECT id FROM task NOT INDEXED");
            query.push(" WHERE id IN (SELECT task_id FROM attempt WHERE finished_at IS NULL)");
            push_names(query, filter);
        }
        Walk::Batch => {
            query.push("SELECT id FROM task INDEXED BY task_by_batch WHERE true");
        }
        Walk::Span => {
            query.push("SELECT id FROM task NOT INDEXED WHERE true");
            push_span(query, filter);
        }
        Walk::Failed => {
            query.push("SELECT id FROM task INDEXED BY task_failed WHERE true");
            push_span(query, filter);
        }
    }
    push_batch(query, filter);
    push_status(query, filter.status());
    push_kind(query, filter);
}

/// Pushes between which numbers the tasks of the request are.
fn push_span(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    query.push(" AND id BETWEEN ");
    push_end_of_batch(query, "min", filter);
    query.push(" AND ");
    push_end_of_batch(query, "max", filter);
}

/// Pushes the number of the first (`min`) or last (`max`) task of the request.
fn push_end_of_batch(query: &mut QueryBuilder<Sqlite>, end: &str, filter: &TaskFilter) {
    query
        .push("(SELECT ")
        .push(end)
        .push("(id) FROM task INDEXED BY task_by_batch WHERE true");
    push_batch(query, filter);
    query.push(")");
}
