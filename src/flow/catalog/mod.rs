//! The scripts that tasks may name: those that ship with farmhand, and the operator's own.
//!
//! The operator's folder is looked at every second: a file that was added or changed is checked and becomes a script
//! of its name. One with faults changes nothing but the list of its errors.

mod bundled;
pub mod look;
mod script;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{FieldError, ScriptInfo, ScriptName, ValidConfig},
    ports::{MediaPicker, ScriptCatalog},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::{
    bundled::Bundled,
    look::{Fingerprint, fingerprint},
};
pub use self::{bundled::account_flow, look::is_workspace_config, script::Script};
use super::{
    bundle::{Bundle, BundleError, Bundles},
    parse::{Platform, sources::Folder},
    runner::media_request,
};

/// How often the operator's folder is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How many errors of a file the refusal of a task tells.
const SHOWN_ERRORS: usize = 3;

/// A script with what is wrong with its newest file.
#[derive(Debug, Clone)]
struct Entry {
    /// The version in use; `None` when there has never been a good one.
    script: Option<Arc<Script>>,
    built_in: bool,
    /// It has a file in the operator's folder.
    of_file: bool,
    errors: Vec<String>,
}

/// Knows all scripts.
pub struct FlowCatalog {
    dir: Option<PathBuf>,
    media: Arc<dyn MediaPicker>,
    entries: RwLock<BTreeMap<ScriptName, Entry>>,
    seen: RwLock<Seen>,
    bundles: Option<Bundles>,
    platform: Platform,
}

/// Why a file of the folder is no script, and the mend.
pub const NO_NAME: &str =
    "its name cannot be the name of a script: rename it to letters, digits, `_`, `-` and `.`, and it becomes one";

/// The script that a flow file of that stem becomes.
#[must_use]
pub fn name_of_script(stem: &str) -> Option<ScriptName> {
    ScriptName::parse(stem).ok().filter(|name| name.bundle().is_none())
}

/// What the last look at the operator's folder saw.
#[derive(Debug, Default)]
struct Seen {
    files: Fingerprint,
    /// Scripts whose file was gone then. Editors replace a file by taking it away for a moment.
    leaving: BTreeSet<ScriptName>,
    /// Flow files that cannot be scripts, a line each.
    ignored: Vec<String>,
    /// It could not be read, which was told.
    unreadable: bool,
}

impl FlowCatalog {
    /// The scripts that ship with farmhand and those of `dir`, read before this returns.
    #[must_use]
    pub fn new(dir: Option<PathBuf>, media: Arc<dyn MediaPicker>) -> Arc<Self> {
        Self::build(dir, media, None, Platform::Android)
    }

    /// As [`Self::new`], for flows of another platform.
    #[cfg(test)]
    pub fn for_platform(platform: Platform, dir: PathBuf, media: Arc<dyn MediaPicker>) -> Arc<Self> {
        Self::build(Some(dir), media, None, platform)
    }

    /// As [`Self::new`], with a folder for flows that are sent by themselves.
    #[must_use]
    pub fn with_bundles(dir: Option<PathBuf>, media: Arc<dyn MediaPicker>, bundles: Bundles) -> Arc<Self> {
        Self::build(dir, media, Some(bundles), Platform::Android)
    }

    fn build(
        dir: Option<PathBuf>,
        media: Arc<dyn MediaPicker>,
        bundles: Option<Bundles>,
        platform: Platform,
    ) -> Arc<Self> {
        let catalog = Self {
            dir,
            media,
            entries: RwLock::new(BUILT_IN.clone()),
            seen: RwLock::default(),
            bundles,
            platform,
        };
        catalog.refresh();
        Arc::new(catalog)
    }

