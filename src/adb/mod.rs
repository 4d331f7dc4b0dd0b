//! Phones through the adb server: the only room that names adb_client.
//!
//! The adb server's own protocol is the one protocol of the controller; phones on TCP are connected *through* a server.
//! [`AdbHandle`] hands out drivers for phones, and once it watches the servers it tells which phones there are. Shell, lists and
//! streams go through a client of our own (deadlines, exit codes, cancelling by closing the socket); adb_client copies
//! files.

mod agent;
mod breaker;
mod client;
mod driver;
mod error;
mod metrics;
mod phone;
mod places;
mod quote;
mod screens;
mod settings;
mod shell;
#[cfg(test)]
mod testing;
mod transports;
mod ui_tree;
pub mod untrusted;
mod watcher;
mod wire;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use farmhand_actors::{
    domain::UiTree,
    ports::{DriverFactory, HierarchyProblem},
};

pub use driver::{PictureError, read_png, read_raw};
pub use settings::{AdbDeadlines, AdbLimits, AdbScreens, AdbSettings, AgentSettings, TcpPhone};
pub use watcher::{PresenceCallback, ServerHealth, is_local};

use driver::AdbDriverFactory;
use phone::Phones;
use watcher::Watcher;

/// The room.
pub struct AdbHandle {
    factory: Arc<dyn DriverFactory>,
    phones: Arc<Phones>,
    watcher: OnceLock<Watcher>,
}

impl Drop for AdbHandle {
    fn drop(&mut self) {
        self.phones.stop.cancel();
    }
}

impl AdbHandle {
    /// Drivers for the phones of these servers; nothing is opened before [`watch`](Self::watch).
    #[must_use]
    pub fn new(settings: AdbSettings) -> Self {
        metrics::describe();
        let phones = Arc::new(Phones::new(settings));
        Self {
            factory: Arc::new(AdbDriverFactory {
                phones: Arc::clone(&phones),
            }),
            phones,
            watcher: OnceLock::new(),
        }
    }

    /// Starts watching the servers, keeps `devices` connected through the first of them, and reports what they show.
    /// Needs a tokio runtime; returns at once. A second call does nothing.
    pub fn watch(&self, devices: Vec<TcpPhone>, report: &PresenceCallback) {
        self.watcher
            .get_or_init(|| Watcher::start(&self.phones, devices, report));
    }

    /// Opens drivers.
    #[must_use]
    pub fn factory(&self) -> Arc<dyn DriverFactory> {
        Arc::clone(&self.factory)
    }

    /// How the adb servers do, in the order of the settings; none while nobody watches them.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerHealth> {
        self.watcher.get().map(Watcher::health).unwrap_or_default()
    }

    /// Stops watching and ends the phones' agents; comes back when all tasks have ended. Drivers stay usable as long as
    /// their phones are known.
    pub async fn stop(&self) {
        if let Some(watcher) = self.watcher.get() {
            watcher.stop().await;
        }
        self.phones.stop_background().await;
    }
}

/// Asks an adb server for its version (`doctor`).
///
/// # Errors
/// One line that says why it does not answer.
pub async fn server_version(address: &str, deadline: Duration) -> Result<u32, String> {
    let client = client::ServerClient::new(address, &AdbLimits::default());
    let answer = client::within(deadline, client.ask("host:version"))
        .await
        .map_err(|error| error.to_string())?;
    u32::from_str_radix(answer.trim(), 16).map_err(|_| format!("{answer:?} is not a version"))
}

/// Reads the text of a view tree, within the default limits.
///
/// # Errors
/// Why it cannot be read.
pub fn read_tree(dump: &[u8]) -> Result<UiTree, HierarchyProblem> {
    let limits = AdbLimits::default();
    let limits = ui_tree::TreeLimits {
        bytes: limits.hierarchy_bytes,
        nodes: limits.hierarchy_nodes,
    };
    ui_tree::parse(dump, limits)
}

/// How many elements the text of a view tree has, read by the XML library alone with every attribute and kept nowhere:
/// what [`read_tree`] is measured by.
///
/// # Errors
/// It is not XML.
pub fn count_elements(dump: &str) -> Result<usize, HierarchyProblem> {
    ui_tree::count_elements(dump)
}

/// A phone as an adb server shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPhone {
    /// adb's name for it: a serial, or `host:port` of a TCP phone.
    pub name: String,
    /// Whether it can be used.
    pub usable: bool,
    /// What its state means, and what a person can do.
    pub finding: String,
}

/// The phones that an adb server shows (`doctor`).
///
/// # Errors
/// One line that says why it does not answer.
pub async fn list_phones(address: &str, deadline: Duration) -> Result<Vec<ListedPhone>, String> {
    let client = client::ServerClient::new(address, &AdbLimits::default());
    let list = client::within(deadline, client.ask("host:devices"))
        .await
        .map_err(|error| error.to_string())?;
    Ok(watcher::listed(&list))
}
