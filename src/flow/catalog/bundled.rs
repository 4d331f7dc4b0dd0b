//! The flow files that ship with farmhand.

use std::path::PathBuf;

use crate::flow::parse::sources::Sources;

/// Path below `flows/` and contents. Those without a folder are scripts, the others are included by them.
const FILES: &[(&str, &str)] = &[("home.yaml", include_str!("../../../flows/home.yaml"))];

/// The files that ship with farmhand.
pub struct Bundled;

impl Bundled {
    /// Paths of the scripts.
    pub fn scripts() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(path, _)| *path).filter(|path| !path.contains('/'))
    }
}

impl Sources for Bundled {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = FILES.iter().find(|(known, _)| *known == path);
        file.map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| format!("farmhand ships no flow file `{path}`"))
    }

    fn locate(&self, path: &str) -> Result<PathBuf, String> {
        Err(format!(
            "`{path}`: bundled flows have no files of their own beside them"
        ))
    }
}
