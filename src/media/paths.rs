//! Which files of this host may be read as media.
//!
//! A client's path is first mapped (`media.path_map`: `C:/Videos` → a folder here), then resolved with all its links,
//! and must then lie below one of `media.roots`. The check is made on the file that was *found*, before it is opened for
//! reading, so that a link that is exchanged between check and use changes nothing.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

use farmhand_actors::ports::MediaError;

/// Linux's `O_PATH` (the same on x86, ARM and RISC-V): finds what a path names without opening it. A pipe without a
/// writer does not block, and a device does not notice.
const O_PATH: i32 = 0o10_000_000;

/// The media roots and the prefixes that clients may use for them.
#[derive(Debug, Clone, Default)]
pub struct MediaPaths {
    roots: Vec<PathBuf>,
    map: Vec<(String, PathBuf)>,
}

/// A file that was opened and lies below a root.
#[derive(Debug)]
pub struct OpenedFile {
    /// The open file, at its beginning.
    pub file: File,
    /// Its path with all links resolved.
    pub path: PathBuf,
}

impl MediaPaths {
    /// Roots that do not exist are left out (with a warning): nothing can lie below them.
    #[must_use]
    pub fn new(roots: &[PathBuf], map: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        let roots = roots
            .iter()
            .filter_map(|root| match root.canonicalize() {
                Ok(root) => Some(root),
                Err(error) => {
                    tracing::warn!(root = %root.display(), %error, "a folder of media.roots is left out: make it, then start again");
                    None
                }
            })
            .collect();
        let mut map: Vec<_> = map
            .into_iter()
            .map(|(prefix, to)| (slashes(&prefix).trim_end_matches('/').to_owned(), to))
            .collect();
        // The longest prefix that fits is the one that was meant.
        map.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self { roots, map }
    }

    /// The path on this host that a client's text means. Nothing is looked up.
    ///
    /// # Errors
    /// The text is empty, relative, or climbs with `..`.
    pub fn map(&self, text: &str) -> Result<PathBuf, MediaError> {
        let wanted = slashes(text.trim());
        if wanted.is_empty() || wanted.contains('\0') {
            return Err(MediaError::Missing("an empty path names no file".to_owned()));
        }
        let mapped = self.map.iter().find_map(|(prefix, to)| {
            let rest = strip_prefix(&wanted, prefix)?;
            Some(to.join(rest.trim_start_matches('/')))
        });
        let path = mapped.unwrap_or_else(|| PathBuf::from(&wanted));
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(MediaError::Missing(format!(
                "{text}: '..' is not allowed; name the file by its full path"
            )));
        }
        if !path.is_absolute() {
            return Err(MediaError::Missing(format!(
                "{text}: not an absolute path, and no prefix of media.path_map fits it"
            )));
        }
        Ok(path)
    }

    /// Opens the file that a client's text means. Blocks, as all that looks at the disk.
    ///
    /// # Errors
    /// It is not there, not a regular file, or (with its links resolved) not below a media root.
    pub fn open(&self, text: &str) -> Result<OpenedFile, MediaError> {
        self.open_path(&self.map(text)?, text)
    }

    /// Opens a file by its path on this host; `text` is how the client named it, for messages.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_path(&self, path: &Path, text: &str) -> Result<OpenedFile, MediaError> {
        let found = OpenOptions::new()
            .read(true)
            .custom_flags(O_PATH)
            .open(path)
            .map_err(|error| self.not_there(path, text, &error))?;
        let host = |error: io::Error| MediaError::Host(format!("{text}: {error}"));
        // What was really found, whatever the path may name by now.
        let found_at = format!("/proc/self/fd/{}", found.as_raw_fd());
        let path = std::fs::read_link(&found_at).map_err(host)?;
        self.must_be_below_a_root(&path, text)?;
        if !found.metadata().map_err(host)?.is_file() {
            return Err(MediaError::Missing(format!("{text}: not a file")));
        }
        let file = File::open(&found_at).map_err(|error| MediaError::Missing(format!("{text}: {error}")))?;
        Ok(OpenedFile { file, path })
    }

    /// The folder that a client's text means, links resolved.
    ///
    /// # Errors
    /// It is not there, not a folder, or not below a media root.
    pub fn folder(&self, text: &str) -> Result<PathBuf, MediaError> {
        let path = self.map(text)?;
        let folder = path
            .canonicalize()
            .map_err(|error| self.not_there(&path, text, &error))?;
        self.must_be_below_a_root(&folder, text)?;
        if !folder.is_dir() {
            return Err(MediaError::Missing(format!("{text}: not a folder")));
        }
        Ok(folder)
    }

    /// The account's own folder in a folder: `@username`, with whatever case it was written.
    #[must_use]
    pub fn own_folder(root: &Path, username: &str) -> Option<PathBuf> {
        let exact = root.join(format!("@{username}"));
        if exact.is_dir() {
            return Some(exact);
        }
        let mut alike: Vec<PathBuf> = std::fs::read_dir(root)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.and_then(|name| name.strip_prefix('@'))
                    .is_some_and(|name| name.to_lowercase() == username.to_lowercase())
            })
            .filter(|path| path.is_dir())
            .collect();
        alike.sort();
        alike.into_iter().next()
    }

    fn must_be_below_a_root(&self, path: &Path, text: &str) -> Result<(), MediaError> {
        if self.roots.iter().any(|root| path.starts_with(root)) {
            return Ok(());
        }
        Err(MediaError::Missing(format!(
            "{text}: outside of the folders of media.roots; move it there or add its folder to media.roots"
        )))
    }

    /// Says that a file is missing only when it would have been allowed: no oracle for files elsewhere.
    fn not_there(&self, path: &Path, text: &str, error: &io::Error) -> MediaError {
        let parent = path.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
        let allowed = parent.is_some_and(|folder| self.roots.iter().any(|root| folder.starts_with(root)));
        if !allowed {
            return MediaError::Missing(format!(
                "{text}: outside of the folders of media.roots; move it there or add its folder to media.roots"
            ));
        }
        match error.kind() {
            io::ErrorKind::NotFound => MediaError::Missing(format!("{text}: no such file or folder")),
            _ => MediaError::Missing(format!("{text}: {error}")),
        }
    }
}

