//! One call to a phone: budget, breaker, deadline, cancelling, what is measured and logged. Every method of the
//! driver goes through here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use farmhand_actors::{
    domain::{Generation, Lease, Serial},
    ports::{DriverError, ShellOutput},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::fence;
use crate::adb::{
    client::{Outage, ServerClient, Transport, within},
    error::{AdbError, one_line},
    metrics,
    phone::{Phone, Phones},
    quote::CommandLine,
    settings::millis,
};

/// One phone through adb.
pub(super) struct AdbDriver {
    pub(super) phones: Arc<Phones>,
    pub(super) phone: Arc<Phone>,
    pub(super) lease: Option<Lease>,
    generation: Generation,
    ended: CancellationToken,
}

impl AdbDriver {
    pub(super) fn new(phones: &Arc<Phones>, serial: &Serial, lease: Option<&Lease>) -> Self {
        let phone = phones.get(serial);
        let (generation, ended) = lease.map_or_else(Default::default, |lease| phone.hold(lease));
        Self {
            phones: Arc::clone(phones),
            phone,
            lease: lease.cloned(),
            generation,
            ended,
        }
    }

    pub(super) fn serial_of_phone(&self) -> &Serial {
        &self.phone.serial
    }

    pub(super) fn refused(&self, command: &'static str, problem: impl Into<String>) -> DriverError {
        DriverError::Refused {
            serial: self.phone.serial.clone(),
            command,
            problem: problem.into(),
        }
    }

    pub(super) fn transport(&self) -> Result<Arc<Transport>, DriverError> {
        self.phones.transports.find(&self.phone.serial)
    }

    /// Runs a command line that changes nothing.
    pub(super) async fn query(
        &self,
        op: &'static str,
        deadline: Duration,
        line: &CommandLine,
    ) -> Result<ShellOutput, DriverError> {
        let transport = self.transport()?;
        let line = line.render().map_err(|error| self.refused(op, error.to_string()))?;
        let limit = self.phones.settings.limits.output_bytes;
        self.call(op, deadline, &transport.server, transport.shell(line, limit))
            .await
    }

    /// Runs a command line that acts: with a lease only while the phone still carries its token.
    pub(super) async fn act(
        &self,
        op: &'static str,
        deadline: Duration,
        line: CommandLine,
    ) -> Result<ShellOutput, DriverError> {
        let output = self.query(op, deadline, &self.fenced(line)).await?;
        self.unless_refused(output)
    }

    /// The line with the fence of the lease, if there is one.
    pub(super) fn fenced(&self, line: CommandLine) -> CommandLine {
        match &self.lease {
            Some(lease) => fence::fenced(
                line,
                lease,
                self.phone.taken_under(lease).map(|taken| taken.boot).as_deref(),
            ),
            None => line,
        }
    }

    /// The output of a fenced line, unless the fence refused it.
    pub(super) fn unless_refused(&self, output: ShellOutput) -> Result<ShellOutput, DriverError> {
        let lease = self.lease.as_ref();
        let refusal = lease.and_then(|lease| {
            let taken = self.phone.taken_under(lease);
            let identity = taken.as_ref().map(|taken| taken.identity.as_str());
            fence::refusal(&output, lease, &self.phone.serial, identity)
        });
        refusal.map_or(Ok(output), Err)
    }

    /// The same, where any exit code but 0 is a failure.
    pub(super) async fn act_well(
        &self,
        op: &'static str,
        deadline: Duration,
        line: CommandLine,
    ) -> Result<ShellOutput, DriverError> {
        let output = self.act(op, deadline, line).await?;
        if output.code == 0 {
            Ok(output)
        } else {
            Err(self.refused(op, problem_of(&output)))
        }
    }

