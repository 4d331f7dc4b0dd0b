//! Phones that answer what the test wants and do nothing.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    domain::{DeviceInfo, Lease, Package, Screenshot, Serial, UiTree},
    ports::{DeviceDriver, DriverError, DriverFactory, LaunchApp, Point, ShellCommand, ShellOutput},
};

/// How a fake phone behaves.
#[derive(Debug, Clone, Default)]
pub struct FakePhone {
    /// What every call answers instead of succeeding.
    pub error: Option<DriverError>,
    /// Calls never come back.
    pub hangs: bool,
    /// What it says of itself.
    pub info: DeviceInfo,
    /// How long `info` and `take` last.
    pub latency: Duration,
    /// Calls of `info` so far.
    pub looks: u32,
}

/// Opens drivers of fake phones.
#[derive(Clone, Default)]
pub struct FakeDriverFactory {
    phones: Arc<Mutex<HashMap<Serial, FakePhone>>>,
}

impl FakeDriverFactory {
    /// Changes how a phone behaves from now on.
    pub fn phone(&self, serial: &Serial, change: impl FnOnce(&mut FakePhone)) {
        change(self.lock().entry(serial.clone()).or_default());
    }

    /// How a phone behaves.
    #[must_use]
    pub fn state_of(&self, serial: &Serial) -> FakePhone {
        self.lock().get(serial).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Serial, FakePhone>> {
        self.phones.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DriverFactory for FakeDriverFactory {
    fn open(&self, serial: &Serial, _lease: Option<&Lease>) -> Arc<dyn DeviceDriver> {
        Arc::new(FakeDriver {
            serial: serial.clone(),
            factory: self.clone(),
        })
    }
}

struct FakeDriver {
    serial: Serial,
    factory: FakeDriverFactory,
}

impl FakeDriver {
    async fn answer<T>(&self, value: T) -> Result<T, DriverError> {
        let phone = self.factory.state_of(&self.serial);
        if phone.hangs {
            std::future::pending::<()>().await;
        }
        if !phone.latency.is_zero() {
            tokio::time::sleep(phone.latency).await;
        }
        phone.error.map_or(Ok(value), Err)
    }
}

#[async_trait]
impl DeviceDriver for FakeDriver {
    fn serial(&self) -> &Serial {
        &self.serial
    }

    async fn take(&self) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn info(&self) -> Result<DeviceInfo, DriverError> {
        self.factory.phone(&self.serial, |phone| phone.looks += 1);
        let info = self.factory.state_of(&self.serial).info;
        self.answer(info).await
    }

    async fn shell(&self, _: ShellCommand) -> Result<ShellOutput, DriverError> {
        self.answer(ShellOutput::default()).await
    }

    async fn hierarchy(&self) -> Result<UiTree, DriverError> {
        self.answer(UiTree::default()).await
    }

    async fn hierarchy_text(&self) -> Result<String, DriverError> {
        self.answer("<hierarchy rotation=\"0\"/>".to_owned()).await
    }

    async fn screenshot(&self) -> Result<Screenshot, DriverError> {
        let rgba = vec![0, 0, 0, 255].into();
        self.answer(Screenshot {
            width: 1,
            height: 1,
            rgba,
        })
        .await
    }

    async fn screen_size(&self) -> Result<(u32, u32), DriverError> {
        self.answer((1080, 2400)).await
    }

    async fn tap(&self, _: Point) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn swipe(&self, _: Point, _: Point, _: Duration) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn key(&self, _: u32) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn keys(&self, _: &[u32]) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn type_text(&self, _: &str) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn launch_app(&self, _: LaunchApp) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn stop_app(&self, _: &Package) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn kill_app(&self, _: &Package) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn clear_app(&self, _: &Package) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn has_app(&self, _: &Package) -> Result<bool, DriverError> {
        self.answer(true).await
    }

    async fn foreground_app(&self) -> Result<Option<Package>, DriverError> {
        self.answer(None).await
    }

    async fn open_link(&self, _: &str, _: Option<&Package>) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn set_permission(&self, _: &Package, _: &str, _: bool) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn push(&self, _: &Path, _: &str) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn pull(&self, _: &str, _: &Path) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn add_media(&self, _: &Path, name: &str) -> Result<String, DriverError> {
        self.answer(format!("/sdcard/DCIM/{name}")).await
    }

    async fn install(&self, _: &Path) -> Result<(), DriverError> {
        self.answer(()).await
    }

    async fn log(&self, _: u32) -> Result<String, DriverError> {
        self.answer(String::new()).await
    }
}
