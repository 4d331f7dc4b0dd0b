//! Chooses the media of an attempt: what its account has not used yet.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{MediaKind, Username},
    ports::{MaterialStore, MediaError, MediaPicker, MediaRequest, MediaSource, PickedFile, PickedMedia},
};

use super::{
    library::{MediaLibrary, hash, host},
    paths::{MediaPaths, OpenedFile},
    sniff::sniff,
};

/// Files of a folder that are looked at; a folder with more is a mistake, or needs the library.
const MAX_FOLDER_FILES: usize = 10_000;
/// A text file beside the media is read up to here.
const MAX_TEXT_BYTES: u64 = 1024 * 1024;

/// [`MediaPicker`] over files of this host and the material library.
pub struct Picker {
    paths: Arc<MediaPaths>,
    library: Arc<MediaLibrary>,
    store: Arc<dyn MaterialStore>,
    spool: PathBuf,
    hashes: HashCache,
}

/// Hashes of files that have not changed since: a folder of big videos is read once, not once per attempt.
type HashCache = Arc<Mutex<HashMap<PathBuf, (SystemTime, u64, String)>>>;

impl Picker {
    /// Chosen files are copied to `spool`, so that what is pushed is what was checked, whatever happens to the
    /// original in the meantime. The folder is emptied here: nothing in it outlives a run of the controller.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(
        paths: MediaPaths,
        library: Arc<MediaLibrary>,
        store: Arc<dyn MaterialStore>,
        spool: PathBuf,
    ) -> std::io::Result<Self> {
        if spool.exists() {
            std::fs::remove_dir_all(&spool)?;
        }
        std::fs::create_dir_all(&spool)?;
        Ok(Self {
            paths: Arc::new(paths),
            library,
            store,
            spool: spool.canonicalize()?,
            hashes: HashCache::default(),
        })
    }

    /// Looks at the disk on a thread that may block.
    async fn on_disk<T: Send + 'static>(
        &self,
        look: impl FnOnce(&MediaPaths) -> T + Send + 'static,
    ) -> Result<T, MediaError> {
        let paths = Arc::clone(&self.paths);
        tokio::task::spawn_blocking(move || look(&paths))
            .await
            .map_err(|error| MediaError::Host(error.to_string()))
    }

    async fn open(&self, name: &str) -> Result<OpenedFile, MediaError> {
        let name = name.to_owned();
        self.on_disk(move |paths| paths.open(&name)).await?
    }

    async fn reopen(&self, path: &Path, shown: &str) -> Result<OpenedFile, MediaError> {
        let (path, shown) = (path.to_owned(), shown.to_owned());
        self.on_disk(move |paths| paths.open_path(&path, &shown)).await?
    }

    async fn pick_named(&self, names: &[String], request: &MediaRequest) -> Result<PickedMedia, MediaError> {
        let mut files = Vec::new();
        for name in names.iter().take(wanted(request)) {
            let opened = self.open(name).await?;
            files.push(self.spool(opened, request.kind, name.clone()).await?);
        }
        if files.is_empty() {
            return Err(MediaError::Missing("material_list names no file".to_owned()));
        }
        Ok(PickedMedia {
            files,
            ..PickedMedia::default()
        })
    }

    async fn pick_from_folder(&self, folder: &str, request: &MediaRequest) -> Result<PickedMedia, MediaError> {
        let (text, username) = (folder.to_owned(), request.username.clone());
        let found = self.on_disk(move |paths| {
            let root = paths.folder(&text)?;
            let own = username.and_then(|username| MediaPaths::own_folder(&root, username.as_str()));
            Ok((own, root))
        });
        let (own, root) = found.await??;
        let mut last = None;
        for place in own.into_iter().chain([root.clone()]) {
            match self.pick_in(&place, folder, request).await {
                Ok(picked) => {
                    let seed = request.seed;
                    let read = move |paths: &MediaPaths| read_texts(picked, &[&place, &root], paths, seed);
                    return self.on_disk(read).await;
                }
                Err(error @ MediaError::Missing(_)) => last = last.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| MediaError::Missing(format!("{folder}: no such folder"))))
    }

    /// The first unused files of one folder, by name.
    async fn pick_in(&self, place: &Path, folder: &str, request: &MediaRequest) -> Result<PickedMedia, MediaError> {
        let (at, kind) = (place.to_owned(), request.kind);
        let listed = self.on_disk(move |paths| list_kind(&at, kind, paths)).await?;
        let mut candidates = Vec::new();
        for path in listed.map_err(|error| MediaError::Host(format!("{folder}: {error}")))? {
            let shown = path.display().to_string();
            // It was there a moment ago; one that has gone since is no candidate.
            if let Ok(mut opened) = self.reopen(&path, &shown).await {
                let sha256 = self.hash(&mut opened, &shown).await?;
                candidates.push((path, shown, sha256));
            }
        }
        if candidates.is_empty() {
            return Err(MediaError::Missing(format!(
                "{folder}: holds no {} (MP4, JPG or PNG by content)",
                request.kind.as_str()
            )));
        }
        let all: Vec<String> = candidates.iter().map(|(_, _, sha256)| sha256.clone()).collect();
        let used = self.used(request.username.as_ref(), &all).await?;
        candidates.retain(|(_, _, sha256)| !used.contains(sha256));
        if candidates.len() < wanted(request) {
            return Err(too_few(folder, candidates.len(), request));
        }
        let mut files = Vec::new();
        for (path, shown, _) in candidates.into_iter().take(wanted(request)) {
            let opened = self.reopen(&path, &shown).await?;
            files.push(self.spool(opened, request.kind, shown).await?);
        }
        Ok(PickedMedia {
            files,
            ..PickedMedia::default()
        })
    }

    async fn pick_from_library(&self, tags: &[String], request: &MediaRequest) -> Result<PickedMedia, MediaError> {
        let mut fitting = self.library.list().await?;
        fitting.retain(|material| {
            material.kind == request.kind
                && tags.iter().all(|tag| material.tags.contains(tag))
                && (material.username.is_none() || material.username == request.username)
        });
        let all: Vec<String> = fitting.iter().map(|material| material.sha256.clone()).collect();
        let used = self.used(request.username.as_ref(), &all).await?;
        fitting.retain(|material| !used.contains(&material.sha256));
        if fitting.len() < wanted(request) {
            return Err(too_few("the material library", fitting.len(), request));
        }
        let chosen: Vec<_> = fitting.into_iter().take(wanted(request)).collect();
        let caption = chosen.iter().find_map(|material| material.caption.clone());
        let files = chosen
            .into_iter()
            .map(|material| PickedFile {
                path: self.library.folder().join(&material.file),
                name: material.name,
                kind: material.kind,
                sha256: material.sha256,
                material: Some(material.id),
            })
            .collect();
        Ok(PickedMedia {
            files,
            caption,
            ..PickedMedia::default()
        })
    }

    async fn used(&self, username: Option<&Username>, sha256: &[String]) -> Result<Vec<String>, MediaError> {
        match username {
            Some(username) => self.store.used_media(username, sha256).await.map_err(host),
            None => Ok(Vec::new()),
        }
    }

    async fn hash(&self, opened: &mut OpenedFile, shown: &str) -> Result<String, MediaError> {
        let failed = |error: std::io::Error| MediaError::Host(format!("{shown}: {error}"));
        let meta = opened.file.metadata().map_err(failed)?;
        let stamp = (meta.modified().map_err(failed)?, meta.len());
        let known = self
            .hashes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&opened.path)
            .cloned();
        if let Some((time, bytes, sha256)) = known
            && (time, bytes) == stamp
        {
            return Ok(sha256);
        }
        let mut file = opened.file.try_clone().map_err(failed)?;
        let (sha256, _) = tokio::task::spawn_blocking(move || hash(&mut file))
            .await
            .map_err(|error| MediaError::Host(error.to_string()))?
            .map_err(failed)?;
        let entry = (stamp.0, stamp.1, sha256.clone());
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if hashes.len() >= MAX_FOLDER_FILES {
            hashes.clear();
        }
        hashes.insert(opened.path.clone(), entry);
        Ok(sha256)
    }

    /// Checks an open file's kind and copies it aside under its hash.
    async fn spool(&self, mut opened: OpenedFile, kind: MediaKind, shown: String) -> Result<PickedFile, MediaError> {
        let failed = |error: std::io::Error| MediaError::Host(format!("{shown}: {error}"));
        let (found, extension) = sniff(&mut opened.file)
            .map_err(failed)?
            .ok_or_else(|| MediaError::Invalid(format!("{shown}: neither MP4, JPG nor PNG by its content")))?;
        if found != kind {
            return Err(MediaError::Invalid(format!(
                "{shown}: its content is {} but the task wants {}; see content_type",
                article(found),
                article(kind)
            )));
        }
        let spool = self.spool.clone();
        let mut file = opened.file;
        let (sha256, path) = tokio::task::spawn_blocking(move || copy_aside(&mut file, &spool, extension))
            .await
            .map_err(|error| MediaError::Host(error.to_string()))?
            .map_err(failed)?;
        let name = opened.path.file_name().map_or_else(
            || format!("{sha256}.{extension}"),
            |name| name.to_string_lossy().into_owned(),
        );
        Ok(PickedFile {
            path,
            name,
            kind,
            sha256,
            material: None,
        })
    }
}