    /// Looks at the operator's folder every second until `stop`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        if self.dir.is_none() {
            return;
        }
        while stop
            .run_until_cancelled(tokio::time::sleep(LOOK_INTERVAL))
            .await
            .is_some()
        {
            let catalog = self.clone();
            if let Err(problem) = tokio::task::spawn_blocking(move || catalog.refresh()).await {
                tracing::error!(%problem, "the folder of the flows could not be looked at");
            }
        }
    }

    /// Looks at the operator's folder now; blocks while files are read.
    pub fn refresh(&self) {
        let Some(dir) = &self.dir else { return };
        let files = match fingerprint(dir) {
            Ok(files) => files,
            // What was good before stays in use: a folder may be away for a moment.
            Err(problem) => {
                if !std::mem::replace(&mut write(&self.seen).unreadable, true) {
                    tracing::warn!(folder = %dir.display(), %problem, "the folder of the flows cannot be read");
                }
                return;
            }
        };
        let left = {
            let mut seen = write(&self.seen);
            seen.unreadable = false;
            if seen.files == files && seen.leaving.is_empty() {
                return;
            }
            seen.files.clone_from(&files);
            std::mem::take(&mut seen.leaving)
        };
        let (mut entries, mut ignored) = (BUILT_IN.clone(), Vec::new());
        for (path, ..) in &files {
            self.take_file(dir, path, &mut entries, &mut ignored);
        }
        let leaving = self.keep_leaving(&left, &mut entries);
        *write(&self.entries) = entries;
        let mut seen = write(&self.seen);
        (seen.leaving, seen.ignored) = (leaving, ignored);
    }

    /// Keeps the scripts whose file is gone for the first time; answers which they are.
    fn keep_leaving(
        &self,
        left: &BTreeSet<ScriptName>,
        entries: &mut BTreeMap<ScriptName, Entry>,
    ) -> BTreeSet<ScriptName> {
        let mut leaving = BTreeSet::new();
        for (name, before) in read(&self.entries).iter() {
            let is_gone = before.of_file && entries.get(name).is_none_or(|now| !now.of_file);
            if is_gone && !left.contains(name) {
                entries.insert(name.clone(), before.clone());
                leaving.insert(name.clone());
            }
        }
        leaving
    }

    fn take_file(&self, dir: &Path, path: &Path, entries: &mut BTreeMap<ScriptName, Entry>, ignored: &mut Vec<String>) {
        let (Some(file), Some(stem)) = (path.file_name().and_then(|file| file.to_str()), path.file_stem()) else {
            return;
        };
        let is_flow = matches!(
            path.extension().and_then(|ending| ending.to_str()),
            Some("yaml" | "yml")
        );
        // Files in folders are there to be included, hidden ones are an editor's.
        if path.parent() != Some(dir) || !is_flow || file.starts_with('.') {
            return;
        }
        if is_workspace_config(dir, file) {
            return;
        }
        let Some(name) = name_of_script(&stem.to_string_lossy()) else {
            tracing::warn!(flow.file = file, "{NO_NAME}");
            return ignored.push(format!("{file}: {NO_NAME}"));
        };
        if entries.get(&name).is_some_and(|other| other.of_file) {
            return ignored.push(format!(
                "{file}: another file (.yaml, .yml) is the script `{name}`; rename one of them"
            ));
        }
        let before = read(&self.entries).get(&name).cloned();
        let entry = match Script::load_for(self.platform, &Folder::new(dir), file) {
            Ok(script) => Entry {
                script: Some(Arc::new(script)),
                built_in: false,
                of_file: true,
                errors: Vec::new(),
            },
            Err(problems) => {
                let errors: Vec<String> = problems.iter().map(ToString::to_string).collect();
                // Told once, not whenever another file changes.
                if before.as_ref().is_none_or(|before| before.errors != errors) {
                    tracing::warn!(flow.file = file, errors = errors.len(), first = %errors.join("; "), "flow file has errors");
                }
                Entry {
                    script: before.as_ref().and_then(|before| before.script.clone()),
                    built_in: before.as_ref().is_some_and(|before| before.built_in),
                    of_file: true,
                    errors,
                }
            }
        };
        entries.insert(name, entry);
    }

    /// The version that an attempt of a script begins with.
    ///
    /// # Errors
    /// One line that says why there is none.
    pub async fn version(self: &Arc<Self>, name: &ScriptName) -> Result<Arc<Script>, String> {
        if name.bundle().is_none() {
            let gone = || format!("the script `{name}` is not there any more, or its file has errors");
            return self.script(name).ok_or_else(gone);
        }
        let (catalog, name) = (Arc::clone(self), name.clone());
        let load = move || match &catalog.bundles {
            Some(bundles) => bundles.load(&name).map(Arc::new),
            None => Err(format!("there is no folder for flows like `{name}`")),
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Checks a flow that was sent by itself with its config, and stores it. On return it is on the disk.
    ///
    /// # Errors
    /// Every fault at once; then nothing was stored.
    pub async fn keep(
        self: &Arc<Self>,
        bundle: Bundle,
        config: &Value,
    ) -> Result<(ScriptName, ValidConfig), BundleError> {
        let checked = self.with_folder(|bundles| bundles.check(bundle)).await?;
        let config = self.validate_for(checked.script(), config).await;
        let config = config.map_err(BundleError::Invalid)?;
        let name = self.with_folder(move |bundles| bundles.keep(&checked)).await?;
        Ok((name, config))
    }

    /// Runs what blocks on a thread for that.
    async fn with_folder<T: Send + 'static>(
        self: &Arc<Self>,
        action: impl FnOnce(&Bundles) -> Result<T, BundleError> + Send + 'static,
    ) -> Result<T, BundleError> {
        let catalog = Arc::clone(self);
        let no_folder = |source| BundleError::Host {
            folder: PathBuf::from("bundles"),
            source,
        };
        let act = move || match &catalog.bundles {
            Some(bundles) => action(bundles),
            None => Err(no_folder(std::io::ErrorKind::NotFound.into())),
        };
        let done = tokio::task::spawn_blocking(act).await;
        done.unwrap_or_else(|error| Err(no_folder(std::io::Error::other(error))))
    }

    /// Forgets the flows that were sent by themselves and that no task names; blocks. Answers how many.
    ///
    /// # Errors
    /// Their folder cannot be read.
    pub fn prune_bundles(&self, in_use: &HashSet<ScriptName>) -> std::io::Result<usize> {
        self.bundles.as_ref().map_or(Ok(0), |bundles| bundles.prune(in_use))
    }

    async fn validate_for(&self, script: &Script, config: &Value) -> Result<ValidConfig, Vec<FieldError>> {
        let configs = script.configs(config)?;
        let rule = script.flow().config.extension.media.as_ref();
        let warnings = match (rule, configs.first()) {
            (Some(rule), Some(first)) => self.media.warnings(&media_request(rule, first, None, 0)).await,
            _ => Vec::new(),
        };
        Ok(ValidConfig {
            configs: configs.into_iter().map(Arc::new).collect(),
            warnings,
        })
    }

    /// The version of a script that is in use now.
    #[must_use]
    pub fn script(&self, name: &ScriptName) -> Option<Arc<Script>> {
        read(&self.entries).get(name)?.script.clone()
    }
}

