//! The queues that the stored tasks wait in.

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
    /// Scripts whose tasks are passed over, since the account may not run them now. Checks of effects never are.
    pub passed_over: Vec<ScriptName>,
}

impl From<Lane> for LaneAsk {
    fn from(lane: Lane) -> Self {
        Self {
            lane,
            passed_over: Vec::new(),
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
