//! What must be true when everything has come to rest: what the phones' ledger says, and what the controller says.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use serde_json::Value;
use sqlx::{ConnectOptions, Row, sqlite::SqliteConnectOptions};

use crate::storm::{Load, Meddled, Wanted};

/// Most tasks of which nobody may know whether they took place.
const UNKNOWN_MAX: f64 = 0.02;

/// How a run ended, in numbers.
#[derive(Debug, Default)]
pub struct Tally {
    pub tasks: usize,
    pub completed: usize,
    pub failed: usize,
    pub stopped: usize,
    pub deleted: usize,
    pub unknown: usize,
    pub effects: usize,
    /// Tasks of each script, and how many of them were completed.
    pub scripts: BTreeMap<String, [usize; 2]>,
}

impl Tally {
    /// A script that never gets through finds no fault.
    fn count_script(&mut self, task: &Value) {
        let name = task["script_name"].as_str().unwrap().to_owned();
        let [tasks, completed] = self.scripts.entry(name).or_default();
        *tasks += 1;
        *completed += usize::from(task["status"] == 2);
    }
}

/// Compares what was asked for, what the controller says and what really happened.
///
/// # Panics
/// When they contradict one another; all contradictions at once.
pub fn judge(load: &Load, tasks: &[Value], ledger: &[Value]) -> Tally {
    let mut effects: HashMap<&str, Vec<&Value>> = HashMap::new();
    for entry in ledger {
        let name = match entry["kind"].as_str() {
            Some("publish") => entry["detail"]["caption"].as_str(),
            Some("follow") => entry["detail"]["target"].as_str(),
            _ => None,
        };
        effects.entry(name.unwrap_or_default()).or_default().push(entry);
    }
    effects.remove("");
    let mut tally = Tally {
        tasks: tasks.len(),
        effects: effects.len(),
        ..Tally::default()
    };
    let mut faults = Vec::new();
    for wanted in &load.wanted {
        if let Some(fault) = contradiction(wanted, &load.meddled, tasks, &effects, &mut tally) {
            faults.push(format!("{fault}: {wanted:?}\n{:#?}", effects.get(wanted.name.as_str())));
        }
    }
    let requests = load.wanted.len();
    if tasks.len() + tally.deleted != requests {
        faults.push(format!("{} tasks for {requests} requests: {tally:?}", tasks.len()));
    }
    let share = tally.unknown as f64 / tally.tasks.max(1) as f64;
    // Of fewer than fifty tasks one is more than the share, and says nothing of it.
    if share > UNKNOWN_MAX && tally.unknown > 1 {
        let unknown: Vec<&Value> = tasks
            .iter()
            .filter(|task| task["failure"]["reason"] == "outcome_unknown")
            .collect();
        faults.push(format!("{:.1} % are unknown: {unknown:#?}", share * 100.0));
    }
    assert!(faults.is_empty(), "{tally:?}\n{}", faults.join("\n"));
    tally
}

fn contradiction(
    wanted: &Wanted,
    meddled: &Meddled,
    tasks: &[Value],
    effects: &HashMap<&str, Vec<&Value>>,
    tally: &mut Tally,
) -> Option<String> {
    let [id] = wanted.acknowledged[..] else {
        return Some("not one id".to_owned());
    };
    let done = effects.get(wanted.name.as_str()).map_or(0, Vec::len);
    let task = match tasks.iter().find(|task| task["id"] == id) {
        Some(task) => task,
        None if meddled.deleted.contains(&id) => {
            tally.deleted += 1;
            return (done > 1).then(|| format!("a deleted task took place {done} times"));
        }
        None => return Some("a task is lost".to_owned()),
    };
    tally.count_script(task);
    let reason = task["failure"]["reason"].as_str();
    match (task["status"].as_i64(), reason) {
        (Some(2), _) => tally.completed += 1,
        (Some(3), Some("outcome_unknown")) => tally.unknown += 1,
        (Some(3), Some("stopped")) => tally.stopped += 1,
        (Some(3), _) => tally.failed += 1,
        _ => return Some(format!("a task is not over: {task:#}")),
    }
    match (task["status"].as_i64(), done, reason) {
        (_, 2.., _) => Some(format!("it took place {done} times: {task:#}")),
        (Some(2), 0, _) => Some(format!("completed, but it did not take place: {task:#}")),
        // A stop between the act and its confirmation leaves the question open; its retry looks first.
        (Some(3), 1, Some("stopped")) if meddled.may_have_stopped(id) => None,
        (Some(3), 1, Some(reason)) if reason != "outcome_unknown" => {
            Some(format!("failed, although it took place: {task:#}"))
        }
        (Some(3), _, Some("stopped")) if !meddled.may_have_stopped(id) => {
            Some(format!("stopped, and nobody wanted it: {task:#}"))
        }
        _ => None,
    }
}

/// The database of a controller that has ended: whole, and nothing in it is under way.
///
/// # Panics
/// When it is not.
pub fn examine_database(file: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut database = options.connect().await.unwrap();
        for (question, answer) in [
            ("PRAGMA integrity_check", "ok"),
            ("SELECT CAST(count(*) AS TEXT) FROM pragma_foreign_key_check", "0"),
            ("SELECT CAST(count(*) AS TEXT) FROM task WHERE state = 'running'", "0"),
            (
                "SELECT CAST(count(*) AS TEXT) FROM attempt WHERE finished_at IS NULL",
                "0",
            ),
            (
                "SELECT CAST(count(*) AS TEXT) FROM effect JOIN task ON task.id = effect.task_id
                 WHERE effect.state IN ('intended', 'unknown') AND task.state <> 'failed'",
                "0",
            ),
        ] {
            let row = sqlx::query(question).fetch_one(&mut database).await.unwrap();
            let found: String = row.get(0);
            assert_eq!(found, answer, "{question}");
        }
    });
}

/// A delete stops what runs first; a kill between the two leaves the task stopped and there.
#[test]
fn the_judge_takes_a_stopped_task_only_from_who_asked_for_a_stop_or_a_delete() {
    let load = |meddled| Load {
        wanted: vec![Wanted {
            name: "w".to_owned(),
            acknowledged: vec![9],
        }],
        meddled,
    };
    let task = serde_json::json!({ "id": 9, "script_name": "follow", "status": 3, "failure": { "reason": "stopped" } });
    let ledger = [serde_json::json!({ "kind": "follow", "detail": { "target": "w" } })];
    let [mut stopped, mut deleted] = [Meddled::default(), Meddled::default()];
    stopped.stopped.insert(9);
    deleted.deleted.insert(9);
    for meddled in [stopped, deleted] {
        let load = load(meddled);
        assert_eq!(judge(&load, std::slice::from_ref(&task), &[]).stopped, 1);
        assert_eq!(judge(&load, std::slice::from_ref(&task), &ledger).stopped, 1);
    }
    let nobody = load(Meddled::default());
    std::panic::catch_unwind(|| judge(&nobody, &[task], &[])).expect_err("nobody asked for a stop");
}
