//! `farmhand task`

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{CliError, Remote, client::Client, output};

const COLUMNS: [output::Column<'static>; 7] = [
    ("id", "/id"),
    ("status", "/status_text"),
    ("script", "/script_name"),
    ("serial", "/serial"),
    ("username", "/username"),
    ("created", "/created_at"),
    ("remark", "/remark"),
];
/// How often `--wait` looks.
const WAIT_INTERVAL: Duration = Duration::from_millis(500);

/// `farmhand task …`
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// Create tasks
    Create(Box<Create>),
    /// List tasks, newest first
    List(List),
    /// Show a task with its attempts and steps
    Show(One),
    /// Stop a task
    Stop(One),
    /// Retry a failed task
    Retry(One),
    /// Retry all failed tasks, or those that are named
    RetryAll(RetryAll),
    /// Delete tasks; running ones are stopped first
    Delete {
        /// Task ids
        #[arg(required = true)]
        ids: Vec<u64>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Say whether the effect of a task with `outcome_unknown` took place
    Resolve {
        /// Task id
        id: u64,
        /// What a look at the phone showed
        #[arg(value_parser = ["done", "not_done"])]
        outcome: String,
        /// Why you think so
        #[arg(long, default_value = "")]
        note: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Count tasks by status
    Stats(Remote),
}

/// `farmhand task create`
#[derive(Debug, Args)]
pub struct Create {
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
    /// Start at this time of the farm's clock
    #[arg(long, value_name = "HH:MM")]
    start_time: Option<String>,
    /// From -10 to 10; higher goes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    /// Minutes at least between two starts on a device
    #[arg(long, value_name = "MINUTES")]
    min_interval: Option<u64>,
    /// Minutes at most between them
    #[arg(long, value_name = "MINUTES")]
    max_interval: Option<u64>,
    /// Wait until the tasks are over; exit 1 if one failed
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    remote: Remote,
}

/// `farmhand task retry-all`
#[derive(Debug, Args)]
pub struct RetryAll {
    /// Also those whose outcome is unknown
    #[arg(long)]
    include_unknown: bool,
    /// Only this device's
    #[arg(long)]
    serial: Option<String>,
    /// Only this account's
    #[arg(long)]
    username: Option<String>,
    /// Only this script's
    #[arg(long)]
    script: Option<String>,
    /// Only those of this request
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Only those that failed for this reason, e.g. timeout
    #[arg(long, value_name = "REASON")]
    failure: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// `farmhand task list`
#[derive(Debug, Args)]
pub struct List {
    /// 0 pending, 1 running, 2 completed, 3 failed
    #[arg(long)]
    status: Option<u8>,
    /// Only this device's
    #[arg(long)]
    serial: Option<String>,
    /// Only this account's
    #[arg(long)]
    username: Option<String>,
    /// Only this script's
    #[arg(long)]
    script: Option<String>,
    /// Only those that failed for this reason, e.g. outcome_unknown
    #[arg(long, value_name = "REASON")]
    failure: Option<String>,
    /// Page, from 1
    #[arg(long, default_value_t = 1)]
    page: u32,
    /// Tasks on a page, at most 100
    #[arg(long, default_value_t = 20)]
    page_size: u32,
    #[command(flatten)]
    remote: Remote,
}

/// One task.
#[derive(Debug, Args)]
pub struct One {
    /// Task id
    id: u64,
    #[command(flatten)]
    remote: Remote,
}

/// Runs the command.
pub fn run(command: TaskCommand) -> Result<(), CliError> {
    match command {
        TaskCommand::Create(create) => run_create(&create),
        TaskCommand::List(list) => run_list(&list),
        TaskCommand::Show(one) => show(&one),
        TaskCommand::Stop(one) => act(&one, "stop"),
        TaskCommand::Retry(one) => act(&one, "retry"),
        TaskCommand::RetryAll(retry) => run_retry_all(&retry),
        TaskCommand::Delete { ids, remote } => {
            let answer = remote
                .client()?
                .delete_with("/task/batch", &json!({ "task_ids": ids }))?;
            if answer.get("deleted_count") == Some(&json!(0)) {
                return Err(CliError::NotFound("none of these tasks exists".to_owned()));
            }
            summary(
                &remote,
                &answer,
                &[("deleted", "/deleted"), ("not found", "/not_found")],
            )
        }
        TaskCommand::Resolve {
            id,
            outcome,
            note,
            remote,
        } => {
            let body = json!({ "outcome": outcome, "note": note });
            let task = remote.client()?.post(&format!("/task/{id}/resolve"), &body)?;
            summary(&remote, &task, &COLUMNS)
        }
        TaskCommand::Stats(remote) => {
            let stats = remote.client()?.get("/task/stats", &[])?;
            let columns = [
                ("total", "/total"),
                ("pending", "/pending"),
                ("running", "/running"),
                ("completed", "/completed"),
                ("failed", "/failed"),
            ];
            summary(&remote, &stats, &columns)
        }
    }
}

fn summary(remote: &Remote, value: &Value, columns: &[output::Column<'_>]) -> Result<(), CliError> {
    if remote.json {
        return output::json(value);
    }
    output::table(columns, std::slice::from_ref(value))
}

fn act(one: &One, verb: &str) -> Result<(), CliError> {
    let task = one
        .remote
        .client()?
        .post(&format!("/task/{}/{verb}", one.id), &json!({}))?;
    summary(&one.remote, &task, &COLUMNS)
}

fn run_retry_all(retry: &RetryAll) -> Result<(), CliError> {
    let mut body = Map::new();
    body.insert("include_unknown".to_owned(), json!(retry.include_unknown));
    for (field, given) in [
        ("serial", &retry.serial),
        ("username", &retry.username),
        ("script_name", &retry.script),
        ("batch_id", &retry.batch),
        ("failure_reason", &retry.failure),
    ] {
        put(&mut body, field, given.clone());
    }
    let answer = retry.remote.client()?.post("/task/retry-all", &Value::Object(body))?;
    let columns = [
        ("retried", "/retried_count"),
        ("ids", "/task_ids"),
        ("skipped", "/skipped"),
    ];
    summary(&retry.remote, &answer, &columns)
}

/// A field that is left out when nothing was given.
fn put(body: &mut Map<String, Value>, field: &str, given: Option<impl Into<Value>>) {
    if let Some(given) = given {
        body.insert(field.to_owned(), given.into());
    }
}

fn run_list(list: &List) -> Result<(), CliError> {
    let mut query = vec![
        ("page", list.page.to_string()),
        ("page_size", list.page_size.to_string()),
    ];
    query.extend(list.status.map(|status| ("status", status.to_string())));
    query.extend(list.serial.clone().map(|serial| ("serial", serial)));
    query.extend(list.username.clone().map(|username| ("username", username)));
    query.extend(list.script.clone().map(|script| ("script_name", script)));
    query.extend(list.failure.clone().map(|reason| ("failure_reason", reason)));
    let page = list.remote.client()?.get("/task", &query)?;
    if list.remote.json {
        return output::json(&page);
    }
    let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    output::table(&COLUMNS, &items)?;
    let total = page.get("total").cloned().unwrap_or_default();
    eprintln!("{} of {total} tasks", items.len());
    Ok(())
}

fn show(one: &One) -> Result<(), CliError> {
    let task = one.remote.client()?.get(&format!("/task/{}", one.id), &[])?;
    if one.remote.json {
        return output::json(&task);
    }
    output::table(&COLUMNS, std::slice::from_ref(&task))?;
    // In full, whatever the table had room for: it says what to do.
    if let Some(remark) = task
        .get("remark")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
    {
        output::print(&format!("\n{}\n", output::plain(remark)))?;
    }
    for attempt in task.get("attempts").and_then(Value::as_array).into_iter().flatten() {
        output::print("\n")?;
        let head = [
            ("attempt", "/number"),
            ("device", "/serial"),
            ("started", "/started_at"),
            ("outcome", "/outcome"),
        ];
        output::table(&head, std::slice::from_ref(attempt))?;
        let steps = attempt
            .get("steps")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let columns = [
            ("step", "/index"),
            ("command", "/command"),
            ("state", "/state"),
            ("ms", "/duration_ms"),
            ("label", "/label"),
            ("error", "/error"),
        ];
        output::table(&columns, &steps)?;
    }
    Ok(())
}

fn run_create(create: &Create) -> Result<(), CliError> {
    let mut body = Map::new();
    body.insert("script_name".to_owned(), json!(create.script));
    body.insert("script_config".to_owned(), config(&create.config)?);
    if !create.serials.is_empty() {
        body.insert("serials".to_owned(), json!(create.serials));
    }
    if !create.usernames.is_empty() {
        body.insert("usernames".to_owned(), json!(create.usernames));
    }
    if create.multi_account {
        body.insert("enable_multi_account".to_owned(), json!(true));
    }
    put(&mut body, "start_time", create.start_time.clone());
    put(&mut body, "priority", create.priority);
    put(&mut body, "min_interval", create.min_interval);
    put(&mut body, "max_interval", create.max_interval);
    let client = create.remote.client()?;
    let answer = client.post("/task", &Value::Object(body))?;
    for warning in answer.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        eprintln!("warning: {}", warning.as_str().unwrap_or_default());
    }
    summary(
        &create.remote,
        &answer,
        &[("created", "/created_count"), ("ids", "/task_ids")],
    )?;
    if create.wait { wait(&client, &answer) } else { Ok(()) }
}

/// Parameters as they are given on the command line: JSON, or `@FILE`.
pub(super) fn config(text: &str) -> Result<Value, CliError> {
    let text = match text.strip_prefix('@') {
        Some(file) => {
            let file = PathBuf::from(file);
            std::fs::read_to_string(&file).map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))?
        }
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| CliError::Usage(format!("--config is not JSON: {error}")))
}

/// Shows each task's steps as they come, until all are over.
fn wait(client: &Client, answer: &Value) -> Result<(), CliError> {
    let ids: Vec<i64> = answer
        .get("task_ids")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_i64)
        .collect();
    let mut failed = 0_usize;
    for id in ids {
        let mut last = String::new();
        loop {
            let task = client.get(&format!("/task/{id}"), &[])?;
            let label = task
                .pointer("/progress/label")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let status = task.get("status_text").and_then(Value::as_str).unwrap_or_default();
            let line = format!("task {id}: {status} {label}");
            if line != last {
                eprintln!("{}", line.trim_end());
                last = line;
            }
            match task.get("status").and_then(Value::as_i64) {
                Some(2) => break,
                Some(3) => {
                    eprintln!(
                        "task {id}: {}",
                        task.get("remark").and_then(Value::as_str).unwrap_or_default()
                    );
                    failed = failed.saturating_add(1);
                    break;
                }
                _ => std::thread::sleep(WAIT_INTERVAL),
            }
        }
    }
    if failed == 0 {
        return Ok(());
    }
    Err(CliError::Failed(format!(
        "{failed} task(s) failed; see `farmhand task show ID`"
    )))
}
