//! The sections of the settings, as `settings.toml` describes them.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Deserializer, de};

/// All settings. Units are in the names or in `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Folder of everything that must survive a restart.
    pub data_dir: PathBuf,
    /// Phones on Wi-Fi.
    pub devices: Vec<TcpDevice>,
    /// `[http]`
    pub http: Http,
    /// `[auth]`
    pub auth: Auth,
    /// `[database]`
    pub database: Database,
    /// `[adb]`
    pub adb: Adb,
    /// `[apps]`: package by app name.
    pub apps: BTreeMap<String, String>,
    /// `[flows]`
    pub flows: Flows,
    /// `[media]`
    pub media: Media,
    /// `[scheduler]`
    pub scheduler: Scheduler,
    /// `[tasks]`
    pub tasks: Tasks,
    /// `[retry]`
    pub retry: Retry,
    /// `[limits]`
    pub limits: Limits,
    /// `[license]`
    pub license: License,
    /// `[retention]`
    pub retention: Retention,
    /// `[log]`
    pub log: Log,
    /// `[sim]`
    pub sim: Sim,
}

/// A phone on Wi-Fi.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpDevice {
    /// Its `ro.serialno`, and farmhand's name for it.
    pub serial: String,
    /// `host:port`
    pub address: String,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Http {
    /// Address to listen on.
    pub host: String,
    /// Port; 0: any free one.
    pub port: u16,
    /// Bytes.
    pub max_body: usize,
    /// Further names for the Host and Origin headers.
    #[serde(deserialize_with = "list")]
    pub allowed_hosts: Vec<String>,
    /// Threads; 0: one per core.
    pub workers: usize,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Auth {
    /// Who may call.
    pub mode: AuthMode,
}

/// Who may call the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Everybody on this host.
    Off,
    /// Holders of an API key.
    Keys,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Database {
    /// `sqlite://path`
    pub url: String,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Adb {
    /// `host:port` each.
    #[serde(deserialize_with = "list")]
    pub servers: Vec<String>,
    /// Start a local one that does not answer.
    pub start_server: bool,
    /// Milliseconds.
    pub connect_timeout_ms: u64,
    /// Milliseconds.
    pub shell_timeout_ms: u64,
    /// Milliseconds.
    pub input_timeout_ms: u64,
    /// Milliseconds.
    pub dump_timeout_ms: u64,
    /// Milliseconds.
    pub screenshot_timeout_ms: u64,
    /// Milliseconds.
    pub push_timeout_ms: u64,
    /// Milliseconds.
    pub install_timeout_ms: u64,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Flows {
    /// Folder; empty: none.
    pub dir: String,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Media {
    /// Folders.
    #[serde(deserialize_with = "list")]
    pub roots: Vec<String>,
    /// Bytes.
    pub max_upload: u64,
    /// Prefix → folder.
    pub path_map: BTreeMap<String, String>,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Scheduler {
    /// IANA name.
    pub time_zone: String,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Tasks {
    /// Tasks.
    pub max_per_request: usize,
    /// Seconds.
    pub time_limit_s: u64,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Retry {
    /// Whether.
    pub auto: bool,
    /// How many times.
    pub max: u32,
    /// Seconds, from and to.
    pub delay: (u64, u64),
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Limits {
    /// Whether any limit holds.
    pub enabled: bool,
    /// By script.
    #[serde(flatten)]
    pub scripts: BTreeMap<String, Limit>,
}

/// See `settings.toml`; 0 means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// Confirmed effects in any hour.
    #[serde(deserialize_with = "count")]
    pub per_hour: u32,
    /// Confirmed effects in a day of the farm's zone.
    #[serde(deserialize_with = "count")]
    pub per_day: u32,
    /// Seconds between starts.
    #[serde(deserialize_with = "count")]
    pub min_gap_s: u32,
}

/// See `settings.toml`.
#[derive(Clone, Deserialize)]
pub struct License {
    /// Plan name.
    pub plan: String,
    /// Empty: none.
    pub token: String,
    /// Base64; empty: none.
    pub public_key: String,
}

impl std::fmt::Debug for License {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("License")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

/// See `settings.toml`; 0 keeps everything.
#[derive(Debug, Clone, Deserialize)]
pub struct Retention {
    /// Days.
    pub task_days: u32,
    /// Hours.
    pub event_hours: u32,
    /// Days.
    pub evidence_days: u32,
    /// Bytes.
    pub evidence_bytes: u64,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    /// Text or JSON.
    pub format: LogFormat,
    /// A tracing filter.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Sim {
    /// How many.
    pub phones: u32,
    /// Port; 0: any free one.
    pub control_port: u16,
}

/// A number, or a text of digits (as an environment variable has it, below a table of open keys).
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = u32;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a whole number from 0 to 4294967295 for per_hour, per_day or min_gap_s")
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<u32, E> {
            u32::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u32, E> {
            u32::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<u32, E> {
            let number = text.trim().parse();
            number.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// A list, or one text with commas (as an environment variable has it).
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of texts")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Ok(parts.map(str::to_owned).collect())
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<String>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = seq.next_element()? {
                all.push(item);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(Visitor)
}
