//! What a run is asked for by variables: without them it fits into CI's time.

/// A whole number, if the variable is there.
///
/// # Panics
/// When it is something else.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a whole number: {text:?}")),
    )
}

/// The same, with a number for when it is not there.
pub fn number_or(variable: &str, usual: u32) -> u32 {
    number(variable).map_or(usual, |number| u32::try_from(number).unwrap())
}

/// So many percent of the times, sorted, are not longer than this.
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> T {
    assert!(!sorted.is_empty(), "nothing was measured");
    sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)]
}
