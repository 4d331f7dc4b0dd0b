//! Settings: the defaults of `settings.toml` (embedded), then `settings.toml` in the working directory, then the file
//! of `--config`, then `FARMHAND__SECTION__KEY`, then flags.
//!
//! The embedded file names every key, so it is also the list of keys that exist: any other is refused with the one
//! that was probably meant.

mod check;
mod kinds;
mod sections;

use std::path::Path;

use config::{Config, ConfigError, Environment, File, FileFormat};

pub use sections::*;

/// The defaults, with comments: what `settings.toml` in the repository holds.
pub const DEFAULTS: &str = include_str!("../../settings.toml");

/// Why the settings cannot be used. Every text names the key and the mend.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Keys that do not exist, each with the one probably meant, values of the wrong kind or out of their range: a line
    /// each.
    #[error("{0}")]
    Mistaken(String),
    /// A file cannot be read or is not TOML, or a value does not fit its key.
    #[error("settings: {0}")]
    Unreadable(String),
}

impl Settings {
    /// Reads all layers. `overrides` are flags: dotted key and value.
    ///
    /// # Errors
    /// Names every unknown key with the one probably meant and every value of the wrong kind, or else all values that
    /// cannot be meant.
    pub fn load(file: Option<&Path>, overrides: &[(&str, String)]) -> Result<Self, SettingsError> {
        Self::load_over("", file, overrides)
    }

    /// As [`Self::load`], with defaults of the caller's own (TOML) instead of some of the embedded ones: whatever is
    /// set anywhere still wins over them.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_over(defaults: &str, file: Option<&Path>, overrides: &[(&str, String)]) -> Result<Self, SettingsError> {
        let env = std::env::vars().collect();
        Self::load_from(defaults, Path::new("settings.toml"), file, env, overrides)
    }

    /// The defaults alone, whatever this directory and the environment say: for benches.
    ///
    /// # Errors
    /// Never, unless the embedded file is broken.
    pub fn defaults() -> Result<Self, SettingsError> {
        Self::load_from(
            "",
            Path::new("settings.toml.none"),
            None,
            std::collections::HashMap::new(),
            &[],
        )
    }

    fn load_from(
        defaults: &str,
        local: &Path,
        file: Option<&Path>,
        env: std::collections::HashMap<String, String>,
        overrides: &[(&str, String)],
    ) -> Result<Self, SettingsError> {
        let known = Config::builder()
            .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
            .add_source(File::from_str(defaults, FileFormat::Toml))
            .build()
            .map_err(unreadable)?;
        let mut layers = Config::builder();
        // Who runs a command beside the file that ships with farmhand has said nothing with it.
        if std::fs::read_to_string(local).ok().as_deref() != Some(DEFAULTS) {
            layers = layers.add_source(File::from(local).format(FileFormat::Toml).required(false));
        }
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
        let mut layers = layers.build().map_err(unreadable)?;
        kinds::read_texts("", &known.cache, &mut layers.cache);
        kinds::check(&known.cache, &layers.cache)?;
        let all = Config::builder()
            .add_source(known)
            .add_source(layers)
            .build()
            .map_err(unreadable)?;
        let mut settings: Self = all.try_deserialize().map_err(unreadable)?;
        let limits = &mut settings.limits;
        for limit in limits.scripts.values_mut().chain([&mut limits.others]) {
            *limit = limit.without_zeros();
        }
        settings.check()?;
        Ok(settings)
    }
}

