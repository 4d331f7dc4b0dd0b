//! The rows of the material library, as a port.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{Material, MaterialId, MediaKind, Timestamp, Username};

/// A material to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMaterial {
    /// The name it was uploaded with.
    pub name: String,
    /// Where its bytes lie, below `<data_dir>/materials`.
    pub file: String,
    /// What it is.
    pub kind: MediaKind,
    /// SHA-256, hex.
    pub sha256: String,
    /// Length, bytes.
    pub bytes: u64,
    /// Tags.
    pub tags: Vec<String>,
    /// Only for this account.
    pub username: Option<Username>,
    /// Default caption.
    pub caption: Option<String>,
    /// Smaller first.
    pub sort_order: i64,
    /// When.
    pub created_at: Timestamp,
}

/// The material library's rows; written by the library.
#[async_trait]
pub trait MaterialStore: Send + Sync {
    /// All, by `sort_order`, then id.
    async fn load_materials(&self) -> Result<Vec<Material>, StoreError>;

    /// Stores one.
    async fn create_material(&self, material: NewMaterial) -> Result<Material, StoreError>;

    /// Deletes the row and answers it, `None` when there is none.
    async fn delete_material(&self, id: MaterialId) -> Result<Option<Material>, StoreError>;

    /// Which of these contents the account has used, or may have: their effects are open.
    async fn used_media(&self, username: &Username, sha256: &[String]) -> Result<Vec<String>, StoreError>;
}
