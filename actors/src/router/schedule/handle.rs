//! How others talk to the router about schedules.

use super::{ChangeSchedule, CreateSchedule, DeleteSchedule, RunStarted, runs::RunSchedule};
use crate::{
    domain::{ScheduleId, SubmitTasks, schedule::ScheduleSpec},
    router::{RouterError, RouterHandle},
};

impl RouterHandle {
    /// Creates a schedule. `request` is what a run of it would be now: all that it names has to be there.
    ///
    /// # Errors
    /// Names every unknown device or account; [`super::ScheduleFault`].
    pub async fn create_schedule(&self, spec: ScheduleSpec, request: SubmitTasks) -> Result<ScheduleId, RouterError> {
        self.ask(|reply| CreateSchedule { spec, request, reply }).await
    }

    /// Changes the schedule if it still has this revision. `request` as for [`Self::create_schedule`], when that part
    /// is changed; `replan`: its next run is planned anew.
    ///
    /// # Errors
    /// As [`Self::create_schedule`].
    pub async fn change_schedule(
        &self,
        (id, revision): (ScheduleId, u32),
        spec: ScheduleSpec,
        request: Option<SubmitTasks>,
        replan: bool,
    ) -> Result<(), RouterError> {
        let changed = self.ask(|reply| ChangeSchedule {
            id,
            revision,
            spec,
            request,
            replan,
            reply,
        });
        changed.await.map(|_| ())
    }

    /// Deletes a schedule; its tasks stay.
    ///
    /// # Errors
    /// [`super::ScheduleFault::NotFound`].
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<(), RouterError> {
        self.ask(|reply| DeleteSchedule(id, reply)).await
    }

    /// Runs a schedule now, besides its planned runs.
    ///
    /// # Errors
    /// What keeps the run from having tasks; then it is not noted either.
    pub async fn run_schedule(&self, id: ScheduleId) -> Result<RunStarted, RouterError> {
        self.ask(|reply| RunSchedule(id, reply)).await
    }
}
