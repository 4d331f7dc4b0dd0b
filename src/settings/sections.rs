//! The sections of the settings, as `settings.toml` describes them.

use std::{collections::BTreeMap, path::PathBuf};

use farmhand_actors::{
    domain::{AppPackages, retry::RetrySettings},
    settings::{AttemptSettings, LimitSettings, ProbeSettings, QuarantineSettings, SupervisionSettings},
};
use serde::Deserialize;

use crate::{
    adb::{AdbSettings, TcpPhone},
    webhook::WebhookSettings,
};

/// All settings. Units are in the names or in `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Folder of everything that must survive a restart.
    pub data_dir: PathBuf,
    /// Phones on Wi-Fi.
    pub devices: Vec<TcpPhone>,
    /// `[http]`
    pub http: Http,
    /// `[auth]`
    pub auth: Auth,
    /// `[database]`
    pub database: Database,
    /// `[adb]`
    pub adb: AdbSettings,
    /// `[apps]`: package by app name.
    pub apps: AppPackages,
    /// `[flows]`
    pub flows: Flows,
    /// `[media]`
    pub media: Media,
    /// `[scheduler]`
    pub scheduler: Scheduler,
    /// `[tasks]`
    pub tasks: Tasks,
    /// `[attempt]`
    pub attempt: AttemptSettings,
    /// `[retry]`
    pub retry: RetrySettings,
    /// `[quarantine]`
    pub quarantine: QuarantineSettings,
    /// `[probe]`
    pub probe: ProbeSettings,
    /// `[supervision]`
    pub supervision: SupervisionSettings,
    /// `[limits]`
    pub limits: LimitSettings,
    /// `[duplicates]`
    pub duplicates: Duplicates,
    /// `[webhooks]`
    pub webhooks: WebhookSettings,
    /// `[license]`
    pub license: License,
    /// `[retention]`
    pub retention: Retention,
    /// `[log]`
    pub log: Log,
    /// `[sim]`
    pub sim: Sim,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Duplicates {
    /// Hours; 0: the same content may be published at any time.
    pub window_h: u64,
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
pub struct Flows {
    /// Folder; empty: none.
    pub dir: String,
    /// `name` or `name:port`.
    pub http_hosts: Vec<String>,
}

/// See `settings.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Media {
    /// Folders.
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
    /// Deaths.
    pub poison_limit: u32,
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
