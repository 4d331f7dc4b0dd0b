//! How others talk to the supervisor.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Addr, Context, Handler, MailboxError, Message, dev::ToEnvelope};
use jiff::tz::TimeZone;
use tokio::{sync::oneshot, time::timeout};

use super::{
    AccountEdit, AccountSnapshot, ActorSnapshot, DeviceSnapshot, NewAccount, PresenceReport, SupervisorActor,
    SupervisorError,
    account_asks::{
        AccountFound, CreateAccount, DeleteRetired, FindAccount, ImportAccounts, ListAccounts, PatchAccount,
    },
    asks::{GetDevice, GetTree, ListDevices, PatchDevice, PermitDriver, Reply, RestartActor},
    quarantine::OrderHold,
};
use crate::{
    account::{AccountActor, GetAccount, ResumeAccount, RetireAccount, core::AccountCore},
    domain::{AccountPatch, DevicePatch, Serial, Username},
    mail::{Slot, tell},
    ports::{Clock, DeviceDriver, DriverFactory},
    settings::FarmSettings,
};

/// A cheap, cloneable way to ask the supervisor. Every ask has a timeout.
#[derive(Clone)]
pub struct SupervisorHandle {
    slot: Slot<SupervisorActor>,
    drivers: Arc<dyn DriverFactory>,
    clock: Arc<dyn Clock>,
    settings: Arc<FarmSettings>,
    zone: TimeZone,
}

impl SupervisorHandle {
    /// A handle on the supervisor in that place.
    #[must_use]
    pub fn new(
        slot: Slot<SupervisorActor>,
        drivers: Arc<dyn DriverFactory>,
        clock: Arc<dyn Clock>,
        settings: Arc<FarmSettings>,
        zone: TimeZone,
    ) -> Self {
        Self {
            slot,
            drivers,
            clock,
            settings,
            zone,
        }
    }

    /// All devices, by serial.
    ///
    /// # Errors
    /// [`SupervisorError::Away`], [`SupervisorError::TimedOut`].
    pub async fn devices(&self) -> Result<Vec<DeviceSnapshot>, SupervisorError> {
        self.ask(ListDevices).await
    }

    /// One device.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownDevice`].
    pub async fn device(&self, serial: Serial) -> Result<DeviceSnapshot, SupervisorError> {
        self.ask(GetDevice(serial)).await?
    }

    /// Changes a device; committed when it answers.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownDevice`].
    pub async fn patch_device(&self, serial: Serial, patch: DevicePatch) -> Result<DeviceSnapshot, SupervisorError> {
        self.order(|reply| PatchDevice(serial, patch, reply)).await
    }

    /// Puts a device into quarantine: it gets no tasks until it is released; committed when it answers.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownDevice`], [`SupervisorError::WrongState`] when it is there already.
    pub async fn quarantine_device(&self, serial: Serial, reason: String) -> Result<DeviceSnapshot, SupervisorError> {
        self.order(|reply| OrderHold(serial, Some(reason), reply)).await
    }

    /// Lets a device out of quarantine, whoever put it there.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownDevice`], [`SupervisorError::WrongState`] when it is not in it.
    pub async fn release_device(&self, serial: Serial) -> Result<DeviceSnapshot, SupervisorError> {
        self.order(|reply| OrderHold(serial, None, reply)).await
    }

    /// A driver for a person's own calls. `acting` ones (tap, text …) are refused while a task runs on the device.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownDevice`], [`SupervisorError::WrongState`] when it is away or busy.
    pub async fn driver(&self, serial: Serial, acting: bool) -> Result<Arc<dyn DeviceDriver>, SupervisorError> {
        let ask = PermitDriver {
            serial: serial.clone(),
            acting,
        };
        self.ask(ask).await??;
        Ok(self.drivers.open(&serial, None))
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`SupervisorError::Away`], [`SupervisorError::TimedOut`].
    pub async fn accounts(&self) -> Result<Vec<AccountSnapshot>, SupervisorError> {
        let found = self.ask(ListAccounts).await?;
        let snapshots = found.into_iter().map(|account| self.snapshot(account));
        Ok(futures_util::future::join_all(snapshots).await)
    }

    /// One account.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownAccount`].
    pub async fn account(&self, username: Username) -> Result<AccountSnapshot, SupervisorError> {
        let found = self.ask(FindAccount(username)).await??;
        Ok(self.snapshot(found).await)
    }

    /// Creates an account; a `serial` that was never seen is [`SupervisorError::UnknownDevice`].
    ///
    /// # Errors
    /// [`SupervisorError::AccountExists`].
    pub async fn create_account(&self, account: NewAccount) -> Result<AccountSnapshot, SupervisorError> {
        let username = account.username.clone();
        self.order(|reply| CreateAccount(account, reply)).await?;
        self.account(username).await
    }

    /// Changes an account.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownAccount`], [`SupervisorError::UnknownDevice`].
    pub async fn patch_account(
        &self,
        username: Username,
        patch: AccountPatch,
    ) -> Result<AccountSnapshot, SupervisorError> {
        let name = username.clone();
        self.order(|reply| PatchAccount(name, patch, reply)).await?;
        self.account(username).await
    }

