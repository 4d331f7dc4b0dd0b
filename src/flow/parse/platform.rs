//! What only works in a browser: it is read, as all of the format is, and refused where flows drive Android apps.

use super::FlowParser;
use crate::flow::problem::{Place, Problem};

/// Whose screens a flow runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Platform {
    /// Phones.
    #[default]
    Android,
    /// Pages in a browser. farmhand drives none; the format has it.
    Web,
}

impl FlowParser<'_> {
    /// Notes something that only works in a browser.
    pub(super) fn note_web(&mut self, place: &Place, name: &str, why: &str) {
        self.web_uses.push(Problem {
            place: place.clone(),
            title: format!("Not Supported: {name}"),
            message: why.to_owned(),
        });
    }

    /// Refuses what the platform has not.
    pub(super) fn check_platform(&mut self, platform: Platform) {
        let uses = std::mem::take(&mut self.web_uses);
        for Problem { place, title, message } in uses.into_iter().filter(|_| platform == Platform::Android) {
            self.problems.add(&place, title, message);
        }
    }
}
