//! Which tasks start as they are created: on a device that has nothing to do, a task that nothing holds back is claimed in
//! the transaction that creates it, so that it waits for one sync of the disk and not for two.

use std::collections::HashSet;

use super::{
    Effect, RouterCore,
    attempts::Phase,
    lanes::{lane_of, pending_of},
};
use crate::domain::{ClaimAhead, Claimed, NewTask, Now, Serial, TaskId};

impl RouterCore {
    /// Claims for those of the tasks that can start at once. Their devices are kept free until [`Self::on_claimed_ahead`].
    ///
    /// Tasks for an account are not among them: the account is asked first.
    pub fn claim_ahead(&mut self, tasks: &[NewTask]) -> Vec<ClaimAhead> {
        let mut ahead = Vec::new();
        if self.draining || self.store_pause.is_some() {
            return ahead;
        }
        for (place, task) in tasks.iter().enumerate() {
            let Some(serial) = &task.serial else { continue };
            let plain = task.username.is_none() && task.due_at.is_none() && task.gap.is_none();
            if plain && self.free_devices() > 0 && self.has_nothing_to_do(serial) {
                let lease = self.next_lease();
                self.promise(serial, true);
                ahead.push(ClaimAhead { place, lease });
            }
        }
        ahead
    }

    /// The tasks were created with these numbers, or none was; what was claimed of them starts, the others wait.
    pub fn on_claimed_ahead(
        &mut self,
        tasks: &[NewTask],
        ids: Option<&[TaskId]>,
        answers: Vec<(ClaimAhead, Option<Claimed>)>,
        now: Now,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut started = HashSet::new();
        for (ahead, claimed) in answers {
            let task = tasks.get(ahead.place);
            if let Some(serial) = task.and_then(|task| task.serial.as_ref()) {
                self.promise(serial, false);
            }
            let pending = claimed.as_ref().zip(task);
            let pending = pending.and_then(|(claimed, task)| pending_of(claimed.task, task));
            if let Some((pending, claimed)) = pending.zip(claimed) {
                let task = pending.id;
                self.lanes.entry(lane_of(&pending)).or_default();
                self.set_off(pending, ahead.lease, Phase::Claiming);
                effects.extend(self.start(task, claimed, now));
                started.insert(task);
            }
        }
        for (id, task) in ids.unwrap_or_default().iter().zip(tasks) {
            if let Some(pending) = pending_of(*id, task).filter(|_| !started.contains(id)) {
                self.add(pending, now);
            }
        }
        self.plan_wanted = true;
        effects
    }

    /// Whether the device may be used, and no task is under way to it, waits for it or is being read for it.
    fn has_nothing_to_do(&self, serial: &Serial) -> bool {
        let slot = self.devices.get(serial);
        slot.is_some_and(|slot| slot.running.is_none() && !slot.promised && slot.not_ready.is_none())
            && !self.drains.holds(serial)
            && self.busy_twin(serial).is_none()
            && self
                .lanes_of(serial)
                .all(|(lane, state)| state.is_quiet() && !self.refills.contains(lane))
    }

