//! How others talk to the router.

use std::{future::Future, sync::Arc, time::Duration};

use actix::{Handler, Message};
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use super::{
    Deleted, RetryAllAnswer, RouterActor, RouterError,
    asks::{Delete, Reply, Resolve, Retry, RetryAll, Shutdown, Stop, WaitingFor},
    drains::{ListDrains, SetDrain},
    submissions::Submit,
};
use crate::{
    domain::{Drain, Serial, SubmitTasks, Submitted, TaskId},
    mail::{Slot, tell},
    ports::{Resolution, RetryFilter},
};

/// Asks under way at one time: the bound that an actor's mailbox is not. Enough to fill every group commit, few enough
/// that those who wait are answered within their timeout.
const DOOR: usize = 1024;

/// A cheap, cloneable way to ask the router. Every ask has a timeout.
#[derive(Clone)]
pub struct RouterHandle {
    slot: Slot<RouterActor>,
    door: Arc<Semaphore>,
    ask_timeout: Duration,
}

impl RouterHandle {
    /// A handle on whoever is the router at the time of an ask.
    #[must_use]
    pub fn new(slot: Slot<RouterActor>, ask_timeout: Duration) -> Self {
        Self {
            slot,
            door: Arc::new(Semaphore::new(DOOR)),
            ask_timeout,
        }
    }

    /// Creates tasks: all, committed, or none.
    ///
    /// # Errors
    /// Names every unknown device or account.
    pub async fn submit(&self, request: SubmitTasks) -> Result<Submitted, RouterError> {
        self.ask(|reply| Submit(request, reply)).await
    }

    /// Stops a task: a pending one at once; a running one within 2 s. Answers when the task is failed/`stopped` (or
    /// ended otherwise in the meantime).
    ///
    /// # Errors
    /// [`RouterError::NotFound`], [`RouterError::WrongState`].
    pub async fn stop(&self, task: TaskId) -> Result<(), RouterError> {
        self.ask(|reply| Stop(task, reply)).await
    }

    /// Makes a failed task pending again.
    ///
    /// # Errors
    /// [`RouterError::NotFound`], [`RouterError::WrongState`].
    pub async fn retry(&self, task: TaskId) -> Result<(), RouterError> {
        self.ask(|reply| Retry(task, reply)).await
    }

    /// Makes all failed tasks (that the filter names) pending again.
    ///
    /// # Errors
    /// The store's.
    pub async fn retry_all(&self, filter: RetryFilter) -> Result<RetryAllAnswer, RouterError> {
        self.ask(|reply| RetryAll(filter, reply)).await
    }

    /// Deletes tasks; running ones are stopped first, and the answer comes after their devices are free again.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, tasks: Vec<TaskId>) -> Result<Deleted, RouterError> {
        self.ask(|reply| Delete(tasks, reply)).await
    }

    /// Writes a person's word on a task with `outcome_unknown`.
    ///
    /// # Errors
    /// [`RouterError::NotFound`], [`RouterError::WrongState`].
    pub async fn resolve(&self, resolution: Resolution) -> Result<(), RouterError> {
        self.ask(|reply| Resolve(resolution, reply)).await
    }

    /// Why a pending task has not started, in a line; `None` when it is not pending.
    ///
    /// # Errors
    /// [`RouterError::Away`], [`RouterError::TimedOut`].
    pub async fn waiting_for(&self, task: TaskId) -> Result<Option<String>, RouterError> {
        Ok(self.waiting_for_each(vec![task]).await?.pop().map(|(_, reason)| reason))
    }

    /// As [`Self::waiting_for`], for those of many tasks that are pending.
    ///
    /// # Errors
    /// [`RouterError::Away`], [`RouterError::TimedOut`].
    pub async fn waiting_for_each(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, String)>, RouterError> {
        self.ask(|reply| WaitingFor(tasks, reply)).await
    }

    /// Has no attempt begin on the device (`None`: anywhere) any more, or again; what runs comes to its own end. Kept
    /// over restarts. Answers all drains.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_drain(&self, serial: Option<Serial>, draining: bool) -> Result<Vec<Drain>, RouterError> {
        self.ask(|reply| SetDrain {
            serial,
            draining,
            reply,
        })
        .await
    }

    /// Where no attempt begins, the whole farm first.
    ///
    /// # Errors
    /// [`RouterError::Away`], [`RouterError::TimedOut`].
    pub async fn drains(&self) -> Result<Vec<Drain>, RouterError> {
        self.ask(ListDrains).await
    }

    /// Starts no attempt any more and ends those that run at their next safe point, resumable; answers how many could
    /// not be ended within the grace (they are rescued at the next start).
    ///
    /// # Errors
    /// [`RouterError::Away`] when there is no router that could be running anything.
    pub async fn shutdown(&self, grace: Duration) -> Result<usize, RouterError> {
        self.exchange(|reply| Shutdown(grace, reply), grace + Duration::from_secs(1))
            .await
    }

    pub(super) async fn ask<M, T>(&self, make: impl FnOnce(Reply<T>) -> M) -> Result<T, RouterError>
    where
        M: Message<Result = ()> + Send + 'static,
        RouterActor: Handler<M>,
    {
        let permit = within(self.ask_timeout, self.door.acquire()).await?;
        let _permit = permit.map_err(|_| RouterError::Away)?;
        self.exchange(make, self.ask_timeout).await
    }

    async fn exchange<M, T>(&self, make: impl FnOnce(Reply<T>) -> M, patience: Duration) -> Result<T, RouterError>
    where
        M: Message<Result = ()> + Send + 'static,
        RouterActor: Handler<M>,
    {
        let router = self.slot.get().ok_or(RouterError::Away)?;
        let (reply, answer) = oneshot::channel();
        tell(&router, make(reply));
        within(patience, answer).await?.map_err(|_| RouterError::Away)?
    }
}

async fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Result<T, RouterError> {
    timeout(patience, future).await.map_err(|_| RouterError::TimedOut)
}
