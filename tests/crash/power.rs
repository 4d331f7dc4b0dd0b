//! Lost power: what the disk would hold, had the power gone at any of thousands of instants, is opened by the store.
//!
//! The changes of the database's files are recorded (see `disk.c`). A change that was not synced may be there, torn at
//! a sector, or not at all, in any combination; a file's name is as lasting as the last sync of its folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use farmhand::store::{Store, StoreSettings};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use sqlx::{ConnectOptions, Connection, Row, sqlite::SqliteConnectOptions};

use crate::{
    harness::{follow, free_port, settings},
    victim::Victim,
};

/// Instants at which the power goes.
const POINTS: usize = 2_000;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// Every so many points the store itself opens the database; at the others SQLite checks it.
const STORE_OPENS: u32 = 20;

/// One recorded change; see `disk.c`.
#[derive(Clone)]
pub struct Change {
    pub kind: u8,
    pub path: String,
    pub offset: usize,
    pub data: Vec<u8>,
    /// Bytes of the log up to its end.
    pub logged: u64,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, length) = (char::from(self.kind), self.data.len());
        write!(out, "{kind} {} at {}, {length} bytes", self.path, self.offset)
    }
}

/// Reads what a disk has recorded, as far as it is whole.
pub fn read_log(file: &Path) -> Vec<Change> {
    let log = std::fs::read(file).unwrap();
    let number = |at: usize, width: usize| {
        let bytes = log.get(at..at + width)?;
        let mut eight = [0; 8];
        eight[..width].copy_from_slice(bytes);
        usize::try_from(u64::from_le_bytes(eight)).ok()
    };
    let mut changes = Vec::new();
    let mut at = 0;
    while let (Some(path_length), Some(offset), Some(length)) =
        (number(at + 1, 4), number(at + 5, 8), number(at + 13, 8))
    {
        let (path, data) = (at + 21, at + 21 + path_length);
        let Some(bytes) = log.get(data..data + length) else {
            break;
        };
        changes.push(Change {
            kind: log[at],
            path: String::from_utf8(log[path..data].to_vec()).unwrap(),
            offset,
            data: bytes.to_vec(),
            logged: (data + length) as u64,
        });
        at = data + length;
    }
    changes
}

/// A disk as it is on its way: what is certain, and what was not synced yet.
#[derive(Default)]
pub struct Platter {
    /// It says that it has synced, and has not.
    lies: bool,
    /// By a number of its own: names come and go.
    files: Vec<File>,
    /// Which file a name means to the running system.
    names: BTreeMap<String, usize>,
    /// Which file it means after a loss of power, at least.
    certain_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of their folder, in order.
    pending_names: Vec<(String, Option<usize>)>,
}

#[derive(Default, Clone)]
struct File {
    certain: Vec<u8>,
    pending: Vec<Change>,
}

fn apply(content: &mut Vec<u8>, change: &Change, length: usize) {
    if change.kind == b'T' {
        content.resize(change.offset, 0);
        return;
    }
    let end = change.offset + length;
    if content.len() < end {
        content.resize(end, 0);
    }
    content[change.offset..end].copy_from_slice(&change.data[..length]);
}

impl Platter {
    /// One that answers every sync and does none.
    pub fn that_lies() -> Self {
        Self {
            lies: true,
            ..Self::default()
        }
    }

    fn rename(&mut self, name: String, file: Option<usize>) {
        match file {
            Some(file) => self.names.insert(name.clone(), file),
            None => self.names.remove(&name),
        };
        self.pending_names.push((name, file));
    }

    fn take(&mut self, change: &Change) {
        let path = change.path.clone();
        match change.kind {
            b'C' => {
                self.files.push(File::default());
                self.rename(path, Some(self.files.len() - 1));
            }
            b'U' => self.rename(path, None),
            b'R' => {
                let file = self.names.get(&path).copied();
                self.rename(String::from_utf8(change.data.clone()).unwrap(), file);
                self.rename(path, None);
            }
            b'W' | b'T' => {
                if let Some(file) = self.names.get(&path) {
                    self.files[*file].pending.push(change.clone());
                }
            }
            b'S' if self.lies => {}
            b'S' => self.sync(&path),
            other => panic!("unknown kind {other}"),
        }
    }

    fn sync(&mut self, path: &str) {
        let Some(file) = self.names.get(path) else {
            // A folder: its names are certain now.
            let within = |name: &str| Path::new(name).parent() == Some(Path::new(path));
            let (now, later) = std::mem::take(&mut self.pending_names)
                .into_iter()
                .partition(|(name, _)| within(name));
            self.pending_names = later;
            let now: Vec<_> = now;
            for (name, file) in now {
                set(&mut self.certain_names, name, file);
            }
            return;
        };
        let file = &mut self.files[*file];
        for change in std::mem::take(&mut file.pending) {
            apply(&mut file.certain, &change, change.data.len());
        }
    }

