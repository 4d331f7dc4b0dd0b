//! What all drivers of one phone share: its budget of sockets, its breaker, who holds it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use farmhand_actors::{
    domain::{Generation, Lease, Serial},
    ports::LastAnswer,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    agent::AgentSlot,
    breaker::{Breaker, BreakerPolicy},
    screens::{CaptureCosts, Screens},
    settings::{AdbLimits, AdbSettings, millis},
    transports::Transports,
};

/// One phone.
pub(super) struct Phone {
    pub(super) serial: Serial,
    /// Sockets for it at the same time.
    pub(super) slots: Semaphore,
    /// Only one dump can run on a phone: of two at once one is killed.
    pub(super) dump: tokio::sync::Mutex<()>,
    /// Characters of two texts typed at once would mix.
    pub(super) typing: tokio::sync::Mutex<()>,
    /// One picture for people at a time.
    pub(super) capture: tokio::sync::Mutex<()>,
    /// By which way pictures come cheapest.
    pub(super) capture_costs: Mutex<CaptureCosts>,
    /// Its uiautomator2 agent.
    pub(super) agent: AgentSlot,
    breaker: Mutex<Breaker>,
    holder: Mutex<Holder>,
    last_answer: Mutex<Option<(&'static str, Instant)>>,
    /// What the phone called itself at first, when its name at the adb server is only an address.
    first_identity: Mutex<Option<String>>,
    /// It did not answer when it was asked about itself the last time.
    pub(super) silent: AtomicBool,
    parts: AtomicU64,
    started: Instant,
}

/// The lease whose driver may act, and the switch that ends the calls of the driver before.
#[derive(Debug, Default)]
struct Holder {
    token: Option<Arc<str>>,
    taken: Option<Taken>,
    generation: Generation,
    ended: CancellationToken,
}

/// What a phone said of itself when it was taken.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// Its boot; empty on phones that tell none.
    pub(super) boot: String,
    /// Its serials, with a space between them; empty on phones that tell none.
    pub(super) identity: String,
}

impl Phone {
    fn new(serial: Serial, limits: &AdbLimits) -> Self {
        let policy = BreakerPolicy {
            failures: limits.breaker_failures,
            rest: millis(limits.breaker_rest_ms),
            rest_max: millis(limits.breaker_rest_max_ms),
        };
        Self {
            serial,
            slots: Semaphore::new(limits.calls_per_phone.max(1)),
            dump: tokio::sync::Mutex::default(),
            typing: tokio::sync::Mutex::default(),
            capture: tokio::sync::Mutex::default(),
            capture_costs: Mutex::default(),
            agent: AgentSlot::default(),
            breaker: Mutex::new(Breaker::new(policy)),
            holder: Mutex::default(),
            last_answer: Mutex::default(),
            first_identity: Mutex::default(),
            silent: AtomicBool::new(false),
            parts: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    pub(super) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        lock(&self.breaker)
    }

    /// The phone has answered a command. Looks are questions, not commands: they are told by those who ask them.
    pub(super) fn answered(&self, command: &'static str) {
        if command != "info" {
            *lock(&self.last_answer) = Some((command, Instant::now()));
        }
    }

    /// The last command that it has answered.
    pub(super) fn last_answer(&self) -> Option<LastAnswer> {
        let (command, at) = (*lock(&self.last_answer))?;
        Some(LastAnswer {
            command,
            ago: at.elapsed(),
        })
    }

    /// What it called itself at first.
    pub(super) fn first_identity(&self) -> Option<String> {
        lock(&self.first_identity).clone()
    }

    /// It calls itself so; what it called itself before stays.
    pub(super) fn remember(&self, own_serial: &str) {
        lock(&self.first_identity).get_or_insert_with(|| own_serial.to_owned());
    }

    /// It may be another phone from now on.
    pub(super) fn forget(&self) {
        lock(&self.first_identity).take();
    }

    /// Tells files apart that are on their way to the phone at the same time. The numbers come again, so that what a
    /// copy that was cut off has left behind is written over.
    pub(super) fn next_part(&self) -> u64 {
        /// More than the sockets of a phone.
        const PARTS: u64 = 8;
        self.parts.fetch_add(1, Ordering::Relaxed) % PARTS
    }

    /// Time for the breaker.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The switch of a driver with this lease. Another lease's driver before it is ended, with all its calls.
    pub(super) fn hold(&self, lease: &Lease) -> (Generation, CancellationToken) {
        let mut holder = lock(&self.holder);
        if holder.token.as_ref() != Some(&lease.token) {
            holder.ended.cancel();
            *holder = Holder {
                token: Some(Arc::clone(&lease.token)),
                taken: None,
                generation: holder.generation.next(),
                ended: CancellationToken::new(),
            };
        }
        (holder.generation, holder.ended.clone())
    }

    /// The phone was taken under this lease.
    pub(super) fn note_taken(&self, lease: &Lease, taken: Taken) {
        let mut holder = lock(&self.holder);
        if holder.token.as_ref() == Some(&lease.token) {
            holder.taken = Some(taken);
        }
    }

    /// What it was when it was taken under this lease.
    pub(super) fn taken_under(&self, lease: &Lease) -> Option<Taken> {
        let holder = lock(&self.holder);
        let held = holder.token.as_ref() == Some(&lease.token);
        holder.taken.clone().filter(|_| held)
    }
}

/// A mutex that a panic elsewhere does not make unusable: what these protect is valid after each assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All phones of the farm, and how they are reached.
pub(super) struct Phones {
    pub(super) settings: AdbSettings,
    pub(super) transports: Transports,
    /// The last pictures of their screens.
    pub(super) screens: Arc<Screens>,
    /// Ends what goes on in the background for phones.
    pub(super) stop: CancellationToken,
    /// That itself.
    pub(super) background: TaskTracker,
    phones: Mutex<HashMap<Serial, Arc<Phone>>>,
}

impl Phones {
    pub(super) fn new(settings: AdbSettings) -> Self {
        Self {
            screens: Arc::new(Screens::new(settings.screens)),
            settings,
            transports: Transports::default(),
            stop: CancellationToken::new(),
            background: TaskTracker::new(),
            phones: Mutex::default(),
        }
    }

    pub(super) fn get(&self, serial: &Serial) -> Arc<Phone> {
        let mut phones = lock(&self.phones);
        let phone = phones
            .entry(serial.clone())
            .or_insert_with(|| Arc::new(Phone::new(serial.clone(), &self.settings.limits)));
        Arc::clone(phone)
    }

    /// Ends what goes on in the background; comes back when it has ended.
    pub(super) async fn stop_background(&self) {
        self.stop.cancel();
        self.background.close();
        self.background.wait().await;
    }
}
