//! "Did you mean": the known name that is nearest to a wrong one.

/// As upstream: further away than this is another word, not a slip.
const MAX_DISTANCE: usize = 3;
/// Longer ones are no words, bytes: comparing them takes long.
const MAX_WORD: usize = 100;
/// One wrong letter in so many is a slip where any name is allowed.
const LETTERS_PER_SLIP: usize = 5;

/// The known name nearest to `wrong`, if one is near.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.len() > MAX_WORD {
        return None;
    }
    let lower = wrong.to_lowercase();
    known
        .into_iter()
        .filter(|name| name.len() <= MAX_WORD)
        .filter_map(|name| {
            let candidate = name.to_lowercase();
            let prefix = lower.len() >= 3 && (candidate.starts_with(&lower) || lower.starts_with(&candidate));
            let distance = strsim::damerau_levenshtein(&lower, &candidate);
            // Half of a word is another word.
            let longest = candidate.chars().count().max(lower.chars().count());
            let limit = MAX_DISTANCE.min(candidate.chars().count().max(2) - 1).min(longest / 2);
            (distance <= limit || prefix).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The known name that `wrong` is a slip of: where unknown names are allowed, only what is hardly anything else.
#[must_use]
pub fn slip<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.len() > MAX_WORD {
        return None;
    }
    let lower = wrong.to_lowercase();
    known.into_iter().filter(|name| name.len() <= MAX_WORD).find(|name| {
        let name = name.to_lowercase();
        let distance = strsim::damerau_levenshtein(&lower, &name);
        // In a short word one letter too many, too few or in the wrong place: another one makes another word.
        // Several of one thing are a word of their own.
        let is_plural = lower.strip_suffix('s') == Some(name.as_str());
        if is_plural {
            return false;
        }
        let is_short_slip =
            distance == 1 && name.len() > 2 && (name.len() != lower.len() || sorted(&name) == sorted(&lower));
        is_short_slip || distance <= name.chars().count() / LETTERS_PER_SLIP
    })
}

fn sorted(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

/// ` Did you mean `x`?`, or nothing.
#[must_use]
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |name| format!(". Did you mean `{name}`?"))
}
