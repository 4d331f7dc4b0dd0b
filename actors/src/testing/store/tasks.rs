//! Tasks and attempts in memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::{AttemptRow, MemoryStore, Tables, TaskRow};
use crate::{
    domain::{
        AttemptId, Claim, Claimed, EffectState, Epoch, Failure, FailureReason, IdempotencyKey, NewTask, PendingTask,
        Purpose, RescueVerdict, Rescued, Status, Submitted, Task, TaskId, TaskState, TaskStats, Timestamp,
    },
    ports::{
        Finish, IDEMPOTENCY_WINDOW, Lane, LaneHead, Resolution, ResolveResult, RetriedAll, RetryFilter, RetryResult,
        StopIntent, StoreError, SubmitResult, TaskNext, TaskStore,
    },
};

#[async_trait]
impl TaskStore for MemoryStore {
    async fn begin_epoch(&self, _at: Timestamp) -> Result<Epoch, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        tables.epoch += 1;
        Ok(Epoch(tables.epoch))
    }

    async fn rescue(&self, epoch: Epoch, poison_limit: u32, at: Timestamp) -> Result<Vec<Rescued>, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let cut_off = tables
            .attempts
            .iter()
            .filter(|(_, row)| row.outcome.is_none() && row.lease.epoch < epoch);
        let cut_off: Vec<(AttemptId, TaskId)> = cut_off.map(|(id, row)| (*id, row.task)).collect();
        Ok(cut_off
            .into_iter()
            .filter_map(|(attempt, task)| tables.rescue_one(attempt, task, poison_limit, at))
            .collect())
    }

    async fn submit(
        &self,
        tasks: Vec<NewTask>,
        idempotency: Option<IdempotencyKey>,
        warnings: Vec<String>,
        at: Timestamp,
    ) -> Result<SubmitResult, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        if let Some(key) = &idempotency
            && let Some((hash, submitted, when)) = tables.keys.get(&key.key)
            && at < when.checked_add(IDEMPOTENCY_WINDOW).unwrap_or(Timestamp::MAX)
        {
            return Ok(if *hash == key.body_hash {
                SubmitResult::Replayed(submitted.clone())
            } else {
                SubmitResult::KeyReused
            });
        }
        let task_ids = tasks.into_iter().map(|task| tables.create(task, at)).collect();
        let submitted = Submitted { task_ids, warnings };
        if let Some(key) = idempotency {
            tables.keys.insert(key.key, (key.body_hash, submitted.clone(), at));
        }
        Ok(SubmitResult::Created(submitted))
    }

    async fn lanes(&self) -> Result<Vec<Lane>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        let pending = tables.tasks.values().filter(|row| row.is_pending());
        let lanes: std::collections::BTreeSet<Lane> = pending.filter_map(lane_of).collect();
        Ok(lanes.into_iter().collect())
    }

    async fn lane_heads(&self, lanes: Vec<Lane>, limit_each: u32, at: Timestamp) -> Result<Vec<LaneHead>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        Ok(lanes
            .into_iter()
            .map(|lane| tables.head(lane, limit_each, at))
            .collect())
    }

    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Option<Claimed>>, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        Ok(claims.into_iter().map(|claim| tables.claim_one(claim)).collect())
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<bool>, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        Ok(finishes.into_iter().map(|finish| tables.finish_one(finish)).collect())
    }

    async fn release(&self, claims: Vec<(TaskId, AttemptId)>, remark: String) -> Result<(), StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        for (task, attempt) in claims {
            tables.release_one(task, attempt, &remark);
        }
        Ok(())
    }

    async fn intend_stop(&self, task: TaskId, at: Timestamp) -> Result<StopIntent, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let Some(row) = tables.tasks.get_mut(&task) else {
            return Ok(StopIntent::NotFound);
        };
        if row.task.state == TaskState::Running {
            row.stop_intended = true;
            return Ok(StopIntent::Running);
        }
        if !row.is_pending() {
            return Ok(StopIntent::Finished(row.task.state));
        }
        row.fail(stopped("stopped before it started"), at);
        tables.tell_task(task, at);
        Ok(StopIntent::Unstarted)
    }

    async fn retry(&self, task: TaskId, at: Timestamp) -> Result<RetryResult, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let Some(row) = tables.tasks.get(&task) else {
            return Ok(RetryResult::NotFound);
        };
        if row.task.state != TaskState::Failed {
            return Ok(RetryResult::WrongState(row.task.state));
        }
        if row.outcome_unknown() {
            return Ok(RetryResult::OutcomeUnknown);
        }
        let retried = tables.retry_one(task, at);
        retried.map(RetryResult::Retried).ok_or_else(|| no_device(task))
    }

    async fn retry_all(&self, filter: RetryFilter, at: Timestamp) -> Result<RetriedAll, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let failed = tables
            .tasks
            .values()
            .filter(|row| row.task.state == TaskState::Failed && row.matches(&filter));
        let failed: Vec<(TaskId, bool)> = failed.map(|row| (row.task.id, row.outcome_unknown())).collect();
        let mut answer = RetriedAll::default();
        for (task, unknown) in failed {
            if unknown && !filter.include_unknown {
                let reason = "its outcome is unknown: look at the phone and resolve it".to_owned();
                answer.skipped.push((task, reason));
            } else if let Some(pending) = tables.retry_one(task, at) {
                answer.retried.push(pending);
            }
        }
        Ok(answer)
    }

    async fn resolve(&self, resolution: Resolution) -> Result<ResolveResult, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let Some(row) = tables.tasks.get(&resolution.task) else {
            return Ok(ResolveResult::NotFound);
        };
        if row.task.state != TaskState::Failed || !row.outcome_unknown() {
            return Ok(ResolveResult::WrongState(row.task.state));
        }
        tables.resolve_one(&resolution);
        Ok(ResolveResult::Resolved)
    }

    async fn delete(&self, tasks: Vec<TaskId>) -> Result<Vec<TaskId>, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let deletable = |tables: &Tables, id: &TaskId| {
            let row = tables.tasks.get(id);
            row.is_some_and(|row| row.task.state != TaskState::Running)
        };
        let mut deleted = Vec::new();
        for id in tasks {
            if deletable(&tables, &id) {
                tables.tasks.remove(&id);
                tables.attempts.retain(|_, row| row.task != id);
                tables.effects.retain(|effect| effect.key.task != id);
                deleted.push(id);
            }
        }
        Ok(deleted)
    }

    async fn states(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, TaskState)>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        let state = |id: TaskId| Some((id, tables.tasks.get(&id)?.task.state));
        Ok(tasks.into_iter().filter_map(state).collect())
    }

    async fn remark(&self, remarks: Vec<(TaskId, String)>) -> Result<(), StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        for (id, remark) in remarks {
            if let Some(row) = tables.tasks.get_mut(&id).filter(|row| row.is_pending()) {
                row.task.remark = remark;
            }
        }
        Ok(())
    }

    async fn open_effects(&self, tasks: Vec<TaskId>) -> Result<Vec<TaskId>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        Ok(tasks.into_iter().filter(|task| tables.open_effect(*task)).collect())
    }

    async fn stats(&self) -> Result<TaskStats, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        let mut stats = TaskStats::default();
        for row in tables.tasks.values() {
            stats.total += 1;
            match row.task.state.status() {
                Status::Pending => stats.pending += 1,
                Status::Running => stats.running += 1,
                Status::Completed => stats.completed += 1,
                Status::Failed => stats.failed += 1,
            }
        }
        Ok(stats)
    }
}

