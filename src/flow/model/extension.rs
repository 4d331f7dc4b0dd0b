//! What farmhand adds to the format.

use std::sync::Arc;

use serde_json::Value;

use super::{Body, Flow, Selector, Step, Text};
use crate::flow::{policy::Policy, problem::Place, select::text::Pattern};

/// What stands under `farmhand:`.
#[derive(Debug, Default)]
pub struct Extension {
    /// One line for people.
    pub description: String,
    /// Apps that it was written for; empty means any.
    pub apps: Vec<String>,
    /// JSON Schema of `script_config`; an object schema.
    pub params: Option<Value>,
    /// One task per target.
    pub fan_out: Option<FanOut>,
    /// Which parameters say what media are needed.
    pub media: Option<MediaParams>,
    /// Makes the app show the task's account.
    pub account: AccountFlow,
    /// Label of the steps whose effect cannot be undone.
    pub commit: Option<Arc<str>>,
    /// Label of the step whose success proves the effect; `None`: the end of the flow.
    pub confirm: Option<Arc<str>>,
    /// Label of the step at which a later attempt takes the flow up; it brings up its screen by itself.
    pub checkpoint: Option<Arc<str>>,
    /// Run before a commit step: notes what the app shows before.
    pub baseline: Vec<Step>,
    /// Reads back from the app whether the effect took place.
    pub check: Option<Body>,
    /// Whose acts could be taken for this effect by the check.
    pub own_evidence: OwnEvidence,
    /// Expressions that say, with the media, what counts as the same content; `None`: all parameters do.
    pub same: Option<Vec<Text>>,
    /// Visible when the app asks for a person.
    pub challenges: Vec<Selector>,
    /// Dismissed wherever they appear.
    pub popups: Vec<Popup>,
    /// What the flow may do beyond the default.
    pub policy: Policy,
    /// Where its entries stand.
    pub places: Vec<(&'static str, Place)>,
}

/// Whether what the check reads can come from this effect alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnEvidence {
    /// It may be another task's act that the check reads.
    #[default]
    No,
    /// Only that of a task with equal values of [`Extension::same`]: the check compares them with what the app shows.
    Same,
    /// Never that of another task.
    Yes,
}

/// What makes the app show the task's account.
#[derive(Debug, Clone, Default)]
pub enum AccountFlow {
    /// The flow does not say: if it has a commit step, the flow that ships with farmhand does.
    #[default]
    Unsaid,
    /// Nothing: the app knows no accounts.
    None,
    /// A flow of its own.
    Own(Arc<Flow>),
}

impl AccountFlow {
    /// The flow that is named.
    #[must_use]
    pub fn own(&self) -> Option<&Arc<Flow>> {
        match self {
            Self::Own(flow) => Some(flow),
            Self::Unsaid | Self::None => None,
        }
    }
}

/// One task per target.
#[derive(Debug, Clone)]
pub struct FanOut {
    /// Parameters that name targets; the first one is named in errors.
    pub params: Vec<String>,
    /// The parameter that is a list of the one target in each task.
    pub list: String,
    /// What every target fits as a whole.
    pub matches: Option<Pattern>,
    /// What fits, in words for people.
    pub expects: Option<String>,
}

/// Names of the parameters that say what media are needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MediaParams {
    /// A list of files.
    pub files: Option<String>,
    /// `localFolder`, or anything else for the library.
    pub source: Option<String>,
    /// The folder.
    pub folder: Option<String>,
    /// Tags, comma-separated or a list.
    pub tags: Option<String>,
    /// 0 or `video`, 1 or `image`/`images`.
    pub kind: Option<String>,
    /// How many images.
    pub count: Option<String>,
}

/// Something that gets in the way, and what makes it go.
#[derive(Debug)]
pub struct Popup {
    /// Its sign.
    pub visible: Selector,
    /// What is tapped.
    pub tap: Selector,
}
