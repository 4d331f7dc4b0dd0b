//! The way of an attempt: lease the account, claim the row, start, end, write the end, free all that was held.

use std::{sync::Arc, time::Duration};

use super::{Effect, RouterCore, lanes::lane_of, mix};
use crate::{
    account::{LeaseAccount, LeaseUsage, ReleaseAccount},
    domain::{
        AccountRef, AttemptId, AttemptSpec, Blame, Claimed, Epoch, Failure, FailureReason, Generation, Lease, Now,
        Outcome, PendingTask, Permit, Serial, TaskId, Username, limits::NotNow, retry::EndedBy, rotation::turn_now,
    },
    ports::StoreError,
    router::{AttemptEnd, LeaseAnswered},
};

/// Beyond the device's own limits: when even its actor says nothing, the router ends the attempt without it.
const DEVICE_SILENT: Duration = Duration::from_secs(60);

/// A refusal without an end is looked at again after this.
const REFUSAL: Duration = Duration::from_secs(5);

/// Where an attempt is.
#[derive(Debug)]
pub(super) enum Phase {
    Leasing,
    Leased,
    Claiming,
    GivingBack,
    Running(AttemptId, Generation),
    /// Abandoned: the store has to say whether an effect is open.
    Checking(AttemptId, Failure, Blame),
    /// What the account hears, how many checks could not tell, what the log says.
    Finishing(LeaseUsage, u32, Option<Box<AttemptEnd>>),
}

/// A task on its way.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) task: PendingTask,
    pub(super) lease: Lease,
    pub(super) phase: Phase,
    pub(super) ended_by: EndedBy,
    pub(super) deadline: Option<Duration>,
    /// Whether the next task may have its device: what is left of this one is to be written.
    pub(super) device_free: bool,
    /// What its account lets it do.
    pub(super) permit: Arc<Permit>,
    /// When its attempt was sent to the device; `None`: it was not.
    pub(super) begun: Option<Now>,
}

impl Running {
    /// What its account is asked for.
    pub(super) fn lease_ask(&self, epoch: Epoch) -> LeaseAccount {
        LeaseAccount {
            task: self.task.id,
            script: self.task.script.clone(),
            serial: self.task.serial.clone(),
            purpose: self.task.purpose,
            token: Arc::clone(&self.lease.token),
            epoch,
        }
    }

    pub(super) fn is_leasing(&self) -> bool {
        matches!(self.phase, Phase::Leasing)
    }
}

impl RouterCore {
    pub(super) fn begin(&mut self, task: PendingTask, effects: &mut Vec<Effect>) {
        let lease = self.next_lease();
        let (id, username) = (task.id, task.username.clone());
        let phase = username.as_ref().map_or(Phase::Leased, |_| Phase::Leasing);
        self.set_off(task, lease, phase);
        let Some(username) = username else {
            return self.to_claim.push(id);
        };
        if let Some(account) = self.accounts.get_mut(&username) {
            account.running = Some(id);
        }
        if let Some(running) = self.running.get(&id) {
            effects.push(Effect::Lease(username, running.lease_ask(self.epoch)));
        }
    }

    /// The task has its device from now on.
    pub(super) fn set_off(&mut self, task: PendingTask, lease: Lease, phase: Phase) {
        if let Some(device) = self.devices.get_mut(&task.serial) {
            device.running = Some(task.id);
        }
        self.busy_devices += 1;
        let running = Running {
            lease,
            phase,
            ended_by: EndedBy::Itself,
            deadline: None,
            device_free: false,
            permit: Arc::default(),
            begun: None,
            task,
        };
        self.running.insert(running.task.id, running);
    }

    pub(super) fn next_lease(&mut self) -> Lease {
        Lease {
            epoch: self.epoch,
            token: self.next_token(),
        }
    }

