//! Lists by what tasks are counted by: totals are known, and a page begins in the block where the counts say so.

use farmhand_actors::domain::{Source, Status};
use futures_util::TryStreamExt;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Page, TaskFilter, push_counted, push_kind, push_status, push_waits, select};
use crate::store::{
    counts::{ALL_BLOCKS, BLOCK_TASKS},
    fault::Fault,
    value::{get, get_unsigned},
};

/// So many pending tasks are read and sorted as a whole: the few that wait for long may lie in as many blocks.
const SORTED_MAX: u64 = if cfg!(test) { 8 } else { 10_000 };

/// How many tasks the filter names, and the numbers of those on a page.
pub(super) async fn find(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    page: Page,
) -> Result<(u64, Vec<i64>), Fault> {
    let total = count(conn, filter).await?;
    if page.offset >= total {
        return Ok((total, Vec::new()));
    }
    if filter.status() == Some(Status::Pending) && count_pending(conn).await? <= SORTED_MAX {
        return Ok((total, select(conn, waiting_query(filter, page)).await?));
    }
    let mut ids = Vec::new();
    for (block, part) in blocks_of(conn, filter, page).await? {
        ids.extend(select(conn, block_query(filter, block, part)).await?);
    }
    Ok((total, ids))
}

async fn count(conn: &mut SqliteConnection, filter: &TaskFilter) -> Result<u64, Fault> {
    let mut query = QueryBuilder::new("SELECT coalesce(sum(n), 0) AS total FROM task_count WHERE block = ");
    query.push_bind(ALL_BLOCKS);
    push_counted(&mut query, filter);
    get_unsigned(&query.build().fetch_one(conn).await?, "total")
}

async fn count_pending(conn: &mut SqliteConnection) -> Result<u64, Fault> {
    let pending = TaskFilter {
        status: Some(Status::Pending),
        ..TaskFilter::default()
    };
    count(conn, &pending).await
}

/// The blocks that a page lies in, and which part of each.
async fn blocks_of(conn: &mut SqliteConnection, filter: &TaskFilter, page: Page) -> Result<Vec<(i64, Page)>, Fault> {
    let mut query = sums_query(filter);
    // Taken one by one: the newest pages need only the first.
    let mut rows = query.build().fetch(conn);
    let mut rest = page;
    let mut parts = Vec::new();
    while rest.size > 0
        && let Some(row) = rows.try_next().await?
    {
        let part = rest.cut(get_unsigned(&row, "n")?);
        if part.size > 0 {
            parts.push((get(&row, "block")?, part));
        }
    }
    Ok(parts)
}

/// Tasks of one block, from the index with the fewest entries to look at; without any, their rows are walked over.
fn in_block(filter: &TaskFilter) -> &'static str {
    if filter.status() == Some(Status::Failed) {
        "SELECT id FROM task INDEXED BY task_failed WHERE"
    } else if filter.source == Some(Source::Ui) {
        "SELECT id FROM task INDEXED BY task_from_ui WHERE"
    } else if filter.script_name.is_some() {
        "SELECT id FROM task INDEXED BY task_by_script WHERE"
    } else {
        "SELECT id FROM task NOT INDEXED WHERE"
    }
}

/// The numbers of tasks in each block, the newest first.
pub(in crate::store) fn sums_query(filter: &TaskFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT block, sum(n) AS n FROM task_count WHERE block > ");
    query.push_bind(ALL_BLOCKS);
    push_counted(&mut query, filter);
    query.push(" GROUP BY block ORDER BY block DESC");
    query
}

/// The tasks of a part of a block.
pub(in crate::store) fn block_query(filter: &TaskFilter, block: i64, part: Page) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(in_block(filter));
    query.push(" id >= ").push_bind(block.saturating_mul(BLOCK_TASKS));
    let end = block.saturating_add(1).saturating_mul(BLOCK_TASKS);
    query.push(" AND id < ").push_bind(end);
    push_status(&mut query, filter.status());
    push_kind(&mut query, filter);
    part.push(&mut query);
    query
}

/// The pending tasks of a page, from all that have not ended.
pub(in crate::store) fn waiting_query(filter: &TaskFilter, page: Page) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT id FROM task INDEXED BY task_open WHERE finished_at IS NULL");
    push_waits(&mut query);
    push_kind(&mut query, filter);
    page.push(&mut query);
    query
}
