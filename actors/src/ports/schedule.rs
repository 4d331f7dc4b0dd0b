//! Schedules, as a port. Whatever a call answers with `Ok` is durable.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    NewTask, ScheduleId, TaskId, Timestamp,
    schedule::{Schedule, ScheduleSpec},
};

/// A schedule to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    /// What a person says of it.
    pub spec: ScheduleSpec,
    /// Feeds the random delays of its runs.
    pub seed: u64,
    /// Its first run.
    pub next: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
    /// Most schedules that there may be.
    pub limit: usize,
}

/// A change of a schedule by a person.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleChange {
    /// Which.
    pub id: ScheduleId,
    /// The revision that the person saw.
    pub revision: u32,
    /// What it is to be.
    pub spec: ScheduleSpec,
    /// Its next run, planned anew; `None`: as it was.
    pub replanned: Option<Option<Timestamp>>,
    /// When.
    pub at: Timestamp,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum ScheduleWritten {
    /// Stored; as it is now.
    Stored(Box<Schedule>),
    /// Another schedule has the name.
    NameTaken,
    /// There are as many as there may be.
    TooMany,
    /// No such schedule.
    NotFound,
    /// Somebody else has changed it since.
    Changed,
}

/// A run of a schedule, to be stored with its tasks and with the schedule's next run in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Of which schedule.
    pub schedule: ScheduleId,
    /// The revision that it is a snapshot of: when there is a newer one, nothing is stored.
    pub revision: u32,
    /// For when it was planned. A schedule has one run with tasks for each instant; one that a person asked for takes the
    /// next millisecond that has none.
    pub planned_at: Timestamp,
    /// Whether a person asked for it: then the schedule's next run stays.
    pub manual: bool,
    /// The batch of its tasks.
    pub batch_id: String,
    /// Its tasks; there may be none.
    pub tasks: Vec<NewTask>,
    /// Why there are none, or what was found besides.
    pub remark: Option<String>,
    /// The schedule's next run.
    pub next: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStored {
    /// Stored; its tasks.
    Fired(Vec<TaskId>),
    /// This instant had its run before; only the schedule's next run is stored.
    AlreadyRun,
    /// The schedule is gone, or a person has changed it: nothing is stored.
    Stale,
}

/// Schedules and their runs; the router is the only one that writes through it.
#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// All that this version understands, by number; the others are logged.
    async fn load_schedules(&self) -> Result<Vec<Schedule>, StoreError>;

    /// Creates one.
    async fn create_schedule(&self, new: NewSchedule) -> Result<ScheduleWritten, StoreError>;

    /// Changes one.
    async fn change_schedule(&self, change: ScheduleChange) -> Result<ScheduleWritten, StoreError>;

    /// Deletes one with its runs; its tasks stay. `false` when there is no such one.
    async fn delete_schedule(&self, id: ScheduleId) -> Result<bool, StoreError>;

    /// Stores a run, its tasks and the schedule's next run: all of it or nothing, and once for each instant.
    async fn store_run(&self, run: NewRun) -> Result<RunStored, StoreError>;
}
