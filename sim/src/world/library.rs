//! The phone's MediaStore: what media there are, found by scanning the phone's files.

use std::collections::BTreeSet;

use crate::{fs::Filesystem, handset::MediaRow};

/// Folders in which a scan looks.
const FOLDERS: [&str; 4] = ["/sdcard/DCIM", "/sdcard/Pictures", "/sdcard/Movies", "/sdcard/Download"];

/// How the shared storage is called besides `/sdcard`.
const STORAGE: [&str; 2] = ["/storage/emulated/0", "/storage/self/primary"];

/// How deep below these it looks.
const DEPTH_MAX: usize = 8;

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
    pub fn scan(&mut self, path: &str, files: &Filesystem) {
        let path = in_sdcard(path);
        let mut found = BTreeSet::new();
        for folder in FOLDERS
            .iter()
            .filter(|folder| is_below(folder, &path) || is_below(&path, folder))
        {
            collect(files, folder, DEPTH_MAX, &mut found);
        }
        found.retain(|(_, found)| is_below(found, &path));
        self.rows
            .retain(|row| !is_below(&row.path, &path) || found.iter().any(|(_, found)| *found == row.path));
        for (_, found) in found {
            let Some(video) = kind(&found) else { continue };
            if self.rows.iter().any(|row| row.path == found) {
                continue;
            }
            self.last_id += 1;
            let name = found.rsplit('/').next().unwrap_or_default().to_owned();
            self.rows.push(MediaRow {
                id: self.last_id,
                path: found,
                name,
                video,
            });
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
    if path.starts_with('/') {
        path.to_owned()
    } else {
        "/sdcard".to_owned()
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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

fn collect(files: &Filesystem, folder: &str, depth: usize, found: &mut BTreeSet<(u32, String)>) {
    for entry in files.list(folder).unwrap_or_default() {
        let path = format!("{folder}/{}", entry.name);
        if !entry.metadata.is_dir() {
            found.insert((entry.metadata.mtime, path));
        } else if depth > 0 {
            collect(files, &path, depth - 1, found);
        }
    }
}
