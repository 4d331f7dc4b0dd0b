//! What a program of the phone reads from and writes to.

use std::sync::{Arc, Mutex as StdMutex};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, mpsc};

use super::MAX_BUFFER_BYTES;
use crate::fs::{Errno, Filesystem};

/// Which of a session's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of a session's output.
pub type Chunk = (Channel, Bytes);

/// A program's input. Clones share one position, as file descriptors of one open file do.
#[derive(Debug, Clone)]
pub struct Input {
    source: Arc<Mutex<Source>>,
    live: bool,
}

#[derive(Debug)]
struct Source {
    pending: Bytes,
    more: Option<mpsc::Receiver<Bytes>>,
}

impl Input {
    /// Nothing to read.
    pub fn empty() -> Self {
        Self::from_bytes(Bytes::new())
    }

    /// All of it is known.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self {
            source: Arc::new(Mutex::new(Source {
                pending: bytes,
                more: None,
            })),
            live: false,
        }
    }

    /// It comes as the host sends it; the sender's end is the input's end.
    pub fn live(receiver: mpsc::Receiver<Bytes>) -> Self {
        let source = Source {
            pending: Bytes::new(),
            more: Some(receiver),
        };
        Self {
            source: Arc::new(Mutex::new(source)),
            live: true,
        }
    }

    /// Whether reading may wait for the host. A program that does not need input must not read such a one.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn read_chunk(&self) -> Option<Bytes> {
        self.source.lock().await.next().await
    }

    /// All that is left, at most [`MAX_BUFFER_BYTES`].
    pub(super) async fn read_to_end(&self) -> Result<Bytes, WriteError> {
        let mut source = self.source.lock().await;
        let Some(first) = source.next().await else {
            return Ok(Bytes::new());
        };
        let Some(second) = source.next().await else {
            return Ok(first);
        };
        let mut all = BytesMut::from(first.as_ref());
        all.extend_from_slice(&second);
        while let Some(chunk) = source.next().await {
            if all.len() + chunk.len() > MAX_BUFFER_BYTES {
                return Err(WriteError::Overflow);
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// The next `length` bytes, fewer at the end.
    pub(super) async fn read_exactly(&self, length: usize) -> Bytes {
        let mut source = self.source.lock().await;
        let mut all = BytesMut::new();
        while all.len() < length {
            let Some(mut chunk) = source.next().await else { break };
            let wanted = chunk.split_to(chunk.len().min(length - all.len()));
            all.extend_from_slice(&wanted);
            source.pending = chunk;
        }
        all.freeze()
    }

    /// The next line with its newline, without at the end; `None` when nothing is left.
    pub(super) async fn read_line(&self) -> Option<Bytes> {
        let mut source = self.source.lock().await;
        let mut line = BytesMut::new();
        while line.len() < MAX_BUFFER_BYTES {
            let Some(mut chunk) = source.next().await else { break };
            let end = chunk.iter().position(|&byte| byte == b'\n').map(|index| index + 1);
            line.extend_from_slice(&chunk.split_to(end.unwrap_or(chunk.len())));
            source.pending = chunk;
            if end.is_some() {
                break;
            }
        }
        (!line.is_empty()).then(|| line.freeze())
    }
}

impl Source {
    async fn next(&mut self) -> Option<Bytes> {
        while self.pending.is_empty() {
            self.pending = self.more.as_mut()?.recv().await?;
        }
        Some(std::mem::take(&mut self.pending))
    }
}

/// Where a program's output goes.
#[derive(Debug, Clone)]
pub(super) enum Output {
    /// To the host.
    Host(mpsc::Sender<Chunk>, Channel),
    /// A pipe or a command substitution.
    Buffer(Arc<StdMutex<Vec<u8>>>),
    /// To the end of a file.
    File(Arc<Filesystem>, String),
    /// Closed by `>&-`.
    Closed,
}

/// Why output could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WriteError {
    /// The host has gone; everything ends.
    HungUp,
    /// A buffer's limit is reached; the program dies as by SIGPIPE.
    Overflow,
    /// The file does not take it.
    File(Errno),
}

impl Output {
    pub fn buffer() -> (Self, Arc<StdMutex<Vec<u8>>>) {
        let buffer = Arc::new(StdMutex::new(Vec::new()));
        (Self::Buffer(buffer.clone()), buffer)
    }

    pub async fn write(&self, bytes: impl Into<Bytes>) -> Result<(), WriteError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Ok(());
        }
        match self {
            Self::Host(sender, channel) => sender.send((*channel, bytes)).await.map_err(|_| WriteError::HungUp),
            Self::Buffer(buffer) => {
                let mut buffer = buffer.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if buffer.len() + bytes.len() > MAX_BUFFER_BYTES {
                    return Err(WriteError::Overflow);
                }
                buffer.extend_from_slice(&bytes);
                Ok(())
            }
            Self::File(files, path) => files
                .append(path, &bytes)
                .map_err(|error| WriteError::File(error.errno)),
            Self::Closed => Ok(()),
        }
    }

    /// Whether it is the host's end itself, and not a pipe or a file.
    pub fn is_host(&self) -> bool {
        matches!(self, Self::Host(..))
    }
}

/// What [`Output::buffer`] has collected.
pub(super) fn take_buffer(buffer: &StdMutex<Vec<u8>>) -> Vec<u8> {
    std::mem::take(&mut *buffer.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

/// A program's three streams.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub stdin: Input,
    pub stdout: Output,
    pub stderr: Output,
}
