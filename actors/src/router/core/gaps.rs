//! Gaps that tasks of one request keep between their starts on a device.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::RouterCore;
use crate::domain::{BatchStart, LONGEST_GAP, Now, PendingTask, Serial};

/// Starts older than the longest gap hold nobody up; they are swept when there are many.
const KEPT: usize = 10_000;

/// Newest starts of batches that keep a gap, by device.
#[derive(Debug, Default)]
pub(super) struct Gaps(HashMap<(Arc<str>, Serial), Start>);

/// The monotonic clock begins with the process, so what was before that has a number of its own.
#[derive(Debug, Clone, Copy)]
struct Start {
    mono: Duration,
    /// How long before `mono` it was.
    earlier: Duration,
}

impl Start {
    fn then(self, wait: Duration) -> Duration {
        (self.mono + wait).saturating_sub(self.earlier)
    }
}

impl Gaps {
    /// A task begins.
    pub(super) fn note(&mut self, task: &PendingTask, now: Now) {
        if task.gap.is_some() {
            let start = Start {
                mono: now.mono,
                earlier: Duration::ZERO,
            };
            self.insert((Arc::clone(&task.batch_id), task.serial.clone()), start, now);
        }
    }

    /// Until when the task keeps its distance, if a task of its batch has begun on its device.
    pub(super) fn until(&self, task: &PendingTask) -> Option<Duration> {
        let start = self.0.get(&(Arc::clone(&task.batch_id), task.serial.clone()))?;
        Some(start.then(task.gap?))
    }

    fn insert(&mut self, key: (Arc<str>, Serial), start: Start, now: Now) {
        self.0.insert(key, start);
        if self.0.len() > KEPT {
            self.0.retain(|_, start| start.then(LONGEST_GAP) > now.mono);
        }
    }
}

impl RouterCore {
    /// The starts that were stored before this router.
    pub fn on_batch_starts(&mut self, starts: Vec<BatchStart>, now: Now) {
        for BatchStart { batch_id, serial, at } in starts {
            // What began in the future, by a clock that was set back since, counts as begun now.
            let earlier = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
            let start = Start {
                mono: now.mono,
                earlier,
            };
            self.gaps.insert((batch_id, serial), start, now);
        }
    }
}
