//! The decisions of a device's actor.

use std::{hash::Hasher, sync::Arc, time::Duration};

use super::{
    AttemptEnding, ChangePresence, StopAttempt, StopCause, ending, ending::failed, limits::Overdue,
    quarantine::Quarantine,
};
use crate::{
    domain::{
        AdbState, AttemptId, AttemptSpec, Blame, DeviceInfo, DeviceRecord, DeviceState, Epoch, EventTopic,
        FailureReason, NewEvent, Now, Serial, TaskId, Timestamp, Username,
    },
    settings::FarmSettings,
};

/// First pause after a look that failed; doubled up to the idle interval.
const PROBE_BACK_OFF: Duration = Duration::from_secs(1);

/// `last_seen` of an unchanged phone is written at most this often: a write for every look at every phone costs more than
/// it tells.
const NOTE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the phone about itself.
    Probe,
    /// Run the attempt.
    Run,
    /// Ask the running attempt to end at its next safe point.
    Cancel,
    /// Drop the running attempt where it stands.
    Abandon,
    /// Tell the router how an attempt ended.
    Report {
        /// The task.
        task: TaskId,
        /// Its attempt.
        attempt: AttemptId,
        /// How.
        ending: Box<AttemptEnding>,
    },
    /// Tell the router whether the device may be used.
    TellRouter,
    /// Store what the phone said of itself.
    Note,
    /// Ask the supervisor for quarantine.
    AskQuarantine,
    /// Append to the outbox.
    TellEvent(NewEvent),
}

pub(super) struct Running {
    pub(super) spec: Arc<AttemptSpec>,
    pub(super) since: Timestamp,
    pub(super) deadline: Duration,
    pub(super) progressed: Duration,
    pub(super) stopping: Option<(StopCause, Duration)>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Look {
    /// It has not answered yet since it appeared.
    Never,
    Good,
    Bad(String),
}

/// A device's state.
pub struct DeviceCore {
    serial: Serial,
    pub(super) settings: Arc<FarmSettings>,
    pub(super) enabled: bool,
    pub(super) adb: Option<AdbState>,
    pub(super) problem: Option<String>,
    pub(super) look: Look,
    pub(super) looking: bool,
    failed_looks: u32,
    pub(super) next_look: Duration,
    pub(super) away_since: Option<Duration>,
    pub(super) running: Option<Running>,
    pub(super) quarantine: Quarantine,
    pub(super) info: Arc<DeviceInfo>,
    pub(super) current_account: Option<Username>,
    pub(super) last_seen: Option<Timestamp>,
    noted: Option<Duration>,
    pub(super) shown: Option<(DeviceState, String, Timestamp)>,
    told_router: Option<Option<String>>,
}

impl DeviceCore {
    /// A device that has not been seen since the start.
    #[must_use]
    pub fn new(record: &DeviceRecord, settings: Arc<FarmSettings>) -> Self {
        Self {
            serial: record.serial.clone(),
            settings,
            enabled: record.enabled,
            adb: None,
            problem: None,
            look: Look::Never,
            looking: false,
            failed_looks: 0,
            next_look: Duration::ZERO,
            away_since: None,
            running: None,
            quarantine: Quarantine::default(),
            info: Arc::new(record.info.clone()),
            current_account: None,
            last_seen: record.last_seen,
            noted: None,
            shown: None,
            told_router: None,
        }
    }

    /// What adb says has changed.
    pub fn on_presence(&mut self, presence: ChangePresence, now: Now) -> Vec<Effect> {
        let usable = presence.state == AdbState::Device;
        let appeared = usable && self.adb != Some(AdbState::Device);
        self.adb = Some(presence.state);
        self.problem = presence.problem;
        if usable {
            self.away_since = None;
        } else {
            self.away_since = self.away_since.or(Some(now.mono));
            self.look = Look::Never;
            self.looking = false;
        }
        let mut effects = Vec::new();
        if appeared {
            self.look = Look::Never;
            self.failed_looks = 0;
            effects.extend(self.begin_look());
        }
        self.settle(effects, now)
    }

