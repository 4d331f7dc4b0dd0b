//! `farmhand device`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{CliError, Remote, client::part, output};

const COLUMNS: [output::Column<'static>; 9] = [
    ("serial", "/serial"),
    ("state", "/state"),
    ("model", "/model"),
    ("android", "/android_version"),
    ("battery", "/battery/level"),
    ("accounts", "/accounts"),
    ("task", "/current_task"),
    ("cause", "/cause"),
    ("next action", "/next_action"),
];

/// `farmhand device …`
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// List devices
    List(Remote),
    /// Show one device
    Show(One),
    /// Change alias, tags, app, or switch it on or off
    Set {
        /// Its new alias
        #[arg(long)]
        alias: Option<String>,
        /// Its tags, replacing the old ones
        #[arg(long = "tag")]
        tags: Option<Vec<String>>,
        /// The app of its tasks without an account
        #[arg(long)]
        app: Option<String>,
        /// Whether it may be given tasks
        #[arg(long)]
        enabled: Option<bool>,
        #[command(flatten)]
        one: One,
    },
    /// Take a device out of service until it is released; a task that runs on it is finished first
    Quarantine {
        /// Why, in a line
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        one: One,
    },
    /// Let a device out of quarantine, whoever put it there
    Release(One),
    /// Save a screenshot (PNG)
    Screenshot {
        /// Where to
        #[arg(long, short)]
        output: PathBuf,
        /// Scale to this width, pixels
        #[arg(long)]
        width: Option<u32>,
        #[command(flatten)]
        one: One,
    },
    /// Print the view tree (XML, or JSON with --json)
    Hierarchy(One),
    /// Run a command in the phone's shell (scope admin)
    Shell {
        #[command(flatten)]
        one: One,
        /// Program and arguments
        #[arg(required = true, last = true)]
        words: Vec<String>,
    },
    /// Print the last lines of the phone's log
    Log(One),
}

/// One device.
#[derive(Debug, Args)]
pub struct One {
    /// Its serial
    serial: String,
    #[command(flatten)]
    remote: Remote,
}

impl One {
    fn path(&self, rest: &str) -> String {
        format!("/device/{}{rest}", part(&self.serial))
    }
}

/// Runs the command.
pub fn run(command: DeviceCommand) -> Result<(), CliError> {
    match command {
        DeviceCommand::List(remote) => {
            let answer = remote.client()?.get("/device", &[])?;
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
        DeviceCommand::Show(one) => output::json(&one.remote.client()?.get(&one.path(""), &[])?),
        DeviceCommand::Set {
            alias,
            tags,
            app,
            enabled,
            one,
        } => {
            let mut body = Map::new();
            body.extend(alias.map(|alias| ("alias".to_owned(), json!(alias))));
            body.extend(tags.map(|tags| ("tags".to_owned(), json!(tags))));
            body.extend(app.map(|app| ("app".to_owned(), json!(app))));
            body.extend(enabled.map(|enabled| ("enabled".to_owned(), json!(enabled))));
            output::json(&one.remote.client()?.patch(&one.path(""), &Value::Object(body))?)
        }
        DeviceCommand::Quarantine { reason, one } => {
            let body = json!({ "reason": reason });
            output::json(&one.remote.client()?.post(&one.path("/quarantine"), &body)?)
        }
        DeviceCommand::Release(one) => output::json(&one.remote.client()?.post(&one.path("/release"), &json!({}))?),
        DeviceCommand::Screenshot { output, width, one } => {
            let query: Vec<_> = width.map(|width| ("width", width.to_string())).into_iter().collect();
            let picture = one
                .remote
                .client()?
                .get_bytes(&one.path("/screenshot"), "image/png", &query)?;
            let written = std::fs::write(&output, &picture);
            written.map_err(|error| CliError::Failed(format!("{}: {error}", output.display())))?;
            if one.remote.json {
                return output::json(&json!({ "output": output, "bytes": picture.len() }));
            }
            Ok(())
        }
        DeviceCommand::Hierarchy(one) if one.remote.json => {
            output::json(&one.remote.client()?.get(&one.path("/hierarchy"), &[])?)
        }
        DeviceCommand::Hierarchy(one) => {
            let tree = one
                .remote
                .client()?
                .get_bytes(&one.path("/hierarchy"), "application/xml", &[])?;
            output::bytes(&tree)
        }
        DeviceCommand::Shell { one, words } => shell(&one, &words),
        DeviceCommand::Log(one) => {
            let log = one.remote.client()?.get(&one.path("/log"), &[])?;
            if one.remote.json {
                return output::json(&log);
            }
            output::print(log.get("log").and_then(Value::as_str).unwrap_or_default())
        }
    }
}

fn shell(one: &One, words: &[String]) -> Result<(), CliError> {
    let answer = one
        .remote
        .client()?
        .post(&one.path("/shell"), &json!({ "command": words }))?;
    if one.remote.json {
        return output::json(&answer);
    }
    output::print(answer.get("stdout").and_then(Value::as_str).unwrap_or_default())?;
    eprint!("{}", answer.get("stderr").and_then(Value::as_str).unwrap_or_default());
    match answer.get("exit_code").and_then(Value::as_i64) {
        Some(0) => Ok(()),
        code => Err(CliError::Failed(format!(
            "the command ended with {}",
            code.unwrap_or(-1)
        ))),
    }
}
