//! Programs of other people that the tests run: both adbs, and a Python that has the clients.
//!
//! A test whose program is not here is skipped, and says so; where `CI` is set it fails instead.

#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "each test binary uses its own part of this"
)]
#![allow(clippy::expect_used, reason = "what cannot be set up is a failed test")]

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// In these versions the clients' tests were written; adbutils brings adb 36.
pub const ADBUTILS: &str = "adbutils==2.12.0";
const PACKAGES: [&str; 3] = [ADBUTILS, "uiautomator2==3.7.1", "pytest==9.2.0"];

/// Each of these functions, which take an adb, as a test under Debian's adb and as one under the newest.
macro_rules! under_each_adb {
    ($($name:ident),+ $(,)?) => {
        mod adb_29 {
            $(#[tokio::test]
            async fn $name() {
                if let Some(adb) = super::programs::adb_29() {
                    super::$name(adb).await;
                }
            })+
        }

        mod adb_36 {
            $(#[tokio::test]
            async fn $name() {
                if let Some(adb) = super::programs::adb_36() {
                    super::$name(adb).await;
                }
            })+
        }
    };
}
pub(crate) use under_each_adb;

/// Debian's adb.
pub fn adb_29() -> Option<PathBuf> {
    match Command::new("adb").arg("--version").output() {
        Ok(_) => Some("adb".into()),
        Err(error) => missing(&format!("no adb: {error}; install it with `apt-get install adb`")),
    }
}

/// The adb that the wheel of adbutils brings.
pub fn adb_36() -> Option<PathBuf> {
    let output = Command::new(python()?)
        .args(["-c", "import adbutils; print(adbutils.adb_path())"])
        // It prefers any other adb that it finds.
        .env("ADBUTILS_ADB_PATH", "")
        .env("PATH", "")
        .output()
        .expect("python runs");
    let adb = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let version = Command::new(&adb)
        .arg("--version")
        .output()
        .expect("the wheel's adb runs");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert!(version.contains("Version 36."), "{}: {version}", adb.display());
    Some(adb)
}

/// A Python that has the clients, made once and kept with the other build products.
pub fn python() -> Option<PathBuf> {
    let folder = build_folder();
    // All tests may come here at once, also those of other programs, and only one may make it.
    let making = File::create(folder.join("clients.lock")).expect("a file for a lock");
    making.lock().expect("a lock");
    let folder = folder.join("clients");
    let python = folder.join("bin/python");
    if has_packages(&python) {
        return Some(python);
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
    if !made.as_ref().is_ok_and(|made| made.status.success()) {
        return missing(&format!("python3 makes no virtual environment: {made:?}"));
    }
    let installed = pip(&python, &["install"], &PACKAGES);
    if !has_packages(&python) {
        return missing(&format!("pip does not install {PACKAGES:?}: {installed:?}"));
    }
    Some(python)
}

fn has_packages(python: &Path) -> bool {
    Command::new(python)
        .args(["-c", "import adbutils, uiautomator2, pytest"])
        .output()
        .is_ok_and(|it| it.status.success())
}

/// `pip WORDS PACKAGES`
pub fn pip(python: &Path, words: &[&str], packages: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
    command.args(words).args(packages).output()
}

/// Where build products of tests are kept.
pub fn build_folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Skips a test, or fails it where nothing may be missing.
pub fn missing<T>(what: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "{what}");
    println!("skipped: {what}");
    None
}
