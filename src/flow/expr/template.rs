//! `${…}` in texts: where the expressions are.

use std::ops::Range;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'t> {
    /// Stands as it is.
    Literal(&'t str),
    /// JavaScript between `${` and `}`.
    Expression(&'t str),
}

/// Splits a text. An expression reaches to the last `}` before the next `$`, so it cannot hold a `$`; `\${` is not
/// one.
#[must_use]
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut literal = 0;
    let mut search = 0;
    while let Some((whole, code)) = next_expression(text, search) {
        if let Some(before) = text.get(literal..whole.start).filter(|before| !before.is_empty()) {
            parts.push(Part::Literal(before));
        }
        parts.push(Part::Expression(text.get(code).unwrap_or_default()));
        literal = whole.end;
        search = whole.end;
    }
    if let Some(rest) = text.get(literal..).filter(|rest| !rest.is_empty()) {
        parts.push(Part::Literal(rest));
    }
    parts
}

fn next_expression(text: &str, from: usize) -> Option<(Range<usize>, Range<usize>)> {
    let mut search = from;
    loop {
        let start = search + text.get(search..)?.find("${")?;
        let code = start + 2;
        let escaped = text.get(..start)?.ends_with('\\');
        let rest = text.get(code..)?;
        let reach = rest.find('$').unwrap_or(rest.len());
        if let Some(end) = rest.get(..reach)?.rfind('}').filter(|_| !escaped) {
            return Some((start..code + end + 1, code..code + end));
        }
        search = code;
    }
}

/// `\${` as it is meant: `${`.
#[must_use]
pub fn unescape(text: &str) -> String {
    text.replace("\\${", "${")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Part::*, *};

    #[test]
    fn expressions_are_found_as_upstream_finds_them() {
        for (text, wanted) in [
            ("plain", vec![Literal("plain")]),
            ("a ${b} c", vec![Literal("a "), Expression("b"), Literal(" c")]),
            ("${a}${b}", vec![Expression("a"), Expression("b")]),
            ("\\${a} ${b}", vec![Literal("\\${a} "), Expression("b")]),
            ("${a} and {b}", vec![Expression("a} and {b")]),
            ("${{a: 1}.a}", vec![Expression("{a: 1}.a")]),
            ("${open", vec![Literal("${open")]),
            ("$5 ${}", vec![Literal("$5 "), Expression("")]),
            ("", vec![]),
        ] {
            assert_eq!(parts(text), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parts_put_together_are_the_text(text in "[$\\\\{}ab ż]{0,40}") {
            let joined: String = parts(&text).iter().map(|part| match part {
                Literal(text) => (*text).to_owned(),
                Expression(code) => format!("${{{code}}}"),
            }).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
