//! Lists of a device or an account: each block's tasks of their lanes are counted in the entries of an index, and a page is
//! read from the blocks that it lies in.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use farmhand_actors::domain::Status;

use super::{
    Page, TaskFilter, blocks::push_counted, entries::span_of_batch, push_batch, push_kind, push_names, push_waits,
    select,
};
use crate::store::{
    counts::{ALL_BLOCKS, BLOCK_TASKS},
    fault::Fault,
    value::{get, get_unsigned, json},
};

/// How many tasks the filter names, and the numbers of those on a page.
pub(super) async fn find(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    page: Page,
) -> Result<(u64, Vec<i64>), Fault> {
    let (mut total, mut rest) = (0, page);
    let mut ids = Vec::new();
    let lanes = lanes_of(conn, filter).await?;
    let blocks = json(&blocks_of(conn, filter).await?)?;
    let rows = counts_query(&lanes, filter, blocks)
        .build()
        .fetch_all(&mut *conn)
        .await?;
    for row in &rows {
        let n: u64 = get_unsigned(row, "n")?;
        total += n;
        let part = rest.cut(n);
        if part.size > 0 {
            let block = get(row, "block")?;
            ids.extend(select(conn, part_query(&lanes, filter, block, part)).await?);
        }
    }
    Ok((total, ids))
}

/// The lanes that the filter names, as the queries want them.
async fn lanes_of(conn: &mut SqliteConnection, filter: &TaskFilter) -> Result<String, Fault> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM lane WHERE true");
    push_names(&mut query, filter);
    json(&select(conn, query).await?)
}

/// The blocks that may have tasks which the filter names, the newest first.
async fn blocks_of(conn: &mut SqliteConnection, filter: &TaskFilter) -> Result<Vec<i64>, Fault> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT DISTINCT block FROM task_count WHERE n > 0 AND block > ");
    query.push_bind(ALL_BLOCKS);
    push_counted(&mut query, filter);
    if filter.batch_id.is_some() {
        let Some((first, last)) = span_of_batch(conn, filter).await? else {
            return Ok(Vec::new());
        };
        query.push(" AND block BETWEEN ").push_bind(first / BLOCK_TASKS);
        query.push(" AND ").push_bind(last / BLOCK_TASKS);
    }
    query.push(" ORDER BY block DESC");
    let rows = query.build().fetch_all(conn).await?;
    rows.iter().map(|row| get(row, "block")).collect()
}

/// How many tasks that the filter names each of the blocks has, in the order of the blocks.
pub(in crate::store) fn counts_query(lanes: &str, filter: &TaskFilter, blocks: String) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT block.value AS block, (SELECT count(*) FROM (");
    push_block(&mut query, lanes, filter, |query| {
        query.push("block.value");
    });
    query.push(")) AS n FROM json_each(").push_bind(blocks);
    query.push(") AS block ORDER BY block.key");
    query
}

/// The numbers of the tasks of a part of a block.
pub(in crate::store) fn part_query(lanes: &str, filter: &TaskFilter, block: i64, part: Page) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("");
    push_block(&mut query, lanes, filter, |query| {
        query.push_bind(block);
    });
    part.push(&mut query);
    query
}

/// Pushes the search for a block's tasks: those that have ended and those that have not are in an index each.
fn push_block(
    query: &mut QueryBuilder<Sqlite>,
    lanes: &str,
    filter: &TaskFilter,
    push_number: impl Fn(&mut QueryBuilder<Sqlite>),
) {
    let indexes: &[&str] = match filter.status() {
        Some(Status::Pending | Status::Running) => &[OPEN],
        Some(Status::Completed) => &[COMPLETED],
        Some(Status::Failed) => &[FAILED],
        None => &[OPEN, COMPLETED, FAILED],
    };
    let mut first = true;
    for index in indexes {
        // Tasks for an account that name no device belong to no lane.
        for no_lane in [false, true].into_iter().take(1 + usize::from(filter.serial.is_none())) {
            query.push(if std::mem::take(&mut first) { "" } else { " UNION ALL " });
            query.push(index).push(" AND id / 4096 = ");
            push_number(query);
            if no_lane {
                query.push(" AND lane_id IS NULL");
                push_names(query, filter);
            } else {
                query.push(" AND lane_id IN (SELECT value FROM json_each(");
                query.push_bind(lanes.to_owned()).push("))");
            }
            if filter.status() == Some(Status::Pending) {
                push_waits(query);
            }
            push_batch(query, filter);
            push_kind(query, filter);
        }
    }
}

const OPEN: &str = "SELECT id FROM task INDEXED BY task_open WHERE finished_at IS NULL";
const COMPLETED: &str =
    "SELECT id FROM task INDEXED BY task_finished WHERE finished_at IS NOT NULL AND state = 'completed'";
const FAILED: &str = "SELECT id FROM task INDEXED BY task_finished WHERE finished_at IS NOT NULL AND state = 'failed'";
