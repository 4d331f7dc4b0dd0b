//! What can be wrong with a path, in the words of the phone's C library.

use thiserror::Error;

/// A file operation that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {errno}")]
pub struct FsError {
    /// The path, normalized.
    pub path: String,
    /// Why.
    pub errno: Errno,
}

impl FsError {
    pub(super) fn new(path: &str, errno: Errno) -> Self {
        Self {
            path: path.to_owned(),
            errno,
        }
    }
}

/// Linux' error numbers, as far as files need them; `Display` is `strerror`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Errno {
    /// `ENOENT`
    #[error("No such file or directory")]
    NotFound,
    /// `EACCES`
    #[error("Permission denied")]
    PermissionDenied,
    /// `EEXIST`
    #[error("File exists")]
    Exists,
    /// `ENOTDIR`
    #[error("Not a directory")]
    NotADirectory,
    /// `EISDIR`
    #[error("Is a directory")]
    IsADirectory,
    /// `EINVAL`
    #[error("Invalid argument")]
    InvalidArgument,
    /// `ENOSPC`
    #[error("No space left on device")]
    NoSpace,
    /// `EROFS`
    #[error("Read-only file system")]
    ReadOnly,
    /// `ENAMETOOLONG`
    #[error("File name too long")]
    NameTooLong,
    /// `ENOTEMPTY`
    #[error("Directory not empty")]
    NotEmpty,
}

impl Errno {
    /// The number, as sync v2 sends it.
    pub fn number(self) -> u32 {
        match self {
            Self::NotFound => 2,
            Self::PermissionDenied => 13,
            Self::Exists => 17,
            Self::NotADirectory => 20,
            Self::IsADirectory => 21,
            Self::InvalidArgument => 22,
            Self::NoSpace => 28,
            Self::ReadOnly => 30,
            Self::NameTooLong => 36,
            Self::NotEmpty => 39,
        }
    }
}
