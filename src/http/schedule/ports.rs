//! What this resource needs from the rooms behind it.

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        ScheduleId, SubmitTasks, Timestamp,
        schedule::{Schedule, ScheduleRun, ScheduleSpec},
    },
    ports::StoreError,
    router::{RouterError, RunStarted},
};

/// A schedule with its latest run.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleShown {
    /// The schedule.
    pub schedule: Schedule,
    /// Its latest run, planned or by hand.
    pub last_run: Option<ScheduleRun>,
    /// Planned instants, from an hour ago (the longest delay) on, that had their run already.
    pub ran: Vec<Timestamp>,
}

/// Schedules: read from the store, changed by the router.
#[async_trait(?Send)]
pub trait Schedules: Send + Sync {
    /// All, by id.
    async fn list(&self) -> Result<Vec<ScheduleShown>, StoreError>;
    /// One.
    async fn find(&self, id: ScheduleId) -> Result<Option<ScheduleShown>, StoreError>;
    /// Creates one; the request of a run as it would be now is looked at too.
    async fn create(&self, spec: ScheduleSpec, request: SubmitTasks) -> Result<ScheduleId, RouterError>;
    /// Changes the one with this revision; `replan`: its next run is planned anew.
    async fn change(
        &self,
        of: (ScheduleId, u32),
        spec: ScheduleSpec,
        request: Option<SubmitTasks>,
        replan: bool,
    ) -> Result<(), RouterError>;
    /// Deletes one.
    async fn delete(&self, id: ScheduleId) -> Result<(), RouterError>;
    /// Runs one now.
    async fn run(&self, id: ScheduleId) -> Result<RunStarted, RouterError>;
}