    fn promise(&mut self, serial: &Serial, promised: bool) {
        if let Some(slot) = self.devices.get_mut(serial)
            && std::mem::replace(&mut slot.promised, promised) != promised
        {
            if promised {
                self.promised += 1;
                self.busy_devices += 1;
            } else {
                self.promised = self.promised.saturating_sub(1);
                self.busy_devices = self.busy_devices.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{AttemptId, Drain, Epoch, Generation, Purpose, ScriptName, Timestamp},
        router::told::tests::NOW,
        settings::FarmSettings,
        testing::{
            conformance,
            farm::{serial, username},
        },
    };

    fn task(name: &str) -> NewTask {
        conformance::task(name, None)
    }

    /// Two devices that may be used.
    fn core(device_limit: Option<u32>) -> RouterCore {
        let settings = FarmSettings {
            device_limit,
            ..FarmSettings::default()
        };
        let mut core = RouterCore::new(Arc::new(settings), Epoch(1), 1, 1);
        for name in ["p1", "p2"] {
            core.on_device_changed(&serial(name), Generation(1), None);
        }
        core
    }

    fn places(ahead: &[ClaimAhead]) -> Vec<usize> {
        ahead.iter().map(|ahead| ahead.place).collect()
    }

    fn claimed(task: i64) -> Claimed {
        Claimed {
            task: TaskId(task),
            attempt: AttemptId(task),
            number: 1,
            purpose: Purpose::Execute,
            script: ScriptName::parse("post").unwrap(),
            config: Arc::default(),
        }
    }

    #[test]
    fn the_first_plain_task_of_each_idle_device_is_claimed_ahead_and_its_device_is_promised_to_nobody_else() {
        let mut core = core(None);
        let tasks = [task("p1"), task("p1"), task("p2"), task("elsewhere")];

        let ahead = core.claim_ahead(&tasks);

        assert_eq!(places(&ahead), [0, 2]);
        assert_eq!(core.claim_ahead(&tasks), []);
        assert!(!core.is_idle(), "a shutdown waits for what is promised");
    }

    #[test]
    fn what_has_to_wait_or_to_ask_somebody_is_not_claimed_ahead() {
        let held = [
            NewTask {
                username: Some(username("a")),
                ..task("p1")
            },
            NewTask {
                due_at: Some(Timestamp::UNIX_EPOCH),
                ..task("p1")
            },
            NewTask {
                gap: Some(std::time::Duration::from_secs(60)),
                ..task("p1")
            },
        ];
        assert_eq!(core(None).claim_ahead(&held), []);

        let mut away = core(None);
        away.on_device_changed(&serial("p1"), Generation(1), Some("is away".to_owned()));
        assert_eq!(away.claim_ahead(&[task("p1")]), []);

        let mut drained = core(None);
        drained.on_drains(vec![Drain {
            serial: Some(serial("p1")),
            since: Timestamp::UNIX_EPOCH,
        }]);
        assert_eq!(drained.claim_ahead(&[task("p1")]), []);

        let mut behind = core(None);
        behind.on_created(&[TaskId(1)], &[task("p1")], NOW);
        assert_eq!(behind.claim_ahead(&[task("p1")]), []);

        assert_eq!(places(&core(Some(1)).claim_ahead(&[task("p1"), task("p2")])), [0]);
    }

    #[test]
    fn what_was_claimed_starts_what_was_refused_waits_and_the_device_is_free_when_nothing_was_created() {
        let mut core = core(None);
        let tasks = [task("p1"), task("p2")];
        let ahead = core.claim_ahead(&tasks);
        let answers = ahead.into_iter().zip([Some(claimed(7)), None]).collect();

        let effects = core.on_claimed_ahead(&tasks, Some(&[TaskId(7), TaskId(8)]), answers, NOW);

        let started = effects.iter().map(|effect| match effect {
            Effect::Start(spec) => spec.task,
            other => panic!("{other:?}"),
        });
        assert_eq!(started.collect::<Vec<_>>(), [TaskId(7)]);
        let claims = core.dispatch(NOW).into_iter().filter_map(|effect| match effect {
            Effect::HandOver(_, claims) => Some(claims),
            _ => None,
        });
        let waiting: Vec<TaskId> = claims.flatten().map(|claim| claim.task).collect();
        assert_eq!(waiting, [TaskId(8)], "claimed the usual way");

        let mut failed = super::tests::core(None);
        let ahead = failed.claim_ahead(&tasks);
        failed.on_claimed_ahead(
            &tasks,
            None,
            ahead.into_iter().map(|ahead| (ahead, None)).collect(),
            NOW,
        );
        assert!(failed.is_idle());
        assert_eq!(places(&failed.claim_ahead(&tasks)), [0, 1]);
    }
}
