//! Texts with a choice: one line of several, then `{a|b|c}`, nested as deep as it goes.
//!
//! The choice depends on nothing but the seed and the text, so every attempt of a task makes the same one, with any
//! version of farmhand: hence a generator of our own instead of a library's default.

/// Deeper braces are left as they stand: nobody writes them by hand.
const MAX_DEPTH: usize = 64;

/// Chooses by `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub struct Chooser {
    state: u64,
}

impl Chooser {
    /// A chooser for one use of a seed; `purpose` keeps the uses apart.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a, so that the state depends on the purpose's letters alone.
        let state = purpose.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `items`, if there are any.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(items.len()).ok().filter(|count| *count > 0)?;
        items.get(usize::try_from(self.draw() % count).ok()?)
    }
}

/// Chooses a line that is not blank, then one of each `{a|b}` in it.
#[must_use]
pub fn expand(text: &str, chooser: &mut Chooser) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let line = chooser.pick(&lines).copied().unwrap_or_default();
    let closing = matching_braces(line);
    let mut out = String::new();
    Spintax { line, closing, chooser }.expand(0, line.len(), 0, &mut out);
    out
}

/// For each byte that is a `{`: the place of its `}`.
fn matching_braces(line: &str) -> Vec<Option<usize>> {
    let mut closing = vec![None; line.len()];
    let mut open = Vec::new();
    for (at, byte) in line.bytes().enumerate() {
        if byte == b'{' {
            open.push(at);
        } else if byte == b'}'
            && let Some(slot) = open.pop().and_then(|start: usize| closing.get_mut(start))
        {
            *slot = Some(at);
        }
    }
    closing
}

struct Spintax<'l, 'c> {
    line: &'l str,
    closing: Vec<Option<usize>>,
    chooser: &'c mut Chooser,
}

impl Spintax<'_, '_> {
    fn expand(&mut self, from: usize, to: usize, depth: usize, out: &mut String) {
        let mut at = from;
        while at < to {
            let end = self.closing.get(at).copied().flatten().filter(|_| depth < MAX_DEPTH);
            let Some(end) = end else {
                let next = self.next_brace(at.saturating_add(1), to);
                out.push_str(self.line.get(at..next).unwrap_or_default());
                at = next;
                continue;
            };
            let options = self.options(at.saturating_add(1), end);
            if let [only] = options.as_slice() {
                // Braces without a choice mean themselves.
                out.push('{');
                self.expand(only.0, only.1, depth.saturating_add(1), out);
                out.push('}');
            } else if let Some((start, stop)) = self.chooser.pick(&options).copied() {
                self.expand(start, stop, depth.saturating_add(1), out);
            }
            at = end.saturating_add(1);
        }
    }

    fn next_brace(&self, from: usize, to: usize) -> usize {
        let braces = self.closing.get(from..to).unwrap_or_default();
        braces
            .iter()
            .position(Option::is_some)
            .map_or(to, |offset| from.saturating_add(offset))
    }

    /// The ranges between the `|` of one level.
    fn options(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut options = Vec::new();
        let (mut start, mut at) = (from, from);
        while at < to {
            if let Some(end) = self.closing.get(at).copied().flatten() {
                at = end;
            } else if self.line.as_bytes().get(at) == Some(&b'|') {
                options.push((start, at));
                start = at.saturating_add(1);
            }
            at = at.saturating_add(1);
        }
        options.push((start, to));
        options
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> BTreeSet<String> {
        (0..500)
            .map(|seed| expand(text, &mut Chooser::new(seed, "t")))
            .collect()
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn every_choice_of_a_nested_text_occurs_and_no_other() {
        assert_eq!(all("{a|b{1|2}|}x"), set(&["ax", "b1x", "b2x", "x"]));
        assert_eq!(all("one\n\n  \ntwo {x|y}"), set(&["one", "two x", "two y"]));
    }

    #[test]
    fn braces_that_offer_no_choice_stay() {
        for text in ["{name}", "}{", "{{", "a } b { c", "{", "🐈 {ż}"] {
            assert_eq!(all(text), set(&[text]), "{text}");
        }
        assert_eq!(all("{ {a|b}"), set(&["{ a", "{ b"]));
        assert_eq!(all(""), set(&[""]));
    }

    #[test]
    fn the_same_seed_makes_the_same_choice_for_ever() {
        let text = "{a|b|c|d|e|f|g|h}{1|2|3|4|5|6|7|8}";
        let chosen: Vec<String> = (0..6)
            .map(|seed| expand(text, &mut Chooser::new(seed, "captions")))
            .collect();
        let again: Vec<String> = (0..6)
            .map(|seed| expand(text, &mut Chooser::new(seed, "captions")))
            .collect();
        assert_eq!(chosen, again);
        assert!(chosen.iter().collect::<BTreeSet<_>>().len() > 1, "{chosen:?}");
    }

    proptest! {
        #[test]
        fn any_text_expands_without_a_panic(text in "[{}|a-cż🐈\n]{0,200}", seed: u64) {
            let out = expand(&text, &mut Chooser::new(seed, "p"));
            prop_assert!(out.len() <= text.len());
        }
    }
}
