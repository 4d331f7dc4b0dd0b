//! The decisions of the router, without I/O: events in, effects out.
//!
//! | file | decides |
//! |---|---|
//! | `expand` | which tasks a request means |
//! | `ahead` | which of them start as they are created |
//! | `accounts` | what is known of accounts |
//! | `lanes` | the bounded windows on the stored tasks |
//! | `plan` | which task starts now, on which device |
//! | `attempts` | the way of an attempt from its lease to its start |
//! | `endings` | what becomes of it when it ends, or is ended |
//! | `handover` | what is written of one attempt and claimed for the next |
//! | `drain` | where nothing starts because a person said so |
//! | `waiting` | why a task has not started |

mod accounts;
mod ahead;
mod attempts;
mod budget;
mod clock;
mod drain;
mod endings;
mod expand;
mod gaps;
mod handover;
mod lanes;
mod plan;
mod twins;
mod unverified;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

pub use self::handover::HandedOver;
use self::{
    attempts::Running, budget::Budget, drain::Drains, gaps::Gaps, lanes::LaneState, twins::Twins,
    unverified::Unverified,
};
use crate::{
    account::{AccountView, LeaseAccount, ReleaseAccount},
    device::StopAttempt,
    domain::{
        AttemptId, AttemptSpec, Claim, Epoch, Generation, Now, Purpose, ScriptName, Serial, TaskId, Timestamp,
        Username, limits::NotNow, rotation::TurnInstant,
    },
    ports::{Finish, Lane, LaneAsk},
    router::AttemptEnd,
    settings::FarmSettings,
};

/// What the shell has to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Ask an account for its lease.
    Lease(Username, LeaseAccount),
    /// Give an account's lease back.
    Release(Username, ReleaseAccount),
    /// Write the ends of attempts, then claim tasks, which may be the next ones on the same devices; answered by
    /// [`RouterCore::on_handed_over`].
    HandOver(Vec<Finish>, Vec<Claim>),
    /// Start an attempt on its device.
    Start(Arc<AttemptSpec>),
    /// End an attempt.
    Stop(Serial, StopAttempt),
    /// Give claimed tasks back to the store; answered by [`RouterCore::on_given_back`].
    GiveBack(Vec<(TaskId, AttemptId)>),
    /// Ask the store which of these have an open effect; answered by [`RouterCore::on_effects`].
    CheckEffects(Vec<TaskId>),
    /// Read the fronts of lanes as they are at this time, so many tasks each; answered by [`RouterCore::on_heads`].
    Refill(Vec<LaneAsk>, u32, Timestamp),
    /// Store why tasks wait.
    Remark(Vec<(TaskId, String)>),
    /// The wall clock was set by so many milliseconds and showed this before: what waits for a span of time moves with it.
    ShiftDue(i64, Timestamp),
    /// The attempt of the task is over, and its end is durable.
    Ended(TaskId),
    /// Log how an attempt ended.
    Tell(Box<AttemptEnd>),
    /// The device's actor does not do what it was told: rebuild it.
    RebuildDevice(Serial, Generation),
}

/// What the router knows of a device.
#[derive(Debug, Default)]
struct DeviceSlot {
    generation: Generation,
    /// Why it may not be used; `None`: it may.
    not_ready: Option<String>,
    running: Option<TaskId>,
    /// Whether it is kept free for a task that is being created.
    promised: bool,
    last_start: Option<TurnInstant>,
    last_account: Option<Username>,
}

/// What the router knows of an account.
#[derive(Debug)]
struct AccountSlot {
    view: AccountView,
    running: Option<TaskId>,
    last_start: Option<TurnInstant>,
    refusals: HashMap<(ScriptName, Purpose), NotNow>,
}

/// Why the store cannot be asked at the moment, and until when it is left alone.
#[derive(Debug, Clone)]
struct StorePause {
    problem: String,
    until: Duration,
}

