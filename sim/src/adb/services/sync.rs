//! `sync:`: files, in the first version of the protocol and the second's `STA2`, `LST2`, `LIS2` (`SYNC.TXT`).
//!
//! A request is four letters, a length and that many bytes of path; numbers are little-endian.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};

use crate::fs::{Filesystem, FsError, Metadata};

/// The longest path, bytes.
const MAX_PATH_BYTES: usize = 1024;
/// The longest chunk of content, bytes.
const MAX_CHUNK_BYTES: usize = 64 << 10;
/// Uid and gid of the user `shell`.
const SHELL_ID: u32 = 2000;
const DEVICE: u64 = 0xfd05;

const TYPE_MASK: u32 = 0o170_000;
const TYPE_FOLDER: u32 = 0o040_000;
const TYPE_LINK: u32 = 0o120_000;

/// Answers requests until the host has had enough.
pub(super) async fn run(files: &Filesystem, pipe: DuplexStream) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(pipe);
    let mut sync = Sync {
        files,
        reader: BufReader::with_capacity(MAX_CHUNK_BYTES, reader),
        writer,
    };
    while sync.answer().await? {}
    sync.writer.shutdown().await
}

struct Sync<'a> {
    files: &'a Filesystem,
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
}

impl Sync<'_> {
    /// Answers one request; whether another one may follow.
    async fn answer(&mut self) -> io::Result<bool> {
        let mut id = [0; 4];
        self.reader.read_exact(&mut id).await?;
        let length = self.read_length().await?;
        if length > MAX_PATH_BYTES {
            self.fail("path too long").await?;
            return Ok(false);
        }
        let mut path = vec![0; length];
        self.reader.read_exact(&mut path).await?;
        let path = String::from_utf8_lossy(&path).into_owned();
        match &id {
            b"STAT" => self.stat(&path).await?,
            b"STA2" | b"LST2" => self.stat_v2(&id, &path).await?,
            b"LIST" => self.list(&path, false).await?,
            b"LIS2" => self.list(&path, true).await?,
            b"RECV" => self.receive(&path).await?,
            b"SEND" => self.send(&path).await?,
            b"QUIT" => return Ok(false),
            _ => {
                self.fail(&format!("unknown command {:08x}", u32::from_le_bytes(id)))
                    .await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn stat(&mut self, path: &str) -> io::Result<()> {
        let mut answer = BytesMut::new();
        answer.put_slice(b"STAT");
        match self.files.stat(path) {
            Ok(metadata) => put_v1(&mut answer, &metadata),
            Err(_) => answer.put_bytes(0, 12),
        }
        self.writer.write_all(&answer).await
    }

    async fn stat_v2(&mut self, id: &[u8; 4], path: &str) -> io::Result<()> {
        let mut answer = BytesMut::new();
        answer.put_slice(id);
        put_v2(&mut answer, &self.files.stat(path));
        self.writer.write_all(&answer).await
    }

    async fn list(&mut self, path: &str, v2: bool) -> io::Result<()> {
        let entries = self.files.list(path).unwrap_or_default();
        let mut answer = BytesMut::new();
        let folder = self.files.stat(path).ok().filter(Metadata::is_dir);
        let dots = folder
            .into_iter()
            .flat_map(|metadata| [(".".to_owned(), metadata.clone()), ("..".to_owned(), metadata)]);
        for (name, metadata) in dots.chain(entries.into_iter().map(|entry| (entry.name, entry.metadata))) {
            if v2 {
                answer.put_slice(b"DNT2");
                put_v2(&mut answer, &Ok(metadata));
            } else {
                answer.put_slice(b"DENT");
                put_v1(&mut answer, &metadata);
            }
            answer.put_u32_le(u32::try_from(name.len()).map_err(io::Error::other)?);
            answer.put_slice(name.as_bytes());
        }
        answer.put_slice(b"DONE");
        answer.put_bytes(0, if v2 { 72 } else { 16 });
        self.writer.write_all(&answer).await
    }

    async fn receive(&mut self, path: &str) -> io::Result<()> {
        let content = match self.files.read(path) {
            Ok(content) => content,
            Err(FsError { errno, .. }) => return self.fail(&format!("open failed: {errno}")).await,
        };
        for chunk in content.chunks(MAX_CHUNK_BYTES) {
            self.write_block(*b"DATA", chunk).await?;
        }
        self.writer.write_all(b"DONE\0\0\0\0").await
    }

    /// Takes a file: `path,mode`, chunks of content, then the time.
    async fn send(&mut self, request: &str) -> io::Result<()> {
        let (path, mode) = request.rsplit_once(',').unwrap_or((request, "0644"));
        let mode = parse_mode(mode);
        let mut outcome = self.begin(path, mode);
        loop {
            let mut id = [0; 4];
            self.reader.read_exact(&mut id).await?;
            let length = self.read_length().await?;
            match &id {
                b"DATA" if length <= MAX_CHUNK_BYTES => {
                    let mut chunk = vec![0; length];
                    self.reader.read_exact(&mut chunk).await?;
                    // After an error the rest is swallowed: the host sends on until it is done.
                    if outcome.is_ok()
                        && let Err(error) = self.files.append(path, &chunk)
                    {
                        self.files.remove(path).ok();
                        outcome = Err(format!("write failed: {}", error.errno));
                    }
                }
                b"DATA" => {
                    self.fail("oversize data message").await?;
                    return Err(io::ErrorKind::InvalidData.into());
                }
                b"DONE" => {
                    if outcome.is_ok() {
                        // Neither can fail on a file that was just written.
                        self.files.set_mtime(path, u32::try_from(length).unwrap_or(0)).ok();
                        self.files.set_mode(path, mode).ok();
                    }
                    break;
                }
                _ => {
                    self.fail("invalid data message").await?;
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
        match outcome {
            Ok(()) => self.writer.write_all(b"OKAY\0\0\0\0").await,
            Err(message) => self.fail(&message).await,
        }
    }

    fn begin(&self, path: &str, mode: u32) -> Result<(), String> {
        if mode & TYPE_MASK == TYPE_LINK {
            return Err("symlinks are not supported by this phone; push the file itself".to_owned());
        }
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        if mode & TYPE_MASK == TYPE_FOLDER {
            return self
                .files
                .mkdirs(path)
                .map_err(|error| format!("mkdir failed: {}", error.errno));
        }
        if !folder.is_empty() && !self.files.exists(folder) {
            self.files
                .mkdirs(folder)
                .map_err(|error| format!("secure_mkdirs failed: {}", error.errno))?;
        }
        self.files
            .write(path, Bytes::new())
            .map_err(|error| format!("couldn't create file: {}", error.errno))
    }

    async fn read_length(&mut self) -> io::Result<usize> {
        usize::try_from(self.reader.read_u32_le().await?).map_err(io::Error::other)
    }

    async fn fail(&mut self, message: &str) -> io::Result<()> {
        self.write_block(*b"FAIL", message.as_bytes()).await
    }

    async fn write_block(&mut self, id: [u8; 4], content: &[u8]) -> io::Result<()> {
        let mut head = BytesMut::with_capacity(8);
        head.put_slice(&id);
        head.put_u32_le(u32::try_from(content.len()).map_err(io::Error::other)?);
        self.writer.write_all(&head).await?;
        self.writer.write_all(content).await
    }
}

/// Mode, size, time.
fn put_v1(answer: &mut BytesMut, metadata: &Metadata) {
    answer.put_u32_le(metadata.mode);
    answer.put_u32_le(u32::try_from(metadata.size).unwrap_or(u32::MAX));
    answer.put_u32_le(metadata.mtime);
}

/// Error, device, inode, mode, links, uid, gid, size, three times.
fn put_v2(answer: &mut BytesMut, stat: &Result<Metadata, FsError>) {
    let metadata = match stat {
        Ok(metadata) => metadata,
        Err(error) => {
            answer.put_u32_le(error.errno.number());
            answer.put_bytes(0, 64);
            return;
        }
    };
    answer.put_u32_le(0);
    answer.put_u64_le(DEVICE);
    answer.put_u64_le(metadata.inode);
    answer.put_u32_le(metadata.mode);
    answer.put_u32_le(1);
    answer.put_u32_le(SHELL_ID);
    answer.put_u32_le(SHELL_ID);
    answer.put_u64_le(metadata.size);
    for _ in ["accessed", "modified", "changed"] {
        answer.put_i64_le(i64::from(metadata.mtime));
    }
}

/// As C's `strtoul` with base 0: the real adb sends decimal, other clients octal with a leading zero.
fn parse_mode(text: &str) -> u32 {
    let mode = match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal, 8),
        _ => text.parse(),
    };
    mode.unwrap_or(0o644)
}
