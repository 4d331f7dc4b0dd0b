//! What lies in the operator's folder.

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::flow::parse::{
    self,
    sources::{Folder, Sources},
};

/// Most files that are looked at in the operator's folder: more than this is the wrong folder.
const MAX_FILES: usize = 10_000;
/// Deepest folder that is looked at.
const MAX_DEPTH: usize = 16;
/// What upstream calls the settings of a folder of flows.
const WORKSPACE_CONFIGS: [&str; 2] = ["config.yaml", "config.yml"];

/// Path, time of change and length of every file of a folder.
pub(super) type Fingerprint = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// What lies in a folder and in those below it.
///
/// # Errors
/// The folder itself cannot be read.
pub(super) fn fingerprint(dir: &Path) -> io::Result<Fingerprint> {
    let mut found = Vec::new();
    let mut open = vec![(dir.to_path_buf(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(problem) if depth == 0 => return Err(problem),
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            let Ok(meta) = std::fs::metadata(entry.path()) else {
                continue;
            };
            if meta.is_dir() && depth < MAX_DEPTH {
                open.push((entry.path(), depth + 1));
            } else if meta.is_file() && found.len() < MAX_FILES {
                found.push((entry.path(), meta.modified().ok(), meta.len()));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file is not a flow but upstream's settings of the folder, which say what its own tool runs.
#[must_use]
pub fn is_workspace_config(dir: &Path, file: &str) -> bool {
    WORKSPACE_CONFIGS.contains(&file)
        && Folder::new(dir)
            .read(file)
            .is_ok_and(|bytes| parse::is_workspace_config(&bytes))
}
