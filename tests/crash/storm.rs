//! What goes on around the controller while it is killed: tasks are created without end, phones fail.
//!
//! All of it is thrown with dice of each phone, and takes place by what the controller has got through with that phone, not
//! by the clock: the same dice and the same kills (see `progress.rs`) make the same storm.

use std::{
    collections::HashSet,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread::park_timeout,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    harness::{Sim, settings},
    progress::Progress,
    victim::Victim,
};

/// Accounts of each phone, by turns of both apps.
const ACCOUNTS: usize = 3;
/// A request that nobody answers for so long is a fault: no controller is away for more than a moment.
const UNANSWERED: Duration = Duration::from_secs(120);
/// Tasks of a phone that have not begun: there is always work, and little to do when the kills end.
const PENDING: i64 = 3;
/// From one thing that goes on to the next: acts of the controller on the phone, each counted before and after it was sent.
const NEXT: std::ops::Range<u64> = 1..16;
/// Of the phone's newest tasks so many may be stopped, deleted or retried.
const NEWEST: usize = 8;

/// What the load asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Caption or target: no other task has it.
    pub name: String,
    /// The ids of the answer, once one has come.
    pub acknowledged: Vec<i64>,
}

/// What people do to tasks meanwhile, by ids. Asked for: whether it was done, an answer that never came does not tell.
#[derive(Debug, Default)]
pub struct Meddled {
    /// May have been stopped.
    pub stopped: HashSet<i64>,
    /// May be gone.
    pub deleted: HashSet<i64>,
}

impl Meddled {
    /// A delete stops what runs before it takes it away; a kill in between leaves a stopped task.
    pub fn may_have_stopped(&self, task: i64) -> bool {
        self.stopped.contains(&task) || self.deleted.contains(&task)
    }
}

/// All that went on.
#[derive(Debug, Default)]
pub struct Load {
    pub wanted: Vec<Wanted>,
    pub meddled: Meddled,
}

impl Load {
    /// The load of several phones in one.
    pub fn of_all(loads: impl IntoIterator<Item = Self>) -> Self {
        loads.into_iter().fold(Self::default(), |mut all, one| {
            all.wanted.extend(one.wanted);
            all.meddled.stopped.extend(one.meddled.stopped);
            all.meddled.deleted.extend(one.meddled.deleted);
            all
        })
    }
}

/// Settings of a controller that is to be killed often: dying with it is not a task's fault here.
pub fn settings_of(sim: &Sim, folder: &Path) -> String {
    let (media, flows) = (folder.join("media"), folder.join("flows"));
    std::fs::create_dir_all(&media).unwrap();
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The quick flows lean on parts of the bundled ones, above all on their checks.
    for part in [
        "tests/crash/flows",
        "tests/crash/flows/quick",
        "flows/common",
        "flows/follow",
        "flows/post",
    ] {
        let within = part
            .trim_start_matches("tests/crash/")
            .trim_start_matches("flows")
            .trim_start_matches('/');
        copy_flows(&home.join(part), &flows.join(within));
    }
    let flows = flows.display();
    settings(&sim.server, &[], &media)
        + &format!("[flows]\ndir = \"{flows}\"\n[tasks]\npoison_limit = 100000\n[quarantine]\nfailures = 100000\n")
}

fn copy_flows(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The accounts of a phone.
pub fn usernames(serial: &str) -> impl Iterator<Item = (String, &'static str)> {
    let phone = serial.replace('-', "_");
    (0..ACCOUNTS).map(move |at| {
        let app = if at % 2 == 0 { "tiktok" } else { "instagram" };
        (format!("{phone}_{at}"), app)
    })
}

/// Logs all accounts in, and tells the controller of them.
pub fn set_up(sim: &Sim, victim: &Victim) {
    for (serial, _) in &sim.phones {
        for (username, app) in usernames(serial) {
            sim.login(serial, app, &username);
            let body = json!({ "username": username, "app": app, "serial": serial });
            victim.ok("POST", "/api/v1/account", Some(&body));
        }
    }
}

/// Waits for a time that the seed has chosen: here time itself is what is tested.
pub fn pass(time: Duration) {
    let until = Instant::now() + time;
    while let Some(rest) = until
        .checked_duration_since(Instant::now())
        .filter(|rest| !rest.is_zero())
    {
        park_timeout(rest);
    }
}

/// All that goes on with one phone, until `over`.
pub struct Storm<'a> {
    serial: &'a str,
    sim: &'a Sim,
    client: &'a Client,
    progress: &'a Progress,
    over: &'a AtomicBool,
    dice: StdRng,
    load: Load,
}

impl<'a> Storm<'a> {
    /// The storm of the `at`th phone.
    pub fn new(
        seed: u64,
        at: usize,
        sim: &'a Sim,
        client: &'a Client,
        progress: &'a Progress,
        over: &'a AtomicBool,
    ) -> Self {
        Self {
            serial: sim.serial(at),
            sim,
            client,
            progress,
            over,
            dice: StdRng::seed_from_u64(seed.wrapping_mul(1_000) + at as u64),
            load: Load::default(),
        }
    }

