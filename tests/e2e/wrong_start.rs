//! Starts that cannot be: each is refused with the thing and the mend, and disturbs nothing that runs.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::harness::{Farm, follow, free_port};

/// Runs `farmhand serve` in a folder until it gives up; answers its exit code and what it said.
fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_farmhand"))
        .arg("serve")
        .args(arguments)
        .current_dir(folder)
        .env("RUST_LOG", "off")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (output.status.code(), said)
}

#[test]
fn a_second_controller_on_the_same_folder_is_refused_and_does_not_disturb_the_first() {
    let farm = Farm::without_adb(1);
    let serial = farm.sim.serial(0).to_owned();
    farm.account(&serial, "tiktok", "alice");
    let log = farm.controller.log();
    let folder = log.parent().unwrap();

    let (code, said) = refused(folder, &["--config", "farm.toml", "--port", "0"]);
    let id = farm.controller.create(&follow(&serial, "bob"))[0];
    farm.controller.await_status(id, 2);

    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("data_dir") && said.contains("another controller"),
        "{said}"
    );
    assert_eq!(farm.sim.ledger("follow").len(), 1);
}

#[test]
fn each_wrong_start_names_the_thing_and_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("unknown.toml"), "[http]\nprot = 1\n").unwrap();
    std::fs::write(at("open.toml"), "[http]\nhost = \"0.0.0.0\"\n").unwrap();
    std::fs::write(at("file"), "").unwrap();
    std::fs::create_dir(at("damaged")).unwrap();
    std::fs::write(at("damaged/farmhand.db"), "no database at all").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let free = free_port().to_string();

    for (arguments, code, words) in [
        (
            &["--config", "unknown.toml"] as &[&str],
            2,
            ["http.prot", "did you mean 'http.port'"],
        ),
        (&["--config", "missing.toml"], 2, ["missing.toml", "not found"]),
        (
            &["--config", "open.toml", "--port", &free],
            1,
            ["0.0.0.0", "auth.mode = \"keys\""],
        ),
        (
            &["--data-dir", "file", "--port", &free],
            1,
            ["file", "choose another data_dir"],
        ),
        (
            &["--data-dir", "damaged", "--port", &free],
            1,
            ["farmhand.db", "set database.url"],
        ),
        (&["--port", &port], 1, [&port, "change http.host or http.port"]),
    ] {
        let (got, said) = refused(folder.path(), arguments);

        assert_eq!(got, Some(code), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: {said}");
        }
    }
    assert_eq!(std::fs::read(at("damaged/farmhand.db")).unwrap(), b"no database at all");
}
