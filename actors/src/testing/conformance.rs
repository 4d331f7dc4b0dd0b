//! What every store has to do, asserted through the ports alone. Run [`run_all`] over each implementation; each check
//! begins with a fresh store and panics with what was wrong.

mod attempts;
mod effects;
mod people;
pub mod schedules;
mod tasks;

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use crate::{
    domain::{
        AttemptId, Claim, Claimed, EffectGate, EffectIntent, EffectKey, Epoch, Failure, FailureReason, Lease, NewEvent,
        NewTask, PendingTask, ScriptName, Serial, Source, TaskId, TaskState, Timestamp, Username,
    },
    ports::{AttemptJournal, Finish, Lane, LaneHead, SharedStore, StoreError, SubmitResult, TaskNext},
};

/// A fresh store, as its two users see it.
#[derive(Clone)]
pub struct Subject {
    /// As the actors see it.
    pub store: SharedStore,
    /// As attempts see it.
    pub journal: Arc<dyn AttemptJournal>,
    /// All events that it was given or told itself, in order.
    pub events: Arc<dyn Fn() -> BoxFuture<'static, Vec<NewEvent>> + Send + Sync>,
}

/// A store that failed where it should not.
pub type Checked = Result<(), StoreError>;

/// Runs all checks, each on a store of its own.
///
/// # Errors
/// The store failed where it should have answered.
///
/// # Panics
/// The store behaved otherwise than its ports say.
pub async fn run_all<F, Fut>(fresh: F) -> Checked
where
    F: Fn() -> Fut,
    Fut: Future<Output = Subject>,
{
    tasks::ids_come_in_order_and_stats_add_up(fresh().await).await?;
    tasks::an_idempotency_key_is_answered_once_and_for_a_day(fresh().await).await?;
    tasks::what_is_claimed_as_it_is_created_runs_and_the_rest_waits(fresh().await).await?;
    tasks::a_lane_is_ordered_by_time_priority_and_id(fresh().await).await?;
    tasks::lanes_are_apart_and_empty_ones_are_not_listed(fresh().await).await?;
    tasks::a_stop_ends_what_is_pending_and_marks_what_runs(fresh().await).await?;
    tasks::deleted_ids_are_never_used_again(fresh().await).await?;
    tasks::a_failed_task_is_retried_and_a_resolved_one_is_what_the_person_said(fresh().await).await?;
    tasks::a_task_that_is_retried_before_its_time_of_day_waits_for_it(fresh().await).await?;
    attempts::a_task_is_claimed_once_and_numbered(fresh().await).await?;
    attempts::only_the_leases_owner_ends_an_attempt_and_only_once(fresh().await).await?;
    attempts::another_attempt_waits_for_its_time_and_keeps_its_purpose(fresh().await).await?;
    attempts::what_is_given_back_is_pending_again(fresh().await).await?;
    attempts::an_older_epoch_writes_nothing(fresh().await).await?;
    attempts::what_a_dead_controller_left_is_taken_up_by_the_rules(fresh().await).await?;
    attempts::a_task_that_kills_the_controller_is_given_up(fresh().await).await?;
    attempts::the_newest_starts_of_a_batch_with_a_gap_are_known(fresh().await).await?;
    effects::an_effect_is_allowed_once(fresh().await).await?;
    effects::only_a_live_attempt_may_act_or_tell(fresh().await).await?;
    effects::an_attempt_that_is_stopped_after_its_effect_was_confirmed_completes_its_task(fresh().await).await?;
    people::accounts_are_kept(fresh().await).await?;
    people::an_import_is_written_whole_or_not_at_all(fresh().await).await?;
    people::a_status_that_a_person_sets_is_told_by_its_own_kind(fresh().await).await?;
    people::a_rest_that_is_over_ends_unless_a_person_has_changed_it(fresh().await).await?;
    people::uses_are_counted_from_confirmed_ends(fresh().await).await?;
    people::that_the_app_asks_for_a_person_is_stored_with_the_end_of_the_attempt(fresh().await).await?;
    people::an_account_that_an_attempt_has_is_not_deleted(fresh().await).await?;
    people::devices_are_kept(fresh().await).await?;
    schedules::a_schedule_is_kept_as_it_was_written(fresh().await).await?;
    schedules::a_run_is_stored_once_with_its_tasks_and_the_next_one(fresh().await).await?;
    schedules::runs_by_hand_at_one_instant_are_all_stored(fresh().await).await?;
    schedules::a_run_of_an_older_revision_is_not_stored(fresh().await).await?;
    schedules::a_run_without_tasks_gives_its_place_to_one_with(fresh().await).await
}

