//! `POST /api/v1/task`: from a body to [`SubmitTasks`], every fault at once.

use std::collections::HashSet;

use actix_web::HttpRequest;
use farmhand_actors::{
    domain::{
        IdempotencyKey, InvalidId, Now, ScriptInfo, ScriptName, Serial, Source, SubmitTarget, SubmitTasks, Submitted,
        Username, ValidConfig,
        schedule::{ScheduleError, TimeOfDay, next_instant},
    },
    ports::{ScriptCatalog, SubmitResult},
    router::RouterError,
};
use jiff::tz::TimeZone;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::http::{
    auth::{Principal, hex},
    envelope::ApiError,
    fields::{Fields, echo, kind_of},
    state::App,
};

const KNOWN: [&str; 10] = [
    "serials",
    "usernames",
    "script_name",
    "script_config",
    "enable_multi_account",
    "start_time",
    "min_interval",
    "max_interval",
    "priority",
    "force",
];

/// Names in one list; the limit on tasks per request is the router's, this one only bounds the work until there.
const NAMES_LIMIT: usize = 100_000;
/// Longest gap between two starts, minutes.
const INTERVAL_LIMIT: i64 = 1440;
const IDEMPOTENCY_KEY_LIMIT: usize = 255;
/// The header by which the dashboard says that a person asks.
const SOURCE_HEADER: &str = "x-farmhand-source";

/// What a request says beside its body, and when and where it was asked.
pub struct Asked {
    /// Where it came from.
    pub source: Source,
    /// Its `Idempotency-Key`.
    pub idempotency: Option<IdempotencyKey>,
    /// When.
    pub now: Now,
    /// By which clock `start_time` is meant.
    pub zone: TimeZone,
}

impl Asked {
    /// Reads the headers.
    pub fn of(request: &HttpRequest, principal: &Principal, body: &Value, app: &App) -> Result<Self, ApiError> {
        let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
        Ok(Self {
            source: if header(SOURCE_HEADER) == Some(b"ui") {
                Source::Ui
            } else {
                Source::Api
            },
            idempotency: header("idempotency-key")
                .map(|key| idempotency_key(key, principal.key.as_deref(), body))
                .transpose()?,
            now: app.state.clock.now(),
            zone: app.settings.time_zone.clone(),
        })
    }
}

/// What a request with the same key was answered with: before anything of it is looked at, since what it names may be
/// gone meanwhile. The store looks again when it writes.
///
/// # Errors
/// 40901 when the key was used with another body.
pub async fn answered_before(asked: &Asked, app: &App) -> Result<Option<Submitted>, ApiError> {
    let Some(key) = &asked.idempotency else {
        return Ok(None);
    };
    match app.state.reads.find_answer(key, asked.now.wall).await? {
        Some(SubmitResult::Replayed(submitted) | SubmitResult::Created(submitted)) => Ok(Some(submitted)),
        Some(SubmitResult::KeyReused) => Err(RouterError::KeyReused.into()),
        None => Ok(None),
    }
}

