//! `farmhand flow run`: sends a flow to a running controller and follows its task.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    super::{CliError, Remote, client::Client, client::part, output, task},
    Root,
    follow::{Feed, Seen, line},
};
use crate::flow::bundle::{self, Bundle};

/// Between two looks at the task.
const LOOK: Duration = Duration::from_millis(200);
/// How long a controller that does not answer any more is waited for: it may be starting again.
const PATIENCE: Duration = Duration::from_secs(30);
/// Variables of the shell with this beginning are the flow's, too; as upstream.
const SHELL_VARIABLES: &str = "MAESTRO_";

/// `farmhand flow run`
#[derive(Debug, Args)]
pub struct Run {
    /// The flow file
    file: PathBuf,
    #[command(flatten)]
    root: Root,
    /// The device
    #[arg(long)]
    serial: String,
    /// A variable of the flow's expressions, may be repeated
    #[arg(long = "env", short = 'e', value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Parameters of the flow as JSON, or @FILE
    #[arg(long, default_value = "{}")]
    config: String,
    /// Where screenshots and hierarchies of failed steps are saved [default: ./flow-run-TASK]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs the command.
pub fn run(run: &Run) -> Result<(), CliError> {
    let body = body(run)?;
    let client = run.remote.client()?;
    // From here on Ctrl-C stops the task instead of leaving it behind.
    let interrupts = interrupts()?;
    let answer = client.post(&format!("/device/{}/flow", part(&run.serial)), &body)?;
    for warning in answer.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        eprintln!("warning: {}", output::plain(warning.as_str().unwrap_or_default()));
    }
    let tasks = answer.get("task_ids").and_then(Value::as_array);
    let tasks: Vec<i64> = tasks.into_iter().flatten().filter_map(Value::as_i64).collect();
    let mut failed = Vec::new();
    for task in tasks {
        let mut following = Following {
            client: &client,
            run,
            task,
            saved: BTreeMap::new(),
            live: false,
        };
        failed.extend(following.follow(&interrupts)?);
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(CliError::Failed(failed.join("\n")))
}

/// What is sent.
fn body(run: &Run) -> Result<Value, CliError> {
    let (folder, name) = run.root.place(&run.file)?;
    let Bundle { main, files, .. } = bundle::collect(&folder, &name).map_err(|problems| {
        let lines = problems.iter().map(ToString::to_string);
        let lines: String = lines
            .map(|line| format!("\n  {line}{}", run.root.hint(&line)))
            .collect();
        CliError::Usage(format!("{} has {} fault(s)", run.file.display(), problems.len()) + &lines)
    })?;
    let files: Map<String, Value> = files.into_iter().map(|(path, bytes)| (path, content(bytes))).collect();
    let mut env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(SHELL_VARIABLES) && !bundle::is_own_name(name))
        .collect();
    env.extend(run.env.iter().cloned());
    let config = task::config(&run.config)?;
    Ok(json!({ "main": main, "files": files, "env": env, "script_config": config }))
}

fn content(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::String(text),
        Err(error) => json!({ "base64": BASE64_STANDARD.encode(error.as_bytes()) }),
    }
}

/// Ctrl-C and SIGTERM, from now on.
fn interrupts() -> Result<Receiver<()>, CliError> {
    let unheard = |error: io::Error| CliError::Failed(format!("signals cannot be heard: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(unheard)?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    drop(guard);
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if send.send(()).is_err() {
                    return;
                }
            }
        });
    });
    Ok(receive)
}

/// A task whose steps are shown as they come.
struct Following<'a> {
    client: &'a Client,
    run: &'a Run,
    task: i64,
    /// Files that were saved, by their address.
    saved: BTreeMap<String, PathBuf>,
    /// The terminal's last line is about what is under way.
    live: bool,
}

