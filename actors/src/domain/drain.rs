//! Drains: a farm or a device on which no attempt begins until somebody resumes it.

use super::{Serial, Timestamp};

/// No attempt begins here; what runs comes to its own end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// The device; `None`: the whole farm.
    pub serial: Option<Serial>,
    /// Since when.
    pub since: Timestamp,
}
