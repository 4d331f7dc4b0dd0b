//! A parsed flow: what stands in the file, checked, with its expressions still unevaluated.

mod command;
mod extension;
mod options;
mod picture;
mod selector;
mod walk;

use std::sync::Arc;

pub use command::*;
pub use extension::*;
pub use options::*;
pub use picture::*;
pub use selector::*;
pub use walk::*;

use super::problem::Place;

/// A text of a flow. It may hold `${…}` expressions, evaluated right before the step runs.
pub type Text = Arc<str>;

/// A flow file.
#[derive(Debug)]
pub struct Flow {
    /// Path below the folder of the flows.
    pub file: Arc<str>,
    /// The first document.
    pub config: Config,
    /// The second document.
    pub steps: Vec<Step>,
}

impl Flow {
    /// Where the value of a key under `farmhand:` stands; where the file begins, if it is not there.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Place {
        let places = &self.config.extension.places;
        let found = places.iter().find(|(known, _)| *known == key);
        found.map_or_else(
            || Place {
                file: self.file.clone(),
                line: 1,
                column: 1,
            },
            |(_, place)| place.clone(),
        )
    }
}

/// The first document of a flow.
#[derive(Debug, Default)]
pub struct Config {
    /// Package of the app under test; in a flow for browsers the address of the page.
    pub app_id: Option<Text>,
    /// The flow's name for people.
    pub name: Option<String>,
    /// For filters.
    pub tags: Vec<String>,
    /// Variables of its expressions.
    pub env: Vec<(String, Text)>,
    /// Run before the steps.
    pub on_start: Vec<Step>,
    /// Run after the steps, whatever happened.
    pub on_complete: Vec<Step>,
    /// Run when a step failed, before `on_complete`.
    pub on_failure: Vec<Step>,
    /// What stands under `farmhand:`.
    pub extension: Extension,
}

/// Steps in place or in a file of their own.
#[derive(Debug)]
pub enum Body {
    /// In place.
    Inline(Vec<Step>),
    /// In a file.
    File(Arc<Flow>),
}

/// One command.
#[derive(Debug)]
pub struct Step {
    /// Where it stands.
    pub place: Place,
    /// Its key, e.g. `tapOn`.
    pub key: &'static str,
    /// Its label, for people and for `commit` and `confirm`.
    pub label: Option<Arc<str>>,
    /// Whether its failure is only a warning.
    pub optional: bool,
    /// How long its lookup may take, milliseconds.
    pub timeout: Option<Text>,
    /// What it does.
    pub command: Command,
}

impl Step {
    /// Whether it is made of other steps.
    #[must_use]
    pub fn has_steps(&self) -> bool {
        matches!(
            self.command,
            Command::RunFlow(_) | Command::Repeat(_) | Command::Retry(_)
        )
    }

    /// What it does, for people: its label, or its command in short.
    #[must_use]
    pub fn describe(&self) -> String {
        if let Some(label) = &self.label {
            return label.to_string();
        }
        match &self.command {
            Command::Tap(tap) => match (&tap.selector, &tap.point) {
                (Some(selector), _) => format!("{} {selector}", self.key),
                (None, point) => format!("{} point {}", self.key, point.as_deref().unwrap_or("?")),
            },
            Command::AssertVisible(selector)
            | Command::AssertNotVisible(selector)
            | Command::CopyTextFrom(selector) => format!("{} {selector}", self.key),
            Command::ScrollUntilVisible(scroll) => format!("{} {}", self.key, scroll.selector),
            Command::ExtendedWait(condition) => match (&condition.visible, &condition.not_visible) {
                (Some(selector), _) => format!("wait until visible: {selector}"),
                (None, Some(selector)) => format!("wait until not visible: {selector}"),
                (None, None) => self.key.to_owned(),
            },
            Command::AssertTrue(text) | Command::InputText(text) | Command::SetOrientation(text) => {
                format!("{} {text}", self.key)
            }
            Command::PressKey(name, _) => format!("{} {name}", self.key),
            Command::AssertScreenshot(wanted) => format!("{} {}", self.key, wanted.file),
            Command::OpenLink(open) => format!("{} {}", self.key, open.link),
            Command::RunFlow(run) => match &run.body {
                Body::File(flow) => format!("{} {}", self.key, flow.file),
                Body::Inline(_) => self.key.to_owned(),
            },
            Command::RunScript(run) => format!("{} {}", self.key, run.file),
            _ => self.key.to_owned(),
        }
    }
}
