//! The clients of the command line: what they print and how they end.

use std::process::{Command, Output};

use serde_json::Value;

use crate::{
    harness::{free_port, media},
    shared::{PARKED, WORKING, shared},
};

/// How a client ended and what it said.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

fn run_at(server: &str, line: &str) -> Ended {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_farmhand"))
        .args(line.split(' '))
        .env("FARMHAND_SERVER", server)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: status.code().unwrap(),
        out: text(stdout),
        err: text(stderr),
    }
}

fn run(line: &str) -> Ended {
    run_at(&shared().farm.controller.base, line)
}

#[test]
fn every_listing_is_a_table_or_json() {
    let pending = shared().pending();

    for line in [
        "task list",
        "task stats",
        "device list",
        "account list",
        "material list",
        "flow list",
        "license",
        &format!("task show {pending}"),
        &format!("device show {}", PARKED[0]),
    ] {
        let table = run(line);
        assert_eq!(table.code, 0, "{line}: {}", table.err);
        assert!(
            !table.out.is_empty() && (line.contains("show") || !table.out.starts_with('{')),
            "{line}: {}",
            table.out
        );
        let json = run(&format!("{line} --json")).json();
        assert!(json.is_object() || json.is_array(), "{line}");
    }
}

#[test]
fn a_task_is_created_stopped_retried_and_deleted() {
    let config = "--config {\"target_users\":[\"a\",\"b\"]}";
    let created = run(&format!(
        "task create --script follow --serial {} {config} --json",
        PARKED[0]
    ))
    .json();
    let ids: Vec<_> = created["task_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();

    assert_eq!(ids.len(), 2);
    assert_eq!(run(&format!("task stop {} --json", ids[0])).json()["status"], 3);
    let again = run(&format!("task stop {}", ids[0]));
    assert_eq!((again.code, again.err.is_empty()), (1, false), "{}", again.err);
    assert_eq!(run(&format!("task retry {} --json", ids[0])).json()["status"], 0);
    assert_eq!(
        run(&format!("task delete {} --json", ids.join(" "))).json()["deleted_count"],
        2
    );
    assert_eq!(run(&format!("task show {}", ids[0])).code, 3);
    assert_eq!(run(&format!("task delete {}", ids[0])).code, 3);
}

#[test]
fn tasks_are_created_with_their_priority_and_gap_and_retried_by_what_they_have_in_common() {
    let line = "--config {\"target_users\":[\"a\",\"b\"]} --priority -3 --min-interval 5 --max-interval 9 --json";
    let created = run(&format!("task create --script follow --serial {} {line}", PARKED[1])).json();
    let ids: Vec<i64> = crate::shared::ids(&created);
    let task = run(&format!("task show {} --json", ids[0])).json();
    assert_eq!(task["priority"], -3, "{task}");
    let batch = task["batch_id"].as_str().unwrap();
    for id in &ids {
        assert_eq!(run(&format!("task stop {id}")).code, 0);
    }

    let retried = |filters: &str| run(&format!("task retry-all --batch {batch} {filters} --json")).json();
    assert_eq!(retried("--failure timeout")["retried_count"], 0);
    assert_eq!(retried("--username nobody")["retried_count"], 0);
    let all = retried(&format!("--serial {} --script follow --failure stopped", PARKED[1]));
    assert_eq!(all["retried_count"], 2, "{all}");
    let wrong = run("task retry-all --failure wrong");
    assert_eq!(
        (wrong.code, wrong.err.contains("failure_reason")),
        (2, true),
        "{}",
        wrong.err
    );
    assert_eq!(
        run(&format!(
            "task create --script follow --serial {} --priority 11",
            PARKED[1]
        ))
        .code,
        2
    );
}

#[test]
fn a_client_that_waits_ends_as_its_task_ended() {
    let farm = shared();
    let name = farm.account(WORKING, "tiktok");

    let done = run(&format!(
        "task create --script follow --username {name} --config {{\"target_users\":[\"w\"]}} --wait"
    ));
    assert_eq!(done.code, 0, "{}", done.err);
    let config = "--config {\"material_list\":[\"C:/Videos/no-such.mp4\"]}";
    let failed = run(&format!("task create --script post --username {name} {config} --wait"));
    assert_eq!(failed.code, 1, "{}", failed.err);
    assert!(failed.err.contains("no-such.mp4"), "{}", failed.err);
}

#[test]
fn a_wrong_call_ends_with_2() {
    for line in [
        "task",
        "task list --status x",
        "task show abc",
        "nonsense",
        "task list --page_size 5",
        "task list --status 9",
        "task create --script nope --serial sim-1",
        "task create --script follow --serial sim-1",
        "task create --script follow",
        "task create --script follow --serial sim-1 --config {",
        "device list --server ftp://x",
        "account add a,b --app myspace",
        "material add /no/such/file.mp4",
    ] {
        let ended = run(line);
        assert_eq!(ended.code, 2, "{line}: {}{}", ended.out, ended.err);
        assert!(!ended.err.is_empty() && ended.out.is_empty(), "{line}");
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
}

#[test]
fn what_is_not_there_ends_with_3() {
    for line in [
        "task show 99999999",
        "task stop 99999999",
        "task retry 99999999",
        "device show ghost",
        "account show ghost",
        "account delete ghost",
        "material delete 99999999",
        "device screenshot ghost --output /tmp/none.png",
        "task create --script follow --serial ghost --config {\"target_users\":[\"a\"]}",
    ] {
        let ended = run(line);
        assert_eq!(ended.code, 3, "{line}: {}{}", ended.out, ended.err);
        assert!(!ended.err.is_empty(), "{line}");
    }
}

#[test]
fn a_controller_that_is_away_ends_with_4() {
    let nobody = format!("http://127.0.0.1:{}", free_port());

    for line in [
        "task list",
        "device list --json",
        "license",
        "account export",
        "task stop 1",
    ] {
        let ended = run_at(&nobody, line);
        assert_eq!(ended.code, 4, "{line}: {}", ended.err);
        assert!(ended.err.contains(&nobody), "{line}: {}", ended.err);
    }
}

#[test]
fn flow_files_are_checked_all_at_once_without_a_controller() {
    let folder = tempfile::tempdir().unwrap();
    let flows = folder.path().join("flows");
    std::fs::create_dir_all(flows.join("sub")).unwrap();
    for (path, steps) in [
        ("good.yaml", "- back"),
        ("my+flow.yaml", "- back"),
        ("sub/up.yaml", "- runFlow: ../good.yaml"),
        ("bad.yaml", "- tapon: X\n- bak"),
        ("worse.yaml", "- runFlow: bad.yaml\n- clearState"),
    ] {
        std::fs::write(flows.join(path), format!("appId: a.b\n---\n{steps}\n")).unwrap();
    }
    let file = |path: &str| flows.join(path).display().to_string();
    let nobody = "http://127.0.0.1:9";

    let all = run_at(
        nobody,
        &format!(
            "flow check {} {} {}",
            file("bad.yaml"),
            file("good.yaml"),
            file("worse.yaml")
        ),
    );
    assert_eq!(all.code, 1, "{}{}", all.out, all.err);
    for words in [
        "bad.yaml: has faults\n  bad.yaml:3:3: Invalid Command: tapon",
        "\n  bad.yaml:4:3: Invalid Command: bak",
        "good.yaml: ok\n",
        "worse.yaml: has faults\n  bad.yaml:3:3: ",
        "\n  worse.yaml:4:3: Not Allowed: clearState",
    ] {
        assert!(all.out.contains(words), "{words}: {}", all.out);
    }
    assert!(all.err.contains("5 fault(s) in 3 file(s)"), "{}", all.err);

    let up = run_at(nobody, &format!("flow check {}", file("sub/up.yaml")));
    assert_eq!(up.code, 1);
    assert!(
        up.out.contains("outside of the folder") && up.out.contains("--root"),
        "{}",
        up.out
    );
    let root = format!("--root {}", flows.display());
    let good = run_at(
        nobody,
        &format!("flow check {root} {} {} --json", file("sub/up.yaml"), file("good.yaml")),
    );
    let rows = good.json();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!(rows[0]["problems"], serde_json::json!([]));
    assert_eq!(rows[0]["note"], serde_json::Value::Null);
    let odd = run_at(nobody, &format!("flow check {}", file("my+flow.yaml")));
    assert!(
        odd.code == 0 && odd.out.contains("ok\n  its name cannot be the name of a script"),
        "{}",
        odd.out
    );
    let elsewhere = run_at(
        nobody,
        &format!("flow check --root {} {}", file("sub"), file("good.yaml")),
    );
    assert_eq!(elsewhere.code, 1);
    assert!(elsewhere.out.contains("lies outside of"), "{}", elsewhere.out);
}

#[test]
fn every_client_command_prints_one_json_document_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("screen.png");

    let tree = run(&format!("device hierarchy {WORKING} --json")).json();
    let log = run(&format!("device log {WORKING} --json")).json();
    let saved = run(&format!(
        "device screenshot {WORKING} --output {} --json",
        picture.display()
    ))
    .json();
    let (one, other) = (media().join("image1.jpg"), media().join("image2.jpg"));
    let added = run(&format!("material add {} {} --json", one.display(), other.display())).json();

    assert!(tree.is_object() && log["log"].is_string(), "{tree} {log}");
    assert_eq!(saved["bytes"], std::fs::metadata(&picture).unwrap().len());
    assert_eq!(added.as_array().map(Vec::len), Some(2), "{added}");
    for material in added.as_array().unwrap() {
        assert_eq!(run(&format!("material delete {}", material["id"])).code, 0);
    }
}

#[test]
fn keys_and_the_doctor_look_into_the_folder_that_they_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (data, settings) = (dir.path().join("data"), dir.path().join("farm.toml"));
    let away = free_port();
    let text = format!(
        "[flows]\ndir = \"/no/such/flows\"\n[media]\nroots = [\"/no/such/media\"]\n\
         [adb]\nservers = [\"127.0.0.1:{away}\"]\n[license]\nplan = \"Gold\"\n"
    );
    std::fs::write(&settings, text).unwrap();
    let (data_dir, config) = (data.display(), settings.display());

    let before = run(&format!("doctor --json --data-dir {data_dir} --config {config}"));
    assert!(
        before.out.contains("is made at the first start") && !data.exists(),
        "{}",
        before.out
    );
    let made = run(&format!("key create --name x --json --data-dir {data_dir}"));
    assert!(made.err.contains("a new one was made"), "{}", made.err);
    let made = made.json();
    let keys = run(&format!("key list --json --data-dir {data_dir}")).json();
    let doctor = run(&format!("doctor --json --data-dir {data_dir} --config {config}"));

    assert_eq!(keys[0]["prefix"], made["prefix"]);
    assert!(data.join("farmhand.db").is_file());
    assert_eq!(doctor.code, 1, "{}", doctor.err);
    let findings: Value = serde_json::from_str(&doctor.out).unwrap();
    let state = |what: &str| {
        let mut all = findings.as_array().unwrap().iter();
        let found = all.find(|finding| finding["check"] == what);
        let found = found.unwrap_or_else(|| panic!("{what}: {findings}"));
        (
            found["state"].as_str().unwrap().to_owned(),
            found["finding"].to_string(),
        )
    };
    assert_eq!(state("database").0, "ok");
    assert_eq!(state("flows.dir").0, "warning");
    assert_eq!(state("media.roots").0, "warning");
    let (license, said) = state("license");
    assert!(license == "wrong" && said.contains("Gold"), "{said}");

    std::fs::write(&settings, "[http]\nport = 70000\n[rety]\nmax = 1\n").unwrap();
    let mistaken = run(&format!("doctor --json --data-dir {data_dir} --config {config}"));
    assert_eq!(mistaken.code, 2, "{}", mistaken.err);
    let findings: Value = serde_json::from_str(&mistaken.out).unwrap();
    assert_eq!(findings.as_array().unwrap().len(), 2, "{findings}");
    assert_eq!(findings[0]["state"], "wrong");
}

#[test]
fn an_address_behind_tls_is_taken() {
    let nobody = format!("https://127.0.0.1:{}", free_port());

    let ended = run_at(&nobody, "task list");

    assert_eq!(ended.code, 4, "{}", ended.err);
}

#[test]
fn help_and_version_end_with_0() {
    for line in [
        "--help",
        "--version",
        "task --help",
        "serve --help",
        "task create --help",
    ] {
        let ended = run(line);
        assert_eq!((ended.code, ended.out.is_empty()), (0, false), "{line}");
    }
}

#[test]
fn a_material_is_added_and_deleted_and_a_screenshot_saved() {
    let file = media().join("video1.mp4");
    let added = run(&format!("material add {} --json", file.display())).json();
    let id = added
        .pointer("/id")
        .or_else(|| added.pointer("/0/id"))
        .unwrap_or_else(|| panic!("{added}"));
    assert_eq!(run(&format!("material delete {id}")).code, 0);

    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("screen.png");
    let saved = run(&format!("device screenshot {WORKING} --output {}", picture.display()));
    assert_eq!(saved.code, 0, "{}", saved.err);
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}