impl Tables {
    fn create(&mut self, request: NewTask, at: Timestamp) -> TaskId {
        self.last_task += 1;
        let id = TaskId(self.last_task);
        let due_at = request.due_at;
        let later = due_at.is_some_and(|due| due > at);
        let task = Task {
            id,
            request,
            state: if later {
                TaskState::Scheduled
            } else {
                TaskState::Available
            },
            purpose: Purpose::Execute,
            created_at: at,
            started_at: None,
            finished_at: None,
            retry_count: 0,
            progress: None,
            remark: String::new(),
            failure: None,
        };
        let row = TaskRow {
            task,
            due_at,
            attempts: 0,
            auto_retries: 0,
            stop_intended: false,
            cut_off: 0,
        };
        self.tasks.insert(id, row);
        self.tell_task(id, at);
        id
    }

    fn head(&self, lane: Lane, limit: u32, at: Timestamp) -> LaneHead {
        let rows = self
            .tasks
            .values()
            .filter(|row| row.is_pending() && lane_of(row).as_ref() == Some(&lane));
        let (mut due, later): (Vec<&TaskRow>, Vec<&TaskRow>) =
            rows.partition(|row| row.due_at.is_none_or(|due| due <= at));
        due.sort_by_key(|row| row.place());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        LaneHead {
            more: due.len() > limit,
            due: due.into_iter().take(limit).filter_map(TaskRow::pending).collect(),
            next_due: later.into_iter().filter_map(|row| row.due_at).min(),
            lane,
        }
    }