    /// An account has answered.
    pub fn on_lease_answered(&mut self, answer: LeaseAnswered, now: Now) -> Vec<Effect> {
        let LeaseAnswered {
            username,
            task,
            token,
            answer,
        } = answer;
        let asked = self
            .running
            .get_mut(&task)
            .filter(|running| running.is_leasing() && running.lease.token == token);
        match (asked, answer) {
            (Some(running), Ok(permit)) => {
                running.phase = Phase::Leased;
                running.permit = permit;
                self.to_claim.push(task);
                Vec::new()
            }
            (Some(_), Err(not_now)) => {
                self.refuse(task, not_now, now);
                Vec::new()
            }
            (None, Ok(_)) => vec![release(username, token, task)],
            (None, Err(_)) => Vec::new(),
        }
    }

    /// The account cannot take the task now: it waits, and blocks nobody else.
    pub(super) fn refuse(&mut self, task: TaskId, mut not_now: NotNow, now: Now) {
        let Some(running) = self.free(task) else { return };
        not_now.until = not_now.until.or(now.wall.checked_add(REFUSAL).ok());
        let slot = running
            .task
            .username
            .as_ref()
            .and_then(|name| self.accounts.get_mut(name));
        if let Some(slot) = slot {
            let key = (running.task.script.clone(), running.task.purpose);
            slot.refusals.insert(key, not_now);
        }
        self.put_back(running.task);
        self.plan_wanted = true;
    }

