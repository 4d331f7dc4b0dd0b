//! What is wrong with a flow file, told with its place.

use std::{fmt, sync::Arc};

/// A place in a flow file; lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path of the file, relative to the folder of the flows.
    pub file: Arc<str>,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One fault of a flow file, found without running it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {title}: {message}")]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The kind of fault, e.g. `Unknown Property: timeoutt`.
    pub title: String,
    /// What is wrong and what would be right, in one line.
    pub message: String,
}

/// Faults of a file, collected so that all can be told at once.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    /// How many were found beyond those.
    more: usize,
}

/// A file with more faults than this is not a flow: telling the rest would help nobody.
const MAX_PROBLEMS: usize = 200;

impl Problems {
    /// Notes a fault.
    pub fn add(&mut self, place: &Place, title: impl Into<String>, message: impl Into<String>) {
        if self.found.len() < MAX_PROBLEMS {
            self.found.push(Problem {
                place: place.clone(),
                title: title.into(),
                message: message.into(),
            });
        } else {
            self.more += 1;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order of their places.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by(|a, b| a.place.cmp(&b.place));
        self.found.dedup();
        if let Some(last) = self.found.last().filter(|_| self.more > 0) {
            let place = last.place.clone();
            let message = format!("{} more are not shown; mend these first", self.more);
            self.found.push(Problem {
                place,
                title: "Too Many Faults".to_owned(),
                message,
            });
        }
        self.found
    }
}
