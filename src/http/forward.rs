//! The actors' handles as the API's ports.

use std::sync::Arc;

use async_trait::async_trait;
use farmhand_actors::{
    domain::{AccountPatch, DevicePatch, Drain, Serial, SubmitTasks, Submitted, TaskId, Username},
    ports::{DeviceDriver, Resolution, RetryFilter},
    router::{Deleted, RetryAllAnswer, RouterError, RouterHandle},
    supervisor::{
        AccountEdit, AccountSnapshot, ActorSnapshot, DeviceSnapshot, NewAccount, SupervisorError, SupervisorHandle,
    },
};

use super::ports::{Farm, TaskCommands};

#[async_trait(?Send)]
impl TaskCommands for RouterHandle {
    async fn submit(&self, request: SubmitTasks) -> Result<Submitted, RouterError> {
        Self::submit(self, request).await
    }

    async fn stop(&self, task: TaskId) -> Result<(), RouterError> {
        Self::stop(self, task).await
    }

    async fn retry(&self, task: TaskId) -> Result<(), RouterError> {
        Self::retry(self, task).await
    }

    async fn retry_all(&self, filter: RetryFilter) -> Result<RetryAllAnswer, RouterError> {
        Self::retry_all(self, filter).await
    }

    async fn delete(&self, tasks: Vec<TaskId>) -> Result<Deleted, RouterError> {
        Self::delete(self, tasks).await
    }

    async fn resolve(&self, resolution: Resolution) -> Result<(), RouterError> {
        Self::resolve(self, resolution).await
    }

    async fn set_drain(&self, serial: Option<Serial>, draining: bool) -> Result<Vec<Drain>, RouterError> {
        Self::set_drain(self, serial, draining).await
    }

    async fn drains(&self) -> Result<Vec<Drain>, RouterError> {
        Self::drains(self).await
    }

    async fn waiting_for(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, String)>, RouterError> {
        Self::waiting_for_each(self, tasks).await
    }
}

#[async_trait(?Send)]
impl Farm for SupervisorHandle {
    async fn devices(&self) -> Result<Vec<DeviceSnapshot>, SupervisorError> {
        Self::devices(self).await
    }

    async fn device(&self, serial: Serial) -> Result<DeviceSnapshot, SupervisorError> {
        Self::device(self, serial).await
    }

    async fn patch_device(&self, serial: Serial, patch: DevicePatch) -> Result<DeviceSnapshot, SupervisorError> {
        Self::patch_device(self, serial, patch).await
    }
    async fn quarantine_device(&self, serial: Serial, reason: String) -> Result<DeviceSnapshot, SupervisorError> {
        Self::quarantine_device(self, serial, reason).await
    }
    async fn release_device(&self, serial: Serial) -> Result<DeviceSnapshot, SupervisorError> {
        Self::release_device(self, serial).await
    }

    async fn driver(&self, serial: Serial, acting: bool) -> Result<Arc<dyn DeviceDriver>, SupervisorError> {
        Self::driver(self, serial, acting).await
    }

    async fn accounts(&self) -> Result<Vec<AccountSnapshot>, SupervisorError> {
        Self::accounts(self).await
    }

    async fn account(&self, username: Username) -> Result<AccountSnapshot, SupervisorError> {
        Self::account(self, username).await
    }

    async fn create_account(&self, account: NewAccount) -> Result<AccountSnapshot, SupervisorError> {
        Self::create_account(self, account).await
    }

    async fn patch_account(&self, username: Username, patch: AccountPatch) -> Result<AccountSnapshot, SupervisorError> {
        Self::patch_account(self, username, patch).await
    }

    async fn import_accounts(&self, edits: Vec<AccountEdit>) -> Result<(), SupervisorError> {
        Self::import_accounts(self, edits).await
    }

    async fn delete_account(&self, username: Username) -> Result<(), SupervisorError> {
        Self::delete_account(self, username).await
    }

    async fn resume_account(&self, username: Username) -> Result<AccountSnapshot, SupervisorError> {
        Self::resume_account(self, username).await
    }

    async fn tree(&self) -> Result<Vec<ActorSnapshot>, SupervisorError> {
        Self::tree(self).await
    }

    async fn restart(&self, kind: String, name: String) -> Result<ActorSnapshot, SupervisorError> {
        Self::restart(self, kind, name).await
    }
}
