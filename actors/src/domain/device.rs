//! Devices.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Held, Serial, Timestamp};

/// What adb says of a phone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdbState {
    /// `device`: usable.
    Device,
    /// `offline`, or not in the list at all.
    Offline,
    /// `unauthorized`: somebody has to allow this computer on the phone.
    Unauthorized,
    /// Anything else adb says (`recovery`, `sideload`, `no permissions …`, `authorizing` …), in its words.
    Other(String),
}

/// The state that the API shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// Seen, probed and free.
    Online,
    /// An attempt runs on it.
    Busy,
    /// Away.
    Offline,
    /// There, but it does not trust this computer.
    Unauthorized,
    /// It failed too often; it rests.
    Quarantined,
    /// A person has switched it off.
    Disabled,
}

impl DeviceState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Online,
        Self::Busy,
        Self::Offline,
        Self::Unauthorized,
        Self::Quarantined,
        Self::Disabled,
    ];

    /// The word used in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Busy => "busy",
            Self::Offline => "offline",
            Self::Unauthorized => "unauthorized",
            Self::Quarantined => "quarantined",
            Self::Disabled => "disabled",
        }
    }
}

/// One line of a watcher's report: where a phone is and how it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// farmhand's name for it.
    pub serial: Serial,
    /// What adb says.
    pub state: AdbState,
}

/// What a phone says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// What it calls itself: `ro.serialno`, or else `ro.boot.serialno`. adb may know it by an address only.
    pub own_serial: Option<String>,
    /// `ro.product.model`.
    pub model: Option<String>,
    /// `ro.build.version.release`.
    pub android_version: Option<String>,
    /// `ro.build.version.sdk`.
    pub sdk: Option<u32>,
    /// Pixels of the panel, upright.
    pub screen_width: Option<u32>,
    /// Pixels of the panel, upright.
    pub screen_height: Option<u32>,
    /// Charge, percent.
    pub battery_level: Option<u8>,
    /// Temperature, tenths of a degree Celsius.
    pub battery_temperature_decicelsius: Option<i32>,
    /// Whether it is on power.
    pub charging: Option<bool>,
    /// `/proc/sys/kernel/random/boot_id`: changes with every boot.
    pub boot_id: Option<String>,
}

impl DeviceInfo {
    /// What no two phones share: what it calls itself, and its boot. `None` while either is not known. Its own serial alone
    /// would not do (cheap phones have the same), nor the boot (containers have that of their machine).
    #[must_use]
    pub fn identity(&self) -> Option<Arc<str>> {
        let (own, boot) = self.own_serial.as_deref().zip(self.boot_id.as_deref())?;
        Some(format!("{own} {boot}").into())
    }
}

/// A device as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// farmhand's name for it.
    pub serial: Serial,
    /// A person's name for it.
    pub alias: Option<String>,
    /// For filters.
    pub tags: Vec<String>,
    /// The app of its tasks without an account; `None`: the usual one.
    pub app: Option<String>,
    /// Whether it may be given tasks.
    pub enabled: bool,
    /// That a person has put it into quarantine.
    pub held: Option<Held>,
    /// The last that it said of itself.
    pub info: DeviceInfo,
    /// When it was last seen online.
    pub last_seen: Option<Timestamp>,
    /// When it was first seen (or configured).
    pub created_at: Timestamp,
}

/// What a person may change of a device; `None` leaves it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DevicePatch {
    /// `Some(None)` removes it.
    pub alias: Option<Option<String>>,
    /// Replaces the tags.
    pub tags: Option<Vec<String>>,
    /// The app of its tasks without an account; `Some(None)`: the usual one.
    pub app: Option<Option<String>>,
    /// Switches it on or off.
    pub enabled: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_told_from_others_by_its_own_serial_and_its_boot_together() {
        let phone = |own: Option<&str>, boot: Option<&str>| {
            let info = DeviceInfo {
                own_serial: own.map(str::to_owned),
                boot_id: boot.map(str::to_owned),
                ..DeviceInfo::default()
            };
            info.identity()
        };
        let one = phone(Some("0123456789"), Some("boot 1"));
        assert!(one.is_some() && one == phone(Some("0123456789"), Some("boot 1")));
        for other in [("0123456789", "boot 2"), ("ABC", "boot 1")] {
            assert_ne!(one, phone(Some(other.0), Some(other.1)));
        }
        assert_eq!((phone(None, Some("boot 1")), phone(Some("ABC"), None)), (None, None));
    }
}
