//! The store's part of the way from one attempt to the next: ends are written, and what is to start is claimed, in one
//! transaction, so that a device with a queue waits for one sync of the disk between two tasks.

use super::{Effect, RouterCore, attempts::Phase};
use crate::{
    domain::{Claim, Claimed, Now, TaskId},
    ports::{Finish, Finished, StoreError},
};

/// Handovers under way in the store: while one is written, the answer of the other is worked through.
const HANDOVERS_MAX: u32 = 2;

/// What the store has made of a handover.
#[derive(Debug)]
pub struct HandedOver {
    /// The ends that it was asked to write.
    pub finishes: Vec<Finish>,
    /// What was written of each.
    pub finished: Result<Vec<Finished>, StoreError>,
    /// The tasks that it was asked to claim.
    pub asked: Vec<TaskId>,
    /// Those that are claimed.
    pub claimed: Result<Vec<Option<Claimed>>, StoreError>,
}

impl RouterCore {
    pub(super) fn flush_handover(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.handovers >= HANDOVERS_MAX {
            return;
        }
        let claims = self.take_claims(now, effects);
        if !claims.is_empty() || !self.finishes.is_empty() {
            self.handovers += 1;
            effects.push(Effect::HandOver(std::mem::take(&mut self.finishes), claims));
        }
    }

    /// The store has written a handover, or has not. What it has ended is free before what it has claimed begins.
    pub fn on_handed_over(&mut self, answer: HandedOver, now: Now) -> Vec<Effect> {
        self.handovers = self.handovers.saturating_sub(1);
        let mut effects = self.on_finished(answer.finishes, answer.finished, now);
        effects.extend(self.on_claimed(&answer.asked, answer.claimed, now));
        effects
    }

    fn take_claims(&mut self, now: Now, effects: &mut Vec<Effect>) -> Vec<Claim> {
        let mut claims = Vec::with_capacity(self.to_claim.len());
        for task in std::mem::take(&mut self.to_claim) {
            let Some(running) = self.running.get_mut(&task) else {
                continue;
            };
            if self.draining || self.drains.holds(&running.task.serial) {
                effects.extend(self.unclaimed(task));
                continue;
            }
            running.phase = Phase::Claiming;
            claims.push(Claim {
                task,
                serial: running.task.serial.clone(),
                username: running.task.username.clone(),
                lease: running.lease.clone(),
                at: now.wall,
            });
        }
        claims
    }
}
