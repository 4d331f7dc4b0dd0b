//! What may be in a bundle, and what a flow file reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use farmhand_actors::domain::FieldError;

use super::{Bundle, Folder, MAX_BYTES, MAX_FILES, Problem, Sources};
use crate::flow::{expr::is_own_name, parse::sources::FileDigest, problem::Place};

/// Longest path of a file, bytes.
const MAX_PATH: usize = 255;
/// Most folders in one another.
const MAX_DEPTH: usize = 16;
/// Most variables.
const MAX_VARIABLES: usize = 200;
/// Longest value of a variable, bytes.
const MAX_VALUE: usize = 64 * 1024;
/// All that is wrong with a bundle before its flow is read.
pub(super) fn faults(bundle: &Bundle) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let mut fault = |field: String, message: String| faults.push(FieldError { field, message });
    if bundle.files.len() > MAX_FILES {
        let count = bundle.files.len();
        fault(
            "files".to_owned(),
            format!("has {count} files; at most {MAX_FILES} are taken"),
        );
    }
    let bytes: usize = bundle.files.values().map(Vec::len).sum();
    if bytes > MAX_BYTES {
        let message =
            format!("have {bytes} bytes in all; at most {MAX_BYTES} are taken: put large media into the library");
        fault("files".to_owned(), message);
    }
    for path in bundle.files.keys() {
        if let Err(message) = check_path(path, bundle) {
            fault(format!("files.{path}"), message);
        }
    }
    let main = &bundle.main;
    if !bundle.files.contains_key(main) {
        fault("main".to_owned(), format!("`{main}` is not among the files"));
    } else if !main.ends_with(".yaml") && !main.ends_with(".yml") {
        fault(
            "main".to_owned(),
            format!("`{main}` is no flow file: its name must end with .yaml"),
        );
    }
    if bundle.env.len() > MAX_VARIABLES {
        fault("env".to_owned(), format!("has more than {MAX_VARIABLES} variables"));
    }
    for (name, value) in &bundle.env {
        if let Err(message) = check_variable(name, value) {
            fault(format!("env.{name}"), message);
        }
    }
    faults
}

/// A path that stays where it is put, on every file system.
fn check_path(path: &str, bundle: &Bundle) -> Result<(), String> {
    let parts: Vec<&str> = path.split('/').collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) || path.contains(['\\', ':']) {
        return Err("must be a path below the folder of the flow, like `sub/login.yaml`".to_owned());
    }
    if path.len() > MAX_PATH || parts.len() > MAX_DEPTH {
        return Err(format!(
            "is longer than {MAX_PATH} bytes, or deeper than {MAX_DEPTH} folders"
        ));
    }
    if path.chars().any(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    // A file cannot be a folder, too.
    let folders = (1..parts.len()).filter_map(|count| Some(parts.get(..count)?.join("/")));
    match folders.into_iter().find(|folder| bundle.files.contains_key(folder)) {
        Some(file) => Err(format!("lies below `{file}`, which is a file itself")),
        None => Ok(()),
    }
}

fn check_variable(name: &str, value: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_$".contains(c);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_word) {
        return Err("must be a name of letters, digits and `_`, not beginning with a digit".to_owned());
    }
    if is_own_name(name) {
        return Err("is farmhand's own name; choose another one".to_owned());
    }
    if value.len() > MAX_VALUE {
        return Err(format!("is longer than {MAX_VALUE} bytes"));
    }
    Ok(())
}

pub(super) fn problem(file: &str, message: String) -> Problem {
    Problem {
        place: Place {
            file: file.into(),
            line: 1,
            column: 1,
        },
        title: "Flow Too Large".to_owned(),
        message,
    }
}

/// A folder that remembers which of its files were asked for.
pub(super) struct Noting {
    folder: Folder,
    asked: Mutex<BTreeSet<String>>,
}

impl Noting {
    pub(super) fn new(folder: Folder) -> Self {
        Self {
            folder,
            asked: Mutex::default(),
        }
    }

    fn note(&self, path: &str) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(path.to_owned());
    }

    /// The files that were asked for.
    pub(super) fn contents(&self) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut files = BTreeMap::new();
        let mut bytes = 0_usize;
        for path in asked {
            let content = self.folder.read(&path)?;
            bytes = bytes.saturating_add(content.len());
            if bytes > MAX_BYTES {
                return Err(format!(
                    "the flow and what it needs have more than {MAX_BYTES} bytes: put large media into the library"
                ));
            }
            files.insert(path, content);
        }
        Ok(files)
    }
}

impl Sources for Noting {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let content = self.folder.read(path)?;
        self.note(path);
        Ok(content)
    }

    fn digest(&self, path: &str) -> Result<FileDigest, String> {
        let digest = self.folder.digest(path)?;
        self.note(path);
        Ok(digest)
    }

    fn locate(&self, path: &str) -> Result<PathBuf, String> {
        let place = self.folder.locate(path)?;
        self.note(path);
        Ok(place)
    }
}