    /// Creates and changes accounts: all of them or none.
    ///
    /// # Errors
    /// As [`Self::create_account`] and [`Self::patch_account`]; then nothing was written.
    pub async fn import_accounts(&self, edits: Vec<AccountEdit>) -> Result<(), SupervisorError> {
        self.order(|reply| ImportAccounts(edits, reply)).await
    }

    /// Deletes an account that no task runs for.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownAccount`], [`SupervisorError::WrongState`].
    pub async fn delete_account(&self, username: Username) -> Result<(), SupervisorError> {
        let actor = self.living(&username).await?;
        let retired = self.ask_actor(&actor, RetireAccount).await?;
        retired.map_err(SupervisorError::WrongState)?;
        self.order(|reply| DeleteRetired(username, reply)).await
    }

    /// A person has dealt with it: `needs_attention` or `cooldown` → `active`.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownAccount`], [`SupervisorError::WrongState`] when it is neither.
    pub async fn resume_account(&self, username: Username) -> Result<AccountSnapshot, SupervisorError> {
        let actor = self.living(&username).await?;
        self.ask_actor(&actor, ResumeAccount).await?
    }

    /// The tree of actors: the supervisor first, then by kind and name.
    ///
    /// # Errors
    /// [`SupervisorError::Away`], [`SupervisorError::TimedOut`].
    pub async fn tree(&self) -> Result<Vec<ActorSnapshot>, SupervisorError> {
        self.ask(GetTree).await
    }

    /// Rebuilds an actor now, out of quarantine too.
    ///
    /// # Errors
    /// [`SupervisorError::UnknownActor`].
    pub async fn restart(&self, kind: String, name: String) -> Result<ActorSnapshot, SupervisorError> {
        self.ask(RestartActor { kind, name }).await?
    }

    /// Tells what an adb server shows. Never blocks; a report that finds the supervisor away is repeated by the
    /// watcher's next one.
    pub fn report_presence(&self, report: PresenceReport) {
        self.slot.tell(report);
    }

    async fn living(&self, username: &Username) -> Result<Addr<AccountActor>, SupervisorError> {
        let (_, actor) = self.ask(FindAccount(username.clone())).await??;
        actor.ok_or_else(|| SupervisorError::WrongState(format!("account {username} is being restarted: try again")))
    }

    /// An account whose actor is away is shown as it is stored, without its counters.
    async fn snapshot(&self, (record, actor): AccountFound) -> AccountSnapshot {
        if let Some(actor) = actor
            && let Ok(snapshot) = self.ask_actor(&actor, GetAccount).await
        {
            return snapshot;
        }
        AccountCore::new(record, Arc::clone(&self.settings), self.zone.clone()).snapshot(self.clock.now())
    }

    async fn ask<M>(&self, message: M) -> Result<M::Result, SupervisorError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        SupervisorActor: Handler<M>,
    {
        let supervisor = self.slot.get().ok_or(SupervisorError::Away)?;
        self.ask_actor(&supervisor, message).await
    }

    async fn ask_actor<A, M>(&self, actor: &Addr<A>, message: M) -> Result<M::Result, SupervisorError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Actor<Context = Context<A>> + Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let answer = actor.send(message).timeout(self.patience()).await;
        answer.map_err(|error| match error {
            MailboxError::Closed => SupervisorError::Away,
            MailboxError::Timeout => SupervisorError::TimedOut,
        })
    }

    /// An order carries its reply: it is carried out also when nobody waits for the answer any more.
    async fn order<M, T>(&self, make: impl FnOnce(Reply<T>) -> M) -> Result<T, SupervisorError>
    where
        M: Message<Result = ()> + Send + 'static,
        SupervisorActor: Handler<M>,
    {
        let supervisor = self.slot.get().ok_or(SupervisorError::Away)?;
        let (reply, answer) = oneshot::channel();
        tell(&supervisor, make(reply));
        let answer = timeout(self.patience(), answer)
            .await
            .map_err(|_| SupervisorError::TimedOut)?;
        answer.map_err(|_| SupervisorError::Away)?
    }

    fn patience(&self) -> Duration {
        self.settings.ask_timeout()
    }
}

#[cfg(test)]
impl SupervisorHandle {
    /// Breaks one actor from the inside.
    pub async fn sabotage(&self, kind: super::ActorKind, name: &str, how: crate::testing::Sabotage) {
        let ask = super::asks::SabotageChild {
            kind,
            name: name.to_owned(),
            how,
        };
        self.ask(ask).await.unwrap();
    }

    /// Whether the actor has a living incarnation.
    pub async fn lives(&self, kind: super::ActorKind, name: &str) -> bool {
        let tree = self.tree().await.unwrap();
        let row = tree
            .iter()
            .find(|actor| actor.kind == kind && actor.name == name)
            .unwrap();
        matches!(row.state, super::ActorState::Running)
    }
}
