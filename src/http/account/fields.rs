//! Accounts as clients write them.

use farmhand_actors::{
    domain::{AccountPatch, AccountStatus, Limits, Package, ScriptLimit, ScriptName, Serial, Timestamp, Username},
    supervisor::NewAccount,
};
use jiff::SignedDuration;
use serde_json::Value;

use crate::http::{
    envelope::ApiError,
    fields::{Fields, id, kind_of, unknown, whole_number},
    state::App,
};

/// The app of an account or a device that names none.
pub const USUAL_APP: &str = "tiktok";
/// Names that are paths below `/account`.
const RESERVED: [&str; 2] = ["import", "export"];
/// Fields that a client may send.
pub const WRITABLE: [&str; 6] = ["username", "app", "package", "serial", "status", "limits"];
/// What a person may set the status of an account to, when it is created and afterwards.
const BY_HAND: &str = "\"active\" or \"disabled\"";
const BY_PATCH: &str = "\"active\", \"disabled\", or \"cooldown\" with cooldown_until";
/// No limit is meant above this.
const LIMIT_LIMIT: i64 = 1_000_000_000;
const SCRIPTS_LIMIT: usize = 256;
/// No account is meant to rest for longer.
const LONGEST_COOLDOWN: SignedDuration = SignedDuration::from_hours(366 * 24);

/// What there is that an account may name.
pub struct Known {
    apps: Vec<String>,
    /// `None`: any.
    scripts: Option<Vec<ScriptName>>,
}

impl Known {
    /// The apps of the settings, the scripts of now.
    pub fn of(app: &App) -> Self {
        Self {
            apps: app.settings.apps.clone(),
            scripts: Some(app.state.scripts.list().into_iter().map(|script| script.name).collect()),
        }
    }

    /// For what was exported, perhaps when there were other scripts.
    pub fn of_exports(app: &App) -> Self {
        Self {
            apps: app.settings.apps.clone(),
            scripts: None,
        }
    }

    fn script(&self, script: ScriptName) -> Result<ScriptName, String> {
        match &self.scripts {
            Some(scripts) if !scripts.contains(&script) => {
                let known: Vec<&str> = scripts.iter().map(ScriptName::as_str).collect();
                Err(unknown(script.as_str(), &known, "script"))
            }
            _ => Ok(script),
        }
    }
}

/// A body of `POST /api/v1/account`.
pub fn parse_new(body: &Value, farm: &Known) -> Result<NewAccount, ApiError> {
    let mut fields = Fields::of_body(body, &WRITABLE)?;
    let account = read_new(&mut fields, farm);
    match account {
        Some(account) => fields.finish(account),
        None => Err(ApiError::Invalid(fields.into_faults())),
    }
}

/// An account that is to be created; `None` when it has no name.
pub fn read_new(fields: &mut Fields<'_>, farm: &Known) -> Option<NewAccount> {
    let username = fields.parsed("username", |text| {
        let name = id(Username::parse)(text)?;
        if RESERVED.contains(&name.as_str()) {
            Err("is a path of this API (/account/import, /account/export): no account can have it")
        } else {
            Ok(name)
        }
    });
    let username = fields.required("username", username);
    let app = read_app(fields, &farm.apps).unwrap_or_else(|| USUAL_APP.to_owned());
    let package = fields.parsed("package", id(Package::parse));
    let serial = fields.parsed("serial", id(Serial::parse));
    let status = read_status(fields, BY_HAND);
    let limits = read_limits(fields, farm).unwrap_or_default();
    Some(NewAccount {
        username: username?,
        app,
        package,
        serial,
        disabled: status == Some(AccountStatus::Disabled),
        limits,
    })
}

/// A body of `PATCH /api/v1/account/{username}`.
pub fn parse_patch(body: &Value, farm: &Known) -> Result<AccountPatch, ApiError> {
    let known: Vec<&str> = WRITABLE.into_iter().chain(["cooldown_until"]).collect();
    let mut fields = Fields::of_body(body, &known)?;
    if fields.value("username").is_some() {
        fields.fault("username", "cannot be changed; delete the account and create another");
    }
    for name in ["app", "status"] {
        if fields.is_null(name) {
            fields.fault(name, "must not be null; leave it out to keep it");
        }
    }
    if fields.is_null("cooldown_until") {
        fields.fault("cooldown_until", "must not be null; POST …/resume ends a rest");
    }
    let patch = read_patch(&mut fields, farm);
    fields.finish(patch)
}

