//! The tree of a phone's files: nodes by their paths.

use std::{
    collections::BTreeMap,
    ops::Bound,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use super::{Errno, FsError, MAX_NAME_BYTES, MAX_PATH_BYTES, Metadata, layout};

#[derive(Debug, Default)]
pub(super) struct Tree {
    pub nodes: BTreeMap<String, Node>,
    pub total_bytes: u64,
    last_inode: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    /// `None`: a folder.
    pub content: Option<Bytes>,
    /// Permission bits only.
    pub mode: u32,
    pub mtime: u32,
    inode: u64,
}

impl Tree {
    pub fn lookup(&self, path: &str) -> Result<&Node, FsError> {
        if let Some(node) = self.nodes.get(path) {
            return Ok(node);
        }
        let through_file = self
            .nodes
            .get(layout::parent(path))
            .is_some_and(|node| node.content.is_some());
        let errno = if through_file {
            Errno::NotADirectory
        } else {
            Errno::NotFound
        };
        Err(FsError::new(path, errno))
    }

    /// Whether something may be created here: names short enough, the folder there and writable.
    pub fn check_target(&self, path: &str) -> Result<(), FsError> {
        if path.len() > MAX_PATH_BYTES || path.split('/').any(|name| name.len() > MAX_NAME_BYTES) {
            return Err(FsError::new(path, Errno::NameTooLong));
        }
        let folder = self
            .lookup(layout::parent(path))
            .map_err(|error| FsError::new(path, error.errno))?;
        if folder.content.is_some() {
            return Err(FsError::new(path, Errno::NotADirectory));
        }
        layout::check_write(path).map_err(|errno| FsError::new(path, errno))
    }

    pub fn below(&self, path: &str) -> impl Iterator<Item = (&String, &Node)> {
        let prefix = layout::prefix(path);
        let range = (Bound::Excluded(prefix.clone()), Bound::Unbounded);
        self.nodes
            .range::<String, _>(range)
            .take_while(move |(name, _)| name.starts_with(&prefix))
    }

    pub fn insert(&mut self, path: String, content: Option<Bytes>, mode: u32) {
        let size = content.as_ref().map_or(0, |content| content.len() as u64);
        let (inode, mode) = match self.nodes.get(&path) {
            Some(node) => (node.inode, node.mode),
            None => {
                self.last_inode += 1;
                (self.last_inode, mode)
            }
        };
        let node = Node {
            content,
            mode,
            mtime: now_s(),
            inode,
        };
        let old = self.nodes.insert(path, node);
        self.total_bytes = self.total_bytes.saturating_sub(old.map_or(0, |node| node.size())) + size;
    }

    pub fn extend(&mut self, path: &str, more: &[u8]) {
        let Some(node) = self.nodes.get_mut(path) else { return };
        let content = node.content.take().unwrap_or_default();
        // In place when nobody else reads this content: a loop of appends must not copy the file each time.
        let mut content = content.try_into_mut().unwrap_or_else(|shared| shared.as_ref().into());
        content.extend_from_slice(more);
        node.content = Some(content.freeze());
        node.mtime = now_s();
        self.total_bytes += more.len() as u64;
    }

    pub fn delete(&mut self, path: &str) {
        if let Some(node) = self.nodes.remove(path) {
            self.total_bytes = self.total_bytes.saturating_sub(node.size());
        }
    }

    pub fn relocate(&mut self, from: &str, to: &str) {
        let moved: Vec<String> = self
            .below(from)
            .map(|(name, _)| name.clone())
            .chain([from.to_owned()])
            .collect();
        for old in moved {
            let Some(tail) = old.strip_prefix(from) else { continue };
            let new = format!("{to}{tail}");
            if let Some(node) = self.nodes.remove(&old) {
                self.nodes.insert(new, node);
            }
        }
    }
}

impl Node {
    fn size(&self) -> u64 {
        self.content.as_ref().map_or(0, |content| content.len() as u64)
    }

    pub fn metadata(&self, path: &str) -> Metadata {
        let (owner, group) = layout::owner(path);
        let (kind, size) = match self.content {
            _ if layout::is_null(path) => (0o020_000, 0),
            Some(ref content) => (0o100_000, content.len() as u64),
            None => (0o040_000, layout::BLOCK_BYTES),
        };
        Metadata {
            mode: kind | self.mode,
            size,
            mtime: self.mtime,
            inode: self.inode,
            owner,
            group,
        }
    }
}

fn now_s() -> u32 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX)
}
