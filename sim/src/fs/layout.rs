//! Which folders a production phone has, and what the user `shell` may do in them.

use super::Errno;

/// Size that `stat` shows for a folder.
pub(super) const BLOCK_BYTES: u64 = 4096;

const SHARED_STORAGE: &str = "/storage/emulated/0";
const SHELL_FOLDER: &str = "/data/local/tmp";
const NULL_DEVICE: &str = "/dev/null";

/// Other names of shared storage; symbolic links on a phone.
const SHARED_STORAGE_LINKS: [&str; 4] = ["/sdcard", "/mnt/sdcard", "/storage/self/primary", "/mnt/user/0/primary"];

pub(super) const FOLDERS: &[&str] = &[
    "/apex",
    "/cache",
    "/config",
    "/data/app",
    "/data/data",
    SHELL_FOLDER,
    "/data/system",
    "/data/user/0",
    "/dev",
    "/mnt",
    "/odm",
    "/proc/sys/kernel/random",
    "/product",
    "/storage/emulated/0/Alarms",
    "/storage/emulated/0/Android/data",
    "/storage/emulated/0/Android/media",
    "/storage/emulated/0/Android/obb",
    "/storage/emulated/0/DCIM/Camera",
    "/storage/emulated/0/Documents",
    "/storage/emulated/0/Download",
    "/storage/emulated/0/Movies",
    "/storage/emulated/0/Music",
    "/storage/emulated/0/Notifications",
    "/storage/emulated/0/Pictures",
    "/storage/emulated/0/Podcasts",
    "/storage/emulated/0/Ringtones",
    "/sys",
    "/system/app",
    "/system/bin",
    "/system/etc",
    "/system/framework",
    "/system/lib64",
    "/system/priv-app",
    "/vendor/bin",
];

pub(super) const FILES: &[(&str, &str)] = &[
    (NULL_DEVICE, ""),
    (
        "/proc/version",
        "Linux version 5.10.198-android13-4 (build@host) (clang 14.0.7) #1 SMP PREEMPT\n",
    ),
    ("/system/bin/sh", "\u{7f}ELF"),
    ("/system/bin/toybox", "\u{7f}ELF"),
    (
        "/system/etc/hosts",
        "127.0.0.1       localhost\n::1             ip6-localhost\n",
    ),
];

/// Absolute, without `.`, `..`, doubled or trailing slashes; the names of shared storage are made one.
pub(super) fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    let plain = format!("/{}", parts.join("/"));
    for link in SHARED_STORAGE_LINKS {
        if let Some(tail) = plain
            .strip_prefix(link)
            .filter(|tail| tail.is_empty() || tail.starts_with('/'))
        {
            return format!("{SHARED_STORAGE}{tail}");
        }
    }
    plain
}

/// The folder of a normalized path; the root is its own.
pub(super) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}

/// The path itself and all folders above it, from the root down.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let inner = path
        .char_indices()
        .skip(1)
        .filter(|&(_, c)| c == '/')
        .map(|(index, _)| index);
    let whole = std::iter::once(path.len()).filter(|&length| length > 1);
    std::iter::once("/").chain(inner.chain(whole).filter_map(|end| path.get(..end)))
}

/// What the paths below a folder begin with.
pub(super) fn prefix(path: &str) -> String {
    if path == "/" {
        "/".to_owned()
    } else {
        format!("{path}/")
    }
}

pub(super) fn is_null(path: &str) -> bool {
    path == NULL_DEVICE
}

/// May this file or folder be changed, created or removed?
pub(super) fn check_write(path: &str) -> Result<(), Errno> {
    if is_below(path, SHARED_STORAGE) || is_below(path, SHELL_FOLDER) || is_null(path) {
        return Ok(());
    }
    let guarded = [
        "/data", "/storage", "/mnt", "/proc", "/sys", "/dev", "/config", "/cache",
    ];
    if guarded.iter().any(|folder| is_at_or_below(path, folder)) || path == SHARED_STORAGE {
        return Err(Errno::PermissionDenied);
    }
    Err(Errno::ReadOnly)
}

/// Removing the roots of the writable trees would leave a phone that no push can mend.
pub(super) fn check_remove(path: &str) -> Result<(), Errno> {
    if path == SHELL_FOLDER || is_null(path) {
        return Err(Errno::PermissionDenied);
    }
    check_write(path)
}

/// May this be opened or looked at?
pub(super) fn check_read(path: &str) -> Result<(), Errno> {
    let private = ["/data/data", "/data/user", "/data/system"];
    if private.iter().any(|folder| is_below(path, folder)) {
        Err(Errno::PermissionDenied)
    } else {
        Ok(())
    }
}

/// May this folder be listed?
pub(super) fn check_list(path: &str) -> Result<(), Errno> {
    let closed = [
        "/data",
        "/data/app",
        "/data/data",
        "/data/local",
        "/data/system",
        "/data/user",
        "/storage/emulated",
    ];
    if closed.contains(&path) {
        return Err(Errno::PermissionDenied);
    }
    check_read(path)
}

pub(super) fn owner(path: &str) -> (&'static str, &'static str) {
    if is_at_or_below(path, SHARED_STORAGE) {
        ("u0_a174", "media_rw")
    } else if is_at_or_below(path, SHELL_FOLDER) {
        ("shell", "shell")
    } else if is_at_or_below(path, "/data") {
        ("system", "system")
    } else {
        ("root", "root")
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|tail| tail.starts_with('/'))
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    path == folder || is_below(path, folder)
}
