//! A wall clock that is set: pauses and gaps are stored as times of day, and have to move with it.

use super::{Effect, RouterCore};
use crate::{
    domain::{Now, Timestamp},
    ports::StoreError,
};

/// What the two clocks may drift apart before what is stored moves with the wall clock.
const DRIFT_MAX_MS: i64 = 1_000;

impl RouterCore {
    /// Notices that the wall clock was set since the last look.
    pub(super) fn watch_clock(&mut self, now: Now, effects: &mut Vec<Effect>) {
        // What has not moved yet is judged by what it was told; the next move begins where this one has led.
        if self.shifting {
            return;
        }
        let mono = i64::try_from(now.mono.as_millis()).unwrap_or(i64::MAX);
        let apart = now.wall.as_millisecond().saturating_sub(mono);
        let known = *self.clocks_apart.get_or_insert(apart);
        let set_by = apart.saturating_sub(known);
        if set_by.abs() >= DRIFT_MAX_MS {
            self.clocks_apart = Some(apart);
            let before = now.wall.as_millisecond().saturating_sub(set_by);
            let before = Timestamp::from_millisecond(before).unwrap_or(now.wall);
            tracing::warn!(
                by_ms = set_by,
                "the clock was set; pauses and gaps stay as long as they were"
            );
            self.shifting = true;
            effects.push(Effect::ShiftDue(set_by, before));
            self.forget_refusals();
        }
    }

    /// What waits for a span of time has moved with the clock, or could not.
    pub fn on_due_shifted(&mut self, by_ms: i64, result: Result<(), StoreError>, now: Now) {
        self.shifting = false;
        if let Err(error) = result {
            self.pause_store(error.to_string(), now);
            self.clocks_apart = self.clocks_apart.map(|apart| apart.saturating_sub(by_ms));
            return;
        }
        let lanes: Vec<_> = self.lanes.keys().cloned().collect();
        for lane in lanes {
            self.want_refill(lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        domain::Epoch,
        ports::Lane,
        router::{core::lanes::lane_of, told::tests::task},
    };

    fn at(mono: u64, wall: u64) -> Now {
        Now {
            mono: Duration::from_secs(mono),
            wall: Timestamp::UNIX_EPOCH + Duration::from_secs(wall),
        }
    }

    fn read(effects: &[Effect]) -> Vec<Lane> {
        let asks = effects.iter().filter_map(|effect| match effect {
            Effect::Refill(asks, ..) => Some(asks.iter().map(|ask| ask.lane.clone())),
            _ => None,
        });
        asks.flatten().collect()
    }

    fn shifts(effects: &[Effect]) -> Vec<i64> {
        let by = effects.iter().filter_map(|effect| match effect {
            Effect::ShiftDue(by, _) => Some(*by),
            _ => None,
        });
        by.collect()
    }

    #[test]
    fn f19_no_queue_is_read_between_a_clock_that_is_set_and_what_is_stored_having_moved_with_it() {
        let lane = lane_of(&task());
        let mut core = RouterCore::new(Arc::default(), Epoch(1), 1, 1);
        core.dispatch(at(0, 10_000));
        core.note_due(&lane, at(0, 10_020).wall);

        let set = core.dispatch(at(5, 13_605));
        assert_eq!((shifts(&set), read(&set)), (vec![3_600_000], vec![]));
        // Set once more while the first move is written.
        let again = core.dispatch(at(6, 13_636));
        assert_eq!((shifts(&again), read(&again)), (vec![], vec![]));

        core.on_due_shifted(3_600_000, Ok(()), at(7, 13_637));
        let again = core.dispatch(at(7, 13_637));
        assert_eq!((shifts(&again), read(&again)), (vec![30_000], vec![]));
        core.on_due_shifted(30_000, Ok(()), at(8, 13_638));
        assert_eq!(read(&core.dispatch(at(8, 13_638))), [lane]);
    }

    #[test]
    fn f19_what_could_not_be_moved_is_moved_before_any_queue_is_read() {
        let lane = lane_of(&task());
        let mut core = RouterCore::new(Arc::default(), Epoch(1), 1, 1);
        core.dispatch(at(0, 10_000));
        core.note_due(&lane, at(0, 10_020).wall);
        core.dispatch(at(5, 13_605));

        core.on_due_shifted(3_600_000, Err(StoreError::Full), at(6, 13_606));
        let later = core.dispatch(at(9, 13_609));
        assert_eq!((shifts(&later), read(&later)), (vec![3_600_000], vec![]));
    }
}
