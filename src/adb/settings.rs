//! What an operator can set about adb: servers, deadlines, limits. Every key has a safe default.

use std::{path::PathBuf, time::Duration};

use farmhand_actors::domain::Serial;
use serde::Deserialize;

/// The section `adb` of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdbSettings {
    /// adb servers as `host:port`, other hosts too. TCP phones are connected through the first.
    pub servers: Vec<String>,
    /// Whether a server on this host that does not listen is started (`adb -P PORT start-server`).
    pub start_server: bool,
    /// How long each kind of call may take.
    pub deadlines: AdbDeadlines,
    /// How much may be in flight or in memory.
    pub limits: AdbLimits,
    /// Pictures of screens for people who watch.
    pub screens: AdbScreens,
    /// The uiautomator2 agent.
    pub agent: AgentSettings,
}

impl Default for AdbSettings {
    fn default() -> Self {
        Self {
            servers: vec!["127.0.0.1:5037".to_owned()],
            start_server: true,
            deadlines: AdbDeadlines::default(),
            limits: AdbLimits::default(),
            screens: AdbScreens::default(),
            agent: AgentSettings::default(),
        }
    }
}

/// The uiautomator2 agent: view trees in a fraction of the time, and text of any script. Without a file of it, phones
/// are asked by adb alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentSettings {
    /// The file `u2.jar` of the PyPI package `uiautomator2`; empty: no agent.
    pub jar: PathBuf,
    /// The port on the phone where it listens.
    pub port: u16,
    /// From its start to its first answer, milliseconds; its file is copied before, like any other. View trees wait for
    /// that, so it is shorter than `dump_ms`.
    pub start_ms: u64,
    /// One question to it, milliseconds. Past that it is ended, and adb alone answers.
    pub call_ms: u64,
    /// It is ended when nobody has asked it for so long, seconds.
    pub idle_s: u64,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            jar: PathBuf::new(),
            port: 9008,
            start_ms: 10_000,
            call_ms: 10_000,
            idle_s: 300,
        }
    }
}

impl AgentSettings {
    /// Whether there is one.
    #[must_use]
    pub fn enabled(&self) -> bool {
        !self.jar.as_os_str().is_empty()
    }

    /// What is wrong with these settings, by key, and the mend.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        if !self.enabled() {
            return Vec::new();
        }
        let mut problems = Vec::new();
        if !self.jar.is_file() {
            let problem = format!(
                "{} is no file; name the u2.jar of the PyPI package uiautomator2, or leave it empty",
                self.jar.display()
            );
            problems.push(("adb.agent.jar", problem));
        }
        let numbers = [
            ("adb.agent.port", u64::from(self.port)),
            ("adb.agent.start_ms", self.start_ms),
            ("adb.agent.call_ms", self.call_ms),
            ("adb.agent.idle_s", self.idle_s),
        ];
        let zeros = numbers.into_iter().filter(|(_, value)| *value == 0);
        problems.extend(zeros.map(|(key, _)| (key, "must be at least 1".to_owned())));
        problems
    }
}

/// A phone on TCP that farmhand connects through the first adb server, keeps connected and names by `serial`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpPhone {
    /// farmhand's name for it; the phone's own `ro.serialno` has to be the same.
    pub serial: Serial,
    /// `host:port` of the phone's adbd, as given to `adb connect`.
    pub address: String,
}

/// Deadlines in milliseconds, by kind of call. Past its deadline a call is cancelled and its socket closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdbDeadlines {
    /// A question to the adb server itself (its list, a phone's features). Below 1,000 so that a server that
    /// hangs is noticed within two seconds by the poll of once a second.
    pub server_ms: u64,
    /// `host:connect` of a TCP phone; the server itself gives up after 10 s.
    pub connect_ms: u64,
    /// `adb start-server`.
    pub start_server_ms: u64,
    /// A shell command without a deadline of its own.
    pub shell_ms: u64,
    /// Taking a phone, asking it about itself, small questions (`pm path`, focus, size).
    pub query_ms: u64,
    /// A tap, a swipe (on top of its own duration), a key.
    pub input_ms: u64,
    /// Typing, on top of `input_ms`, for each character.
    pub type_per_char_ms: u64,
    /// `uiautomator dump`: it waits up to 10 s for the screen to come to rest.
    pub dump_ms: u64,
    /// A raw picture of the screen.
    pub screenshot_ms: u64,
    /// Starting an app or opening a link.
    pub launch_ms: u64,
    /// A file to or from the phone, whatever its size.
    pub copy_ms: u64,
    /// A file to or from the phone, on top of `copy_ms`, for each MiB begun.
    pub copy_per_mib_ms: u64,
    /// `pm install`, after the file was copied.
    pub install_ms: u64,
    /// Until a new media file stands in the phone's MediaStore.
    pub media_scan_ms: u64,
}