/// Reads a body whole, whatever is wrong with it. Which code its faults get: a missing `script_name` before an
/// unknown script before everything else.
pub async fn parse(body: &Value, asked: Asked, scripts: &dyn ScriptCatalog) -> Result<SubmitTasks, ApiError> {
    let mut fields = Fields::of_body(body, &KNOWN)?;
    let mut warnings = Vec::new();
    let target = read_target(&mut fields, &mut warnings);
    let multi = fields.flag("enable_multi_account").unwrap_or(false);
    let by_account = matches!(target, Some(SubmitTarget::Accounts(_)));
    if multi && by_account {
        warnings.push("enable_multi_account only counts with serials; it was ignored".to_owned());
    }
    let start_time = fields.parsed("start_time", parse_start_time);
    let scheduled_at = start_time
        .as_ref()
        .and_then(|(_, time)| next_instant(*time, &asked.zone, asked.now.wall).ok());
    let interval_minutes = read_interval(&mut fields);
    let priority = fields
        .integer("priority", -10..=10)
        .and_then(|number| i8::try_from(number).ok())
        .unwrap_or(0);
    let script = read_script(&mut fields, scripts);
    let config = read_config(&mut fields, script.as_ref().ok(), scripts).await;

    let script = match script {
        Ok(script) => script,
        Err(NoScript::WrongType) => return Err(ApiError::Invalid(fields.into_faults())),
        Err(NoScript::Missing) => return Err(ApiError::NoScript(fields.into_faults())),
        Err(NoScript::Unknown(name)) => {
            let supported = scripts.list().iter().map(|script| script.name.to_string()).collect();
            return Err(ApiError::UnknownScript {
                name,
                supported,
                faults: fields.into_faults(),
            });
        }
    };
    let (Some(target), Some(config)) = (target, config) else {
        return Err(ApiError::Invalid(fields.into_faults()));
    };
    warnings.extend(config.warnings);
    fields.finish(SubmitTasks {
        target,
        script: script.name,
        configs: config.configs,
        enable_multi_account: multi && !by_account,
        start_time: start_time.map(|(text, _)| text),
        scheduled_at,
        interval_minutes,
        priority,
        source: asked.source,
        idempotency: asked.idempotency,
        warnings,
    })
}