fn slashes(text: &str) -> String {
    text.replace('\\', "/")
}

/// `C:/Videos` fits `c:/videos/a.mp4` (drives ignore case) but not `C:/VideosOld/a.mp4`.
fn strip_prefix<'a>(wanted: &'a str, prefix: &str) -> Option<&'a str> {
    let head = wanted.get(..prefix.len())?;
    let drive = prefix.as_bytes().get(1) == Some(&b':');
    let same = if drive {
        head.eq_ignore_ascii_case(prefix)
    } else {
        head == prefix
    };
    let rest = wanted.get(prefix.len()..)?;
    (same && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    struct Farm {
        _dir: tempfile::TempDir,
        outside: PathBuf,
        root: PathBuf,
        paths: MediaPaths,
    }

    fn farm() -> Farm {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("media");
        let outside = dir.path().join("outside");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(root.join("a.mp4"), b"a").unwrap();
        std::fs::write(outside.join("secret"), b"s").unwrap();
        let paths = MediaPaths::new(std::slice::from_ref(&root), [("C:/Videos".to_owned(), root.clone())]);
        Farm {
            _dir: dir,
            outside,
            root,
            paths,
        }
    }

    #[test]
    fn an_old_clients_drive_means_a_folder_here() {
        let farm = farm();

        for text in ["C:/Videos/a.mp4", "C:\\Videos\\a.mp4", "c:/videos/a.mp4"] {
            let opened = farm.paths.open(text).unwrap();
            assert_eq!(opened.path, farm.root.canonicalize().unwrap().join("a.mp4"));
        }
        assert!(farm.paths.open("C:/VideosOld/a.mp4").is_err());
    }

    #[test]
    fn nothing_outside_of_the_roots_is_opened() {
        let farm = farm();
        symlink(farm.outside.join("secret"), farm.root.join("link.mp4")).unwrap();
        symlink(&farm.outside, farm.root.join("dir")).unwrap();
        let secret = farm.outside.join("secret").display().to_string();

        for text in [
            "C:/Videos/link.mp4",
            "C:/Videos/dir/secret",
            "C:/Videos/../outside/secret",
            &secret,
            "/etc/passwd",
            "a.mp4",
            "",
            "C:/Videos/sub",
            "C:/Videos/a.mp4\0.png",
        ] {
            assert!(matches!(farm.paths.open(text), Err(MediaError::Missing(_))), "{text}");
        }
    }

    #[test]
    fn a_pipe_and_a_device_are_refused_without_being_opened() {
        let farm = farm();
        let pipe = farm.root.join("pipe");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        symlink("/dev/zero", farm.root.join("zero")).unwrap();

        // Nobody writes to the pipe: whoever opens it waits for ever.
        let pipe = farm.paths.open("C:/Videos/pipe").unwrap_err().to_string();
        let device = farm.paths.open("C:/Videos/zero").unwrap_err().to_string();

        assert!(pipe.contains("not a file"), "{pipe}");
        assert!(device.contains("outside of the folders"), "{device}");
    }

    #[test]
    fn an_accounts_own_folder_is_found_however_its_name_is_written() {
        let farm = farm();
        std::fs::create_dir(farm.root.join("@Alice")).unwrap();
        std::fs::write(farm.root.join("@Bob"), "").unwrap();

        let found = MediaPaths::own_folder(&farm.root, "alice");
        assert_eq!(found, Some(farm.root.join("@Alice")));
        std::fs::create_dir(farm.root.join("@alice")).unwrap();
        let exact = MediaPaths::own_folder(&farm.root, "alice");
        assert_eq!(exact, Some(farm.root.join("@alice")));
        assert_eq!(MediaPaths::own_folder(&farm.root, "bob"), None);
        assert_eq!(MediaPaths::own_folder(&farm.root, "ali"), None);
    }

    #[test]
    fn a_missing_file_elsewhere_is_not_told_from_an_existing_one() {
        let farm = farm();

        let there = farm.paths.open("/etc/passwd").unwrap_err().to_string();
        let not_there = farm.paths.open("/etc/no-such-file").unwrap_err().to_string();

        assert_eq!(
            there.replace("/etc/passwd", ""),
            not_there.replace("/etc/no-such-file", "")
        );
    }

    proptest! {
        #[test]
        fn whatever_is_opened_lies_below_a_root(text in "(C:|/|\\\\|\\.|a|sub|dir|Videos|[ -~]){0,12}") {
            let farm = farm();
            symlink(&farm.outside, farm.root.join("dir")).unwrap();
            if let Ok(opened) = farm.paths.open(&text) {
                prop_assert!(opened.path.starts_with(farm.root.canonicalize().unwrap()));
            }
        }
    }
}
