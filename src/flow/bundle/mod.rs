//! Flows that were sent by themselves: a flow file with all that it needs, kept until no task runs it any more.
//!
//! A bundle's folder is named by its content, and so is the script of its tasks (`flow:<stem>@<id>`): whoever knows the
//! name of the script finds the files again, also after a restart.

mod check;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use farmhand_actors::domain::{FieldError, ScriptName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub use super::expr::is_own_name;
use super::{
    catalog::Script,
    parse::sources::{Folder, Sources},
    problem::Problem,
};

/// Most files of a bundle.
const MAX_FILES: usize = 500;
/// Most bytes of all files of a bundle: flows, scripts, pictures and a short film.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Hex digits of a bundle's name.
const ID_DIGITS: usize = 16;
/// Longest part of a file's name that the script's name repeats, characters.
const STEM_LIMIT: usize = 40;
/// A bundle is kept at least so long: the task that runs it may be about to be created.
const GRACE: Duration = Duration::from_secs(60);
/// In a bundle's folder: what to run, and with what.
const MANIFEST: &str = "bundle.json";
/// In a bundle's folder: its files.
const FILES: &str = "files";

/// A flow file with all that it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The flow's path in `files`.
    pub main: String,
    /// Contents by path, `/` between its parts.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Variables, set before the flow's own.
    pub env: BTreeMap<String, String>,
}

