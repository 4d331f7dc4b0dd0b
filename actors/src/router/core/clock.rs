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
            effects.push(Effect::ShiftDue(set_by, before));
            self.forget_refusals();
        }
    }

    /// What waits for a span of time has moved with the clock, or could not.
    pub fn on_due_shifted(&mut self, by_ms: i64, result: Result<(), StoreError>, now: Now) {
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
