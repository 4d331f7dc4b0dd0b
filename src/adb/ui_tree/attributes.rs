//! The attributes of an element: `name="value"`, in either kind of quotes. quick-xml's own iterator goes on after a fault,
//! and takes longer for that than all the rest of reading a dump.

//! The nodes of a dump have their attributes in one order, so what the last node had is looked for first.

use super::field::Field;

const NO_VALUE: &str = "a name without a value";

/// Most attributes of an element whose order is remembered.
const REMEMBERED: usize = 64;

/// The order of the attributes of the elements so far.
#[derive(Default)]
pub(super) struct Order(Vec<Expected>);

/// An attribute that may come at its place.
struct Expected {
    /// ` name="`
    begins: String,
    field: Field,
}

impl Order {
    /// Hands over the attributes of an element that tell something; `text`: the element without its name.
    pub(super) fn read<'a>(&mut self, text: &'a str, mut each: impl FnMut(Field, &'a str)) -> Result<(), &'static str> {
        let mut attributes = Attributes::of(text);
        for place in 0.. {
            let known = self.0.get(place).and_then(|known| {
                let behind = attributes.rest.strip_prefix(known.begins.as_str())?;
                Some((known.field, behind))
            });
            let (field, value) = if let Some((field, behind)) = known {
                (field, attributes.go_on(behind)?)
            } else {
                let Some(attribute) = attributes.next() else {
                    return Ok(());
                };
                let (name, value) = attribute?;
                (self.learn(place, name), value)
            };
            each(field, value);
        }
        Ok(())
    }

    fn learn(&mut self, place: usize, name: &str) -> Field {
        let field = Field::named(name);
        let expected = Expected {
            begins: format!(" {name}=\""),
            field,
        };
        if let Some(known) = self.0.get_mut(place) {
            *known = expected;
        } else if place < REMEMBERED {
            self.0.push(expected);
        }
        field
    }
}

/// What is left of them.
pub(super) struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Attributes<'a> {
    /// `text`: the element without its name.
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// The value that begins here, between double quotes.
    fn go_on(&mut self, value: &'a str) -> Result<&'a str, &'static str> {
        // Most are flags.
        for flag in ["false", "true"] {
            if let Some(rest) = value.strip_prefix(flag).and_then(|behind| behind.strip_prefix('"')) {
                self.rest = rest;
                return Ok(flag);
            }
        }
        let (value, rest) = value_of(value, b'"')?;
        self.rest = rest;
        Ok(value)
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
    let (name, behind) = until(text, b'=').ok_or(NO_VALUE)?;
    let (name, quote, value) = match behind.strip_prefix("=\"") {
        Some(value) if !has_blank(name) => (name, b'"', value),
        _ => spaced(name, behind)?,
    };
    let (value, behind) = value_of(value, quote)?;
    Ok((name, value, behind))
}

/// The value before its last quote, and what stands behind that.
fn value_of(text: &str, quote: u8) -> Result<(&str, &str), &'static str> {
    let (value, behind) = until(text, quote).ok_or("a value without its last quote")?;
    Ok((value, behind.get(1..).unwrap_or_default()))
}

/// Looks at all of it: names are short, and a loop that never ends early is the faster one.
fn has_blank(name: &str) -> bool {
    name.bytes().fold(false, |found, byte| found | (byte <= b' '))
}

/// An attribute as dumpers do not write it: blanks around the `=`, the other quotes.
#[cold]
fn spaced<'a>(name: &'a str, behind: &'a str) -> Result<(&'a str, u8, &'a str), &'static str> {
    let name = name.trim_ascii_end();
    if has_blank(name) {
        return Err(NO_VALUE);
    }
    let value = behind.get(1..).unwrap_or_default().trim_ascii_start();
    let quote = value.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''));
    let quote = quote.ok_or("a value without quotes")?;
    Ok((name, quote, value.get(1..).unwrap_or_default()))
}

/// The text before the first such character of ASCII, and from there.
fn until(text: &str, end: u8) -> Option<(&str, &str)> {
    text.split_at_checked(memchr::memchr(end, text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

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

    fn read(order: &mut Order, text: &str) -> Result<Vec<(Field, String)>, &'static str> {
        let mut all = Vec::new();
        order.read(text, |field, value| all.push((field, value.to_owned())))?;
        Ok(all)
    }

    proptest! {
        /// Elements in any order of attributes, whole or not.
        #[test]
        fn what_the_last_element_had_changes_nothing(
            elements in vec(vec((0..NAMES.len(), 0..VALUES.len(), 0..ENDS.len()), 0..8), 1..8),
        ) {
            let mut order = Order::default();
            for element in elements {
                let written = element.iter().map(|(name, value, end)| [NAMES[*name], VALUES[*value], ENDS[*end]].concat());
                let text = written.collect::<String>();
                prop_assert_eq!(read(&mut order, &text), read(&mut Order::default(), &text), "{}", text);
            }
        }
    }

    const NAMES: [&str; 6] = [" text=", " textual=", "  class=", " checked=", " checked =", "\ntext="];
    const VALUES: [&str; 7] = ["\"true", "\"false", "\"falsehood", "\"a=\'b\' text=", "\'x", "\"", "x"];
    const ENDS: [&str; 4] = ["\"", "\"", "\'", ""];
}
