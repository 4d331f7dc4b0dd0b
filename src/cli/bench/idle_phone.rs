//! Phones and a runner that do nothing: what is left to measure is farmhand itself.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        AttemptSpec, DeviceInfo, FieldError, Lease, Outcome, Package, Screenshot, ScriptInfo, ScriptName, Serial,
        TaskId, UiTree, ValidConfig,
    },
    ports::{
        DeviceDriver, DriverError, DriverFactory, LaunchApp, Point, ProgressBeat, ScriptCatalog, ScriptRunner,
        ShellCommand, ShellOutput,
    },
};
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// No scripts: a bench has no schedules that would ask for them.
pub struct NoScripts;

#[async_trait]
impl ScriptCatalog for NoScripts {
    fn list(&self) -> Vec<ScriptInfo> {
        Vec::new()
    }

    fn get(&self, _name: &ScriptName) -> Option<ScriptInfo> {
        None
    }

    async fn validate(&self, _name: &ScriptName, _config: &Value) -> Result<ValidConfig, Vec<FieldError>> {
        Err(Vec::new())
    }
}

/// Opens phones that do nothing, at once.
pub struct IdlePhones;

impl DriverFactory for IdlePhones {
    fn open(&self, serial: &Serial, _lease: Option<&Lease>) -> Arc<dyn DeviceDriver> {
        Arc::new(IdlePhone::showing(serial.clone(), UiTree::default()))
    }
}

/// A phone that does nothing and shows the same screen for ever.
pub struct IdlePhone {
    serial: Serial,
    screen: UiTree,
}

impl IdlePhone {
    /// Pixels.
    pub const WIDTH: i32 = 500;
    /// Pixels.
    pub const HEIGHT: i32 = 1000;

    /// A phone that shows `screen`.
    pub fn showing(serial: Serial, screen: UiTree) -> Self {
        Self { serial, screen }
    }
}

#[async_trait]
impl DeviceDriver for IdlePhone {
    fn serial(&self) -> &Serial {
        &self.serial
    }

    async fn take(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn info(&self) -> Result<DeviceInfo, DriverError> {
        Ok(DeviceInfo::default())
    }

    async fn shell(&self, _: ShellCommand) -> Result<ShellOutput, DriverError> {
        Ok(ShellOutput::default())
    }

    async fn hierarchy(&self) -> Result<UiTree, DriverError> {
        Ok(self.screen.clone())
    }

    async fn hierarchy_text(&self) -> Result<String, DriverError> {
        Ok(String::new())
    }

    async fn screenshot(&self) -> Result<Screenshot, DriverError> {
        Ok(Screenshot {
            width: 0,
            height: 0,
            rgba: bytes::Bytes::new(),
        })
    }

    async fn screen_size(&self) -> Result<(u32, u32), DriverError> {
        Ok((Self::WIDTH.unsigned_abs(), Self::HEIGHT.unsigned_abs()))
    }

    async fn tap(&self, _: Point) -> Result<(), DriverError> {
        Ok(())
    }

    async fn swipe(&self, _: Point, _: Point, _: Duration) -> Result<(), DriverError> {
        Ok(())
    }

    async fn key(&self, _: u32) -> Result<(), DriverError> {
        Ok(())
    }

    async fn keys(&self, _: &[u32]) -> Result<(), DriverError> {
        Ok(())
    }

    async fn type_text(&self, _: &str) -> Result<(), DriverError> {
        Ok(())
    }

    async fn launch_app(&self, _: LaunchApp) -> Result<(), DriverError> {
        Ok(())
    }

    async fn stop_app(&self, _: &Package) -> Result<(), DriverError> {
        Ok(())
    }

    async fn kill_app(&self, _: &Package) -> Result<(), DriverError> {
        Ok(())
    }

    async fn clear_app(&self, _: &Package) -> Result<(), DriverError> {
        Ok(())
    }

    async fn has_app(&self, _: &Package) -> Result<bool, DriverError> {
        Ok(true)
    }

    async fn foreground_app(&self) -> Result<Option<Package>, DriverError> {
        Ok(None)
    }

    async fn open_link(&self, _: &str, _: Option<&Package>) -> Result<(), DriverError> {
        Ok(())
    }

    async fn set_permission(&self, _: &Package, _: &str, _: bool) -> Result<(), DriverError> {
        Ok(())
    }

    async fn push(&self, _: &Path, _: &str) -> Result<(), DriverError> {
        Ok(())
    }

    async fn pull(&self, _: &str, _: &Path) -> Result<(), DriverError> {
        Ok(())
    }

    async fn add_media(&self, _: &Path, name: &str) -> Result<String, DriverError> {
        Ok(name.to_owned())
    }

    async fn install(&self, _: &Path) -> Result<(), DriverError> {
        Ok(())
    }

    async fn log(&self, _: u32) -> Result<String, DriverError> {
        Ok(String::new())
    }
}

/// Completes every attempt at once and notes when it was started.
#[derive(Default)]
pub struct IdleRunner {
    starts: Mutex<Vec<(TaskId, Instant)>>,
}

impl IdleRunner {
    /// The attempts started since the last call.
    pub fn take_starts(&self) -> Vec<(TaskId, Instant)> {
        std::mem::take(&mut *self.starts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ScriptRunner for IdleRunner {
    fn run(
        &self,
        spec: Arc<AttemptSpec>,
        _driver: Arc<dyn DeviceDriver>,
        _cancel: CancellationToken,
        _beat: ProgressBeat,
    ) -> LocalBoxFuture<'static, Outcome> {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        starts.push((spec.task, Instant::now()));
        drop(starts);
        let remark = String::new();
        async { Outcome::Completed { remark, counts: true } }.boxed_local()
    }
}
