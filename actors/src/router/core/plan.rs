//! Which task starts now, on which device: first come first served per device, accounts in turn, within limits.

use std::{collections::BTreeSet, time::Duration};

use super::{AccountSlot, DeviceSlot, Effect, RouterCore, lanes::LaneState};
use crate::{
    domain::{
        Now, PendingTask, Purpose, ScriptName, Serial, TaskId, Timestamp, Username,
        limits::NotNow,
        rotation::{TurnKey, turn_key},
    },
    ports::Lane,
};

/// The longest wait towards a wall-clock instant before the plan is looked at again: the clock may be set.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

/// Why a task cannot start, its device aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hold {
    /// It is on its way already.
    Underway,
    /// Its time has not come.
    NotDue(Timestamp),
    /// Its account was deleted.
    AccountGone(Username),
    /// Its account was bound to another device.
    AccountElsewhere(Username),
    /// The farm does not know the account's app.
    AppUnknown(Username, String),
    /// What its account has done for another task, on another device, is not known yet.
    AccountUnverified(Username, TaskId, Serial),
    /// Another task has the account.
    AccountBusy(Username, TaskId),
    /// The account says so, whatever the script.
    Account(Username, NotNow),
    /// The account may not run this script now.
    Script(Username, NotNow),
    /// The gap to the batch's previous task.
    Gap(Duration),
}

/// A device's best task.
struct Choice {
    order: (Option<i64>, TurnKey),
    lane: Lane,
    task: TaskId,
}

impl RouterCore {
    /// Starts all that can start.
    pub(super) fn plan(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.plan_wanted = false;
        self.plan_again = None;
        // What is read last asks for the plan again.
        if self.draining || !self.cold.is_empty() {
            return;
        }
        if self.drains.holds_farm() {
            self.remark_at = self.remark_at.or(Some(now.mono));
            return;
        }
        let mut choices = self.choices(now);
        let free = self.free_devices();
        // Whoever had the longest pause goes first.
        choices.sort_by_key(|choice| choice.order);
        if choices.len() > free {
            // The others are told why they wait.
            choices.truncate(free);
            self.remark_at = self.remark_at.or(Some(now.mono));
        }
        for Choice { lane, task, .. } in choices {
            if self.busy_twin(&lane.serial).is_some() {
                self.remark_at = self.remark_at.or(Some(now.mono));
                continue;
            }
            if let Some(task) = self.take_from_window(&lane, task) {
                self.begin(task, effects);
            }
        }
    }

    /// How many more devices may be busy.
    pub(super) fn free_devices(&self) -> usize {
        let limit = self.settings.device_limit;
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        limit.saturating_sub(self.busy_devices)
    }

    fn choices(&mut self, now: Now) -> Vec<Choice> {
        let mut choices = Vec::new();
        let mut look = Outlook::default();
        let mut empty = Vec::new();
        for serial in &self.candidates {
            let Some(slot) = self.devices.get(serial) else { continue };
            if slot.running.is_some() || slot.promised {
                continue;
            }
            if slot.not_ready.is_some() || self.drains.holds(serial) || self.busy_twin(serial).is_some() {
                look.held = true;
                continue;
            }
            match self.best_of(serial, slot, now, &mut look) {
                Found::Choice(choice) => choices.push(choice),
                Found::Held => look.held = true,
                Found::Nothing => empty.push(serial.clone()),
            }
        }
        for serial in empty {
            self.candidates.remove(&serial);
        }
        self.plan_again = look.wake;
        for (lane, scripts, keep_gap) in look.crowded {
            self.look_further(&lane, scripts, keep_gap);
        }
        for lane in look.reopened {
            self.look_again(&lane);
        }
        if look.held && self.remark_at.is_none() {
            self.remark_at = Some(now.mono + super::waiting::REMARK_DELAY);
        }
        choices
    }

    fn best_of(&self, serial: &Serial, slot: &DeviceSlot, now: Now, look: &mut Outlook) -> Found {
        let mut best: Option<Choice> = None;
        let mut waiting = false;
        for (lane, state) in self.lanes_of(serial) {
            waiting |= !state.window.is_empty() || state.passes_over();
            self.watch_passed_over(lane, state, now, look);
            let Some(task) = self.first_free(lane, state, now, look) else {
                continue;
            };
            let turn = turn_key(self.last_start(lane, state), task.priority, task.id);
            let order = (slot.last_start, turn);
            if best.as_ref().is_none_or(|best| order < best.order) {
                let (lane, task) = (lane.clone(), task.id);
                best = Some(Choice { order, lane, task });
            }
        }
        match best {
            Some(choice) => Found::Choice(choice),
            None if waiting => Found::Held,
            None => Found::Nothing,
        }
    }

