//! A controller that is killed, stopped, started beside another: nothing is waited for unless it is said.

use std::{
    fs::OpenOptions,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    disk::{Disk, End},
    harness::{BINARY, SOON, free_port, tail, wait_for},
};

/// A controller with its settings, whether it runs or not.
pub struct Victim {
    pub base: String,
    pub data: PathBuf,
    folder: PathBuf,
    settings: PathBuf,
    log: PathBuf,
    disk: Disk,
    /// Whether its disk records.
    pub records: bool,
    child: Option<Child>,
    agent: ureq::Agent,
}

impl Victim {
    /// A controller in `folder` with these settings (TOML); not started.
    pub fn new(folder: &Path, settings: &str) -> Self {
        let folder = folder.canonicalize().unwrap();
        let data = folder.join("data");
        let disk = Disk::new(&folder, &data);
        let file = folder.join("farm.toml");
        std::fs::write(&file, settings).unwrap();
        Self {
            base: format!("http://127.0.0.1:{}", free_port()),
            data,
            settings: file,
            log: folder.join("controller.log"),
            disk,
            records: false,
            child: None,
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(Duration::from_secs(60)))
                .build()
                .into(),
            folder,
        }
    }

    /// A second one with the same settings and data, at another address; not started.
    pub fn beside(first: &Self) -> Self {
        let settings = std::fs::read_to_string(&first.settings).unwrap();
        let mut second = Self::new(&first.folder, &settings);
        second.log = first.folder.join("second.log");
        second
    }

    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    pub fn database(&self) -> PathBuf {
        self.data.join("farmhand.db")
    }

    pub fn log(&self) -> PathBuf {
        self.log.clone()
    }

    /// The command of a start, in a process group of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .arg("--config")
            .arg(&self.settings)
            .current_dir(&self.folder)
            .env("FARMHAND__DATA_DIR", &self.data)
            .env("FARMHAND__HTTP__PORT", self.base.rsplit(':').next().unwrap())
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Starts it.
    pub fn start(&mut self) {
        self.launch(|_, _| {});
    }

    /// Starts it; it gets SIGKILL there.
    pub fn start_until(&mut self, end: End) {
        self.launch(|disk, command| disk.kill_at(command, end));
    }

    /// Starts it; it gets SIGKILL after so many syncs and messages, counted from `disk().count(true)` on.
    pub fn start_armed(&mut self, kill_after: u32) {
        self.disk.count(false);
        self.launch(|disk, command| {
            let places = kill_after.into();
            disk.kill_at(
                command,
                End {
                    places,
                    ..End::default()
                },
            );
            disk.counts_when_told(command);
        });
    }

    fn launch(&mut self, arm: impl FnOnce(&Disk, &mut Command)) {
        self.kill();
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = self.command(&["serve"]);
        self.disk.attach(&mut command, self.records);
        arm(&self.disk, &mut command);
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Starts it and waits until it takes tasks.
    pub fn start_ready(&mut self) {
        self.start();
        self.await_ready();
    }

    pub fn await_ready(&mut self) {
        self.await_ready_within(SOON);
    }

    pub fn await_ready_within(&mut self, limit: Duration) {
        let log = self.log();
        wait_for("the controller is ready", limit, || {
            assert!(self.exited().is_none(), "it ended:\n{}", tail(&log));
            self.is_ready().then_some(())
        });
    }

    pub fn is_ready(&self) -> bool {
        self.try_call("GET", "/health/ready", None)
            .is_some_and(|(status, _)| status == 200)
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().unwrap())
    }

    /// Whether it was killed.
    ///
    /// # Panics
    /// When it has ended by itself: whatever it was in the middle of, nothing but a signal may end it.
    pub fn was_killed(&mut self) -> bool {
        const SIGKILL: i32 = 9;
        let log = self.log();
        let killed = |end: ExitStatus| {
            assert_eq!(end.signal(), Some(SIGKILL), "it ended by itself: {end}\n{}", tail(&log));
        };
        self.exited().map(killed).is_some()
    }

    /// How it ends within `limit`.
    pub fn await_exit(&mut self, limit: Duration) -> ExitStatus {
        wait_for("the controller ends", limit, || self.exited())
    }

    /// SIGKILL, if it runs.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().unwrap();
        }
    }

    /// SIGTERM, and its end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.await_exit(SOON)
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success(), "SIG{name}");
    }

    /// Calls the API; `None` when nobody answers.
    pub fn try_call(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        self.try_call_with(method, path, body, None)
    }

    /// The same with an `Idempotency-Key`.
    pub fn try_call_with(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Option<(u16, Value)> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("connection", "close");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = match body {
            Some(body) => self.agent.run(
                request
                    .header("content-type", "application/json")
                    .body(body.to_string())
                    .unwrap(),
            ),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut response = answer.ok()?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// `data` of a call that must succeed.
    pub fn ok(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self
            .try_call(method, path, body)
            .unwrap_or_else(|| panic!("{method} {path}: no answer\n{}", tail(&self.log())));
        assert!(
            status == 200 && answer["code"] == 0,
            "{method} {path}: {status} {answer}"
        );
        answer["data"].clone()
    }

    pub fn create(&self, body: &Value) -> Vec<i64> {
        let data = self.ok("POST", "/api/v1/task", Some(body));
        let ids = data["task_ids"].as_array().unwrap();
        ids.iter().map(|id| id.as_i64().unwrap()).collect()
    }

    pub fn task(&self, id: i64) -> Value {
        self.ok("GET", &format!("/api/v1/task/{id}"), None)
    }

    /// Every task, oldest first.
    pub fn tasks(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 1.. {
            let data = self.ok("GET", &format!("/api/v1/task?page={page}&page_size=100"), None);
            let found = data["items"].as_array().unwrap_or_else(|| panic!("{data:#}")).clone();
            if found.is_empty() {
                break;
            }
            all.extend(found);
        }
        all.sort_by_key(|task| task["id"].as_i64());
        all
    }

    /// The task when it has ended.
    pub fn await_end(&self, id: i64, limit: Duration) -> Value {
        wait_for(&format!("task {id} ends"), limit, || {
            let (status, answer) = self.try_call("GET", &format!("/api/v1/task/{id}"), None)?;
            assert_eq!(status, 200, "{answer}");
            let task = &answer["data"];
            (task["status"].as_i64() >= Some(2)).then(|| task.clone())
        })
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}
