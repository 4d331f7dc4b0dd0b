//! "Did you mean": the known name that is nearest to a wrong one.

/// As upstream: further away than this is another word, not a slip.
const MAX_DISTANCE: usize = 3;
/// One wrong letter in so many is a slip where any name is allowed.
const LETTERS_PER_SLIP: usize = 5;

/// The known name nearest to `wrong`, if one is near.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    known
        .into_iter()
        .filter_map(|name| {
            let candidate = name.to_lowercase();
            let prefix = lower.len() >= 3 && (candidate.starts_with(&lower) || lower.starts_with(&candidate));
            let distance = strsim::damerau_levenshtein(&lower, &candidate);
            let limit = MAX_DISTANCE.min(candidate.chars().count().max(2) - 1);
            (distance <= limit || prefix).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The known name that `wrong` is a slip of: where unknown names are allowed, only what is hardly anything else.
#[must_use]
pub fn slip<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    known.into_iter().find(|name| {
        let distance = strsim::damerau_levenshtein(&lower, &name.to_lowercase());
        distance <= name.chars().count() / LETTERS_PER_SLIP
    })
}

/// ` Did you mean `x`?`, or nothing.
#[must_use]
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |name| format!(". Did you mean `{name}`?"))
}
