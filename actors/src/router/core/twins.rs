//! One phone under two names: adb lists a phone by its cable and by its address when both are connected. What it does, it does
//! one at a time all the same.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::RouterCore;
use crate::domain::{Serial, TaskId};

/// The names of each phone.
#[derive(Debug, Default)]
pub(super) struct Twins {
    phones: HashMap<Serial, Arc<str>>,
    names: HashMap<Arc<str>, BTreeSet<Serial>>,
}

impl Twins {
    /// What the phone of this name is.
    pub(super) fn note(&mut self, serial: &Serial, phone: Arc<str>) {
        if self.phones.get(serial) == Some(&phone) {
            return;
        }
        if let Some(old) = self.phones.remove(serial)
            && let Some(names) = self.names.get_mut(&old)
        {
            names.remove(serial);
            if names.is_empty() {
                self.names.remove(&old);
            }
        }
        let names = self.names.entry(Arc::clone(&phone)).or_default();
        names.insert(serial.clone());
        self.phones.insert(serial.clone(), phone);
    }

    /// The phone's other names.
    fn of<'a>(&'a self, serial: &'a Serial) -> impl Iterator<Item = &'a Serial> {
        let names = self.phones.get(serial).and_then(|phone| self.names.get(phone));
        names.into_iter().flatten().filter(move |name| *name != serial)
    }
}

impl RouterCore {
    /// The other name under which the phone is busy, and with which task, if it has begun.
    pub(super) fn busy_twin<'a>(&'a self, serial: &'a Serial) -> Option<(&'a Serial, Option<TaskId>)> {
        self.twins.of(serial).find_map(|name| {
            let slot = self.devices.get(name)?;
            (slot.running.is_some() || slot.promised).then_some((name, slot.running))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Epoch, Generation, PendingTask},
        router::told::tests::NOW,
        testing::{conformance, farm::serial},
    };

    /// Three names that may be used; the first two are one phone's.
    fn core() -> RouterCore {
        let mut core = RouterCore::new(Arc::default(), Epoch(1), 1, 1);
        for (name, phone) in [("cable", "one"), ("wifi", "one"), ("other", "two")] {
            core.on_device_changed(&serial(name), Generation(1), None);
            core.on_phone_known(&serial(name), Generation(1), Some(phone.into()));
        }
        core
    }

    fn create(core: &mut RouterCore, id: i64, name: &str) {
        core.on_created(&[TaskId(id)], &[conformance::task(name, None)], NOW);
    }

    /// The tasks that are on their way after a plan.
    fn begun(core: &mut RouterCore) -> BTreeSet<TaskId> {
        core.dispatch(NOW);
        core.running.keys().copied().collect()
    }

    #[test]
    fn a_phone_that_is_connected_twice_does_one_thing_at_a_time() {
        let mut core = core();
        create(&mut core, 1, "cable");
        create(&mut core, 2, "wifi");
        create(&mut core, 3, "other");

        assert_eq!(begun(&mut core), [TaskId(1), TaskId(3)].into());
        assert_eq!(
            core.busy_twin(&serial("wifi")),
            Some((&serial("cable"), Some(TaskId(1))))
        );
        assert_eq!(core.busy_twin(&serial("cable")), None);
        assert!(core.claim_ahead(&[conformance::task("wifi", None)]).is_empty());
        let waiting: PendingTask = core.lanes_of(&serial("wifi")).next().unwrap().1.window[0].clone();
        assert_eq!(
            core.explain(&waiting, NOW),
            "device wifi is the same phone as cable, which is busy with task 1"
        );
    }

    #[test]
    fn the_names_of_a_phone_take_turns() {
        let mut core = core();
        for (id, name) in [(1, "cable"), (2, "cable"), (3, "wifi")] {
            create(&mut core, id, name);
        }
        assert_eq!(begun(&mut core), [TaskId(1)].into());
        // The task is over, and others wait under both names.
        let slot = core.devices.get_mut(&serial("cable")).unwrap();
        (slot.running, slot.last_start) = (None, Some(crate::domain::rotation::turn_instant(NOW.wall, NOW)));
        core.on_phone_known(&serial("other"), Generation(1), Some("four".into()));

        assert_eq!(begun(&mut core), [TaskId(1), TaskId(3)].into());
    }

    #[test]
    fn of_two_tasks_that_are_created_together_for_the_two_names_one_begins_at_once() {
        let mut core = core();
        let tasks = ["wifi", "cable", "other"].map(|name| conformance::task(name, None));

        let places: Vec<usize> = core.claim_ahead(&tasks).iter().map(|ahead| ahead.place).collect();

        assert_eq!(places, [0, 2]);
    }

    #[test]
    fn a_phone_that_is_another_one_since_is_held_up_by_nobody() {
        let mut core = core();
        create(&mut core, 1, "cable");
        create(&mut core, 2, "wifi");
        assert_eq!(begun(&mut core), [TaskId(1)].into());

        // It is switched off, by a person: the phone is still the one that it was.
        core.on_phone_known(&serial("wifi"), Generation(1), None);
        core.on_phone_known(&serial("wifi"), Generation(0), Some("three".into()));
        assert_eq!(begun(&mut core), [TaskId(1)].into());
        core.on_phone_known(&serial("wifi"), Generation(1), Some("three".into()));
        assert_eq!(begun(&mut core), [TaskId(1), TaskId(2)].into());
        assert_eq!(core.busy_twin(&serial("wifi")), None);
    }
}
