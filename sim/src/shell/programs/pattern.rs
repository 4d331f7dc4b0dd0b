//! Regular expressions for `grep` and `sed`: `.`, `*`, `+`, `?`, `^`, `$`, `[…]`, `|`, and groups in so far as they
//! stand for themselves. Matching has a budget, so that no expression can hang the phone.

/// Steps that all searches of one program may take together; what is left then is not found.
pub(super) const BUDGET: usize = 20_000_000;

pub(super) struct Pattern {
    alternatives: Vec<Alternative>,
    fold_case: bool,
}

struct Alternative {
    from_start: bool,
    to_end: bool,
    atoms: Vec<(Atom, Repeat)>,
}

enum Atom {
    Any,
    Literal(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Once,
    Maybe,
    Any,
    Many,
}

impl Pattern {
    pub fn new(text: &str, fixed: bool, extended: bool, fold_case: bool) -> Self {
        let text = if fold_case {
            text.to_lowercase()
        } else {
            text.to_owned()
        };
        if fixed {
            let atoms = text.chars().map(|c| (Atom::Literal(c), Repeat::Once)).collect();
            let alternatives = vec![Alternative {
                from_start: false,
                to_end: false,
                atoms,
            }];
            return Self {
                alternatives,
                fold_case,
            };
        }
        let characters: Vec<char> = text.chars().collect();
        let alternatives = split_alternatives(&characters, extended);
        Self {
            alternatives: alternatives
                .iter()
                .map(|part| Alternative::new(part, extended))
                .collect(),
            fold_case,
        }
    }

    /// Where it is found first, as bytes; with `whole` only if that is the whole line.
    pub fn find(&self, line: &str, whole: bool, budget: &mut usize) -> Option<(usize, usize)> {
        let folded = if self.fold_case {
            line.to_lowercase()
        } else {
            line.to_owned()
        };
        let characters: Vec<char> = folded.chars().collect();
        for start in 0..=characters.len() {
            for alternative in &self.alternatives {
                if alternative.from_start && start > 0 {
                    continue;
                }
                let to_end = whole || alternative.to_end;
                let found = run(&alternative.atoms, &characters, start, to_end, budget);
                if let Some(end) = found.filter(|_| !whole || start == 0) {
                    let bytes = |count: usize| line.chars().take(count).map(char::len_utf8).sum();
                    return Some((bytes(start), bytes(end)));
                }
            }
            if *budget == 0 {
                return None;
            }
        }
        None
    }

    /// Replaces the first hit, or all; `&` stands for what was found.
    pub fn replace(&self, line: &str, replacement: &str, all: bool, budget: &mut usize) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some((start, end)) = self.find(rest, false, budget) {
            let found = rest.get(start..end).unwrap_or_default();
            out.push_str(rest.get(..start).unwrap_or_default());
            out.push_str(&replacement.replace('&', found).replace("\\n", "\n").replace("\\/", "/"));
            rest = rest.get(end..).unwrap_or_default();
            if !all || end == start {
                break;
            }
        }
        out.push_str(rest);
        out
    }
}

fn split_alternatives(characters: &[char], extended: bool) -> Vec<Vec<char>> {
    let mut parts = vec![Vec::new()];
    let mut rest = characters;
    loop {
        rest = match rest {
            [] => return parts,
            ['\\', '|', tail @ ..] if !extended => {
                parts.push(Vec::new());
                tail
            }
            ['|', tail @ ..] if extended => {
                parts.push(Vec::new());
                tail
            }
            [c, tail @ ..] => {
                let pair = if *c == '\\' { tail.first() } else { None };
                if let Some(part) = parts.last_mut() {
                    part.push(*c);
                    part.extend(pair);
                }
                if pair.is_some() {
                    tail.get(1..).unwrap_or_default()
                } else {
                    tail
                }
            }
        };
    }
}

impl Alternative {
    fn new(characters: &[char], extended: bool) -> Self {
        let (from_start, mut rest) = match characters {
            ['^', tail @ ..] => (true, tail),
            all => (false, all),
        };
        let mut to_end = false;
        let mut atoms: Vec<(Atom, Repeat)> = Vec::new();
        loop {
            let (atom, tail) = match rest {
                [] => break,
                ['$'] => {
                    to_end = true;
                    break;
                }
                ['.', tail @ ..] => (Atom::Any, tail),
                ['[', tail @ ..] => parse_set(tail).unwrap_or((Atom::Literal('['), tail)),
                ['\\', c, tail @ ..] => (escaped(*c), tail),
                ['*', tail @ ..] if !atoms.is_empty() => {
                    repeat(&mut atoms, Repeat::Any);
                    rest = tail;
                    continue;
                }
                ['+', tail @ ..] if extended && !atoms.is_empty() => {
                    repeat(&mut atoms, Repeat::Many);
                    rest = tail;
                    continue;
                }
                ['?', tail @ ..] if extended && !atoms.is_empty() => {
                    repeat(&mut atoms, Repeat::Maybe);
                    rest = tail;
                    continue;
                }
                // Groups are not kept: their parentheses only bracket what stands there anyway.
                ['(' | ')', tail @ ..] if extended => {
                    rest = tail;
                    continue;
                }
                [c, tail @ ..] => (Atom::Literal(*c), tail),
            };
            atoms.push((atom, Repeat::Once));
            rest = tail;
        }
        Self {
            from_start,
            to_end,
            atoms,
        }
    }
}

