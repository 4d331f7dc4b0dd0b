//! Schedules as clients write them: the request as for a task, and when it is repeated. Every fault at once.

use farmhand_actors::{
    domain::{
        FieldError, SubmitTasks,
        schedule::{JITTER_MAX_S, Misfire, Recurrence, RecurrenceText, ScheduleSpec, ScheduledRequest, WindowText},
    },
    ports::ScriptCatalog,
};
use serde_json::{Map, Value, json};

use super::view::writable;
use crate::http::{
    envelope::ApiError,
    fields::Fields,
    task::submit::{self, Asked},
};

/// Fields of the request, as in `POST /api/v1/task`.
const REQUEST: [&str; 8] = [
    "serials",
    "usernames",
    "script_name",
    "script_config",
    "enable_multi_account",
    "min_interval",
    "max_interval",
    "priority",
];
/// Fields that say when a run is planned.
const RECURRENCE: [&str; 6] = ["cron", "times", "time_zone", "days", "window", "jitter_s"];
const OTHERS: [&str; 4] = ["name", "enabled", "misfire", "misfire_cap"];
/// Of these only one is meant: a change that names one of them leaves the other out.
const EITHER: [(&str, &str); 2] = [("cron", "times"), ("serials", "usernames")];
/// Longest name, characters.
const NAME_LIMIT: usize = 100;
/// Most missed runs that are made up for, one after another.
const CAP_LIMIT: i64 = 100;
const CAP: i64 = 10;
/// Longest list that is read at all; what is allowed is said by the recurrence.
const LIST_LIMIT: usize = 1440;

/// A schedule that was read.
#[derive(Debug)]
pub struct Parsed {
    /// What it is to be.
    pub spec: ScheduleSpec,
    /// A run of it, as it would be now.
    pub request: SubmitTasks,
}

/// A change that was read.
#[derive(Debug)]
pub struct Patch {
    /// What it is to be.
    pub spec: ScheduleSpec,
    /// A run of it, as it would be now, when that has to be looked at.
    pub request: Option<SubmitTasks>,
    /// Whether its next run is planned anew.
    pub replan: bool,
}

fn known() -> Vec<&'static str> {
    [OTHERS.as_slice(), &RECURRENCE, &REQUEST].concat()
}

/// A body of `POST /api/v1/schedule`.
pub async fn parse_new(body: &Value, asked: Asked, scripts: &dyn ScriptCatalog) -> Result<Parsed, ApiError> {
    let mut fields = Fields::of_body(body, &known())?;
    let now = asked.now.wall;
    let mut rest = read_rest(&mut fields, &zone_name(&asked), now);
    rest.faults.extend(fields.into_faults());
    let request = parse_request(body, asked, scripts).await;
    let request = match (request, rest.faults.is_empty()) {
        (Ok(request), true) => request,
        (Ok(_), false) => return Err(ApiError::Invalid(rest.faults)),
        (Err(error), _) => return Err(with_faults(error, rest.faults)),
    };
    let spec = rest
        .spec(scheduled(body, &request))
        .ok_or_else(|| impossible("a schedule without faults"))?;
    Ok(Parsed { spec, request })
}

/// A body of `PATCH /api/v1/schedule/{id}`: what it does not name stays as it is, `null` sets the default.
pub async fn parse_patch(
    old: &ScheduleSpec,
    patch: &Value,
    asked: Asked,
    scripts: &dyn ScriptCatalog,
) -> Result<Patch, ApiError> {
    let Value::Object(patch) = patch else {
        let fields = Fields::of_body(patch, &[])?;
        return Err(ApiError::Invalid(fields.into_faults()));
    };
    let merged = Value::Object(merge(old, patch));
    let mut fields = Fields::of_body(&merged, &known())?;
    let mut rest = read_rest(&mut fields, &zone_name(&asked), asked.now.wall);
    rest.faults.extend(fields.into_faults());
    // A schedule whose script or device is gone can be switched off, renamed and moved, but not switched on.
    let enables = rest.enabled && !old.enabled;
    let (request, scheduled) = if enables || REQUEST.iter().any(|name| patch.contains_key(*name)) {
        match parse_request(&merged, asked, scripts).await {
            Ok(request) => {
                let scheduled = ScheduledRequest {
                    source: old.request.source,
                    ..scheduled(&merged, &request)
                };
                (Some(request), scheduled)
            }
            Err(error) => return Err(with_faults(error, rest.faults)),
        }
    } else {
        (None, old.request.clone())
    };
    if !rest.faults.is_empty() {
        return Err(ApiError::Invalid(rest.faults));
    }
    let spec = rest
        .spec(scheduled)
        .ok_or_else(|| impossible("a schedule without faults"))?;
    // A client may send back all that it has read: what says the same as before leaves a run that is being delayed.
    let replan = spec.enabled != old.enabled || !spec.recurrence.plans_as(&old.recurrence);
    Ok(Patch { spec, request, replan })
}

fn impossible(what: &str) -> ApiError {
    ApiError::Internal(format!("{what} could not be read; this is a fault of farmhand"))
}

fn merge(old: &ScheduleSpec, patch: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = writable(old);
    for (one, other) in EITHER {
        for (named, dropped) in [(one, other), (other, one)] {
            if patch.get(named).is_some_and(|value| !value.is_null()) {
                merged.remove(dropped);
            }
        }
    }
    merged.extend(patch.clone());
    merged
}

/// What a body says beside its request.
struct Rest {
    name: Option<String>,
    recurrence: Option<Recurrence>,
    misfire: Misfire,
    misfire_cap: u32,
    enabled: bool,
    faults: Vec<FieldError>,
}

