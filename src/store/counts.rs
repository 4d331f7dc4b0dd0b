//! The numbers of tasks of each kind, kept exact in the transaction that changes them.

use std::collections::HashMap;

use farmhand_actors::domain::{FailureReason, ScriptName, Source, Status};

/// A kind of tasks that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub script: ScriptName,
    pub source: Source,
    pub status: Status,
    pub reason: Option<FailureReason>,
}

/// Changes of the counts that a transaction has to write before it commits.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<Kind, i64>);

impl Counts {
    pub(super) fn add(&mut self, kind: Kind, n: i64) {
        *self.0.entry(kind).or_default() += n;
    }

    /// A task moved from one status to another; `from` and `to` carry the failure's reason.
    pub(super) fn moved(
        &mut self,
        script: &ScriptName,
        source: Source,
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
            self.add(kind, n);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The changes that come to anything, in the order of `add_counts.sql`; they are forgotten here.
    pub(super) fn take_rows(&mut self) -> Vec<CountRow> {
        let changes = self.0.drain().filter(|(_, n)| *n != 0);
        let rows = changes.map(|(kind, n)| {
            let reason = kind.reason.map_or("", FailureReason::as_str);
            (kind.script, kind.source.as_str(), kind.status.number(), reason, n)
        });
        rows.collect()
    }
}

/// Script, source, status, failure reason, change.
pub(super) type CountRow = (ScriptName, &'static str, i64, &'static str, i64);
