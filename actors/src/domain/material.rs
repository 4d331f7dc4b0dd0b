//! Materials: the media that posts are made of.

use serde::{Deserialize, Serialize};

use super::{MaterialId, Timestamp, Username};

/// What a media file is, by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// MP4.
    Video,
    /// JPG or PNG.
    Image,
}

impl MediaKind {
    /// The word used in the API and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Image => "image",
        }
    }
}

/// A file of the material library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// Its number.
    pub id: MaterialId,
    /// The name it was uploaded with (no path).
    pub name: String,
    /// Where its bytes lie, below `<data_dir>/materials`.
    pub file: String,
    /// What it is.
    pub kind: MediaKind,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Length, bytes.
    pub bytes: u64,
    /// For the `materials_tags` filter.
    pub tags: Vec<String>,
    /// Only for this account, if set.
    pub username: Option<Username>,
    /// Caption to use when the task has none.
    pub caption: Option<String>,
    /// Smaller first.
    pub sort_order: i64,
    /// Accounts whose posts with it were confirmed.
    pub used_by: Vec<Username>,
    /// When it was uploaded.
    pub created_at: Timestamp,
}