    pub(super) fn on_claimed(
        &mut self,
        asked: &[TaskId],
        claimed: Result<Vec<Option<Claimed>>, StoreError>,
        now: Now,
    ) -> Vec<Effect> {
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                self.pause_store(error.to_string(), now);
                return asked.iter().filter_map(|task| self.unclaimed(*task)).collect();
            }
        };
        let mut effects = Vec::with_capacity(asked.len());
        for (task, claimed) in asked.iter().zip(claimed) {
            match claimed {
                Some(claimed) => effects.extend(self.start(*task, claimed, now)),
                None => effects.extend(self.lost(*task)),
            }
        }
        effects
    }

    /// Claimed tasks were given back.
    pub fn on_given_back(
        &mut self,
        tasks: &[(TaskId, AttemptId)],
        result: Result<(), StoreError>,
        now: Now,
    ) -> Vec<Effect> {
        if let Err(error) = result {
            self.pause_store(error.to_string(), now);
            self.give_backs.extend_from_slice(tasks);
            return Vec::new();
        }
        let mut effects = Vec::new();
        for (task, _) in tasks {
            effects.extend(self.lost(*task));
            effects.push(Effect::Ended(*task));
        }
        effects
    }

    /// Whether the task is on its way, so that its end will be told.
    #[must_use]
    pub fn is_underway(&self, task: TaskId) -> bool {
        self.running.contains_key(&task)
    }

    pub(super) fn start(&mut self, task: TaskId, claimed: Claimed, now: Now) -> Option<Effect> {
        let running = self.running.get(&task)?;
        let attempt = claimed.attempt;
        if running.ended_by == EndedBy::Stop {
            let failure = Failure {
                reason: FailureReason::Stopped,
                message: "stopped before it started".to_owned(),
                step: None,
                retryable: true,
            };
            self.conclude(
                task,
                attempt,
                Outcome::Failed {
                    failure,
                    blame: Blame::Task,
                },
                now,
            );
            return None;
        }
        let device = self.devices.get(&running.task.serial)?;
        let account = match &running.task.username {
            Some(name) => self.account_ref(name).map(Some),
            None => Some(None),
        };
        let Some(account) = account.filter(|_| device.not_ready.is_none() && !self.draining) else {
            self.set_phase(task, Phase::GivingBack);
            self.give_backs.push((task, attempt));
            return None;
        };
        let generation = device.generation;
        let running = self.running.get(&task)?;
        let spec = AttemptSpec {
            task,
            attempt,
            number: claimed.number,
            purpose: claimed.purpose,
            script: claimed.script,
            config: claimed.config,
            serial: running.task.serial.clone(),
            account,
            app: None,
            lease: running.lease.clone(),
            time_limit: self.settings.attempt.time_limit(),
            seed: seed_of(task),
            request_id: None,
            permit: Arc::clone(&running.permit),
        };
        if let Some(reason) = self.only_looks(&running.task) {
            spec.permit.only_look(reason);
        }
        self.note_start(task, generation, &spec, now);
        Some(Effect::Start(Arc::new(spec)))
    }

    fn note_start(&mut self, task: TaskId, generation: Generation, spec: &AttemptSpec, now: Now) {
        self.set_phase(task, Phase::Running(spec.attempt, generation));
        if let Some(running) = self.running.get_mut(&task) {
            running.begun = Some(now);
        }
        let limits = &self.settings.attempt;
        let deadline = now.mono + limits.time_limit() + limits.stop_grace() + DEVICE_SILENT;
        self.set_deadline(task, deadline);
        self.remarks.remove(&task);
        let turn = turn_now(now.mono);
        let Some(running) = self.running.get_mut(&task) else {
            return;
        };
        running.task.purpose = spec.purpose;
        let lane = lane_of(&running.task);
        self.gaps.note(&running.task, now);
        if let Some(device) = self.devices.get_mut(&lane.serial) {
            device.last_start = Some(turn);
            device.last_account = lane.username.clone().or(device.last_account.take());
        }
        match &lane.username {
            Some(username) => {
                if let Some(account) = self.accounts.get_mut(username) {
                    account.last_start = Some(turn);
                }
            }
            None => {
                if let Some(state) = self.lanes.get_mut(&lane) {
                    state.last_start = Some(turn);
                }
            }
        }
    }

    /// It was not claimed: back into its window.
    pub(super) fn unclaimed(&mut self, task: TaskId) -> Option<Effect> {
        let running = self.free(task)?;
        let username = running.task.username.clone();
        self.put_back(running.task);
        self.plan_wanted = true;
        Some(release(username?, running.lease.token, task))
    }

    /// It is not pending any more (or pending again in the store): its lane is read again.
    fn lost(&mut self, task: TaskId) -> Option<Effect> {
        let running = self.free(task)?;
        let lane = lane_of(&running.task);
        self.verified(&lane, task);
        self.want_refill(lane);
        self.plan_wanted = true;
        Some(release(running.task.username?, running.lease.token, task))
    }

    /// Frees device and account.
    pub(super) fn free(&mut self, task: TaskId) -> Option<Running> {
        let running = self.running.remove(&task)?;
        if let Some(at) = running.deadline {
            self.deadlines.remove(&(at, task));
        }
        if !running.device_free {
            self.free_device(&running.task.serial, task);
        }
        let account = running
            .task
            .username
            .as_ref()
            .and_then(|name| self.accounts.get_mut(name));
        if let Some(account) = account {
            account.running.take_if(|other| *other == task);
        }
        Some(running)
    }

    /// The attempt acts no more, and its end is on its way to the store: the next task of the device is claimed along
    /// with it. Its account stays with it until the end is durable.
    pub(super) fn let_device_go(&mut self, task: TaskId) {
        let Some(running) = self.running.get_mut(&task) else {
            return;
        };
        running.device_free = true;
        let serial = running.task.serial.clone();
        self.free_device(&serial, task);
        self.plan_wanted = true;
    }

    fn free_device(&mut self, serial: &Serial, task: TaskId) {
        self.busy_devices = self.busy_devices.saturating_sub(1);
        if let Some(device) = self.devices.get_mut(serial) {
            device.running.take_if(|other| *other == task);
        }
    }

    fn account_ref(&self, name: &Username) -> Option<AccountRef> {
        let view = &self.accounts.get(name)?.view;
        Some(AccountRef {
            username: view.username.clone(),
            app: view.app.clone(),
            package: view.package.clone()?,
        })
    }

    pub(super) fn set_phase(&mut self, task: TaskId, phase: Phase) {
        if let Some(running) = self.running.get_mut(&task) {
            running.phase = phase;
        }
    }
}

/// Gives an account back that nothing was done with.
pub(super) fn release(username: Username, token: Arc<str>, task: TaskId) -> Effect {
    let (usage, uses) = (LeaseUsage::Nothing, Vec::new());
    let release = ReleaseAccount {
        token,
        task,
        begun: None,
        usage,
        uses,
        asked: None,
    };
    Effect::Release(username, release)
}

/// The same for every attempt of a task, so that all make the same random choices.
fn seed_of(task: TaskId) -> u64 {
    mix(task.0.unsigned_abs().wrapping_add(0x9E37_79B9_7F4A_7C15))
}
