//! Time, as a port.

use crate::domain::Now;

/// Reads both clocks.
pub trait Clock: Send + Sync {
    /// Both clocks, at one instant.
    fn now(&self) -> Now;
}
