//! A picture that stands for an element.

use std::sync::Arc;

use crate::flow::vision::{Search, Template};

/// `image:` of a selector.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSelector {
    /// Path below the folder of the flows.
    pub file: Arc<str>,
    /// What stands in it.
    pub template: Template,
    /// How it is looked for.
    pub search: Search,
    /// Where it is touched: percent of its width and height.
    pub target: (f64, f64),
}
