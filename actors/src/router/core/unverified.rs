//! What may have taken place and was not looked up yet: until it is, its account does nothing else, on whatever phone.

use std::collections::{BTreeMap, HashMap};

use crate::{
    domain::{PendingTask, Serial, TaskId, Username},
    ports::Lane,
};

/// By account: the tasks, and the device on which each has to be looked up.
#[derive(Debug, Default)]
pub(super) struct Unverified {
    by_account: HashMap<Username, BTreeMap<TaskId, Serial>>,
}

impl Unverified {
    /// The task of this lane has to be looked up.
    pub(super) fn note(&mut self, lane: &Lane, task: TaskId) {
        if let Some(username) = &lane.username {
            let tasks = self.by_account.entry(username.clone()).or_default();
            tasks.insert(task, lane.serial.clone());
        }
    }

    /// It was looked up, or nobody wants to know any more.
    pub(super) fn forget(&mut self, lane: &Lane, task: TaskId) {
        let Some(username) = &lane.username else { return };
        if let Some(tasks) = self.by_account.get_mut(username) {
            tasks.remove(&task);
            if tasks.is_empty() {
                self.by_account.remove(username);
            }
        }
    }

    /// What has to be looked up on another device before this task's account may do it.
    pub(super) fn elsewhere(&self, task: &PendingTask) -> Option<(TaskId, &Serial)> {
        let tasks = self.by_account.get(task.username.as_ref()?)?;
        let other = tasks.iter().find(|(_, serial)| **serial != task.serial);
        other.map(|(id, serial)| (*id, serial))
    }
}
