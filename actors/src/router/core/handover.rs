//! The store's part of the way from one attempt to the next: ends are written, and what is to start is claimed, in one
//! transaction, so that a device with a queue waits for one sync of the disk between two tasks.

use super::{Effect, RouterCore, attempts::Phase};
use crate::{
    domain::{Claim, Claimed, Now, TaskId},
    ports::{Finish, Finished, StoreError},
};

/// Handovers under way in the store: while one is written, the answer of the other is worked through.
const HANDOVERS_MAX: u32 = 2;

/// While so much is being written, what comes next waits until it is half as much: else the first few that are ready would
/// be written by themselves, and all others after them.
const CROWD: usize = 64;

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
        let waiting = self.finishes.len() + self.to_claim.len();
        let too_few = self.handed_over >= CROWD && waiting < self.handed_over / 2;
        if self.handovers >= HANDOVERS_MAX || (self.handovers > 0 && too_few) {
            return;
        }
        let claims = self.take_claims(now, effects);
        if !claims.is_empty() || !self.finishes.is_empty() {
            self.handovers += 1;
            self.handed_over = waiting;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{Epoch, Generation, PendingTask, TaskId},
        router::told::tests::{NOW, task},
        testing::farm::serial,
    };

    /// A router with so many devices, and a task for each of the first `tasks` of them.
    fn core(devices: usize, tasks: usize) -> RouterCore {
        let mut core = RouterCore::new(Arc::default(), Epoch(1), 1, 1);
        for number in 0..devices {
            core.on_device_changed(&serial(&format!("p{number}")), Generation(1), None);
        }
        create(&mut core, 0..tasks);
        core
    }

    fn create(core: &mut RouterCore, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let pending = PendingTask {
                id: TaskId(i64::try_from(number).unwrap() + 1),
                serial: serial(&format!("p{number}")),
                username: None,
                ..task()
            };
            core.add(pending, NOW);
        }
    }

    /// What the next dispatch claims.
    fn claims(core: &mut RouterCore) -> Vec<Claim> {
        let effects = core.dispatch(NOW).into_iter();
        let handovers = effects.filter_map(|effect| match effect {
            Effect::HandOver(_, claims) => Some(claims),
            _ => None,
        });
        handovers.flatten().collect()
    }

    /// The store has claimed none of them.
    fn refuse(core: &mut RouterCore, asked: Vec<Claim>) {
        let asked: Vec<TaskId> = asked.into_iter().map(|claim| claim.task).collect();
        let answer = HandedOver {
            finishes: Vec::new(),
            finished: Ok(Vec::new()),
            claimed: Ok(vec![None; asked.len()]),
            asked,
        };
        core.on_handed_over(answer, NOW);
    }

    #[test]
    fn two_handovers_are_under_way_at_once_and_the_third_waits_for_an_answer() {
        let mut core = core(4, 1);
        let first = claims(&mut core);
        create(&mut core, 1..2);
        assert_eq!(claims(&mut core).len(), 1);
        create(&mut core, 2..3);

        assert_eq!(claims(&mut core), []);

        refuse(&mut core, first);
        assert_eq!(claims(&mut core).len(), 1);
    }

    #[test]
    fn behind_a_large_handover_few_wait_until_they_are_half_as_many_or_it_is_answered() {
        let mut core = core(4 * CROWD, 2 * CROWD);
        let large = claims(&mut core);
        assert_eq!(large.len(), 2 * CROWD);

        create(&mut core, 2 * CROWD..3 * CROWD - 1);
        assert_eq!(claims(&mut core), [], "too few");
        create(&mut core, 3 * CROWD - 1..3 * CROWD);
        assert_eq!(claims(&mut core).len(), CROWD, "half as many");

        create(&mut core, 3 * CROWD..3 * CROWD + 1);
        refuse(&mut core, large);
        let left = claims(&mut core);
        assert_eq!(left.len(), 0, "still too few behind the second");
    }
}
