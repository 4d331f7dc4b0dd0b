//! Where flow files come from: a folder, or the table of those that ship with farmhand.

use std::path::{Path, PathBuf};

/// Reads files by their path below the folder of the flows, `/` between its parts.
pub trait Sources: Send + Sync {
    /// The file's bytes.
    ///
    /// # Errors
    /// One line that says why it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// Where the file lies on this host.
    ///
    /// # Errors
    /// One line that says why there is no such file.
    fn locate(&self, path: &str) -> Result<PathBuf, String>;
}

/// Resolves what a file refers to.
///
/// # Errors
/// It lies outside of the folder of the flows.
pub fn resolve(from: &str, reference: &str) -> Result<String, String> {
    let outside = || format!("`{reference}` lies outside of the folder of the flows; move it into the folder");
    if reference.starts_with(['/', '\\']) || reference.contains('\0') || reference.get(1..2) == Some(":") {
        return Err(outside());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in reference.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// A folder of flow files.
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Sources for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = self.locate(path)?;
        let length = std::fs::metadata(&file).map_err(|error| format!("`{path}` cannot be read: {error}"))?;
        if length.len() > MAX_READ {
            return Err(format!(
                "`{path}` has {} bytes; at most {MAX_READ} are read",
                length.len()
            ));
        }
        std::fs::read(&file).map_err(|error| format!("`{path}` cannot be read: {error}"))
    }

    fn locate(&self, path: &str) -> Result<PathBuf, String> {
        let missing = |_| format!("there is no file `{path}` in {}", self.root.display());
        let file = self.root.join(Path::new(path)).canonicalize().map_err(missing)?;
        let root = self.root.canonicalize().map_err(missing)?;
        if file.starts_with(&root) {
            return Ok(file);
        }
        Err(format!(
            "`{path}` is a link to a place outside of {}",
            self.root.display()
        ))
    }
}

/// Longest file that is read, bytes: longer than any flow, so that the parser can tell the length in its own words.
const MAX_READ: u64 = 32 * 1024 * 1024;
