//! The end of an attempt: what became of it, written once and durable, before anything that it held is free.

use std::time::Duration;

use super::{AccountSlot, Effect, RouterCore, attempts::Phase, lanes::lane_of};
use crate::{
    account::{LeaseUsage, ReleaseAccount},
    device::{AttemptEnding, StopAttempt, StopCause},
    domain::{
        AccountUse, AttemptId, Blame, Failure, FailureReason, Generation, Now, Outcome, Purpose, ScriptName, Serial,
        TaskId,
        retry::{AttemptFacts, EndedBy, Verdict, decide},
    },
    ports::{Finish, Finished, StoreError, TaskNext},
    router::{AttemptEnd, AttemptFinished},
};

/// Beyond the device's own grace: when even its actor says nothing to a stop, the router ends the attempt without it.
/// A stop has to be over within 2 s.
const STOP_SILENT: Duration = Duration::from_millis(200);

impl RouterCore {
    /// A device says that an attempt has ended.
    pub fn on_attempt_finished(&mut self, finished: AttemptFinished, now: Now) {
        let AttemptFinished {
            task,
            attempt,
            generation,
            ending,
            ..
        } = finished;
        let Some(running) = self.running.get(&task) else { return };
        if !matches!(running.phase, Phase::Running(id, of) if id == attempt && of == generation) {
            return;
        }
        match ending {
            AttemptEnding::Outcome(outcome) => self.conclude(task, attempt, outcome, now),
            AttemptEnding::Abandoned { failure, blame } => self.check(task, attempt, failure, blame),
        }
    }

    /// The store has said which abandoned attempts left an effect open.
    pub fn on_effects(&mut self, asked: &[TaskId], open: Result<Vec<TaskId>, StoreError>, now: Now) {
        let open = match open {
            Ok(open) => open,
            Err(error) => {
                self.pause_store(error.to_string(), now);
                self.to_check.extend_from_slice(asked);
                return;
            }
        };
        for task in asked {
            let Some(Phase::Checking(attempt, failure, blame)) = self.running.get(task).map(|running| &running.phase)
            else {
                continue;
            };
            let (attempt, failure, blame) = (*attempt, failure.clone(), *blame);
            let outcome = if open.contains(task) {
                Outcome::Unverified {
                    failure,
                    blame,
                    attention: None,
                }
            } else {
                Outcome::Failed { failure, blame }
            };
            self.conclude(*task, attempt, outcome, now);
        }
    }

    pub(super) fn flush_checks(&mut self, effects: &mut Vec<Effect>) {
        if !self.to_check.is_empty() {
            effects.push(Effect::CheckEffects(std::mem::take(&mut self.to_check)));
        }
    }

    pub(super) fn flush_give_backs(&mut self, effects: &mut Vec<Effect>) {
        if !self.give_backs.is_empty() {
            effects.push(Effect::GiveBack(std::mem::take(&mut self.give_backs)));
        }
    }

    /// The ends of attempts are durable, or the store has refused them.
    pub(super) fn on_finished(
        &mut self,
        batch: Vec<Finish>,
        result: Result<Vec<Finished>, StoreError>,
        now: Now,
    ) -> Vec<Effect> {
        let finished = match result {
            Ok(finished) => finished,
            Err(error) => {
                self.pause_store(error.to_string(), now);
                // Nothing is free before its end is durable.
                self.finishes.splice(0..0, batch);
                return Vec::new();
            }
        };
        let mut effects = Vec::with_capacity(batch.len() * 2);
        for (finish, finished) in batch.into_iter().zip(finished) {
            self.settle(finish, finished, now, &mut effects);
        }
        self.plan_wanted = true;
        effects
    }

    /// A stop is intended in the store, and the task was running.
    pub fn on_stop_intended(&mut self, task: TaskId, now: Now) -> Vec<Effect> {
        let stop = self.end_from_outside(task, EndedBy::Stop, StopCause::Stop);
        if stop.is_some() {
            let at = now.mono + self.settings.attempt.stop_grace() + STOP_SILENT;
            let known = self.running.get(&task).and_then(|running| running.deadline);
            self.set_deadline(task, known.map_or(at, |known| known.min(at)));
        }
        stop.into_iter().collect()
    }