/// The wall time at which the checks begin.
fn morning() -> Timestamp {
    Timestamp::from_second(1_780_000_000).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn after(seconds: u64) -> Timestamp {
    morning() + Duration::from_secs(seconds)
}

/// Names in this suite are valid: one that is not is a fault of the suite.
fn valid<T, E: std::fmt::Debug>(parsed: Result<T, E>) -> T {
    match parsed {
        Ok(value) => value,
        Err(error) => unreachable!("{error:?}"),
    }
}

fn serial(name: &str) -> Serial {
    valid(Serial::parse(name))
}

fn username(name: &str) -> Username {
    valid(Username::parse(name))
}

fn script(name: &str) -> ScriptName {
    valid(ScriptName::parse(name))
}

fn lane(device: &str, account: Option<&str>) -> Lane {
    Lane {
        serial: serial(device),
        username: account.map(username),
    }
}

pub(crate) fn task(device: &str, account: Option<&str>) -> NewTask {
    NewTask {
        batch_id: "batch-1".into(),
        script: script("follow"),
        config: Arc::new(serde_json::json!({ "target_users": ["ż\u{0301}\n🙂"] })),
        serial: Some(serial(device)),
        username: account.map(username),
        enable_multi_account: false,
        source: Source::Api,
        start_time: None,
        scheduled_at: None,
        due_at: None,
        gap: None,
        priority: 0,
        schedule: None,
    }
}

impl Subject {
    async fn create(&self, tasks: Vec<NewTask>, at: Timestamp) -> Result<Vec<TaskId>, StoreError> {
        match self.store.submit(tasks, None, Vec::new(), at).await? {
            SubmitResult::Created(submitted) => Ok(submitted.task_ids),
            other => unreachable!("without a key everything is created: {other:?}"),
        }
    }

    async fn create_one(&self, task: NewTask) -> Result<TaskId, StoreError> {
        let ids = self.create(vec![task], morning()).await?;
        Ok(*ids.first().unwrap_or_else(|| unreachable!("one task, no id")))
    }

    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.store.begin_epoch(morning()).await
    }

    async fn head(&self, lane: &Lane, limit: u32, at: Timestamp) -> Result<LaneHead, StoreError> {
        let mut heads = self.store.lane_heads(vec![lane.clone().into()], limit, at).await?;
        assert_eq!(heads.len(), 1, "one lane was asked for");
        Ok(heads.remove(0))
    }

    /// The only pending task of the lane.
    async fn only(&self, lane: &Lane, at: Timestamp) -> Result<PendingTask, StoreError> {
        let mut head = self.head(lane, 10, at).await?;
        assert_eq!(head.due.len(), 1, "one task is due: {head:?}");
        Ok(head.due.remove(0))
    }

    async fn state(&self, task: TaskId) -> Result<Option<TaskState>, StoreError> {
        let states = self.store.states(vec![task]).await?;
        Ok(states.first().map(|(_, state)| *state))
    }

    async fn claim(&self, task: TaskId, device: &str, lease: &Lease) -> Result<Option<Claimed>, StoreError> {
        let claim = Claim {
            task,
            serial: serial(device),
            username: None,
            lease: lease.clone(),
            at: after(1),
        };
        let mut claimed = self.store.claim(vec![claim]).await?;
        assert_eq!(claimed.len(), 1, "one claim, one answer");
        Ok(claimed.remove(0))
    }

    /// A task of its own, running.
    async fn running(&self, device: &str, lease: &Lease) -> Result<(TaskId, AttemptId), StoreError> {
        let id = self.create_one(task(device, None)).await?;
        let claimed = self.claim(id, device, lease).await?;
        let claimed = claimed.unwrap_or_else(|| unreachable!("a pending task on a free device is claimed"));
        Ok((id, claimed.attempt))
    }

    async fn end(&self, task: TaskId, attempt: AttemptId, lease: &Lease, next: TaskNext) -> Result<bool, StoreError> {
        let outcome = match &next {
            TaskNext::Completed { .. } => "completed",
            TaskNext::Failed { failure } => failure.reason.as_str(),
            TaskNext::Again { .. } => "device_error",
        };
        let finish = Finish {
            task,
            attempt,
            lease: lease.clone(),
            outcome,
            next,
            used: None,
            attention: None,
            at: after(2),
        };
        let finished = self.store.finish(vec![finish]).await?;
        Ok(finished.iter().all(|finished| finished.written))
    }

    async fn intend(&self, task: TaskId, attempt: AttemptId, lease: &Lease) -> Result<EffectGate, StoreError> {
        let intent = EffectIntent {
            key: EffectKey {
                task,
                step: "publish".into(),
                ordinal: 0,
            },
            attempt,
            lease: lease.clone(),
            content: serde_json::json!({}),
            baseline: serde_json::json!({}),
        };
        self.journal.intend(intent).await
    }

    async fn fail(&self, device: &str, lease: &Lease, reason: FailureReason) -> Result<TaskId, StoreError> {
        let (task, attempt) = self.running(device, lease).await?;
        if reason == FailureReason::OutcomeUnknown {
            // Nobody can be in doubt of an effect that was never intended.
            assert_eq!(self.intend(task, attempt, lease).await?, EffectGate::Act);
        }
        assert!(
            self.end(task, attempt, lease, failed(reason)).await?,
            "the owner ends its attempt"
        );
        Ok(task)
    }
}

fn lease(epoch: Epoch, token: &str) -> Lease {
    Lease {
        epoch,
        token: token.into(),
    }
}

fn completed() -> TaskNext {
    TaskNext::Completed {
        remark: "done".to_owned(),
    }
}

fn failed(reason: FailureReason) -> TaskNext {
    let failure = Failure {
        reason,
        message: "as the suite wants".to_owned(),
        step: Some(3),
        retryable: reason != FailureReason::OutcomeUnknown,
    };
    TaskNext::Failed { failure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MemoryStore;

    #[actix::test]
    async fn the_store_in_memory_conforms() {
        let fresh = || async {
            let store = MemoryStore::new();
            let told = store.clone();
            Subject {
                store: store.shared(),
                journal: Arc::new(store),
                events: Arc::new(move || {
                    let events = told.events().into_iter().map(|event| event.event);
                    Box::pin(std::future::ready(events.collect()))
                }),
            }
        };
        run_all(fresh).await.unwrap();
    }
}
