//! The phone as an attempt uses it: every call can be stopped, and none outlives the attempt's time.

use std::{future::Future, sync::Arc, time::Duration};

use farmhand_actors::ports::{DeviceDriver, DriverError, ProgressBeat};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;

/// A driver with the attempt's limits around it.
pub struct Phone {
    /// The driver; calls go through [`Phone::call`].
    pub driver: Arc<dyn DeviceDriver>,
    cancel: CancellationToken,
    beat: ProgressBeat,
    deadline: Instant,
    time_limit: Duration,
}

impl Phone {
    /// A phone for one attempt that begins now.
    pub fn new(
        driver: Arc<dyn DeviceDriver>,
        cancel: CancellationToken,
        beat: ProgressBeat,
        time_limit: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            driver,
            cancel,
            beat,
            deadline: now.checked_add(time_limit).unwrap_or(now),
            time_limit,
        }
    }

    /// Whether the attempt may go on.
    ///
    /// # Errors
    /// It is being stopped, or its time is up.
    pub fn may_go_on(&self) -> Result<(), Fault> {
        if self.cancel.is_cancelled() {
            return Err(Fault::Cancelled);
        }
        if Instant::now() >= self.deadline {
            return Err(Fault::TimeUp(self.time_limit));
        }
        Ok(())
    }

    /// Awaits a device call unless the attempt is stopped before it ends: then the call is dropped, which cancels
    /// it.
    ///
    /// # Errors
    /// The call failed or was cut off.
    pub async fn call<T>(&self, call: impl Future<Output = Result<T, DriverError>>) -> Result<T, Fault> {
        self.may_go_on()?;
        (self.beat)();
        let result = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Fault::Cancelled),
            () = sleep_until(self.deadline) => Err(Fault::TimeUp(self.time_limit)),
            result = call => result.map_err(Fault::Device),
        };
        (self.beat)();
        result
    }

    /// Waits.
    ///
    /// # Errors
    /// The attempt was stopped meanwhile.
    pub async fn wait(&self, time: Duration) -> Result<(), Fault> {
        self.may_go_on()?;
        (self.beat)();
        if time.is_zero() {
            // The shortest sleep is a millisecond: a look that took its time is followed by the next one at once.
            tokio::task::yield_now().await;
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Fault::Cancelled),
            () = sleep_until(self.deadline) => Err(Fault::TimeUp(self.time_limit)),
            () = sleep(time) => Ok(()),
        }
    }

    /// Whether the attempt is being stopped.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