    fn first_free<'a>(
        &self,
        lane: &Lane,
        state: &'a LaneState,
        now: Now,
        look: &mut Outlook,
    ) -> Option<&'a PendingTask> {
        let mut only_own = true;
        let mut scripts = BTreeSet::new();
        let mut keep_gap = Vec::new();
        for task in &state.window {
            let Some(hold) = self.hold(task, now) else {
                return Some(task);
            };
            match hold {
                Hold::Script(..) => _ = scripts.insert(task.script.clone()),
                Hold::Gap(_) => keep_gap.push(task),
                _ => only_own = false,
            }
            look.note(&hold, now);
        }
        if only_own && state.more {
            let keep_gap = keep_gap.into_iter().cloned().collect();
            look.crowded.push((lane.clone(), scripts, keep_gap));
        }
        None
    }

    /// What was passed over is read again as soon as its account may run it, or its batch's gap is over.
    fn watch_passed_over(&self, lane: &Lane, state: &LaneState, now: Now, look: &mut Outlook) {
        let slot = lane.username.as_ref().and_then(|name| self.accounts.get(name));
        for script in &state.passed_over {
            match slot.and_then(|slot| refusal(slot, script, Purpose::Execute, now)) {
                Some(hold) => look.note(&hold, now),
                None => return look.reopened.push(lane.clone()),
            }
        }
        for task in state.keep_gap.values() {
            match self.gaps.until(task).filter(|until| *until > now.mono) {
                Some(until) => look.note(&Hold::Gap(until), now),
                None => return look.reopened.push(lane.clone()),
            }
        }
    }

    /// The lanes of a device.
    pub(super) fn lanes_of(&self, serial: &Serial) -> impl Iterator<Item = (&Lane, &LaneState)> {
        let first = Lane {
            serial: serial.clone(),
            username: None,
        };
        let serial = serial.clone();
        self.lanes
            .range(first..)
            .take_while(move |(lane, _)| lane.serial == serial)
    }

    fn last_start(&self, lane: &Lane, state: &LaneState) -> Option<i64> {
        match &lane.username {
            Some(username) => self.accounts.get(username).and_then(|slot| slot.last_start),
            None => state.last_start,
        }
    }

    /// Why the task cannot start now, its device aside.
    pub(super) fn hold(&self, task: &PendingTask, now: Now) -> Option<Hold> {
        if self.running.contains_key(&task.id) {
            return Some(Hold::Underway);
        }
        if let Some(at) = task.due_at.filter(|at| *at > now.wall) {
            return Some(Hold::NotDue(at));
        }
        if let Some(username) = &task.username {
            let Some(slot) = self.accounts.get(username) else {
                return Some(Hold::AccountGone(username.clone()));
            };
            if let Some(hold) = account_hold(slot, task, now) {
                return Some(hold);
            }
            // Looking acts on nothing; else two such tasks would wait for each other.
            let acts = task.purpose == Purpose::Execute;
            if let Some((other, serial)) = self.unverified.elsewhere(task).filter(|_| acts) {
                return Some(Hold::AccountUnverified(username.clone(), other, serial.clone()));
            }
        }
        let until = self.gaps.until(task)?;
        (until > now.mono).then_some(Hold::Gap(until))
    }
}

fn account_hold(slot: &AccountSlot, task: &PendingTask, now: Now) -> Option<Hold> {
    let view = &slot.view;
    let name = || view.username.clone();
    if view.serial.as_ref() != Some(&task.serial) {
        return Some(Hold::AccountElsewhere(name()));
    }
    if view.package.is_none() {
        return Some(Hold::AppUnknown(name(), view.app.clone()));
    }
    if let Some(other) = slot.running {
        return Some(Hold::AccountBusy(name(), other));
    }
    if let Some(not_now) = view.blocked.as_ref().filter(|not_now| holds_still(not_now, now)) {
        return Some(Hold::Account(name(), not_now.clone()));
    }
    refusal(slot, &task.script, task.purpose, now)
}

/// What the account said when it was asked for this script.
fn refusal(slot: &AccountSlot, script: &ScriptName, purpose: Purpose, now: Now) -> Option<Hold> {
    let refused = slot.refusals.get(&(script.clone(), purpose));
    let not_now = refused.filter(|not_now| holds_still(not_now, now))?;
    Some(Hold::Script(slot.view.username.clone(), not_now.clone()))
}

fn holds_still(not_now: &NotNow, now: Now) -> bool {
    not_now.until.is_none_or(|until| until > now.wall)
}

/// What a plan has seen besides its choices.
#[derive(Default)]
struct Outlook {
    wake: Option<Duration>,
    held: bool,
    /// Lanes whose tasks at hand are all held by reasons of their own: the scripts that are, and the tasks that keep a gap.
    crowded: Vec<(Lane, BTreeSet<ScriptName>, Vec<PendingTask>)>,
    /// Lanes of which something that was passed over can start again.
    reopened: Vec<Lane>,
}

impl Outlook {
    fn note(&mut self, hold: &Hold, now: Now) {
        let until = match hold {
            Hold::Gap(until) => *until,
            Hold::NotDue(at)
            | Hold::Account(_, NotNow { until: Some(at), .. })
            | Hold::Script(_, NotNow { until: Some(at), .. }) => {
                let wait = Duration::try_from(at.duration_since(now.wall)).unwrap_or(Duration::ZERO);
                now.mono + wait.min(LONGEST_HOLD)
            }
            Hold::Underway
            | Hold::AccountGone(_)
            | Hold::AccountElsewhere(_)
            | Hold::AppUnknown(..)
            | Hold::AccountUnverified(..)
            | Hold::AccountBusy(..)
            | Hold::Account(..)
            | Hold::Script(..) => return,
        };
        self.wake = Some(self.wake.map_or(until, |known| known.min(until)));
    }
}

enum Found {
    Choice(Choice),
    Held,
    Nothing,
}