    /// Rages until `over`; then the phone is well again, and every request was answered.
    pub fn rage(mut self) -> Load {
        let mut next = 0;
        loop {
            self.progress.reach(self.serial, next, self.over);
            if self.over.load(Ordering::Acquire) {
                self.sim.heal(self.serial);
                return self.load;
            }
            // All dice are thrown before anything is done: what comes of it does not change the next throw.
            next += self.dice.random_range(NEXT);
            let (kind, which) = (self.dice.random_range(0..100), self.dice.random_range(0..NEWEST));
            let fault = fault(&mut self.dice);
            let name = format!("w_{}_{}", self.serial.replace('-', "_"), self.load.wanted.len());
            let body = task(&mut self.dice, self.serial, &name);
            match kind {
                0..70 => self.create(name, &body),
                70..86 => self.meddle(kind, which),
                _ => self.sim.fault(self.serial, &fault),
            }
        }
    }

    /// Creates a task unless enough wait. A request without an answer is sent again with its key, however often.
    fn create(&mut self, name: String, body: &Value) {
        let waiting = format!("/api/v1/task?status=0&page_size=1&serial={}", self.serial);
        let waiting = self.surely("GET", &waiting, None, None);
        if waiting["total"].as_i64() >= Some(PENDING) {
            return;
        }
        let answer = self.surely("POST", "/api/v1/task", Some(body), Some(&name));
        let ids = answer["task_ids"].as_array().unwrap();
        let acknowledged = ids.iter().map(|id| id.as_i64().unwrap()).collect();
        self.load.wanted.push(Wanted { name, acknowledged });
    }

    fn surely(&self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Value {
        let asked = Instant::now();
        loop {
            assert!(asked.elapsed() < UNANSWERED, "nobody answers {method} {path} {body:?}");
            if let Some(answer) = self.client.call(method, path, body, key) {
                return answer;
            }
            pass(Duration::from_millis(20));
        }
    }

    /// Stops, deletes or retries one of the phone's newest tasks, whatever it is doing.
    fn meddle(&mut self, kind: u32, which: usize) {
        let newest = self.load.wanted.iter().rev().nth(which);
        let Some(id) = newest.and_then(|wanted| wanted.acknowledged.first().copied()) else {
            return;
        };
        let task = format!("/api/v1/task/{id}");
        let (method, path, body) = match kind {
            70..78 => {
                self.load.meddled.stopped.insert(id);
                ("POST", format!("{task}/stop"), None)
            }
            78..79 => {
                self.load.meddled.deleted.insert(id);
                ("DELETE", task, None)
            }
            79..85 => ("POST", format!("{task}/retry"), None),
            _ => ("POST", "/api/v1/task/retry-all".to_owned(), Some(json!({}))),
        };
        self.client.try_call(method, &path, body.as_ref(), None);
    }
}

fn task(dice: &mut StdRng, serial: &str, name: &str) -> Value {
    let (username, _) = usernames(serial).nth(dice.random_range(0..ACCOUNTS)).unwrap();
    let (script, config) = match dice.random_range(0..100) {
        0..55 => ("quick_follow", json!({ "target_users": [name] })),
        55..85 => (
            "quick_post",
            json!({ "captions": name, "material_list": ["C:/Videos/video1.mp4"] }),
        ),
        85..95 => ("follow", json!({ "target_users": [name] })),
        _ => (
            "post",
            json!({ "captions": name, "material_list": ["C:/Videos/video1.mp4"], "upload_wait_time": 20 }),
        ),
    };
    json!({ "usernames": [username], "script_name": script, "script_config": config })
}

fn fault(dice: &mut StdRng) -> Value {
    let when = if dice.random_bool(0.5) { "before" } else { "after" };
    match dice.random_range(0..100) {
        0..25 => json!({ "kind": "publish_ack_lost" }),
        25..50 => json!({ "kind": "app_crash", "when": when }),
        50..80 => json!({ "kind": "drop_connection" }),
        80..90 => json!({ "kind": "app_crash", "now": true }),
        _ => json!({ "kind": "reboot", "ms": 1_000 }),
    }
}

/// The load's way to a controller that comes and goes.
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

impl Client {
    pub fn new(victim: &Victim) -> Self {
        Self {
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(Duration::from_secs(5)))
                .build()
                .into(),
            base: victim.base.clone(),
        }
    }

    /// `data` of an answer that says that it is done; `None` when nobody answers, or says to try again.
    fn call(&self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Option<Value> {
        let (status, data) = self.try_call(method, path, body, key)?;
        assert!(matches!(status, 200 | 409 | 503), "{method} {path}: {status} {data}");
        (status == 200).then_some(data)
    }

    /// Status and `data` of any answer that a client has to expect.
    fn try_call(&self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Option<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("connection", "close")
            .header("content-type", "application/json");
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut response = self.agent.run(request.body(body).unwrap()).ok()?;
        let status = response.status().as_u16();
        let answer: Value = serde_json::from_str(&response.body_mut().read_to_string().ok()?).ok()?;
        assert!(
            matches!(status, 200 | 404 | 409 | 503),
            "{method} {path}: {status} {answer}"
        );
        Some((status, answer["data"].clone()))
    }
}
