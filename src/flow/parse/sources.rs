//! Where flow files come from: a folder, or the table of those that ship with farmhand.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// SHA-256 of a file's bytes.
pub type FileDigest = [u8; 32];

/// SHA-256 of what a file holds, read piece by piece.
///
/// # Errors
/// It cannot be read.
pub fn digest_of(file: &mut impl Read) -> io::Result<FileDigest> {
    let mut hasher = Sha256::new();
    let mut part = vec![0; PART];
    loop {
        let length = file.read(&mut part)?;
        match part.get(..length) {
            Some(read) if length > 0 => hasher.update(read),
            _ => return Ok(hasher.finalize().into()),
        }
    }
}

/// Reads files by their path below the folder of the flows, `/` between its parts.
pub trait Sources: Send + Sync {
    /// The file's bytes.
    ///
    /// # Errors
    /// One line that says why it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// SHA-256 of the file's bytes, however many they are.
    ///
    /// # Errors
    /// One line that says why it cannot be read.
    fn digest(&self, path: &str) -> Result<FileDigest, String> {
        self.read(path).map(|bytes| Sha256::digest(bytes).into())
    }

    /// Where the file lies on this host.
    ///
    /// # Errors
    /// One line that says why there is no such file.
    fn locate(&self, path: &str) -> Result<PathBuf, String>;
}

/// How a fault tells of a file that may not be read.
pub const OUTSIDE: &str = "lies outside of the folder of the flows";

/// Resolves what a file refers to.
///
/// # Errors
/// It lies outside of the folder of the flows.
pub fn resolve(from: &str, reference: &str) -> Result<String, String> {
    let outside = || format!("`{reference}` {OUTSIDE}; move it into the folder");
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

    /// An open file and its length. Nothing but files: a pipe would be waited for.
    fn open(&self, path: &str) -> Result<(fs::File, u64), String> {
        let place = self.locate(path)?;
        let meta = fs::metadata(&place).map_err(|error| unreadable(path, &error))?;
        if !meta.is_file() {
            return Err(format!("`{path}` is not a file"));
        }
        let file = fs::File::open(&place).map_err(|error| unreadable(path, &error))?;
        Ok((file, meta.len()))
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> String {
    format!("`{path}` cannot be read: {error}")
}

impl Sources for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let (file, length) = self.open(path)?;
        if length > MAX_READ {
            return Err(format!("`{path}` has {length} bytes; at most {MAX_READ} are read"));
        }
        let mut bytes = Vec::new();
        file.take(MAX_READ)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(path, &error))?;
        Ok(bytes)
    }

    fn digest(&self, path: &str) -> Result<FileDigest, String> {
        let (mut file, _) = self.open(path)?;
        digest_of(&mut file).map_err(|error| unreadable(path, &error))
    }

    fn locate(&self, path: &str) -> Result<PathBuf, String> {
        // Who sent the flow need not know where its folder lies here.
        let missing = |_| format!("there is no file `{path}` among those of the flow");
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
/// How much of a file is in memory while it is hashed, bytes: films lie beside flows.
const PART: usize = 64 * 1024;