/// Usernames win over serials: a client that names accounts means those.
fn read_target(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Option<SubmitTarget> {
    let usernames = read_names(fields, "usernames", |text| match text.trim() {
        "" | "@" => Ok(None),
        text => Username::parse(text).map(Some).map_err(|error| problem(&error)),
    });
    let wins = matches!(usernames, Names::Some(_));
    let serials = read_names(fields, "serials", |text| match text.trim() {
        // Beside accounts they do not count anyway.
        "" if wins => Ok(None),
        "" => Err("must not be blank".to_owned()),
        text => Serial::parse(text).map(Some).map_err(|error| problem(&error)),
    });
    match (serials, usernames) {
        (Names::Faulty, _) | (_, Names::Faulty) => None,
        (Names::Some(_), Names::Some(usernames)) => {
            warnings.push("both serials and usernames were given; usernames was used".to_owned());
            Some(SubmitTarget::Accounts(usernames))
        }
        (Names::None, Names::Some(usernames)) => Some(SubmitTarget::Accounts(usernames)),
        (Names::Some(serials), Names::None) => Some(SubmitTarget::Devices(serials)),
        (Names::None, Names::None) => {
            fields.fault(
                "serials",
                "name at least one device here, or at least one account in usernames",
            );
            None
        }
    }
}

/// A list of names as it was read.
enum Names<T> {
    /// Absent, or nothing in it counts.
    None,
    /// In order, without repeats.
    Some(Vec<T>),
    /// Its faults are noted.
    Faulty,
}

/// `parse` answers `None` for an entry that does not count.
fn read_names<T: Clone + Eq + std::hash::Hash>(
    fields: &mut Fields<'_>,
    name: &str,
    parse: impl Fn(&str) -> Result<Option<T>, String>,
) -> Names<T> {
    let Some(texts) = fields.texts(name, NAMES_LIMIT) else {
        return if fields.value(name).is_none() {
            Names::None
        } else {
            Names::Faulty
        };
    };
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    let mut faulty = fields
        .value(name)
        .and_then(Value::as_array)
        .is_some_and(|entries| entries.len() != texts.len());
    for (place, text) in texts {
        match parse(text) {
            Ok(Some(parsed)) if seen.insert(parsed.clone()) => names.push(parsed),
            Ok(_) => {}
            Err(problem) => {
                fields.fault(&format!("{name}[{place}]"), problem);
                faulty = true;
            }
        }
    }
    match (faulty, names.is_empty()) {
        (true, _) => Names::Faulty,
        (false, true) => Names::None,
        (false, false) => Names::Some(names),
    }
}

fn problem(error: &InvalidId) -> String {
    error.problem.to_owned()
}

/// Why there is no script.
enum NoScript {
    WrongType,
    Missing,
    Unknown(String),
}

fn read_script(fields: &mut Fields<'_>, scripts: &dyn ScriptCatalog) -> Result<ScriptInfo, NoScript> {
    let name = match fields.value("script_name") {
        None => return Err(NoScript::Missing),
        Some(Value::String(name)) if name.trim().is_empty() => return Err(NoScript::Missing),
        Some(Value::String(name)) => name,
        Some(other) => {
            fields.fault("script_name", format!("must be a string, not {}", kind_of(other)));
            return Err(NoScript::WrongType);
        }
    };
    let script = ScriptName::parse(name).ok().and_then(|name| scripts.get(&name));
    script.ok_or_else(|| NoScript::Unknown(echo(name)))
}

async fn read_config(
    fields: &mut Fields<'_>,
    script: Option<&ScriptInfo>,
    scripts: &dyn ScriptCatalog,
) -> Option<ValidConfig> {
    let object = fields.object("script_config");
    let mut config = fields.required("script_config", object)?.clone();
    if fields.flag("force") == Some(true) {
        // The script takes it as a parameter, so that a retry is forced too; one that does not know it says so.
        config.insert("force".to_owned(), Value::Bool(true));
    }
    match scripts.validate(&script?.name, &Value::Object(config)).await {
        Ok(valid) => Some(valid),
        Err(faults) => {
            fields.add_faults(faults);
            None
        }
    }
}

fn read_interval(fields: &mut Fields<'_>) -> Option<(u32, u32)> {
    let min = fields.integer("min_interval", 0..=INTERVAL_LIMIT);
    let max = fields.integer("max_interval", 0..=INTERVAL_LIMIT);
    let (min, max) = match (min, max) {
        (None, None) => return None,
        (Some(min), None) => (min, min),
        (None, Some(max)) => (0, max),
        (Some(min), Some(max)) => (min, max),
    };
    if min > max {
        fields.fault("min_interval", "must not be above max_interval");
        return None;
    }
    // No gap at all is the same as none asked for.
    let minutes = |number: i64| u32::try_from(number).ok();
    Some((minutes(min)?, minutes(max)?)).filter(|(_, max)| *max > 0)
}

fn parse_start_time(text: &str) -> Result<(String, TimeOfDay), ScheduleError> {
    TimeOfDay::parse(text).map(|time| (text.to_owned(), time))
}

/// The key is the client's own; beside it stands whose it is, so that two clients may use the same one.
fn idempotency_key(key: &[u8], principal: Option<&str>, body: &Value) -> Result<IdempotencyKey, ApiError> {
    let visible =
        (1..=IDEMPOTENCY_KEY_LIMIT).contains(&key.len()) && key.iter().all(|byte| (b' '..=b'~').contains(byte));
    let key = std::str::from_utf8(key).ok().filter(|_| visible).ok_or_else(|| {
        ApiError::invalid(
            "Idempotency-Key",
            format!("must be 1 to {IDEMPOTENCY_KEY_LIMIT} ASCII characters that can be seen, blanks among them"),
        )
    })?;
    let mut hash = Sha256::new();
    hash_canonical(body, &mut hash);
    let key = principal.map_or_else(|| key.to_owned(), |principal| format!("{principal} {key}"));
    Ok(IdempotencyKey {
        key,
        body_hash: hex(&hash.finalize()),
    })
}

/// The same for two bodies that differ only in blanks and in the order of names.
fn hash_canonical(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Array(entries) => {
            hash.update(b"[");
            for entry in entries {
                hash_canonical(entry, hash);
                hash.update(b",");
            }
            hash.update(b"]");
        }
        Value::Object(object) => {
            let mut names: Vec<_> = object.iter().collect();
            names.sort_unstable_by_key(|(name, _)| name.as_str());
            hash.update(b"{");
            for (name, value) in names {
                hash.update(Value::from(name.as_str()).to_string());
                hash.update(b":");
                hash_canonical(value, hash);
                hash.update(b",");
            }
            hash.update(b"}");
        }
        plain => hash.update(plain.to_string()),
    }
}

#[cfg(test)]
mod tests;
