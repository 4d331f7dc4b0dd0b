//! What the router knows of accounts, as they and the supervisor tell it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{AccountSlot, RouterCore};
use crate::{
    account::{AccountView, KeepLease},
    domain::{Now, PendingTask, TaskId, Username, limits::NotNow, rotation::turn_instant},
};

impl RouterCore {
    /// An account was created or changed.
    pub fn on_account_changed(&mut self, view: AccountView, now: Now) {
        self.unbind(&view.username);
        if let Some(serial) = &view.serial {
            let names = self.bound.entry(serial.clone()).or_default();
            names.insert(view.username.clone());
        }
        let turn = view.last_used.map(|at| turn_instant(at, now));
        match self.accounts.get_mut(&view.username) {
            Some(slot) => {
                slot.refusals.clear();
                slot.view = view;
            }
            None => {
                let slot = AccountSlot {
                    running: None,
                    last_start: turn,
                    refusals: HashMap::new(),
                    view,
                };
                self.accounts.insert(slot.view.username.clone(), slot);
            }
        }
        self.plan_wanted = true;
    }

    /// What the account has done counts otherwise than it did: what it refused it may grant.
    pub fn on_uses_changed(&mut self, username: &Username) {
        if let Some(slot) = self.accounts.get_mut(username) {
            slot.refusals.clear();
            self.plan_wanted = true;
        }
    }

    /// What an account's new actor has to know: the attempt that has the account.
    #[must_use]
    pub fn lease_of(&self, username: &Username) -> Option<KeepLease> {
        let task = self.accounts.get(username)?.running?;
        let running = self.running.get(&task).filter(|running| !running.is_leasing())?;
        Some(KeepLease {
            lease: running.lease_ask(self.epoch),
            begun: running.begun,
            permit: Arc::clone(&running.permit),
        })
    }

    /// Why a check of this task may do nothing but look.
    pub(super) fn only_looks(&self, task: &PendingTask) -> Option<String> {
        let (other, serial) = self.unverified.elsewhere(task)?;
        Some(format!(
            "what was done for task {other} has to be looked up on device {serial} first"
        ))
    }

    /// Their ends are times of a clock that is set otherwise now: the accounts are asked again.
    pub(super) fn forget_refusals(&mut self) {
        for slot in self.accounts.values_mut() {
            slot.refusals.clear();
        }
        self.plan_wanted = true;
    }

    /// An account was deleted; its tasks wait for somebody to stop them.
    pub fn on_account_removed(&mut self, username: &Username) {
        self.unbind(username);
        self.accounts.remove(username);
    }

    /// An account's actor has ended: leases that were asked for will not be answered.
    pub fn on_account_exited(&mut self, username: &Username, now: Now) {
        let unanswered: Vec<TaskId> = self
            .running
            .values()
            .filter(|running| running.is_leasing() && running.task.username.as_ref() == Some(username))
            .map(|running| running.task.id)
            .collect();
        for task in unanswered {
            let until = now.wall.checked_add(Duration::from_secs(1)).ok();
            let reason = "is being restarted".to_owned();
            self.refuse(task, NotNow { reason, until }, now);
        }
    }

    fn unbind(&mut self, username: &Username) {
        let old = self.accounts.get(username).and_then(|slot| slot.view.serial.clone());
        if let Some(names) = old.and_then(|serial| self.bound.get_mut(&serial)) {
            names.remove(username);
        }
    }
}