/// Why a bundle was not kept.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Every fault of it at once.
    #[error("the flow has {} fault(s)", .0.len())]
    Invalid(Vec<FieldError>),
    /// The host's disk.
    #[error("the flow's files cannot be stored in {}: {source}", folder.display())]
    Host {
        /// Where.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A bundle without faults. It is gone with this value unless it is kept.
#[derive(Debug)]
pub struct Checked {
    bundle: Bundle,
    draft: TempDir,
    script: Script,
}

impl Checked {
    /// The script that it is.
    #[must_use]
    pub fn script(&self) -> &Script {
        &self.script
    }
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    main: String,
    env: BTreeMap<String, String>,
}

/// The folder of all bundles. Its functions block.
#[derive(Debug)]
pub struct Bundles {
    folder: PathBuf,
    /// Held while a bundle is put there or taken away, so that none is forgotten while it is sent again.
    changes: Mutex<()>,
}

impl Bundles {
    /// The bundles below `folder`, which is made when it is needed.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            changes: Mutex::default(),
        }
    }

    /// Checks a bundle as a script is checked.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn check(&self, bundle: Bundle) -> Result<Checked, BundleError> {
        let faults = check::faults(&bundle);
        if !faults.is_empty() {
            return Err(BundleError::Invalid(faults));
        }
        let draft = self.draft(&bundle).map_err(|source| self.host(source))?;
        let script = Script::load(&Folder::new(draft.path().join(FILES)), &bundle.main)
            .map_err(|problems| BundleError::Invalid(problems.iter().map(field_error).collect()))?;
        Ok(Checked { bundle, draft, script })
    }

    /// Stores a bundle that was checked: on return it is on the disk.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep(&self, checked: &Checked) -> Result<ScriptName, BundleError> {
        self.store(checked).map_err(|source| self.host(source))
    }

    fn draft(&self, bundle: &Bundle) -> io::Result<TempDir> {
        // Only for farmhand: variables may be somebody's password.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let draft = tempfile::Builder::new().prefix(".draft-").tempdir_in(&self.folder)?;
        write_files(draft.path(), bundle)?;
        Ok(draft)
    }

    fn store(&self, Checked { bundle, draft, .. }: &Checked) -> io::Result<ScriptName> {
        let name = script_name(bundle)?;
        let place = self.place(&name).ok_or(io::ErrorKind::InvalidInput)?;
        let _held = self.hold();
        // The manifest's time says when the bundle was last sent.
        if place.is_dir() {
            write_manifest(&place, bundle)?;
        } else {
            write_manifest(draft.path(), bundle)?;
            fs::rename(draft.path(), &place)?;
        }
        sync_folder(&self.folder)?;
        Ok(name)
    }

    fn hold(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self, source: io::Error) -> BundleError {
        BundleError::Host {
            folder: self.folder.clone(),
            source,
        }
    }

    /// The script of a bundle, read from its folder.
    ///
    /// # Errors
    /// One line that says why it cannot be run.
    pub fn load(&self, name: &ScriptName) -> Result<Script, String> {
        let missing = |error: io::Error| format!("the files of `{name}` are not there any more: {error}");
        let place = self
            .place(name)
            .ok_or_else(|| missing(io::ErrorKind::NotFound.into()))?;
        let manifest = fs::read(place.join(MANIFEST)).map_err(missing)?;
        let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| missing(error.into()))?;
        let script = Script::load(&Folder::new(place.join(FILES)), &manifest.main)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        Ok(script.with_env(manifest.env.into_iter().collect()))
    }

    /// Forgets the bundles that no task names; answers how many.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn prune(&self, in_use: &HashSet<ScriptName>) -> io::Result<usize> {
        let kept: HashSet<&str> = in_use.iter().filter_map(ScriptName::bundle).collect();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let mut forgotten = 0;
        let _held = self.hold();
        for entry in entries {
            let place = entry?.path();
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            if !kept.contains(&*name) && is_old(&place) {
                fs::remove_dir_all(&place)?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    fn place(&self, name: &ScriptName) -> Option<PathBuf> {
        Some(self.folder.join(name.bundle()?))
    }
}

/// The flow at `file` with all that it reads, to be sent elsewhere.
///
/// # Errors
/// Every fault of the flow; files that are too many or too large.
pub fn collect(folder: &Path, file: &str) -> Result<Bundle, Vec<Problem>> {
    let noting = check::Noting::new(Folder::new(folder));
    Script::load(&noting, file)?;
    let files = noting
        .contents()
        .map_err(|message| vec![check::problem(file, message)])?;
    Ok(Bundle {
        main: file.to_owned(),
        files,
        env: BTreeMap::new(),
    })
}

fn field_error(problem: &Problem) -> FieldError {
    FieldError {
        field: format!("files.{}", problem.place.file),
        message: problem.to_string(),
    }
}

/// Named by what is in it, so that the same flow sent twice is stored once.
fn script_name(bundle: &Bundle) -> Result<ScriptName, io::Error> {
    let mut hasher = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    add(bundle.main.as_bytes());
    for (path, bytes) in &bundle.files {
        add(path.as_bytes());
        add(bytes);
    }
    add(b"");
    for (name, value) in &bundle.env {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    let hash = hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    });
    let file = bundle.main.rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let plain = |c: char| {
        if c.is_alphanumeric() || "_-.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let stem: String = stem
        .trim_start_matches('.')
        .chars()
        .take(STEM_LIMIT)
        .map(plain)
        .collect();
    ScriptName::of_bundle(&stem, hash.get(..ID_DIGITS).unwrap_or_default()).map_err(io::Error::other)
}

fn write_files(place: &Path, bundle: &Bundle) -> io::Result<()> {
    for (path, bytes) in &bundle.files {
        let file = place.join(FILES).join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        write_synced(&file, bytes)?;
    }
    Ok(())
}

/// In one move, so that whoever reads it finds the old one or the new one.
fn write_manifest(place: &Path, bundle: &Bundle) -> io::Result<()> {
    let manifest = Manifest {
        main: bundle.main.clone(),
        env: bundle.env.clone(),
    };
    let draft = place.join(".bundle.json.draft");
    write_synced(&draft, &serde_json::to_vec(&manifest)?)?;
    fs::rename(draft, place.join(MANIFEST))?;
    sync_folder(place)
}

fn write_synced(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Drafts have no manifest: their own time counts.
fn is_old(place: &Path) -> bool {
    let modified = fs::metadata(place.join(MANIFEST)).or_else(|_| fs::metadata(place));
    let modified = modified.and_then(|meta| meta.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() >= GRACE)
}
