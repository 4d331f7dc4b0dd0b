//! Patterns of texts and ids: regular expressions that match as a whole, with a literal as the way out.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Longest pattern, characters; a longer one is a mistake, not a text on a screen.
const MAX_PATTERN: usize = 4_000;
/// Largest compiled program, bytes: `(a{1000}){1000}` is refused instead of filling the memory.
const MAX_PROGRAM: usize = 2 * 1024 * 1024;
/// Steps that a pattern with look-around may take on one text before it is given up.
const MAX_BACKTRACKING: usize = 100_000;

/// A compiled pattern. Case is ignored, `.` matches line ends, `^` and `$` match at them.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    regex: Engine,
    /// Whether it is so plain that texts of ASCII need no engine.
    plain: bool,
    /// It took too many steps on a text, so nobody knows what it matches. Clones share it.
    given_up: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
enum Engine {
    /// Runs in linear time.
    Linear(regex::Regex),
    /// For look-around and back-references.
    Backtracking(Box<fancy_regex::Regex>),
    /// Not a regular expression: only equal texts (case ignored) match.
    Literal(String),
}

impl Pattern {
    /// Compiles a pattern. One that is not a regular expression stands for itself, as upstream has it.
    ///
    /// # Errors
    /// It is too long or would need too much memory.
    pub fn new(source: &str) -> Result<Self, String> {
        if source.chars().count() > MAX_PATTERN {
            return Err(format!("a pattern has at most {MAX_PATTERN} characters; shorten it"));
        }
        let unquoted = unquoted(source);
        let whole = format!(r"\A(?:{unquoted})\z");
        let linear = regex::RegexBuilder::new(&whole)
            .case_insensitive(true)
            .dot_matches_new_line(true)
            .multi_line(true)
            .size_limit(MAX_PROGRAM)
            .build();
        let regex = match linear {
            Ok(regex) => Engine::Linear(regex),
            Err(regex::Error::CompiledTooBig(_)) => {
                return Err("the pattern repeats too much to be compiled; make its counts smaller".to_owned());
            }
            Err(_) => backtracking(&whole).unwrap_or_else(|| Engine::Literal(source.to_lowercase())),
        };
        // `a)|(b` is no pattern, although it becomes one between our own brackets.
        let regex = if source.contains(')') && !is_pattern(&unquoted) {
            Engine::Literal(source.to_lowercase())
        } else {
            regex
        };
        Ok(Self {
            plain: matches!(regex, Engine::Linear(_)) && source.bytes().all(is_plain),
            source: source.to_owned(),
            regex,
            given_up: Arc::default(),
        })
    }

    /// Whether the whole of `value` matches; line ends may count as blanks.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        if self.matches_as_is(value) {
            return true;
        }
        value.contains('\n') && self.matches_as_is(&value.replace('\n', " "))
    }

    /// Whether it is no regular expression and stands for itself.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        matches!(self.regex, Engine::Literal(_))
    }

    /// As it is written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The pattern as it is written, once it took more steps on some text than it may: what it has said since (that nothing
    /// matches) means nothing.
    #[must_use]
    pub fn given_up(&self) -> Option<&str> {
        self.given_up.load(Ordering::Relaxed).then_some(self.source.as_str())
    }

    /// As [`Self::matches`], or letter for letter: what `What is this?` means to the one who wrote it.
    #[must_use]
    pub fn matches_text(&self, value: &str) -> bool {
        self.matches(value) || self.source == value || (value.contains('\n') && self.source == value.replace('\n', " "))
    }

    fn matches_as_is(&self, value: &str) -> bool {
        // A tree has hundreds of nodes, most patterns are words, and most words differ in length.
        if self.plain && value.is_ascii() {
            let letters = self.source.bytes().zip(value.bytes());
            return self.source.len() == value.len()
                && letters
                    .rev()
                    .all(|(wanted, found)| wanted == b'.' || wanted.eq_ignore_ascii_case(&found));
        }
        match &self.regex {
            Engine::Linear(regex) => regex.is_match(value),
            Engine::Backtracking(regex) => regex.is_match(value).unwrap_or_else(|_| {
                self.given_up.store(true, Ordering::Relaxed);
                false
            }),
            Engine::Literal(literal) => {
                let value: Cow<'_, str> = value.to_lowercase().into();
                *literal == value
            }
        }
    }
}

/// Whether a character of a pattern stands for itself, or, if it is a dot, for any one character.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" ._:/-,;!@#%&='\"<>`~".contains(&byte)
}

/// A pattern without Java's quotes: what stands between `\Q` and `\E` (or the end) stands for itself.
fn unquoted(source: &str) -> Cow<'_, str> {
    if !source.contains(r"\Q") {
        return source.into();
    }
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        rest = match escape.strip_prefix(r"\Q") {
            Some(quoted) => {
                let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                out.push_str(&regex::escape(literal));
                after
            }
            None => {
                // The backslash and what it escapes, which may be another one.
                let end = escape.chars().take(2).map(char::len_utf8).sum();
                let (escaped, after) = escape.split_at(end);
                out.push_str(escaped);
                after
            }
        };
    }
    out.push_str(rest);
    out.into()
}

fn is_pattern(source: &str) -> bool {
    regex::Regex::new(source).is_ok() || fancy_regex::Regex::new(source).is_ok()
}

fn backtracking(whole: &str) -> Option<Engine> {
    fancy_regex::RegexBuilder::new(&format!("(?ims){whole}"))
        .backtrack_limit(MAX_BACKTRACKING)
        .delegate_size_limit(MAX_PROGRAM)
        .build()
        .ok()
        .map(|regex| Engine::Backtracking(Box::new(regex)))
}
