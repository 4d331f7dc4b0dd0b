//! Schedules as the API's port: read from the store, changed by the router.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        ScheduleId, SubmitTasks,
        schedule::{Schedule, ScheduleRun, ScheduleSpec},
    },
    ports::{Clock, StoreError},
    router::{RouterError, RouterHandle, RunStarted},
};

use crate::{
    http::schedule::{ScheduleShown, Schedules},
    store::Store,
};

/// The longest random delay of a run (`jitter_s`): what was planned before is not to come.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// The store and the router.
pub struct ScheduleDesk {
    /// Reads.
    pub store: Arc<Store>,
    /// Changes.
    pub router: RouterHandle,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl ScheduleDesk {
    async fn shown(&self, found: Vec<(Schedule, Option<ScheduleRun>)>) -> Result<Vec<ScheduleShown>, StoreError> {
        let ids: Vec<ScheduleId> = found.iter().map(|(schedule, _)| schedule.id).collect();
        let now = self.clock.now().wall;
        let mut ran = self
            .store
            .planned_runs(&ids, now.checked_sub(LONGEST_DELAY).unwrap_or(now))
            .await?;
        let shown = found.into_iter().map(|(schedule, last_run)| ScheduleShown {
            ran: ran.remove(&schedule.id).unwrap_or_default(),
            schedule,
            last_run,
        });
        Ok(shown.collect())
    }
}

#[async_trait(?Send)]
impl Schedules for ScheduleDesk {
    async fn list(&self) -> Result<Vec<ScheduleShown>, StoreError> {
        self.shown(self.store.list_schedules().await?).await
    }

    async fn find(&self, id: ScheduleId) -> Result<Option<ScheduleShown>, StoreError> {
        let found = self.store.find_schedule(id).await?;
        Ok(self.shown(found.into_iter().collect()).await?.pop())
    }

    async fn create(&self, spec: ScheduleSpec, request: SubmitTasks) -> Result<ScheduleId, RouterError> {
        self.router.create_schedule(spec, request).await
    }

    async fn change(
        &self,
        of: (ScheduleId, u32),
        spec: ScheduleSpec,
        request: Option<SubmitTasks>,
        replan: bool,
    ) -> Result<(), RouterError> {
        self.router.change_schedule(of, spec, request, replan).await
    }

    async fn delete(&self, id: ScheduleId) -> Result<(), RouterError> {
        self.router.delete_schedule(id).await
    }

    async fn run(&self, id: ScheduleId) -> Result<RunStarted, RouterError> {
        self.router.run_schedule(id).await
    }
}
