//! What is remembered, as ports. Whatever a call answers with `Ok` is durable (committed and synced).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;

use super::{Lane, LaneAsk, LaneHead, ScheduleStore};
use crate::domain::{
    AccountChange, AccountPatch, AccountRecord, AccountUse, Attention, BatchStart, Claim, ClaimAhead, Claimed,
    DeviceInfo, DevicePatch, DeviceRecord, Drain, Epoch, Failure, FailureReason, Held, IdempotencyKey, Lease, NewEvent,
    NewTask, OpenUse, PendingTask, Purpose, Rescued, ScriptName, Serial, Submitted, TaskId, TaskState, TaskStats,
    Timestamp, Username, retry::Repetition,
};

/// Why the store did not do it; nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the database, or it is shutting down: try again.
    #[error("the database is away: {0}")]
    Away(String),
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// A row that must be there is not, or one that must not be there is.
    #[error("{0}")]
    Conflict(String),
    /// A fault of farmhand's own, or a broken database.
    #[error("the database failed: {0}")]
    Broken(String),
}

/// The answer to [`TaskStore::submit`].
#[derive(Debug, Clone, PartialEq)]
pub enum SubmitResult {
    /// Created now.
    Created(Submitted),
    /// The same key with the same body was answered with this before.
    Replayed(Submitted),
    /// The key was used with another body within its 24 hours.
    KeyReused,
}

/// What becomes of a task when its attempt ends.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskNext {
    /// Over, done.
    Completed {
        /// For the task.
        remark: String,
    },
    /// Over, not done.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// Another attempt follows.
    Again {
        /// Not before this.
        due_at: Timestamp,
        /// What it is for.
        purpose: Purpose,
        /// For the task.
        remark: String,
        /// Whether it counts towards `retry.max`.
        counts: bool,
    },
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// The task.
    pub task: TaskId,
    /// The attempt's row.
    pub attempt: crate::domain::AttemptId,
    /// Its right to write: with another one nothing is changed.
    pub lease: Lease,
    /// For the attempt's row: `completed`, a failure reason, `unverified`.
    pub outcome: &'static str,
    /// For the task.
    pub next: TaskNext,
    /// Counts towards the account's limits, besides the effects that were confirmed.
    pub used: Option<AccountUse>,
    /// The app asks this account for a person: stored with the end, so that its tasks wait whatever comes in between.
    pub attention: Option<(Username, Attention)>,
    /// When.
    pub at: Timestamp,
}

/// What was written of the end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finished {
    /// `false`: the lease was not the attempt's any more; nothing was changed.
    pub written: bool,
    /// The one effect that the task is for had taken place: the task is completed, whatever ended the attempt.
    pub done: bool,
    /// The task would have gone on, but somebody had asked to stop it: it failed.
    pub stopped: bool,
    /// When the attempt did what counts towards its account's limits.
    pub acts: Vec<Timestamp>,
    /// The account waits for a person now: the revision of its status. `None` also when a person has disabled it.
    pub asked: Option<u64>,
}

/// What a stop did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopIntent {
    /// No such task.
    NotFound,
    /// It was pending and is now failed/`stopped`; its lane and whether it had a lane.
    Unstarted,
    /// It runs: the intent is stored, the attempt has to be stopped.
    Running,
    /// It is over; its state.
    Finished(TaskState),
}

/// What a retry did.
#[derive(Debug, Clone, PartialEq)]
pub enum RetryResult {
    /// Pending again.
    Retried(PendingTask),
    /// No such task.
    NotFound,
    /// It has not failed.
    WrongState(TaskState),
    /// It failed with `outcome_unknown`: a person has to resolve it first.
    OutcomeUnknown,
}

/// Which failed tasks to retry. Empty filters mean all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryFilter {
    /// Also those with `outcome_unknown` (they are verified first).
    pub include_unknown: bool,
    /// Only this device's.
    pub serial: Option<Serial>,
    /// Only this account's.
    pub username: Option<Username>,
    /// Only this batch's.
    pub batch_id: Option<String>,
    /// Only this script's.
    pub script: Option<ScriptName>,
    /// Only those that failed for this reason.
    pub reason: Option<FailureReason>,
    /// Only those created from this instant on.
    pub created_from: Option<Timestamp>,
    /// Only those created before this instant.
    pub created_before: Option<Timestamp>,
}

/// What `retry-all` did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RetriedAll {
    /// Pending again.
    pub retried: Vec<PendingTask>,
    /// Left as they were, and why.
    pub skipped: Vec<(TaskId, String)>,
}

/// A person's word on a task with `outcome_unknown`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The task.
    pub task: TaskId,
    /// Whether the effect took place.
    pub done: bool,
    /// Why the person thinks so.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// What a resolution did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveResult {
    /// Written; the account that the task was for.
    Resolved(Option<Username>),
    /// No such task.
    NotFound,
    /// It did not fail with `outcome_unknown`.
    WrongState(TaskState),
}

