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
