//! What each call does to the rows of tasks and attempts.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{AttemptRow, Tables, TaskRow};
use crate::{
    domain::{
        AccountRecord, AccountStatus, AccountUse, AttemptId, Attention, Claim, Claimed, Effect, EffectState, Epoch,
        Failure, FailureReason, NewTask, ONE_OF_SEVERAL, OpenUse, PendingTask, Purpose, RescueVerdict, Rescued, Task,
        TaskId, TaskState, Timestamp, Username, retry::Repetition,
    },
    ports::{Finish, Finished, Lane, LaneAsk, LaneHead, OpenTask, Resolution, RetryFilter, StoreError, TaskNext},
};

impl Tables {
    pub(super) fn create(&mut self, request: NewTask, at: Timestamp) -> TaskId {
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
            came_at: due_at.unwrap_or(at),
            attempts: 0,
            auto_retries: 0,
            stop_intended: false,
            cut_off: 0,
        };
        self.tasks.insert(id, row);
        self.tell_task(id, at);
        id
    }

    pub(super) fn head(&self, ask: LaneAsk, limit: u32, at: Timestamp) -> LaneHead {
        let LaneAsk { lane, passed_over } = ask;
        let rows = self
            .tasks
            .values()
            .filter(|row| row.is_pending() && lane_of(row).as_ref() == Some(&lane));
        let (mut due, later): (Vec<&TaskRow>, Vec<&TaskRow>) =
            rows.partition(|row| row.due_at.is_none_or(|due| due <= at));
        let is_open = |row: &&TaskRow| row.task.purpose == Purpose::Verify;
        let open = due.iter().chain(&later).filter(|row| is_open(row));
        let unverified = open.min_by_key(|row| row.place()).map(|row| OpenTask {
            task: row.task.id,
            unknown_checks: self.unknown_checks(row.task.id),
        });
        if unverified.is_some() {
            due.retain(is_open);
        }
        due.retain(|row| {
            let request = &row.task.request;
            let keeps_gap =
                request.gap.is_some() && row.attempts == 0 && passed_over.batches.contains(&request.batch_id);
            is_open(row) || !passed_over.scripts.contains(&request.script) && !keeps_gap
        });
        due.sort_by_key(|row| row.place());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        LaneHead {
            more: due.len() > limit,
            due: due.into_iter().take(limit).filter_map(TaskRow::pending).collect(),
            next_due: later.into_iter().filter_map(|row| row.due_at).min(),
            unverified,
            lane,
        }
    }

    pub(super) fn claim_one(&mut self, claim: Claim) -> Option<Claimed> {
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
            flow_hash: None,
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

    pub(super) fn finish_one(&mut self, finish: Finish) -> Finished {
        let Some(attempt) = self.live(finish.attempt, &finish.lease) else {
            return Finished::default();
        };
        attempt.outcome = Some(finish.outcome.to_owned());
        let begun = attempt.started_at;
        self.uses.extend(finish.used);
        let asked = finish
            .attention
            .and_then(|(username, attention)| self.ask_for_a_person(&username, attention));
        let done = self.is_done(finish.task) && !self.open_effect(finish.task);
        self.count_effects(finish.attempt);
        let own = self.counted.iter().filter(|(_, attempt)| *attempt == finish.attempt);
        let acts = own.map(|_| begun).collect();
        let Some(row) = self.tasks.get_mut(&finish.task) else {
            return Finished::default();
        };
        let stop_intended = std::mem::take(&mut row.stop_intended);
        row.task.progress = None;
        row.cut_off = 0;
        let stopped_here = stop_intended && !done && matches!(finish.next, TaskNext::Again { .. });
        match finish.next {
            TaskNext::Completed { remark } => row.complete(remark, finish.at),
            TaskNext::Failed { .. } | TaskNext::Again { .. } if done => {
                row.complete("done; what came after it was cut short".to_owned(), finish.at);
            }
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
                let script = row.task.request.script.clone();
                let at = finish.at;
                self.repetitions.extend(counts.then_some(Repetition { script, at }));
            }
        }
        self.tell_task(finish.task, finish.at);
        Finished {
            written: true,
            done,
            stopped: stopped_here,
            asked,
            acts,
        }
    }

    fn ask_for_a_person(&mut self, username: &Username, attention: Attention) -> Option<u64> {
        let enabled = |record: &&mut AccountRecord| record.status != AccountStatus::Disabled;
        let record = self.accounts.get_mut(username).filter(enabled)?;
        let (why, revision) = (attention.message.clone(), record.status_revision + 1);
        record.ask_for_a_person(attention.message, attention.screenshot, revision);
        let event = record.status_event(&why);
        self.tell(Timestamp::UNIX_EPOCH, event);
        Some(revision)
    }

    /// What may have been done for these tasks.
    pub(super) fn open_uses(&self, of: impl Fn(&OpenUse) -> bool) -> Vec<OpenUse> {
        let uses = self.attempts.iter().filter_map(|(id, attempt)| {
            let task = self.tasks.get(&attempt.task)?;
            let last = self
                .attempts
                .iter()
                .filter(|(_, row)| row.task == attempt.task)
                .map(|(id, _)| *id)
                .max();
            let is_open = self.open_effect(attempt.task) && last == Some(*id);
            Some(OpenUse {
                username: attempt.username.clone().filter(|_| is_open)?,
                task: attempt.task,
                script: task.task.request.script.clone(),
                at: attempt.started_at,
            })
        });
        uses.filter(of).collect()
    }

    fn unknown_checks(&self, task: TaskId) -> u32 {
        let own = self.effects.iter().filter(|effect| effect.key.task == task);
        let open = own.filter(|effect| matches!(effect.state, EffectState::Intended | EffectState::Unknown));
        open.map(|effect| effect.unknown_checks).max().unwrap_or_default()
    }

    /// Whether the one effect that the task is for has taken place.
    fn is_done(&self, task: TaskId) -> bool {
        self.effects.iter().any(|effect| {
            let only = effect.content.get(ONE_OF_SEVERAL).is_none();
            effect.key.task == task && took_place(effect.state) && only
        })
    }

    /// Counts what has taken place of the attempt's task and is not counted yet, as of a moment after the attempt's start: what the account did
    /// before was over then.
    pub(super) fn count_effects(&mut self, attempt: AttemptId) {
        let Some(AttemptRow {
            task,
            username,
            started_at,
            ..
        }) = self.attempts.get(&attempt).cloned()
        else {
            return;
        };
        let at = started_at.checked_add(Duration::from_millis(1)).unwrap_or(started_at);
        let Some(script) = self.tasks.get(&task).map(|row| row.task.request.script.clone()) else {
            return;
        };
        let is_new = |effect: &&Effect| {
            let counted = self.counted.iter().any(|(key, _)| *key == effect.key);
            effect.key.task == task && took_place(effect.state) && !counted
        };
        let new: Vec<Effect> = self.effects.iter().filter(is_new).cloned().collect();
        for effect in new {
            self.use_up(&effect, username.as_ref());
            self.counted.push((effect.key, attempt));
            let script = script.clone();
            self.uses
                .extend(username.clone().map(|username| AccountUse { username, script, at }));
        }
    }

    fn use_up(&mut self, effect: &Effect, username: Option<&Username>) {
        let Some(username) = username else { return };
        let files = effect
            .content
            .get("media")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for sha256 in files.filter_map(|file| file.get("sha256").and_then(Value::as_str)) {
            let pair = (username.clone(), sha256.to_owned());
            if !self.used_media.contains(&pair) {
                self.used_media.push(pair);
            }
        }
    }

    pub(super) fn release_one(&mut self, task: TaskId, attempt: AttemptId, remark: &str) {
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

    pub(super) fn rescue_one(
        &mut self,
        attempt: AttemptId,
        task: TaskId,
        poison_limit: u32,
        at: Timestamp,
    ) -> Option<Rescued> {
        let open = self.open_effect(task);
        let done = self.is_done(task);
        self.attempts.get_mut(&attempt)?.outcome = Some("abandoned".to_owned());
        self.count_effects(attempt);
        let row = self.tasks.get_mut(&task)?;
        let stop_intended = std::mem::take(&mut row.stop_intended);
        row.cut_off += 1;
        let verdict = if open {
            row.stop_intended = stop_intended;
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

    pub(super) fn retry_one(&mut self, task: TaskId, at: Timestamp) -> Option<PendingTask> {
        let open = self.open_effect(task);
        let row = self.tasks.get_mut(&task)?;
        let unknown = row.outcome_unknown();
        row.task.purpose = if open || unknown {
            Purpose::Verify
        } else {
            Purpose::Execute
        };
        let execute = row.task.purpose == Purpose::Execute;
        row.due_at = row.task.request.scheduled_at.filter(|due| execute && *due > at);
        row.task.state = match row.due_at {
            Some(_) => TaskState::Scheduled,
            None => TaskState::Available,
        };
        row.task.retry_count += 1;
        row.task.failure = None;
        row.task.finished_at = None;
        row.task.remark = String::new();
        row.auto_retries = 0;
        row.came_at = row.due_at.unwrap_or(at);
        let pending = row.pending();
        self.tell_task(task, at);
        pending
    }

    pub(super) fn resolve_one(&mut self, resolution: &Resolution) {
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

fn took_place(state: EffectState) -> bool {
    matches!(state, EffectState::Confirmed | EffectState::ResolvedDone)
}

impl TaskRow {
    pub(super) fn complete(&mut self, remark: String, at: Timestamp) {
        self.task.state = TaskState::Completed;
        self.end(at);
        self.task.remark = remark;
        self.task.failure = None;
    }

    pub(super) fn fail(&mut self, failure: Failure, at: Timestamp) {
        self.task.state = TaskState::Failed;
        self.end(at);
        self.task.remark.clone_from(&failure.message);
        self.task.failure = Some(failure);
    }

    /// A clock that was set back ends nothing before its start.
    fn end(&mut self, at: Timestamp) {
        self.task.finished_at = Some(self.task.started_at.map_or(at, |started| started.max(at)));
    }

    pub(super) fn again(&mut self, purpose: Purpose, remark: &str) {
        self.task.state = TaskState::Retryable;
        self.task.purpose = purpose;
        self.task.remark = remark.to_owned();
        self.due_at = None;
    }

    pub(super) fn outcome_unknown(&self) -> bool {
        let reason = self.task.failure.as_ref().map(|failure| failure.reason);
        reason == Some(FailureReason::OutcomeUnknown)
    }

    pub(super) fn matches(&self, filter: &RetryFilter) -> bool {
        let request = &self.task.request;
        let fits = |wanted: bool, equal: bool| !wanted || equal;
        fits(filter.serial.is_some(), filter.serial == request.serial)
            && fits(filter.username.is_some(), filter.username == request.username)
            && filter
                .batch_id
                .as_ref()
                .is_none_or(|batch| **batch == *request.batch_id)
            && filter.script.as_ref().is_none_or(|script| *script == request.script)
            && filter.created_from.is_none_or(|from| self.task.created_at >= from)
            && filter.created_before.is_none_or(|before| self.task.created_at < before)
            && filter.reason.is_none_or(|reason| {
                self.task
                    .failure
                    .as_ref()
                    .is_some_and(|failure| failure.reason == reason)
            })
    }
}

pub(super) fn lane_of(row: &TaskRow) -> Option<Lane> {
    Some(Lane {
        serial: row.task.request.serial.clone()?,
        username: row.task.request.username.clone(),
    })
}

pub(super) fn stopped(message: &str) -> Failure {
    failure(FailureReason::Stopped, message.to_owned())
}

pub(super) fn failure(reason: FailureReason, message: String) -> Failure {
    Failure {
        reason,
        message,
        step: None,
        retryable: true,
    }
}

pub(super) fn no_device(task: TaskId) -> StoreError {
    StoreError::Conflict(format!("task {task} names no device"))
}