    /// What is left when the power goes now.
    fn after_loss(&self, dice: &mut StdRng) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.certain_names.clone();
        let kept = dice.random_range(0..=self.pending_names.len());
        for (name, file) in &self.pending_names[..kept] {
            set(&mut names, name.clone(), *file);
        }
        let luck = [0.0, 0.5, 0.9, 1.0][dice.random_range(0..4)];
        let content = |file: usize, dice: &mut StdRng| {
            let mut content = self.files[file].certain.clone();
            for change in &self.files[file].pending {
                if dice.random_bool(luck) {
                    apply(&mut content, change, change.data.len());
                } else if dice.random_bool(0.3) && change.kind == b'W' {
                    let sectors = dice.random_range(0..=change.data.len() / SECTOR);
                    apply(&mut content, change, sectors * SECTOR);
                }
            }
            content
        };
        names
            .into_iter()
            .map(|(name, file)| (name, content(file, dice)))
            .collect()
    }
}

fn set(names: &mut BTreeMap<String, usize>, name: String, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}

/// What clients had been told when the log had this length: a loss of power later than that must not lose it.
#[derive(Debug, Clone, Default)]
pub struct Promise {
    pub logged: u64,
    /// So many tasks were created; their numbers have no gaps.
    pub created: i64,
    /// So many of them were stopped.
    pub stopped: i64,
    /// Whom the phones had been seen to follow by then.
    pub acted: Vec<String>,
    /// Tasks that were said to be completed.
    pub completed: Vec<i64>,
}

/// A recorded life of a database.
pub struct Recording {
    pub database: PathBuf,
    pub changes: Vec<Change>,
    pub promises: Vec<Promise>,
    /// Changes while the log was short.
    pub early: usize,
}

/// Records the life of a database: created, ended, filled until its log is moved into it, killed, started again.
fn record(folder: &Path) -> Recording {
    let phone = ("away-1".to_owned(), format!("127.0.0.1:{}", free_port()));
    let adb = format!("127.0.0.1:{}", free_port());
    let mut victim = Victim::new(folder, &settings(&adb, &[phone], folder));
    victim.records = true;
    let log = victim.disk().log();
    let mut promises = vec![Promise::default()];
    let mut early = 0;
    for (life, tasks) in [60, 60, 450].into_iter().enumerate() {
        victim.start_ready();
        for task in 0..tasks {
            let mut promise = promises.last().unwrap().clone();
            let ids = victim.create(&follow("away-1", "bob"));
            promise.created += 1;
            assert_eq!(ids, [promise.created]);
            if task % 10 == 0 {
                victim.ok("POST", &format!("/api/v1/task/{}/stop", promise.created), None);
                promise.stopped += 1;
            }
            promise.logged = std::fs::metadata(&log).unwrap().len();
            promises.push(promise);
        }
        if life == 1 {
            victim.kill();
            early = read_log(&log).len();
        } else {
            assert!(victim.terminate().success());
        }
    }
    Recording {
        database: victim.database(),
        changes: read_log(&log),
        promises,
        early,
    }
}

/// Where the power goes: half of the points while the log is short (they are the cheapest), a quarter while the log is
/// moved into the database, the rest anywhere.
fn choose_points(recording: &Recording, dice: &mut StdRng) -> BTreeSet<usize> {
    let database = recording.database.to_str().unwrap();
    let moves: Vec<usize> = (0..recording.changes.len())
        .filter(|at| recording.changes[*at].path == database)
        .collect();
    assert!(moves.len() > 50, "the log was hardly moved: {}", moves.len());
    let mut points = BTreeSet::new();
    while points.len() < POINTS {
        points.insert(match dice.random_range(0..4) {
            0 => moves[dice.random_range(0..moves.len())],
            1 => dice.random_range(0..recording.changes.len()),
            _ => dice.random_range(0..recording.early),
        });
    }
    points
}

/// What is left of the database after a loss of power, in a folder of its own.
fn restore(left: &BTreeMap<String, Vec<u8>>, recording: &Recording, folder: &Path) -> Option<PathBuf> {
    let name = recording.database.to_str().unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = folder.join(format!("farmhand.db{suffix}"));
        match left.get(&format!("{name}{suffix}")) {
            // What processes share of the log is no part of what lasts.
            Some(content) if suffix != "-shm" => std::fs::write(file, content).unwrap(),
            _ => drop(std::fs::remove_file(file)),
        }
    }
    left.contains_key(name).then(|| folder.join("farmhand.db"))
}

