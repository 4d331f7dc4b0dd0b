//! What a device's actor can be told, and what it shows.

use std::sync::Arc;

use actix::Message;

use crate::domain::{
    AdbState, AttemptId, AttemptSpec, Blame, DeviceEvidence, DeviceInfo, DeviceState, Epoch, Failure, Held, Outcome,
    QuarantineInfo, TaskId, Timestamp, Username,
};

/// Runs an attempt.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct StartAttempt(pub Arc<AttemptSpec>);

/// Ends an attempt: at the next safe point, or by force after the grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct StopAttempt {
    /// Which; another one is not touched.
    pub attempt: AttemptId,
    /// Why.
    pub cause: StopCause,
}

/// Why an attempt is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopCause {
    /// A person or program asked for it.
    Stop,
    /// The controller is shutting down.
    Drain,
    /// It took longer than it may.
    TimeLimit,
    /// It made no progress.
    Stall,
    /// The phone went away.
    DeviceAway,
    /// The adb server that showed the phone went away.
    ServerAway,
}

/// How an attempt ended, as far as its device can tell.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptEnding {
    /// The runner said so.
    Outcome(Outcome),
    /// It was cut off without a word: whether an effect is open is in the store alone.
    Abandoned {
        /// What for.
        failure: Failure,
        /// Whose fault.
        blame: Blame,
    },
}

/// A new router is in office: attempts of former epochs are void, and it has to be told how the device does.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct AbandonBefore(pub Epoch);

/// What adb says of the phone has changed.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ChangePresence {
    /// What adb says.
    pub state: AdbState,
    /// Why it is not there, if known.
    pub problem: Option<String>,
    /// It is not there because the adb server that showed it last is away: that says nothing of the phone.
    pub server_away: bool,
}

/// What a person has set of the device, as it is now.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ChangeDevice {
    /// Whether it may be given tasks. Switched on again, another phone may have its name: a person says so by this.
    pub enabled: bool,
    /// The app of its tasks without an account; `None`: the usual one.
    pub app: Option<String>,
}

/// A person has put the device into quarantine, or (`None`) let it out.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct HoldDevice(pub Option<Held>);

/// Whether the device may go into quarantine (when too many are in it, the fault is the host's).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct AnswerQuarantine {
    /// Whether it goes.
    pub granted: bool,
}

/// What a device shows of itself, always up to date, read without asking.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceStatus {
    /// Its state.
    pub state: DeviceState,
    /// In this state since.
    pub since: Timestamp,
    /// Why.
    pub cause: String,
    /// What a person can do, or what farmhand will do next.
    pub next_action: String,
    /// What the state rests on; the last good command is known to the drivers alone.
    pub evidence: DeviceEvidence,
    /// That it rests.
    pub quarantine: Option<QuarantineInfo>,
    /// The last that it said of itself.
    pub info: Arc<DeviceInfo>,
    /// The account that acts on it, or acted last.
    pub current_account: Option<Username>,
    /// The task that runs on it.
    pub current_task: Option<TaskId>,
    /// Since when.
    pub leased_since: Option<Timestamp>,
    /// When it was last seen online.
    pub last_seen: Option<Timestamp>,
}
