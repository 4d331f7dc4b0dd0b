//! How the controller starts, ends and comes back.

use std::{
    io::Read,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    harness::{Farm, SOON, follow, post, wait_for},
    http::Api,
    shared::ids,
};

/// The contract's ten seconds for draining.
const DRAIN: Duration = Duration::from_secs(10);

fn serve(dir: &Path, settings: &str, flags: &[&str]) -> Output {
    std::fs::write(dir.join("farm.toml"), settings).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_farmhand"))
        .args(["serve", "--config", "farm.toml"])
        .args(flags)
        .current_dir(dir)
        .env("FARMHAND__ADB__START_SERVER", "false")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + SOON;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    // One that did start is ended here, and its status says so.
    child.kill().ok();
    child.wait_with_output().unwrap()
}

#[test]
fn wrong_settings_do_not_start_and_the_message_says_what_was_meant() {
    for (settings, named) in [
        ("[http]\nprot = 1\n", vec!["http.prot", "port"]),
        ("[htpp]\nport = 1\n", vec!["htpp", "http"]),
        ("nonsense = 1\n", vec!["nonsense"]),
        ("[http]\nport = \"many\"\n", vec!["port"]),
        ("[http]\nport = 70000\n", vec!["port"]),
        ("[auth]\nmode = \"of\"\n", vec!["auth", "mode"]),
        (
            "[scheduler]\ntime_zone = \"Mars/Base\"\n",
            vec!["time_zone", "Mars/Base"],
        ),
        ("[license]\nplan = \"Gold\"\n", vec!["license.plan", "Gold"]),
        ("[license]\ntoken = \"abc\"\n", vec!["license.token"]),
        ("[database]\nurl = \"postgres://x\"\n", vec!["database.url"]),
        ("[http\n", vec!["farm.toml"]),
        ("[limits]\nenabeld = false\n", vec!["limits.enabeld", "limits.enabled"]),
        (
            "[limits.post]\nper_huor = 1\n",
            vec!["limits.post.per_huor", "per_hour"],
        ),
        ("[adb]\nservers = [\"nonsense\"]\n", vec!["adb.servers", "nonsense"]),
        (
            "devices = [{ serial = \"a\", address = \"10.0.0.7\" }]\n",
            vec!["devices[0].address", "10.0.0.7"],
        ),
        (
            "devices = [{ serial = \"a\", address = \"b:1\" }, { serial = \"a\", address = \"c:1\" }]\n",
            vec!["devices[1].serial"],
        ),
        ("[sim]\nphones = 501\n", vec!["sim.phones"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let ended = serve(dir.path(), settings, &[]);
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();

        assert!(matches!(ended.status.code(), Some(1 | 2)), "{settings}: {ended:?}");
        for name in named {
            assert!(told.contains(name), "{settings}: {name} in {told}");
        }
        assert!(!told.contains("panicked"), "{told}");
    }
    let dir = tempfile::tempdir().unwrap();
    let missing = Command::new(env!("CARGO_BIN_EXE_farmhand"))
        .args(["serve", "--config", "nowhere.toml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(matches!(missing.status.code(), Some(1 | 2)));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nowhere.toml"));
}

#[test]
fn without_keys_only_loopback_is_listened_on() {
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let dir = tempfile::tempdir().unwrap();
        let ended = serve(dir.path(), "[adb]\nstart_server = false\n", &["--host", host]);
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();

        assert!(matches!(ended.status.code(), Some(1 | 2)), "{host}: {ended:?}");
        assert!(told.contains("auth.mode"), "{host}: {told}");
    }
}

#[test]
fn with_too_few_files_to_open_it_does_not_start_and_names_the_limit() {
    for files in [40, 50] {
        let dir = tempfile::tempdir().unwrap();
        let ended = Command::new("sh")
            .args(["-c", "ulimit -n \"$0\" && exec timeout 20 \"$1\" serve --port 0"])
            .args([&files.to_string(), env!("CARGO_BIN_EXE_farmhand")])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();

        assert!(matches!(ended.status.code(), Some(1 | 2)), "{files}: {ended:?}");
        assert!(
            told.contains("LimitNOFILE") && !told.contains("panicked"),
            "{files}: {told}"
        );
    }
}

#[test]
fn after_a_kill_pending_tasks_and_ids_are_kept() {
    let mut farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    farm.account("sim-1", "tiktok", "keeper");
    api.patch("/device/sim-1", &json!({ "enabled": false, "alias": "Kept" }))
        .ok();
    let body = json!({
        "usernames": ["keeper"], "script_name": "follow", "script_config": { "target_users": ["a", "b", "c"] }
    });
    let headers = [("content-type", "application/json"), ("Idempotency-Key", "over-a-kill")];
    let answer = api
        .envelope("POST", "/task", &headers, body.to_string().as_bytes())
        .ok();
    let created = ids(&answer);
    api.delete(&format!("/task/{}", created[2])).ok();
    let before: Vec<_> = created[..2]
        .iter()
        .map(|id| api.get(&format!("/task/{id}")).ok())
        .collect();

    farm.controller.kill();
    farm.controller.restart();

    let after: Vec<_> = created[..2]
        .iter()
        .map(|id| api.get(&format!("/task/{id}")).ok())
        .collect();
    for (one, other) in before.iter().zip(&after) {
        for field in [
            "id",
            "batch_id",
            "script_config",
            "serial",
            "username",
            "status",
            "created_at",
        ] {
            assert_eq!(one[field], other[field], "{field}");
        }
    }
    api.get(&format!("/task/{}", created[2])).refused(40401);
    assert_eq!(api.get("/task/stats").ok()["total"], 2);
    assert_eq!(
        api.envelope("POST", "/task", &headers, body.to_string().as_bytes())
            .ok(),
        answer
    );
    let device = api.get("/device/sim-1").ok();
    assert_eq!((&device["alias"], &device["enabled"]), (&json!("Kept"), &json!(false)));
    let next = ids(&api.post("/task", &follow("sim-1", "d")).ok())[0];
    assert!(next > created[2], "{next}: the id of a deleted task is not used again");
    api.patch("/device/sim-1", &json!({ "enabled": true })).ok();
    for id in [created[0], created[1], next] {
        farm.controller.await_status(id, 2);
    }
}

#[test]
fn sigterm_ends_within_ten_seconds_also_with_a_follower_and_a_running_task() {
    let mut farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    farm.account("sim-1", "tiktok", "drained");
    farm.sim.fault("sim-1", &json!({ "kind": "upload_slow", "ms": 4_000 }));
    let mut follower = api.open("GET", "/api/v1/events", &[], b"");
    let id = ids(&api.post("/task", &post("sim-1", "over the end")).ok())[0];
    wait_for("the task runs", SOON, || {
        (api.get(&format!("/task/{id}")).ok()["status"] == 1).then_some(())
    });

    let (status, took) = farm.controller.terminate(DRAIN);

    assert_eq!(status.code(), Some(0), "after {took:?}");
    let mut rest = Vec::new();
    follower.read_to_end(&mut rest).ok();
    assert!(String::from_utf8_lossy(&rest).contains("text/event-stream"));
    farm.sim.heal("sim-1");
    farm.controller.restart();
    farm.controller.await_status(id, 2);
    assert_eq!(farm.sim.ledger("publish").len(), 1, "published once");
}
