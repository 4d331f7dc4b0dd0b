//! Flows that are sent along: over the API, and by `farmhand flow run`.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    harness::{Farm, SOON, free_port, wait_for},
    http::Api,
    shared::{PARKED, WORKING, ids, shared},
};

const GOOD: &str = "appId: com.android.settings\nenv: { WHO: \"${WHO || 'nobody'}\" }\n---\n- launchApp\n\
                    - assertVisible: { id: homepage_title }\n- evalScript: \"${output.remark = 'hello ' + WHO}\"\n";

fn sent(text: &str) -> Value {
    json!({ "main": "x.yaml", "files": { "x.yaml": text } })
}

/// Exit code, standard output, standard error.
fn flow_run(server: &str, folder: &Path, line: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_farmhand"))
        .args(["flow", "run"])
        .args(line.split(' '))
        .current_dir(folder)
        .env("FARMHAND_SERVER", server)
        .env("MAESTRO_WHO", "from the shell")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn a_wrong_flow_is_told_whole_and_creates_nothing() {
    let api = &shared().api;
    let path = format!("/device/{}/flow", PARKED[0]);
    let before = api.get("/task?script_name=flow:x@0000000000000000").ok()["total"].clone();
    let wrong = "appId: a.b\n---\n- tapon: X\n- clearState\n- runFlow: ../up.yaml\n";

    let told = api.post(&path, &sent(wrong));
    assert_eq!(told.faults(), ["files.x.yaml"; 3]);
    let messages = told.text();
    assert!(messages.contains("x.yaml:3:3: Invalid Command: tapon"), "{messages}");
    assert!(messages.contains("x.yaml:5:12: Invalid File Path"), "{messages}");
    let policy = api.post(&path, &sent("appId: a.b\n---\n- clearState\n"));
    assert!(policy.text().contains("Not Allowed: clearState"), "{}", policy.text());
    let up = json!({ "main": "../x.yaml", "files": { "../x.yaml": GOOD }, "env": { "output": "x" } });
    let mut fields = api.post(&path, &up).faults();
    fields.sort();
    assert_eq!(fields, ["env.output", "files.../x.yaml"]);
    api.post("/device/ghost/flow", &sent(GOOD)).refused(40401);
    assert_eq!(before, 0);
}

#[test]
fn a_flow_that_was_sent_survives_a_restart_of_the_controller() {
    let mut farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    api.patch("/device/sim-1", &json!({ "enabled": false })).ok();
    let mut body = sent(GOOD);
    body["env"] = json!({ "WHO": "anna" });
    let answer = api.post("/device/sim-1/flow", &body).ok();
    let id = ids(&answer)[0];
    let script = answer["script_name"].as_str().unwrap().to_owned();
    assert!(script.starts_with("flow:x@"), "{script}");

    farm.controller.kill();
    farm.controller.restart();
    let unknown = json!({ "serials": ["sim-1"], "script_name": script, "script_config": {} });
    api.post("/task", &unknown).refused(40003);
    api.patch("/device/sim-1", &json!({ "enabled": true })).ok();
    farm.controller.await_status(id, 2);

    let task = api.get(&format!("/task/{id}")).ok();
    assert_eq!(
        (&task["script_name"], &task["remark"]),
        (&json!(script), &json!("hello anna"))
    );
    assert!(!task.to_string().contains("\"WHO\""), "variables are not shown");
    let attempt = &task["attempts"][0];
    assert_eq!(attempt["flow_hash"].as_str().unwrap().len(), 64);
    let found = &attempt["steps"][1];
    assert_eq!(
        (&found["selector"], &found["matched"]["text"]),
        (&json!("id: homepage_title"), &json!("Settings"))
    );
    assert_eq!(api.get(&format!("/task?script_name={script}")).ok()["total"], 1);
}

#[test]
fn the_client_shows_each_step_and_ends_as_the_flow_did() {
    let server = &shared().farm.controller.base;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    write(
        "main.yaml",
        "appId: com.android.settings\n---\n- runFlow: sub/next.yaml\n- evalScript: ${output.remark = WHO + MAESTRO_WHO}\n",
    );
    write("sub/next.yaml", "appId: com.android.settings\n---\n- launchApp\n");
    write(
        "bad.yaml",
        "appId: com.android.settings\n---\n- launchApp\n- tapOn: { text: Nowhere, timeout: 0 }\n",
    );
    write("wrong.yaml", "appId: a.b\n---\n- tapon: X\n- bak\n");

    let (code, out, err) = flow_run(
        server,
        folder.path(),
        &format!("main.yaml --serial {WORKING} --env WHO=me,"),
    );
    assert_eq!(code, 0, "{out}{err}");
    for wanted in [
        "▸ 1 runFlow sub/next.yaml",
        "\n  ✓ 2 launchApp  ",
        "\n✓ 1 runFlow",
        "completed: me,from the shell",
    ] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    let (code, out, err) = flow_run(
        server,
        folder.path(),
        &format!("bad.yaml --serial {WORKING} --output shots"),
    );
    assert_eq!(code, 1, "{out}{err}");
    assert!(
        out.contains("✗ 2 tapOn \"Nowhere\"") && out.contains("screenshots and hierarchies: shots"),
        "{out}"
    );
    assert!(err.contains("element not found"), "{err}");
    // The farm may have tried again: each attempt leaves a picture and a view tree.
    let saved: Vec<String> = std::fs::read_dir(folder.path().join("shots"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    for kind in ["-2.jpg", "-2.xml"] {
        assert!(saved.iter().any(|name| name.ends_with(kind)), "{saved:?}");
    }
    let (code, out, _) = flow_run(
        server,
        folder.path(),
        &format!("bad.yaml --serial {WORKING} --output shots --json"),
    );
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (end, steps) = lines.split_last().unwrap();
    assert_eq!(
        (code, &end["type"], &end["status"]),
        (1, &json!("end"), &json!(3)),
        "{out}"
    );
    assert!(steps.iter().all(|line| line["type"] == "step"), "{out}");
    assert_eq!(
        (&steps[0]["state"], &steps[1]["state"]),
        (&json!("completed"), &json!("failed"))
    );

    let (code, _, err) = flow_run(server, folder.path(), &format!("wrong.yaml --serial {WORKING}"));
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("wrong.yaml:3:3: ") && err.contains("wrong.yaml:4:3: "),
        "{err}"
    );
    for (line, wanted) in [
        ("main.yaml", 2),
        ("gone.yaml --serial x", 2),
        ("main.yaml --serial x --env NOVALUE", 2),
        ("main.yaml --serial sim-4 --env 1A=x", 2),
        ("main.yaml --serial ghost", 3),
    ] {
        assert_eq!(flow_run(server, folder.path(), line).0, wanted, "{line}");
    }
    let nobody = format!("http://127.0.0.1:{}", free_port());
    assert_eq!(flow_run(&nobody, folder.path(), "main.yaml --serial x").0, 4);
}

#[test]
fn an_interrupt_stops_the_task() {
    let farm = shared();
    let folder = tempfile::tempdir().unwrap();
    let flow = "appId: com.android.settings\n---\n- launchApp\n- assertVisible: Never there\n";
    std::fs::write(folder.path().join("long.yaml"), flow).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_farmhand"))
        .args(["flow", "run", "long.yaml", "--serial", WORKING])
        .current_dir(folder.path())
        .env("FARMHAND_SERVER", &farm.farm.controller.base)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let long = |task: &&Value| task["script_name"].as_str().unwrap().starts_with("flow:long@");
    let id = wait_for("the flow runs", SOON, || {
        let tasks = farm.api.get("/task?status=1").ok();
        tasks["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(long)
            .map(|task| task["id"].as_i64().unwrap())
    });
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());

    let ended = child.wait_with_output().unwrap();

    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        String::from_utf8_lossy(&ended.stderr).contains("stopping task"),
        "{ended:?}"
    );
    let task = farm.task(id);
    assert_eq!(
        (&task["status"], &task["failure"]["reason"]),
        (&json!(3), &json!("stopped"))
    );
}
