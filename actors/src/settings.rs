//! What of the settings concerns the actors. Every field has a safe default; durations name their unit.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use crate::domain::{AppPackages, Limits, Package, ScriptLimit, ScriptName, retry::RetrySettings};

/// All that the actors are told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FarmSettings {
    /// IANA name of the farm's time zone: `start_time` and limits per day are meant in it.
    pub time_zone: String,
    /// How many devices may run tasks at the same time (`None`: all).
    pub device_limit: Option<u32>,
    /// Most tasks that one request may create.
    pub max_tasks_per_request: usize,
    /// After how many deaths of the controller in the middle of one task that task is given up.
    pub poison_limit: u32,
    /// Threads that device actors run on; 0 runs all actors on the caller's thread (tests).
    pub device_arbiters: usize,
    /// How long an ask waits for its answer, seconds.
    pub ask_timeout_s: u64,
    /// Which package an app means.
    pub apps: AppPackages,
    /// Limits of accounts.
    pub limits: LimitSettings,
    /// Retries.
    pub retry: RetrySettings,
    /// Bounds of one attempt.
    pub attempt: AttemptSettings,
    /// Devices that fail too often.
    pub quarantine: QuarantineSettings,
    /// How idle devices are looked at.
    pub probe: ProbeSettings,
    /// How actors are watched.
    pub supervision: SupervisionSettings,
}

/// Section `limits`: the farm's defaults, for accounts without their own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct LimitSettings {
    /// Whether limits are kept at all.
    pub enabled: bool,
    /// For every script that has no limits of its own here. (What counts are confirmed effects, so a script without a
    /// commit step is not held up by them.)
    pub others: ScriptLimit,
    /// By script.
    #[serde(flatten)]
    pub scripts: Limits,
}

/// Section `attempt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttemptSettings {
    /// Wall time that one attempt may take, seconds.
    pub time_limit_s: u64,
    /// Without any progress for so long, an attempt is given up, seconds.
    pub stall_limit_s: u64,
    /// How long a stopped attempt may take to come to a safe point before it is abandoned, milliseconds. Below 1,700:
    /// a stop has to be over in 2 s, with the store's writes.
    pub stop_grace_ms: u64,
    /// How long a phone may be away before its attempt is given up, seconds.
    pub offline_grace_s: u64,
}

/// Section `quarantine`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuarantineSettings {
    /// So many failures of the device's own within `window_s` quarantine it.
    pub failures: u32,
    /// Seconds.
    pub window_s: u64,
    /// First rest, seconds; doubled each time that the device fails on probation.
    pub back_off_s: u64,
    /// Longest rest, seconds.
    pub max_back_off_s: u64,
    /// Largest share of the farm in quarantine at one time (one device may always be): when more fail together, the
    /// fault is the host's.
    pub max_share: f64,
}

/// Section `probe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeSettings {
    /// Between two looks at an idle phone (battery), seconds.
    pub idle_s: u64,
    /// How long a look may take, seconds.
    pub timeout_s: u64,
    /// Between two heartbeats of a phone that says nothing by itself, seconds; 0: none.
    pub heartbeat_s: u64,
    /// How long the answer to a heartbeat may take, milliseconds.
    pub heartbeat_timeout_ms: u64,
    /// After so many heartbeats in a row without an answer a phone does not count as online any more.
    pub heartbeat_misses: u32,
}

/// Section `supervision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupervisionSettings {
    /// Between two heartbeats, seconds.
    pub heartbeat_s: u64,
    /// After so many heartbeats without progress an actor is taken for frozen and rebuilt.
    pub missed_beats: u32,
}

impl Default for FarmSettings {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            device_limit: None,
            max_tasks_per_request: 10_000,
            poison_limit: 3,
            device_arbiters: 2,
            ask_timeout_s: 10,
            apps: packages([
                ("tiktok", "com.zhiliaoapp.musically"),
                ("instagram", "com.instagram.android"),
            ]),
            limits: LimitSettings::default(),
            retry: RetrySettings::default(),
            attempt: AttemptSettings::default(),
            quarantine: QuarantineSettings::default(),
            probe: ProbeSettings::default(),
            supervision: SupervisionSettings::default(),
        }
    }
}

