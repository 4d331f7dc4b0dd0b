//! A phone's files, in memory: what `adb push`, the shell and Android's own programs see.
//!
//! The tree is that of a production phone as the user `shell` (uid 2000) finds it: shared storage and
//! `/data/local/tmp` can be written, the system partitions are read-only, apps' private folders are closed.
//! Contents are reference-counted, so that hundreds of phones share what they all have.

mod error;
mod layout;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::{
    RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use md5::{Digest, Md5};

pub use error::{Errno, FsError};
use tree::{Node, Tree};

/// Longest name of a path's component, bytes (ext4's and f2fs's).
pub const MAX_NAME_BYTES: usize = 255;
/// Longest path, bytes (`PATH_MAX`).
pub const MAX_PATH_BYTES: usize = 4096;
/// All contents of one phone, bytes: a hostile push ends in "No space left on device", not in the machine's memory.
pub const MAX_TOTAL_BYTES: u64 = 1 << 30;
/// Files and folders of one phone, for the same reason.
pub const MAX_NODES: usize = 100_000;

/// What `stat` says of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// File type and permission bits, as in `st_mode` (`0o100644`, `0o40755` …).
    pub mode: u32,
    /// Bytes; for folders the size of their block.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: u32,
    /// Stable while the file exists.
    pub inode: u64,
    /// Name of the owner.
    pub owner: &'static str,
    /// Name of the group.
    pub group: &'static str,
}

impl Metadata {
    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Without its folder.
    pub name: String,
    /// What `stat` says of it.
    pub metadata: Metadata,
}

/// The files of one phone. Paths are absolute; `.` and `..` are resolved, `/sdcard` is `/storage/emulated/0`.
#[derive(Debug)]
pub struct Filesystem {
    tree: RwLock<Tree>,
    full: AtomicBool,
    /// How often something was refused because of it.
    refused: AtomicU64,
}

impl Default for Filesystem {
    fn default() -> Self {
        Self::new()
    }
}

impl Filesystem {
    /// The files of a phone that has just been set up.
    pub fn new() -> Self {
        let files = Self {
            tree: RwLock::default(),
            full: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        };
        for folder in layout::FOLDERS {
            files.provide_folder(folder);
        }
        for (path, content) in layout::FILES {
            files.provide(path, Bytes::from_static(content.as_bytes()));
        }
        files
    }

    /// Puts a file where the phone itself has it (`/system/build.prop`, `/proc/uptime`, an app's package), whatever
    /// the shell user may do there. Missing folders are made.
    pub fn provide(&self, path: &str, content: impl Into<Bytes>) {
        let path = layout::normalize(path);
        self.provide_folder(layout::parent(&path));
        let mut tree = self.tree_mut();
        tree.insert(path, Some(content.into()), 0o644);
    }

    /// A file's content.
    pub fn read(&self, path: &str) -> Result<Bytes, FsError> {
        let path = layout::normalize(path);
        layout::check_read(&path).map_err(|errno| FsError::new(&path, errno))?;
        match self.tree().lookup(&path)?.content {
            Some(ref content) => Ok(content.clone()),
            None => Err(FsError::new(&path, Errno::IsADirectory)),
        }
    }

    /// Creates a file or replaces its content. Its folder must be there.
    pub fn write(&self, path: &str, content: impl Into<Bytes>) -> Result<(), FsError> {
        self.put(path, content.into(), false)
    }

    /// Adds to the end of a file, which is created if need be.
    pub fn append(&self, path: &str, content: &[u8]) -> Result<(), FsError> {
        self.put(path, Bytes::copy_from_slice(content), true)
    }

    /// Fails as [`Self::write`] to this path would, without changing anything but creating the file.
    pub fn create(&self, path: &str) -> Result<(), FsError> {
        if self.stat(path).is_ok_and(|metadata| !metadata.is_dir()) {
            let path = layout::normalize(path);
            return layout::check_write(&path).map_err(|errno| FsError::new(&path, errno));
        }
        self.write(path, Bytes::new())
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) -> Result<(), FsError> {
        let path = layout::normalize(path);
        let mut tree = self.tree_mut();
        if tree.lookup(&path)?.content.is_none() {
            return Err(FsError::new(&path, Errno::IsADirectory));
        }
        layout::check_remove(&path).map_err(|errno| FsError::new(&path, errno))?;
        tree.delete(&path);
        Ok(())
    }

    /// Removes an empty folder.
    pub fn remove_dir(&self, path: &str) -> Result<(), FsError> {
        let path = layout::normalize(path);
        let mut tree = self.tree_mut();
        if tree.lookup(&path)?.content.is_some() {
            return Err(FsError::new(&path, Errno::NotADirectory));
        }
        if tree.below(&path).next().is_some() {
            return Err(FsError::new(&path, Errno::NotEmpty));
        }
        layout::check_remove(&path).map_err(|errno| FsError::new(&path, errno))?;
        tree.delete(&path);
        Ok(())
    }

    /// Removes a file, or a folder with all that is in it.
    pub fn remove_all(&self, path: &str) -> Result<(), FsError> {
        let path = layout::normalize(path);
        let mut tree = self.tree_mut();
        tree.lookup(&path)?;
        layout::check_remove(&path).map_err(|errno| FsError::new(&path, errno))?;
        let doomed: Vec<String> = tree.below(&path).map(|(name, _)| name.clone()).collect();
        for name in doomed {
            tree.delete(&name);
        }
        tree.delete(&path);
        Ok(())
    }

