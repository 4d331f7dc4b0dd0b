//! To whom the account is given, for what, and what the attempt that has it may do.

use std::{sync::Arc, time::Duration};

use super::{
    super::{
        KeepLease, LeaseAccount, LeaseUsage, ReleaseAccount,
        hold::{LeaseHold, Told},
    },
    AccountCore, Effect,
};
use crate::domain::{
    Epoch, Now, Permit, Purpose, Start,
    limits::{NotNow, check_limit},
};

/// `last_used` is written at most this often: it only decides turns, and every write costs.
const TOUCH_INTERVAL: Duration = Duration::from_secs(1);

impl AccountCore {
    /// Gives the account to an attempt, or says why not.
    pub fn on_lease(&mut self, ask: &LeaseAccount, now: Now) -> (Result<(), NotNow>, Vec<Effect>) {
        let mut effects = self.end_cooldown(now);
        self.settle_ahead(now.wall);
        if let Some(not_now) = self.availability(&ask.script, ask.purpose, now) {
            return (Err(not_now), effects);
        }
        self.loaded_since = false;
        let permit = self.new_permit(ask, now);
        self.hold(ask, permit, now);
        // A check begins nothing.
        if ask.purpose == Purpose::Execute {
            self.starts.insert(ask.script.clone(), Start::at(now.mono));
        }
        self.record.last_used = Some(now.wall);
        let touched_lately = self
            .touched
            .and_then(|at| at.checked_add(TOUCH_INTERVAL).ok())
            .is_some_and(|next| now.wall < next);
        if !touched_lately {
            self.touched = Some(now.wall);
            effects.push(Effect::Touch(now.wall));
        }
        (Ok(()), effects)
    }

    /// The account was given before this actor was built, and the attempt has not ended.
    pub fn on_keep(&mut self, keep: &KeepLease, now: Now) {
        if self.lease.is_some() {
            return;
        }
        let ask = &keep.lease;
        self.hold(ask, Arc::clone(&keep.permit), now);
        if let Some(begun) = keep.begun.filter(|_| ask.purpose == Purpose::Execute) {
            self.starts.insert(ask.script.clone(), Start::at(begun.mono));
        }
    }

    fn hold(&mut self, ask: &LeaseAccount, permit: Arc<Permit>, now: Now) {
        self.lease = Some(LeaseHold {
            task: ask.task,
            token: Arc::clone(&ask.token),
            epoch: ask.epoch,
            script: ask.script.clone(),
            starts: ask.purpose == Purpose::Execute,
            serial: ask.serial.clone(),
            package: self.package.clone(),
            permit,
            former_start: self.starts.get(&ask.script).copied(),
            former_use: self.record.last_used,
        });
        self.renew_permit(now);
    }

    /// What the task itself may have done already does not count: its attempt looks first.
    fn new_permit(&self, ask: &LeaseAccount, now: Now) -> Arc<Permit> {
        let usage = self.usage(&ask.script, Some(ask.task), now);
        let permit = Permit::after(usage.counted(&ask.script, &self.zone, now.wall));
        if ask.purpose == Purpose::Verify {
            let limit = self.limit_of(&ask.script);
            if let Some(not_now) = check_limit(&limit, &ask.script, &usage, &self.zone, now.wall) {
                permit.only_look(format!("account {} {}", self.record.username, not_now.reason));
            }
        }
        Arc::new(permit)
    }

    /// The permit of the attempt that has the account.
    #[must_use]
    pub fn permit(&self) -> Option<Arc<Permit>> {
        self.lease.as_ref().map(|lease| Arc::clone(&lease.permit))
    }

    /// What the record says now holds for the attempt under way, too.
    pub(super) fn renew_permit(&self, now: Now) {
        let Some(lease) = &self.lease else { return };
        let acts = lease.permit.before().left(&self.limit_of(&lease.script));
        let username = &self.record.username;
        let refusal = if let Some(NotNow { reason, .. }) = self.blocked(now.wall) {
            Some(format!("account {username} {reason}"))
        } else if self.record.serial.as_ref() != Some(&lease.serial) {
            Some(format!("account {username} is not bound to this device any more"))
        } else if self.package != lease.package {
            Some(format!("account {username} is one of another app now"))
        } else {
            None
        };
        lease.permit.set(acts, refusal);
    }

    /// Takes the account back.
    pub fn on_release(&mut self, release: ReleaseAccount) -> Vec<Effect> {
        let lease = self.lease.take_if(|lease| lease.token == release.token);
        if let Some(lease) = lease {
            // The lease may have been given some time before: gaps are between starts.
            let start = release
                .begun
                .filter(|_| lease.starts || lease.permit.began_anew())
                .map(|begun| Start::at(begun.mono));
            let start = start.or(lease.former_start);
            match start {
                Some(at) => drop(self.starts.insert(lease.script, at)),
                None => drop(self.starts.remove(&lease.script)),
            }
            if release.begun.is_none() {
                self.record.last_used = lease.former_use;
            }
        }
        if release.begun.is_some() {
            self.on_settled(release.task);
        }
        for used in &release.uses {
            if self.loaded_since {
                self.uses.merge(&used.script, used.at);
            } else {
                self.uses.add(&used.script, used.at);
            }
        }
        match release.usage {
            LeaseUsage::Nothing => Vec::new(),
            LeaseUsage::Unverified { script, at, attention } => {
                self.remember(Told::Open(release.task, script.clone(), at));
                self.unverified.insert(release.task, (script, at));
                attention.map_or_else(Vec::new, |asked| {
                    self.ask_for_a_person(asked.message, asked.screenshot, release.asked)
                })
            }
            LeaseUsage::NeedsAttention { message, evidence } => self.ask_for_a_person(message, evidence, release.asked),
        }
    }

    /// Leases of former epochs are void.
    pub fn on_forget_leases(&mut self, epoch: Epoch) {
        self.lease = self.lease.take().filter(|lease| lease.epoch >= epoch);
    }

    /// Gives no more leases.
    ///
    /// # Errors
    /// A task has the account.
    pub fn on_retire(&mut self) -> Result<(), String> {
        if let Some(lease) = &self.lease {
            let username = &self.record.username;
            return Err(format!(
                "task {} runs for account {username}: stop it, or wait for its end",
                lease.task
            ));
        }
        self.retired = true;
        Ok(())
    }
}
