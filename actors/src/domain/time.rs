//! Time as the cores see it: given to them, never read.

use std::time::Duration;

pub use jiff::Timestamp;

/// One reading of both clocks. Dates use `wall`; everything that waits uses `mono`, which no clock change moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, UTC.
    pub wall: Timestamp,
    /// Time since some fixed instant of this process.
    pub mono: Duration,
}

/// An instant that no clock change moves, also one from before this process: the monotonic clock begins with it, so what was
/// before that has a number of its own.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    mono: Duration,
    /// How long before `mono` it was.
    earlier: Duration,
}

impl Start {
    /// One of this process.
    #[must_use]
    pub fn at(mono: Duration) -> Self {
        let earlier = Duration::ZERO;
        Self { mono, earlier }
    }

    /// One that was stored. In the future, by a clock that was set back since, it counts as now.
    #[must_use]
    pub fn stored(at: Timestamp, now: Now) -> Self {
        Self {
            mono: now.mono,
            earlier: Duration::try_from(now.wall.duration_since(at)).unwrap_or_default(),
        }
    }

    /// So long after it, by the monotonic clock.
    #[must_use]
    pub fn then(self, wait: Duration) -> Duration {
        self.mono.saturating_add(wait).saturating_sub(self.earlier)
    }

    /// What the wall clock would have shown then, as it is set now.
    #[must_use]
    pub fn shown_by(self, now: Now) -> Timestamp {
        let ago = now.mono.saturating_sub(self.mono).saturating_add(self.earlier);
        now.wall.checked_sub(ago).unwrap_or(Timestamp::MIN)
    }
}
