//! What a device shows of itself: its state, why it is in it, and what comes next.

use std::time::Duration;

use std::sync::Arc;

use super::{DeviceStatus, core::DeviceCore, probe::Look};
use crate::domain::{AdbState, DeviceEvidence, DeviceInfo, DeviceState, Now, QuarantineInfo};

/// After so long a device that was not seen since the start counts as away. It has no news of its own then, and who follows
/// the farm by its events is to know.
pub const UNSEEN: Duration = Duration::from_secs(10);

/// Why a device is away that no adb server has shown, and what to do.
pub const NOT_SEEN: (&str, &str) = (
    "has not been seen since the start",
    "connect the phone and switch USB debugging on; if its adb server is down, start that: farmhand doctor",
);

/// Why a device that a person has switched off gets no tasks, and what to do.
pub const SWITCHED_OFF: (&str, &str) = ("is switched off", "enable it to go on");

/// Why a device that a person holds gets no tasks.
#[must_use]
pub fn held_because(reason: &str) -> String {
    format!("was put into quarantine by a person: {reason}")
}

/// What to do about a phone whose adb server is away.
const SERVER_AWAY: &str = "goes on when its adb server answers again; if it stays so, restart that: farmhand doctor";

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
            evidence: DeviceEvidence {
                adb: self.adb.clone(),
                probe: self.probed.clone(),
                last_good: None,
            },
            quarantine: self.quarantine_info(now),
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
                let task = running.spec.task;
                let away = self.described_by_adb();
                let (cause, next) = match (away, &self.heartbeat.silent) {
                    (Some((_, away, mend)), _) => (format!("runs task {task}, but {away}"), mend),
                    (None, Some(problem)) => (
                        format!("runs task {task}, but does not answer ({problem})"),
                        "its task ends at the next deadline; check cable and screen".to_owned(),
                    ),
                    (None, None) => (
                        format!("runs task {task}"),
                        "goes on with its next task when this one is over".to_owned(),
                    ),
                };
                (DeviceState::Busy, cause, next)
            }
            None => self.describe_idle(),
        }
    }

    fn describe_idle(&self) -> (DeviceState, String, String) {
        self.described_by_people()
            .or_else(|| self.described_by_adb())
            .unwrap_or_else(|| self.described_by_itself())
    }

    fn described_by_people(&self) -> Option<(DeviceState, String, String)> {
        if !self.enabled {
            let (cause, next) = SWITCHED_OFF;
            return Some((DeviceState::Disabled, cause.to_owned(), next.to_owned()));
        }
        let held = self.held.as_ref()?;
        let cause = held_because(&held.reason);
        let next = format!("release it to go on: farmhand device release {}", self.serial());
        Some((DeviceState::Quarantined, cause, next))
    }

    fn described_by_adb(&self) -> Option<(DeviceState, String, String)> {
        let Some(adb) = self.adb_says() else {
            let (cause, next) = NOT_SEEN;
            return Some((DeviceState::Offline, cause.to_owned(), next.to_owned()));
        };
        let (state, cause) = match (adb, &self.problem) {
            (AdbState::Device, _) => return None,
            (AdbState::Unauthorized, _) => (DeviceState::Unauthorized, adb.meaning()),
            (AdbState::Offline, Some(problem)) => (DeviceState::Offline, format!("is away ({problem})")),
            (AdbState::Offline | AdbState::Other(_), _) => (DeviceState::Offline, adb.meaning()),
        };
        // Neither cable nor phone is to be looked at then.
        let mend = if self.server_away { SERVER_AWAY } else { adb.mend() };
        Some((state, cause, mend.to_owned()))
    }

    fn described_by_itself(&self) -> (DeviceState, String, String) {
        if self.quarantine.until().is_some() {
            let cause = "failed too often and rests".to_owned();
            let next = "is tried again by itself, or when a person releases it; look at its log";
            return (DeviceState::Quarantined, cause, next.to_owned());
        }
        let (state, cause, next) = match &self.look {
            Look::Good => (DeviceState::Online, "answers".to_owned(), "waits for tasks"),
            Look::Never => {
                let cause = "has appeared and is being looked at".to_owned();
                (DeviceState::Offline, cause, "goes online when it answers")
            }
            Look::Doubted => {
                let cause = "has failed an attempt and is being looked at".to_owned();
                (DeviceState::Offline, cause, "goes online when it answers")
            }
            Look::Bad(problem) => {
                let cause = format!("does not answer ({problem})");
                let next = "is asked again by itself; check cable and screen, or restart the phone";
                (DeviceState::Offline, cause, next)
            }
        };
        (state, cause, next.to_owned())
    }

    fn quarantine_info(&self, now: Now) -> Option<QuarantineInfo> {
        if let Some(held) = &self.held {
            return Some(QuarantineInfo {
                by_person: true,
                reason: held.reason.clone(),
                until: None,
            });
        }
        let until = self.quarantine.until()?;
        let left = until.saturating_sub(now.mono);
        let failed = self.quarantine.failed();
        let failures = if failed == 1 { "failure" } else { "failures" };
        Some(QuarantineInfo {
            by_person: false,
            reason: format!(
                "{failed} {failures} of its own within {} s",
                self.settings.quarantine.window_s
            ),
            until: Some(now.wall + left),
        })
    }
}
