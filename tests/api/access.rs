//! Who may call: keys and their scopes, foreign hosts and origins.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    harness::{Controller, media, settings},
    http::Api,
    shared::{PARKED, shared},
};

fn make_key(dir: &Path, scope: &str) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_farmhand"))
        .args([
            "key",
            "create",
            "--json",
            "--name",
            "test",
            "--scope",
            scope,
            "--config",
            "farm.toml",
        ])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    made["key"].as_str().unwrap().to_owned()
}

#[test]
fn keys_open_what_their_scope_allows() {
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("{}\n[auth]\nmode = \"keys\"\n", settings("127.0.0.1:1", &[], &media()));
    let controller = Controller::start(dir.path(), &settings);
    let api = Api::new(&controller.base);
    let [read, write, admin] = ["read", "write", "admin"].map(|scope| make_key(dir.path(), scope));
    let account = json!({ "username": "keyholder" });
    let shell = json!({ "command": "id" });

    for (method, path) in [
        ("GET", "/task"),
        ("POST", "/task"),
        ("GET", "/nope"),
        ("GET", "/license/check"),
    ] {
        let reply = api.json(method, path, None);
        reply.refused(40101);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(api.send("GET", "/metrics", &[], b"").status, 401);
    for open in ["/health/live", "/health/ready", "/health/startup"] {
        assert_eq!(api.send("GET", open, &[], b"").status, 200, "{open}");
    }
    let reader = api.with_key(&read);
    reader.get("/task").ok();
    reader.post("/account", &account).refused(40302);
    reader.post("/device/sim-1/shell", &shell).refused(40302);
    reader.json("POST", "/task/1/stop", None).refused(40302);
    let writer = api.with_key(&write);
    writer.post("/account", &account).ok();
    writer.post("/device/sim-1/shell", &shell).refused(40302);
    let owner = api.with_key(&admin);
    owner.delete("/account/keyholder").ok();
    owner.post("/device/sim-1/shell", &shell).refused(40401);
    let header = api.envelope("GET", "/task", &[("X-API-Key", &read)], b"");
    header.ok();

    let log = std::fs::read_to_string(controller.log()).unwrap();
    for key in [&read, &write, &admin] {
        assert!(!log.contains(&key[20..]), "a key stands in the log");
    }
    let prefix = read.split('_').nth(2).unwrap();
    let revoked = Command::new(env!("CARGO_BIN_EXE_farmhand"))
        .args(["key", "revoke", prefix, "--config", "farm.toml"])
        .current_dir(dir.path())
        .status()
        .unwrap();
    assert!(revoked.success());
    reader.get("/task").refused(40101);

    let mut changed = write.clone();
    changed.pop();
    for wrong in ["", "x", "farm_live_", "farm_live_12345678_abc", &changed] {
        api.with_key(wrong).get("/task").refused(40101);
    }
    let answers: Vec<_> = (0..12)
        .map(|_| api.with_key("farm_live_00000000_guess").get("/task").code())
        .collect();
    assert!(answers.contains(&42901), "guessing is slowed down: {answers:?}");
}

#[test]
fn foreign_hosts_and_origins_are_refused() {
    let api = &shared().api;
    let ours = shared().farm.controller.base.clone();
    let address = ours.trim_start_matches("http://");
    let port = address.rsplit(':').next().unwrap();
    let [localhost, other_port] = [format!("localhost:{port}"), format!("127.0.0.1:{port}9")];

    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "169.254.169.254",
        "[::ffff:1.2.3.4]:80",
        "a@127.0.0.1",
    ] {
        api.envelope("GET", "/task/stats", &[("host", host)], b"")
            .refused(40302);
    }
    for host in [address, &localhost, "LOCALHOST", "[::1]:80"] {
        api.envelope("GET", "/task/stats", &[("host", host)], b"").ok();
    }
    let foreign_port = format!("http://{other_port}");
    for origin in [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "file://",
        "http://127.0.0.1.evil.example",
        &foreign_port,
    ] {
        let json = ("content-type", "application/json");
        api.envelope("POST", "/task", &[("origin", origin), json], b"{}")
            .refused(40302);
        api.envelope("GET", "/events", &[("origin", origin)], b"")
            .refused(40302);
    }
    api.envelope("GET", "/task/stats", &[("origin", &ours)], b"").ok();
    // What a form of another site can send without asking.
    let form = ("content-type", "text/plain");
    api.envelope(
        "POST",
        &format!("/device/{}/tap", PARKED[0]),
        &[form],
        b"{\"x\":1,\"y\":1}",
    )
    .refused(41501);
}
