//! Flows: parsing, expressions, running. Scripts are flows with a schema.
//!
//! | room | what it does |
//! |---|---|
//! | [`parse`] | files to [`model`] values, every fault with its place |
//! | [`params`] | `script_config`: schema, defaults, targets, choice of texts |
//! | [`policy`] | what a flow may do to a phone with logged-in accounts |
//! | [`expr`] | JavaScript in `${…}` |
//! | [`select`] | which element of a screen a selector means |
//! | [`runner`] | one attempt, step by step; the gate to what cannot be undone |
//! | `step` | what each command does |
//! | [`bundle`] | flows that were sent by themselves |
//! | [`catalog`] | the scripts that tasks may name |
//! | [`inspect`] | selectors for the elements of a screen, for authors |
//! | [`vision`] | pictures of screens |

pub mod bundle;
pub mod catalog;
#[cfg(test)]
mod conformance;
pub mod expr;
pub mod inspect;
pub mod model;
pub mod params;
pub mod parse;
pub mod policy;
pub mod problem;
pub mod runner;
pub mod select;
pub mod settings;
mod step;
#[cfg(test)]
mod testing;
pub mod vision;

pub use catalog::FlowCatalog;
pub use runner::{FlowRunner, FlowRunnerParts};
pub use settings::FlowSettings;

/// Checks a flow file of `folder` with all that it includes.
///
/// # Errors
/// Every fault, with its place.
pub fn check(folder: &std::path::Path, file: &str) -> Result<(), Vec<problem::Problem>> {
    // Upstream's settings of the folder are no flow.
    if catalog::is_workspace_config(folder, file) {
        return Ok(());
    }
    catalog::Script::load(&parse::sources::Folder::new(folder), file).map(|_| ())
}