    /// Gives a file or folder another path; a file that stands there is replaced.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FsError> {
        let (from, to) = (layout::normalize(from), layout::normalize(to));
        let mut tree = self.tree_mut();
        let is_dir = tree.lookup(&from)?.content.is_none();
        layout::check_remove(&from).map_err(|errno| FsError::new(&from, errno))?;
        tree.check_target(&to)?;
        if from == to {
            return Ok(());
        }
        if is_dir && to.starts_with(&format!("{from}/")) {
            return Err(FsError::new(&to, Errno::InvalidArgument));
        }
        match (is_dir, tree.nodes.get(&to).map(|node| node.content.is_none())) {
            (false, Some(true)) => return Err(FsError::new(&to, Errno::IsADirectory)),
            (true, Some(false)) => return Err(FsError::new(&to, Errno::NotADirectory)),
            (true, Some(true)) if tree.below(&to).next().is_some() => return Err(FsError::new(&to, Errno::NotEmpty)),
            _ => tree.delete(&to),
        }
        tree.relocate(&from, &to);
        Ok(())
    }

    /// Makes a folder in one that is there.
    pub fn mkdir(&self, path: &str) -> Result<(), FsError> {
        let path = layout::normalize(path);
        let mut tree = self.tree_mut();
        if tree.nodes.contains_key(&path) {
            return Err(FsError::new(&path, Errno::Exists));
        }
        tree.check_target(&path)?;
        if self.refuses() || tree.nodes.len() >= MAX_NODES {
            return Err(FsError::new(&path, Errno::NoSpace));
        }
        tree.insert(path, None, 0o771);
        Ok(())
    }

    /// Makes a folder and those above it; one that is there already is no error.
    pub fn mkdirs(&self, path: &str) -> Result<(), FsError> {
        let path = layout::normalize(path);
        for folder in layout::ancestors(&path) {
            match self.mkdir(folder) {
                Err(error) if error.errno == Errno::Exists => {
                    if !self.stat(folder)?.is_dir() {
                        return Err(FsError::new(folder, Errno::NotADirectory));
                    }
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// The entries of a folder, by name.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>, FsError> {
        let path = layout::normalize(path);
        layout::check_list(&path).map_err(|errno| FsError::new(&path, errno))?;
        let tree = self.tree();
        if tree.lookup(&path)?.content.is_some() {
            return Err(FsError::new(&path, Errno::NotADirectory));
        }
        let skip = layout::prefix(&path).len();
        let children = tree.below(&path).filter_map(|(child, node)| {
            let name = child.get(skip..).filter(|name| !name.contains('/'))?;
            Some(Entry {
                name: name.to_owned(),
                metadata: node.metadata(child),
            })
        });
        Ok(children.collect())
    }

    /// What `stat` says of a file or folder.
    pub fn stat(&self, path: &str) -> Result<Metadata, FsError> {
        let path = layout::normalize(path);
        layout::check_read(&path).map_err(|errno| FsError::new(&path, errno))?;
        Ok(self.tree().lookup(&path)?.metadata(&path))
    }

    /// Whether a file or folder of that path is there.
    pub fn exists(&self, path: &str) -> bool {
        self.stat(path).is_ok()
    }

    /// Sets a file's time, seconds since 1970.
    pub fn set_mtime(&self, path: &str, mtime: u32) -> Result<(), FsError> {
        self.change(path, |node| node.mtime = mtime)
    }

    /// Sets the permission bits.
    pub fn set_mode(&self, path: &str, mode: u32) -> Result<(), FsError> {
        self.change(path, |node| node.mode = mode & 0o7777)
    }

    /// The MD5 of a file's content, lower-case hex.
    pub fn md5(&self, path: &str) -> Result<String, FsError> {
        let content = self.read(path)?;
        Ok(Md5::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// From now on (or no longer), everything that needs room fails with "No space left on device".
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Whether [`Self::set_full`] holds.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// How often something was refused because of [`Self::set_full`].
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn refuses(&self) -> bool {
        let full = self.is_full();
        if full {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        full
    }

    /// Bytes in all files together.
    pub fn used_bytes(&self) -> u64 {
        self.tree().total_bytes
    }

    fn put(&self, path: &str, content: Bytes, append: bool) -> Result<(), FsError> {
        let path = layout::normalize(path);
        if layout::is_null(&path) {
            return Ok(());
        }
        let mut tree = self.tree_mut();
        tree.check_target(&path)?;
        let old = match tree.nodes.get(&path) {
            Some(Node { content: None, .. }) => return Err(FsError::new(&path, Errno::IsADirectory)),
            Some(Node { content: Some(old), .. }) => old.len() as u64,
            None => 0,
        };
        let freed = if append { 0 } else { old };
        let wanted = tree.total_bytes.saturating_sub(freed) + content.len() as u64;
        let no_room = (!content.is_empty() && self.refuses()) || wanted > MAX_TOTAL_BYTES;
        if no_room || tree.nodes.len() >= MAX_NODES {
            return Err(FsError::new(&path, Errno::NoSpace));
        }
        if append && old > 0 {
            tree.extend(&path, &content);
        } else {
            tree.insert(path, Some(content), 0o660);
        }
        Ok(())
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut Node)) -> Result<(), FsError> {
        let path = layout::normalize(path);
        let mut tree = self.tree_mut();
        tree.lookup(&path)?;
        layout::check_write(&path).map_err(|errno| FsError::new(&path, errno))?;
        if let Some(node) = tree.nodes.get_mut(&path) {
            change(node);
        }
        Ok(())
    }

    fn provide_folder(&self, path: &str) {
        let path = layout::normalize(path);
        let mut tree = self.tree_mut();
        for folder in layout::ancestors(&path) {
            if !tree.nodes.contains_key(folder) {
                tree.insert(folder.to_owned(), None, 0o755);
            }
        }
    }

    // A panic of another thread cannot leave the tree half changed in a way that matters to a simulation.
    fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn tree_mut(&self) -> RwLockWriteGuard<'_, Tree> {
        self.tree.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