/// Which scripts are limited, and how, `settings.toml` says.
impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            others: ScriptLimit {
                per_hour: Some(60),
                per_day: Some(200),
                min_gap_s: None,
            },
            scripts: Limits::new(),
        }
    }
}

impl Default for AttemptSettings {
    fn default() -> Self {
        Self {
            time_limit_s: 30 * 60,
            stall_limit_s: 5 * 60,
            stop_grace_ms: 1_500,
            offline_grace_s: 20,
        }
    }
}

impl AttemptSettings {
    /// The time limit.
    #[must_use]
    pub fn time_limit(&self) -> Duration {
        Duration::from_secs(self.time_limit_s)
    }

    /// The grace of a stop.
    #[must_use]
    pub fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.stop_grace_ms)
    }
}

impl Default for QuarantineSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            window_s: 10 * 60,
            back_off_s: 60,
            max_back_off_s: 30 * 60,
            max_share: 0.3,
        }
    }
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            idle_s: 60,
            timeout_s: 15,
            heartbeat_s: 5,
            heartbeat_timeout_ms: 2_000,
            heartbeat_misses: 2,
        }
    }
}

impl Default for SupervisionSettings {
    fn default() -> Self {
        Self {
            heartbeat_s: 5,
            missed_beats: 3,
        }
    }
}

impl FarmSettings {
    /// How long an ask waits.
    #[must_use]
    pub fn ask_timeout(&self) -> Duration {
        Duration::from_secs(self.ask_timeout_s)
    }

    /// An account's limits of a script: number by number its own where it has one, else the farm's; none when limits are
    /// switched off.
    #[must_use]
    pub fn effective_limit(&self, script: &ScriptName, own: &Limits) -> ScriptLimit {
        if !self.limits.enabled {
            return ScriptLimit::default();
        }
        let farms = self.limits.scripts.get(script).copied().unwrap_or(self.limits.others);
        own.get(script).map_or(farms, |own| own.or(farms))
    }
}

fn packages<const N: usize>(names: [(&str, &str); N]) -> BTreeMap<String, Package> {
    names
        .into_iter()
        .filter_map(|(app, package)| Some((app.to_owned(), Package::parse(package).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_name_the_usual_apps_and_switch_limits_on() {
        let settings = FarmSettings::default();
        assert_eq!(settings.apps.len(), 2);
        assert!(settings.limits.enabled);
        assert!(settings.attempt.stop_grace_ms < 1_700);
    }

    #[test]
    fn an_accounts_own_numbers_replace_the_farms_and_switching_off_removes_all() {
        let mut settings = FarmSettings::default();
        let (post, mine) = (ScriptName::parse("post").unwrap(), ScriptName::parse("mine").unwrap());
        let farms = ScriptLimit {
            per_hour: Some(10),
            per_day: Some(40),
            min_gap_s: None,
        };
        settings.limits.scripts = Limits::from([(post.clone(), farms)]);
        let own = ScriptLimit {
            per_day: Some(3),
            ..ScriptLimit::default()
        };
        let own = Limits::from([(post.clone(), own), (mine.clone(), own)]);

        let limit = settings.effective_limit(&post, &own);
        assert_eq!((limit.per_day, limit.per_hour), (Some(3), farms.per_hour));
        let limit = settings.effective_limit(&mine, &own);
        assert_eq!(
            (limit.per_day, limit.per_hour),
            (Some(3), settings.limits.others.per_hour)
        );

        settings.limits.enabled = false;
        assert_eq!(settings.effective_limit(&post, &own), ScriptLimit::default());
    }

    #[test]
    fn scripts_that_nobody_has_named_are_limited_too() {
        let settings = FarmSettings::default();
        let limit = settings.effective_limit(&ScriptName::parse("my_flow").unwrap(), &Limits::new());
        assert_eq!((limit.per_hour, limit.per_day), (Some(60), Some(200)));
    }

    #[test]
    fn limits_are_read_by_script_beside_the_switch() {
        let text = r#"{"limits": {"enabled": true, "follow": {"per_hour": 7}}, "time_zone": "Europe/Warsaw"}"#;
        let settings: FarmSettings = serde_json::from_str(text).unwrap();
        let follow = ScriptName::parse("follow").unwrap();
        assert_eq!(settings.limits.scripts.get(&follow).unwrap().per_hour, Some(7));
    }
}
