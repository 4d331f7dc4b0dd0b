//! A disk that fails as it is told to: `disk.c`, compiled once and preloaded into the program under test.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// Compiled anew for each run of the tests: it takes a moment, and is never an old one.
static LIBRARY: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("disk.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/disk.c");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .expect("a C compiler is installed (scripts/test does it)");
    assert!(
        output.status.success(),
        "disk.c: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    (folder, library)
});

/// Which faults the disk of one controller is to have; see `disk.c`.
#[derive(Debug, Clone)]
pub struct Disk {
    folder: PathBuf,
    root: PathBuf,
}

impl Disk {
    /// The disk below `root`; the switches and the log lie in `folder`.
    pub fn new(folder: &Path, root: &Path) -> Self {
        std::fs::create_dir_all(root).unwrap();
        Self {
            folder: folder.to_owned(),
            root: root.canonicalize().unwrap(),
        }
    }

    /// Where every change is recorded.
    pub fn log(&self) -> PathBuf {
        self.folder.join("disk.log")
    }

    /// Fills the disk, or frees it.
    pub fn fill(&self, full: bool) {
        let switch = self.folder.join("disk.full");
        if full {
            std::fs::write(switch, "").unwrap();
        } else {
            std::fs::remove_file(switch).unwrap();
        }
    }

    /// The next sync fails.
    pub fn fail_next_sync(&self) {
        std::fs::write(self.folder.join("disk.eio"), "").unwrap();
    }

    /// Whether a sync has failed since.
    pub fn has_failed_sync(&self) -> bool {
        !self.folder.join("disk.eio").exists()
    }

    /// What is counted towards the kill of [`Self::kill_after`] counts from now on, or not yet.
    pub fn count(&self, counts: bool) {
        let switch = self.folder.join("disk.count");
        if counts {
            std::fs::write(switch, "").unwrap();
        } else {
            std::fs::remove_file(switch).ok();
        }
    }

    /// The command gets SIGKILL after so many syncs and messages, from its start on or from [`Self::count`] on.
    pub fn kill_after(&self, command: &mut Command, count: u32, at_once: bool) {
        command.env("DISK_KILL_AFTER", count.to_string());
        if !at_once {
            command.env("DISK_KILL_FROM", self.folder.join("disk.count"));
        }
    }

    /// Gives a command this disk.
    pub fn attach(&self, command: &mut Command, records: bool) {
        command
            .env("LD_PRELOAD", &LIBRARY.1)
            .env("DISK_ROOT", &self.root)
            .env("DISK_FULL", self.folder.join("disk.full"))
            .env("DISK_EIO", self.folder.join("disk.eio"));
        if records {
            command.env("DISK_LOG", self.log());
        }
    }
}