fn repeat(atoms: &mut [(Atom, Repeat)], repeat: Repeat) {
    if let Some((_, last)) = atoms.last_mut() {
        *last = repeat;
    }
}

fn escaped(c: char) -> Atom {
    match c {
        'd' => Atom::Set {
            negated: false,
            ranges: vec![('0', '9')],
        },
        's' => Atom::Set {
            negated: false,
            ranges: vec![(' ', ' '), ('\t', '\r')],
        },
        'w' => Atom::Set {
            negated: false,
            ranges: vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
        },
        c => Atom::Literal(c),
    }
}

fn parse_set(characters: &[char]) -> Option<(Atom, &[char])> {
    let (negated, mut rest) = match characters {
        ['^', tail @ ..] => (true, tail),
        all => (false, all),
    };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            [] => return None,
            [']', tail @ ..] if !ranges.is_empty() => return Some((Atom::Set { negated, ranges }, tail)),
            ['[', ':', tail @ ..] => {
                let end = tail.windows(2).position(|pair| pair == [':', ']'])?;
                let class: String = tail.iter().take(end).collect();
                ranges.extend_from_slice(match class.as_str() {
                    "digit" => &[('0', '9')],
                    "space" => &[(' ', ' '), ('\t', '\r')],
                    "upper" => &[('A', 'Z')],
                    "lower" => &[('a', 'z')],
                    "alpha" => &[('a', 'z'), ('A', 'Z')],
                    _ => &[('a', 'z'), ('A', 'Z'), ('0', '9')],
                });
                tail.get(end + 2..)?
            }
            [low, '-', high, tail @ ..] if *high != ']' => {
                ranges.push((*low, *high));
                tail
            }
            [one, tail @ ..] => {
                ranges.push((*one, *one));
                tail
            }
        };
    }
}

/// Matches atoms from a place on; where they end. Runs over positions as a set, so time stays within the budget.
fn run(atoms: &[(Atom, Repeat)], text: &[char], start: usize, to_end: bool, budget: &mut usize) -> Option<usize> {
    *budget = budget.saturating_sub(1);
    let mut places = vec![start];
    for (atom, repeat) in atoms {
        let mut next: Vec<usize> = Vec::new();
        for &place in &places {
            if matches!(repeat, Repeat::Maybe | Repeat::Any) {
                next.push(place);
            }
            let mut at = place;
            while text.get(at).is_some_and(|&c| atom.fits(c)) {
                *budget = budget.saturating_sub(1);
                if *budget == 0 {
                    return None;
                }
                at += 1;
                next.push(at);
                if matches!(repeat, Repeat::Once | Repeat::Maybe) {
                    break;
                }
            }
        }
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            return None;
        }
        places = next;
    }
    places.into_iter().rev().find(|&end| !to_end || end == text.len())
}

impl Atom {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => *literal == c,
            Self::Set { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_find_what_grep_finds() {
        for (pattern, line, wanted) in [
            ("b+", "abbc", Some((1, 3))),
            ("^a.*c$", "abbc", Some((0, 4))),
            ("^b", "abbc", None),
            ("[^a-b]", "abbc", Some((3, 4))),
            ("x|bc", "abbc", Some((2, 4))),
            ("colou?r", "the color", Some((4, 9))),
            ("\\.", "a.b", Some((1, 2))),
            ("é", "caféé", Some((3, 5))),
            ("[[:digit:]]+", "ab12", Some((2, 4))),
        ] {
            let found = Pattern::new(pattern, false, true, false).find(line, false, &mut BUDGET.clone());
            assert_eq!(found, wanted, "{pattern} in {line}");
        }
    }

    #[test]
    fn a_spent_budget_ends_the_search() {
        let mut budget = 1000;
        let line = "a".repeat(100_000);

        let found = Pattern::new("a*a*a*b", false, true, false).find(&line, false, &mut budget);

        assert_eq!((found, budget), (None, 0));
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern(pattern in "[a-c.*+?^$|()\\[\\]\\\\:-]{0,16}", line in "[a-cé]{0,16}", extended: bool) {
            let pattern = Pattern::new(&pattern, false, extended, false);
            if let Some((start, end)) = pattern.find(&line, false, &mut BUDGET.clone()) {
                prop_assert!(line.get(start..end).is_some());
            }
        }
    }
}