    fn claim_one(&mut self, claim: Claim) -> Option<Claimed> {
        if claim.lease.epoch != Epoch(self.epoch) {
            return None;
        }
        let taken = self
            .attempts
            .values()
            .filter(|row| row.outcome.is_none())
            .any(|row| row.serial == claim.serial || (row.username.is_some() && row.username == claim.username));
        let row = self
            .tasks
            .get_mut(&claim.task)
            .filter(|row| row.is_pending() && !taken)?;
        row.attempts += 1;
        row.task.state = TaskState::Running;
        row.task.started_at = Some(claim.at);
        row.task.remark = String::new();
        self.last_attempt += 1;
        let claimed = Claimed {
            task: claim.task,
            attempt: AttemptId(self.last_attempt),
            number: row.attempts,
            purpose: row.task.purpose,
            script: row.task.request.script.clone(),
            config: Arc::clone(&row.task.request.config),
        };
        if let Some(account) = claim.username.as_ref().and_then(|name| self.accounts.get_mut(name)) {
            account.last_used = Some(claim.at);
        }
        let attempt = AttemptRow {
            task: claim.task,
            number: claimed.number,
            serial: claim.serial,
            username: claim.username,
            lease: claim.lease,
            started_at: claim.at,
            outcome: None,
            steps: Vec::new(),
        };
        self.attempts.insert(claimed.attempt, attempt);
        self.tell_task(claim.task, claim.at);
        Some(claimed)
    }

    fn finish_one(&mut self, finish: Finish) -> bool {
        let Some(attempt) = self.live(finish.attempt, &finish.lease) else {
            return false;
        };
        attempt.outcome = Some(finish.outcome.to_owned());
        self.uses.extend(finish.used);
        let Some(row) = self.tasks.get_mut(&finish.task) else {
            return false;
        };
        let stop_intended = std::mem::take(&mut row.stop_intended);
        row.task.progress = None;
        row.cut_off = 0;
        match finish.next {
            TaskNext::Completed { remark } => row.complete(remark, finish.at),
            TaskNext::Failed { failure } => row.fail(failure, finish.at),
            // Who asked for the stop was told that it will not run again.
            TaskNext::Again { .. } if stop_intended => row.fail(stopped("stopped"), finish.at),
            TaskNext::Again {
                due_at,
                purpose,
                remark,
                counts,
            } => {
                row.task.state = TaskState::Retryable;
                row.due_at = Some(due_at);
                row.task.purpose = purpose;
                row.task.remark = remark;
                row.auto_retries += u32::from(counts);
                row.task.retry_count += u32::from(counts);
            }
        }
        self.tell_task(finish.task, finish.at);
        true
    }

    fn release_one(&mut self, task: TaskId, attempt: AttemptId, remark: &str) {
        let Some(attempt) = self.attempts.get_mut(&attempt).filter(|row| row.outcome.is_none()) else {
            return;
        };
        attempt.outcome = Some("abandoned".to_owned());
        let at = attempt.started_at;
        let Some(row) = self.tasks.get_mut(&task) else { return };
        if std::mem::take(&mut row.stop_intended) {
            row.fail(stopped("stopped before it started"), at);
        } else {
            row.task.state = TaskState::Available;
            row.task.remark = remark.to_owned();
        }
        self.tell_task(task, at);
    }

