//! A disk that fails as it is told to: `disk.c`, compiled once and preloaded into the program under test.

use std::{
    os::unix::fs::FileExt,
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

/// Bytes of the file of places, of one place, and of its serial; see `disk.c`.
const PLACES: usize = 64 * PLACE;
const PLACE: usize = 64;
const SERIAL: usize = 48;

/// Every command that acts for an attempt names it, and no other does: so often a controller asks again what it sees that
/// messages alone would tell the time.
const ACT: &str = ".farmhand_lease";

/// What a life has got through with one phone, or in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Acts on the phone, each counted before and after it was sent; in all: syncs and messages.
    pub places: u64,
    /// When the last of them was, in microseconds of the machine's monotonic clock.
    pub last: u64,
}

/// Whichever phone is acted on.
pub const ANY: &str = "*";

/// Where a life is to end.
#[derive(Debug, Clone, Copy, Default)]
pub struct End<'a> {
    /// After so many syncs and messages, each counted before and after it took place,
    pub places: u64,
    /// of which only acts on this phone count, or on any phone ([`ANY`]),
    pub phone: Option<&'a str>,
    /// and so many microseconds.
    pub delay: u64,
}

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

    /// What is counted towards the kill of [`Self::kill_at`] counts from now on, or not yet.
    pub fn count(&self, counts: bool) {
        let switch = self.folder.join("disk.count");
        if counts {
            std::fs::write(switch, "").unwrap();
        } else {
            std::fs::remove_file(switch).ok();
        }
    }

    fn places(&self) -> PathBuf {
        self.folder.join("disk.places")
    }

    /// What the command that runs, or has run last, got through: with the phone of this serial, or in all (`""`).
    pub fn counted(&self, serial: &str) -> Count {
        let mut bytes = [0; PLACES];
        let read = std::fs::File::open(self.places()).and_then(|file| file.read_exact_at(&mut bytes, 0));
        let number = |place: &[u8], at: usize| {
            let bytes = place[at..at + 8].try_into().unwrap();
            u64::from_le_bytes(bytes)
        };
        let is_its = |place: &&[u8]| place[..SERIAL].split(|byte| *byte == 0).next() == Some(serial.as_bytes());
        read.ok()
            .and_then(|()| bytes.chunks_exact(PLACE).find(is_its))
            .map(|place| Count {
                places: number(place, SERIAL),
                last: number(place, SERIAL + 8),
            })
            .unwrap_or_default()
    }

    /// Nothing was counted; what runs still counts for itself.
    pub fn forget_counts(&self) {
        std::fs::remove_file(self.places()).ok();
    }

    /// The command gets SIGKILL there.
    pub fn kill_at(&self, command: &mut Command, end: End) {
        command
            .env("DISK_KILL_AFTER", end.places.to_string())
            .env("DISK_KILL_DELAY", end.delay.to_string());
        if let Some(serial) = end.phone {
            command.env("DISK_KILL_PHONE", serial);
        }
    }

    /// What counts towards the kill of [`Self::kill_at`] counts from [`Self::count`] on.
    pub fn counts_when_told(&self, command: &mut Command) {
        command.env("DISK_KILL_FROM", self.folder.join("disk.count"));
    }

    /// Gives a command this disk.
    pub fn attach(&self, command: &mut Command, records: bool) {
        self.forget_counts();
        std::fs::write(self.places(), [0; PLACES]).unwrap();
        command
            .env("LD_PRELOAD", &LIBRARY.1)
            .env("DISK_ACT", ACT)
            .env("DISK_PLACES", self.places())
            .env("DISK_ROOT", &self.root)
            .env("DISK_FULL", self.folder.join("disk.full"))
            .env("DISK_EIO", self.folder.join("disk.eio"));
        if records {
            command.env("DISK_LOG", self.log());
        }
    }
}
