//! Gaps between tasks of one request on a device.

use std::{sync::Arc, time::Duration};

use super::{Serial, TaskId, Timestamp};

/// No gap is longer: a day.
pub const LONGEST_GAP: Duration = Duration::from_secs(24 * 60 * 60);

/// When a batch that keeps a gap began a task on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchStart {
    /// The batch.
    pub batch_id: Arc<str>,
    /// The device.
    pub serial: Serial,
    /// The task.
    pub task: TaskId,
    /// When.
    pub at: Timestamp,
}