    /// The phone has answered, or not.
    pub fn on_look(&mut self, answer: Result<DeviceInfo, String>, now: Now) -> Vec<Effect> {
        if !self.looking {
            // It answers a look from before it went away.
            return Vec::new();
        }
        self.looking = false;
        let mut effects = Vec::new();
        let idle = Duration::from_secs(self.settings.probe.idle_s);
        match answer {
            Ok(info) => {
                self.look = Look::Good;
                self.failed_looks = 0;
                self.next_look = now.mono + self.jittered(idle);
                self.last_seen = Some(now.wall);
                let stale = self.noted.is_none_or(|at| at + NOTE_INTERVAL <= now.mono);
                if *self.info != info || stale {
                    self.info = Arc::new(info);
                    self.noted = Some(now.mono);
                    effects.push(Effect::Note);
                }
            }
            Err(problem) => {
                let pause = PROBE_BACK_OFF.saturating_mul(1u32.checked_shl(self.failed_looks).unwrap_or(u32::MAX));
                self.failed_looks = self.failed_looks.saturating_add(1).min(16);
                self.next_look = now.mono + pause.min(idle);
                self.look = Look::Bad(problem);
            }
        }
        self.settle(effects, now)
    }

    /// The router gives the device an attempt.
    pub fn on_start(&mut self, spec: Arc<AttemptSpec>, now: Now) -> Vec<Effect> {
        if let Some(reason) = self.not_ready().or_else(|| self.busy()) {
            let outcome = failed(
                FailureReason::DeviceOffline,
                format!("{} {reason}", self.serial),
                Blame::Host,
            );
            let report = report(&spec, AttemptEnding::Outcome(outcome));
            return self.settle(vec![report], now);
        }
        self.current_account = spec.account.as_ref().map(|account| account.username.clone());
        let run = Effect::Run;
        self.running = Some(Running {
            since: now.wall,
            deadline: now.mono + spec.time_limit,
            progressed: now.mono,
            stopping: None,
            spec,
        });
        self.settle(vec![run], now)
    }

    /// The attempt that is to be run.
    #[must_use]
    pub fn spec(&self) -> Option<Arc<AttemptSpec>> {
        self.running.as_ref().map(|running| Arc::clone(&running.spec))
    }

    /// Somebody wants the attempt to end.
    pub fn on_stop(&mut self, stop: StopAttempt, now: Now) -> Vec<Effect> {
        match &self.running {
            Some(running) if running.spec.attempt == stop.attempt => {
                let effects = self.begin_stop(stop.cause, now);
                self.settle(effects, now)
            }
            _ => Vec::new(),
        }
    }

    /// The runner has come to an end.
    pub fn on_ended(&mut self, attempt: AttemptId, ending: AttemptEnding, now: Now) -> Vec<Effect> {
        let Some(running) = self.running.take_if(|running| running.spec.attempt == attempt) else {
            return Vec::new();
        };
        let ending = match (ending, running.stopping) {
            (AttemptEnding::Outcome(outcome), Some((cause, _))) => {
                AttemptEnding::Outcome(ending::explain(outcome, cause, &self.serial, &self.settings.attempt))
            }
            (ending, _) => ending,
        };
        let blame = ending::blame_of(&ending);
        let effects = vec![report(&running.spec, ending)];
        self.after_attempt(effects, blame, now)
    }

    /// Attempts of a former router are void.
    pub fn on_abandon_before(&mut self, epoch: Epoch, now: Now) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self
            .running
            .take_if(|running| running.spec.lease.epoch < epoch)
            .is_some()
        {
            effects.push(Effect::Abandon);
        }
        self.told_router = None;
        self.settle(effects, now)
    }

    /// A person switched the device on or off.
    pub fn on_enabled(&mut self, enabled: bool, now: Now) -> Vec<Effect> {
        self.enabled = enabled;
        self.settle(Vec::new(), now)
    }

    /// The supervisor's answer.
    pub fn on_quarantine_answer(&mut self, granted: bool, now: Now) -> Vec<Effect> {
        self.quarantine.on_answer(granted, &self.settings.quarantine, now.mono);
        self.settle(Vec::new(), now)
    }

