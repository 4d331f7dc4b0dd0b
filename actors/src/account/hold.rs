//! What an account remembers while it is given away, and while its uses are read.

use std::{sync::Arc, time::Duration};

use crate::domain::{Epoch, Now, Package, Permit, ScriptName, Serial, TaskId, Timestamp};

/// The lease that is given, and what its giving has replaced.
pub(super) struct LeaseHold {
    pub(super) task: TaskId,
    pub(super) token: Arc<str>,
    pub(super) epoch: Epoch,
    /// What the lease has replaced: put back when no attempt begins with it.
    pub(super) script: ScriptName,
    /// Whether its attempt is a start; a check is none.
    pub(super) starts: bool,
    /// Where its attempt runs, and in which app.
    pub(super) serial: Serial,
    pub(super) package: Option<Package>,
    /// What its attempt may do.
    pub(super) permit: Arc<Permit>,
    pub(super) former_start: Option<Start>,
    pub(super) former_use: Option<Timestamp>,
}

/// When an attempt began. The monotonic clock begins with the process, so what was before that has a number of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    mono: Duration,
    /// How long before `mono` it was.
    earlier: Duration,
}

impl Start {
    pub(super) fn at(mono: Duration) -> Self {
        let earlier = Duration::ZERO;
        Self { mono, earlier }
    }

    /// What began in the future, by a clock that was set back since, counts as begun now.
    pub(super) fn before(now: Now, at: Timestamp) -> Self {
        Self {
            mono: now.mono,
            earlier: Duration::try_from(now.wall.duration_since(at)).unwrap_or_default(),
        }
    }

    /// What the wall clock would have shown then, as it is set now.
    pub(super) fn shown_by(self, now: Now) -> Timestamp {
        let ago = now.mono.saturating_sub(self.mono).saturating_add(self.earlier);
        now.wall.checked_sub(ago).unwrap_or(Timestamp::MIN)
    }
}

/// What was told of an open effect while its account's uses were read anew.
pub(super) enum Told {
    Open(TaskId, ScriptName, Timestamp),
    Settled(TaskId),
}
