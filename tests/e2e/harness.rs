//! Starts what a farm is made of, each in a process of its own: simulated phones, a real adb server, the controller.

#![allow(
    dead_code,
    reason = "two test programs share this file, and each uses its part of it"
)]

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Longest wait for something that should take a moment.
pub const SOON: Duration = Duration::from_secs(30);
/// Longest wait for a task to end.
pub const TASK: Duration = Duration::from_secs(90);

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_farmhand");

/// Between two looks at what takes long: looking must not cost more than what is looked at.
const LONGEST_PAUSE: Duration = Duration::from_millis(80);

/// Polls until `look` answers something.
///
/// # Panics
/// When the time is over; `what` says what was awaited.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::park_timeout(pause);
        pause = (pause * 5 / 4).min(LONGEST_PAUSE);
    }
}

/// A port that nobody uses at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that dies with its owner.
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends SIGTERM and answers how it ended, and after how long.
    ///
    /// # Panics
    /// When it does not end within `limit`.
    pub fn terminate(mut self, limit: Duration) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        let sent = Command::new("kill").arg(self.id().to_string()).status().unwrap();
        assert!(sent.success());
        let status = wait_for("the process ends after SIGTERM", limit, || self.0.try_wait().unwrap());
        (status, asked.elapsed())
    }

    pub fn kill(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a command and answers its first line of standard output that `wanted` accepts. The rest is read and dropped.
fn start(mut command: Command, log: &Path, wanted: impl Fn(&str) -> bool + Send + 'static) -> (Process, String) {
    let log_file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if wanted(&line) {
                send.send(line).ok();
            }
        }
    });
    let process = Process(child);
    match receive.recv_timeout(SOON) {
        Ok(line) => (process, line),
        Err(_) => panic!("{command:?} did not get ready; its log:\n{}", tail(log)),
    }
}

pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Calls an HTTP API; answers status and body.
pub fn call(method: &str, url: &str, body: Option<&Value>) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let request = ureq::http::Request::builder().method(method).uri(url);
    let answer = match body {
        Some(body) => agent.run(
            request
                .header("content-type", "application/json")
                .body(body.to_string())
                .unwrap(),
        ),
        None => agent.run(request.body(()).unwrap()),
    };
    let mut response = answer.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Simulated phones.
pub struct Sim {
    process: Process,
    pub control: String,
    pub server: String,
    pub phones: Vec<(String, String)>,
}

impl Sim {
    pub fn start(dir: &Path, phones: u32) -> Self {
        let mut command = Command::new(BINARY);
        let count = phones.to_string();
        command.args([
            "sim",
            "--phones",
            &count,
            "--base-port",
            "0",
            "--control",
            "0",
            "--server-port",
            "0",
        ]);
        command.current_dir(dir);
        let (process, line) = start(command, &dir.join("sim.log"), |line| line.starts_with('{'));
        let ready: Value = serde_json::from_str(&line).unwrap();
        let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
        let phones = ready["phones"].as_array().unwrap();
        let phones = phones
            .iter()
            .map(|phone| (text(phone, "serial"), text(phone, "adb")))
            .collect();
        Self {
            process,
            control: text(&ready, "control"),
            server: text(&ready, "server"),
            phones,
        }
    }

    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    pub fn serial(&self, at: usize) -> &str {
        &self.phones[at].0
    }

    pub fn login(&self, serial: &str, app: &str, account: &str) {
        let url = format!("{}/phone/{serial}/login", self.control);
        let (status, answer) = call("POST", &url, Some(&json!({ "app": app, "account": account })));
        assert_eq!(status, 200, "{answer}");
    }

    pub fn fault(&self, serial: &str, fault: &Value) {
        let (status, answer) = call("POST", &format!("{}/phone/{serial}/fault", self.control), Some(fault));
        assert_eq!(status, 200, "{answer}");
    }

    pub fn heal(&self, serial: &str) {
        let (status, answer) = call(
            "DELETE",
            &format!("{}/phone/{serial}/fault", self.control),
            Some(&json!({})),
        );
        assert_eq!(status, 200, "{answer}");
    }

    /// What really happened of one kind, oldest first.
    pub fn ledger(&self, kind: &str) -> Vec<Value> {
        let (status, answer) = call("GET", &format!("{}/ledger", self.control), None);
        assert_eq!(status, 200, "{answer}");
        let all = answer.as_array().expect("the ledger is a list").clone();
        all.into_iter().filter(|entry| entry["kind"] == kind).collect()
    }
}

