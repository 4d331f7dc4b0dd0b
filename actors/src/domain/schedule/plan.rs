//! Which run is to start now: on time, late, or not at all.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Schedule, ScheduleSpec};
use crate::domain::Timestamp;

/// A run that starts so long after its time (and its random delay) has not been missed: a restart of the controller
/// takes a few seconds, and minutes are what schedules are written in.
pub const MISFIRE_GRACE: Duration = Duration::from_secs(60);

/// The shortest step of time.
const INSTANT: Duration = Duration::from_nanos(1);

/// What becomes of runs that were missed (the controller was off, or the clock was set forth).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// All of them together are one run, now.
    #[default]
    RunOnce,
    /// They are left out.
    Skip,
    /// Each is a run, one after another, the latest `misfire_cap` of them.
    RunAll,
}

impl Misfire {
    /// All.
    pub const ALL: [Self; 3] = [Self::RunOnce, Self::Skip, Self::RunAll];

    /// The word used in the API and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunOnce => "run_once",
            Self::Skip => "skip",
            Self::RunAll => "run_all",
        }
    }

    /// The policy of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|misfire| misfire.as_str() == word)
    }
}

/// What is to be done about a schedule's next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing before this.
    Wait(Timestamp),
    /// The run planned for this instant starts now; missed ones before it are covered by it.
    Run(Timestamp),
    /// The run planned for this instant, and missed ones before it, are left out.
    Skip(Timestamp),
}

impl ScheduleSpec {
    /// What is to be done at `now` when `next` is the earliest run that was not dealt with.
    #[must_use]
    pub fn judge(&self, next: Timestamp, seed: u64, now: Timestamp) -> Verdict {
        let start = self.start_of(next, seed);
        if now < start {
            return Verdict::Wait(start);
        }
        if !self.is_late(next, seed, now) {
            return Verdict::Run(next);
        }
        if self.misfire == Misfire::Skip {
            return Verdict::Skip(self.latest(next, self.first_starting(seed, earlier(now, MISFIRE_GRACE)), 1));
        }
        let opening = self.recurrence.opening(now);
        if opening > now {
            return Verdict::Wait(opening);
        }
        if self.misfire == Misfire::RunAll {
            // Those whose time has just come have not been missed: they follow, and do not count among the latest.
            let in_time = self.first_starting(seed, earlier(now, MISFIRE_GRACE));
            return Verdict::Run(self.latest(next, in_time, self.misfire_cap.max(1)));
        }
        let to_come = self.first_starting(seed, later(now, INSTANT));
        Verdict::Run(self.latest(next, to_come, 1))
    }

    /// Whether the run planned for this instant, whose delay is over, has missed its start: by more than the grace, or
    /// because its window has closed. One that a longer delay before it held up is not late for that.
    fn is_late(&self, planned: Timestamp, seed: u64, now: Timestamp) -> bool {
        let closing = self.recurrence.closing(planned);
        closing.is_some_and(|closing| planned < closing && closing <= now)
            || planned < self.first_starting(seed, earlier(now, MISFIRE_GRACE))
    }

    /// The first planned instant whose run starts at `from` or later: all runs planned before it start before.
    fn first_starting(&self, seed: u64, from: Timestamp) -> Timestamp {
        let delay = Duration::from_secs(self.recurrence.text().jitter_s.into());
        let mut planned = self.recurrence.first_from(earlier(from, delay));
        while let Some(instant) = planned.filter(|instant| self.start_of(*instant, seed) < from) {
            planned = self.recurrence.next_after(instant);
        }
        // With nothing left to come, whatever was planned started before.
        planned.unwrap_or(from)
    }

    /// When the run planned for this instant starts: after a delay that its seed and the instant give, so that it is
    /// the same after a restart. It stays within the window.
    #[must_use]
    pub fn start_of(&self, planned: Timestamp, seed: u64) -> Timestamp {
        let jitter = u64::from(self.recurrence.text().jitter_s);
        let most = self.recurrence.closing(planned).map_or(jitter, |closing| {
            let left = closing.duration_since(planned).as_secs();
            jitter.min(u64::try_from(left).unwrap_or(0).saturating_sub(1))
        });
        let dice = mix(seed ^ planned.as_second().unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15));
        later(planned, Duration::from_secs(dice % (most + 1)))
    }

    /// Where the latest `most` planned instants before `end` begin, `first` being one of them.
    fn latest(&self, first: Timestamp, end: Timestamp, most: u32) -> Timestamp {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // Looking back in growing steps: years of missed minutes cost no more than hours of them.
        let mut back = Duration::from_secs(60 * 60);
        loop {
            let from = earlier(end, back).max(first);
            let mut found = VecDeque::new();
            let mut at = self.recurrence.first_from(from).filter(|at| *at < end);
            while let Some(planned) = at {
                found.push_back(planned);
                if found.len() > most {
                    found.pop_front();
                }
                at = self.recurrence.next_after(planned).filter(|at| *at < end);
            }
            if found.len() >= most || from <= first {
                return found.front().copied().unwrap_or(first);
            }
            back = back.saturating_mul(4);
        }
    }
}

impl Schedule {
    /// The earliest run that was not dealt with, as things are now: the rules of its zone may have changed since it was
    /// stored, and so may the clock.
    #[must_use]
    pub fn next_run(&self, now: Timestamp) -> Option<Timestamp> {
        let recurrence = &self.spec.recurrence;
        let stored = recurrence.first_from(self.next?)?;
        Some(recurrence.next_after(now).map_or(stored, |next| next.min(stored)))
    }

    /// What is to be done at `now` when `next` is the earliest run that was not dealt with. One that was planned for before
    /// the schedule was runs when a clock that was set back shows its time; it is not made up for.
    #[must_use]
    pub fn judge(&self, next: Timestamp, now: Timestamp) -> Verdict {
        let missed = || self.spec.start_of(next, self.seed) <= now && self.spec.is_late(next, self.seed, now);
        let next = if next < self.planned_since && missed() {
            self.spec.recurrence.first_from(self.planned_since).unwrap_or(next)
        } else {
            next
        };
        self.spec.judge(next, self.seed, now)
    }

    /// When the next runs start, from now on: what [`Self::judge`] will say, told beforehand. `ran`: planned
    /// instants that had their run already, also such as come again because the clock was set back; they do not run
    /// twice.
    #[must_use]
    pub fn next_starts(&self, now: Timestamp, count: usize, ran: &[Timestamp]) -> Vec<Timestamp> {
        let ran: HashSet<&Timestamp> = ran.iter().collect();
        let mut next = self.next_run(now);
        let mut at = now;
        let mut starts = Vec::with_capacity(count);
        while let Some(planned) = next.filter(|_| starts.len() < count) {
            let dealt_with = match self.judge(planned, at) {
                Verdict::Wait(until) => {
                    at = until;
                    continue;
                }
                Verdict::Run(planned) => {
                    starts.extend((!ran.contains(&planned)).then_some(at));
                    planned
                }
                Verdict::Skip(planned) => planned,
            };
            next = self.spec.recurrence.next_after(dealt_with);
        }
        starts
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The finish of SplitMix64: spreads neighbouring numbers evenly.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests;
