//! Bounded windows on the stored tasks: a lane holds the front of its queue and reads on when it runs dry.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::Arc,
};

use super::{Effect, RouterCore};
use crate::{
    domain::{NewTask, Now, PendingTask, Purpose, ScriptName, TaskId, Timestamp, rotation::TurnInstant},
    ports::{Lane, LaneAsk, LaneHead, PassedOver, StoreError},
};

/// Tasks held of one lane: enough to bridge a read of the store under full load.
const WINDOW: u32 = 64;

/// Lanes read in one call of the store.
const LANES_PER_READ: usize = 512;

/// The front of one lane.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    pub(super) window: VecDeque<PendingTask>,
    /// Whether the store has due tasks beyond the window.
    pub(super) more: bool,
    next_due: Option<Timestamp>,
    pub(super) last_start: Option<TurnInstant>,
    asked: bool,
    /// A task came while the lane was being read: what is read may not have it.
    touched: bool,
    /// A task of which nobody knows whether it took place: until its check has told, no other one of the lane may act,
    /// for the check compares what the app shows with what it showed before.
    pub(super) unverified: Option<TaskId>,
    /// Scripts that the account may not run now: the window is the front of the others.
    pub(super) passed_over: BTreeSet<ScriptName>,
    /// Batches whose tasks keep their gap now, and of each the one that keeps it shortest: the window is the front of the
    /// others.
    pub(super) keep_gap: BTreeMap<Arc<str>, PendingTask>,
}

impl LaneState {
    /// Whether nothing of it waits, and nothing is being read.
    pub(super) fn is_quiet(&self) -> bool {
        self.window.is_empty() && !self.more && !self.asked && self.unverified.is_none() && !self.passes_over()
    }

    /// Whether there may be tasks that are not looked at, for they cannot start now.
    pub(super) fn passes_over(&self) -> bool {
        !self.passed_over.is_empty() || !self.keep_gap.is_empty()
    }
}

impl RouterCore {
    /// Lanes that have pending tasks (at boot).
    pub fn on_lanes(&mut self, lanes: Vec<Lane>) {
        for lane in lanes {
            self.lanes.entry(lane.clone()).or_default();
            self.cold.insert(lane.clone());
            self.refills.insert(lane);
        }
    }

    /// Tasks were created and are durable.
    pub fn on_created(&mut self, ids: &[TaskId], tasks: &[NewTask], now: Now) {
        for task in ids.iter().zip(tasks).filter_map(|(id, task)| pending_of(*id, task)) {
            self.add(task, now);
        }
    }

    /// Tasks are pending again.
    pub fn on_pending(&mut self, tasks: Vec<PendingTask>) {
        // A task that waited before has its old place in the queue: only the store knows it.
        for task in tasks {
            self.want_refill(lane_of(&task));
        }
    }

    /// Tasks are not pending any more (stopped, deleted).
    pub fn on_gone(&mut self, tasks: &[TaskId]) {
        let gone: HashSet<TaskId> = tasks.iter().copied().collect();
        let mut open = Vec::new();
        for (lane, state) in &mut self.lanes {
            state.window.retain(|task| !gone.contains(&task.id));
            if let Some(task) = state.unverified.take_if(|task| gone.contains(task)) {
                self.unverified.forget(lane, task);
                self.plan_wanted = true;
                open.push(lane.clone());
            }
        }
        for lane in open {
            self.want_refill(lane);
        }
        self.remarks.retain(|task, _| !gone.contains(task));
    }

    /// The fronts that were asked for.
    pub fn on_heads(&mut self, asked: Vec<Lane>, heads: Result<Vec<LaneHead>, StoreError>, now: Now) {
        self.refilling = false;
        let heads = match heads {
            Ok(heads) => heads,
            Err(error) => {
                self.pause_store(error.to_string(), now);
                for lane in asked {
                    self.set_asked(&lane, false);
                    self.refills.insert(lane);
                }
                return;
            }
        };
        for lane in &asked {
            self.set_asked(lane, false);
        }
        for head in heads {
            self.take_head(head);
        }
        for lane in &asked {
            self.cold.remove(lane);
        }
        self.plan_wanted = true;
    }