/// How long the store is left alone after a failed call: short, since everything waits for it.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The router's state. Its size depends on devices, accounts and lanes, never on the number of stored tasks.
pub struct RouterCore {
    settings: Arc<FarmSettings>,
    epoch: Epoch,
    nonce: u64,
    tokens: u64,
    dice: Dice,
    devices: BTreeMap<Serial, DeviceSlot>,
    accounts: BTreeMap<Username, AccountSlot>,
    bound: BTreeMap<Serial, BTreeSet<Username>>,
    lanes: BTreeMap<Lane, LaneState>,
    /// When lanes have a next task that is not due yet.
    due: BTreeSet<(Timestamp, Lane)>,
    /// Lanes to be read from the store.
    refills: BTreeSet<Lane>,
    /// Lanes that were not read since the start. Until all were, nothing is begun: one of them may hold a task that has to
    /// be verified before its account does anything else.
    cold: BTreeSet<Lane>,
    /// Devices whose lanes have tasks at hand.
    candidates: BTreeSet<Serial>,
    running: HashMap<TaskId, Running>,
    busy_devices: usize,
    gaps: Gaps,
    /// How far the wall clock was before the other one when it was last looked at, milliseconds.
    clocks_apart: Option<i64>,
    /// What is stored moves with the wall clock: until it has, what it says of times is not read.
    shifting: bool,
    unknown_checks: HashMap<TaskId, u32>,
    /// What was last written as the remark of tasks that wait.
    remarks: HashMap<TaskId, String>,
    remark_at: Option<Duration>,
    deadlines: BTreeSet<(Duration, TaskId)>,
    to_claim: Vec<TaskId>,
    to_check: Vec<TaskId>,
    give_backs: Vec<(TaskId, AttemptId)>,
    finishes: Vec<Finish>,
    /// Devices that are kept free for tasks that are being created.
    promised: usize,
    /// Handovers that the store was asked for and has not answered.
    handovers: u32,
    /// Ends and claims in the last of them.
    handed_over: usize,
    refilling: bool,
    store_pause: Option<StorePause>,
    draining: bool,
    drains: Drains,
    unverified: Unverified,
    twins: Twins,
    repetitions: Budget,
    plan_again: Option<Duration>,
    plan_wanted: bool,
}

impl RouterCore {
    /// A router that knows nobody yet. `nonce` makes leases unique over all farms, `seed` feeds gaps and pauses.
    #[must_use]
    pub fn new(settings: Arc<FarmSettings>, epoch: Epoch, nonce: u64, seed: u64) -> Self {
        Self {
            settings,
            epoch,
            nonce,
            tokens: 0,
            dice: Dice(seed),
            devices: BTreeMap::new(),
            accounts: BTreeMap::new(),
            bound: BTreeMap::new(),
            lanes: BTreeMap::new(),
            due: BTreeSet::new(),
            refills: BTreeSet::new(),
            cold: BTreeSet::new(),
            candidates: BTreeSet::new(),
            running: HashMap::new(),
            busy_devices: 0,
            gaps: Gaps::default(),
            clocks_apart: None,
            shifting: false,
            unknown_checks: HashMap::new(),
            remarks: HashMap::new(),
            remark_at: None,
            deadlines: BTreeSet::new(),
            to_claim: Vec::new(),
            to_check: Vec::new(),
            give_backs: Vec::new(),
            finishes: Vec::new(),
            promised: 0,
            handovers: 0,
            handed_over: 0,
            refilling: false,
            store_pause: None,
            draining: false,
            drains: Drains::default(),
            unverified: Unverified::default(),
            twins: Twins::default(),
            repetitions: Budget::default(),
            plan_again: None,
            plan_wanted: true,
        }
    }

    /// A device's actor was started; it is not ready before it says so.
    pub fn on_device_started(&mut self, serial: &Serial, generation: Generation) {
        let slot = self.devices.entry(serial.clone()).or_default();
        if slot.generation >= generation {
            return;
        }
        slot.generation = generation;
        slot.not_ready = Some("is being looked at".to_owned());
        self.abandon_older(serial, generation);
    }

