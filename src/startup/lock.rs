//! One controller for each data folder: a second one would take the database over, and end the first one's work.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use super::StartupError;

/// The file whose lock a running controller holds. The system lets it go when the process ends, however that comes.
const LOCK_FILE: &str = "controller.lock";

/// Holds the folder until it is dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder.
    ///
    /// # Errors
    /// Another controller has it, or the folder cannot be written.
    pub(super) fn take(folder: &Path) -> Result<Self, StartupError> {
        let failed = |source: io::Error| StartupError::Folder {
            folder: folder.to_owned(),
            source,
        };
        let file = File::create(folder.join(LOCK_FILE)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StartupError::Taken {
                folder: folder.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_controller_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();

        let second = FolderLock::take(folder.path()).unwrap_err().to_string();
        drop(first);

        assert!(second.contains(&folder.path().display().to_string()), "{second}");
        assert!(second.contains("data_dir"), "{second}");
        FolderLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_with_the_mend() {
        let file = tempfile::NamedTempFile::new().unwrap();

        let error = FolderLock::take(file.path()).unwrap_err().to_string();

        assert!(error.contains(&file.path().display().to_string()), "{error}");
        assert!(error.contains("choose another data_dir"), "{error}");
    }
}