#[async_trait]
impl MediaPicker for Picker {
    async fn warnings(&self, request: &MediaRequest) -> Vec<String> {
        let source = request.source.clone();
        let looked = self.on_disk(move |paths| match &source {
            MediaSource::Files(names) => names.iter().filter_map(|name| paths.open(name).err()).collect(),
            MediaSource::Folder(folder) => paths.folder(folder).err().into_iter().collect::<Vec<_>>(),
            MediaSource::Library { .. } => Vec::new(),
        });
        let problems = looked.await.unwrap_or_else(|error| vec![error]);
        let left = match &request.source {
            // Of images all that are named are meant.
            MediaSource::Files(names) if names.len() > wanted(request) => Some(format!(
                "{} files are named, but a task takes one video: only the first is used",
                names.len()
            )),
            _ => None,
        };
        problems.iter().map(ToString::to_string).chain(left).collect()
    }

    async fn pick(&self, request: &MediaRequest) -> Result<PickedMedia, MediaError> {
        match &request.source {
            MediaSource::Files(names) => self.pick_named(names, request).await,
            MediaSource::Folder(folder) => self.pick_from_folder(folder, request).await,
            MediaSource::Library { tags } => self.pick_from_library(tags, request).await,
        }
    }
}

/// A video post is one file; an image post is `count`.
fn wanted(request: &MediaRequest) -> usize {
    match request.kind {
        MediaKind::Video => 1,
        MediaKind::Image => usize::try_from(request.count.max(1)).unwrap_or(1),
    }
}

