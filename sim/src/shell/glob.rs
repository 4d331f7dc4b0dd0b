//! File name patterns: `*`, `?`, `[…]`, with `\` before a character that stands for itself.

use crate::fs::Filesystem;

/// Names that one pattern may become.
const MAX_MATCHES: usize = 10_000;

/// Whether a whole text matches a pattern.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to take up again when what follows the last `*` does not fit: it then swallows one more character.
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        if pattern.get(at_pattern) == Some(&'*') {
            star = Some((at_pattern, at_text));
            at_pattern += 1;
            continue;
        }
        let next = text
            .get(at_text)
            .and_then(|&c| match_one(pattern.get(at_pattern..)?, c));
        if let Some(length) = next {
            at_pattern += length;
            at_text += 1;
        } else if let Some((star_pattern, star_text)) = star {
            star = Some((star_pattern, star_text + 1));
            at_pattern = star_pattern + 1;
            at_text = star_text + 1;
        } else {
            return false;
        }
    }
    pattern
        .get(at_pattern..)
        .is_some_and(|rest| rest.iter().all(|&c| c == '*'))
}

/// The files and folders that a pattern stands for, by name; paths are as relative as the pattern is.
pub(super) fn expand(files: &Filesystem, folder: &str, pattern: &str) -> Vec<String> {
    let absolute = pattern.starts_with('/');
    let mut found: Vec<String> = vec![if absolute { "/".to_owned() } else { String::new() }];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            let path = if absolute {
                base.clone()
            } else {
                format!("{folder}/{base}")
            };
            if part.contains(['*', '?', '[']) {
                let entries = files.list(&path).unwrap_or_default().into_iter();
                let names = entries
                    .map(|entry| entry.name)
                    .filter(|name| visible(part, name) && matches(part, name));
                next.extend(names.map(|name| join(base, &name)));
            } else {
                let name = unescape(part);
                next.extend(files.exists(&format!("{path}/{name}")).then(|| join(base, &name)));
            }
            next.truncate(MAX_MATCHES);
        }
        found = next;
    }
    found
}

/// Puts a backslash before what has a meaning in patterns.
pub(super) fn escape_into(pattern: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '-' | '!' | '^') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
}

/// Hidden files are matched only by patterns that say so.
fn visible(pattern: &str, name: &str) -> bool {
    !name.starts_with('.') || pattern.starts_with('.') || pattern.starts_with("\\.")
}

fn join(base: &str, name: &str) -> String {
    if base.is_empty() || base.ends_with('/') {
        format!("{base}{name}")
    } else {
        format!("{base}/{name}")
    }
}

fn unescape(part: &str) -> String {
    let mut plain = String::with_capacity(part.len());
    let mut characters = part.chars();
    while let Some(c) = characters.next() {
        plain.push(if c == '\\' {
            characters.next().unwrap_or('\\')
        } else {
            c
        });
    }
    plain
}

/// Matches one character; the length of the pattern that was used.
fn match_one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', set @ ..] => match match_set(set, c) {
            Some((true, length)) => Some(length + 1),
            Some((false, _)) => None,
            // Without an end it is no set.
            None => (c == '[').then_some(1),
        },
        ['\\', literal, ..] => (*literal == c).then_some(2),
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

/// The inside of `[…]`: whether it holds the character, and its length with the closing bracket.
fn match_set(set: &[char], c: char) -> Option<(bool, usize)> {
    let negated = matches!(set.first(), Some('!' | '^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        let mut low = *set.get(at)?;
        if low == ']' && at > first {
            return Some((found != negated, at + 1));
        }
        if low == '\\' {
            at += 1;
            low = *set.get(at)?;
        }
        let mut high = low;
        if set.get(at + 1) == Some(&'-') && set.get(at + 2).is_some_and(|&end| end != ']') {
            at += 2;
            high = *set.get(at)?;
        }
        found |= (low..=high).contains(&c);
        at += 1;
    }
}
