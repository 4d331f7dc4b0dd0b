//! `farmhand flow`

mod follow;
mod run;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use farmhand_actors::domain::UiTree;
use serde_json::{Value, json};

use super::{CliError, Remote, client::part, output};
use crate::flow::{self, catalog, inspect::Element, parse::sources::OUTSIDE};

/// Longest part of an element's words that is shown, characters.
const LONGEST_WORDS: usize = 60;

/// Where flow files and all that they include lie.
#[derive(Debug, Args)]
pub struct Root {
    /// The folder of the flows, outside of which nothing is read [default: the folder of each file]
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

/// `farmhand flow …`
#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// List the scripts of a running controller
    List(Remote),
    /// Check flow files: all faults of all files at once
    Check {
        /// Flow files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        root: Root,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a flow file on a device, and show its steps as they come
    ///
    /// The flow is sent to the controller with all that it includes and runs there as an ordinary task, after what the
    /// device has to do already. Ctrl-C stops the task. Exit codes: 0 success, 1 the flow failed, 2 the flow or the
    /// call is wrong, 3 unknown device, 4 no controller.
    Run(Box<run::Run>),
    /// Print what a device shows, each element with a selector that finds it alone
    Inspect {
        /// The device
        #[arg(long)]
        serial: String,
        #[command(flatten)]
        remote: Remote,
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
            output::table(&columns, &items.iter().map(counted).collect::<Vec<_>>())?;
            output::print(&items.iter().flat_map(errors_of).collect::<String>())?;
            let ignored = answer.get("ignored").and_then(Value::as_array);
            let lines = ignored.into_iter().flatten().filter_map(Value::as_str);
            output::print(&lines.map(|line| format!("ignored: {line}\n")).collect::<String>())
        }
        FlowCommand::Check { files, root, json } => check(&files, &root, json),
        FlowCommand::Run(run) => run::run(&run),
        FlowCommand::Inspect { serial, remote } => inspect(&serial, &remote),
    }
}

/// A script's row: how many errors its file has.
fn counted(item: &Value) -> Value {
    let mut row = item.clone();
    let count = item.get("errors").and_then(Value::as_array).map_or(0, Vec::len);
    if let Some(errors) = row.get_mut("errors").filter(|_| count > 0) {
        *errors = Value::from(count);
    }
    row
}

/// The errors of a script's file, a line each.
fn errors_of(item: &Value) -> Vec<String> {
    let errors = item.get("errors").and_then(Value::as_array).into_iter().flatten();
    errors
        .filter_map(Value::as_str)
        .map(|error| format!("error: {}\n", output::plain(error)))
        .collect()
}

fn inspect(serial: &str, remote: &Remote) -> Result<(), CliError> {
    let path = format!("/device/{}/hierarchy", part(serial));
    let tree: UiTree = serde_json::from_value(remote.client()?.get(&path, &[])?)
        .map_err(|error| CliError::Failed(format!("the controller's hierarchy cannot be read: {error}")))?;
    let elements = flow::inspect::elements(&tree);
    if remote.json {
        let rows: Vec<Value> = elements
            .iter()
            .map(|element| {
                json!({
                    "depth": element.depth, "class": element.class, "words": element.words, "selector": element.selector,
                    "point": element.point
                })
            })
            .collect();
        return output::json(&Value::Array(rows));
    }
    let lines: String = elements.iter().map(line).collect();
    output::print(&lines)
}

/// An element as a line of the tree.
fn line(element: &Element) -> String {
    let indent = "  ".repeat(element.depth);
    let words: String = element.words.chars().take(LONGEST_WORDS).collect();
    let way = match (&element.selector, &element.point) {
        (Some(selector), _) => selector.clone(),
        (None, Some(point)) => format!("only {{ point: \"{point}\" }} reaches it"),
        (None, None) => "not on the screen".to_owned(),
    };
    format!("{indent}{} {words:?}  {way}\n", element.class)
}

fn check(files: &[PathBuf], root: &Root, json: bool) -> Result<(), CliError> {
    let mut faults = 0_usize;
    let mut results = Vec::new();
    for file in files {
        let problems = problems(file, root);
        faults = faults.saturating_add(problems.len());
        if !json {
            let verdict = if problems.is_empty() { "ok" } else { "has faults" };
            output::print(&format!("{}: {verdict}\n", file.display()))?;
            for problem in problems.iter().map(String::as_str).chain(note(file)) {
                output::print(&format!("  {problem}\n"))?;
            }
        }
        results.push(json!({ "file": file, "problems": problems, "note": note(file) }));
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

impl Root {
    /// The folder that a flow file is read from, and its path below it.
    fn place(&self, file: &Path) -> Result<(PathBuf, String), CliError> {
        let unfit = |why: &str| CliError::Usage(format!("{}: {why}", file.display()));
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| unfit("not the name of a file"))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let Some(root) = &self.root else {
            return Ok((folder.to_owned(), name.to_owned()));
        };
        let real = |folder: &Path| {
            let missing = |error| CliError::Usage(format!("{}: {error}", folder.display()));
            folder.canonicalize().map_err(missing)
        };
        let (root, folder) = (real(root)?, real(folder)?);
        let below = folder.strip_prefix(&root);
        let below = below.map_err(|_| unfit(&format!("lies outside of {}", root.display())))?;
        let path = below.join(name).to_str().map(str::to_owned);
        let path = path.ok_or_else(|| unfit("its folder's name is not UTF-8 text"))?;
        Ok((root, path))
    }

    /// What may be the reason when a file is refused since it lies elsewhere.
    fn hint(&self, problem: &str) -> &'static str {
        if self.root.is_none() && problem.contains(OUTSIDE) {
            " (`--root` says which folder that is)"
        } else {
            ""
        }
    }
}

/// What keeps a good flow from being a script, which it need not be.
fn note(file: &Path) -> Option<&'static str> {
    let stem = file.file_stem()?.to_str();
    stem.and_then(catalog::name_of_script)
        .is_none()
        .then_some(catalog::NO_NAME)
}

fn problems(file: &Path, root: &Root) -> Vec<String> {
    let (folder, name) = match root.place(file) {
        Ok(found) => found,
        Err(error) => return vec![error.to_string()],
    };
    let checked = flow::check(&folder, &name);
    // What lies in a folder below is there to be included: the policy of who includes it holds.
    let is_part = name.contains('/');
    let problems = checked.err().into_iter().flatten();
    problems
        .filter(|problem| !(is_part && problem.title.starts_with("Not Allowed")))
        .map(|problem| problem.to_string())
        .map(|problem| format!("{problem}{}", root.hint(&problem)))
        .collect()
}
