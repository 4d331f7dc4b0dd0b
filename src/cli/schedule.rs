//! `farmhand schedule`

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{CliError, Remote, output, task};

const COLUMNS: [output::Column<'static>; 7] = [
    ("id", "/id"),
    ("name", "/name"),
    ("enabled", "/enabled"),
    ("script", "/script_name"),
    ("time zone", "/time_zone"),
    ("next run", "/next_runs/0"),
    ("last run", "/last_run/fired_at"),
];

/// `farmhand schedule …`
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// List schedules
    List(Remote),
    /// Show a schedule with its next runs and its last one
    Show(One),
    /// Repeat a task request
    Create(Box<Create>),
    /// Delete a schedule; its tasks stay
    Delete(One),
    /// Let a schedule run again
    Enable(One),
    /// Let a schedule rest
    Disable(One),
    /// Run a schedule now, besides its planned runs
    Run(One),
}

/// `farmhand schedule create`
#[derive(Debug, Args)]
pub struct Create {
    /// Its name
    #[arg(long)]
    name: String,
    /// Cron expression, e.g. "30 9 * * mon-fri"; or --time
    #[arg(long, required_unless_present = "times", conflicts_with = "times")]
    cron: Option<String>,
    /// Time of day, may be repeated
    #[arg(long = "time", value_name = "HH:MM")]
    times: Vec<String>,
    /// Only on this day (mon to sun), may be repeated
    #[arg(long = "day", value_name = "DAY")]
    days: Vec<String>,
    /// Zone whose clock is meant; default: the farm's
    #[arg(long, value_name = "IANA NAME")]
    time_zone: Option<String>,
    /// Start runs only between these times
    #[arg(long, value_name = "HH:MM-HH:MM")]
    window: Option<String>,
    /// What becomes of missed runs
    #[arg(long, value_parser = ["run_once", "skip", "run_all"])]
    misfire: Option<String>,
    /// Most missed runs that run_all makes up for
    #[arg(long, value_name = "N")]
    misfire_cap: Option<u32>,
    /// Longest random delay of a run, seconds
    #[arg(long, value_name = "SECONDS")]
    jitter: Option<u32>,
    /// Create it at rest
    #[arg(long)]
    disabled: bool,
    /// Script to run
    #[arg(long)]
    script: String,
    /// Device, may be repeated
    #[arg(long = "serial")]
    serials: Vec<String>,
    /// Account, may be repeated
    #[arg(long = "username")]
    usernames: Vec<String>,
    /// Parameters of the script as JSON, or @FILE
    #[arg(long, default_value = "{}")]
    config: String,
    /// One task per account of each device
    #[arg(long)]
    multi_account: bool,
    #[command(flatten)]
    remote: Remote,
}

/// One schedule.
#[derive(Debug, Args)]
pub struct One {
    /// Schedule id
    id: u64,
    #[command(flatten)]
    remote: Remote,
}

impl One {
    fn path(&self, rest: &str) -> String {
        format!("/schedule/{}{rest}", self.id)
    }
}

/// Runs the command.
pub fn run(command: ScheduleCommand) -> Result<(), CliError> {
    match command {
        ScheduleCommand::List(remote) => list(&remote),
        ScheduleCommand::Show(one) => output::json(&one.remote.client()?.get(&one.path(""), &[])?),
        ScheduleCommand::Create(create) => {
            let body = create.body()?;
            output::json(&create.remote.client()?.post("/schedule", &body)?)
        }
        ScheduleCommand::Delete(one) => output::json(&one.remote.client()?.delete(&one.path(""))?),
        ScheduleCommand::Enable(one) => enable(&one, true),
        ScheduleCommand::Disable(one) => enable(&one, false),
        ScheduleCommand::Run(one) => output::json(&one.remote.client()?.post(&one.path("/run"), &json!({}))?),
    }
}

fn list(remote: &Remote) -> Result<(), CliError> {
    let answer = remote.client()?.get("/schedule", &[])?;
    if remote.json {
        return output::json(&answer);
    }
    let items = answer.get("items").and_then(Value::as_array);
    output::table(&COLUMNS, items.map_or(&[], Vec::as_slice))
}

fn enable(one: &One, enabled: bool) -> Result<(), CliError> {
    let body = json!({ "enabled": enabled });
    output::json(&one.remote.client()?.patch(&one.path(""), &body)?)
}

impl Create {
    /// The request; what was not given is left to the controller.
    fn body(&self) -> Result<Value, CliError> {
        let given = |list: &[String]| (!list.is_empty()).then(|| json!(list));
        let fields = [
            ("name", Some(json!(self.name))),
            ("cron", self.cron.as_ref().map(|cron| json!(cron))),
            ("times", given(&self.times)),
            ("days", given(&self.days)),
            ("time_zone", self.time_zone.as_ref().map(|zone| json!(zone))),
            ("window", self.window.as_deref().map(window).transpose()?),
            ("misfire", self.misfire.as_ref().map(|misfire| json!(misfire))),
            ("misfire_cap", self.misfire_cap.map(|cap| json!(cap))),
            ("jitter_s", self.jitter.map(|seconds| json!(seconds))),
            ("enabled", Some(json!(!self.disabled))),
            ("script_name", Some(json!(self.script))),
            ("script_config", Some(task::config(&self.config)?)),
            ("serials", given(&self.serials)),
            ("usernames", given(&self.usernames)),
            ("enable_multi_account", Some(json!(self.multi_account))),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(Value::Object(fields.collect::<Map<_, _>>()))
    }
}

fn window(text: &str) -> Result<Value, CliError> {
    let (from, to) = text
        .split_once('-')
        .ok_or_else(|| CliError::Usage(format!("--window {text}: two times like 09:00-18:00 are wanted")))?;
    Ok(json!({ "from": from, "to": to }))
}
