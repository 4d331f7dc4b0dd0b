//! Why a task has not started, in a line that a person can act on.

use std::{collections::HashSet, time::Duration};

use super::{
    Effect, RouterCore,
    lanes::{LaneState, lane_of},
    plan::Hold,
};
use crate::domain::{Now, PendingTask, Serial, TaskId};

/// Tasks that wait for a shorter time than this are not worth a write.
pub(super) const REMARK_DELAY: Duration = Duration::from_secs(1);

/// Between two rounds of remarks, so that a long queue does not keep the store busy with them.
const REMARK_INTERVAL: Duration = Duration::from_secs(1);

/// Tasks of one lane that are told in the store why they wait; the others are told when they are asked about.
const REMARKED_PER_LANE: usize = 16;

/// Remarks that are remembered, so as not to write them again.
const REMARKS_KEPT: usize = 100_000;

impl RouterCore {
    /// Why tasks wait. Those are left out that are not at hand (not pending, not due, far behind or passed over).
    #[must_use]
    pub fn waiting_for(&self, tasks: &HashSet<TaskId>, now: Now) -> Vec<(TaskId, String)> {
        let at_hand = self.lanes.values().flat_map(|lane| lane.window.iter().enumerate());
        at_hand
            .filter(|(_, task)| tasks.contains(&task.id))
            .map(|(place, task)| {
                let reason = self.reason(task, now);
                (task.id, reason.unwrap_or_else(|| self.turn(&task.serial, place)))
            })
            .collect()
    }

    /// Why a pending task waits that is not at hand.
    #[must_use]
    pub fn explain(&self, task: &PendingTask, now: Now) -> String {
        if self.running.contains_key(&task.id) {
            return "it is about to start".to_owned();
        }
        if let Some(reason) = self.reason(task, now) {
            return reason;
        }
        match self.lanes.get(&lane_of(task)) {
            Some(LaneState {
                unverified: Some(open), ..
            }) if *open != task.id => format!("whether task {open} took place has to be looked up first"),
            Some(lane) if !lane.window.is_empty() => "many tasks of the same account come first".to_owned(),
            _ => "it is being put into its device's queue".to_owned(),
        }
    }

    pub(super) fn flush_remarks(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.remark_at.is_none_or(|at| at > now.mono) {
            return;
        }
        self.remark_at = None;
        let mut remarks = Vec::new();
        for serial in &self.candidates {
            for (_, lane) in self.lanes_of(serial) {
                let shown = lane.window.iter().take(REMARKED_PER_LANE);
                remarks.extend(shown.filter_map(|task| Some((task.id, self.fresh_remark(task, now)?))));
            }
        }
        if remarks.is_empty() {
            return;
        }
        if self.remarks.len() > REMARKS_KEPT {
            self.remarks.clear();
        }
        self.remarks.extend(remarks.iter().cloned());
        self.remark_at = Some(now.mono + REMARK_INTERVAL);
        effects.push(Effect::Remark(remarks));
    }

    fn fresh_remark(&self, task: &PendingTask, now: Now) -> Option<String> {
        let written = self.remarks.get(&task.id);
        match self.reason(task, now) {
            Some(reason) => (written != Some(&reason)).then_some(reason),
            // It waits for its turn only: that is worth a word where another one stands.
            None if written.is_some() => {
                let turn = format!("waits for its turn on {}", task.serial);
                (written != Some(&turn)).then_some(turn)
            }
            None => None,
        }
    }

    /// Why the task could not start even if it were its turn.
    fn reason(&self, task: &PendingTask, now: Now) -> Option<String> {
        if self.draining {
            return Some("farmhand is shutting down; the task goes on after the next start".to_owned());
        }
        if let Some(pause) = &self.store_pause {
            return Some(format!("the database does not answer: {}", pause.problem));
        }
        if let Some(reason) = self.drains.reason(&task.serial) {
            return Some(reason);
        }
        let Some(device) = self.devices.get(&task.serial) else {
            return Some(format!("device {} is not known any more", task.serial));
        };
        if let Some(problem) = &device.not_ready {
            return Some(format!("device {} {problem}", task.serial));
        }
        if let Some((other, Some(busy))) = self.busy_twin(&task.serial) {
            let serial = &task.serial;
            return Some(format!(
                "device {serial} is the same phone as {other}, which is busy with task {busy}"
            ));
        }
        if let Some(reason) = self.hold(task, now).and_then(|hold| text_of(hold, now)) {
            return Some(reason);
        }
        if device.running.is_none() && self.free_devices() == 0 {
            let limit = self.settings.device_limit.unwrap_or(0);
            return Some(format!(
                "the plan allows {limit} devices at the same time, and so many are busy (license.plan)"
            ));
        }
        None
    }

    fn turn(&self, serial: &Serial, place: usize) -> String {
        let busy = self.devices.get(serial).and_then(|device| device.running);
        match (busy, place) {
            (Some(running), 0) => {
                format!("device {serial} is busy with task {running}; this one is next for its account")
            }
            (Some(running), before) => {
                format!("device {serial} is busy with task {running}; {before} tasks of the same account come first")
            }
            (None, _) => "starts at any moment".to_owned(),
        }
    }
}

fn text_of(hold: Hold, now: Now) -> Option<String> {
    Some(match hold {
        Hold::Underway => return None,
        Hold::NotDue(at) => format!("is due at {at:.3}"),
        Hold::AccountGone(name) => format!("account {name} was deleted: stop the task, or create the account again"),
        Hold::AccountElsewhere(name) => {
            format!("account {name} is not bound to this device any more: bind it back, or stop the task")
        }
        Hold::AppUnknown(name, app) => {
            format!("the app {app:?} of account {name} is not known: give the account a package")
        }
        Hold::AccountUnverified(name, task, serial) => format!(
            "what account {name} did for task {task} has to be looked up on device {serial} first: bring that device \
             back, or stop task {task}"
        ),
        Hold::AccountBusy(name, task) => format!("account {name} is busy with task {task}"),
        Hold::Account(name, not_now) | Hold::Script(name, not_now) => format!("account {name} {}", not_now.reason),
        Hold::Gap(until) => {
            let seconds = until.saturating_sub(now.mono).as_secs();
            // Rounded, so that the same wait is not written again and again.
            format!(
                "keeps the gap to the batch's previous task, about {} min",
                seconds.div_ceil(60)
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Epoch, Generation},
        router::told::tests::{NOW, task},
    };

    /// A device that has nothing to do, and a task without an account for it.
    fn with_idle_device() -> (RouterCore, PendingTask) {
        let task = PendingTask {
            username: None,
            ..task()
        };
        let mut core = RouterCore::new(std::sync::Arc::default(), Epoch(1), 1, 1);
        core.on_device_started(&task.serial, Generation(1));
        core.on_device_changed(&task.serial, Generation(1), None);
        (core, task)
    }

    #[test]
    fn a_task_that_no_other_goes_before_is_not_said_to_wait_for_others() {
        let (core, task) = with_idle_device();

        assert_eq!(core.explain(&task, NOW), "it is being put into its device's queue");
    }

    #[test]
    fn a_task_behind_one_that_has_to_be_looked_up_says_so() {
        let (mut core, task) = with_idle_device();
        core.verify_first(&lane_of(&task), TaskId(3));

        let waits = core.explain(&task, NOW);
        assert_eq!(waits, "whether task 3 took place has to be looked up first");
    }
}