/// Tasks and attempts; the router is the only one that writes through it.
#[async_trait]
pub trait TaskStore: Send + Sync {
    /// Writes a new row of the process's start and answers its number: older ones can write no more.
    async fn begin_epoch(&self, at: Timestamp) -> Result<Epoch, StoreError>;

    /// Ends the attempts of former epochs and says what became of their tasks: an open effect → verify; a confirmed
    /// one → completed; stopped → failed; cut off by a dying controller for the `poison_limit`-th time → failed
    /// (`interrupted`); else the flow runs again.
    async fn rescue(&self, epoch: Epoch, poison_limit: u32, at: Timestamp) -> Result<Vec<Rescued>, StoreError>;

    /// Creates tasks, all or none; ids in the order given.
    async fn submit(
        &self,
        tasks: Vec<NewTask>,
        idempotency: Option<IdempotencyKey>,
        warnings: Vec<String>,
        at: Timestamp,
    ) -> Result<SubmitResult, StoreError>;

    /// The same, and some of the new tasks are claimed as they are created. The claims' answers are in the order of `ahead`;
    /// one that cannot be granted leaves its task pending, and so do all when the request was answered before.
    async fn submit_claiming(
        &self,
        tasks: Vec<NewTask>,
        idempotency: Option<IdempotencyKey>,
        warnings: Vec<String>,
        at: Timestamp,
        ahead: Vec<ClaimAhead>,
    ) -> Result<(SubmitResult, Vec<Option<Claimed>>), StoreError> {
        let result = self.submit(tasks.clone(), idempotency, warnings, at).await?;
        let SubmitResult::Created(submitted) = &result else {
            return Ok((result, vec![None; ahead.len()]));
        };
        let mut claimed = Vec::with_capacity(ahead.len());
        for ahead in ahead {
            let claim = ahead.claim(&tasks, &submitted.task_ids, at);
            // What is not claimed waits: it is created all the same.
            let answer = self.claim(claim.into_iter().collect()).await.unwrap_or_default();
            claimed.push(answer.into_iter().next().flatten());
        }
        Ok((result, claimed))
    }

    /// Lanes that have pending tasks.
    async fn lanes(&self) -> Result<Vec<Lane>, StoreError>;

    /// The fronts of these lanes; a lane without pending tasks answers an empty front.
    async fn lane_heads(&self, asks: Vec<LaneAsk>, limit_each: u32, at: Timestamp)
    -> Result<Vec<LaneHead>, StoreError>;

    /// Those of the tasks that are pending and have a device.
    async fn pending(&self, tasks: Vec<TaskId>) -> Result<Vec<PendingTask>, StoreError>;

    /// Makes pending tasks running, with a new attempt each; `None` where a task was not pending any more.
    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Option<Claimed>>, StoreError>;

    /// Ends attempts.
    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, StoreError>;

    /// Gives claimed tasks back without an attempt having run (drain, device gone before the start).
    async fn release(&self, claims: Vec<(TaskId, crate::domain::AttemptId)>, remark: String) -> Result<(), StoreError>;

    /// Writes the intent to stop.
    async fn intend_stop(&self, task: TaskId, at: Timestamp) -> Result<StopIntent, StoreError>;

    /// Failed → pending.
    async fn retry(&self, task: TaskId, at: Timestamp) -> Result<RetryResult, StoreError>;

    /// All that failed → pending.
    async fn retry_all(&self, filter: RetryFilter, at: Timestamp) -> Result<RetriedAll, StoreError>;

    /// A person's word.
    async fn resolve(&self, resolution: Resolution) -> Result<ResolveResult, StoreError>;

    /// Deletes tasks that are not running; answers those deleted and their lanes' owners need no telling.
    async fn delete(&self, tasks: Vec<TaskId>) -> Result<Vec<TaskId>, StoreError>;

    /// States of tasks; unknown ones are left out.
    async fn states(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, TaskState)>, StoreError>;

    /// Begins a drain of a device (`None`: of the farm), or ends it; once more changes nothing.
    async fn set_drain(&self, serial: Option<Serial>, draining: bool, at: Timestamp) -> Result<(), StoreError>;

    /// All drains.
    async fn drains(&self) -> Result<Vec<Drain>, StoreError>;

    /// The newest two starts of each batch that keeps a gap, by device, from `since` on; the newest first.
    async fn batch_starts(&self, since: Timestamp) -> Result<Vec<BatchStart>, StoreError>;

    /// What was repeated by itself ([`TaskNext::Again`] that counts) and may still count, the oldest first.
    async fn repetitions(&self) -> Result<Vec<Repetition>, StoreError>;

    /// The wall clock was set by so many milliseconds and showed `before` until then: pending tasks that wait for a span of
    /// time (a pause before a retry, the gap of their batch once it has begun) are due so much later; those that wait for a
    /// time of day are not.
    async fn shift_due(&self, by_ms: i64, before: Timestamp) -> Result<(), StoreError>;

