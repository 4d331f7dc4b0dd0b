//! A phone as the port wants it: [`DeviceDriver`] over the adb server.

mod agent;
mod apps;
mod call;
mod capture;
mod fence;
mod files;
mod heartbeat;
mod input;
mod keeper;
mod picture;
mod png;
mod relay;
mod screen;
mod secure;
mod take;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{DeviceInfo, Freshness, Lease, Package, ScreenCapture, Screenshot, Serial, UiTree},
    ports::{DeviceDriver, DriverError, DriverFactory, LastAnswer, LaunchApp, Point, ShellCommand, ShellOutput},
};

use call::AdbDriver;
pub use picture::{PictureError, read as read_raw};
pub use png::read as read_png;
pub(super) use take::is_phone;

use super::{phone::Phones, quote::CommandLine, settings::millis};

/// Opens drivers for the phones that the watcher sees.
pub(super) struct AdbDriverFactory {
    pub(super) phones: Arc<Phones>,
}

impl DriverFactory for AdbDriverFactory {
    fn open(&self, serial: &Serial, lease: Option<&Lease>) -> Arc<dyn DeviceDriver> {
        Arc::new(AdbDriver::new(&self.phones, serial, lease))
    }

    fn remember(&self, serial: &Serial, own_serial: &str) {
        self.phones.get(serial).remember(own_serial);
    }

    fn forget(&self, serial: &Serial) {
        self.phones.get(serial).forget();
    }

    fn last_answer(&self, serial: &Serial) -> Option<LastAnswer> {
        self.phones.get(serial).last_answer()
    }
}

#[async_trait]
impl DeviceDriver for AdbDriver {
    fn serial(&self) -> &Serial {
        self.serial_of_phone()
    }

    async fn take(&self) -> Result<(), DriverError> {
        self.take_phone().await
    }

    async fn info(&self) -> Result<DeviceInfo, DriverError> {
        self.read_info().await
    }

    async fn heartbeat(&self) -> Result<(), DriverError> {
        self.beat().await
    }

    async fn shell(&self, command: ShellCommand) -> Result<ShellOutput, DriverError> {
        if command.words.is_empty() {
            return Err(self.refused("shell", "the command is empty"));
        }
        let deadline = command
            .timeout
            .unwrap_or_else(|| millis(self.phones.settings.deadlines.shell_ms));
        self.act("shell", deadline, CommandLine::of_words(&command.words)).await
    }

    async fn hierarchy(&self) -> Result<UiTree, DriverError> {
        self.read_hierarchy().await
    }

    async fn hierarchy_text(&self) -> Result<String, DriverError> {
        self.read_hierarchy_text().await
    }

    async fn screenshot(&self) -> Result<Screenshot, DriverError> {
        self.take_screenshot().await
    }

    async fn capture(&self, freshness: Freshness) -> Result<Arc<ScreenCapture>, DriverError> {
        self.capture_screen(freshness).await
    }

    async fn screen_size(&self) -> Result<(u32, u32), DriverError> {
        self.read_screen_size().await
    }

    async fn tap(&self, at: Point) -> Result<(), DriverError> {
        self.press_at(at).await
    }

    async fn swipe(&self, from: Point, to: Point, duration: Duration) -> Result<(), DriverError> {
        self.swipe_along(from, to, duration).await
    }

    async fn key(&self, code: u32) -> Result<(), DriverError> {
        self.press_keys("key", &[code]).await
    }

    async fn keys(&self, codes: &[u32]) -> Result<(), DriverError> {
        self.press_keys("keys", codes).await
    }

    async fn type_text(&self, text: &str) -> Result<(), DriverError> {
        self.type_whole_text(text).await
    }

    async fn launch_app(&self, launch: LaunchApp) -> Result<(), DriverError> {
        self.start_app(launch).await
    }

    async fn stop_app(&self, package: &Package) -> Result<(), DriverError> {
        self.force_stop(package).await
    }

    async fn kill_app(&self, package: &Package) -> Result<(), DriverError> {
        self.kill_in_background(package).await
    }

    async fn clear_app(&self, package: &Package) -> Result<(), DriverError> {
        self.clear_data(package).await
    }

    async fn has_app(&self, package: &Package) -> Result<bool, DriverError> {
        self.is_installed(package).await
    }

    async fn foreground_app(&self) -> Result<Option<Package>, DriverError> {
        self.focused_app().await
    }

    async fn open_link(&self, link: &str, package: Option<&Package>) -> Result<(), DriverError> {
        self.view_link(link, package).await
    }

    async fn set_permission(&self, package: &Package, permission: &str, granted: bool) -> Result<(), DriverError> {
        self.change_permission(package, permission, granted).await
    }

    async fn push(&self, local: &Path, remote: &str) -> Result<(), DriverError> {
        self.push_file(local, remote).await
    }

    async fn pull(&self, remote: &str, local: &Path) -> Result<(), DriverError> {
        self.pull_file(remote, local).await
    }

    async fn add_media(&self, local: &Path, name: &str) -> Result<String, DriverError> {
        self.add_to_gallery(local, name).await
    }

    async fn install(&self, apk: &Path) -> Result<(), DriverError> {
        self.install_apk(apk).await
    }

    async fn log(&self, lines: u32) -> Result<String, DriverError> {
        self.read_log(lines).await
    }
}

#[cfg(test)]
mod tests;
