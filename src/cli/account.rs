//! `farmhand account`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{CliError, Remote, client::part, output};

const COLUMNS: [output::Column<'static>; 6] = [
    ("username", "/username"),
    ("app", "/app"),
    ("serial", "/serial"),
    ("status", "/status"),
    ("last used", "/last_used"),
    ("reason", "/status_reason"),
];

/// `farmhand account …`
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// List accounts
    List(Remote),
    /// Show one account
    Show(One),
    /// Add an account (it must be logged in on the phone already)
    Add {
        /// `tiktok` or `instagram`
        #[arg(long)]
        app: String,
        /// The device that it is bound to
        #[arg(long)]
        serial: Option<String>,
        /// Its package, if it is not the usual one
        #[arg(long)]
        package: Option<String>,
        #[command(flatten)]
        one: One,
    },
    /// Change an account
    Set {
        /// Bind it to this device; an empty text unbinds it
        #[arg(long)]
        serial: Option<String>,
        /// `active` or `disabled`; `cooldown` with --cooldown-until
        #[arg(long)]
        status: Option<String>,
        /// Let it rest until this instant (RFC 3339, e.g. 2027-01-31T08:00:00Z)
        #[arg(long)]
        cooldown_until: Option<String>,
        /// Its own limits as JSON, e.g. '{"post":{"per_day":3}}'
        #[arg(long)]
        limits: Option<String>,
        #[command(flatten)]
        one: One,
    },
    /// Delete an account
    Delete(One),
    /// Say that a person has dealt with what the app asked for
    Resume(One),
    /// Create accounts from a CSV or JSON file
    Import {
        /// The file; its name ends in .csv or .json
        file: PathBuf,
        #[command(flatten)]
        remote: Remote,
    },
    /// Print all accounts as CSV (or JSON with --json)
    Export(Remote),
}

/// One account.
#[derive(Debug, Args)]
pub struct One {
    /// Its name, with or without @
    username: String,
    #[command(flatten)]
    remote: Remote,
}

impl One {
    fn path(&self, rest: &str) -> String {
        format!("/account/{}{rest}", part(&self.username))
    }
}

/// Runs the command.
pub fn run(command: AccountCommand) -> Result<(), CliError> {
    match command {
        AccountCommand::List(remote) => {
            let answer = remote.client()?.get("/account", &[])?;
            if remote.json {
                return output::json(&answer);
            }
            let items = answer
                .get("items")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            output::table(&COLUMNS, &items)
        }
        AccountCommand::Show(one) => output::json(&one.remote.client()?.get(&one.path(""), &[])?),
        AccountCommand::Add {
            app,
            serial,
            package,
            one,
        } => {
            let mut body = Map::new();
            body.insert("username".to_owned(), json!(one.username));
            body.insert("app".to_owned(), json!(app));
            body.extend(serial.map(|serial| ("serial".to_owned(), json!(serial))));
            body.extend(package.map(|package| ("package".to_owned(), json!(package))));
            output::json(&one.remote.client()?.post("/account", &Value::Object(body))?)
        }
        AccountCommand::Set {
            serial,
            status,
            cooldown_until,
            limits,
            one,
        } => {
            let mut body = Map::new();
            body.extend(serial.map(|serial| {
                let serial = if serial.is_empty() { Value::Null } else { json!(serial) };
                ("serial".to_owned(), serial)
            }));
            body.extend(status.map(|status| ("status".to_owned(), json!(status))));
            body.extend(cooldown_until.map(|until| ("cooldown_until".to_owned(), json!(until))));
            if let Some(limits) = limits {
                let limits = serde_json::from_str(&limits)
                    .map_err(|error| CliError::Usage(format!("--limits is not JSON: {error}")))?;
                body.insert("limits".to_owned(), limits);
            }
            output::json(&one.remote.client()?.patch(&one.path(""), &Value::Object(body))?)
        }
        AccountCommand::Delete(one) => output::json(&one.remote.client()?.delete(&one.path(""))?),
        AccountCommand::Resume(one) => output::json(&one.remote.client()?.post(&one.path("/resume"), &json!({}))?),
        AccountCommand::Import { file, remote } => import(&file, &remote),
        AccountCommand::Export(remote) => {
            let accept = if remote.json { "application/json" } else { "text/csv" };
            output::bytes(&remote.client()?.get_bytes("/account/export", accept, &[])?)
        }
    }
}

fn import(file: &std::path::Path, remote: &Remote) -> Result<(), CliError> {
    let content = std::fs::read(file).map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))?;
    let content_type = match file.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        _ => {
            return Err(CliError::Usage(format!(
                "{}: a .csv or .json file is wanted",
                file.display()
            )));
        }
    };
    output::json(&remote.client()?.post_bytes("/account/import", content_type, &content)?)
}