fn article(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => "a video",
        MediaKind::Image => "an image",
    }
}

fn too_few(place: &str, left: usize, request: &MediaRequest) -> MediaError {
    let whose = request
        .username
        .as_ref()
        .map_or_else(String::new, |name| format!(" that {name} has not posted yet"));
    MediaError::Missing(format!(
        "{place}: {left} {}(s) left{whose}, {} wanted; add more",
        request.kind.as_str(),
        wanted(request)
    ))
}

fn copy_aside(file: &mut File, spool: &Path, extension: &str) -> std::io::Result<(String, PathBuf)> {
    use std::io::{Seek, SeekFrom};
    let part = tempfile::NamedTempFile::new_in(spool)?;
    file.seek(SeekFrom::Start(0))?;
    std::io::copy(file, &mut part.as_file())?;
    let (sha256, _) = hash(&mut part.reopen()?)?;
    let path = spool.join(format!("{sha256}.{extension}"));
    part.persist(&path).map_err(|error| error.error)?;
    Ok((sha256, path))
}

/// Regular files of a folder, by name.
fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .take(MAX_FOLDER_FILES)
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    Ok(paths)
}

/// Files of a folder that are of one kind by their content, by name.
fn list_kind(folder: &Path, kind: MediaKind, paths: &MediaPaths) -> std::io::Result<Vec<PathBuf>> {
    let mut found = list(folder)?;
    found.retain(|path| {
        let opened = paths.open_path(path, "");
        opened.is_ok_and(|mut opened| matches!(sniff(&mut opened.file), Ok(Some((of, _))) if of == kind))
    });
    Ok(found)
}

/// `caption.txt`, `sound_names.txt` and `sound_urls.txt`: the account's own first, then the folder's.
fn read_texts(mut picked: PickedMedia, places: &[&Path], paths: &MediaPaths, seed: u64) -> PickedMedia {
    let text = |name: &str| {
        places.iter().find_map(|place| {
            let path = place.join(name);
            let opened = paths.open_path(&path, name).ok()?;
            let mut text = String::new();
            std::io::Read::read_to_string(&mut std::io::Read::take(opened.file, MAX_TEXT_BYTES), &mut text).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        })
    };
    picked.caption = text("caption.txt");
    picked.sound_name = text("sound_names.txt").and_then(|text| line(&text, seed));
    picked.sound_url = text("sound_urls.txt").and_then(|text| line(&text, seed));
    picked
}

/// One of the lines that are not blank, the same for the same seed.
fn line(text: &str, seed: u64) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let count = u64::try_from(lines.len()).ok().filter(|count| *count > 0)?;
    let index = usize::try_from(seed.checked_rem(count)?).ok()?;
    lines.get(index).map(|line| (*line).to_owned())
}
