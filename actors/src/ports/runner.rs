//! Runs scripts, as a port.

use std::{rc::Rc, sync::Arc};

use futures_util::future::LocalBoxFuture;
use tokio_util::sync::CancellationToken;

use super::DeviceDriver;
use crate::domain::{AttemptSpec, Outcome};

/// Told whenever the attempt has made progress: what the device's heartbeat counts.
pub type ProgressBeat = Rc<dyn Fn()>;

/// Runs one attempt of a script on a phone.
pub trait ScriptRunner: Send + Sync {
    /// Runs to the end, or until `cancel`: then it stops before the next device call (never between an effect and
    /// the record of it) and answers `Failed(stopped)`, or `Unverified` when an effect is open.
    fn run(
        &self,
        spec: Arc<AttemptSpec>,
        driver: Arc<dyn DeviceDriver>,
        cancel: CancellationToken,
        beat: ProgressBeat,
    ) -> LocalBoxFuture<'static, Outcome>;
}
