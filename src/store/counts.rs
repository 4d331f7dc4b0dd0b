//! The numbers of tasks of each kind, kept exact in the transaction that changes them.

use std::collections::{BTreeSet, HashMap};

use farmhand_actors::domain::{FailureReason, ScriptName, Source, Status, TaskId};

use super::{fault::Fault, transaction::Transaction};

/// Task numbers that are counted together. A page deep in a list reads the sums of the blocks before it instead of
/// their tasks; a larger block would make the walk within it longer, a smaller one that over the sums.
pub(super) const BLOCK_TASKS: i64 = 4096;

/// The block of `task_count` that counts all tasks.
pub(super) const ALL_BLOCKS: i64 = -1;

/// A kind of tasks that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub script: ScriptName,
    pub source: Source,
    pub status: Status,
    pub reason: Option<FailureReason>,
}

/// Changes of the counts, by block, that a transaction has to write before it commits.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<(i64, Kind), i64>);

impl Counts {
    pub(super) fn add(&mut self, task: TaskId, kind: Kind, n: i64) {
        *self.0.entry((task.0 / BLOCK_TASKS, kind)).or_default() += n;
    }

    /// A task moved from one status to another; `from` and `to` carry the failure's reason.
    pub(super) fn moved(
        &mut self,
        task: TaskId,
        (script, source): (&ScriptName, Source),
        from: (Status, Option<FailureReason>),
        to: (Status, Option<FailureReason>),
    ) {
        for ((status, reason), n) in [(from, -1), (to, 1)] {
            let kind = Kind {
                script: script.clone(),
                source,
                status,
                reason,
            };
            self.add(task, kind, n);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The blocks that something was changed in, also when it comes to nothing.
    pub(super) fn blocks(&self) -> BTreeSet<i64> {
        self.0.keys().map(|(block, _)| *block).collect()
    }

    /// The changes that come to anything, of the blocks and of all together, in the order of `add_counts.sql`; they are
    /// forgotten here.
    pub(super) fn take_rows(&mut self) -> Vec<CountRow> {
        let mut all: HashMap<Kind, i64> = HashMap::new();
        let mut rows = Vec::new();
        for ((block, kind), n) in self.0.drain().filter(|(_, n)| *n != 0) {
            *all.entry(kind.clone()).or_default() += n;
            rows.push(row(block, kind, n));
        }
        rows.extend(
            all.into_iter()
                .filter(|(_, n)| *n != 0)
                .map(|(kind, n)| row(ALL_BLOCKS, kind, n)),
        );
        rows
    }
}

/// Block, script, source, status, failure reason, change.
pub(super) type CountRow = (i64, ScriptName, &'static str, i64, &'static str, i64);

fn row(block: i64, kind: Kind, n: i64) -> CountRow {
    let reason = kind.reason.map_or("", FailureReason::as_str);
    (
        block,
        kind.script,
        kind.source.as_str(),
        kind.status.number(),
        reason,
        n,
    )
}

/// Forgets kinds that have come to zero. Not in the transaction that empties them: while tasks run one after another,
/// the same kinds come and go all the time.
pub(super) async fn forget_empty(tx: &mut Transaction) -> Result<(), Fault> {
    sqlx::query("DELETE FROM task_count WHERE n = 0")
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}
