//! What steps say of themselves, for people: labels, what was looked for, what failed.
//!
//! A step's own expressions are evaluated when it runs. Evaluating them once more for a record must change nothing,
//! so only expressions that merely read are, and none that names a secret: the others are shown as `…`.

use super::Run;
use crate::flow::{
    expr::{
        Js,
        template::{Part, parts, unescape},
    },
    model::{Command, Step},
};

/// Longest label that is kept, characters.
const MAX_LABEL: usize = 200;
/// Stands for what is not shown.
const HIDDEN: &str = "…";
/// Functions that only read.
const READING: [&str; 16] = [
    "pattern",
    "String",
    "Number",
    "trim",
    "toLowerCase",
    "toUpperCase",
    "toString",
    "replace",
    "slice",
    "substring",
    "indexOf",
    "includes",
    "startsWith",
    "endsWith",
    "split",
    "join",
];
/// Words in names of what nobody but the app is to see.
const SECRETS: [&str; 5] = ["password", "passwd", "secret", "token", "otp"];

impl Run {
    /// What a step does: its label, all of whose expressions the author meant for people, or its command in short.
    pub(super) async fn describe(&self, step: &Step) -> String {
        let told = match (&step.label, &step.command) {
            (Some(label), _) => match self.js.interpolate(label).await {
                Ok(told) => told,
                Err(_) => self.shown(label).await,
            },
            // Its value says less than what it compares.
            (None, Command::AssertTrue(code) | Command::EvalScript(code)) => format!("{} {}", step.key, bare(code)),
            (None, _) => self.shown(&step.describe()).await,
        };
        told.chars().take(MAX_LABEL).collect()
    }
}

/// A text for people: its expressions evaluated, as far as they only read.
pub(super) async fn shown(js: &Js, text: &str) -> String {
    let mut told = String::new();
    for part in parts(text) {
        match part {
            Part::Literal(literal) => told.push_str(&unescape(literal)),
            Part::Expression(code) if only_reads(code) => match js.text(code).await {
                // What nobody has set is told by its name.
                Ok(text) if text == "undefined" => told.push_str(&format!("${{{code}}}")),
                Ok(text) => told.push_str(&text),
                Err(_) => told.push_str(HIDDEN),
            },
            Part::Expression(_) => told.push_str(HIDDEN),
        }
    }
    told
}

/// The code of a text that is one expression.
pub(super) fn bare(text: &str) -> &str {
    match parts(text)[..] {
        [Part::Expression(code)] => code.trim(),
        _ => text.trim(),
    }
}

/// Whether evaluating an expression changes nothing and shows no secret, as far as its text tells.
fn only_reads(code: &str) -> bool {
    let lower = code.to_lowercase();
    let names_secret = SECRETS.iter().any(|word| lower.contains(word));
    // A text in backticks may be given to a function without brackets; a function may be taken out of a list.
    if names_secret || code.contains('`') || code.contains([';', '{', '[']) && code.contains('(') {
        return false;
    }
    let words = [
        "delete", "new ", "++", "<<=", ">>=", "--", "=>", "function", "eval", "import", "await", "yield",
    ];
    !words.iter().any(|word| code.contains(word)) && !assigns(code) && calls_only_readers(code)
}

/// Whether there is a `=` that compares nothing.
fn assigns(code: &str) -> bool {
    let rest = ["===", "!==", "==", "!=", "<=", ">="]
        .iter()
        .fold(code.to_owned(), |rest, comparison| rest.replace(comparison, " "));
    rest.contains('=')
}

/// Brackets after a name are calls; those of other functions than the known ones may do anything.
fn calls_only_readers(code: &str) -> bool {
    code.match_indices('(').all(|(at, _)| {
        let before = code.get(..at).unwrap_or_default().trim_end();
        let is_word = |c: char| c.is_alphanumeric() || "_$".contains(c);
        let name = before.rsplit(|c| !is_word(c)).next().unwrap_or_default();
        // Without a name before it a bracket only groups, unless it calls what another one gave.
        if name.is_empty() {
            !before.ends_with([')', ']'])
        } else {
            READING.contains(&name)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_expressions_that_read_are_evaluated_for_people() {
        for code in [
            "NAME",
            "output.user.name",
            "A || 'x'",
            "output.n == 3 && a !== b",
            "pattern(output.who)",
            "(a + b) * 2",
            "items[0]",
            "maestro.copiedText.trim().indexOf('x')",
        ] {
            assert!(only_reads(code), "{code}");
        }
        for code in [
            "output.n++",
            "output.n = 1",
            "output.n >>= 1",
            "f`x`",
            "a <= b, c = 2",
            "output.list.pop()",
            "f()",
            "delete output.x",
            "[1].map(x => x)",
            "a['pop']()",
            "(() => 1)()",
            "new Date()",
            "PASSWORD",
            "output.apiToken",
            "list.join`x`(1)",
        ] {
            assert!(!only_reads(code), "{code}");
        }
    }

    #[test]
    fn a_script_is_told_without_its_brackets() {
        assert_eq!(bare("${output.n = 1}"), "output.n = 1");
        assert_eq!(bare("output.n = 1"), "output.n = 1");
        assert_eq!(bare("${a} ${b}"), "${a} ${b}");
    }
}
