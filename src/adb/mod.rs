//! Phones through the adb server: the only room that names adb_client.
//!
//! The adb server's own protocol is the one protocol of the controller; phones on TCP are connected *through* a server.
//! [`start`] watches the servers, tells which phones there are, and hands out drivers for them. Shell, lists and
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

use std::{sync::Arc, time::Duration};

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

/// The running room.
pub struct AdbHandle {
    factory: Arc<dyn DriverFactory>,
    phones: Arc<Phones>,
    watcher: Watcher,
}

impl Drop for AdbHandle {
    fn drop(&mut self) {
        self.phones.stop.cancel();
    }
}

/// Starts watching the servers of `settings`, keeps `devices` connected through the first of them, and reports what
/// they show. Needs a tokio runtime; returns at once.
#[must_use]
pub fn start(settings: AdbSettings, devices: Vec<TcpPhone>, report: PresenceCallback) -> AdbHandle {
    metrics::describe();
    let phones = Arc::new(Phones::new(settings));
    let watcher = Watcher::start(&phones, devices, &report);
    AdbHandle {
        factory: Arc::new(AdbDriverFactory {
            phones: Arc::clone(&phones),
        }),
        phones,
        watcher,
    }
}

impl AdbHandle {
    /// Opens drivers.
    #[must_use]
    pub fn factory(&self) -> Arc<dyn DriverFactory> {
        Arc::clone(&self.factory)
    }

    /// How the adb servers do, in the order of the settings.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerHealth> {
        self.watcher.health()
    }

    /// Stops watching and ends the phones' agents; comes back when all tasks have ended. Drivers stay usable as long as
    /// their phones are known.
    pub async fn stop(&self) {
        self.watcher.stop().await;
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