    /// A device may be used, or may not any more.
    pub fn on_device_changed(&mut self, serial: &Serial, generation: Generation, not_ready: Option<String>) {
        self.on_device_started(serial, generation);
        if let Some(slot) = self
            .devices
            .get_mut(serial)
            .filter(|slot| slot.generation == generation)
        {
            slot.not_ready = not_ready;
            self.plan_wanted = true;
        }
    }

    /// Which phone a device is; `None`: that is not told now, and it is the one that it was.
    pub fn on_phone_known(&mut self, serial: &Serial, generation: Generation, phone: Option<Arc<str>>) {
        let is_newest = self
            .devices
            .get(serial)
            .is_some_and(|slot| slot.generation == generation);
        if let Some(phone) = phone.filter(|_| is_newest) {
            self.twins.note(serial, phone);
            self.plan_wanted = true;
        }
    }

    /// A device's actor has ended.
    pub fn on_device_exited(&mut self, serial: &Serial, generation: Generation) {
        if let Some(slot) = self
            .devices
            .get_mut(serial)
            .filter(|slot| slot.generation == generation)
        {
            slot.not_ready = Some("is being restarted".to_owned());
            self.abandon_older(serial, generation.next());
        }
    }

    /// No attempt starts any more; those that run are asked to end. Answers the effects that ask them.
    pub fn on_drain(&mut self) -> Vec<Effect> {
        self.draining = true;
        self.stop_all_for_drain()
    }

    /// Whether anything runs or waits to be written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.promised == 0 && self.handovers == 0 && self.finishes.is_empty()
    }

    /// How many tasks are on their way or running.
    #[must_use]
    pub fn running_count(&self) -> usize {
        self.running.len()
    }

    /// Everything that one turn of the shell has piled up, as few calls as possible: plans, then the batches for the
    /// store that are not held up by one under way.
    pub fn dispatch(&mut self, now: Now) -> Vec<Effect> {
        let mut effects = self.overdue(now);
        if self.store_pause.as_ref().is_some_and(|pause| pause.until > now.mono) {
            return effects;
        }
        self.store_pause = None;
        self.watch_clock(now, &mut effects);
        self.wake_lanes(now);
        if self.plan_wanted || self.plan_again.is_some_and(|at| at <= now.mono) {
            self.plan(now, &mut effects);
        }
        self.flush_handover(now, &mut effects);
        self.flush_checks(&mut effects);
        self.flush_give_backs(&mut effects);
        self.flush_refills(now, &mut effects);
        self.flush_remarks(now, &mut effects);
        effects
    }

    /// How long [`Self::dispatch`] can wait for its next call, if nothing happens in between.
    #[must_use]
    pub fn next_wake(&self, now: Now) -> Option<Duration> {
        if let Some(pause) = &self.store_pause {
            return Some(pause.until.saturating_sub(now.mono));
        }
        let due = self.due.first().map(|(at, _)| {
            let wait = Duration::try_from(at.duration_since(now.wall)).unwrap_or(Duration::ZERO);
            // The wall clock may be set: never trust a long wait on it.
            wait.min(LONGEST_TRUST)
        });
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let monotonic = self.plan_again.into_iter().chain(deadline).chain(self.remark_at).min();
        due.into_iter()
            .chain(monotonic.map(|at| at.saturating_sub(now.mono)))
            .min()
    }

    fn pause_store(&mut self, problem: String, now: Now) {
        let until = now.mono + STORE_PAUSE;
        self.store_pause = Some(StorePause { problem, until });
    }

    fn next_token(&mut self) -> Arc<str> {
        self.tokens += 1;
        format!("{:016x}-{}-{}", self.nonce, self.epoch, self.tokens).into()
    }
}

/// The longest sleep towards a wall-clock instant.
const LONGEST_TRUST: Duration = Duration::from_secs(1);

/// A small deterministic generator (SplitMix64): the core takes its randomness from the seed that it was given.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// In `0.0..1.0`.
    fn fraction(&mut self) -> f64 {
        let high = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    /// In `least..=most`.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        let span = most.saturating_sub(least).saturating_add(1);
        least.saturating_add(self.next() % span.max(1))
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
