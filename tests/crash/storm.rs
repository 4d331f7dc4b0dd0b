//! What goes on around the controller while it is killed: tasks are created without end, phones fail.

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
    victim::Victim,
};

/// Accounts of each phone, by turns of both apps.
const ACCOUNTS: usize = 3;
/// A request that nobody answers for so long is a fault: no controller is away for more than a moment.
const UNANSWERED: Duration = Duration::from_secs(120);
/// Tasks that are not over, for each phone: there is always work, and little to do when the kills end.
const OPEN_PER_PHONE: i64 = 3;

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
#[derive(Debug)]
pub struct Load {
    pub wanted: Vec<Wanted>,
    pub meddled: Meddled,
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

/// Creates posts and follows until `over`, then waits until the last one is acknowledged. A request without an answer
/// is sent again with its key, however often.
pub fn create_tasks(seed: u64, sim: &Sim, victim: &Client, over: &AtomicBool) -> Vec<Wanted> {
    let mut dice = StdRng::seed_from_u64(seed);
    let phones = i64::try_from(sim.phones.len()).unwrap();
    let mut wanted = Vec::new();
    while !over.load(Ordering::Acquire) {
        let stats = victim.call("GET", "/api/v1/task/stats", None, None);
        let open = stats.map(|stats| stats["pending"].as_i64().unwrap() + stats["running"].as_i64().unwrap());
        if open.is_none_or(|open| open >= phones * OPEN_PER_PHONE) {
            pass(Duration::from_millis(20));
            continue;
        }
        let name = format!("w{}", wanted.len());
        let body = task(&mut dice, sim, &name);
        let asked = Instant::now();
        let answer = loop {
            assert!(asked.elapsed() < UNANSWERED, "{name}: nobody answers {body}");
            if let Some(answer) = victim.call("POST", "/api/v1/task", Some(&body), Some(&name)) {
                break answer;
            }
            pass(Duration::from_millis(20));
        };
        let ids = answer["task_ids"].as_array().unwrap();
        let acknowledged = ids.iter().map(|id| id.as_i64().unwrap()).collect();
        wanted.push(Wanted { name, acknowledged });
    }
    wanted
}

fn task(dice: &mut StdRng, sim: &Sim, name: &str) -> Value {
    let serial = sim.serial(dice.random_range(0..sim.phones.len()));
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

/// Stops, deletes and retries tasks until `over`: any of the newest, whatever they are doing.
pub fn meddle(seed: u64, victim: &Client, over: &AtomicBool) -> Meddled {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut meddled = Meddled::default();
    while !over.load(Ordering::Acquire) {
        pass(Duration::from_millis(dice.random_range(100..700)));
        let Some(newest) = victim.call("GET", "/api/v1/task?page_size=40", None, None) else {
            continue;
        };
        let newest = newest["items"].as_array().unwrap();
        if newest.is_empty() {
            continue;
        }
        let id = newest[dice.random_range(0..newest.len())]["id"].as_i64().unwrap();
        let task = format!("/api/v1/task/{id}");
        match dice.random_range(0..100) {
            0..40 => {
                meddled.stopped.insert(id);
                victim.try_call("POST", &format!("{task}/stop"), None, None);
            }
            40..55 => {
                meddled.deleted.insert(id);
                victim.try_call("DELETE", &task, None, None);
            }
            55..90 => drop(victim.try_call("POST", &format!("{task}/retry"), None, None)),
            _ => drop(victim.try_call("POST", "/api/v1/task/retry-all", Some(&json!({})), None)),
        }
    }
    meddled
}

/// Gives the phones faults until `over`, then takes them all away.
pub fn disturb_phones(seed: u64, sim: &Sim, over: &AtomicBool) {
    let mut dice = StdRng::seed_from_u64(seed);
    while !over.load(Ordering::Acquire) {
        pass(Duration::from_millis(dice.random_range(100..900)));
        let serial = sim.serial(dice.random_range(0..sim.phones.len()));
        let when = if dice.random_bool(0.5) { "before" } else { "after" };
        let fault = match dice.random_range(0..100) {
            0..25 => json!({ "kind": "publish_ack_lost" }),
            25..50 => json!({ "kind": "app_crash", "when": when }),
            50..80 => json!({ "kind": "drop_connection" }),
            80..90 => json!({ "kind": "app_crash", "now": true }),
            _ => json!({ "kind": "reboot", "ms": 1_000 }),
        };
        sim.fault(serial, &fault);
    }
    for (serial, _) in &sim.phones {
        sim.heal(serial);
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
