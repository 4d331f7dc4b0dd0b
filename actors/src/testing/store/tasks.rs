//! Tasks and attempts in memory.

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{
    MemoryStore, Tables, TaskRow,
    rows::{lane_of, no_device, stopped},
};
use crate::{
    domain::{
        AccountUse, AttemptId, BatchStart, Claim, Claimed, Drain, Epoch, IdempotencyKey, NewTask, OpenUse, PendingTask,
        Rescued, Serial, Status, Submitted, TaskId, TaskState, TaskStats, Timestamp, retry::Repetition,
    },
    ports::{
        Finish, Finished, IDEMPOTENCY_WINDOW, Lane, LaneAsk, LaneHead, Resolution, ResolveResult, RetriedAll,
        RetryFilter, RetryResult, StopIntent, StoreError, SubmitResult, TaskStore,
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

    async fn lane_heads(
        &self,
        asks: Vec<LaneAsk>,
        limit_each: u32,
        at: Timestamp,
    ) -> Result<Vec<LaneHead>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        Ok(asks.into_iter().map(|ask| tables.head(ask, limit_each, at)).collect())
    }

    async fn pending(&self, tasks: Vec<TaskId>) -> Result<Vec<PendingTask>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        let rows = tasks.iter().filter_map(|task| tables.tasks.get(task));
        Ok(rows
            .filter(|row| row.is_pending())
            .filter_map(TaskRow::pending)
            .collect())
    }

    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Option<Claimed>>, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        Ok(claims.into_iter().map(|claim| tables.claim_one(claim)).collect())
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
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
        let is_open = row.outcome_unknown() || tables.open_effect(resolution.task);
        if row.task.state != TaskState::Failed || !is_open {
            return Ok(ResolveResult::WrongState(row.task.state));
        }
        let account = row.task.request.username.clone();
        tables.resolve_one(&resolution);
        Ok(ResolveResult::Resolved(account))
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
                let open = tables.open_uses(|open| open.task == id);
                let kept = open.into_iter().map(
                    |OpenUse {
                         username, script, at, ..
                     }| AccountUse { username, script, at },
                );
                tables.uses.extend(kept.collect::<Vec<_>>());
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

    async fn set_drain(&self, serial: Option<Serial>, draining: bool, at: Timestamp) -> Result<(), StoreError> {
        self.write_drain(serial, draining, at).await
    }

    async fn drains(&self) -> Result<Vec<Drain>, StoreError> {
        self.read_drains().await
    }

    async fn shift_due(&self, by_ms: i64, before: Timestamp) -> Result<(), StoreError> {
        self.enter().await?;
        let by = SignedDuration::from_millis(by_ms);
        for row in self.lock().tasks.values_mut().filter(|row| row.is_pending()) {
            let request = &row.task.request;
            let (taken_up, start) = (row.task.state == TaskState::Retryable, request.scheduled_at);
            let begun = start.is_none_or(|start| request.gap.is_some() && start <= before && row.due_at > Some(start));
            if let Some(due_at) = row.due_at.filter(|_| taken_up || begun) {
                row.due_at = due_at.checked_add(by).ok();
                if !taken_up {
                    row.came_at = row.came_at.checked_add(by).unwrap_or(row.came_at);
                }
            }
        }
        Ok(())
    }

    async fn batch_starts(&self, since: Timestamp) -> Result<Vec<BatchStart>, StoreError> {
        self.read_batch_starts(since).await
    }

    async fn repetitions(&self) -> Result<Vec<Repetition>, StoreError> {
        self.enter().await?;
        Ok(self.lock().repetitions.clone())
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
