//! Watches the adb servers: which phones they show, whether they live, and that the TCP phones stay connected.

mod list;
mod server;
mod server_process;
mod tcp_phone;

use std::sync::{Arc, Mutex};

use farmhand_actors::{domain::AdbState, supervisor::PresenceReport};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ListedPhone,
    client::ServerClient,
    phone::{Phones, lock},
    places::Places,
    settings::TcpPhone,
};
use server::ServerWatch;
use tcp_phone::{Standings, TcpPhoneKeeper};

/// The phones of a short list, for people.
pub(super) fn listed(text: &str) -> Vec<ListedPhone> {
    let phones = list::parse(text).into_iter();
    let told = phones.map(|line| ListedPhone {
        usable: line.state == AdbState::Device,
        finding: list::mend_of(&line.state),
        name: line.adb_serial,
    });
    told.collect()
}

/// Is told each change, by the watcher's tasks: it must not block.
pub type PresenceCallback = Arc<dyn Fn(PresenceReport) + Send + Sync>;

/// How an adb server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHealth {
    /// `host:port`
    pub server: String,
    /// Whether it answers.
    pub up: bool,
    /// Why not, and how to mend it.
    pub problem: Option<String>,
    /// How many phones it shows as usable.
    pub usable_devices: usize,
}

/// The tasks that watch.
pub(super) struct Watcher {
    health: Vec<Arc<Mutex<ServerHealth>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Watcher {
    /// Begins to watch all servers of the settings. Needs a tokio runtime.
    pub(super) fn start(phones: &Arc<Phones>, devices: Vec<TcpPhone>, report: &PresenceCallback) -> Self {
        let mut watcher = Self {
            health: Vec::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let settings = &phones.settings;
        let mut devices = Some(devices);
        for (place, address) in settings.servers.iter().enumerate() {
            let client = ServerClient::new(address, &settings.limits);
            let (listing, seen) = watch::channel(None);
            let standings = Arc::new(Standings {
                by_serial: Mutex::default(),
                changed: Notify::new(),
            });
            // TCP phones are connected through the first server only.
            let devices = devices.take().unwrap_or_default();
            let health = Arc::new(Mutex::new(ServerHealth {
                server: address.clone(),
                up: false,
                problem: Some("it was not asked yet".to_owned()),
                usable_devices: 0,
            }));
            watcher.health.push(Arc::clone(&health));
            let connects = Arc::new(Places::new(settings.limits.connects));
            for phone in &devices {
                let keeper = TcpPhoneKeeper::new(phone, &client, settings, &connects, &standings, seen.clone());
                watcher.spawn(keeper.keep());
            }
            let watch = ServerWatch::new(
                place,
                client,
                Arc::clone(phones),
                &devices,
                standings,
                listing,
                health,
                Arc::clone(report),
            );
            watcher.spawn(watch.watch());
        }
        watcher.tasks.close();
        watcher
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(work).await });
    }

    pub(super) fn health(&self) -> Vec<ServerHealth> {
        self.health.iter().map(|health| lock(health).clone()).collect()
    }

    /// Ends all tasks; comes back when they have ended.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Whether a server is one of this computer, which can start it.
#[must_use]
pub fn is_local(address: &str) -> bool {
    server_process::local_port(address).is_some()
}

#[cfg(test)]
mod tests;
