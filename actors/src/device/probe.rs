//! Questions to the phone itself: a look (what it says of itself) now and then, and heartbeats in between, so that a
//! phone that hangs while adb still calls it usable does not count as online for longer than a few seconds.

use std::{hash::Hasher, time::Duration};

use super::core::{DeviceCore, Effect};
use crate::domain::{AdbState, DeviceInfo, Now, ProbeEvidence, ProbeKind};

/// First pause after a look that failed; doubled up to the idle interval.
const LOOK_BACK_OFF: Duration = Duration::from_secs(1);

/// Between a heartbeat that was missed and its repetition: a connection may be just coming back.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(500);

/// The questions to all phones begin at multiples of this.
const TICK: Duration = Duration::from_millis(250);

/// `last_seen` of an unchanged phone is written at most this often: a write for every look at every phone costs more than
/// it tells.
const NOTE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// What the last looks showed.
#[derive(Debug, PartialEq)]
pub(super) enum Look {
    /// It has not answered yet since it appeared.
    Never,
    /// It has failed an attempt and has to answer again.
    Doubted,
    Good,
    Bad(String),
}

/// The heartbeats of one phone.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    /// When the next is due, on the monotonic clock.
    pub(super) next: Duration,
    /// One is under way.
    pub(super) asking: bool,
    missed: u32,
    /// Why it does not count as online: it missed too many.
    pub(super) silent: Option<String>,
}

impl DeviceCore {
    /// The phone has said what it is, or not.
    pub fn on_look(&mut self, answer: Result<DeviceInfo, String>, now: Now) -> Vec<Effect> {
        if !self.looking {
            // It answers a look from before it went away.
            return Vec::new();
        }
        self.looking = false;
        self.note_probe(ProbeKind::Look, answer.as_ref().err(), now);
        let mut effects = Vec::new();
        let idle = Duration::from_secs(self.settings.probe.idle_s);
        match answer {
            Ok(info) => {
                self.look = Look::Good;
                self.failed_looks = 0;
                self.next_look = self.spread(now.mono, idle);
                self.heartbeat = Heartbeat {
                    next: self.spread(now.mono, self.heartbeat_interval()),
                    ..Heartbeat::default()
                };
                let stale = self.noted.is_none_or(|at| at + NOTE_INTERVAL <= now.mono);
                if *self.info != info || stale {
                    self.info = info.into();
                    self.noted = Some(now.mono);
                    effects.push(Effect::Note);
                }
            }
            Err(problem) => {
                let pause = LOOK_BACK_OFF.saturating_mul(1u32.checked_shl(self.failed_looks).unwrap_or(u32::MAX));
                self.failed_looks = self.failed_looks.saturating_add(1).min(16);
                self.next_look = now.mono + pause.min(idle);
                self.heartbeat.next = now.mono + self.heartbeat_interval();
                self.look = Look::Bad(problem);
            }
        }
        self.settle(effects, now)
    }

    /// The phone has answered a heartbeat, or not.
    pub fn on_heartbeat(&mut self, answer: Result<(), String>, now: Now) -> Vec<Effect> {
        if !self.heartbeat.asking {
            return Vec::new();
        }
        self.heartbeat.asking = false;
        self.note_probe(ProbeKind::Heartbeat, answer.as_ref().err(), now);
        let effects = match answer {
            Ok(()) => self.heard(now),
            Err(problem) => {
                self.missed(problem, now);
                Vec::new()
            }
        };
        self.settle(effects, now)
    }

    /// The phone has answered some command `ago`: it need not be asked so soon.
    pub fn on_last_answer(&mut self, ago: Duration, now: Now) {
        if self.heartbeat.missed == 0 && self.heartbeat.silent.is_none() {
            let answered = now.mono.saturating_sub(ago);
            let next = self.spread(answered, self.heartbeat_interval());
            self.heartbeat.next = self.heartbeat.next.max(next);
        }
    }

