//! The system's clocks.

use std::time::Instant;

use farmhand_actors::{
    domain::{Now, Timestamp},
    ports::Clock,
};

/// Wall clock and monotonic clock of this host.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::now(),
            mono: self.start.elapsed(),
        }
    }
}