    /// Lanes whose next task has become due are read again.
    pub(super) fn wake_lanes(&mut self, now: Now) {
        while self.due.first().is_some_and(|(at, _)| *at <= now.wall) {
            if let Some((_, lane)) = self.due.pop_first() {
                if let Some(state) = self.lanes.get_mut(&lane) {
                    state.next_due = None;
                }
                self.want_refill(lane);
            }
        }
    }

    pub(super) fn flush_refills(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.refilling || self.shifting || self.refills.is_empty() {
            return;
        }
        let mut lanes = Vec::new();
        while lanes.len() < LANES_PER_READ {
            let Some(lane) = self.refills.pop_first() else { break };
            let state = self.lanes.entry(lane.clone()).or_default();
            state.asked = true;
            state.touched = false;
            let passed_over = PassedOver {
                scripts: state.passed_over.clone(),
                batches: state.keep_gap.keys().cloned().collect(),
            };
            lanes.push(LaneAsk { lane, passed_over });
        }
        self.refilling = true;
        effects.push(Effect::Refill(lanes, WINDOW, now.wall));
    }

    pub(super) fn want_refill(&mut self, lane: Lane) {
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.touched = true;
        }
        self.refills.insert(lane);
    }

    /// A task of the lane becomes due later.
    pub(super) fn note_due(&mut self, lane: &Lane, at: Timestamp) {
        let state = self.lanes.entry(lane.clone()).or_default();
        if state.next_due.is_some_and(|known| known <= at) {
            return;
        }
        if let Some(old) = state.next_due.replace(at) {
            self.due.remove(&(old, lane.clone()));
        }
        self.due.insert((at, lane.clone()));
    }

    /// Whether a task took place has to be looked up before anything else of its lane.
    pub(super) fn verify_first(&mut self, lane: &Lane, task: TaskId) {
        let state = self.lanes.entry(lane.clone()).or_default();
        state.unverified = Some(task);
        state.window.retain(|waiting| waiting.id == task);
        state.more = true;
        state.touched |= state.asked;
        self.unverified.note(lane, task);
    }

    /// The task is over, or runs anew: the others of its lane may act again.
    pub(super) fn verified(&mut self, lane: &Lane, task: TaskId) {
        let state = self.lanes.get_mut(lane);
        if state.is_some_and(|state| state.unverified.take_if(|open| *open == task).is_some()) {
            self.unverified.forget(lane, task);
            self.plan_wanted = true;
            self.want_refill(lane.clone());
        }
    }

    /// Takes a task out of its window; reads on when the window runs dry.
    pub(super) fn take_from_window(&mut self, lane: &Lane, task: TaskId) -> Option<PendingTask> {
        let state = self.lanes.get_mut(lane)?;
        let place = state.window.iter().position(|candidate| candidate.id == task)?;
        let taken = state.window.remove(place);
        let low = usize::try_from(WINDOW / 4).unwrap_or(usize::MAX);
        if state.more && !state.asked && state.window.len() < low {
            self.refills.insert(lane.clone());
        }
        taken
    }

    /// Puts a task back to the front of its window.
    pub(super) fn put_back(&mut self, task: PendingTask) {
        let lane = lane_of(&task);
        self.candidates.insert(lane.serial.clone());
        let state = self.lanes.entry(lane).or_default();
        state.touched |= state.asked;
        state.window.push_front(task);
    }

    /// All tasks at hand are held back, because the account may not run their script, or by the gap of their batch: look
    /// past these.
    pub(super) fn look_further(&mut self, lane: &Lane, held: BTreeSet<ScriptName>, keep_gap: Vec<PendingTask>) {
        let Some(state) = self.lanes.get_mut(lane).filter(|state| state.more && !state.asked) else {
            return;
        };
        let before = (state.passed_over.len(), state.keep_gap.len());
        state.passed_over.extend(held);
        for task in keep_gap {
            let known = state.keep_gap.get(&task.batch_id);
            if known.is_none_or(|known| task.gap < known.gap) {
                state.keep_gap.insert(Arc::clone(&task.batch_id), task);
            }
        }
        // Else the same would be read again and again.
        if before != (state.passed_over.len(), state.keep_gap.len()) {
            self.refills.insert(lane.clone());
        }
    }

    /// What was passed over can start again.
    pub(super) fn look_again(&mut self, lane: &Lane) {
        if let Some(state) = self.lanes.get_mut(lane) {
            state.passed_over.clear();
            state.keep_gap.clear();
            self.want_refill(lane.clone());
        }
    }

    /// Forgets a lane that has nothing to remember.
    pub(super) fn forget_if_empty(&mut self, lane: &Lane) {
        let idle = self.lanes.get(lane).is_some_and(|state| {
            state.is_quiet() && state.next_due.is_none() && (state.last_start.is_none() || lane.username.is_some())
        });
        if idle && !self.refills.contains(lane) {
            self.lanes.remove(lane);
        }
    }

    pub(super) fn add(&mut self, task: PendingTask, now: Now) {
        let lane = lane_of(&task);
        if let Some(at) = task.due_at.filter(|at| *at > now.wall) {
            self.note_due(&lane, at);
            return;
        }
        let state = self.lanes.entry(lane.clone()).or_default();
        state.touched = true;
        if state.passed_over.contains(&task.script) || task.gap.is_some() && state.keep_gap.contains_key(&task.batch_id)
        {
            return;
        }
        let full = state.window.len() >= usize::try_from(WINDOW).unwrap_or(usize::MAX);
        // The store orders by priority; here a task can only be appended, when nothing stands behind its place.
        let last = task.priority <= 0 && state.window.iter().all(|other| other.priority >= task.priority);
        if state.more || full || state.unverified.is_some() {
            state.more = true;
            if !last {
                self.refills.insert(lane);
            }
            return;
        }
        if !last && !state.window.is_empty() {
            self.refills.insert(lane);
            return;
        }
        self.candidates.insert(lane.serial.clone());
        state.window.push_back(task);
        self.plan_wanted = true;
    }

    fn take_head(&mut self, head: LaneHead) {
        let LaneHead {
            lane,
            mut due,
            more,
            next_due,
            unverified,
        } = head;
        due.retain(|task| !self.running.contains_key(&task.id));
        let state = self.lanes.entry(lane.clone()).or_default();
        if state.touched {
            // Something came in while the store was read: what it read may lack it. Where more is stored, it comes by a
            // later read; else it stands behind all that was read.
            let newer = state
                .window
                .drain(..)
                .filter(|task| due.iter().all(|other| other.id != task.id));
            let newer: Vec<PendingTask> = newer.collect();
            if !more {
                due.extend(newer);
            }
        }
        state.more = more;
        // The store does not tell of one that runs, nor of one that has come in while it was read.
        let known = state.unverified;
        let unseen = known.filter(|task| state.touched || self.running.contains_key(task));
        state.unverified = unverified.map(|open| open.task).or(unseen);
        if let Some(task) = state.unverified {
            self.unverified.note(&lane, task);
            due.retain(|task| task.purpose == Purpose::Verify);
        } else if let Some(task) = known {
            self.unverified.forget(&lane, task);
        }
        if let Some(open) = unverified.filter(|open| open.unknown_checks > 0 && self.cold.contains(&lane)) {
            self.unknown_checks.insert(open.task, open.unknown_checks);
        }
        state.window = due.into();
        if !state.window.is_empty() {
            self.candidates.insert(lane.serial.clone());
        } else if more && state.unverified.is_none() {
            // All that was read is on its way already: nobody else would ask for the rest.
            self.refills.insert(lane.clone());
        }
        if let Some(at) = next_due {
            self.note_due(&lane, at);
        }
        self.forget_if_empty(&lane);
    }

    fn set_asked(&mut self, lane: &Lane, asked: bool) {
        if let Some(state) = self.lanes.get_mut(lane) {
            state.asked = asked;
        }
    }
}

/// A task as it waits once it is created; `None` when it names no device.
pub(super) fn pending_of(id: TaskId, task: &NewTask) -> Option<PendingTask> {
    Some(PendingTask {
        id,
        batch_id: Arc::clone(&task.batch_id),
        script: task.script.clone(),
        serial: task.serial.clone()?,
        username: task.username.clone(),
        due_at: task.due_at,
        gap: task.gap,
        priority: task.priority,
        purpose: Purpose::Execute,
        attempts: 0,
        auto_retries: 0,
    })
}

/// The lane of a task.
pub(super) fn lane_of(task: &PendingTask) -> Lane {
    Lane {
        serial: task.serial.clone(),
        username: task.username.clone(),
    }
}
