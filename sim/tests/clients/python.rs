//! `adbutils` and `uiautomator2` from PyPI: what people do with them every day, and adbutils' own tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    Rig,
    programs::{self, ADBUTILS, under_each_adb},
    text,
};

under_each_adb! {
    the_clients_do_their_daily_work,
    the_own_tests_of_adbutils_pass,
}

async fn the_clients_do_their_daily_work(adb: PathBuf) {
    let Some(python) = programs::python() else { return };
    let rig = Rig::start(adb, 1).await;

    check(&python, &rig, rig.port(), &rig.serial);

    rig.stop().await;
}

#[tokio::test]
async fn the_clients_do_their_daily_work_at_the_server_port() {
    let (Some(python), Some(adb)) = (programs::python(), programs::adb_29()) else {
        return;
    };
    let rig = Rig::start(adb, 1).await;

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

/// Those of adbutils' tests that a simulated phone cannot pass. (Two more skip themselves: `test_current_app`, whose
/// subject was removed, and `test_app_start_stop`, which needs the app of Appium's demo.)
const LEFT_OUT: [(&str, &str); 3] = [
    ("test_adb.py::test_wait_for", "it waits for a phone on a USB cable"),
    (
        "test_forward_reverse.py::test_reverse",
        "the phones say that reverse forwarding is not supported",
    ),
    (
        "test_record.py::test_screenrecord",
        "the phones have no program `screenrecord`",
    ),
];
/// All the others.
const PASSED: &str = "41 passed, 2 skipped, 3 deselected";

async fn the_own_tests_of_adbutils_pass(adb: PathBuf) {
    // They forward a port of their own choice.
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(python) = programs::python() else { return };
    let rig = Rig::start(adb, 1).await;
    let Some(tests) = own_tests(&python, &rig) else { return };

    let mut command = Command::new(&python);
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]);
    command.arg("--rootdir").arg(&tests).arg(&tests);
    for (test, _why) in LEFT_OUT {
        command.arg("--deselect").arg(test);
    }
    command.current_dir(rig.folder()).env("HOME", rig.folder());
    command.env("ANDROID_ADB_SERVER_PORT", rig.port().to_string());
    command.env("ADBUTILS_ADB_PATH", rig.program());
    let output = command.output().expect("pytest runs");

    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains(PASSED), "{said}");
    rig.stop().await;
}

/// The tests that the source distribution brings, unpacked.
fn own_tests(python: &Path, rig: &Rig) -> Option<PathBuf> {
    let folder = rig.folder();
    let place = folder.to_str().expect("a path");
    let downloaded = programs::pip(
        python,
        &["download", "--no-deps", "--no-binary", "adbutils", "-d", place],
        &[ADBUTILS],
    );
    let name = ADBUTILS.replace("==", "-");
    let archive = folder.join(format!("{name}.tar.gz"));
    if !archive.exists() {
        return programs::missing(&format!("pip does not download {ADBUTILS}: {downloaded:?}"));
    }
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(&archive)
        .current_dir(&folder)
        .status();
    assert!(unpacked.expect("tar runs").success());
    let tests = folder.join(name).join("e2etests");
    // One file names the port of the user's own server.
    let file = tests.join("test_adb.py");
    let source = fs::read_to_string(&file).expect("a file of tests");
    let private = source.replace(", 5037)", &format!(", {})", rig.port()));
    assert_ne!(source, private);
    fs::write(&file, private).expect("a file");
    Some(tests)
}