impl Rest {
    fn spec(self, request: ScheduledRequest) -> Option<ScheduleSpec> {
        Some(ScheduleSpec {
            name: self.name?,
            request,
            recurrence: self.recurrence?,
            misfire: self.misfire,
            misfire_cap: self.misfire_cap,
            enabled: self.enabled,
        })
    }
}

fn read_rest(fields: &mut Fields<'_>, zone: &str, now: farmhand_actors::domain::Timestamp) -> Rest {
    let name = fields.parsed("name", parse_name);
    let name = fields.required("name", name);
    let misfire = fields.parsed("misfire", |word| {
        Misfire::from_word(word).ok_or_else(|| {
            let words = Misfire::ALL.map(Misfire::as_str);
            format!("must be one of: {}", words.join(", "))
        })
    });
    let cap = fields.integer("misfire_cap", 1..=CAP_LIMIT).unwrap_or(CAP);
    let enabled = fields.flag("enabled").unwrap_or(true);
    let readable = read_recurrence(fields, zone);
    let (recurrence, faults) = match Recurrence::parse(readable.text, now) {
        Ok(recurrence) => (Some(recurrence), Vec::new()),
        // What could not be read is a fault already, not a second one for being absent.
        Err(faults) => (
            None,
            faults
                .into_iter()
                .filter(|fault| !readable.faulty.contains(&fault.field))
                .collect(),
        ),
    };
    Rest {
        name,
        recurrence,
        misfire: misfire.unwrap_or_default(),
        misfire_cap: u32::try_from(cap).unwrap_or(1),
        enabled,
        faults,
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let fits = (1..=NAME_LIMIT).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
        .ok_or_else(|| format!("must be 1 to {NAME_LIMIT} characters on one line"))
}

struct ReadRecurrence {
    text: RecurrenceText,
    /// Fields whose faults are told already: what stands in their place is not to be told as well.
    faulty: Vec<String>,
}

fn read_recurrence(fields: &mut Fields<'_>, zone: &str) -> ReadRecurrence {
    let cron = fields.text("cron", 256).map(str::to_owned);
    let mut faulty = Vec::new();
    let times = read_list(fields, "times", &mut faulty);
    if ["cron", "times"].iter().any(|name| fields.value(name).is_some()) && cron.is_none() && times.is_none() {
        faulty.push("cron".to_owned());
    }
    let text = RecurrenceText {
        cron,
        times,
        time_zone: fields.text("time_zone", 64).unwrap_or(zone).to_owned(),
        days: read_list(fields, "days", &mut faulty).unwrap_or_default(),
        window: read_window(fields, &mut faulty),
        jitter_s: fields
            .integer("jitter_s", 0..=i64::from(JITTER_MAX_S))
            .and_then(|seconds| u32::try_from(seconds).ok())
            .unwrap_or(0),
    };
    ReadRecurrence { text, faulty }
}

/// An entry of another type is `faulty`; in its place stands an empty one, so that the others keep theirs and are looked
/// at too.
fn read_list(fields: &mut Fields<'_>, name: &str, faulty: &mut Vec<String>) -> Option<Vec<String>> {
    fields.texts(name, LIST_LIMIT)?;
    let entries = fields.value(name).and_then(Value::as_array)?;
    let mut list = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        if !entry.is_string() {
            faulty.push(format!("{name}[{place}]"));
        }
        list.push(entry.as_str().unwrap_or_default().to_owned());
    }
    Some(list)
}

fn read_window(fields: &mut Fields<'_>, faulty: &mut Vec<String>) -> Option<WindowText> {
    let object = fields.object("window")?;
    let mut inner = Fields::new(object, "window.".to_owned(), &["from", "to"]);
    let mut end = |name: &str| {
        let text = inner.text(name, 16).map(str::to_owned);
        inner.required(name, text).unwrap_or_else(|| {
            faulty.push(format!("window.{name}"));
            String::new()
        })
    };
    let (from, to) = (end("from"), end("to"));
    fields.add_faults(inner.into_faults());
    Some(WindowText { from, to })
}

/// The part of a body that is a task's request, read as one.
async fn parse_request(body: &Value, asked: Asked, scripts: &dyn ScriptCatalog) -> Result<SubmitTasks, ApiError> {
    let of_request = |name: &&str| Some(((*name).to_owned(), body.get(*name)?.clone()));
    let request = Value::Object(REQUEST.iter().filter_map(of_request).collect());
    submit::parse(&request, asked, scripts).await
}

fn scheduled(body: &Value, request: &SubmitTasks) -> ScheduledRequest {
    ScheduledRequest {
        target: request.target.clone(),
        script: request.script.clone(),
        config: body.get("script_config").cloned().unwrap_or_else(|| json!({})),
        enable_multi_account: request.enable_multi_account,
        interval_minutes: request.interval_minutes,
        priority: request.priority,
        source: request.source,
    }
}

fn with_faults(error: ApiError, mut others: Vec<FieldError>) -> ApiError {
    match error {
        ApiError::Invalid(faults) => {
            others.extend(faults);
            ApiError::Invalid(others)
        }
        ApiError::NoScript(faults) => {
            others.extend(faults);
            ApiError::NoScript(others)
        }
        ApiError::UnknownScript {
            name,
            supported,
            faults,
        } => {
            others.extend(faults);
            ApiError::UnknownScript {
                name,
                supported,
                faults: others,
            }
        }
        other => other,
    }
}

/// The farm's zone by name: a schedule keeps it, also when the setting changes.
fn zone_name(asked: &Asked) -> String {
    asked.zone.iana_name().unwrap_or("UTC").to_owned()
}