impl Default for AdbDeadlines {
    fn default() -> Self {
        Self {
            server_ms: 900,
            connect_ms: 12_000,
            start_server_ms: 10_000,
            shell_ms: 30_000,
            query_ms: 10_000,
            input_ms: 10_000,
            type_per_char_ms: 20,
            dump_ms: 25_000,
            screenshot_ms: 15_000,
            launch_ms: 30_000,
            copy_ms: 15_000,
            copy_per_mib_ms: 2_000,
            install_ms: 180_000,
            media_scan_ms: 15_000,
        }
    }
}

impl AdbDeadlines {
    /// The deadline for copying `bytes`.
    #[must_use]
    pub fn copy(&self, bytes: u64) -> Duration {
        let begun = bytes / (1024 * 1024) + 1;
        millis(self.copy_ms.saturating_add(begun.saturating_mul(self.copy_per_mib_ms)))
    }
}

/// A number of milliseconds as a duration.
pub(super) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Bounds. Each protects something that was seen to break beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdbLimits {
    /// Sockets to one adb server at the same time: with 300 phones it stays below the server's hard 1,024 files.
    pub calls_per_server: usize,
    /// Sockets for one phone at the same time, so that a sick one cannot fill the server's budget.
    pub calls_per_phone: usize,
    /// `host:connect` at the same time: 500 at once abort the server.
    pub connects: usize,
    /// Phones of one server being asked about themselves at the same time (when they appear, and now and then), so that
    /// a farm that comes back all at once, or many phones that do not answer, leave room for the tasks of the others.
    pub setups: usize,
    /// Bytes of output of one command.
    pub output_bytes: usize,
    /// Bytes of one hierarchy.
    pub hierarchy_bytes: usize,
    /// Nodes of one hierarchy; beyond 10,000 no more than one for 256 bytes of it.
    pub hierarchy_nodes: usize,
    /// Pixels of one picture.
    pub screenshot_pixels: usize,
    /// Failures in a row after which a phone is left alone for a while.
    pub breaker_failures: u32,
    /// The first such while; it doubles with each failed probe.
    pub breaker_rest_ms: u64,
    /// The longest such while.
    pub breaker_rest_max_ms: u64,
    /// The longest pause between two attempts to connect a TCP phone or an adb server.
    pub reconnect_max_ms: u64,
}

impl Default for AdbLimits {
    fn default() -> Self {
        Self {
            calls_per_server: 256,
            calls_per_phone: 2,
            connects: 20,
            setups: 32,
            output_bytes: 16 * 1024 * 1024,
            hierarchy_bytes: 8 * 1024 * 1024,
            hierarchy_nodes: 50_000,
            screenshot_pixels: 16 * 1024 * 1024,
            breaker_failures: 5,
            breaker_rest_ms: 1_000,
            breaker_rest_max_ms: 60_000,
            reconnect_max_ms: 5_000,
        }
    }
}

/// Section `adb.screens`. Evidence of failed steps is always fresh, whatever stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdbScreens {
    /// How old a picture may be that somebody is given who asks later.
    pub max_age_ms: u64,
    /// After so many pictures of a phone the dearer way (raw or PNG) is measured again; 0: never.
    pub measure_every: u32,
    /// Pictures being taken at the same time in the whole farm: each is ten megabytes.
    pub at_once: usize,
    /// Bytes of pictures that are kept for their age.
    pub memory_bytes: usize,
}

impl Default for AdbScreens {
    fn default() -> Self {
        Self {
            max_age_ms: 1_000,
            measure_every: 50,
            at_once: 8,
            memory_bytes: 64 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_default() {
        let settings: AdbSettings = serde_json::from_str("{}").unwrap();

        assert_eq!(settings, AdbSettings::default());
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = serde_json::from_str::<AdbSettings>(r#"{"server": []}"#).unwrap_err();

        assert!(error.to_string().contains("`server`"), "{error}");
    }

    #[test]
    fn an_agent_whose_file_is_not_there_is_named_with_the_mend() {
        assert_eq!(AgentSettings::default().problems(), []);
        let lost = AgentSettings {
            jar: "/none/u2.jar".into(),
            ..AgentSettings::default()
        };

        let (key, problem) = &lost.problems()[0];

        assert_eq!(*key, "adb.agent.jar");
        assert!(problem.contains("/none/u2.jar is no file"), "{problem}");
        let file = tempfile::NamedTempFile::new().unwrap();
        let hasty = AgentSettings {
            jar: file.path().to_owned(),
            call_ms: 0,
            ..AgentSettings::default()
        };
        assert_eq!(hasty.problems()[0].0, "adb.agent.call_ms");
    }

    #[test]
    fn a_copy_gets_time_for_each_mebibyte_begun() {
        let deadlines = AdbDeadlines {
            copy_ms: 1_000,
            copy_per_mib_ms: 100,
            ..AdbDeadlines::default()
        };

        assert_eq!(deadlines.copy(0), millis(1_100));
        assert_eq!(deadlines.copy(3 * 1024 * 1024 - 1), millis(1_300));
    }
}
