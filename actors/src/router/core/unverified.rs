//! What may have taken place and was not looked up yet: until it is, its account does nothing else, on whatever phone.

use std::collections::{BTreeMap, HashMap};

use crate::{
    domain::{PendingTask, Serial, TaskId, Username},
    ports::Lane,
};

/// By account: the devices on which something has to be looked up, and for which task. One of each lane, as the lane
/// itself knows it.
#[derive(Debug, Default)]
pub(super) struct Unverified {
    by_account: HashMap<Username, BTreeMap<Serial, TaskId>>,
}

impl Unverified {
    /// This task of the lane has to be looked up; whatever had to be before it is under way or over.
    pub(super) fn note(&mut self, lane: &Lane, task: TaskId) {
        if let Some(username) = &lane.username {
            let open = self.by_account.entry(username.clone()).or_default();
            open.insert(lane.serial.clone(), task);
        }
    }

    /// It was looked up, or nobody wants to know any more.
    pub(super) fn forget(&mut self, lane: &Lane, task: TaskId) {
        let Some(username) = &lane.username else { return };
        if let Some(open) = self.by_account.get_mut(username) {
            if open.get(&lane.serial) == Some(&task) {
                open.remove(&lane.serial);
            }
            if open.is_empty() {
                self.by_account.remove(username);
            }
        }
    }

    /// What has to be looked up on another device before this task's account may do it.
    pub(super) fn elsewhere(&self, task: &PendingTask) -> Option<(TaskId, &Serial)> {
        let open = self.by_account.get(task.username.as_ref()?)?;
        let other = open.iter().find(|(serial, _)| **serial != task.serial);
        other.map(|(serial, id)| (*id, serial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::farm::{serial, username};

    #[test]
    fn a_lane_has_one_task_to_look_up_and_leaves_nothing_behind_when_the_last_one_is_over() {
        let lane = |name| Lane {
            serial: serial(name),
            username: Some(username("a")),
        };
        let mut unverified = Unverified::default();
        unverified.note(&lane("p1"), TaskId(1));
        unverified.note(&lane("p1"), TaskId(2));
        unverified.note(&lane("p2"), TaskId(3));

        unverified.forget(&lane("p1"), TaskId(2));
        unverified.forget(&lane("p2"), TaskId(3));

        assert!(unverified.by_account.is_empty());
    }
}
