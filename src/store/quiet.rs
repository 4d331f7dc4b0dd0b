//! Sums of the tasks of each device and account in blocks that nobody changes any more.
//!
//! A block is marked, and counted when it has had no change until the next round. A change takes mark and sums away in its
//! own transaction, so that sums that are there are exact. Readers count; the writer is only asked to store what they found.

use std::time::Duration;

use farmhand_actors::{
    domain::{Serial, Username},
    ports::StoreError,
};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, QueryBuilder, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::mpsc;

use super::{
    TaskFilter,
    counts::ALL_BLOCKS,
    fault::Fault,
    list::push_counted,
    reader,
    transaction::Transaction,
    value::{get, get_json, json},
    write,
    writer::Op,
};

/// So many tasks of an account in a block are worth a row; fewer are counted one by one. Devices have a row in any case: the
/// tasks of one with many accounts lie in as many places of an index.
const WORTH: i64 = if cfg!(test) { 2 } else { 16 };

/// Rows stored in one transaction: a slice must not hold up the writer noticeably.
const SLICE_ROWS: usize = 250;

/// Between rounds: how long a block is at least without a change before it is counted.
const INTERVAL: Duration = Duration::from_secs(10);

/// Between the blocks of one round: others get at least as much of the readers.
const BLOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Counts what is quiet, again and again, as long as somebody uses the store.
pub(super) async fn keep_counting(readers: SqlitePool, queue: mpsc::WeakSender<Op>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(queue) = queue.upgrade() else { return };
        if let Err(error) = round(&readers, &queue, BLOCK_INTERVAL).await {
            // The next round tries again; lists are right without.
            tracing::debug!(%error, "quiet blocks of tasks are not counted");
        }
    }
}

/// Counts the blocks that had no change since the last round, and marks the others.
pub(super) async fn round(readers: &SqlitePool, queue: &mpsc::Sender<Op>, pause: Duration) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let mut reader = reader(readers).await?;
        let next = count_next(reader.conn()?, after).await?;
        // Whoever lists tasks may have it while the writer writes.
        drop(reader);
        let Some(counted) = next else { break };
        after = counted.mark;
        store(queue, &counted).await?;
        tokio::time::sleep(pause).await;
    }
    write(queue, (), mark).await
}

/// What a block has, under its mark.
pub(super) struct Counted {
    pub mark: i64,
    sums: Vec<Sum>,
}

/// A row of `count_quiet.sql`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sum(String, String, String, String, i64, String, i64);

/// Stores the sums, unless their block was changed in the meantime.
pub(super) async fn store(queue: &mpsc::Sender<Op>, counted: &Counted) -> Result<(), StoreError> {
    for slice in counted.sums.chunks(SLICE_ROWS) {
        write(queue, (counted.mark, slice.to_vec()), store_sums).await?;
    }
    write(queue, counted.mark, finish).await
}

/// The next block that was marked before and is not counted yet.
pub(super) async fn count_next(conn: &mut SqliteConnection, after: i64) -> Result<Option<Counted>, Fault> {
    // The mark is there at the instant at which the tasks are as they are counted.
    let mut snapshot = conn.begin().await?;
    let marked =
        sqlx::query("SELECT mark, block FROM quiet_block WHERE mark > ?1 AND counted = 0 ORDER BY mark LIMIT 1")
            .bind(after)
            .fetch_optional(&mut *snapshot)
            .await?;
    let mut counted = None;
    if let Some(row) = marked {
        let sums = sqlx::query(include_str!("queries/count_quiet.sql"))
            .bind(get::<i64>(&row, "block")?)
            .bind(WORTH)
            .fetch_one(&mut *snapshot)
            .await?;
        counted = Some(Counted {
            mark: get(&row, "mark")?,
            sums: get_json(&sums, "sums")?,
        });
    }
    snapshot.rollback().await?;
    Ok(counted)
}

async fn store_sums(tx: &mut Transaction, (mark, sums): &(i64, Vec<Sum>)) -> Result<(), Fault> {
    sqlx::query(include_str!("queries/insert_quiet.sql"))
        .bind(json(sums)?)
        .bind(*mark)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

async fn finish(tx: &mut Transaction, mark: &i64) -> Result<(), Fault> {
    sqlx::query("UPDATE quiet_block SET counted = 1 WHERE mark = ?1")
        .bind(*mark)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// Marks the blocks that have tasks and no mark.
async fn mark(tx: &mut Transaction, (): &()) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO quiet_block (block)
         SELECT DISTINCT block FROM task_count
         WHERE block > ?1 AND n > 0 AND block NOT IN (SELECT block FROM quiet_block)",
    )
    .bind(ALL_BLOCKS)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// The blocks whose sums know how many tasks the filter's device or account has in them.
pub(super) fn sums_query(filter: &TaskFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT block, coalesce(sum(quiet_count.n) FILTER (WHERE true");
    push_counted(&mut query, filter);
    query.push("), 0) AS n FROM quiet_block LEFT JOIN quiet_count ON quiet_count.mark = quiet_block.mark");
    let serial = filter.serial.as_ref().map_or("", Serial::as_str);
    let username = filter.username.as_ref().map_or("", Username::as_str);
    query.push(" AND serial = ").push_bind(serial.to_owned());
    query.push(" AND username = ").push_bind(username.to_owned());
    query.push(" WHERE counted = 1 GROUP BY quiet_block.mark");
    if filter.username.is_some() {
        // Without a row, an account has too few to be worth one.
        query.push(" HAVING count(quiet_count.n) > 0");
    }
    query
}
