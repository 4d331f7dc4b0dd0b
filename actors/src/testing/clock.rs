//! A clock tied to tokio's: under a paused runtime it moves only when all tasks wait.

use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;
use tokio::time::Instant;

use crate::{
    domain::{Now, Timestamp},
    ports::Clock,
};

/// Monotonic time is tokio's; the wall clock begins where it is told and can be set.
#[derive(Debug)]
pub struct ManualClock {
    started: Instant,
    wall: Mutex<Timestamp>,
}

impl ManualClock {
    /// Clocks that begin now, with this wall time. Must be called within a tokio runtime.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            started: Instant::now(),
            wall: Mutex::new(wall),
        }
    }

    /// Sets the wall clock forth or back, as a person or a time server would.
    pub fn jump(&self, by: SignedDuration) {
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        *wall = wall.checked_add(by).unwrap_or(*wall);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        let mono = self.started.elapsed();
        let wall = *self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        Now {
            wall: wall.checked_add(mono).unwrap_or(wall),
            mono,
        }
    }
}