impl Following<'_> {
    /// Answers why the task failed.
    fn follow(&mut self, interrupts: &Receiver<()>) -> Result<Option<String>, CliError> {
        let mut feed = Feed::default();
        let mut stopping = false;
        loop {
            let task = self.look(interrupts)?;
            for seen in feed.take(&task) {
                self.show(&seen)?;
            }
            if matches!(task.get("status").and_then(Value::as_i64), Some(2 | 3)) {
                return self.conclude(&task);
            }
            self.show_live(&feed.under_way(&task))?;
            match interrupts.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                _ if stopping => return Err(CliError::Failed(format!("task {} was not waited for", self.task))),
                _ => {
                    self.clear_live()?;
                    eprintln!("stopping task {} (once more to leave it alone)", self.task);
                    stopping = true;
                    match self.client.post(&format!("/task/{}/stop", self.task), &json!({})) {
                        // It was over before.
                        Ok(_) | Err(CliError::Failed(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// The task as it is now. A controller that is away for a moment is waited for: it keeps its tasks.
    fn look(&mut self, interrupts: &Receiver<()>) -> Result<Value, CliError> {
        let since = Instant::now();
        let mut told = false;
        loop {
            match self.client.get(&format!("/task/{}", self.task), &[]) {
                Err(CliError::NoConnection(problem)) if since.elapsed() < PATIENCE => {
                    if !told {
                        self.clear_live()?;
                        eprintln!("the controller is away, the task waits for it: {problem}");
                        told = true;
                    }
                    if interrupts.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                        return Err(CliError::NoConnection(problem));
                    }
                }
                answer => return answer,
            }
        }
    }

    fn show(&mut self, seen: &Seen<'_>) -> Result<(), CliError> {
        if let Seen::End { step, .. } = seen
            && step.get("state").and_then(Value::as_str) == Some("failed")
        {
            self.save(step);
        }
        if self.run.remote.json {
            let Seen::End { attempt, step, .. } = seen else {
                return Ok(());
            };
            let mut row = json!({ "type": "step", "task_id": self.task, "attempt": attempt });
            if let (Value::Object(row), Value::Object(step)) = (&mut row, *step) {
                row.extend(step.clone());
            }
            return output::print(&format!("{row}\n"));
        }
        self.clear_live()?;
        output::print(&line(seen))
    }

    fn show_live(&mut self, under_way: &str) -> Result<(), CliError> {
        if self.run.remote.json || !io::stdout().is_terminal() {
            return Ok(());
        }
        self.clear_live()?;
        let short: String = under_way.chars().take(output::width().saturating_sub(1)).collect();
        output::print(&short)?;
        self.live = !short.is_empty();
        Ok(())
    }

    fn clear_live(&mut self) -> Result<(), CliError> {
        if std::mem::take(&mut self.live) {
            output::print("\r\x1b[2K")?;
        }
        Ok(())
    }

    /// Saves what a failed step left. That it cannot be saved is no failure of the flow.
    fn save(&mut self, step: &Value) {
        for field in ["screenshot", "hierarchy"] {
            let Some(address) = step.get(field).and_then(Value::as_str) else {
                continue;
            };
            if self.saved.contains_key(address) {
                continue;
            }
            match self.download(address) {
                Ok(file) => {
                    self.saved.insert(address.to_owned(), file);
                }
                Err(problem) => eprintln!("warning: the {field} of the failed step could not be saved: {problem}"),
            }
        }
    }

    fn download(&self, address: &str) -> Result<PathBuf, CliError> {
        let path = address.strip_prefix("/api/v1").unwrap_or(address);
        let bytes = self.client.get_bytes(path, "*/*", &[])?;
        let folder = self.folder();
        let name = address.rsplit('/').next().unwrap_or("evidence");
        let file = folder.join(name);
        let write = || -> io::Result<()> {
            std::fs::create_dir_all(&folder)?;
            std::fs::File::create(&file)?.write_all(&bytes)
        };
        write().map_err(|error| CliError::Failed(format!("{}: {error}", file.display())))?;
        Ok(file)
    }

    fn folder(&self) -> PathBuf {
        let named = self.run.output.clone();
        named.unwrap_or_else(|| PathBuf::from(format!("flow-run-{}", self.task)))
    }

    fn conclude(&mut self, task: &Value) -> Result<Option<String>, CliError> {
        let text = |pointer: &str| output::plain(task.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
        let saved: Vec<String> = self.saved.values().map(|file| file.display().to_string()).collect();
        let folder = (!saved.is_empty()).then(|| self.folder().display().to_string());
        let failed = task.get("status").and_then(Value::as_i64) == Some(3);
        let why = format!(
            "task {}: {}: {}",
            self.task,
            text("/failure/reason"),
            text("/failure/message")
        );
        if self.run.remote.json {
            let hash = task
                .get("attempts")
                .and_then(Value::as_array)
                .and_then(|all| all.last());
            let end = json!({
                "type": "end", "task_id": self.task, "status": task.get("status"),
                "status_text": task.get("status_text"), "remark": task.get("remark"), "failure": task.get("failure"),
                "flow_hash": hash.and_then(|attempt| attempt.get("flow_hash")), "saved": saved,
            });
            output::print(&format!("{end}\n"))?;
            return Ok(failed.then_some(why));
        }
        if let Some(folder) = folder {
            output::print(&format!("screenshots and hierarchies: {folder}\n"))?;
        }
        if failed {
            return Ok(Some(why));
        }
        let remark = text("/remark");
        let remark = if remark.is_empty() {
            remark
        } else {
            format!(": {remark}")
        };
        output::print(&format!("task {} completed{remark}\n", self.task))?;
        Ok(None)
    }
}
