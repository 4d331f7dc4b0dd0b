//! The way of the code, held by a test: sizes, rooms and arrows, banned words.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assertion is how a test speaks"
)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use farmhand_actors::domain::{AccountStatus, DeviceState, EVENT_KINDS, EventTopic};

/// Lines of a file without its tests.
const MAX_FILE_LINES: usize = 400;
/// Lines of a function.
const MAX_FUNCTION_LINES: usize = 70;
/// Lines of an actor's `handle`.
const MAX_HANDLER_LINES: usize = 15;

struct Source {
    path: PathBuf,
    /// The file up to its unit tests.
    code: String,
    /// All of it.
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut paths);
    }
    assert!(!paths.is_empty(), "no sources below {folders:?}");
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        let path = path.strip_prefix(root()).unwrap().to_owned();
        Source { path, code, text }
    };
    paths.into_iter().map(read).collect()
}

fn is_test(path: &Path) -> bool {
    let text = path.to_string_lossy();
    path.file_stem()
        .is_some_and(|stem| stem == "tests" || stem == "testing")
        || text.contains("/tests/")
        || text.contains("/testing/")
        || text.starts_with("tests/")
}

fn program() -> Vec<Source> {
    let mut all = sources(&["src", "actors/src", "sim/src"]);
    all.retain(|source| !is_test(&source.path));
    all
}

fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn files_stay_under_400_lines() {
    let faults = program().into_iter().filter_map(|source| {
        let lines = source.code.lines().count();
        (lines > MAX_FILE_LINES).then(|| format!("{}: {lines} lines", source.path.display()))
    });
    report(faults.collect());
}

/// Functions of rustfmt's output: from `fn` to the brace that closes at the same indent.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let head = ["pub(crate) ", "pub(super) ", "pub ", "async ", "const "]
            .iter()
            .fold(trimmed, |head, word| head.strip_prefix(word).unwrap_or(head));
        let Some(name) = head.strip_prefix("fn ") else {
            continue;
        };
        // A trait's declaration has no body.
        if trimmed.ends_with(';') {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let length = lines[at..]
            .iter()
            .position(|line| *line == close)
            .map_or(1, |end| end + 1);
        let name = name.split(['(', '<']).next().unwrap().to_owned();
        found.push((at + 1, name, length));
    }
    found
}

#[test]
fn functions_stay_under_70_lines_and_handlers_under_15() {
    let mut faults = Vec::new();
    for source in program() {
        for (line, name, length) in functions(&source.code) {
            let actor = source.path.starts_with("actors/src") && name == "handle";
            let limit = if actor { MAX_HANDLER_LINES } else { MAX_FUNCTION_LINES };
            if length > limit {
                faults.push(format!(
                    "{}:{line}: {name}: {length} lines, at most {limit}",
                    source.path.display()
                ));
            }
        }
    }
    report(faults);
}

#[test]
fn rooms_do_not_look_into_one_another() {
    let rooms = ["store", "adb", "flow", "media", "webhook"];
    let mut faults = Vec::new();
    for source in program() {
        let room = source
            .path
            .components()
            .nth(1)
            .unwrap()
            .as_os_str()
            .to_string_lossy()
            .into_owned();
        if !source.path.starts_with("src") || !rooms.contains(&room.as_str()) {
            continue;
        }
        let others = [
            "store", "adb", "flow", "media", "webhook", "http", "cli", "startup", "settings",
        ];
        for other in others.iter().filter(|other| **other != room) {
            if source.code.contains(&format!("crate::{other}")) {
                faults.push(format!("{}: names crate::{other}", source.path.display()));
            }
        }
    }
    report(faults);
}

#[test]
fn each_outside_library_has_one_room() {
    let homes = [
        ("sqlx::", "src/store"),
        ("adb_client::", "src/adb"),
        ("image::", "src/flow/vision"),
        ("actix::", "actors/src"),
        ("farmhand_sim::", "src/cli"),
    ];
    let mut faults = Vec::new();
    for source in sources(&["src", "actors/src"]) {
        for (library, home) in homes {
            let named = source.code.lines().any(|line| {
                let code = line.split("//").next().unwrap();
                code.split(library).collect::<Vec<_>>().windows(2).any(|pair| {
                    !pair[0].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
                })
            });
            if named && !source.path.starts_with(home) && !source.path.starts_with(format!("{home}.rs")) {
                faults.push(format!(
                    "{}: names {library} (its room is {home})",
                    source.path.display()
                ));
            }
        }
    }
    report(faults);
}

#[test]
fn actors_know_neither_sql_nor_http_nor_adb() {
    let faults = sources(&["actors/src"]).into_iter().filter_map(|source| {
        let banned = ["sqlx", "actix_web", "adb_client", "reqwest", "std::net", "tokio::net"];
        let word = banned.into_iter().find(|word| source.code.contains(word))?;
        Some(format!("{}: names {word}", source.path.display()))
    });
    report(faults.collect());
}