fn unreadable(error: ConfigError) -> SettingsError {
    SettingsError::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use farmhand_actors::domain::ScriptName;

    use super::*;

    pub fn load(toml: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("farm.toml");
        std::fs::write(&file, toml).unwrap();
        let env: HashMap<_, _> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings::load_from("", &dir.path().join("settings.toml"), Some(&file), env, &[])
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = load("", &[]).unwrap();

        assert_eq!((settings.http.host.as_str(), settings.http.port), ("127.0.0.1", 50809));
        assert_eq!(settings.auth.mode, AuthMode::Off);
        assert_eq!(settings.database.url, "sqlite://data/farmhand.db");
        assert_eq!(settings.adb.servers, ["127.0.0.1:5037"]);
        assert!(settings.adb.start_server && settings.limits.enabled);
        assert_eq!(settings.retry.delay, [5, 60]);
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
    fn below_limits_only_the_names_of_scripts_are_free() {
        let refused = |toml: &str| load(toml, &[]).unwrap_err().to_string();

        let switch = refused("[limits]\nenabeld = false");
        let key = refused("[limits.my_flow]\nper_huor = 3\n[limits.post]\nper_dya = 1");

        assert!(
            switch.contains("unknown key 'limits.enabeld'; did you mean 'limits.enabled'?"),
            "{switch}"
        );
        assert!(key.contains("did you mean 'limits.my_flow.per_hour'?"), "{key}");
        assert!(key.contains("did you mean 'limits.post.per_day'?"), "{key}");
        let mine = ScriptName::parse("my_flow").unwrap();
        let settings = load("[limits.my_flow]\nper_hour = 3", &[]).unwrap();
        assert_eq!(settings.limits.scripts[&mine].per_hour, Some(3));
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        let settings = load("[limits.post]\nper_hour = 0\nper_day = 0\nmin_gap_s = 0", &[]).unwrap();

        let post = settings.limits.scripts[&ScriptName::parse("post").unwrap()];
        assert_eq!((post.per_hour, post.per_day, post.min_gap_s), (None, None, None));
    }

    #[test]
    fn what_is_set_anywhere_wins_over_the_defaults_of_a_command() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("farm.toml");
        // As the embedded default has it, but said: that counts.
        std::fs::write(&file, "[limits.post]\nper_hour = 30\n[duplicates]\nwindow_h = 24\n").unwrap();
        let own = "[limits.post]\nper_hour = 9\nper_day = 9\n[duplicates]\nwindow_h = 0\n";

        let settings = Settings::load_from(own, &dir.path().join("none"), Some(&file), HashMap::new(), &[]).unwrap();

        let post = settings.limits.scripts[&ScriptName::parse("post").unwrap()];
        assert_eq!((post.per_hour, post.per_day), (Some(30), Some(9)));
        assert_eq!(settings.duplicates.window_h, 24);
    }

    #[test]
    fn the_file_that_ships_with_farmhand_says_nothing_where_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let local = dir.path().join("settings.toml");
        std::fs::write(&local, DEFAULTS).unwrap();
        let own = "[duplicates]\nwindow_h = 0\n";
        let load = || Settings::load_from(own, &local, None, HashMap::new(), &[]).unwrap();

        assert_eq!(load().duplicates.window_h, 0);
        std::fs::write(&local, format!("{DEFAULTS}\n# mine\n")).unwrap();
        assert_eq!(load().duplicates.window_h, 24);
    }

    #[test]
    fn addresses_of_servers_and_phones_may_be_names_and_ipv6() {
        let toml = "devices = [{ serial = \"a\", address = \"[fe80::1]:5555\" }]\n\
                    [adb]\nservers = [\"adb-host.lan:5037\", \"[::1]:5038\"]";

        assert_eq!(load(toml, &[]).unwrap().adb.servers.len(), 2);
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

        let follow = ScriptName::parse("follow").unwrap();
        assert_eq!(settings.http.port, 1234);
        assert_eq!(settings.adb.servers, ["127.0.0.1:6000", "10.0.0.2:5037"]);
        assert_eq!(settings.limits.scripts[&follow].per_day, Some(7));
        assert_eq!(settings.limits.scripts[&follow].per_hour, Some(60));
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
            ("[scheduler]\ntime_zone = \"Factory\"", "scheduler.time_zone"),
            ("[scheduler]\ntime_zone = \"Etc/Unknown\"", "scheduler.time_zone"),
            ("[database]\nurl = \"mysql://x\"", "database.url"),
            ("[auth]\nmode = \"password\"", "auth.mode"),
            ("[flows]\nhttp_hosts = [\"http://10.0.0.1/\"]", "flows.http_hosts"),
            (
                "devices = [{ serial = \"a\", address = \"192.168.1.20\" }]",
                "devices[0].address",
            ),
            (
                "devices = [{ serial = \"a\", address = \"b:1\" }, { serial = \"a\", address = \"c:1\" }]",
                "devices[1].serial",
            ),
            (
                "devices = [{ serial = \"a\", address = \"b:1\" }, { serial = \"c\", address = \"b:1\" }]",
                "devices[1].address",
            ),
            ("[adb]\nservers = [\"nonsense\"]", "adb.servers"),
            ("[adb]\nservers = [\"127.0.0.1:99999\"]", "adb.servers"),
            ("[adb]\nservers = [\"127.0.0.1:0\"]", "adb.servers"),
            ("[tasks]\npoison_limit = 0", "tasks.poison_limit"),
            ("[sim]\nphones = 0", "sim.phones"),
            ("[sim]\nphones = 501", "sim.phones"),
            (
                "[retention]\nevent_hours = 0",
                "retention.event_hours: must be at least 1",
            ),
            (
                "[tasks]\nmax_per_request = 1000001",
                "tasks.max_per_request: must be from 1 to 1000000",
            ),
            (
                "[tasks]\nmax_per_request = 0",
                "tasks.max_per_request: must be from 1 to 1000000",
            ),
        ] {
            let error = load(toml, &[]).unwrap_err().to_string();
            assert!(error.contains(key), "{toml}: {error}");
        }
    }

    #[test]
    fn all_values_that_cannot_be_meant_are_told_at_once() {
        let toml = "[retry]\ndelay = [60, 5]\n[webhooks]\ntimeout_s = 0\ngive_up_s = 0\n[adb]\nservers = [\"a\", \"b\"]\n\
                    [attempt]\ntime_limit_s = 0\nstop_grace_ms = 9000\n";

        let error = load(toml, &[]).unwrap_err().to_string();

        let keys: Vec<&str> = error.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
        let wanted = [
            "retry.delay",
            "attempt.time_limit_s",
            "attempt.stop_grace_ms",
            "webhooks.timeout_s",
            "webhooks.give_up_s",
            "adb.servers",
            "adb.servers",
        ];
        assert_eq!(keys, wanted, "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_or_not_toml_is_named() {
        let missing = Settings::load_from(
            "",
            Path::new("none"),
            Some(Path::new("/no/such.toml")),
            HashMap::new(),
            &[],
        );
        assert!(missing.unwrap_err().to_string().contains("/no/such.toml"));
        assert!(load("port = ", &[]).unwrap_err().to_string().contains("farm.toml"));
    }
}