/// A poisoned lock still holds a whole value: writers only replace it.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The scripts that ship with farmhand: they are in the program, so they are read once.
static BUILT_IN: LazyLock<BTreeMap<ScriptName, Entry>> = LazyLock::new(built_in_scripts);

fn built_in_scripts() -> BTreeMap<ScriptName, Entry> {
    let mut scripts = BTreeMap::new();
    for path in Bundled::scripts() {
        let stem = path.split('.').next().unwrap_or(path);
        let Ok(name) = ScriptName::parse(stem) else { continue };
        let (script, errors) = match Script::load(&Bundled, path) {
            Ok(script) => (Some(Arc::new(script)), Vec::new()),
            Err(problems) => (None, problems.iter().map(ToString::to_string).collect()),
        };
        scripts.insert(
            name,
            Entry {
                script,
                built_in: true,
                of_file: false,
                errors,
            },
        );
    }
    scripts
}

fn info(name: &ScriptName, entry: &Entry) -> ScriptInfo {
    let script = entry.script.as_ref();
    ScriptInfo {
        name: name.clone(),
        description: script.map_or_else(String::new, |script| script.flow().config.extension.description.clone()),
        params: script.map_or_else(|| Arc::new(json!({})), |script| script.params().clone()),
        content_hash: script.map_or_else(String::new, |script| script.content_hash().to_owned()),
        built_in: entry.built_in,
        errors: entry.errors.clone(),
    }
}

fn what_is_wrong(name: &ScriptName, errors: &[String]) -> String {
    let first: Vec<&str> = errors.iter().take(SHOWN_ERRORS).map(String::as_str).collect();
    format!(
        "the flow file of `{name}` has errors ({} in all; GET /api/v1/script shows them): {}",
        errors.len(),
        first.join("; ")
    )
}

#[async_trait]
impl ScriptCatalog for FlowCatalog {
    fn list(&self) -> Vec<ScriptInfo> {
        read(&self.entries)
            .iter()
            .map(|(name, entry)| info(name, entry))
            .collect()
    }

    fn ignored(&self) -> Vec<String> {
        read(&self.seen).ignored.clone()
    }

    fn get(&self, name: &ScriptName) -> Option<ScriptInfo> {
        read(&self.entries).get(name).map(|entry| info(name, entry))
    }

    async fn validate(&self, name: &ScriptName, config: &Value) -> Result<ValidConfig, Vec<FieldError>> {
        let Some(script) = self.script(name) else {
            let message = read(&self.entries).get(name).map_or_else(
                || format!("there is no script `{name}`; GET /api/v1/script shows those there are"),
                |entry| what_is_wrong(name, &entry.errors),
            );
            return Err(vec![FieldError {
                field: "script_name".to_owned(),
                message,
            }]);
        };
        self.validate_for(&script, config).await
    }
}
