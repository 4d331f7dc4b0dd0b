//! Why a step failed, and what that means for the attempt.

use std::time::Duration;

use farmhand_actors::{
    domain::{Blame, Failure, FailureReason, Outcome},
    ports::{DriverError, MediaError, StoreError},
};

use crate::flow::expr::ScriptError;

/// Why a step failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// An element is not there.
    #[error("element not found: {0}; the step's picture shows what was there instead")]
    NotFound(String),
    /// An assertion does not hold.
    #[error("assertion failed: {0}")]
    Assertion(String),
    /// The step itself is wrong: an expression gave something that does not fit.
    #[error("{0}")]
    Invalid(String),
    /// A script failed.
    #[error("{0}")]
    Script(ScriptError),
    /// The policy forbids it.
    #[error("not allowed: {0}")]
    Policy(String),
    /// The phone failed.
    #[error("{0}")]
    Device(DriverError),
    /// The attempt is being stopped.
    #[error("stopped")]
    Cancelled,
    /// The attempt took too long.
    #[error("the attempt took longer than {0:?}")]
    TimeUp(Duration),
    /// The app asks for a person.
    #[error("the app asks for a person: {0} is visible")]
    Challenge(String),
    /// The account cannot be shown.
    #[error("the account could not be shown, see that it is logged in on this phone: {0}")]
    Account(Box<Fault>),
    /// There are no media.
    #[error("{0}")]
    Media(MediaError),
    /// The store failed.
    #[error("{0}")]
    Store(StoreError),
    /// The gate to the effect has decided how the attempt ends.
    #[error("ended by the gate to the effect")]
    Ended(Box<Outcome>),
}

impl From<ScriptError> for Fault {
    fn from(error: ScriptError) -> Self {
        match error {
            ScriptError::Stopped => Self::Cancelled,
            error => Self::Script(error),
        }
    }
}

impl From<DriverError> for Fault {
    fn from(error: DriverError) -> Self {
        Self::Device(error)
    }
}

impl Fault {
    /// Whether it is a fault of what the screen shows, as opposed to the phone's, the script's or the host's: only
    /// these may be optional, and only these are retried by the flow.
    #[must_use]
    pub fn is_flow_failure(&self) -> bool {
        match self {
            Self::NotFound(_) | Self::Assertion(_) => true,
            Self::Device(error) => matches!(
                error,
                DriverError::AppMissing { .. } | DriverError::Refused { .. } | DriverError::Untypable { .. }
            ),
            _ => false,
        }
    }

    /// Whether the phone still answers, and the attempt may go on using it.
    #[must_use]
    pub fn leaves_phone_usable(&self) -> bool {
        match self {
            Self::Cancelled | Self::TimeUp(_) | Self::Ended(_) => false,
            // A check cannot look without scripts either.
            Self::Script(ScriptError::Crowded(_)) => false,
            Self::Device(error) => !device_is_gone(error),
            Self::Account(fault) => fault.leaves_phone_usable(),
            _ => true,
        }
    }

    /// What it is called, whose fault it is, and whether another attempt can help.
    #[must_use]
    pub fn verdict(&self) -> (FailureReason, Blame, bool) {
        match self {
            Self::NotFound(_) => (FailureReason::FlowError, Blame::App, true),
            Self::Assertion(_) => (FailureReason::AssertionFailed, Blame::App, true),
            // Nothing that this task has done.
            Self::Script(ScriptError::Crowded(_)) => (FailureReason::Interrupted, Blame::Host, true),
            Self::Invalid(_) | Self::Script(_) | Self::Policy(_) => (FailureReason::FlowError, Blame::Task, false),
            Self::Device(error) => device_verdict(error),
            Self::Cancelled => (FailureReason::Stopped, Blame::Task, false),
            Self::TimeUp(_) => (FailureReason::Timeout, Blame::App, true),
            Self::Challenge(_) => (FailureReason::NeedsAttention, Blame::App, false),
            Self::Account(fault) => match fault.verdict() {
                (FailureReason::FlowError | FailureReason::AssertionFailed, ..) => {
                    (FailureReason::AccountUnavailable, Blame::App, true)
                }
                other => other,
            },
            Self::Media(MediaError::Missing(_)) => (FailureReason::MaterialMissing, Blame::Task, false),
            Self::Media(MediaError::Invalid(_)) => (FailureReason::MaterialInvalid, Blame::Task, false),
            // The disk is full or the database busy: that passes, and is nothing that the task has done.
            Self::Store(StoreError::Full | StoreError::Away(_)) => (FailureReason::Interrupted, Blame::Host, true),
            Self::Media(MediaError::Host(_)) | Self::Store(_) | Self::Ended(_) => {
                (FailureReason::Internal, Blame::Host, true)
            }
        }
    }

    /// The failure as the API tells it.
    #[must_use]
    pub fn failure(&self, step: Option<u32>) -> (Failure, Blame) {
        let (reason, blame, retryable) = self.verdict();
        let failure = Failure {
            reason,
            message: self.to_string(),
            step,
            retryable,
        };
        (failure, blame)
    }
}

/// Whether asking the phone again is of no use for now.
fn device_is_gone(error: &DriverError) -> bool {
    match error {
        DriverError::ServerDown { .. }
        | DriverError::NotReady { .. }
        | DriverError::Lost { .. }
        | DriverError::TimedOut { .. }
        | DriverError::WrongDevice { .. }
        | DriverError::Fenced { .. }
        | DriverError::Restarted { .. }
        | DriverError::Breaker { .. } => true,
        DriverError::Refused { .. }
        | DriverError::AppMissing { .. }
        | DriverError::Untypable { .. }
        | DriverError::Hierarchy { .. }
        | DriverError::HostFile { .. }
        | DriverError::Crowded { .. } => false,
    }
}

fn device_verdict(error: &DriverError) -> (FailureReason, Blame, bool) {
    match error {
        // The phone has understood, and says no: the flow, the task or the app is to be mended.
        error if error.is_of_what_was_asked() => (FailureReason::FlowError, Blame::App, true),
        DriverError::ServerDown { .. } => (FailureReason::DeviceOffline, Blame::Host, true),
        DriverError::NotReady { .. } | DriverError::Lost { .. } | DriverError::Restarted { .. } => {
            (FailureReason::DeviceOffline, Blame::Device, true)
        }
        DriverError::TimedOut { .. }
        | DriverError::Refused { .. }
        | DriverError::WrongDevice { .. }
        | DriverError::Hierarchy { .. }
        | DriverError::Breaker { .. } => (FailureReason::DeviceError, Blame::Device, true),
        DriverError::Fenced { .. } | DriverError::Crowded { .. } => (FailureReason::Interrupted, Blame::Host, true),
        DriverError::AppMissing { .. } => (FailureReason::AppMissing, Blame::App, false),
        DriverError::Untypable { .. } => (FailureReason::FlowError, Blame::Task, false),
        DriverError::HostFile { .. } => (FailureReason::Internal, Blame::Host, true),
    }
}
