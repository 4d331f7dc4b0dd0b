//! What a device shows of itself: its state, why it is in it, and what comes next.

use std::sync::Arc;

use super::{
    DeviceStatus,
    core::{DeviceCore, Look},
};
use crate::domain::{AdbState, DeviceInfo, DeviceState, Now};

const CONNECT: &str = "connect the phone and switch USB debugging on";

impl DeviceCore {
    /// Why the device may not be given an attempt (besides being busy).
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        let (state, cause, _) = self.describe_idle();
        (state != DeviceState::Online).then_some(cause)
    }

    /// What the device shows of itself.
    #[must_use]
    pub fn status(&self, now: Now) -> DeviceStatus {
        let (state, cause, next_action) = self.describe();
        let running = self.running.as_ref();
        DeviceStatus {
            state,
            since: self.shown.as_ref().map_or(now.wall, |(_, _, since)| *since),
            cause,
            next_action,
            info: Arc::clone(&self.info),
            current_account: self.current_account.clone(),
            current_task: running.map(|running| running.spec.task),
            leased_since: running.map(|running| running.since),
            last_seen: self.last_seen,
        }
    }

    /// What the phone last said of itself.
    #[must_use]
    pub fn info(&self) -> &Arc<DeviceInfo> {
        &self.info
    }

    /// Why it cannot take another attempt, when one runs.
    pub(super) fn busy(&self) -> Option<String> {
        self.running
            .as_ref()
            .map(|running| format!("is busy with task {}", running.spec.task))
    }

    /// State, cause and next action.
    pub(super) fn describe(&self) -> (DeviceState, String, String) {
        match &self.running {
            Some(running) => {
                let next = "goes on with its next task when this one is over";
                (
                    DeviceState::Busy,
                    format!("runs task {}", running.spec.task),
                    next.to_owned(),
                )
            }
            None => self.describe_idle(),
        }
    }

    fn describe_idle(&self) -> (DeviceState, String, String) {
        let because = |state, cause: String, next: &str| (state, cause, next.to_owned());
        if !self.enabled {
            return because(
                DeviceState::Disabled,
                "is switched off".to_owned(),
                "enable it to go on",
            );
        }
        match &self.adb {
            None => {
                return because(
                    DeviceState::Offline,
                    "has not been seen since the start".to_owned(),
                    CONNECT,
                );
            }
            Some(AdbState::Offline) => {
                let cause = match &self.problem {
                    Some(problem) => format!("is away ({problem})"),
                    None => "is away".to_owned(),
                };
                return because(DeviceState::Offline, cause, CONNECT);
            }
            Some(AdbState::Unauthorized) => {
                let cause = "does not trust this computer".to_owned();
                return because(
                    DeviceState::Unauthorized,
                    cause,
                    "allow USB debugging on the phone's screen",
                );
            }
            Some(AdbState::Other(words)) => {
                return because(
                    DeviceState::Offline,
                    format!("is not usable (adb says: {words})"),
                    CONNECT,
                );
            }
            Some(AdbState::Device) => {}
        }
        if self.quarantine.until().is_some() {
            let cause = "failed too often and rests".to_owned();
            return because(
                DeviceState::Quarantined,
                cause,
                "is tried again by itself; look at its log",
            );
        }
        match &self.look {
            Look::Good => because(DeviceState::Online, "answers".to_owned(), "waits for tasks"),
            Look::Never => {
                let cause = "has appeared and is being looked at".to_owned();
                because(DeviceState::Offline, cause, "goes online when it answers")
            }
            Look::Bad(problem) => {
                let cause = format!("does not answer ({problem})");
                because(
                    DeviceState::Offline,
                    cause,
                    "is asked again by itself; check cable and screen",
                )
            }
        }
    }
}
