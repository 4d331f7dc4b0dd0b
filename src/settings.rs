//! Settings: the defaults of `settings.toml` (embedded), then `settings.toml` in the working directory, then the file
//! of `--config`, then `FARMHAND__SECTION__KEY`, then flags.
//!
//! The embedded file names every key, so it is also the list of keys that exist: any other is refused with the one
//! that was probably meant.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use config::{Config, ConfigError, Environment, File, FileFormat, Value, ValueKind};
use serde::{Deserialize, Deserializer, de};

/// The defaults, with comments: what `settings.toml` in the repository holds.
pub const DEFAULTS: &str = include_str!("../settings.toml");

/// Tables whose keys the operator chooses.
const OPEN_TABLES: [&str; 3] = ["apps", "limits", "media.path_map"];

/// Why the settings cannot be used. Every text names the key and the mend.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Keys that do not exist, each with the one probably meant.
    #[error("{0}")]
    UnknownKeys(String),
    /// A file cannot be read or is not TOML, or a value has the wrong type.
    #[error("settings: {0}")]
    Unreadable(String),
    /// A value is out of its range.
    #[error("settings: {key}: {problem}")]
    Invalid {
        /// Dotted key.
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

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

impl Settings {
    /// Reads all layers. `overrides` are flags: dotted key and value.
    ///
    /// # Errors
    /// Names every unknown key with the one probably meant, or the first wrong value.
    pub fn load(file: Option<&Path>, overrides: &[(&str, String)]) -> Result<Self, SettingsError> {
        Self::load_from(Path::new("settings.toml"), file, std::env::vars().collect(), overrides)
    }

    fn load_from(
        local: &Path,
        file: Option<&Path>,
        env: std::collections::HashMap<String, String>,
        overrides: &[(&str, String)],
    ) -> Result<Self, SettingsError> {
        let known = Config::builder()
            .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
            .build()
            .map_err(unreadable)?;
        let mut layers = Config::builder().add_source(File::from(local).format(FileFormat::Toml).required(false));
        if let Some(file) = file {
            layers = layers.add_source(File::from(file).format(FileFormat::Toml).required(true));
        }
        layers = layers.add_source(
            Environment::with_prefix("FARMHAND")
                .prefix_separator("__")
                .separator("__")
                .source(Some(env)),
        );
        for (key, value) in overrides {
            layers = layers.set_override(*key, value.as_str()).map_err(unreadable)?;
        }
        let layers = layers.build().map_err(unreadable)?;
        refuse_unknown(&known.cache, &layers.cache)?;
        let all = Config::builder()
            .add_source(known)
            .add_source(layers)
            .build()
            .map_err(unreadable)?;
        let settings: Self = all.try_deserialize().map_err(unreadable)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let invalid = |key: &str, problem: String| {
            let key = key.to_owned();
            Err(SettingsError::Invalid { key, problem })
        };
        if self.retry.delay.0 > self.retry.delay.1 {
            return invalid(
                "retry.delay",
                "the first number must not be above the second".to_owned(),
            );
        }
        if jiff::tz::TimeZone::get(&self.scheduler.time_zone).is_err() {
            let name = &self.scheduler.time_zone;
            return invalid(
                "scheduler.time_zone",
                format!("'{name}' is no time zone; use an IANA name like Europe/Warsaw"),
            );
        }
        if self.http.max_body == 0 {
            return invalid("http.max_body", "must be at least 1 byte".to_owned());
        }
        if self.tasks.max_per_request == 0 || self.tasks.time_limit_s == 0 {
            return invalid(
                "tasks",
                "max_per_request and time_limit_s must be at least 1".to_owned(),
            );
        }
        if self.adb.servers.is_empty() {
            return invalid(
                "adb.servers",
                "name at least one server, e.g. 127.0.0.1:5037".to_owned(),
            );
        }
        if !self.database.url.is_empty() && !self.database.url.starts_with("sqlite:") {
            return invalid(
                "database.url",
                "only sqlite:// is supported, e.g. sqlite://data/farmhand.db".to_owned(),
            );
        }
        Ok(())
    }
}

fn unreadable(error: ConfigError) -> SettingsError {
    SettingsError::Unreadable(error.to_string())
}

/// Compares the keys of what was given with those of the defaults; names all that do not exist.
fn refuse_unknown(known: &Value, given: &Value) -> Result<(), SettingsError> {
    let mut problems = Vec::new();
    compare("", known, given, &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    Err(SettingsError::UnknownKeys(problems.join("\n")))
}

fn compare(path: &str, known: &Value, given: &Value, problems: &mut Vec<String>) {
    let (ValueKind::Table(known), ValueKind::Table(given)) = (&known.kind, &given.kind) else {
        return;
    };
    if OPEN_TABLES.contains(&path) {
        return;
    }
    let mut names: Vec<_> = given.keys().collect();
    names.sort();
    for name in names {
        let full = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        match (known.get(name), given.get(name)) {
            (Some(known), Some(given)) => compare(&full, known, given, problems),
            _ => problems.push(unknown(&full, path, name, known.keys())),
        }
    }
}

fn unknown<'a>(full: &str, path: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let nearest = known.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let meant = match (nearest, path) {
        (Some(nearest), "") => format!("; did you mean '{nearest}'?"),
        (Some(nearest), path) => format!("; did you mean '{path}.{nearest}'?"),
        (None, _) => String::new(),
    };
    format!("settings: unknown key '{full}'{meant}")
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn load(toml: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("farm.toml");
        std::fs::write(&file, toml).unwrap();
        let env: HashMap<_, _> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings::load_from(&dir.path().join("settings.toml"), Some(&file), env, &[])
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = load("", &[]).unwrap();

        assert_eq!((settings.http.host.as_str(), settings.http.port), ("127.0.0.1", 50809));
        assert_eq!(settings.auth.mode, AuthMode::Off);
        assert_eq!(settings.database.url, "sqlite://data/farmhand.db");
        assert_eq!(settings.adb.servers, ["127.0.0.1:5037"]);
        assert!(settings.adb.start_server && settings.limits.enabled);
        assert_eq!(settings.retry.delay, (5, 60));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
        let error = load("[http]\nprot = 1\n[rety]\nmax = 1", &[]).unwrap_err().to_string();

        assert!(
            error.contains("unknown key 'http.prot'; did you mean 'http.port'?"),
            "{error}"
        );
        assert!(error.contains("unknown key 'rety'; did you mean 'retry'?"), "{error}");
    }

    #[test]
    fn an_unknown_environment_variable_is_refused_too() {
        let error = load("", &[("FARMHAND__HTTP__PROT", "1")]).unwrap_err().to_string();

        assert!(error.contains("did you mean 'http.port'?"), "{error}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let settings = load(
            "[http]\nport = 1\n",
            &[
                ("FARMHAND__HTTP__PORT", "1234"),
                ("FARMHAND__ADB__SERVERS", "127.0.0.1:6000,10.0.0.2:5037"),
                ("FARMHAND__LIMITS__FOLLOW__PER_DAY", "7"),
                ("FARMHAND_CONFIG", "ignored"),
            ],
        )
        .unwrap();

        assert_eq!(settings.http.port, 1234);
        assert_eq!(settings.adb.servers, ["127.0.0.1:6000", "10.0.0.2:5037"]);
        assert_eq!(settings.limits.scripts["follow"].per_day, 7);
        assert_eq!(settings.limits.scripts["follow"].per_hour, 60);
    }

    #[test]
    fn prefixes_of_the_path_map_keep_their_case() {
        let settings = load("[media.path_map]\n\"C:/Videos\" = \"/srv/v\"\n", &[]).unwrap();

        assert_eq!(settings.media.path_map["C:/Videos"], "/srv/v");
    }

    #[test]
    fn wrong_values_name_their_key() {
        for (toml, key) in [
            ("[http]\nport = 70000", "http.port"),
            ("[http]\nport = \"x\"", "http.port"),
            ("[retry]\ndelay = [60, 5]", "retry.delay"),
            ("[scheduler]\ntime_zone = \"Mars/Base\"", "scheduler.time_zone"),
            ("[database]\nurl = \"mysql://x\"", "database.url"),
            ("[limits.follow]\nper_hour = -1", "per_hour"),
            ("[auth]\nmode = \"password\"", "auth.mode"),
            ("devices = [{ serial = \"a\", adress = \"b\" }]", "devices"),
        ] {
            let error = load(toml, &[]).unwrap_err().to_string();
            assert!(error.contains(key), "{toml}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_not_toml_is_named() {
        let missing = Settings::load_from(Path::new("none"), Some(Path::new("/no/such.toml")), HashMap::new(), &[]);
        assert!(missing.unwrap_err().to_string().contains("/no/such.toml"));
        assert!(load("port = ", &[]).unwrap_err().to_string().contains("farm.toml"));
    }
}
