//! How others talk to the router.

use super::{Deleted, RetryAllAnswer, RouterError};
use crate::{
    domain::{SubmitTasks, Submitted, TaskId},
    ports::{Resolution, RetryFilter},
};

/// A cheap, cloneable way to ask the router. Every ask has a timeout.
#[derive(Clone)]
pub struct RouterHandle {}

impl RouterHandle {
    /// Creates tasks: all, committed, or none.
    ///
    /// # Errors
    /// Names every unknown device or account.
    pub async fn submit(&self, _request: SubmitTasks) -> Result<Submitted, RouterError> {
        todo!()
    }

    /// Stops a task: a pending one at once; a running one within 2 s. Answers when the task is failed/`stopped` (or
    /// ended otherwise in the meantime).
    ///
    /// # Errors
    /// [`RouterError::NotFound`], [`RouterError::WrongState`].
    pub async fn stop(&self, _task: TaskId) -> Result<(), RouterError> {
        todo!()
    }

    /// Makes a failed task pending again.
    ///
    /// # Errors
    /// [`RouterError::NotFound`], [`RouterError::WrongState`].
    pub async fn retry(&self, _task: TaskId) -> Result<(), RouterError> {
        todo!()
    }

    /// Makes all failed tasks (that the filter names) pending again.
    ///
    /// # Errors
    /// The store's.
    pub async fn retry_all(&self, _filter: RetryFilter) -> Result<RetryAllAnswer, RouterError> {
        todo!()
    }

    /// Deletes tasks; running ones are stopped first, and the answer comes after their devices are free again.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, _tasks: Vec<TaskId>) -> Result<Deleted, RouterError> {
        todo!()
    }

    /// Writes a person's word on a task with `outcome_unknown`.
    ///
    /// # Errors
    /// [`RouterError::NotFound`], [`RouterError::WrongState`].
    pub async fn resolve(&self, _resolution: Resolution) -> Result<(), RouterError> {
        todo!()
    }

    /// Why a pending task has not started, in a line; `None` when it is not pending.
    ///
    /// # Errors
    /// [`RouterError::Away`], [`RouterError::TimedOut`].
    pub async fn waiting_for(&self, _task: TaskId) -> Result<Option<String>, RouterError> {
        todo!()
    }
}
