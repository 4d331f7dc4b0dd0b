//! Time inside the world: milliseconds since it was made, and the calendar time that belongs to them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};

/// Milliseconds since the world was made.
pub type Millis = u64;

/// The world's clock. Tests turn theirs by hand, so that nothing in them waits.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    origin: Timestamp,
}

#[derive(Debug)]
enum Source {
    Real(Instant),
    Manual(AtomicU64),
}

impl Clock {
    /// Runs with the machine's time.
    pub fn real() -> Self {
        Self {
            source: Source::Real(Instant::now()),
            origin: Timestamp::now(),
        }
    }

    /// Stands still until [`Clock::advance`]; begins on 2026-01-15T09:30:00Z.
    pub fn manual() -> Self {
        let origin = Timestamp::from_second(1_768_469_400).unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            source: Source::Manual(AtomicU64::new(0)),
            origin,
        }
    }

    /// Milliseconds since the world was made.
    pub fn now(&self) -> Millis {
        match &self.source {
            Source::Real(start) => u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            Source::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock on; a real one takes no notice.
    pub fn advance(&self, ms: Millis) {
        if let Source::Manual(now) = &self.source {
            now.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// Whether it runs by itself.
    pub fn is_real(&self) -> bool {
        matches!(self.source, Source::Real(_))
    }

    /// The calendar time of a moment.
    pub fn timestamp(&self, at: Millis) -> Timestamp {
        let since = SignedDuration::from_millis(i64::try_from(at).unwrap_or(i64::MAX));
        self.origin.checked_add(since).unwrap_or(self.origin)
    }

    /// RFC 3339, UTC, milliseconds.
    pub fn rfc3339(&self, at: Millis) -> String {
        format!("{:.3}", self.timestamp(at))
    }
}
