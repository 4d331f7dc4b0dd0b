//! One attempt as a task of its own: a panic in it is an outcome, not a death.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    AttemptEnding,
    ending::{failed, failure_because},
};
use crate::{
    domain::{AttemptSpec, Blame, FailureReason, Outcome, Purpose},
    ports::{DeviceDriver, DriverError, ProgressBeat, ScriptRunner},
};

/// What an attempt is run with.
pub struct AttemptRun {
    /// What to do.
    pub spec: Arc<AttemptSpec>,
    /// On which phone.
    pub driver: Arc<dyn DeviceDriver>,
    /// How.
    pub runner: Arc<dyn ScriptRunner>,
    /// Asks it to stop.
    pub cancel: CancellationToken,
    /// Told of progress.
    pub beat: ProgressBeat,
}

/// Takes the phone and runs the script; every end is an outcome.
pub async fn run_attempt(run: AttemptRun) -> AttemptEnding {
    let AttemptSpec {
        task,
        number,
        ref serial,
        ..
    } = *run.spec;
    let span = tracing::info_span!("attempt", task.id = task.0, attempt.number = number, device.serial = %serial);
    let guarded = AssertUnwindSafe(take_and_run(run)).catch_unwind();
    match guarded.instrument(span).await {
        Ok(outcome) => AttemptEnding::Outcome(outcome),
        Err(panic) => {
            let message = format!("farmhand failed in the middle of it: {}", words_of(panic.as_ref()));
            tracing::error!(task.id = task.0, attempt.number = number, "attempt panicked: {message}");
            AttemptEnding::Abandoned {
                failure: failure_because(FailureReason::Internal, message),
                blame: Blame::Host,
            }
        }
    }
}

async fn take_and_run(run: AttemptRun) -> Outcome {
    let AttemptRun {
        spec,
        driver,
        runner,
        cancel,
        beat,
    } = run;
    let taken = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            return not_begun(spec.purpose, FailureReason::Stopped, "stopped".to_owned(), Blame::Task);
        }
        taken = driver.take() => taken,
    };
    if let Err(error) = taken {
        let (reason, blame) = meaning_of(&error);
        return not_begun(spec.purpose, reason, error.to_string(), blame);
    }
    beat();
    runner.run(spec, driver, cancel, beat).await
}

/// The end of an attempt that has not begun to run. What it was to look for may have taken place all the same.
fn not_begun(purpose: Purpose, reason: FailureReason, message: String, blame: Blame) -> Outcome {
    match purpose {
        Purpose::Execute => failed(reason, message, blame),
        Purpose::Verify => Outcome::Unverified {
            failure: failure_because(reason, message),
            blame,
            attention: None,
        },
    }
}

/// What a driver's error means for a task, and whose fault it is.
#[must_use]
pub fn meaning_of(error: &DriverError) -> (FailureReason, Blame) {
    match error {
        DriverError::ServerDown { .. } => (FailureReason::DeviceOffline, Blame::Host),
        DriverError::NotReady { .. }
        | DriverError::Lost { .. }
        | DriverError::Restarted { .. }
        | DriverError::Breaker { .. } => (FailureReason::DeviceOffline, Blame::Device),
        DriverError::TimedOut { .. }
        | DriverError::Refused { .. }
        | DriverError::WrongDevice { .. }
        | DriverError::Hierarchy { .. } => (FailureReason::DeviceError, Blame::Device),
        DriverError::Fenced { .. } | DriverError::Crowded { .. } => (FailureReason::Interrupted, Blame::Host),
        DriverError::AppMissing { .. } => (FailureReason::AppMissing, Blame::App),
        DriverError::Untypable { .. } => (FailureReason::FlowError, Blame::Task),
        DriverError::HostFile { .. } => (FailureReason::Internal, Blame::Host),
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use futures_util::future::LocalBoxFuture;

    use super::*;
    use crate::{
        device::tests::spec,
        ports::DriverFactory,
        testing::{driver::FakeDriverFactory, farm},
    };

    /// Fails the test when it is asked to run.
    struct Never;

    impl ScriptRunner for Never {
        fn run(
            &self,
            _: Arc<AttemptSpec>,
            _: Arc<dyn DeviceDriver>,
            _: CancellationToken,
            _: ProgressBeat,
        ) -> LocalBoxFuture<'static, Outcome> {
            panic!("nothing may run")
        }
    }

    /// An attempt whose phone says no when it is taken, or that was stopped before.
    async fn ends(purpose: Purpose, is_stopped: bool) -> Outcome {
        let phones = FakeDriverFactory::default();
        let full = DriverError::Refused {
            serial: farm::serial("p1"),
            command: "take",
            problem: "No space left on device".to_owned(),
        };
        phones.phone(&farm::serial("p1"), |phone| phone.error = Some(full));
        let cancel = CancellationToken::new();
        if is_stopped {
            cancel.cancel();
        }
        let run = AttemptRun {
            spec: Arc::new(AttemptSpec {
                purpose,
                ..(*spec(1)).clone()
            }),
            driver: phones.open(&farm::serial("p1"), None),
            runner: Arc::new(Never),
            cancel,
            beat: Rc::new(|| {}),
        };
        match run_attempt(run).await {
            AttemptEnding::Outcome(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_look_that_cannot_begin_proves_nothing() {
        for (is_stopped, reason) in [(false, FailureReason::DeviceError), (true, FailureReason::Stopped)] {
            let Outcome::Unverified { failure, attention, .. } = ends(Purpose::Verify, is_stopped).await else {
                panic!("the effect is still open");
            };
            assert_eq!((failure.reason, attention), (reason, None));
            let Outcome::Failed { failure, .. } = ends(Purpose::Execute, is_stopped).await else {
                panic!("nothing is open");
            };
            assert_eq!(failure.reason, reason);
        }
    }
}
