//! The kinds of values: those of the embedded defaults are the pattern for what is given in files and in the environment.

use config::{Value, ValueKind};

use super::SettingsError;

/// Tables whose keys the operator chooses.
const OPEN_TABLES: [&str; 2] = ["apps", "media.path_map"];
/// The table whose tables are named by scripts: any name may stand there, their keys may not be any.
const SCRIPT_TABLES: &str = "limits";
/// The list whose entries are tables, and the keys of each.
const DEVICES: &str = "devices";
const DEVICE_KEYS: [&str; 2] = ["address", "serial"];
/// Values that are one word of a few.
const CHOICES: [(&str, [&str; 2]); 2] = [("auth.mode", ["off", "keys"]), ("log.format", ["text", "json"])];

/// Numbers of bytes beside those whose names end so: larger than all others.
const IN_BYTES: [&str; 2] = ["http.max_body", "media.max_upload"];

/// Environment variables are texts: those that stand where the defaults have a list, a table of texts, a number or a
/// switch become one. (The config crate's own parsing would also turn the name `007` into a number.)
pub fn read_texts(path: &str, known: &Value, given: &mut Value) {
    match (&known.kind, &mut given.kind) {
        (ValueKind::Table(known), ValueKind::Table(given)) => {
            let template = known.values().find(|value| is_table(value));
            for (name, value) in given {
                if let Some(known) = known.get(name).or(template) {
                    read_texts(&below(path, name), known, value);
                }
            }
        }
        (ValueKind::Array(known), ValueKind::String(text)) => {
            let entries = parts(text).map(|part| match part.split_once('=') {
                Some((serial, address)) if path == DEVICES => device(serial, address),
                _ => match part.parse::<i64>() {
                    Ok(number) if is_numbers(known) => Value::from(number),
                    _ => Value::from(part),
                },
            });
            given.kind = ValueKind::Array(entries.collect());
        }
        (ValueKind::Table(_), ValueKind::String(text)) if OPEN_TABLES.contains(&path) => {
            let pairs: Option<Vec<_>> = parts(text).map(|part| part.split_once('=')).collect();
            if let Some(pairs) = pairs {
                let entries = pairs
                    .into_iter()
                    .map(|(key, value)| (key.trim().to_owned(), Value::from(value.trim())));
                given.kind = ValueKind::Table(entries.collect());
            }
        }
        (ValueKind::I64(_), ValueKind::String(text)) => {
            if let Ok(number) = text.trim().parse() {
                given.kind = ValueKind::I64(number);
            }
        }
        (ValueKind::Float(_), ValueKind::String(text)) => {
            if let Ok(number) = text.trim().parse() {
                given.kind = ValueKind::Float(number);
            }
        }
        (ValueKind::Boolean(_), ValueKind::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => given.kind = ValueKind::Boolean(true),
            "false" | "0" | "no" | "off" => given.kind = ValueKind::Boolean(false),
            _ => {}
        },
        _ => {}
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn device(serial: &str, address: &str) -> Value {
    let entries = [("serial", serial), ("address", address)];
    let entries = entries.map(|(key, value)| (key.to_owned(), Value::from(value.trim())));
    Value::from(ValueKind::Table(entries.into_iter().collect()))
}

/// Compares what was given with the defaults.
///
/// # Errors
/// All keys that do not exist, each with the one probably meant, and all values of another kind than their default's.
pub fn check(known: &Value, given: &Value) -> Result<(), SettingsError> {
    let mut problems = Vec::new();
    compare("", known, given, &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    Err(SettingsError::Mistaken(problems.join("\n")))
}

fn compare(path: &str, known: &Value, given: &Value, problems: &mut Vec<String>) {
    match (&known.kind, &given.kind) {
        (ValueKind::Table(_), ValueKind::Table(_)) if OPEN_TABLES.contains(&path) => {}
        (ValueKind::Table(known), ValueKind::Table(given)) => {
            for (name, value) in sorted(given) {
                // A script that the defaults do not name has the same keys as those that they do.
                let of_script = || known.values().find(|value| is_table(value));
                match known.get(name) {
                    Some(known) => compare(&below(path, name), known, value, problems),
                    None if path == SCRIPT_TABLES && is_table(value) => {
                        if let Some(known) = of_script() {
                            compare(&below(path, name), known, value, problems);
                        }
                    }
                    None => problems.push(unknown(path, name, known.keys().map(String::as_str))),
                }
            }
        }
        (_, ValueKind::Array(entries)) if path == DEVICES => {
            for (place, entry) in entries.iter().enumerate() {
                compare_device(&format!("{DEVICES}[{place}]"), entry, problems);
            }
        }
        _ => {
            if let Some(wanted) = wanted(path, known, given) {
                problems.push(format!("settings: {path} = {}: {wanted}", shown(given)));
            } else if let (ValueKind::Array(known), ValueKind::Array(entries)) = (&known.kind, &given.kind)
                && is_numbers(known)
            {
                compare_numbers(path, entries, problems);
            }
        }
    }
}

/// Lists of numbers are lists of seconds.
fn compare_numbers(path: &str, entries: &[Value], problems: &mut Vec<String>) {
    for (place, entry) in entries.iter().enumerate() {
        if !matches!(entry.kind, ValueKind::I64(number) if number >= 0) {
            let wanted = "must be a whole number of seconds from 0";
            problems.push(format!("settings: {path}[{place}] = {}: {wanted}", shown(entry)));
        }
    }
}

fn compare_device(path: &str, entry: &Value, problems: &mut Vec<String>) {
    let ValueKind::Table(entry) = &entry.kind else {
        let wanted = "must name a phone, e.g. { serial = \"R58M123ABC\", address = \"192.168.1.20:5555\" }";
        return problems.push(format!("settings: {path} = {}: {wanted}", shown(entry)));
    };
    for (name, _) in sorted(entry) {
        if !DEVICE_KEYS.contains(&name.as_str()) {
            problems.push(unknown(path, name, DEVICE_KEYS.into_iter()));
        }
    }
    for key in DEVICE_KEYS {
        match entry.get(key).map(|value| &value.kind) {
            Some(ValueKind::String(_)) => {}
            Some(_) => problems.push(format!("settings: {path}.{key}: must be a text")),
            None => problems.push(format!("settings: {path}.{key}: is missing")),
        }
    }
}

/// The largest number that a key takes.
fn most(path: &str) -> i64 {
    match path.rsplit(['.', '_']).next() {
        Some("port") => u16::MAX.into(),
        Some("bytes") => i64::MAX,
        _ if IN_BYTES.contains(&path) => i64::MAX,
        _ => u32::MAX.into(),
    }
}

/// What a value of another kind should have been.
fn wanted(path: &str, known: &Value, given: &Value) -> Option<String> {
    let choices = CHOICES.iter().find(|(key, _)| *key == path);
    match (&known.kind, &given.kind) {
        (ValueKind::String(_), ValueKind::String(word)) => {
            let (_, words) = choices.filter(|(_, words)| !words.contains(&word.as_str()))?;
            Some(format!("must be \"{}\"", words.join("\" or \"")))
        }
        (ValueKind::I64(_), ValueKind::I64(number)) if *number < 0 => Some("must not be below 0".to_owned()),
        (ValueKind::I64(_), ValueKind::I64(number)) => {
            let most = most(path);
            (*number > most).then(|| format!("must be at most {most}"))
        }
        (ValueKind::I64(_), _) => Some("must be a whole number of 0 or more".to_owned()),
        (ValueKind::Float(_), ValueKind::Float(_) | ValueKind::I64(_)) => None,
        (ValueKind::Float(_), _) => Some("must be a number".to_owned()),
        (ValueKind::Boolean(_), ValueKind::Boolean(_)) => None,
        (ValueKind::Boolean(_), _) => Some("must be true or false".to_owned()),
        (ValueKind::String(_), ValueKind::Table(_) | ValueKind::Array(_)) => Some("must be a text".to_owned()),
        // A range.
        (ValueKind::Array(_), ValueKind::Array(given)) if path == "retry.delay" => (given.len() != 2)
            .then(|| "must be two numbers of seconds, the least and the most, e.g. [5, 60]".to_owned()),
        (ValueKind::Array(_), ValueKind::Array(_)) => None,
        (ValueKind::Array(_), _) if path == DEVICES => Some(
            "must be a list of phones, e.g. [{ serial = \"R58M123ABC\", address = \"192.168.1.20:5555\" }]".to_owned(),
        ),
        (ValueKind::Array(_), _) => Some("must be a list, e.g. [\"a\", \"b\"]".to_owned()),
        (ValueKind::Table(_), _) => Some(format!("must be a table: write its keys below [{path}]")),
        _ => None,
    }
}

/// A value as the operator wrote it; only the kind of what is long.
fn shown(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Table(_) => "{ … }".to_owned(),
        ValueKind::Array(_) => "[ … ]".to_owned(),
        other => other.to_string(),
    }
}

fn unknown<'a>(path: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let meant = nearest.map_or_else(String::new, |nearest| {
        format!("; did you mean '{}'?", below(path, nearest))
    });
    format!("settings: unknown key '{}'{meant}", below(path, name))
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn is_numbers(known: &[Value]) -> bool {
    matches!(known.first().map(|value| &value.kind), Some(ValueKind::I64(_)))
}

