//! When which schedule is due: a heap of instants over the stored schedules. No clock, no store: both are told to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;

use crate::domain::{
    Now, ScheduleId, Timestamp,
    schedule::{Schedule, Verdict},
};

/// The longest sleep towards a wall-clock instant: the clock may be set.
const LONGEST_TRUST: Duration = Duration::from_secs(1);
/// A wall clock that falls back behind the monotonic one by more than this was set back.
const SET_BACK: SignedDuration = SignedDuration::from_millis(-500);
/// Until a run that could not be stored is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A run that is to start now.
#[derive(Debug, Clone, PartialEq)]
pub struct DueRun {
    /// The schedule as it is at this moment: the run is a snapshot of it.
    pub schedule: Arc<Schedule>,
    /// For when it was planned.
    pub planned_at: Timestamp,
    /// It was missed and is left out.
    pub skipped: bool,
    /// The schedule's next run.
    pub next: Option<Timestamp>,
}

struct Entry {
    schedule: Arc<Schedule>,
    next: Option<Timestamp>,
    /// Where it stands in the heap.
    wake: Option<Timestamp>,
    /// A run of it is being stored.
    firing: bool,
}

/// All enabled schedules by the time of their next run.
#[derive(Default)]
pub struct ScheduleCore {
    entries: BTreeMap<ScheduleId, Entry>,
    heap: BTreeSet<(Timestamp, ScheduleId)>,
    last: Option<Now>,
}

impl ScheduleCore {
    /// A schedule was read at the start; one that was created or changed in the meantime is newer.
    pub fn on_loaded(&mut self, schedule: Schedule, now: Now) {
        if !self.entries.contains_key(&schedule.id) {
            self.on_stored(schedule, now);
        }
    }

    /// A schedule was created or changed.
    pub fn on_stored(&mut self, schedule: Schedule, now: Now) {
        let id = schedule.id;
        self.on_removed(id);
        let next = schedule.next_run(now.wall);
        let entry = Entry {
            schedule: Arc::new(schedule),
            next,
            wake: None,
            firing: false,
        };
        self.entries.insert(id, entry);
        self.queue(id, next);
    }

    /// A schedule was deleted.
    pub fn on_removed(&mut self, id: ScheduleId) {
        self.queue(id, None);
        self.entries.remove(&id);
    }

    /// The run is stored (or had been before), so the schedule goes on to its next one.
    pub fn on_run_stored(&mut self, run: &DueRun, now: Now) {
        if let Some(entry) = self.current(run) {
            // The earlier of both, should the clock have been set back since it was due.
            let again = run.schedule.spec.recurrence.next_after(now.wall);
            let next = run.next.into_iter().chain(again).min();
            entry.firing = false;
            entry.next = next;
            self.queue(run.schedule.id, next);
        }
    }

    /// The run could not be stored: it is tried again.
    pub fn on_run_failed(&mut self, run: &DueRun, now: Now) {
        let again = now.wall.checked_add(RETRY_PAUSE).unwrap_or(now.wall);
        if let Some(entry) = self.current(run) {
            entry.firing = false;
            self.queue(run.schedule.id, Some(again));
        }
    }

    /// The runs that are to start now, at most one of each schedule: its next one comes when this one is stored.
    pub fn due(&mut self, now: Now) -> Vec<DueRun> {
        self.notice_clock(now);
        let mut due = Vec::new();
        while let Some((_, id)) = self.heap.first().copied().filter(|(at, _)| *at <= now.wall) {
            self.queue(id, None);
            due.extend(self.judge(id, now));
        }
        due
    }

    /// How long [`Self::due`] can wait for its next call.
    #[must_use]
    pub fn next_wake(&self, now: Now) -> Option<Duration> {
        let (at, _) = self.heap.first()?;
        let wait = Duration::try_from(at.duration_since(now.wall)).unwrap_or(Duration::ZERO);
        Some(wait.min(LONGEST_TRUST))
    }

    /// The run of a schedule that a person asks for now.
    #[must_use]
    pub fn run_by_hand(&self, id: ScheduleId, now: Now) -> Option<DueRun> {
        let entry = self.entries.get(&id)?;
        Some(DueRun {
            schedule: Arc::clone(&entry.schedule),
            planned_at: now.wall,
            skipped: false,
            next: None,
        })
    }

    fn judge(&mut self, id: ScheduleId, now: Now) -> Option<DueRun> {
        let entry = self.entries.get_mut(&id)?;
        let (planned_at, skipped) = match entry.schedule.judge(entry.next?, now.wall) {
            Verdict::Wait(until) => {
                self.queue(id, Some(until));
                return None;
            }
            Verdict::Run(planned_at) => (planned_at, false),
            Verdict::Skip(planned_at) => (planned_at, true),
        };
        entry.firing = true;
        Some(DueRun {
            schedule: Arc::clone(&entry.schedule),
            planned_at,
            skipped,
            next: entry.schedule.spec.recurrence.next_after(planned_at),
        })
    }

    /// After the clock was set back, runs that were planned for instants that come (again) are looked at again; those
    /// that took place are in the store, which has one run for each instant.
    fn notice_clock(&mut self, now: Now) {
        let last = self.last.replace(now);
        let Some(last) = last else { return };
        let mono = SignedDuration::try_from(now.mono.saturating_sub(last.mono)).unwrap_or(SignedDuration::MAX);
        if now.wall.duration_since(last.wall).saturating_sub(mono) >= SET_BACK {
            return;
        }
        tracing::warn!("the system's clock was set back: schedules are planned anew");
        let waiting: Vec<ScheduleId> = self.heap.iter().map(|(_, id)| *id).collect();
        for id in waiting {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let next = entry.schedule.spec.recurrence.next_after(now.wall);
            entry.next = next.into_iter().chain(entry.next).min();
            let next = entry.next;
            self.queue(id, next);
        }
    }

    fn current(&mut self, run: &DueRun) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(&run.schedule.id)?;
        (entry.firing && entry.schedule.revision == run.schedule.revision).then_some(entry)
    }

    fn queue(&mut self, id: ScheduleId, wake: Option<Timestamp>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(old) = std::mem::replace(&mut entry.wake, wake) {
            self.heap.remove(&(old, id));
        }
        self.heap.extend(wake.map(|at| (at, id)));
    }
}

#[cfg(test)]
mod tests;