    /// Sets the remark of pending tasks: why they wait.
    async fn remark(&self, remarks: Vec<(TaskId, String)>) -> Result<(), StoreError>;

    /// Which of these tasks have an effect that may have taken place (`intended` or `unknown`). Asked when an attempt
    /// was abandoned and can no longer say so itself. The default takes all for open: safe, at the price of a check.
    async fn open_effects(&self, tasks: Vec<TaskId>) -> Result<Vec<TaskId>, StoreError> {
        Ok(tasks)
    }

    /// Exact counts.
    async fn stats(&self) -> Result<TaskStats, StoreError>;
}

/// Accounts; written by their actors.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// All accounts, by name.
    async fn load_accounts(&self) -> Result<Vec<AccountRecord>, StoreError>;

    /// Creates one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken.
    async fn create_account(&self, account: AccountRecord) -> Result<(), StoreError>;

    /// Changes what the patch names; answers the new record, `None` when there is no such account.
    async fn patch_account(
        &self,
        username: &Username,
        patch: AccountPatch,
    ) -> Result<Option<AccountRecord>, StoreError>;

    /// Writes all of these, or nothing; answers the records as they are then.
    async fn import_accounts(&self, changes: Vec<AccountChange>) -> Result<Vec<AccountRecord>, StoreError>;

    /// The account as it is stored; `None` when there is none.
    async fn find_account(&self, username: &Username) -> Result<Option<AccountRecord>, StoreError>;

    /// Makes an account active that waits for a person or rests, and tells `event` in the same transaction; one that does
    /// neither any more is left as it is. Answers the record as it is then, `None` when there is no such account.
    async fn resume_account(&self, username: &Username, event: NewEvent) -> Result<Option<AccountRecord>, StoreError>;

    /// Makes an account active that rests until `ended`, and tells `event` in the same transaction; one that a person has
    /// changed since is left as it is.
    async fn end_rest(&self, username: &Username, ended: Option<Timestamp>, event: NewEvent) -> Result<(), StoreError>;

    /// Notes the start of an attempt for the account.
    async fn touch_account(&self, username: &Username, at: Timestamp) -> Result<(), StoreError>;

    /// Deletes it; its finished tasks stay. `false` when there is no such account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] while an attempt has it.
    async fn delete_account(&self, username: &Username) -> Result<bool, StoreError>;

    /// Effects of accounts (or of one) that may have taken place.
    async fn open_uses(&self, username: Option<&Username>) -> Result<Vec<OpenUse>, StoreError>;

    /// The same of these tasks.
    async fn open_uses_of_tasks(&self, tasks: Vec<TaskId>) -> Result<Vec<OpenUse>, StoreError>;

    /// Confirmed uses since `since`, oldest first.
    async fn account_uses(&self, since: Timestamp) -> Result<Vec<AccountUse>, StoreError>;

    /// Those of one account, also of one that was deleted and is back.
    async fn uses_of_account(&self, username: &Username, since: Timestamp) -> Result<Vec<AccountUse>, StoreError>;
}

/// Devices; written by the supervisor.
#[async_trait]
pub trait DeviceStore: Send + Sync {
    /// All devices ever seen or configured, by serial.
    async fn load_devices(&self) -> Result<Vec<DeviceRecord>, StoreError>;

    /// Notes that a device exists (again).
    async fn add_device(&self, serial: &Serial, at: Timestamp) -> Result<(), StoreError>;

    /// Notes what a device said of itself.
    async fn note_device(&self, serial: &Serial, info: DeviceInfo, at: Timestamp) -> Result<(), StoreError>;

    /// Changes what the patch names.
    async fn patch_device(&self, serial: &Serial, patch: DevicePatch) -> Result<(), StoreError>;

    /// Stores that a person has put the device into quarantine, or (`None`) let it out.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such device.
    async fn hold_device(&self, serial: &Serial, held: Option<Held>) -> Result<(), StoreError>;
}

/// The outbox; task events are written by [`TaskStore`] in the transaction that they tell of.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Appends events; not waited for by those who tell (the next group commit has them).
    fn tell(&self, events: Vec<NewEvent>);
}

/// Shorthand for a shared store of everything that actors write.
pub trait FarmStore: TaskStore + ScheduleStore + AccountStore + DeviceStore + EventStore {}

impl<T: TaskStore + ScheduleStore + AccountStore + DeviceStore + EventStore> FarmStore for T {}

/// A shared [`FarmStore`].
pub type SharedStore = Arc<dyn FarmStore>;

/// How long an idempotency key is remembered.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Head start of one step of priority: a task of priority 1 overtakes those that came up to this long before it.
/// Being an offset of the due time, it ages by itself: nothing starves.
pub const PRIORITY_HEAD_START: Duration = Duration::from_secs(10 * 60);

/// A value that stands for "no data" in evidence.
pub const NO_EVIDENCE: Value = Value::Null;
