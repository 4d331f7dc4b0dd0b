//! What lies in the operator's folder.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use farmhand_actors::domain::ScriptName;

use super::{bundled::Bundled, name_of_script};
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

/// Names of the scripts that ship with farmhand and of those that the flow files of `dir` become, also of files with
/// errors.
#[must_use]
pub fn script_names(dir: Option<&Path>) -> BTreeSet<ScriptName> {
    let built_in = Bundled::scripts().filter_map(|path| name_of_script(path.split('.').next()?));
    let files = dir.and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten();
    let files = files.flatten().map(|entry| entry.path()).filter(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("yaml" | "yml")) && path.is_file()
    });
    let of_files = files.filter_map(|path| name_of_script(&path.file_stem()?.to_string_lossy()));
    built_in.chain(of_files).collect()
}

/// Whether a file is not a flow but upstream's settings of the folder, which say what its own tool runs.
#[must_use]
pub fn is_workspace_config(dir: &Path, file: &str) -> bool {
    WORKSPACE_CONFIGS.contains(&file)
        && Folder::new(dir)
            .read(file)
            .is_ok_and(|bytes| parse::is_workspace_config(&bytes))
}
