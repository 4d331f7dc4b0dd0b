//! The scripts that tasks may name: those that ship with farmhand, and the operator's own.
//!
//! The operator's folder is looked at every second: a file that was added or changed is checked and becomes a script
//! of its name. One with faults changes nothing but the list of its errors.

mod bundled;
mod script;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{FieldError, ScriptInfo, ScriptName, ValidConfig},
    ports::{MediaPicker, ScriptCatalog},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::bundled::Bundled;
pub use self::script::Script;
use super::{parse::sources::Folder, runner::media_request};

/// How often the operator's folder is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Most files that are looked at in the operator's folder: more than this is the wrong folder.
const MAX_FILES: usize = 10_000;
/// How many errors of a file the refusal of a task tells.
const SHOWN_ERRORS: usize = 3;
/// Deepest folder that is looked at.
const MAX_DEPTH: usize = 16;

/// A script with what is wrong with its newest file.
#[derive(Debug, Clone)]
struct Entry {
    /// The version in use; `None` when there has never been a good one.
    script: Option<Arc<Script>>,
    built_in: bool,
    errors: Vec<String>,
}

/// Path, time of change and length of every file of a folder.
type Fingerprint = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// Knows all scripts.
pub struct FlowCatalog {
    dir: Option<PathBuf>,
    media: Arc<dyn MediaPicker>,
    built_in: BTreeMap<ScriptName, Entry>,
    entries: RwLock<BTreeMap<ScriptName, Entry>>,
    seen: RwLock<Fingerprint>,
}

impl FlowCatalog {
    /// The scripts that ship with farmhand and those of `dir`, read before this returns.
    #[must_use]
    pub fn new(dir: Option<PathBuf>, media: Arc<dyn MediaPicker>) -> Arc<Self> {
        let built_in = built_in_scripts();
        let catalog = Self {
            dir,
            media,
            entries: RwLock::new(built_in.clone()),
            built_in,
            seen: RwLock::default(),
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
        let fingerprint = fingerprint(dir);
        {
            let mut seen = write(&self.seen);
            if *seen == fingerprint {
                return;
            }
            seen.clone_from(&fingerprint);
        }
        let mut entries = self.built_in.clone();
        for (path, ..) in &fingerprint {
            self.take_file(dir, path, &mut entries);
        }
        *write(&self.entries) = entries;
    }

    fn take_file(&self, dir: &Path, path: &Path, entries: &mut BTreeMap<ScriptName, Entry>) {
        let (Some(file), Some(stem)) = (path.file_name().and_then(|file| file.to_str()), path.file_stem()) else {
            return;
        };
        let is_flow = matches!(
            path.extension().and_then(|ending| ending.to_str()),
            Some("yaml" | "yml")
        );
        // Files in folders are there to be included.
        if path.parent() != Some(dir) || !is_flow {
            return;
        }
        let Ok(name) = ScriptName::parse(&stem.to_string_lossy()) else {
            tracing::warn!(flow.file = file, "the file's name cannot be the name of a script");
            return;
        };
        let before = read(&self.entries).get(&name).cloned();
        let entry = match Script::load(&Folder::new(dir), file) {
            Ok(script) => Entry {
                script: Some(Arc::new(script)),
                built_in: false,
                errors: Vec::new(),
            },
            Err(problems) => {
                let errors: Vec<String> = problems.iter().map(ToString::to_string).collect();
                tracing::warn!(flow.file = file, errors = errors.len(), first = %errors.join("; "), "flow file has errors");
                Entry {
                    script: before.as_ref().and_then(|before| before.script.clone()),
                    built_in: before.as_ref().is_some_and(|before| before.built_in),
                    errors,
                }
            }
        };
        entries.insert(name, entry);
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
                errors,
            },
        );
    }
    scripts
}

fn fingerprint(dir: &Path) -> Fingerprint {
    let mut found = Vec::new();
    let mut open = vec![(dir.to_path_buf(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let Ok(meta) = std::fs::metadata(entry.path()) else {
                continue;
            };
            if meta.is_dir() && depth < MAX_DEPTH {
                open.push((entry.path(), depth + 1));
            } else if meta.is_file() && found.len() < MAX_FILES {
                found.push((entry.path(), meta.modified().ok(), meta.len()));
            }
        }
    }
    found.sort();
    found
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

#[async_trait]
impl ScriptCatalog for FlowCatalog {
    fn list(&self) -> Vec<ScriptInfo> {
        read(&self.entries)
            .iter()
            .map(|(name, entry)| info(name, entry))
            .collect()
    }

    fn get(&self, name: &ScriptName) -> Option<ScriptInfo> {
        read(&self.entries).get(name).map(|entry| info(name, entry))
    }

    async fn validate(&self, name: &ScriptName, config: &Value) -> Result<ValidConfig, Vec<FieldError>> {
        let Some(script) = self.script(name) else {
            let errors = read(&self.entries).get(name).map(|entry| entry.errors.clone());
            let errors = errors.unwrap_or_default();
            let first: Vec<&str> = errors.iter().take(SHOWN_ERRORS).map(String::as_str).collect();
            let message = format!(
                "the flow file of `{name}` has errors ({} in all; GET /api/v1/script shows them): {}",
                errors.len(),
                first.join("; ")
            );
            return Err(vec![FieldError {
                field: "script_name".to_owned(),
                message,
            }]);
        };
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
}
