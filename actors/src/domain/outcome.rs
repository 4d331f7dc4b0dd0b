//! How an attempt ended.

use serde::{Deserialize, Serialize};

/// Why a task failed, in one word; shown as `failure.reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// A person or program stopped it.
    Stopped,
    /// It took longer than it may.
    Timeout,
    /// The phone went away.
    DeviceOffline,
    /// The phone is there but does not do what it is told.
    DeviceError,
    /// The app is not installed.
    AppMissing,
    /// The account is disabled, gone, or cannot be switched to.
    AccountUnavailable,
    /// The app asks for a person.
    NeedsAttention,
    /// A media file is not there.
    MaterialMissing,
    /// A media file is not what it should be.
    MaterialInvalid,
    /// The flow itself is wrong (an expression, a policy, a missing element).
    FlowError,
    /// An assertion of the flow did not hold.
    AssertionFailed,
    /// The effect may or may not have taken place: a person has to look.
    OutcomeUnknown,
    /// The controller ended in the middle of it.
    Interrupted,
    /// A fault of farmhand's own.
    Internal,
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [Self; 14] = [
        Self::Stopped,
        Self::Timeout,
        Self::DeviceOffline,
        Self::DeviceError,
        Self::AppMissing,
        Self::AccountUnavailable,
        Self::NeedsAttention,
        Self::MaterialMissing,
        Self::MaterialInvalid,
        Self::FlowError,
        Self::AssertionFailed,
        Self::OutcomeUnknown,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The word used in the API and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Timeout => "timeout",
            Self::DeviceOffline => "device_offline",
            Self::DeviceError => "device_error",
            Self::AppMissing => "app_missing",
            Self::AccountUnavailable => "account_unavailable",
            Self::NeedsAttention => "needs_attention",
            Self::MaterialMissing => "material_missing",
            Self::MaterialInvalid => "material_invalid",
            Self::FlowError => "flow_error",
            Self::AssertionFailed => "assertion_failed",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }

    /// The reason named by `word`, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// Why an attempt or a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In one word.
    pub reason: FailureReason,
    /// In one line that a person can act on.
    pub message: String,
    /// Number of the step (from 1) at which it happened, if one had begun.
    pub step: Option<u32>,
    /// Whether another attempt can help.
    pub retryable: bool,
}

/// Whose fault a failure was; only [`Blame::Device`] counts towards a device's quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The task's own: wrong input, a wrong flow, a stop.
    Task,
    /// The phone's.
    Device,
    /// The app's or the account's.
    App,
    /// The host's: the adb server, the disk, farmhand itself.
    Host,
}

/// What a person has to deal with before the account can be used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// What the app shows.
    pub message: String,
    /// Path of a screenshot below the data folder, if one could be taken.
    pub screenshot: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It did what it should; with a commit step, its effect is confirmed.
    Completed {
        /// One line for the task's `remark`, e.g. "already followed".
        remark: String,
        /// Whether it counts towards the account's limits as such: with a commit step, only confirmed effects do.
        counts: bool,
    },
    /// It did not, and no effect is open.
    Failed {
        /// Why.
        failure: Failure,
        /// Whose fault it was.
        blame: Blame,
    },
    /// An effect was intended and nobody knows whether it took place: the next attempt verifies.
    Unverified {
        /// What ended it.
        failure: Failure,
        /// Whose fault it was.
        blame: Blame,
        /// Set when the app asks for a person: then the account must rest, too, until one has looked.
        attention: Option<Attention>,
    },
    /// The app asks for a person: the account must rest until one has looked. No effect is open.
    NeedsAttention {
        /// What the app shows.
        message: String,
        /// Path of a screenshot below the data folder, if one could be taken.
        screenshot: Option<String>,
    },
}

impl Outcome {
    /// What the app asks a person for.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        match self {
            Self::NeedsAttention { message, screenshot } => Some(Attention {
                message: message.clone(),
                screenshot: screenshot.clone(),
            }),
            Self::Unverified { attention, .. } => attention.clone(),
            Self::Completed { .. } | Self::Failed { .. } => None,
        }
    }
}
