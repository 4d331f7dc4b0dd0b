//! What an attempt writes down while it runs.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    AttemptId, Checkpoint, Effect, EffectFinding, EffectGate, EffectIntent, EffectKey, Progress, Reached, Serial,
    StepRecord, TaskId, Timestamp, Username,
};

/// The attempt's diary: its steps, and the gate to effects that cannot be undone.
#[async_trait]
pub trait AttemptJournal: Send + Sync {
    /// Writes a step (again, when it has ended). Not waited for: steps are in the next group commit.
    fn record_step(&self, attempt: AttemptId, step: StepRecord);

    /// Tells which version of its flow the attempt runs: SHA-256 of all its files, hex. Not waited for.
    fn record_flow(&self, attempt: AttemptId, content_hash: &str);

    /// Tells how far the attempt is. Not waited for.
    fn record_progress(&self, task: TaskId, attempt: AttemptId, progress: Progress);

    /// Asks to act. When the answer is [`EffectGate::Act`], the intent is durable.
    ///
    /// # Errors
    /// Nothing was written: do not act.
    async fn intend(&self, intent: EffectIntent) -> Result<EffectGate, StoreError>;

    /// Another task of the account (or of the phone, when either has no account) whose effect has this hash (`content.hash`)
    /// and has taken place, or may have, since then: its effect would be done twice.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn find_repeated(
        &self,
        _task: TaskId,
        _username: Option<&Username>,
        _serial: &Serial,
        _hash: &str,
        _since: Timestamp,
    ) -> Result<Option<TaskId>, StoreError> {
        Ok(None)
    }

    /// Whether another task of the script may have done, for the same account (on the same phone, when either has no
    /// account), what a check could take for this effect: it acted after this one was intended, or nobody knows yet whether
    /// it did. With `by_same` not one of the same script whose content has other values in `same`.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn has_rival(
        &self,
        _effect: &EffectKey,
        _username: Option<&Username>,
        _serial: &Serial,
        _by_same: bool,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Whether another task of the account (or phone, when either has no account) has acted since this effect was intended,
    /// or may have, with the same value of this parameter: what this one has done may have been taken back by it.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn was_touched_again(&self, _effect: &EffectKey, _param: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// When the newest act of another task in the same app of the same phone was intended, since then, of which it is not known
    /// whether it took place: what the app says of that one may be taken for what it says of the next. One that was
    /// confirmed and not believed is as old as the one because of which it was not.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn newest_open(
        &self,
        _task: TaskId,
        _serial: &Serial,
        _package: &str,
        _since: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// Whether an account of this app is bound to the phone.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn has_account(&self, _serial: &Serial, _app: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Whether another task may have done something for the account (without one: on the same phone) since the task's
    /// checkpoint: what was counted before it counts no longer.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn acted_since_checkpoint(
        &self,
        _task: TaskId,
        _username: Option<&Username>,
        _serial: &Serial,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Whether somebody has asked to stop the task: an attempt of a later life that only looked does nothing more then.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn is_stop_requested(&self, _task: TaskId) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Writes how far the attempt is; durable on return.
    ///
    /// # Errors
    /// Nothing was written, or the attempt may not go on.
    async fn reach(&self, _checkpoint: Checkpoint) -> Result<(), StoreError> {
        Ok(())
    }

    /// How far an earlier attempt has come since the task was last begun anew.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn reached(&self, _task: TaskId) -> Result<Option<Reached>, StoreError> {
        Ok(None)
    }

    /// Writes what was found out about an intended effect; durable on return.
    ///
    /// # Errors
    /// Nothing was written: the effect stays open.
    async fn settle(&self, finding: EffectFinding) -> Result<(), StoreError>;

    /// All effects of a task, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn effects(&self, task: TaskId) -> Result<Vec<Effect>, StoreError>;
}