    /// Time has passed. `progressed`: when the running attempt last made progress, on the monotonic clock.
    pub fn on_wake(&mut self, progressed: Option<Duration>, now: Now) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.quarantine.on_wake(now.mono);
        if let Some((running, at)) = self.running.as_mut().zip(progressed) {
            running.progressed = running.progressed.max(at);
        }
        match self.overdue(now.mono) {
            Some(Overdue::Abandon(cause)) => return self.abandon(cause, now),
            Some(Overdue::Stop(cause)) => effects.extend(self.begin_stop(cause, now)),
            None => {}
        }
        if self.running.is_none() && self.adb == Some(AdbState::Device) && self.next_look <= now.mono {
            effects.extend(self.begin_look());
        }
        self.settle(effects, now)
    }

    fn begin_look(&mut self) -> Option<Effect> {
        if self.looking {
            return None;
        }
        self.looking = true;
        Some(Effect::Probe)
    }

    fn begin_stop(&mut self, cause: StopCause, now: Now) -> Vec<Effect> {
        let abandon_at = now.mono + self.settings.attempt.stop_grace();
        match &mut self.running {
            Some(Running {
                stopping: Some((known, at)),
                ..
            }) => {
                // A person's stop is what the task will tell, and it may not wait longer than its own grace.
                if cause == StopCause::Stop {
                    *known = StopCause::Stop;
                    *at = abandon_at.min(*at);
                }
                Vec::new()
            }
            Some(running) => {
                running.stopping = Some((cause, abandon_at));
                vec![Effect::Cancel]
            }
            None => Vec::new(),
        }
    }

    fn abandon(&mut self, cause: StopCause, now: Now) -> Vec<Effect> {
        let Some(running) = self.running.take() else {
            return Vec::new();
        };
        let ending = ending::abandoned(cause, &self.serial, &self.settings.attempt);
        let blame = ending::blame_of(&ending);
        let effects = vec![Effect::Abandon, report(&running.spec, ending)];
        self.after_attempt(effects, blame, now)
    }

    fn after_attempt(&mut self, mut effects: Vec<Effect>, blame: Option<Blame>, now: Now) -> Vec<Effect> {
        match blame {
            Some(Blame::Device | Blame::Host) => {
                // It has to answer again before it is given the next task.
                self.look = Look::Never;
                if self.adb == Some(AdbState::Device) {
                    effects.extend(self.begin_look());
                }
            }
            Some(Blame::Task | Blame::App) | None => {
                self.next_look = now.mono + self.jittered(Duration::from_secs(self.settings.probe.idle_s));
                self.last_seen = Some(now.wall);
            }
        }
        if self.quarantine.on_attempt(blame, &self.settings.quarantine, now.mono) {
            effects.push(Effect::AskQuarantine);
        }
        self.settle(effects, now)
    }

    /// Adds what follows from any change: the router's and the followers' news.
    fn settle(&mut self, mut effects: Vec<Effect>, now: Now) -> Vec<Effect> {
        let (state, cause, _) = self.describe();
        let old = self.shown.as_ref().map(|(state, ..)| *state);
        if old != Some(state) {
            self.shown = Some((state, cause.clone(), now.wall));
            // Tasks tell of themselves: coming and going between free and busy is not told twice.
            let between_tasks = |state| matches!(state, DeviceState::Online | DeviceState::Busy);
            let skip = old.is_some_and(between_tasks) && between_tasks(state);
            if !skip {
                effects.push(Effect::TellEvent(self.event(state, &cause)));
            }
        }
        let not_ready = self.not_ready();
        if self.told_router.as_ref() != Some(&not_ready) {
            self.told_router = Some(not_ready);
            effects.push(Effect::TellRouter);
        }
        effects
    }

    fn event(&self, state: DeviceState, cause: &str) -> NewEvent {
        NewEvent {
            topic: EventTopic::Device,
            kind: format!("device.{}", state.as_str()),
            subject: self.serial.to_string(),
            data: serde_json::json!({ "state": state.as_str(), "cause": cause }),
        }
    }

    /// Spreads the looks of many phones over time: each has its own fixed place between 75 % and 125 %.
    fn jittered(&self, interval: Duration) -> Duration {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(self.serial.as_str().as_bytes());
        let share = u32::try_from(hasher.finish() % 512).unwrap_or(0);
        interval.saturating_mul(768 + share) / 1024
    }
}

fn report(spec: &AttemptSpec, ending: AttemptEnding) -> Effect {
    Effect::Report {
        task: spec.task,
        attempt: spec.attempt,
        ending: Box::new(ending),
    }
}
