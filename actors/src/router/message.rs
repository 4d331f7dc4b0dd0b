//! What the router can be asked, and what it answers.

use std::sync::Arc;

use actix::{Addr, Message};

use crate::{
    account::{AccountActor, AccountView},
    device::{AttemptEnding, DeviceActor},
    domain::{AttemptId, Generation, Permit, Serial, TaskId, TaskState, Username, limits::NotNow},
    mail::Pulse,
    ports::StoreError,
};

/// Why the router did not do it; nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RouterError {
    /// Never seen by this farm; all of them.
    #[error("unknown devices: {}", join(.0))]
    UnknownDevices(Vec<Serial>),
    /// Never seen by this farm; all of them.
    #[error("unknown accounts: {}", join(.0))]
    UnknownAccounts(Vec<Username>),
    /// `enable_multi_account` on devices without an enabled account; all of them.
    #[error("no enabled account is bound to: {}", join(.0))]
    NoAccounts(Vec<Serial>),
    /// Accounts that are bound to no device; all of them.
    #[error("not bound to a device: {}", join(.0))]
    Unbound(Vec<Username>),
    /// More tasks than one request may create.
    #[error("the request would create {wanted} tasks; at most {limit} are allowed in one")]
    TooMany {
        /// Whether accounts were named, and not devices.
        of_accounts: bool,
        /// How many it would be.
        wanted: usize,
        /// `tasks.max_per_request`
        limit: usize,
    },
    /// No such task.
    #[error("task {0} does not exist")]
    NotFound(TaskId),
    /// The task's state does not allow it.
    #[error("task {task} is {}: {mend}", state.status().as_str())]
    WrongState {
        /// Which.
        task: TaskId,
        /// Where it is.
        state: TaskState,
        /// What would be right.
        mend: &'static str,
    },
    /// The `Idempotency-Key` was used with another body.
    #[error("this Idempotency-Key was used with another body within the last 24 hours")]
    KeyReused,
    /// Of a schedule.
    #[error(transparent)]
    Schedule(#[from] super::ScheduleFault),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Shutting down, or the router is being rebuilt.
    #[error("the task router is not available")]
    Away,
    /// No answer within the ask timeout.
    #[error("the task router did not answer in time")]
    TimedOut,
}

fn join<T: ToString>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a delete did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Gone; running ones were stopped first.
    pub deleted: Vec<TaskId>,
    /// No such tasks.
    pub not_found: Vec<TaskId>,
}

/// What `retry-all` did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryAllAnswer {
    /// Pending again.
    pub retried: Vec<TaskId>,
    /// Left as they were, and why.
    pub skipped: Vec<(TaskId, String)>,
}

/// A device's actor was started (or rebuilt).
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct DeviceStarted {
    /// Which device.
    pub serial: Serial,
    /// Its incarnation.
    pub generation: Generation,
    /// Where it can be reached.
    pub mailbox: Addr<DeviceActor>,
    /// Counts what it is sent.
    pub pulse: Arc<Pulse>,
}

/// A device may be used now, or may not any more.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct DeviceChanged {
    /// Which device.
    pub serial: Serial,
    /// Its incarnation.
    pub generation: Generation,
    /// Why it may not be used; `None`: it may.
    pub not_ready: Option<String>,
    /// What no other phone is, where it is known; see `DeviceInfo::identity`.
    pub phone: Option<Arc<str>>,
    /// Where it can be reached.
    pub mailbox: Addr<DeviceActor>,
    /// Counts what it is sent.
    pub pulse: Arc<Pulse>,
}

/// A device's actor has ended.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct DeviceExited {
    /// Which device.
    pub serial: Serial,
    /// The incarnation that ended.
    pub generation: Generation,
}

/// An account was created or changed.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct AccountChanged {
    /// What the router needs to know.
    pub view: AccountView,
    /// Its actor's incarnation.
    pub generation: Generation,
    /// Where a new incarnation can be reached.
    pub mailbox: Option<(Addr<AccountActor>, Arc<Pulse>)>,
}

/// An account was deleted.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct AccountRemoved(pub Username);

/// An account has read anew what it has done.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct UsesChanged(pub Username);

/// An account's actor has ended; another one follows.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct AccountExited(pub Username);

/// An account's answer to [`crate::account::LeaseAccount`].
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct LeaseAnswered {
    /// Which account.
    pub username: Username,
    /// For which task.
    pub task: TaskId,
    /// For which attempt: an older one is old news.
    pub token: Arc<str>,
    /// Granted, with what the attempt may do; or why not.
    pub answer: Result<Arc<Permit>, NotNow>,
}

/// An attempt has ended.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct AttemptFinished {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: AttemptId,
    /// The device.
    pub serial: Serial,
    /// Its incarnation: an older one is old news.
    pub generation: Generation,
    /// How it ended.
    pub ending: AttemptEnding,
}
