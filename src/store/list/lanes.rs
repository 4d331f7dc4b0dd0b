//! Lists of a device or an account: each block's tasks of their lanes are known from its sums or counted in the entries of an
//! index, and a page is read from the blocks that it lies in.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use farmhand_actors::domain::Status;

use super::{
    Page, TaskFilter, entries::span_of_batch, push_batch, push_counted, push_kind, push_names, push_waits, select,
};
use crate::store::{
    counts::{ALL_BLOCKS, BLOCK_TASKS},
    fault::Fault,
    quiet,
    value::{get, get_unsigned, json},
};

/// Lanes of a list that are looked up one by one; with more of them each search goes through a list of them. Devices have
/// few accounts.
const APART_MAX: usize = 4;

/// Whose tasks are searched for in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Share {
    Lane(i64),
    /// Their numbers, as JSON.
    Lanes(String),
    /// Tasks for an account that name no device belong to no lane.
    NoLane,
}

/// How many tasks the filter names, and the numbers of those on a page.
pub(super) async fn find(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    page: Page,
) -> Result<(u64, Vec<i64>), Fault> {
    let (mut total, mut rest) = (0, page);
    let mut ids = Vec::new();
    let shares = shares_of(conn, filter).await?;
    if shares.is_empty() {
        return Ok((0, ids));
    }
    for (Reverse(block), n) in counts_of(conn, &shares, filter).await? {
        total += n;
        let part = rest.cut(n);
        if part.size > 0 {
            ids.extend(select(conn, part_query(&shares, filter, block, part)).await?);
        }
    }
    Ok((total, ids))
}

/// How many tasks that the filter names each block has, the newest first: from the sums of those that are quiet, or counted
/// one by one.
async fn counts_of(
    conn: &mut SqliteConnection,
    shares: &[Share],
    filter: &TaskFilter,
) -> Result<BTreeMap<Reverse<i64>, u64>, Fault> {
    let mut sums: HashMap<i64, u64> = HashMap::new();
    // What of a request is in a block is no part of the sums.
    if filter.batch_id.is_none() {
        for row in quiet::sums_query(filter).build().fetch_all(&mut *conn).await? {
            sums.insert(get(&row, "block")?, get_unsigned(&row, "n")?);
        }
    }
    let mut counts = BTreeMap::new();
    let mut unknown = Vec::new();
    for block in blocks_of(conn, filter).await? {
        match sums.get(&block) {
            Some(n) => drop(counts.insert(Reverse(block), *n)),
            None => unknown.push(block),
        }
    }
    let mut counted = counts_query(shares, filter, json(&unknown)?);
    for row in counted.build().fetch_all(&mut *conn).await? {
        counts.insert(Reverse(get(&row, "block")?), get_unsigned(&row, "n")?);
    }
    Ok(counts)
}

/// What the filter names, by lanes.
async fn shares_of(conn: &mut SqliteConnection, filter: &TaskFilter) -> Result<Vec<Share>, Fault> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM lane WHERE true");
    push_names(&mut query, filter);
    let lanes = select(conn, query).await?;
    let mut shares = if lanes.len() <= APART_MAX {
        lanes.into_iter().map(Share::Lane).collect()
    } else {
        vec![Share::Lanes(json(&lanes)?)]
    };
    if filter.serial.is_none() {
        shares.push(Share::NoLane);
    }
    Ok(shares)
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

/// How many tasks that the filter names each of the blocks has, in the order of the blocks. Each search is counted by itself:
/// to put their rows together first would take three times as long.
pub(in crate::store) fn counts_query(shares: &[Share], filter: &TaskFilter, blocks: String) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT block.value AS block, ");
    for (place, (index, share)) in searches(shares, filter).enumerate() {
        query.push(if place == 0 { "" } else { " + " });
        query.push("(SELECT count(*) FROM ").push(index).push("block.value");
        push_share(&mut query, share, filter);
        query.push(")");
    }
    query.push(" AS n FROM json_each(").push_bind(blocks);
    query.push(") AS block ORDER BY block.key");
    query
}

/// The numbers of the tasks of a part of a block.
pub(in crate::store) fn part_query(
    shares: &[Share],
    filter: &TaskFilter,
    block: i64,
    part: Page,
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("");
    for (place, (index, share)) in searches(shares, filter).enumerate() {
        query.push(if place == 0 { "" } else { " UNION ALL " });
        query.push("SELECT id FROM ").push(index).push_bind(block);
        push_share(&mut query, share, filter);
    }
    part.push(&mut query);
    query
}

/// The searches that find a block's tasks: those that have ended and those that have not are in an index each.
fn searches<'a>(shares: &'a [Share], filter: &TaskFilter) -> impl Iterator<Item = (&'static str, &'a Share)> {
    let indexes: &[&str] = match filter.status() {
        Some(Status::Pending | Status::Running) => &[OPEN],
        Some(Status::Completed) => &[COMPLETED],
        Some(Status::Failed) => &[FAILED],
        None => &[OPEN, COMPLETED, FAILED],
    };
    indexes
        .iter()
        .flat_map(move |index| shares.iter().map(move |share| (*index, share)))
}

fn push_share(query: &mut QueryBuilder<Sqlite>, share: &Share, filter: &TaskFilter) {
    match share {
        Share::Lane(lane) => {
            query.push(" AND lane_id = ").push_bind(*lane);
        }
        Share::Lanes(lanes) => {
            query.push(" AND lane_id IN (SELECT value FROM json_each(");
            query.push_bind(lanes.clone()).push("))");
        }
        Share::NoLane => {
            query.push(" AND lane_id IS NULL");
            push_names(query, filter);
        }
    }
    if filter.status() == Some(Status::Pending) {
        push_waits(query);
    }
    push_batch(query, filter);
    push_kind(query, filter);
}

const OPEN: &str = "task INDEXED BY task_open WHERE finished_at IS NULL AND id / 4096 = ";
const COMPLETED: &str =
    "task INDEXED BY task_finished WHERE finished_at IS NOT NULL AND state = 'completed' AND id / 4096 = ";
const FAILED: &str =
    "task INDEXED BY task_finished WHERE finished_at IS NOT NULL AND state = 'failed' AND id / 4096 = ";
