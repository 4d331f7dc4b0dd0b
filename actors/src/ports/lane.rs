//! The queues that the stored tasks wait in.

use std::{collections::BTreeSet, sync::Arc};

use crate::domain::{PendingTask, ScriptName, Serial, TaskId, Timestamp, Username};

/// A queue of its own: tasks of one device for one account (or for none).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The device.
    pub serial: Serial,
    /// The account, if the tasks name one.
    pub username: Option<Username>,
}

/// What is wanted of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneAsk {
    /// Which lane.
    pub lane: Lane,
    /// What cannot start now.
    pub passed_over: PassedOver,
}

/// Tasks that are left out of a lane's front, so that those behind them are seen. Checks of effects never are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// All of these scripts: the account may not run them.
    pub scripts: BTreeSet<ScriptName>,
    /// Those of these batches that keep a gap. Not one that has begun before: it keeps none to its own start.
    pub batches: BTreeSet<Arc<str>>,
}

impl PassedOver {
    /// Whether nothing is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty() && self.batches.is_empty()
    }
}

impl From<Lane> for LaneAsk {
    fn from(lane: Lane) -> Self {
        Self {
            lane,
            passed_over: PassedOver::default(),
        }
    }
}

/// The front of a lane.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneHead {
    /// Which lane.
    pub lane: Lane,
    /// Its due tasks in order (`due_at` minus priority's head start, then id), at most as many as asked for. While one of
    /// the lane's tasks has to be verified, due or not, only such tasks.
    pub due: Vec<PendingTask>,
    /// Whether more are due than were asked for.
    pub more: bool,
    /// When its next task that is not due yet becomes so.
    pub next_due: Option<Timestamp>,
    /// Its task that has to be verified before any other one of it acts, due or not; one that runs is not told.
    pub unverified: Option<OpenTask>,
}

/// A pending task of which nobody knows whether it took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTask {
    /// Which.
    pub task: TaskId,
    /// Checks of it that could not tell, the attempt's own included.
    pub unknown_checks: u32,
}
