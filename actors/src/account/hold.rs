//! What an account remembers while it is given away, and while its uses are read.

use std::sync::Arc;

use crate::domain::{Epoch, Package, Permit, ScriptName, Serial, Start, TaskId, Timestamp};

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

/// What was told of an open effect while its account's uses were read anew.
pub(super) enum Told {
    Open(TaskId, ScriptName, Timestamp),
    Settled(TaskId),
}
