//! The decisions of a device's actor.

use std::{sync::Arc, time::Duration};

use super::{
    AttemptEnding, ChangePresence, StopAttempt, StopCause, ending,
    ending::failed,
    limits::Overdue,
    probe::{Heartbeat, Look},
    quarantine::Quarantine,
};
use crate::{
    domain::{
        AdbEvidence, AdbState, AttemptId, AttemptSpec, Blame, DeviceInfo, DeviceRecord, DeviceState, Epoch, EventTopic,
        FailureReason, Held, NewEvent, Now, ProbeEvidence, Serial, TaskId, Timestamp, Username,
    },
    settings::FarmSettings,
};

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the phone about itself.
    Look,
    /// Ask the phone whether it is there.
    Heartbeat,
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

/// A device's state.
pub struct DeviceCore {
    serial: Serial,
    pub(super) settings: Arc<FarmSettings>,
    pub(super) enabled: bool,
    pub(super) held: Option<Held>,
    pub(super) adb: Option<AdbEvidence>,
    pub(super) problem: Option<String>,
    pub(super) server_away: bool,
    pub(super) look: Look,
    pub(super) looking: bool,
    pub(super) failed_looks: u32,
    pub(super) next_look: Duration,
    pub(super) heartbeat: Heartbeat,
    pub(super) probed: Option<ProbeEvidence>,
    pub(super) away_since: Option<Duration>,
    pub(super) running: Option<Running>,
    pub(super) quarantine: Quarantine,
    pub(super) info: Arc<DeviceInfo>,
    pub(super) current_account: Option<Username>,
    pub(super) last_seen: Option<Timestamp>,
    pub(super) noted: Option<Duration>,
    pub(super) shown: Option<(DeviceState, String, Timestamp)>,
    told_router: Option<(Option<String>, Option<Arc<str>>)>,
}

impl DeviceCore {
    /// A device that has not been seen since the start.
    #[must_use]
    pub fn new(record: &DeviceRecord, settings: Arc<FarmSettings>) -> Self {
        Self {
            serial: record.serial.clone(),
            settings,
            enabled: record.enabled,
            held: record.held.clone(),
            adb: None,
            problem: None,
            server_away: false,
            look: Look::Never,
            looking: false,
            failed_looks: 0,
            next_look: Duration::ZERO,
            heartbeat: Heartbeat::default(),
            probed: None,
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
        let appeared = usable && self.adb_says() != Some(&AdbState::Device);
        if self.adb_says() != Some(&presence.state) {
            self.adb = Some(AdbEvidence {
                state: presence.state,
                since: now.wall,
            });
        }
        self.problem = presence.problem;
        self.server_away = presence.server_away;
        if usable {
            self.away_since = None;
        } else {
            self.away_since = self.away_since.or(Some(now.mono));
        }
        if appeared || !usable {
            self.forget_probes();
        }
        let look = if appeared { self.begin_look() } else { None };
        self.settle(look.into_iter().collect(), now)
    }

    /// What adb says, once it has said anything since the start.
    pub(super) fn adb_says(&self) -> Option<&AdbState> {
        self.adb.as_ref().map(|adb| &adb.state)
    }

    /// farmhand's name for it.
    pub(super) fn serial(&self) -> &Serial {
        &self.serial
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

    /// A person has put the device into quarantine, or let it out: what it did before is forgiven then.
    pub fn on_held(&mut self, held: Option<Held>, now: Now) -> Vec<Effect> {
        if held.is_none() {
            self.quarantine = Quarantine::default();
        }
        self.held = held;
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
        effects.extend(self.due_probes(now));
        self.settle(effects, now)
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
                effects.extend(self.doubt());
            }
            Some(Blame::Task | Blame::App) | None => {
                self.next_look = self.spread(now.mono, Duration::from_secs(self.settings.probe.idle_s));
                self.last_seen = Some(now.wall);
            }
        }
        if self.quarantine.on_attempt(blame, &self.settings.quarantine, now.mono) {
            effects.push(Effect::AskQuarantine);
        }
        self.settle(effects, now)
    }

    /// Adds what follows from any change: the router's and the followers' news.
    pub(super) fn settle(&mut self, mut effects: Vec<Effect>, now: Now) -> Vec<Effect> {
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
        let told = (self.not_ready(), self.info.identity());
        if self.told_router.as_ref() != Some(&told) {
            self.told_router = Some(told);
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
}

fn report(spec: &AttemptSpec, ending: AttemptEnding) -> Effect {
    Effect::Report {
        task: spec.task,
        attempt: spec.attempt,
        ending: Box::new(ending),
    }
}