/// What an account is to be changed by.
pub fn read_patch(fields: &mut Fields<'_>, farm: &Known) -> AccountPatch {
    let cooldown_until = fields.parsed("cooldown_until", read_cooldown);
    AccountPatch {
        app: read_app(fields, &farm.apps),
        package: nullable(fields, "package", id(Package::parse)),
        serial: nullable(fields, "serial", id(Serial::parse)),
        status: read_patched_status(fields, cooldown_until.is_some()),
        cooldown_until,
        limits: if fields.is_null("limits") {
            Some(Limits::new())
        } else {
            read_limits(fields, farm)
        },
    }
}

fn nullable<T, E: ToString>(
    fields: &mut Fields<'_>,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<Option<T>> {
    if fields.is_null(name) {
        Some(None)
    } else {
        fields.parsed(name, parse).map(Some)
    }
}

/// One of the apps of the settings.
pub fn read_app(fields: &mut Fields<'_>, apps: &[String]) -> Option<String> {
    fields.parsed("app", |word| {
        let known = apps.iter().find(|app| app.eq_ignore_ascii_case(word.trim()));
        known
            .cloned()
            .ok_or_else(|| format!("must be one of: {}", apps.join(", ")))
    })
}

/// `settable`: what a person may say here.
fn read_status(fields: &mut Fields<'_>, settable: &str) -> Option<AccountStatus> {
    fields.parsed("status", |word| match AccountStatus::from_word(word) {
        Some(status @ (AccountStatus::Active | AccountStatus::Disabled)) => Ok(status),
        Some(AccountStatus::Cooldown) => Err("can be \"cooldown\" by PATCH only, with cooldown_until".to_owned()),
        Some(AccountStatus::NeedsAttention) => Err(format!("is set by farmhand alone; by hand it can be {settable}")),
        None => Err(format!("must be {settable}")),
    })
}

/// As [`read_status`]; an account can be sent to rest, if it is said until when.
fn read_patched_status(fields: &mut Fields<'_>, rests: bool) -> Option<AccountStatus> {
    let cooldown = AccountStatus::Cooldown;
    if fields.value("status").and_then(Value::as_str) != Some(cooldown.as_str()) {
        let status = read_status(fields, BY_PATCH);
        if status.is_some() && rests {
            fields.fault("status", "must be \"cooldown\", or left out, beside cooldown_until");
        }
        return status;
    }
    if fields.value("cooldown_until").is_none() {
        fields.fault(
            "cooldown_until",
            "is required with status \"cooldown\": an instant in RFC 3339",
        );
    }
    Some(cooldown)
}

/// An instant to come, at most [`LONGEST_COOLDOWN`] away.
fn read_cooldown(text: &str) -> Result<Timestamp, &'static str> {
    let until: Timestamp = text
        .parse()
        .map_err(|_| "must be an instant in RFC 3339, e.g. 2027-01-31T08:00:00Z")?;
    let rest = until.duration_since(Timestamp::now());
    if rest.is_positive() && rest <= LONGEST_COOLDOWN {
        Ok(until)
    } else {
        Err("must be in the future, a year from now at most")
    }
}

fn read_limits(fields: &mut Fields<'_>, farm: &Known) -> Option<Limits> {
    let object = fields.object("limits")?;
    if object.len() > SCRIPTS_LIMIT {
        fields.fault("limits", format!("names more than {SCRIPTS_LIMIT} scripts"));
        return None;
    }
    let mut limits = Limits::new();
    for (script, limit) in object {
        if script.trim().is_empty() {
            let problem = "has an entry without a name; each entry is named by its script, e.g. \"follow\"";
            fields.fault("limits", problem);
            continue;
        }
        let path = format!("limits.{}", crate::http::fields::echo(script));
        let named = ScriptName::parse(script).map_err(|error| error.problem.to_owned());
        let script = match named.and_then(|script| farm.script(script)) {
            Ok(script) => script,
            Err(problem) => {
                fields.fault(&path, problem);
                continue;
            }
        };
        match limit {
            Value::Object(limit) => {
                let mut inner = Fields::new(limit, format!("{path}."), &["per_hour", "per_day", "min_gap_s"]);
                limits.insert(script, read_limit(&mut inner));
                fields.add_faults(inner.into_faults());
            }
            other => fields.fault(&path, format!("must be an object, not {}", kind_of(other))),
        }
    }
    Some(limits)
}

/// 0 is no limit of the account's own: then the farm's counts.
fn read_limit(fields: &mut Fields<'_>) -> ScriptLimit {
    let mut number = |name: &str| {
        let value = fields.value(name)?;
        let number = whole_number(value).filter(|number| (0..=LIMIT_LIMIT).contains(number));
        if number.is_none() {
            let wanted = format!("must be a whole number from 0 to {LIMIT_LIMIT}; 0 or null means the farm's limit");
            fields.fault(name, wanted);
        }
        number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number > 0)
    };
    ScriptLimit {
        per_hour: number("per_hour"),
        per_day: number("per_day"),
        min_gap_s: number("min_gap_s"),
    }
}