fn is_table(value: &Value) -> bool {
    matches!(value.kind, ValueKind::Table(_))
}

fn sorted(table: &config::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| *name);
    entries
}

#[cfg(test)]
mod tests {
    use crate::settings::{SettingsError, tests::load};

    fn refused(toml: &str) -> String {
        load(toml, &[]).as_ref().map_err(SettingsError::to_string).unwrap_err()
    }

    #[test]
    fn a_value_of_another_kind_is_told_with_its_key_and_what_would_be_right() {
        for (toml, told) in [
            (
                "[auth]\nmode = \"key\"",
                "auth.mode = \"key\": must be \"off\" or \"keys\"",
            ),
            (
                "[log]\nformat = \"xml\"",
                "log.format = \"xml\": must be \"text\" or \"json\"",
            ),
            (
                "[limits.post]\nper_hour = -5",
                "limits.post.per_hour = -5: must not be below 0",
            ),
            (
                "[limits.my_flow]\nper_day = \"x\"",
                "limits.my_flow.per_day = \"x\": must be a whole number",
            ),
            ("[http]\nport = 70000", "http.port = 70000: must be at most 65535"),
            (
                "[tasks]\npoison_limit = 4294967296",
                "poison_limit = 4294967296: must be at most 4294967295",
            ),
            ("[limits]\nenabled = 3", "limits.enabled = 3: must be true or false"),
            ("http = 1", "http = 1: must be a table: write its keys below [http]"),
            (
                "devices = \"x\"\n[adb]\nservers = []",
                "devices[0] = \"x\": must name a phone, e.g. {",
            ),
            ("devices = 5", "devices = 5: must be a list of phones, e.g. [{"),
            (
                "devices = [{ serial = \"a\", adress = \"b:1\" }]",
                "did you mean 'devices[0].address'?",
            ),
            ("devices = [{ serial = \"a\" }]", "devices[0].address: is missing"),
            (
                "devices = [{ serial = 5, address = \"b:1\" }]",
                "devices[0].serial: must be a text",
            ),
            ("[retry]\ndelay = [1, 2, 3]", "retry.delay = [ … ]: must be two numbers"),
            (
                "[retry]\ndelay = [-1, 5]",
                "retry.delay[0] = -1: must be a whole number of seconds from 0",
            ),
            (
                "[retry]\ndelay = [1, \"x\"]",
                "retry.delay[1] = \"x\": must be a whole number of seconds from 0",
            ),
            (
                "[webhooks]\nretry_s = [1, 2.5]",
                "webhooks.retry_s[1] = 2.5: must be a whole number of seconds from 0",
            ),
            ("[media]\nroots = 5", "media.roots = 5: must be a list"),
            (
                "[quarantine]\nmax_share = \"half\"",
                "quarantine.max_share = \"half\": must be a number",
            ),
            ("data_dir = [\"a\"]", "data_dir = [ … ]: must be a text"),
        ] {
            let error = refused(toml);
            assert!(error.contains(told), "{toml}: {error}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let error = refused("[http]\nprot = 1\nport = \"x\"\n[limits.post]\nper_day = -1");

        assert_eq!(error.lines().count(), 3, "{error}");
    }

    #[test]
    fn the_environment_can_set_lists_tables_numbers_and_switches() {
        let settings = load(
            "",
            &[
                ("FARMHAND__MEDIA__PATH_MAP", "C:/Videos=/srv/v, D:/Pictures=/srv/p"),
                ("FARMHAND__DEVICES", "R58=192.168.1.20:5555,R59=[fe80::1]:5555"),
                ("FARMHAND__QUARANTINE__MAX_SHARE", "0.5"),
                ("FARMHAND__LIMITS__ENABLED", "no"),
            ],
        )
        .unwrap();

        assert_eq!(settings.media.path_map["C:/Videos"], "/srv/v");
        assert_eq!(settings.media.path_map["D:/Pictures"], "/srv/p");
        assert_eq!(settings.devices[1].address, "[fe80::1]:5555");
        let ranges = [
            ("FARMHAND__RETRY__DELAY", "7, 9"),
            ("FARMHAND__WEBHOOKS__RETRY_S", "1,2,3"),
        ];
        let settings_with_ranges = load("", &ranges).unwrap();
        assert_eq!(settings_with_ranges.retry.delay, [7, 9]);
        assert_eq!(settings_with_ranges.webhooks.retry_s, [1, 2, 3]);
        let negative = load("", &[("FARMHAND__RETRY__DELAY", "-1,5")]).unwrap_err().to_string();
        assert!(
            negative.contains("retry.delay[0] = -1: must be a whole number of seconds from 0"),
            "{negative}"
        );
        assert!((settings.quarantine.max_share - 0.5).abs() < f64::EPSILON && !settings.limits.enabled);
    }
}
