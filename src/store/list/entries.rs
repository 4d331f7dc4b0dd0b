//! Lists of a device, an account or a request, and of what runs: counted and paged in the entries of one index.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use farmhand_actors::domain::Status;

use super::{Page, TaskFilter, push_kind, push_status};
use crate::store::{
    fault::Fault,
    value::{get, get_unsigned, json},
};

/// Lanes of a list that are merged in order; with more of them all their entries are sorted. Devices have few accounts.
const MERGED_MAX: usize = 4;

/// Numbers that the tasks of a request may lie between for their rows to be walked one after the other. They are made
/// together, so there is hardly another one between them.
const SPAN_MAX: i64 = 20_000;

/// A walk over one index from the newest task to the oldest; several are merged.
pub(in crate::store) enum Walk {
    /// The live attempts: at most one for each device.
    Live,
    /// The tasks of one request, one by one.
    Batch,
    /// The rows between the first and the last task of one request.
    Span,
    /// The tasks between these that have failed.
    Failed,
    /// The tasks of one lane.
    Lane(i64),
    /// The tasks of many lanes.
    Lanes(Vec<i64>),
    /// Tasks for an account that name no device belong to no lane.
    NoLane,
}

/// How many tasks the filter names, and the numbers of those on a page.
pub(super) async fn find(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    page: Page,
) -> Result<(u64, Vec<i64>), Fault> {
    let walks = walks(conn, filter).await?;
    if walks.is_empty() {
        return Ok((0, Vec::new()));
    }
    let mut query = total_query(&walks, filter)?;
    let total = get_unsigned(&query.build().fetch_one(&mut *conn).await?, "total")?;
    if page.offset >= total {
        return Ok((total, Vec::new()));
    }
    let rows = page_query(&walks, filter, page)?.build().fetch_all(conn).await?;
    Ok((total, rows.iter().map(|row| get(row, "id")).collect::<Result<_, _>>()?))
}

/// How many tasks the filter names.
pub(in crate::store) fn total_query(walks: &[Walk], filter: &TaskFilter) -> Result<QueryBuilder<Sqlite>, Fault> {
    let mut query = QueryBuilder::new("SELECT count(*) AS total FROM (");
    push_walks(&mut query, walks, filter)?;
    query.push(")");
    Ok(query)
}

/// The numbers of the tasks on a page.
pub(in crate::store) fn page_query(
    walks: &[Walk],
    filter: &TaskFilter,
    page: Page,
) -> Result<QueryBuilder<Sqlite>, Fault> {
    let mut query = QueryBuilder::new("");
    push_walks(&mut query, walks, filter)?;
    page.push(&mut query);
    Ok(query)
}

/// The walks that find all that the filter names.
pub(in crate::store) async fn walks(conn: &mut SqliteConnection, filter: &TaskFilter) -> Result<Vec<Walk>, Fault> {
    if filter.status() == Some(Status::Running) {
        return Ok(vec![Walk::Live]);
    }
    if filter.batch_id.is_some() && filter.serial.is_none() && filter.username.is_none() {
        return Ok(vec![walk_of_batch(conn, filter).await?]);
    }
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM lane WHERE true");
    push_names(&mut query, filter);
    if filter.serial.is_none() {
        query.push(
            " UNION ALL SELECT NULL WHERE EXISTS (SELECT 1 FROM task INDEXED BY task_by_lane WHERE lane_id IS NULL)",
        );
    }
    let rows = query.build().fetch_all(conn).await?;
    let mut walks = Vec::new();
    let mut lanes = Vec::new();
    for row in &rows {
        match get::<Option<i64>>(row, "id")? {
            Some(lane) => lanes.push(lane),
            None => walks.push(Walk::NoLane),
        }
    }
    if lanes.len() <= MERGED_MAX {
        walks.extend(lanes.into_iter().map(Walk::Lane));
    } else {
        walks.push(Walk::Lanes(lanes));
    }
    Ok(walks)
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
    let mut query = QueryBuilder::<Sqlite>::new("SELECT coalesce(");
    push_end_of_batch(&mut query, "max", filter);
    query.push(" - ");
    push_end_of_batch(&mut query, "min", filter);
    query.push(", 0) AS span");
    let span: i64 = get(&query.build().fetch_one(conn).await?, "span")?;
    Ok(if span <= SPAN_MAX { Walk::Span } else { Walk::Batch })
}

fn push_walks(query: &mut QueryBuilder<Sqlite>, walks: &[Walk], filter: &TaskFilter) -> Result<(), Fault> {
    for (place, walk) in walks.iter().enumerate() {
        query.push(if place == 0 { "" } else { " UNION ALL " });
        match walk {
            Walk::Live => {
                query.push("SELECT id FROM task NOT INDEXED");
                query.push(" WHERE id IN (SELECT task_id FROM attempt WHERE finished_at IS NULL)");
                push_names(query, filter);
                push_batch(query, filter);
            }
            Walk::Batch => {
                query.push("SELECT id FROM task INDEXED BY task_by_batch WHERE true");
                push_batch(query, filter);
                push_names(query, filter);
            }
            Walk::Span => {
                query.push("SELECT id FROM task NOT INDEXED WHERE true");
                push_batch(query, filter);
                push_span(query, filter);
            }
            Walk::Failed => {
                query.push("SELECT id FROM task INDEXED BY task_failed WHERE true");
                push_batch(query, filter);
                push_span(query, filter);
            }
            Walk::Lane(lane) => {
                query.push(of_lane(filter)).push(" = ").push_bind(*lane);
                push_batch(query, filter);
                push_span(query, filter);
            }
            Walk::Lanes(lanes) => {
                let lanes = json(lanes)?;
                query.push(of_lane(filter)).push(" IN (SELECT value FROM json_each(");
                query.push_bind(lanes).push("))");
                push_batch(query, filter);
                push_span(query, filter);
            }
            Walk::NoLane => {
                query.push(of_lane(filter)).push(" IS NULL");
                push_names(query, filter);
                push_batch(query, filter);
                push_span(query, filter);
            }
        }
        push_status(query, filter.status());
        push_kind(query, filter);
    }
    Ok(())
}

/// The tasks of a lane, from the index that has all that is asked for.
fn of_lane(filter: &TaskFilter) -> &'static str {
    match filter.status() {
        None | Some(Status::Running) => "SELECT id FROM task INDEXED BY task_by_lane WHERE lane_id",
        // The index's own condition is that of the status.
        Some(Status::Pending) => "SELECT id FROM task INDEXED BY task_lane WHERE lane_id",
        Some(Status::Completed | Status::Failed) => {
            "SELECT id FROM task INDEXED BY task_finished WHERE state IN ('completed', 'failed') AND lane_id"
        }
    }
}

fn push_names(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    if let Some(serial) = &filter.serial {
        query.push(" AND serial = ").push_bind(serial.as_str().to_owned());
    }
    if let Some(username) = &filter.username {
        query.push(" AND username = ").push_bind(username.as_str().to_owned());
    }
}

/// Pushes between which numbers the tasks of the request are.
fn push_span(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    if filter.batch_id.is_some() {
        query.push(" AND id BETWEEN ");
        push_end_of_batch(query, "min", filter);
        query.push(" AND ");
        push_end_of_batch(query, "max", filter);
    }
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

fn push_batch(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter) {
    if let Some(batch) = &filter.batch_id {
        query.push(" AND batch_id = ").push_bind(batch.clone());
    }
}
