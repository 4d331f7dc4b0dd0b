//! What a device's state rests on: adb's word, a question to the phone itself, and the last command that it answered.

use super::{AdbState, Timestamp};

/// The three legs of a device's state. What is not known (yet) is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceEvidence {
    /// adb's word; `None` before any adb server has shown the phone since the start.
    pub adb: Option<AdbEvidence>,
    /// The last question to the phone itself.
    pub probe: Option<ProbeEvidence>,
    /// The last command of any kind that the phone has answered.
    pub last_good: Option<LastGood>,
}

/// What adb says of a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdbEvidence {
    /// Its word.
    pub state: AdbState,
    /// Said since.
    pub since: Timestamp,
}

/// How a phone answered when it was asked itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeEvidence {
    /// What it was asked.
    pub kind: ProbeKind,
    /// When the answer was there, or given up.
    pub at: Timestamp,
    /// Why there was none; `None`: it answered.
    pub problem: Option<String>,
}

/// What a phone is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// Whether it is there.
    Heartbeat,
    /// About itself: model, battery, boot.
    Look,
}

impl ProbeKind {
    /// The word used in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Look => "look",
        }
    }
}

/// A command that a phone has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastGood {
    /// Its kind, e.g. `tap`.
    pub command: &'static str,
    /// When.
    pub at: Timestamp,
}

/// A person's word that a device gets no tasks until a person releases it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// That a device gets no tasks for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineInfo {
    /// Whether a person put it there; else it failed too often.
    pub by_person: bool,
    /// Why.
    pub reason: String,
    /// When it is tried again; `None`: when a person releases it.
    pub until: Option<Timestamp>,
}
