//! The phone's MediaStore: what media there are, found by scanning the phone's files.

use std::{collections::BTreeSet, sync::Arc};

use crate::{fs::Filesystem, handset::MediaRow};

/// What the apps need from the phone's files.
pub trait PhoneFiles: Send + Sync {
    /// A file's bytes; `None` when there is no such file.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// All files below a folder, at any depth: time of last change (any unit that grows) and path.
    fn files_below(&self, folder: &str) -> Vec<(u64, String)>;
    /// Whether writing fails for want of space from now on.
    fn set_full(&self, full: bool);
}

/// Folders in which a scan looks.
const FOLDERS: [&str; 4] = ["/sdcard/DCIM", "/sdcard/Pictures", "/sdcard/Movies", "/sdcard/Download"];

/// How the shared storage is called besides `/sdcard`.
const STORAGE: [&str; 2] = ["/storage/emulated/0", "/storage/self/primary"];

/// The rows of the MediaStore.
#[derive(Debug, Default)]
pub(crate) struct Library {
    rows: Vec<MediaRow>,
    last_id: u64,
}

impl Library {
    /// Oldest first.
    pub fn rows(&self) -> &[MediaRow] {
        &self.rows
    }

    /// The row of that number.
    pub fn row(&self, id: u64) -> Option<&MediaRow> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Takes up new media below a path and forgets those that are gone. New rows are numbered by age and name, so
    /// what was written last is the newest.
    pub fn scan(&mut self, path: &str, files: &dyn PhoneFiles) {
        let path = in_sdcard(path);
        let folders = FOLDERS.iter().filter(|folder| is_below(folder, &path) || is_below(&path, folder));
        let found = folders.flat_map(|folder| files.files_below(folder));
        let found: BTreeSet<(u64, String)> =
            found.map(|(age, found)| (age, in_sdcard(&found))).filter(|(_, found)| is_below(found, &path)).collect();
        self.rows.retain(|row| !is_below(&row.path, &path) || found.iter().any(|(_, found)| *found == row.path));
        for (_, found) in found {
            let Some(video) = kind(&found) else { continue };
            if self.rows.iter().any(|row| row.path == found) {
                continue;
            }
            self.last_id += 1;
            let name = found.rsplit('/').next().unwrap_or_default().to_owned();
            self.rows.push(MediaRow { id: self.last_id, path: found, name, video });
        }
    }
}

/// `/storage/emulated/0/x` is `/sdcard/x`; a volume's name or an empty path is all of it.
fn in_sdcard(path: &str) -> String {
    let path = path.trim_start_matches("file://").trim_end_matches('/');
    for storage in STORAGE {
        if let Some(rest) = path.strip_prefix(storage) {
            return format!("/sdcard{rest}");
        }
    }
    if path.starts_with('/') { path.to_owned() } else { "/sdcard".to_owned() }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a name is that of a video; `None`: of no media at all.
fn kind(path: &str) -> Option<bool> {
    let extension = path.rsplit_once('.')?.1.to_ascii_lowercase();
    match extension.as_str() {
        "mp4" | "mov" | "m4v" | "webm" | "3gp" => Some(true),
        "jpg" | "jpeg" | "png" | "webp" | "gif" => Some(false),
        _ => None,
    }
}

impl PhoneFiles for Arc<Filesystem> {
    fn read(&self, _path: &str) -> Option<Vec<u8>> {
        None
    }

    fn files_below(&self, _folder: &str) -> Vec<(u64, String)> {
        Vec::new()
    }

    fn set_full(&self, _full: bool) {}
}
