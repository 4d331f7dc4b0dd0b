//! What the end of an attempt means: a stop from outside has a cause, and the cause says what the task is told.

use super::{AttemptEnding, StopCause};
use crate::{
    domain::{Blame, Failure, FailureReason, Outcome, Serial},
    settings::AttemptSettings,
};

/// A runner that was told to stop says "stopped"; the cause says what that means.
#[must_use]
pub fn explain(outcome: Outcome, cause: StopCause, serial: &Serial, rules: &AttemptSettings) -> Outcome {
    if matches!(cause, StopCause::Stop | StopCause::Drain) {
        return outcome;
    }
    let (why, blame) = failure_by(cause, serial, rules);
    let reworded = |failure: Failure| Failure {
        step: failure.step,
        ..why
    };
    match outcome {
        Outcome::Failed { failure, .. } if failure.reason == FailureReason::Stopped => Outcome::Failed {
            failure: reworded(failure),
            blame,
        },
        Outcome::Unverified { failure, .. } if failure.reason == FailureReason::Stopped => Outcome::Unverified {
            failure: reworded(failure),
            blame,
            attention: None,
        },
        other => other,
    }
}

/// The end of an attempt that did not come to its own within the grace.
#[must_use]
pub fn abandoned(cause: StopCause, serial: &Serial, rules: &AttemptSettings) -> AttemptEnding {
    let (mut failure, _) = failure_by(cause, serial, rules);
    failure
        .message
        .push_str("; the phone did not answer, so the attempt was abandoned");
    let blame = match cause {
        StopCause::Drain | StopCause::ServerAway => Blame::Host,
        StopCause::Stop | StopCause::TimeLimit | StopCause::Stall | StopCause::DeviceAway => Blame::Device,
    };
    AttemptEnding::Abandoned { failure, blame }
}

/// Whose fault an end was; `None` when it was a success.
#[must_use]
pub fn blame_of(ending: &AttemptEnding) -> Option<Blame> {
    match ending {
        AttemptEnding::Outcome(Outcome::Completed { .. }) => None,
        AttemptEnding::Outcome(Outcome::NeedsAttention { .. }) => Some(Blame::App),
        AttemptEnding::Outcome(Outcome::Failed { blame, .. } | Outcome::Unverified { blame, .. })
        | AttemptEnding::Abandoned { blame, .. } => Some(*blame),
    }
}

/// A failure that another attempt can mend.
#[must_use]
pub fn failure_because(reason: FailureReason, message: String) -> Failure {
    Failure {
        reason,
        message,
        step: None,
        retryable: true,
    }
}

/// An outcome of that failure, without an open effect.
#[must_use]
pub fn failed(reason: FailureReason, message: String, blame: Blame) -> Outcome {
    let failure = failure_because(reason, message);
    Outcome::Failed { failure, blame }
}

fn failure_by(cause: StopCause, serial: &Serial, rules: &AttemptSettings) -> (Failure, Blame) {
    let (reason, message, blame) = match cause {
        StopCause::Stop => (FailureReason::Stopped, "stopped".to_owned(), Blame::Task),
        StopCause::Drain => {
            let message = "cut short by a shutdown".to_owned();
            (FailureReason::Stopped, message, Blame::Host)
        }
        StopCause::TimeLimit => {
            let message = format!("took longer than {} s (attempt.time_limit_s)", rules.time_limit_s);
            (FailureReason::Timeout, message, Blame::Task)
        }
        StopCause::Stall => {
            let limit = rules.stall_limit_s;
            let message = format!("made no progress for {limit} s (attempt.stall_limit_s)");
            (FailureReason::Timeout, message, Blame::Device)
        }
        StopCause::DeviceAway => (
            FailureReason::DeviceOffline,
            format!("{serial} went away"),
            Blame::Device,
        ),
        StopCause::ServerAway => (
            FailureReason::DeviceOffline,
            format!("the adb server of {serial} went away"),
            Blame::Host,
        ),
    };
    (failure_because(reason, message), blame)
}