    pub(super) fn stop_all_for_drain(&mut self) -> Vec<Effect> {
        let tasks: Vec<TaskId> = self.running.keys().copied().collect();
        let stop = |task| self.end_from_outside(task, EndedBy::Drain, StopCause::Drain);
        tasks.into_iter().filter_map(stop).collect()
    }

    /// Attempts of the device's former incarnations have nobody any more.
    pub(super) fn abandon_older(&mut self, serial: &Serial, current: Generation) {
        let Some(task) = self.devices.get(serial).and_then(|slot| slot.running) else {
            return;
        };
        let Some(Phase::Running(attempt, of)) = self.running.get(&task).map(|running| &running.phase) else {
            return;
        };
        if *of >= current {
            return;
        }
        let failure = Failure {
            reason: FailureReason::Interrupted,
            message: format!("the actor of device {serial} was restarted in the middle of it"),
            step: None,
            retryable: true,
        };
        self.check(task, *attempt, failure, Blame::Host);
    }

    /// Ends attempts whose device says nothing at all.
    pub(super) fn overdue(&mut self, now: Now) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((_, task)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now.mono) {
            self.deadlines.pop_first();
            let Some(running) = self.running.get(&task) else {
                continue;
            };
            let Phase::Running(attempt, generation) = running.phase else {
                continue;
            };
            let reason = match running.ended_by {
                EndedBy::Stop | EndedBy::Drain => FailureReason::Stopped,
                EndedBy::Itself => FailureReason::Timeout,
            };
            let serial = running.task.serial.clone();
            let failure = Failure {
                reason,
                message: format!("device {serial} did not end the attempt; it was abandoned"),
                step: None,
                retryable: true,
            };
            if let Some(slot) = self.devices.get_mut(&serial) {
                slot.not_ready = Some("does not do what it is told and is being restarted".to_owned());
            }
            self.check(task, attempt, failure, Blame::Host);
            effects.push(Effect::RebuildDevice(serial, generation));
        }
        effects
    }

    fn end_from_outside(&mut self, task: TaskId, by: EndedBy, cause: StopCause) -> Option<Effect> {
        let running = self.running.get_mut(&task)?;
        if running.ended_by != EndedBy::Stop {
            running.ended_by = by;
        }
        let Phase::Running(attempt, _) = running.phase else {
            return None;
        };
        let serial = running.task.serial.clone();
        Some(Effect::Stop(serial, StopAttempt { attempt, cause }))
    }

    pub(super) fn set_deadline(&mut self, task: TaskId, at: Duration) {
        let Some(running) = self.running.get_mut(&task) else {
            return;
        };
        if let Some(old) = running.deadline.replace(at) {
            self.deadlines.remove(&(old, task));
        }
        self.deadlines.insert((at, task));
    }

    fn check(&mut self, task: TaskId, attempt: AttemptId, failure: Failure, blame: Blame) {
        self.set_phase(task, Phase::Checking(attempt, failure, blame));
        self.to_check.push(task);
    }

    pub(super) fn conclude(&mut self, task: TaskId, attempt: AttemptId, outcome: Outcome, now: Now) {
        let Some(running) = self.running.get(&task) else { return };
        let facts = AttemptFacts {
            purpose: running.task.purpose,
            auto_retries: running.task.auto_retries,
            unknown_checks: self.unknown_checks.get(&task).copied().unwrap_or(0),
            ended_by: running.ended_by,
            has_account: running.task.username.is_some(),
            dice: self.dice.fraction(),
        };
        let script = running.task.script.clone();
        let verdict = self.decide_within_budget(&outcome, facts, &script, now);
        let Some(running) = self.running.get(&task) else { return };
        let told = AttemptEnd::of(&running.task, attempt, &outcome, &verdict.next, now).map(Box::new);
        let Some(running) = self.running.get_mut(&task) else {
            return;
        };
        let used = running.task.username.clone().filter(|username| {
            // What changes nothing for good counts only towards limits that were made for it.
            let limited = |account: &AccountSlot| account.view.limited.contains(&script);
            matches!(outcome, Outcome::Completed { counts: true, .. })
                && self.accounts.get(username).is_some_and(limited)
        });
        let used = used.map(|username| AccountUse {
            username,
            script: running.task.script.clone(),
            at: now.wall,
        });
        let attention = running.task.username.clone().zip(outcome.attention());
        let usage = match outcome {
            Outcome::Completed { .. } | Outcome::Failed { .. } => LeaseUsage::Nothing,
            Outcome::Unverified { attention, .. } => LeaseUsage::Unverified {
                script: running.task.script.clone(),
                at: now.wall,
                attention,
            },
            Outcome::NeedsAttention {
                message,
                screenshot: evidence,
            } => LeaseUsage::NeedsAttention { message, evidence },
        };
        running.phase = Phase::Finishing(usage, verdict.unknown_checks, told);
        let completed = matches!(verdict.next, TaskNext::Completed { .. });
        self.finishes.push(Finish {
            task,
            attempt,
            lease: running.lease.clone(),
            outcome: verdict.outcome,
            next: verdict.next,
            used,
            attention,
            at: now.wall,
        });
        // Whatever else may come of an attempt bears on what its device does next.
        if completed {
            self.let_device_go(task);
        }
    }

    /// Without budget left, what farmhand would repeat by itself fails.
    fn decide_within_budget(
        &mut self,
        outcome: &Outcome,
        facts: AttemptFacts,
        script: &ScriptName,
        now: Now,
    ) -> Verdict {
        let mut settings = self.settings.retry.clone();
        let per_hour = settings.per_hour;
        let verdict = decide(outcome, facts, &settings, now.wall);
        if !settings.auto || !matches!(verdict.next, TaskNext::Again { counts: true, .. }) {
            return verdict;
        }
        if self.repetitions.allows(script, per_hour, now.mono) {
            self.repetitions.spend(script, per_hour, now.mono);
            return verdict;
        }
        settings.auto = false;
        let mut verdict = decide(outcome, facts, &settings, now.wall);
        if let TaskNext::Failed { failure } = &mut verdict.next {
            failure.message = format!(
                "{} (not tried again by itself: retry.per_hour = {per_hour} is used up for `{script}`)",
                failure.message
            );
        }
        verdict
    }

    fn settle(&mut self, mut finish: Finish, finished: Finished, now: Now, effects: &mut Vec<Effect>) {
        let Finished {
            written,
            done,
            stopped,
            acts,
            asked,
        } = finished;
        let task = finish.task;
        let Some(running) = self.free(task) else { return };
        let lane = lane_of(&running.task);
        let (usage, checks, told) = match running.phase {
            Phase::Finishing(usage, checks, told) => (usage, checks, told),
            _ => (LeaseUsage::Nothing, 0, None),
        };
        effects.extend(told.filter(|_| written && !done && !stopped).map(Effect::Tell));
        if checks == 0 {
            self.unknown_checks.remove(&task);
        } else {
            self.unknown_checks.insert(task, checks);
        }
        if done {
            let remark = String::new();
            finish.next = TaskNext::Completed { remark };
        }
        match finish.next {
            TaskNext::Again {
                purpose: Purpose::Verify,
                ..
            } if written && !stopped => self.verify_first(&lane, task),
            _ => self.verified(&lane, task),
        }
        match finish.next {
            TaskNext::Again { due_at, .. } if written && !stopped && due_at > now.wall => self.note_due(&lane, due_at),
            TaskNext::Again { .. } if !stopped => self.want_refill(lane.clone()),
            TaskNext::Again { .. } | TaskNext::Completed { .. } | TaskNext::Failed { .. } => {
                self.unknown_checks.remove(&task);
            }
        }
        if let Some(username) = running.task.username {
            if running.task.purpose == Purpose::Verify {
                // What was held back for it may count no more.
                self.on_uses_changed(&username);
            }
            let script = &running.task.script;
            let acts = acts.into_iter().map(|at| AccountUse {
                username: username.clone(),
                script: script.clone(),
                at,
            });
            let uses = finish.used.into_iter().filter(|_| written).chain(acts).collect();
            let token = running.lease.token;
            let release = ReleaseAccount {
                token,
                task,
                begun: running.begun,
                usage,
                uses,
                asked,
            };
            effects.push(Effect::Release(username, release));
        }
        self.forget_if_empty(&lane);
        effects.push(Effect::Ended(task));
    }
}
