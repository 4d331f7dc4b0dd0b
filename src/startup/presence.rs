//! What the adb watcher reports before the supervisor is there to hear it.

use std::sync::{Arc, Mutex, PoisonError};

use farmhand_actors::supervisor::{PresenceReport, SupervisorHandle};

use crate::adb::PresenceCallback;

/// The watcher needs somebody to report to, the supervisor needs the drivers that come with the watcher: this stands
/// between them until both are there.
#[derive(Clone, Default)]
pub struct PresenceRelay(Arc<Mutex<Listener>>);

enum Listener {
    /// Nobody yet; the reports so far, in order.
    Waiting(Vec<PresenceReport>),
    There(SupervisorHandle),
}

impl Default for Listener {
    fn default() -> Self {
        Self::Waiting(Vec::new())
    }
}

impl PresenceRelay {
    /// For the watcher.
    #[must_use]
    pub fn callback(&self) -> PresenceCallback {
        let relay = self.clone();
        Arc::new(
            move |report| match &mut *relay.0.lock().unwrap_or_else(PoisonError::into_inner) {
                Listener::Waiting(reports) => reports.push(report),
                Listener::There(supervisor) => supervisor.report_presence(report),
            },
        )
    }

    /// The supervisor is there: it gets what was reported so far, and everything from now on.
    pub fn connect(&self, supervisor: SupervisorHandle) {
        let mut listener = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Listener::Waiting(reports) = &mut *listener {
            for report in reports.drain(..) {
                supervisor.report_presence(report);
            }
        }
        *listener = Listener::There(supervisor);
    }
}
