//! Gaps that tasks of one request keep between their starts on a device.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::RouterCore;
use crate::domain::{BatchStart, LONGEST_GAP, Now, PendingTask, Purpose, Serial, Start, TaskId};

/// Starts older than the longest gap hold nobody up; they are swept when there are many.
const KEPT: usize = 10_000;

/// Newest starts of batches that keep a gap, by device.
#[derive(Debug, Default)]
pub(super) struct Gaps(HashMap<(Arc<str>, Serial), Starts>);

#[derive(Debug)]
struct Starts {
    newest: (TaskId, Start),
    /// The newest one of another task: it counts for the task that made the newest.
    before: Option<(TaskId, Start)>,
}

impl Gaps {
    /// A task begins.
    pub(super) fn note(&mut self, task: &PendingTask, now: Now) {
        if task.gap.is_some() {
            let start = Start::at(now.mono);
            self.insert((Arc::clone(&task.batch_id), task.serial.clone()), (task.id, start), now);
        }
    }

    /// Until when the task keeps its distance, if another one of its batch has begun on its device. What is only looked up
    /// keeps none: other work waits for it.
    pub(super) fn until(&self, task: &PendingTask) -> Option<Duration> {
        if task.purpose == Purpose::Verify {
            return None;
        }
        let Starts { newest, before } = self.0.get(&(Arc::clone(&task.batch_id), task.serial.clone()))?;
        let mut starts = [Some(*newest), *before].into_iter().flatten();
        let (_, start) = starts.find(|(other, _)| *other != task.id)?;
        Some(start.then(task.gap?))
    }

    fn insert(&mut self, key: (Arc<str>, Serial), newest: (TaskId, Start), now: Now) {
        let before = self.0.get(&key).and_then(|known| {
            let mut starts = [Some(known.newest), known.before].into_iter().flatten();
            starts.find(|(other, _)| *other != newest.0)
        });
        self.0.insert(key, Starts { newest, before });
        if self.0.len() > KEPT {
            self.0.retain(|_, starts| starts.newest.1.then(LONGEST_GAP) > now.mono);
        }
    }
}

impl RouterCore {
    /// The starts that were stored before this router.
    pub fn on_batch_starts(&mut self, mut starts: Vec<BatchStart>, now: Now) {
        starts.sort_by_key(|start| start.at);
        for start in starts {
            let BatchStart {
                batch_id,
                serial,
                task,
                at,
            } = start;
            let start = Start::stored(at, now);
            self.gaps.insert((batch_id, serial), (task, start), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Epoch, Purpose, TaskId, Timestamp},
        router::told::tests::task,
    };

    const GAP: Duration = Duration::from_secs(1800);

    fn at(seconds: u64) -> Now {
        let mono = Duration::from_secs(seconds);
        Now {
            mono,
            wall: Timestamp::UNIX_EPOCH + mono,
        }
    }

    fn spaced(id: i64) -> PendingTask {
        PendingTask {
            id: TaskId(id),
            gap: Some(GAP),
            ..task()
        }
    }

    fn start(id: i64, at: Timestamp) -> BatchStart {
        let PendingTask {
            batch_id, serial, id, ..
        } = spaced(id);
        BatchStart {
            batch_id,
            serial,
            task: id,
            at,
        }
    }

    #[test]
    fn a_task_keeps_its_distance_to_the_starts_of_others_never_to_its_own() {
        let mut gaps = Gaps::default();

        gaps.note(&spaced(1), at(100));
        assert_eq!(gaps.until(&spaced(1)), None);
        assert_eq!(gaps.until(&spaced(2)), Some(at(100).mono + GAP));

        gaps.note(&spaced(2), at(200));
        gaps.note(&spaced(2), at(300));
        assert_eq!(gaps.until(&spaced(2)), Some(at(100).mono + GAP));
        assert_eq!(gaps.until(&spaced(1)), Some(at(300).mono + GAP));
        assert_eq!(gaps.until(&spaced(3)), Some(at(300).mono + GAP));
    }

    #[test]
    fn what_is_only_looked_up_keeps_no_distance() {
        let mut gaps = Gaps::default();
        gaps.note(&spaced(1), at(100));
        let verify = PendingTask {
            purpose: Purpose::Verify,
            ..spaced(2)
        };

        assert_eq!(gaps.until(&verify), None);
    }

    #[test]
    fn starts_before_this_router_are_told_apart_by_their_tasks_too() {
        let mut core = RouterCore::new(Arc::default(), Epoch(1), 1, 1);
        let now = at(5000);
        // In any order.
        core.on_batch_starts(vec![start(2, at(4000).wall), start(1, at(4600).wall)], now);

        assert_eq!(core.gaps.until(&spaced(1)), Some(at(4000).mono + GAP));
        assert_eq!(core.gaps.until(&spaced(2)), Some(at(4600).mono + GAP));
        assert_eq!(core.gaps.until(&spaced(3)), Some(at(4600).mono + GAP));
    }
}
