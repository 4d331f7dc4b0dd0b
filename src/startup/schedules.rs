//! Schedules as the API's port: read from the store, changed by the router.

use std::sync::Arc;

use async_trait::async_trait;
use farmhand_actors::{
    domain::{ScheduleId, SubmitTasks, schedule::ScheduleSpec},
    ports::StoreError,
    router::{RouterError, RouterHandle, RunStarted},
};

use crate::{
    http::schedule::{ScheduleShown, Schedules},
    store::Store,
};

/// The store and the router.
pub struct ScheduleDesk {
    /// Reads.
    pub store: Arc<Store>,
    /// Changes.
    pub router: RouterHandle,
}

#[async_trait(?Send)]
impl Schedules for ScheduleDesk {
    async fn list(&self) -> Result<Vec<ScheduleShown>, StoreError> {
        let schedules = self.store.list_schedules().await?.into_iter();
        let shown = schedules.map(|(schedule, last_run)| ScheduleShown { schedule, last_run });
        Ok(shown.collect())
    }

    async fn find(&self, id: ScheduleId) -> Result<Option<ScheduleShown>, StoreError> {
        let found = self.store.find_schedule(id).await?;
        Ok(found.map(|(schedule, last_run)| ScheduleShown { schedule, last_run }))
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
