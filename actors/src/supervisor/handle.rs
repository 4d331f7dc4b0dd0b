//! How others talk to the supervisor.

use std::sync::Arc;

use super::{AccountSnapshot, ActorSnapshot, DeviceSnapshot, NewAccount, PresenceReport, SupervisorError};
use crate::{
    domain::{AccountPatch, DevicePatch, Serial, Username},
    ports::DeviceDriver,
};

/// A cheap, cloneable way to ask the supervisor. Every ask has a timeout.
#[derive(Clone)]
pub struct SupervisorHandle {}

impl SupervisorHandle {
    /// All devices, by serial.
    ///
    /// # Errors
    /// [`SupervisorError::Away`], [`SupervisorError::TimedOut`].
    pub async fn devices(&self) -> Result<Vec<DeviceSnapshot>, SupervisorError> {
        todo!()
    }

    /// One device.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownDevice`].
    pub async fn device(&self, _serial: Serial) -> Result<DeviceSnapshot, SupervisorError> {
        todo!()
    }

    /// Changes a device; committed when it answers.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownDevice`].
    pub async fn patch_device(&self, _serial: Serial, _patch: DevicePatch) -> Result<DeviceSnapshot, SupervisorError> {
        todo!()
    }

    /// A driver for a person's own calls. `acting` ones (tap, text …) are refused while a task runs on the device.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownDevice`], [`SupervisorError::WrongState`] when it is away or busy.
    pub async fn driver(&self, _serial: Serial, _acting: bool) -> Result<Arc<dyn DeviceDriver>, SupervisorError> {
        todo!()
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`SupervisorError::Away`], [`SupervisorError::TimedOut`].
    pub async fn accounts(&self) -> Result<Vec<AccountSnapshot>, SupervisorError> {
        todo!()
    }

    /// One account.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownAccount`].
    pub async fn account(&self, _username: Username) -> Result<AccountSnapshot, SupervisorError> {
        todo!()
    }

    /// Creates an account; a `serial` that was never seen is [`SupervisorError::UnknownDevice`].
    ///
    /// # Errors
    /// [`SupervisorError::AccountExists`].
    pub async fn create_account(&self, _account: NewAccount) -> Result<AccountSnapshot, SupervisorError> {
        todo!()
    }

    /// Changes an account.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownAccount`], [`SupervisorError::UnknownDevice`].
    pub async fn patch_account(
        &self,
        _username: Username,
        _patch: AccountPatch,
    ) -> Result<AccountSnapshot, SupervisorError> {
        todo!()
    }

    /// Deletes an account that no task runs for.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownAccount`], [`SupervisorError::WrongState`].
    pub async fn delete_account(&self, _username: Username) -> Result<(), SupervisorError> {
        todo!()
    }

    /// A person has dealt with it: `needs_attention` or `cooldown` → `active`.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownAccount`], [`SupervisorError::WrongState`] when it is neither.
    pub async fn resume_account(&self, _username: Username) -> Result<AccountSnapshot, SupervisorError> {
        todo!()
    }

    /// The tree of actors: the supervisor first, then by kind and name.
    ///
    /// # Errors
    /// [`SupervisorError::Away`], [`SupervisorError::TimedOut`].
    pub async fn tree(&self) -> Result<Vec<ActorSnapshot>, SupervisorError> {
        todo!()
    }

    /// Rebuilds an actor now, out of quarantine too.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownActor`].
    pub async fn restart(&self, _kind: String, _name: String) -> Result<ActorSnapshot, SupervisorError> {
        todo!()
    }

    /// Tells what an adb server shows. Never blocks; a report that finds the supervisor away is repeated by the
    /// watcher's next one.
    pub fn report_presence(&self, _report: PresenceReport) {}
}
