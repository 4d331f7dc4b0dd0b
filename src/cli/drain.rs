//! `farmhand drain` and `farmhand resume`

use clap::Args;
use serde_json::{Value, json};

use super::{CliError, Remote, client::part, output};

/// Where to begin or end a drain.
#[derive(Debug, Args)]
pub struct Drain {
    /// Only this device
    #[arg(long)]
    serial: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Runs the command; `action` is `drain` or `resume`.
pub fn run(drain: &Drain, action: &str) -> Result<(), CliError> {
    let path = match &drain.serial {
        Some(serial) => format!("/device/{}/{action}", part(serial)),
        None => format!("/{action}"),
    };
    let answer = drain.remote.client()?.post(&path, &json!({}))?;
    if drain.remote.json {
        return output::json(&answer);
    }
    let place = drain
        .serial
        .as_deref()
        .map_or("the farm".to_owned(), |serial| format!("device {serial}"));
    let draining = answer.get("draining").and_then(Value::as_bool).unwrap_or(false);
    let running = match (drain.serial.is_some(), answer.get("running").and_then(Value::as_u64)) {
        (false, Some(running)) => format!("; {running} running"),
        _ => String::new(),
    };
    let state = if draining {
        "is drained: nothing starts"
    } else {
        "starts tasks"
    };
    output::print(&format!("{place} {state}{running}\n"))
}