    /// Waits for a lock of the phone, at most for `deadline`.
    pub(super) async fn turn<'a>(
        &self,
        op: &'static str,
        deadline: Duration,
        lock: &'a tokio::sync::Mutex<()>,
    ) -> Result<tokio::sync::MutexGuard<'a, ()>, DriverError> {
        tokio::time::timeout(deadline, lock.lock())
            .await
            .map_err(|_| DriverError::TimedOut {
                serial: self.phone.serial.clone(),
                command: op,
                after: deadline,
            })
    }

    /// Waits for one of the places that several phones share, at most for `deadline`.
    pub(super) async fn place<'a>(
        &self,
        op: &'static str,
        deadline: Duration,
        places: &'a Semaphore,
    ) -> Result<SemaphorePermit<'a>, DriverError> {
        let place = tokio::time::timeout(deadline, places.acquire()).await;
        place.ok().and_then(Result::ok).ok_or_else(|| DriverError::Crowded {
            serial: self.phone.serial.clone(),
            command: op,
            after: deadline,
        })
    }

    /// The failure, as the server's if it is that.
    async fn attribute(&self, server: &ServerClient, before: &Outage, error: AdbError) -> AdbError {
        let deadline = millis(self.phones.settings.deadlines.server_ms);
        server.attribute(error, before, deadline).await
    }

    /// Does `work` within the budgets and the deadline.
    pub(super) async fn call<T>(
        &self,
        op: &'static str,
        deadline: Duration,
        server: &ServerClient,
        work: impl Future<Output = Result<T, AdbError>> + Send,
    ) -> Result<T, DriverError> {
        if self.ended.is_cancelled() {
            return Err(DriverError::Fenced {
                serial: self.phone.serial.clone(),
            });
        }
        let fail = |error: AdbError| error.for_command(&self.phone.serial, op, server.address());
        let before = server.outage();
        let waiting = async {
            // The phone's own budget first: a sick phone's queue must not hold sockets of the server's budget.
            let of_phone = self.phone.slots.acquire().await.map_err(|_| AdbError::Lost)?;
            let of_server = server.slots.acquire().await.map_err(|_| AdbError::Lost)?;
            Ok((of_phone, of_server))
        };
        let _slots = match server.unless_hopeless(within(deadline, waiting)).await {
            Ok(slots) => slots,
            Err(error) => return Err(fail(self.attribute(server, &before, error).await)),
        };
        let admitted = self.phone.breaker().admit(self.phone.now());
        if let Err(retry_after) = admitted {
            return Err(DriverError::Breaker {
                serial: self.phone.serial.clone(),
                retry_after,
            });
        }
        let in_flight = InFlight {
            phone: &self.phone,
            op,
            generation: self.generation,
            of_attempt: self.lease.is_some(),
            since: Instant::now(),
            told: false,
        };
        let ended = tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(AdbError::Lost),
            ended = server.unless_hopeless(within(deadline, work)) => match ended {
                Ok(done) => Ok(done),
                Err(error) => Err(self.attribute(server, &before, error).await),
            },
        };
        in_flight.finish(ended.as_ref().err());
        ended.map_err(fail)
    }
}

/// A call under way. Dropped before its end, it was cancelled by its caller.
struct InFlight<'a> {
    phone: &'a Phone,
    op: &'static str,
    generation: Generation,
    /// The end of the attempt says it in the log.
    of_attempt: bool,
    since: Instant,
    told: bool,
}

impl InFlight<'_> {
    fn finish(mut self, error: Option<&AdbError>) {
        self.told = true;
        let took = self.since.elapsed();
        let duration_ms = took.as_secs_f64() * 1e3;
        let (serial, op, generation) = (&self.phone.serial, self.op, self.generation.0);
        metrics::command(op, error.map_or("ok", AdbError::outcome), took);
        let Some(error) = error else {
            self.phone.breaker().succeeded();
            self.phone.answered(op);
            debug!(device.serial = %serial, op, generation, duration_ms, "adb call done");
            return;
        };
        if matches!(error, AdbError::TimedOut(_)) {
            metrics::abandoned();
        }
        if self.of_attempt || !error.blames_phone() {
            debug!(device.serial = %serial, op, generation, duration_ms, "adb call failed: {error}");
        } else {
            warn!(device.serial = %serial, op, generation, duration_ms, "adb call failed: {error}");
        }
        if !error.blames_phone() {
            self.phone.breaker().told_nothing(self.phone.now());
            return;
        }
        let rest = self.phone.breaker().failed(self.phone.now(), rand::random());
        if let Some(rest) = rest {
            warn!(device.serial = %serial, rest_ms = rest.as_secs_f64() * 1e3, "device is left alone after repeated failures");
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.told {
            metrics::abandoned();
            metrics::command(self.op, "cancelled", self.since.elapsed());
            self.phone.breaker().told_nothing(self.phone.now());
        }
    }
}

/// What a command said about its failure, as one line: its standard error, or else its standard output.
pub(super) fn problem_of(output: &ShellOutput) -> String {
    let said = [&output.stderr, &output.stdout]
        .into_iter()
        .map(|bytes| String::from_utf8_lossy(bytes));
    let line = said
        .filter_map(|text| {
            let told = text.lines().map(str::trim).filter(|line| !line.is_empty());
            // Android prints this header and then what happened.
            let told = told.filter(|line| !line.starts_with("Exception occurred while executing"));
            Some(one_line(told.take(2).collect::<Vec<_>>().join(" ").as_str())).filter(|line| !line.is_empty())
        })
        .next();
    line.unwrap_or_else(|| format!("exit code {}", output.code))
}
