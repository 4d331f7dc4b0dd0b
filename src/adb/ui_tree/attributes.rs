//! The attributes of an element: `name="value"`, in either kind of quotes. quick-xml's own iterator goes on after a fault,
//! and takes longer for that than all the rest of reading a dump.

const NO_VALUE: &str = "a name without a value";

/// What is left of them.
pub(super) struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Attributes<'a> {
    /// `text`: the element without its name.
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Attributes<'a> {
    /// Name and value as they stand there. The first fault is the last item.
    type Item = Result<(&'a str, &'a str), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.trim_ascii_start();
        if text.is_empty() {
            return None;
        }
        let (item, rest) = match first_of(text) {
            Ok((name, value, rest)) => (Ok((name, value)), rest),
            Err(problem) => (Err(problem), ""),
        };
        self.rest = rest;
        Some(item)
    }
}

/// The first one, and what stands behind it.
fn first_of(text: &str) -> Result<(&str, &str, &str), &'static str> {
    // Letters are beyond both: one comparison for most bytes.
    let (name, behind) = until(text, |byte| byte <= b'=' && (byte == b'=' || byte <= b' ')).ok_or(NO_VALUE)?;
    let (quote, value) = match behind.strip_prefix("=\"") {
        Some(value) => (b'"', value),
        None => spaced(behind)?,
    };
    let (value, behind) = until(value, |byte| byte == quote).ok_or("a value without its last quote")?;
    Ok((name, value, behind.get(1..).unwrap_or_default()))
}

/// What stands behind a name as dumpers do not write it: blanks around the `=`, the other quotes.
#[cold]
fn spaced(behind: &str) -> Result<(u8, &str), &'static str> {
    let value = behind.trim_ascii_start().strip_prefix('=').ok_or(NO_VALUE)?;
    let value = value.trim_ascii_start();
    let quote = value.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''));
    let quote = quote.ok_or("a value without quotes")?;
    Ok((quote, value.get(1..).unwrap_or_default()))
}

/// The text before the first such character of ASCII, and from there.
fn until(text: &str, is_end: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let at = text.bytes().position(is_end)?;
    text.split_at_checked(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Item<'a> = Result<(&'a str, &'a str), &'static str>;

    fn all(text: &str) -> Vec<Item<'_>> {
        Attributes::of(text).collect()
    }

    #[test]
    fn either_quotes_blanks_and_none_are_understood() {
        assert_eq!(
            all(" a=\"1\" b = 'it says \"x\"'\n\tc=\"ż=>\"d=\"\" "),
            [
                Ok(("a", "1")),
                Ok(("b", "it says \"x\"")),
                Ok(("c", "ż=>")),
                Ok(("d", ""))
            ]
        );
        assert_eq!(all(" \n"), []);
    }

    #[test]
    fn the_first_fault_ends_them() {
        for (text, problem) in [
            ("a=\"1\" checked b=\"2\"", "a name without a value"),
            ("a=\"1\" checked", "a name without a value"),
            ("a=\"1\" b=2 c=\"3\"", "a value without quotes"),
            ("a=\"1\" b=", "a value without quotes"),
            ("a=\"1\" b=\"2'", "a value without its last quote"),
        ] {
            assert_eq!(all(text), [Ok(("a", "1")), Err(problem)], "{text}");
        }
    }
}
