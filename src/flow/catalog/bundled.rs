//! The flow files that ship with farmhand.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use crate::flow::{
    model::Flow,
    parse::{load, sources::Sources},
};

/// Path below `flows/` and contents. Those without a folder are scripts, the others are included by them.
const FILES: &[(&str, &str)] = &[
    ("follow.yaml", include_str!("../../../flows/follow.yaml")),
    ("post.yaml", include_str!("../../../flows/post.yaml")),
    ("unfollow.yaml", include_str!("../../../flows/unfollow.yaml")),
    (
        "common/account.yaml",
        include_str!("../../../flows/common/account.yaml"),
    ),
    (
        "common/main_page.yaml",
        include_str!("../../../flows/common/main_page.yaml"),
    ),
    (
        "common/open_person.yaml",
        include_str!("../../../flows/common/open_person.yaml"),
    ),
    (
        "common/own_profile.yaml",
        include_str!("../../../flows/common/own_profile.yaml"),
    ),
    (
        "common/acting_account.yaml",
        include_str!("../../../flows/common/acting_account.yaml"),
    ),
    (
        "common/shown_account.yaml",
        include_str!("../../../flows/common/shown_account.yaml"),
    ),
    ("follow/check.yaml", include_str!("../../../flows/follow/check.yaml")),
    ("follow/run.yaml", include_str!("../../../flows/follow/run.yaml")),
    ("post/check.yaml", include_str!("../../../flows/post/check.yaml")),
    ("post/from_app.yaml", include_str!("../../../flows/post/from_app.yaml")),
    (
        "post/from_gallery.yaml",
        include_str!("../../../flows/post/from_gallery.yaml"),
    ),
    ("post/newest.yaml", include_str!("../../../flows/post/newest.yaml")),
    ("post/sound.yaml", include_str!("../../../flows/post/sound.yaml")),
    ("post/stories.yaml", include_str!("../../../flows/post/stories.yaml")),
    ("post/text.yaml", include_str!("../../../flows/post/text.yaml")),
];

/// The flow that makes an app show an account, where the script that acts for it names none.
static ACCOUNT: LazyLock<Option<Arc<Flow>>> =
    LazyLock::new(|| load(&Bundled, "common/account.yaml").ok().map(|loaded| loaded.flow));

/// The flow that ships with farmhand for showing an account of `app`; `None` when it was not written for that app.
#[must_use]
pub fn account_flow(app: &str) -> Option<Arc<Flow>> {
    let flow = ACCOUNT.as_ref()?;
    let apps = &flow.config.extension.apps;
    apps.iter()
        .any(|known| known.eq_ignore_ascii_case(app))
        .then(|| flow.clone())
}

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