#[test]
fn cores_decide_without_clock_runtime_or_chance() {
    let cores = sources(&["actors/src"]).into_iter().filter(|source| {
        let path = source.path.to_string_lossy();
        path.ends_with("core.rs") || path.contains("/core/") || path.contains("/domain/")
    });
    let faults = cores.filter_map(|source| {
        let banned = [
            "actix",
            "tokio::",
            "Instant::now",
            "SystemTime",
            "Timestamp::now",
            "rand::",
        ];
        let code: String = source
            .code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let word = banned.into_iter().find(|word| code.contains(word))?;
        Some(format!("{}: names {word}", source.path.display()))
    });
    report(faults.collect());
}

#[test]
fn tests_neither_sleep_nor_carry_a_prefix() {
    let mut faults = Vec::new();
    for source in sources(&["src", "actors", "sim", "tests"]) {
        let tests = if is_test(&source.path) {
            source.text.as_str()
        } else {
            source.text.strip_prefix(&source.code).unwrap_or_default()
        };
        for (at, line) in tests.lines().enumerate() {
            let tidy = source.path.ends_with("tidy.rs");
            if !tidy && (line.contains("thread::sleep(") || line.contains("fn test_")) {
                faults.push(format!(
                    "{}: line {} of its tests: {}",
                    source.path.display(),
                    at + 1,
                    line.trim()
                ));
            }
        }
    }
    report(faults);
}

#[test]
fn lints_are_switched_off_only_with_a_reason() {
    let mut faults = Vec::new();
    for source in sources(&["src", "actors", "sim", "tests"]) {
        for (at, line) in source.text.lines().enumerate() {
            let off = line.trim_start().starts_with("#[allow(") || line.trim_start().starts_with("#![allow(");
            if off
                && !source
                    .text
                    .lines()
                    .skip(at)
                    .take(9)
                    .any(|line| line.contains("reason = "))
            {
                faults.push(format!("{}:{}: {}", source.path.display(), at + 1, line.trim()));
            }
        }
    }
    report(faults);
}

#[test]
fn every_file_says_what_it_is_for() {
    let faults = program().into_iter().filter(|source| !source.text.starts_with("//!"));
    report(
        faults
            .map(|source| format!("{}: no //! at its head", source.path.display()))
            .collect(),
    );
}

/// Kinds of events that the program's code names: what stands in quotes behind the name of a topic, or the words that
/// are put there.
fn kinds_told(code: &str) -> Vec<String> {
    let mut told = Vec::new();
    for topic in EventTopic::ALL.map(EventTopic::as_str) {
        let beginning = format!("\"{topic}.");
        for (at, _) in code.match_indices(&beginning) {
            let kind = code[at + 1..].split('"').next().unwrap();
            let (_, word) = kind.split_once('.').unwrap();
            if word.contains('{') {
                let words: Vec<&str> = match topic {
                    "account" => AccountStatus::ALL.map(AccountStatus::as_str).to_vec(),
                    "device" => DeviceState::ALL.map(DeviceState::as_str).to_vec(),
                    _ => panic!("{kind}: which words can stand there? Say it here"),
                };
                told.extend(words.iter().map(|word| format!("{topic}.{word}")));
            } else if word.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                told.push(kind.to_owned());
            }
        }
    }
    told
}

#[test]
fn every_kind_of_event_that_is_told_can_be_asked_for_and_every_one_offered_is_told() {
    let mut all = sources(&["src/store", "actors/src"]);
    all.retain(|source| !is_test(&source.path) && !source.path.ends_with("domain/webhook.rs"));
    all.retain(|source| !source.path.ends_with("router/races.rs"));
    let told: BTreeSet<String> = all.iter().flat_map(|source| kinds_told(&source.code)).collect();
    let offered: BTreeSet<String> = EVENT_KINDS.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(told, offered);

    let contract = std::fs::read_to_string(root().join("src/http/openapi.json")).unwrap();
    let contract: serde_json::Value = serde_json::from_str(&contract).unwrap();
    let mut lists = Vec::new();
    find_lists(&contract, "task.created", &mut lists);
    assert!(!lists.is_empty());
    for list in lists {
        let kinds: BTreeSet<String> = list.into_iter().filter(|word| word.contains('.')).collect();
        assert_eq!(kinds, offered, "src/http/openapi.json");
    }
}

/// The lists of words that one is in.
fn find_lists(value: &serde_json::Value, word: &str, found: &mut Vec<Vec<String>>) {
    if let Some(words) = value.get("enum").and_then(serde_json::Value::as_array) {
        let words: Vec<String> = words
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect();
        if words.iter().any(|one| one == word) {
            found.push(words);
        }
    }
    match value {
        serde_json::Value::Object(fields) => fields.values().for_each(|value| find_lists(value, word, found)),
        serde_json::Value::Array(entries) => entries.iter().for_each(|value| find_lists(value, word, found)),
        _ => {}
    }
}
