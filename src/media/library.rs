//! The material library: uploaded files below `<data_dir>/materials`, their rows in the store.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use farmhand_actors::{
    domain::{Material, MaterialId, Username},
    ports::{Clock, MaterialStore, MediaError, NewMaterial, StoreError},
};
use sha2::{Digest, Sha256};

use super::sniff::sniff;

/// A file that came in over HTTP.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// The name that the client gave it.
    pub name: String,
    /// Where its bytes lie for now; the caller removes it.
    pub file: PathBuf,
    /// Tags.
    pub tags: Vec<String>,
    /// Only for this account.
    pub username: Option<Username>,
    /// Default caption.
    pub caption: Option<String>,
    /// Smaller first.
    pub sort_order: i64,
}

/// Keeps materials.
pub struct MediaLibrary {
    folder: PathBuf,
    store: Arc<dyn MaterialStore>,
    clock: Arc<dyn Clock>,
}

impl MediaLibrary {
    /// Keeps files in `folder`, which is created.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(folder: PathBuf, store: Arc<dyn MaterialStore>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let folder = folder.canonicalize()?;
        Ok(Self { folder, store, clock })
    }

    /// The folder with the files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks an upload by its content, keeps the file (under its hash: the same bytes are kept once) and its row.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] when it is not MP4, JPG or PNG.
    pub async fn add(&self, upload: NewUpload) -> Result<Material, MediaError> {
        let folder = self.folder.clone();
        let (source, name) = (upload.file.clone(), upload.name.clone());
        let kept = tokio::task::spawn_blocking(move || keep(&folder, &source, &name))
            .await
            .map_err(|error| MediaError::Host(error.to_string()))??;
        let row = NewMaterial {
            name: plain_name(&upload.name),
            file: kept.file,
            kind: kept.kind,
            sha256: kept.sha256,
            bytes: kept.bytes,
            tags: upload.tags,
            username: upload.username,
            caption: upload.caption,
            sort_order: upload.sort_order,
            created_at: self.clock.now().wall,
        };
        self.store.create_material(row).await.map_err(host)
    }

    /// Deletes a material; its file goes when no other material has the same bytes. `false`: there is none.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn delete(&self, id: MaterialId) -> Result<bool, MediaError> {
        let Some(gone) = self.store.delete_material(id).await.map_err(host)? else {
            return Ok(false);
        };
        let rest = self.store.load_materials().await.map_err(host)?;
        if rest.iter().all(|other| other.file != gone.file) {
            let file = self.folder.join(&gone.file);
            if let Err(error) = std::fs::remove_file(&file) {
                tracing::warn!(file = %file.display(), %error, "material file not removed");
            }
        }
        Ok(true)
    }

    /// All materials, in their order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list(&self) -> Result<Vec<Material>, MediaError> {
        self.store.load_materials().await.map_err(host)
    }
}

struct Kept {
    file: String,
    kind: farmhand_actors::domain::MediaKind,
    sha256: String,
    bytes: u64,
}

fn keep(folder: &Path, source: &Path, name: &str) -> Result<Kept, MediaError> {
    let mut file = File::open(source).map_err(|error| MediaError::Host(format!("{name}: {error}")))?;
    let (kind, extension) = sniff(&mut file)
        .map_err(|error| MediaError::Host(format!("{name}: {error}")))?
        .ok_or_else(|| MediaError::Invalid(format!("{}: neither MP4, JPG nor PNG by its content", plain_name(name))))?;
    let (sha256, bytes) = hash(&mut file).map_err(|error| MediaError::Host(format!("{name}: {error}")))?;
    let kept = format!("{sha256}.{extension}");
    let target = folder.join(&kept);
    if !target.exists() {
        // Copied beside its place and then renamed: a crash leaves no half file under a good name.
        let part = folder.join(format!("{kept}.part"));
        std::fs::copy(source, &part)
            .and_then(|_| File::open(&part)?.sync_all())
            .and_then(|()| std::fs::rename(&part, &target))
            .map_err(|error| MediaError::Host(format!("{name}: {error}")))?;
    }
    Ok(Kept {
        file: kept,
        kind,
        sha256,
        bytes,
    })
}

/// SHA-256 (hex) and length of a file, read from its beginning.
///
/// # Errors
/// The file cannot be read.
pub fn hash(file: &mut File) -> io::Result<(String, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; 256 * 1024];
    let mut bytes = 0_u64;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        hasher.update(chunk);
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok((hex(&hasher.finalize()), bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A client's file name without folders and control characters, at most 200 characters.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
    if clean.is_empty() { "unnamed".to_owned() } else { clean }
}

pub(super) fn host(error: StoreError) -> MediaError {
    MediaError::Host(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_file_name_loses_its_folders() {
        assert_eq!(plain_name("../../etc/passwd"), "passwd");
        assert_eq!(plain_name("C:\\Videos\\a b.mp4"), "a b.mp4");
        assert_eq!(plain_name("a\nb.png"), "ab.png");
        assert_eq!(plain_name(""), "unnamed");
    }
}
