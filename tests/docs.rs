//! The papers, held to the code: states, links, names of functions, example flows.

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

use farmhand_actors::domain::{EffectState, TaskState};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All papers, by their path from the root.
fn papers() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "data" {
                folders.push(path);
            } else if name.ends_with(".md") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    assert!(found.contains(&PathBuf::from("README.md")), "{found:?}");
    found.sort();
    found
}

/// Text and target of every link of a paper.
fn links(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("](") {
        let target = text[at + 2..].split(')').next().unwrap();
        let name = text[..at].rsplit('[').next().unwrap();
        found.push((name.to_owned(), target.to_owned()));
    }
    found
}

/// The states that the diagram below a heading names.
fn states_of_diagram(heading: &str) -> BTreeSet<String> {
    let paper = read("docs/ARCHITECTURE.md");
    let (_, section) = paper.split_once(heading).unwrap();
    let (_, diagram) = section.split_once("stateDiagram-v2\n").unwrap();
    let (diagram, _) = diagram.split_once("```").unwrap();
    let states = diagram.lines().flat_map(|line| {
        let (arrow, _) = line.split_once(':').unwrap();
        arrow.split("-->").map(|state| state.trim().to_owned())
    });
    states.filter(|state| state != "[*]").collect()
}

/// The states that the CHECK of a table lists.
fn states_of_schema(table: &str) -> BTreeSet<String> {
    let schema = read("migrations/0001_task_engine.sql");
    let (_, table) = schema.split_once(&format!("CREATE TABLE {table} (")).unwrap();
    let (_, list) = table.split_once("CHECK (state IN (").unwrap();
    let (list, _) = list.split_once(')').unwrap();
    list.split(',')
        .map(|word| word.trim().trim_matches('\'').to_owned())
        .collect()
}

#[test]
fn a_tasks_states_are_the_same_in_code_schema_and_diagram() {
    let code: BTreeSet<String> = TaskState::ALL.map(|state| state.as_str().to_owned()).into();

    assert_eq!(states_of_schema("task"), code);
    assert_eq!(states_of_diagram("\n## States of a task\n"), code);
}

#[test]
fn an_effects_states_are_the_same_in_code_schema_and_diagram() {
    let code: BTreeSet<String> = EffectState::ALL.map(|state| state.as_str().to_owned()).into();

    assert_eq!(states_of_schema("effect"), code);
    assert_eq!(states_of_diagram("\n## States of an effect\n"), code);
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut faults = Vec::new();
    for paper in papers() {
        let text = read(&paper.to_string_lossy());
        let relative = links(&text).into_iter().filter(|(_, target)| !target.contains("://"));
        for (_, target) in relative {
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() {
                root().join(&paper)
            } else {
                root().join(&paper).parent().unwrap().join(file)
            };
            let there = path.exists() && (heading.is_empty() || anchors(&path).contains(heading));
            if !there {
                faults.push(format!("{}: {target}", paper.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The names by which a paper's headings are linked to.
fn anchors(paper: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(paper).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept: String = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .collect();
        kept.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_name_that_is_linked_to_code_is_defined_there() {
    let mut checked = 0;
    let mut faults = Vec::new();
    for paper in papers() {
        for (name, target) in links(&read(&paper.to_string_lossy())) {
            let named = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
            let Some(name) = named.filter(|_| target.ends_with(".rs")) else {
                continue;
            };
            let code = std::fs::read_to_string(root().join(&paper).parent().unwrap().join(&target)).unwrap_or_default();
            let kinds = ["fn ", "const ", "struct ", "enum ", "trait "].map(|kind| format!("{kind}{name}"));
            let field = format!("pub {name}: ");
            checked += 1;
            if !kinds.iter().any(|kind| code.contains(kind)) && !code.contains(&field) {
                faults.push(format!("{}: {name} is not in {target}", paper.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    assert!(checked > 50, "only {checked} names");
}

#[test]
fn every_decision_is_in_the_list_of_decisions() {
    let list = read("docs/adr/README.md");
    let listed: BTreeSet<String> = links(&list).into_iter().map(|(_, target)| target).collect();
    let files = std::fs::read_dir(root().join("docs/adr")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let decisions: BTreeSet<String> = names.filter(|name| name != "README.md").collect();

    assert_eq!(listed, decisions);
}

#[test]
fn the_example_flows_have_no_faults() {
    let folder = root().join("examples/flows");
    let mut checked = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name.ends_with(".yaml") {
            let faults = farmhand::flow::check(&folder, &name).err();
            assert!(faults.is_none(), "{name}: {faults:?}");
            checked += 1;
        }
    }
    assert!(checked >= 2, "only {checked} flows");
}
