//! `farmhand flow`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{CliError, Remote, output};
use crate::flow;

/// `farmhand flow …`
#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// List the scripts of a running controller
    List(Remote),
    /// Check flow files: all faults of all files at once
    Check {
        /// Flow files; what they include is looked for beside them
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn run(command: FlowCommand) -> Result<(), CliError> {
    match command {
        FlowCommand::List(remote) => {
            let answer = remote.client()?.get("/script", &[])?;
            if remote.json {
                return output::json(&answer);
            }
            let items = answer
                .get("items")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let columns = [
                ("name", "/name"),
                ("built in", "/built_in"),
                ("errors", "/errors"),
                ("description", "/description"),
            ];
            output::table(&columns, &items)
        }
        FlowCommand::Check { files, json } => check(&files, json),
    }
}

fn check(files: &[PathBuf], json: bool) -> Result<(), CliError> {
    let mut faults = 0_usize;
    let mut results = Vec::new();
    for file in files {
        let problems = problems(file);
        faults = faults.saturating_add(problems.len());
        if !json {
            let verdict = if problems.is_empty() { "ok" } else { "has faults" };
            output::print(&format!("{}: {verdict}\n", file.display()))?;
            for problem in &problems {
                output::print(&format!("  {problem}\n"))?;
            }
        }
        results.push(json!({ "file": file, "problems": problems }));
    }
    if json {
        output::json(&Value::Array(results))?;
    }
    if faults == 0 {
        return Ok(());
    }
    Err(CliError::Failed(format!(
        "{faults} fault(s) in {} file(s)",
        files.len()
    )))
}

fn problems(file: &Path) -> Vec<String> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
        return vec!["not the name of a file".to_owned()];
    };
    let checked = flow::check(folder, name);
    checked
        .err()
        .into_iter()
        .flatten()
        .map(|problem| problem.to_string())
        .collect()
}
