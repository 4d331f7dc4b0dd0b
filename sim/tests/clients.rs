//! Other people's clients against the simulated phones: `adbutils` and `uiautomator2` from PyPI, each in the version
//! that this test was written with.

#![allow(clippy::expect_used, reason = "what cannot be set up is a failed test")]

mod support;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use support::{Rig, text};

const CLIENTS: [&str; 2] = ["adbutils==2.12.0", "uiautomator2==3.7.1"];

/// A Python that has the clients, made once and kept with the other build products; `None`, with the reason printed,
/// when it cannot be made here.
fn python() -> Option<PathBuf> {
    // Both tests may come here at once, and only one may make the folder.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    let python = folder.join("bin/python");
    let has_clients = |python: &Path| {
        Command::new(python)
            .args(["-c", "import adbutils, uiautomator2"])
            .output()
            .is_ok_and(|it| it.status.success())
    };
    if has_clients(&python) {
        return Some(python);
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
    if !made.as_ref().is_ok_and(|made| made.status.success()) {
        println!("skipped: python3 cannot make a virtual environment: {made:?}");
        return None;
    }
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(CLIENTS)
        .output();
    if !has_clients(&python) {
        println!("skipped: pip cannot install {CLIENTS:?}: {installed:?}");
        return None;
    }
    Some(python)
}

#[tokio::test]
async fn the_python_clients_do_their_daily_work_behind_the_real_adb_server() {
    let Some(python) = python() else { return };
    let Some(rig) = Rig::start(1).await else { return };

    check(&python, &rig, rig.port(), &rig.serial);

    rig.stop().await;
}

#[tokio::test]
async fn the_python_clients_do_their_daily_work_at_the_server_port() {
    let Some(python) = python() else { return };
    let Some(rig) = Rig::start(1).await else { return };

    check(&python, &rig, rig.simulator().server().port(), "sim-1");

    rig.stop().await;
}

fn check(python: &Path, rig: &Rig, server_port: u16, serial: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/clients.py");
    let output = Command::new(python)
        .arg(script)
        .arg(serial)
        .env("ANDROID_ADB_SERVER_PORT", server_port.to_string())
        .env("HOME", rig.folder())
        .output()
        .expect("python runs");

    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(
        text(&output.stdout).contains("ok: uiautomator2: agent stopped"),
        "{}",
        text(&output.stdout)
    );
}