async fn examine(file: &Path, promise: &Promise, by_store: bool) -> Result<(), String> {
    if by_store {
        let settings = StoreSettings {
            url: format!("sqlite://{}", file.display()),
            ..StoreSettings::default()
        };
        Store::open(settings)
            .await
            .map_err(|error| error.to_string())?
            .close()
            .await;
    }
    let options = SqliteConnectOptions::new().filename(file);
    let mut database = options.connect().await.map_err(|error| error.to_string())?;
    let row = sqlx::query(
        "SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check) AS found,
                (SELECT count(*) FROM task WHERE id <= ?1) AS created,
                (SELECT count(*) FROM task WHERE id <= ?1 AND state = 'failed') AS stopped,
                (SELECT group_concat(acted.value) FROM json_each(?2) AS acted
                 WHERE NOT EXISTS (
                     SELECT 1 FROM effect JOIN task ON task.id = effect.task_id
                         JOIN attempt ON attempt.id = effect.attempt_id AND attempt.task_id = task.id
                     WHERE task.config ->> '$.target_users[0]' = acted.value
                       AND effect.state IN ('intended', 'unknown', 'confirmed'))) AS unknown_acts,
                (SELECT group_concat(completed.value) FROM json_each(?3) AS completed
                 WHERE NOT EXISTS (
                     SELECT 1 FROM effect JOIN task ON task.id = effect.task_id
                     WHERE task.id = completed.value AND task.state = 'completed'
                       AND effect.state = 'confirmed')) AS not_completed",
    )
    .bind(promise.created)
    .bind(json!(promise.acted).to_string())
    .bind(json!(promise.completed).to_string())
    .fetch_one(&mut database)
    .await
    .map_err(|error| error.to_string())?;
    let found: (String, i64, i64) = (row.get("found"), row.get("created"), row.get("stopped"));
    let missing: (Option<String>, Option<String>) = (row.get("unknown_acts"), row.get("not_completed"));
    database.close().await.map_err(|error| error.to_string())?;
    if found.0 == "ok" && found.1 == promise.created && found.2 >= promise.stopped && missing == (None, None) {
        return Ok(());
    }
    Err(format!(
        "{found:?}, no intent of {:?}, not completed {:?}",
        missing.0, missing.1
    ))
}

/// Goes through the recording on this disk and loses the power at these points; answers what was wrong.
pub fn replay(recording: &Recording, mut platter: Platter, points: &BTreeSet<usize>, seed: u64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    // In memory where that is possible: thousands of times some megabytes.
    let memory = Path::new("/dev/shm");
    let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
    let mut promises = recording.promises.iter().peekable();
    let nothing = Promise::default();
    let mut promise = &nothing;
    let mut faults = Vec::new();
    for (at, change) in recording.changes.iter().enumerate() {
        platter.take(change);
        while let Some(next) = promises.next_if(|next| next.logged <= change.logged) {
            promise = next;
        }
        if !points.contains(&at) {
            continue;
        }
        let mut dice = StdRng::seed_from_u64(seed + at as u64);
        let left = platter.after_loss(&mut dice);
        let fault = match restore(&left, recording, folder.path()) {
            Some(file) => runtime
                .block_on(examine(&file, promise, dice.random_ratio(1, STORE_OPENS)))
                .err(),
            None => (promise.created > 0).then(|| "the database is gone".to_owned()),
        };
        faults.extend(fault.map(|fault| format!("power lost after {at} ({change:?}): {fault}; {promise:?}")));
    }
    faults
}

/// # Panics
/// With the first few, if there are any.
pub fn assert_no_faults(faults: &[String], points: usize) {
    let few = faults[..faults.len().min(5)].join("\n");
    assert!(faults.is_empty(), "{} of {points} points:\n{few}", faults.len());
}

#[test]
fn f3_lost_power_loses_nothing_that_was_answered_and_breaks_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path());
    let seed = 42;
    let points = choose_points(&recording, &mut StdRng::seed_from_u64(seed));
    let (one, other): (BTreeSet<usize>, BTreeSet<usize>) = points.iter().partition(|at| *at % 2 == 0);

    let faults = std::thread::scope(|scope| {
        let other = scope.spawn(|| replay(&recording, Platter::default(), &other, seed));
        let mut faults = replay(&recording, Platter::default(), &one, seed);
        faults.extend(other.join().unwrap());
        faults
    });

    assert_no_faults(&faults, points.len());
    let few: BTreeSet<usize> = points
        .into_iter()
        .filter(|at| *at < recording.early)
        // The latest of them: by then there is something to lose.
        .rev()
        .take(100)
        .collect();
    let found = replay(&recording, Platter::that_lies(), &few, seed);
    assert!(!found.is_empty(), "a disk that does not sync is not found out");
}