    /// What is to be asked now.
    pub(super) fn due_probes(&mut self, now: Now) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.next_look_at().is_some_and(|at| at <= now.mono) {
            effects.extend(self.begin_look());
        }
        if self.next_heartbeat_at().is_some_and(|at| at <= now.mono) {
            self.heartbeat.asking = true;
            effects.push(Effect::Heartbeat);
        }
        effects
    }

    /// When the next look is due. Who does not answer a heartbeat is not asked more.
    pub(super) fn next_look_at(&self) -> Option<Duration> {
        let due = self.running.is_none()
            && self.adb_says() == Some(&AdbState::Device)
            && !self.looking
            && self.heartbeat.silent.is_none();
        due.then_some(self.next_look)
    }

    /// When the next heartbeat is due; a phone that runs an attempt has them too, when it says nothing by itself.
    pub(super) fn next_heartbeat_at(&self) -> Option<Duration> {
        let due = self.settings.probe.heartbeat_s > 0
            && self.adb_says() == Some(&AdbState::Device)
            && !self.heartbeat.asking
            && matches!(self.look, Look::Good | Look::Bad(_));
        due.then_some(self.heartbeat.next)
    }

    pub(super) fn begin_look(&mut self) -> Option<Effect> {
        if self.looking {
            return None;
        }
        self.looking = true;
        Some(Effect::Look)
    }

    /// What was asked before it went away, or appeared, does not count any more.
    pub(super) fn forget_probes(&mut self) {
        self.look = Look::Never;
        self.looking = false;
        self.failed_looks = 0;
        self.heartbeat = Heartbeat::default();
    }

    /// It has to answer before it is given the next task; who is known to be silent is not asked more for it.
    pub(super) fn doubt(&mut self) -> Option<Effect> {
        if let Some(problem) = &self.heartbeat.silent {
            self.look = Look::Bad(problem.clone());
            return None;
        }
        self.look = Look::Doubted;
        (self.adb_says() == Some(&AdbState::Device))
            .then(|| self.begin_look())
            .flatten()
    }

    fn heard(&mut self, now: Now) -> Vec<Effect> {
        let was_silent = self.heartbeat.silent.is_some();
        let had_missed = self.heartbeat.missed > 0;
        self.heartbeat = Heartbeat {
            next: self.spread(now.mono, self.heartbeat_interval()),
            ..Heartbeat::default()
        };
        if was_silent && self.running.is_some() {
            // It goes on with its attempt; it will be looked at when that is over.
            self.look = Look::Good;
            return Vec::new();
        }
        let bad = matches!(self.look, Look::Bad(_));
        if was_silent || (bad && had_missed) {
            self.failed_looks = 0;
            return self.begin_look().into_iter().collect();
        }
        Vec::new()
    }

    fn missed(&mut self, problem: String, now: Now) {
        self.heartbeat.missed = self.heartbeat.missed.saturating_add(1);
        if self.heartbeat.missed < self.settings.probe.heartbeat_misses.max(1) {
            self.heartbeat.next = now.mono + HEARTBEAT_PAUSE;
            return;
        }
        self.heartbeat.next = now.mono + self.heartbeat_interval();
        // A look under way would come to the same end, later.
        self.looking = false;
        self.look = Look::Bad(problem.clone());
        self.heartbeat.silent = Some(problem);
    }

    fn note_probe(&mut self, kind: ProbeKind, problem: Option<&String>, now: Now) {
        if problem.is_none() {
            self.last_seen = Some(now.wall);
        }
        self.probed = Some(ProbeEvidence {
            kind,
            at: now.wall,
            problem: problem.cloned(),
        });
    }

    fn heartbeat_interval(&self) -> Duration {
        Duration::from_secs(self.settings.probe.heartbeat_s)
    }

    /// Spreads the questions to many phones over time: each has its own fixed share of the interval, between 75 % and
    /// 125 %. Those that fall into one tick are asked together, since waking up for each costs as much as asking.
    pub(super) fn spread(&self, since: Duration, interval: Duration) -> Duration {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(self.serial().as_str().as_bytes());
        let share = u32::try_from(hasher.finish() % 512).unwrap_or(0);
        let due = since + interval.saturating_mul(768 + share) / 1024;
        let ticks = due.as_nanos() / TICK.as_nanos() + 1;
        TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}
