//! What happens later by itself: uploads and mishaps that end, phones that come back from a
//! reboot.

use std::sync::{Arc, Weak, atomic::Ordering};

use super::{Phone, World, clock::Millis, lock};

/// Something that happens at its time.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub at: Millis,
    pub phone: Weak<Phone>,
    pub event: Event,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The upload of this number is through.
    UploadThrough(u64),
    /// adb can reach the booting phone again; the number as below.
    AdbUp(u64),
    /// The phone has booted; the number tells this boot from later ones.
    Booted(u64),
    /// What came at random, as this mishap of the phone, is over.
    MishapOver(u64),
}

impl World {
    /// Plans an event. Whoever looks next applies what is due (see [`World::settle`]); with the machine's time a
    /// task looks as well, so that it happens on time when nobody does.
    pub(crate) fn plan(self: &Arc<Self>, at: Millis, phone: Weak<Phone>, event: Event) {
        {
            let mut due = lock(&self.due);
            let place = due.partition_point(|other| other.at <= at);
            due.insert(place, Due { at, phone, event });
            self.next_due
                .store(due.first().map_or(Millis::MAX, |first| first.at), Ordering::SeqCst);
        }
        if self.clock.is_real()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let world = Arc::downgrade(self);
            let wait = std::time::Duration::from_millis(at.saturating_sub(self.clock.now()).saturating_add(1));
            drop(runtime.spawn(async move {
                tokio::time::sleep(wait).await;
                if let Some(world) = world.upgrade() {
                    world.settle();
                }
            }));
        }
    }

    /// The next event whose time has come.
    pub(crate) fn take_due(&self) -> Option<Due> {
        let mut due = lock(&self.due);
        let ready = due.first().is_some_and(|first| first.at <= self.clock.now());
        let taken = ready.then(|| due.remove(0));
        self.next_due
            .store(due.first().map_or(Millis::MAX, |first| first.at), Ordering::SeqCst);
        taken
    }
}
