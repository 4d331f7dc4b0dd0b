//! The files that the phone's own system writes: `/proc`, `/system/build.prop`.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::{fs::Filesystem, handset::Handset};

/// Keeps the files true that change by themselves.
#[derive(Debug, Default)]
pub(super) struct SystemFiles {
    /// The boot that was seen last, and since when.
    boot: Mutex<Option<(String, Instant)>>,
}

impl SystemFiles {
    /// Writes what never changes.
    pub(super) fn install(handset: &dyn Handset, files: &Filesystem) {
        let wanted = handset
            .properties()
            .into_iter()
            .filter(|(name, _)| name.starts_with("ro."));
        let properties: String = wanted.map(|(name, value)| format!("{name}={value}\n")).collect();
        files.provide(
            "/system/build.prop",
            format!("# begin common build properties\n{properties}"),
        );
        files.provide(
            "/proc/meminfo",
            "MemTotal:        7864320 kB\nMemFree:          812344 kB\nMemAvailable:    4180112 kB\n",
        );
        files.provide(
            "/proc/cpuinfo",
            "processor\t: 0\nBogoMIPS\t: 49.15\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32\n\n",
        );
    }

    /// Brings the files of the running boot up to date; called when somebody is about to read.
    pub(super) fn refresh(&self, handset: &dyn Handset, files: &Filesystem) {
        let boot_id = handset.boot_id();
        let mut boot = self.boot.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match boot.as_ref().filter(|(seen, _)| *seen == boot_id) {
            Some((_, since)) => *since,
            None => {
                files.provide("/proc/sys/kernel/random/boot_id", format!("{boot_id}\n"));
                let since = Instant::now();
                *boot = Some((boot_id, since));
                since
            }
        };
        let seconds = since.elapsed().as_secs_f64() + 30.0;
        files.provide("/proc/uptime", format!("{seconds:.2} {:.2}\n", seconds * 6.5));
    }
}