    fn rescue_one(&mut self, attempt: AttemptId, task: TaskId, poison_limit: u32, at: Timestamp) -> Option<Rescued> {
        let open = self.open_effect(task);
        let confirmed = |state| matches!(state, EffectState::Confirmed | EffectState::ResolvedDone);
        let done = self
            .effects
            .iter()
            .any(|effect| effect.key.task == task && confirmed(effect.state));
        self.attempts.get_mut(&attempt)?.outcome = Some("abandoned".to_owned());
        let row = self.tasks.get_mut(&task)?;
        let stop_intended = std::mem::take(&mut row.stop_intended);
        row.cut_off += 1;
        let verdict = if open {
            row.again(Purpose::Verify, "the controller ended in the middle of it; looks first");
            RescueVerdict::Verify
        } else if done {
            row.complete("done; the controller ended right after it".to_owned(), at);
            RescueVerdict::Completed
        } else if stop_intended {
            row.fail(stopped("stopped"), at);
            RescueVerdict::Failed(FailureReason::Stopped)
        } else if row.cut_off >= poison_limit {
            let message = format!("the controller ended {} times in the middle of it", row.cut_off);
            row.fail(failure(FailureReason::Interrupted, message), at);
            RescueVerdict::Failed(FailureReason::Interrupted)
        } else {
            row.again(Purpose::Execute, "the controller ended in the middle of it; runs again");
            RescueVerdict::Repeat
        };
        self.tell_task(task, at);
        Some(Rescued { task, attempt, verdict })
    }

    fn retry_one(&mut self, task: TaskId, at: Timestamp) -> Option<PendingTask> {
        let open = self.open_effect(task);
        let row = self.tasks.get_mut(&task)?;
        let unknown = row.outcome_unknown();
        row.task.state = TaskState::Available;
        row.task.purpose = if open || unknown {
            Purpose::Verify
        } else {
            Purpose::Execute
        };
        row.task.retry_count += 1;
        row.task.failure = None;
        row.task.finished_at = None;
        row.task.remark = String::new();
        row.auto_retries = 0;
        row.due_at = None;
        let pending = row.pending();
        self.tell_task(task, at);
        pending
    }

    fn resolve_one(&mut self, resolution: &Resolution) {
        let to = if resolution.done {
            EffectState::ResolvedDone
        } else {
            EffectState::ResolvedNotDone
        };
        for effect in self
            .effects
            .iter_mut()
            .filter(|effect| effect.key.task == resolution.task)
        {
            if matches!(effect.state, EffectState::Intended | EffectState::Unknown) {
                effect.state = to;
            }
        }
        let Some(row) = self.tasks.get_mut(&resolution.task) else {
            return;
        };
        if resolution.done {
            row.complete(format!("resolved by a person: {}", resolution.note), resolution.at);
        } else {
            let message = format!("a person says that it did not take place: {}", resolution.note);
            row.fail(failure(FailureReason::Interrupted, message), resolution.at);
        }
        self.tell_task(resolution.task, resolution.at);
    }
}

impl TaskRow {
    fn complete(&mut self, remark: String, at: Timestamp) {
        self.task.state = TaskState::Completed;
        self.task.finished_at = Some(at);
        self.task.remark = remark;
        self.task.failure = None;
    }

    fn fail(&mut self, failure: Failure, at: Timestamp) {
        self.task.state = TaskState::Failed;
        self.task.finished_at = Some(at);
        self.task.remark.clone_from(&failure.message);
        self.task.failure = Some(failure);
    }

    fn again(&mut self, purpose: Purpose, remark: &str) {
        self.task.state = TaskState::Retryable;
        self.task.purpose = purpose;
        self.task.remark = remark.to_owned();
        self.due_at = None;
    }

    fn outcome_unknown(&self) -> bool {
        let reason = self.task.failure.as_ref().map(|failure| failure.reason);
        reason == Some(FailureReason::OutcomeUnknown)
    }

    fn matches(&self, filter: &RetryFilter) -> bool {
        let request = &self.task.request;
        let fits = |wanted: bool, equal: bool| !wanted || equal;
        fits(filter.serial.is_some(), filter.serial == request.serial)
            && fits(filter.username.is_some(), filter.username == request.username)
            && filter
                .batch_id
                .as_ref()
                .is_none_or(|batch| **batch == *request.batch_id)
    }
}

fn lane_of(row: &TaskRow) -> Option<Lane> {
    Some(Lane {
        serial: row.task.request.serial.clone()?,
        username: row.task.request.username.clone(),
    })
}

fn stopped(message: &str) -> Failure {
    failure(FailureReason::Stopped, message.to_owned())
}

fn failure(reason: FailureReason, message: String) -> Failure {
    Failure {
        reason,
        message,
        step: None,
        retryable: true,
    }
}

fn no_device(task: TaskId) -> StoreError {
    StoreError::Conflict(format!("task {task} names no device"))
}