/// A real adb server on a port of its own, or `None` (and said so) where adb is not installed.
pub struct AdbServer {
    process: Option<Process>,
    pub port: u16,
    home: PathBuf,
}

impl AdbServer {
    pub fn start(dir: &Path) -> Option<Self> {
        if Command::new("adb").arg("version").output().is_err() {
            assert!(std::env::var("CI").is_err(), "adb must be installed where CI runs");
            eprintln!("skipped: the adb program is not installed (apt-get install adb)");
            return None;
        }
        let mut server = Self {
            process: None,
            port: free_port(),
            home: dir.join("adb-home"),
        };
        std::fs::create_dir_all(&server.home).unwrap();
        server.restart();
        Some(server)
    }

    pub fn restart(&mut self) {
        self.process = None;
        let port = self.port.to_string();
        let log = std::fs::File::create(self.home.join("server.log")).unwrap();
        let child = Command::new("adb")
            .args(["-P", &port, "nodaemon", "server"])
            .envs([("ADB_EMU", "0"), ("ADB_USB", "0"), ("ADB_MDNS", "0")])
            .env("HOME", &self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(Process(child));
        let port = self.port;
        wait_for("adb server listens", SOON, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }

    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// The controller.
pub struct Controller {
    process: Option<Process>,
    dir: PathBuf,
    settings: PathBuf,
    /// What runs the program (`env`, `prlimit`), with its arguments; mostly nothing.
    runs_in: Vec<String>,
    pub base: String,
}

impl Controller {
    /// Starts it with these settings (TOML) in `dir`; the port is chosen once and kept over restarts.
    pub fn start(dir: &Path, settings: &str) -> Self {
        Self::start_in(&[], dir, settings)
    }

    /// The same, run by another program: `env NAME=value`, `prlimit --nofile=64`.
    pub fn start_in(runs_in: &[&str], dir: &Path, settings: &str) -> Self {
        let port = free_port();
        let file = dir.join("farm.toml");
        std::fs::write(&file, settings).unwrap();
        let mut controller = Self {
            process: None,
            dir: dir.to_owned(),
            settings: file,
            runs_in: runs_in.iter().map(|&word| word.to_owned()).collect(),
            base: format!("http://127.0.0.1:{port}"),
        };
        controller.restart();
        controller
    }

    pub fn log(&self) -> PathBuf {
        self.dir.join("controller.log")
    }

    pub fn restart(&mut self) {
        self.process = None;
        let mut words = self.runs_in.iter().map(String::as_str).chain([BINARY, "serve"]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .arg("--config")
            .arg(&self.settings)
            .current_dir(&self.dir);
        let port = self.base.rsplit(':').next().unwrap();
        command.env("FARMHAND__HTTP__PORT", port).env("RUST_LOG", "info");
        let (process, _) = start(command, &self.log(), |line| line.contains("http://127.0.0.1:"));
        self.process = Some(process);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM; how it ended, and after how long.
    pub fn terminate(&mut self, limit: Duration) -> (ExitStatus, Duration) {
        self.process.take().expect("the controller runs").terminate(limit)
    }

    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        call(method, &format!("{}{path}", self.base), body)
    }

    /// `data` of a call that must succeed.
    pub fn ok(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!(
            status == 200 && answer["code"] == 0,
            "{method} {path}: {status} {answer}"
        );
        answer["data"].clone()
    }

    /// Adds a file to the library; answers its object.
    pub fn upload(&self, file: &Path, fields: &[(&str, &str)]) -> Value {
        let boundary = "farmhand-test-boundary";
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend(
                format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
            );
        }
        let name = file.file_name().unwrap().to_string_lossy();
        body.extend(
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n")
                .bytes(),
        );
        body.extend(std::fs::read(file).unwrap());
        body.extend(format!("\r\n--{boundary}--\r\n").bytes());
        let answer = ureq::post(format!("{}/api/v1/material", self.base))
            .header("content-type", format!("multipart/form-data; boundary={boundary}"))
            .send(&body[..]);
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["code"], 0, "{answer}");
        answer["data"].clone()
    }

    pub fn create(&self, body: &Value) -> Vec<i64> {
        let data = self.ok("POST", "/api/v1/task", Some(body));
        data["task_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_i64().unwrap())
            .collect()
    }

    pub fn task(&self, id: i64) -> Value {
        self.ok("GET", &format!("/api/v1/task/{id}"), None)
    }

    /// The task once its status is `status`; fails at once when it ends otherwise.
    pub fn await_status(&self, id: i64, status: i64) -> Value {
        let found = wait_for(&format!("task {id} gets status {status}"), TASK, || {
            let task = self.task(id);
            let now = task["status"].as_i64().unwrap();
            (now == status || now >= 2).then_some(task)
        });
        assert_eq!(found["status"], status, "{found:#}\n{}", tail(&self.log()));
        found
    }

    pub fn await_device(&self, serial: &str, state: &str) {
        wait_for(&format!("device {serial} is {state}"), SOON, || {
            let (status, answer) = self.call("GET", &format!("/api/v1/device/{serial}"), None);
            (status == 200 && answer["data"]["state"] == state).then_some(())
        });
    }
}

/// Phones, (real) adb and a controller.
pub struct Farm {
    pub sim: Sim,
    pub adb: Option<AdbServer>,
    pub controller: Controller,
    /// A folder of media of this farm alone; clients call it `C:/Farm`.
    pub media: PathBuf,
    /// Everything of this farm lies here; gone with it.
    _dir: tempfile::TempDir,
}

/// The folder with the demo media.
pub fn media() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media")
}

/// Settings of a controller that reaches the phones through `servers`; limits and retry delays made for tests. `own` is
/// a media folder beside that of the demo.
pub fn settings(servers: &str, devices: &[(String, String)], own: &Path) -> String {
    let devices: Vec<_> = devices
        .iter()
        .map(|(serial, address)| format!("{{ serial = \"{serial}\", address = \"{address}\" }}"))
        .collect();
    let media = media();
    let (media, own) = (media.display(), own.display());
    format!(
        "devices = [{}]\n[adb]\nservers = [\"{servers}\"]\nstart_server = false\n[retry]\nauto = true\ndelay = [0, 1]\n[limits]\nenabled = false\n[duplicates]\nwindow_h = 0\n\
         [media]\nroots = [\"{media}\", \"{own}\"]\n[media.path_map]\n\"C:/Videos\" = \"{media}\"\n\"C:/Images\" = \"{media}\"\n\"C:/Farm\" = \"{own}\"\n",
        devices.join(", ")
    )
}

fn media_folder(dir: &Path) -> PathBuf {
    let folder = dir.join("media");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Farm {
    /// A farm whose controller reaches its phones through a real adb server.
    pub fn with_adb(phones: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let adb = AdbServer::start(dir.path())?;
        let media = media_folder(dir.path());
        let sim = Sim::start(dir.path(), phones);
        let controller = Controller::start(dir.path(), &settings(&adb.address(), &sim.phones, &media));
        let farm = Self {
            sim,
            adb: Some(adb),
            controller,
            media,
            _dir: dir,
        };
        farm.await_online();
        Some(farm)
    }

    /// A farm whose controller reaches its phones through the simulator's own server port.
    pub fn without_adb(phones: u32) -> Self {
        Self::without_adb_set(phones, "")
    }

    /// The same with more settings (TOML), at the end of the usual ones.
    pub fn without_adb_set(phones: u32, more: &str) -> Self {
        Self::without_adb_as(phones, |settings| settings + more)
    }

    /// The same with other settings: `adapt` is given the usual ones (TOML).
    pub fn without_adb_as(phones: u32, adapt: impl FnOnce(String) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::start(dir.path(), phones);
        let media = media_folder(dir.path());
        let controller = Controller::start(dir.path(), &adapt(settings(&sim.server, &[], &media)));
        let farm = Self {
            sim,
            adb: None,
            controller,
            media,
            _dir: dir,
        };
        farm.await_online();
        farm
    }

    fn await_online(&self) {
        for (serial, _) in &self.sim.phones {
            self.controller.await_device(serial, "online");
        }
    }

    /// Logs an account in on a phone and tells the controller of it.
    pub fn account(&self, serial: &str, app: &str, username: &str) {
        self.sim.login(serial, app, username);
        let body = json!({ "username": username, "app": app, "serial": serial });
        self.controller.ok("POST", "/api/v1/account", Some(&body));
    }
}

/// The body of a post of `file` with `caption`.
pub fn post(serial: &str, caption: &str) -> Value {
    json!({
        "serials": [serial],
        "script_name": "post",
        "script_config": {
            "content_type": 0, "captions": caption, "material_list": ["C:/Videos/video1.mp4"], "upload_wait_time": 60
        }
    })
}

/// The body of a follow of `target`.
pub fn follow(serial: &str, target: &str) -> Value {
    json!({
        "serials": [serial],
        "script_name": "follow",
        "script_config": { "target_users": [target], "access_method": "direct" }
    })
}
