//! Media for posts, as a port.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::domain::{MaterialId, MediaKind, Username};

/// Where a task's media come from. `files` wins over everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaSource {
    /// Named files, as the client wrote them.
    Files(Vec<String>),
    /// A folder, as the client wrote it: `@username` in it first, then the folder itself.
    Folder(String),
    /// The material library, filtered by tags (all must be there).
    Library {
        /// Tags; none means no filter.
        tags: Vec<String>,
    },
}

/// What an attempt needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRequest {
    /// Where from.
    pub source: MediaSource,
    /// What kind.
    pub kind: MediaKind,
    /// How many (1 for a video).
    pub count: u32,
    /// For whom.
    pub username: Option<Username>,
    /// The task's seed: the same seed chooses the same files and lines while these are unchanged and unused.
    pub seed: u64,
}

/// A chosen file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickedFile {
    /// Where it lies, links resolved, checked to be below a media root (or in the library).
    pub path: PathBuf,
    /// The name it has for people.
    pub name: String,
    /// What it is, by content.
    pub kind: MediaKind,
    /// SHA-256 of its bytes, hex: what "used once per account" is counted by.
    pub sha256: String,
    /// Its row, if it is from the library.
    pub material: Option<MaterialId>,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PickedMedia {
    /// The files, in order.
    pub files: Vec<PickedFile>,
    /// The folder's `caption.txt` or the material's caption, unexpanded.
    pub caption: Option<String>,
    /// One line of the folder's `sound_names.txt`.
    pub sound_name: Option<String>,
    /// One line of the folder's `sound_urls.txt`.
    pub sound_url: Option<String>,
}

/// Why there are no media. Texts name the file or folder and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// Not there, all used, or outside the media roots.
    #[error("{0}")]
    Missing(String),
    /// There, but not what it should be.
    #[error("{0}")]
    Invalid(String),
    /// The host's disk or database failed.
    #[error("{0}")]
    Host(String),
}

/// Chooses media.
#[async_trait]
pub trait MediaPicker: Send + Sync {
    /// Looks at the request without choosing: what a client should be warned of at creation.
    async fn warnings(&self, request: &MediaRequest) -> Vec<String>;

    /// Chooses.
    ///
    /// # Errors
    /// Says what is missing or wrong.
    async fn pick(&self, request: &MediaRequest) -> Result<PickedMedia, MediaError>;
}
