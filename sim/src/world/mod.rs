//! What all phones share: the services' people and posts, the ledger, the clock; and the phones themselves.
//!
//! Lock order: `settling`, then one phone, then `social`, `ledger` or `due` (never two of these three at once).

pub mod clock;
mod describe;
mod dice;
mod error;
pub mod fault;
mod handset;
mod input;
pub mod ledger;
mod library;
mod phone;
mod schedule;
pub mod social;
mod spec;
mod start;
pub(crate) mod state;
mod system;
#[cfg(test)]
mod tests;
mod upload;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

pub(crate) use self::state::PhoneState;
use self::{
    clock::{Clock, Millis},
    ledger::{Deed, Ledger, LedgerEntry},
    schedule::Due,
    social::Social,
};
pub use self::{error::WorldError, phone::Phone, spec::PhoneSpec};
use crate::render::FrameCache;

pub(crate) use self::upload::{Upload, Verdict};

/// The services behind the two social apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// `com.zhiliaoapp.musically`
    TikTok,
    /// `com.instagram.android`
    Instagram,
}

impl Network {
    /// Both.
    pub const ALL: [Self; 2] = [Self::TikTok, Self::Instagram];

    /// `tiktok` or `instagram`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TikTok => "tiktok",
            Self::Instagram => "instagram",
        }
    }

    /// The app's package.
    pub fn package(self) -> &'static str {
        match self {
            Self::TikTok => "com.zhiliaoapp.musically",
            Self::Instagram => "com.instagram.android",
        }
    }

    /// From its name or its package.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|network| text == network.name() || text == network.package())
    }
}

/// What all phones share.
#[derive(Debug)]
pub struct World {
    pub(crate) clock: Clock,
    social: Mutex<Social>,
    ledger: Mutex<Ledger>,
    phones: Mutex<BTreeMap<String, Weak<Phone>>>,
    due: Mutex<Vec<Due>>,
    next_due: AtomicU64,
    settling: Mutex<()>,
    pub(crate) frames: FrameCache,
}

impl World {
    /// A world that runs with the machine's time.
    pub fn new() -> Arc<Self> {
        Self::with_clock(Clock::real())
    }

    /// A world whose time stands still until [`World::advance`]: for tests.
    pub fn with_manual_clock() -> Arc<Self> {
        Self::with_clock(Clock::manual())
    }

    fn with_clock(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            social: Mutex::default(),
            ledger: Mutex::default(),
            phones: Mutex::default(),
            due: Mutex::default(),
            next_due: AtomicU64::new(Millis::MAX),
            settling: Mutex::default(),
            frames: FrameCache::default(),
        })
    }

    /// Moves a manual clock on, with everything that falls due meanwhile.
    pub fn advance(&self, ms: Millis) {
        self.clock.advance(ms);
        self.settle();
    }

    /// Everything that really happened, oldest first.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.settle();
        lock(&self.ledger).entries()
    }

    /// The phones of this world that still exist, by serial.
    pub fn phones(&self) -> Vec<Arc<Phone>> {
        lock(&self.phones).values().filter_map(Weak::upgrade).collect()
    }

    /// The phone of that serial.
    pub fn phone(&self, serial: &str) -> Option<Arc<Phone>> {
        lock(&self.phones).get(serial).and_then(Weak::upgrade)
    }

    /// Reads or changes what the services know.
    pub(crate) fn social(&self) -> MutexGuard<'_, Social> {
        lock(&self.social)
    }

    /// Writes a deed into the ledger, as of `at`.
    pub(crate) fn record(&self, at: Millis, serial: &str, deed: Deed) {
        lock(&self.ledger).record(self.clock.rfc3339(at), serial, deed);
    }

    pub(crate) fn enroll(&self, phone: &Arc<Phone>) {
        lock(&self.phones).insert(phone.serial_number().to_owned(), Arc::downgrade(phone));
    }

    /// Applies all that has fallen due, of all phones, in the order of its time.
    pub(crate) fn settle(&self) {
        if self.clock.now() < self.next_due.load(Ordering::SeqCst) {
            return;
        }
        let _settling = lock(&self.settling);
        while let Some(due) = self.take_due() {
            if let Some(phone) = due.phone.upgrade() {
                phone.fall_due(&due);
            }
        }
    }
}

/// Locks even when a thread panicked while holding it: the state is plain data and each change is complete in itself.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
