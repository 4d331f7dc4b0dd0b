//! Made-up texts for tests of forms.

use crate::flow::{model::RandomKind, params::spintax::Chooser};

const FIRST_NAMES: [&str; 12] = [
    "Ada",
    "Alan",
    "Barbara",
    "Edsger",
    "Grace",
    "John",
    "Katherine",
    "Ken",
    "Leslie",
    "Margaret",
    "Niklaus",
    "Radia",
];
const LAST_NAMES: [&str; 12] = [
    "Dijkstra", "Hamilton", "Hopper", "Johnson", "Lamport", "Liskov", "Lovelace", "McCarthy", "Perlman", "Thompson",
    "Turing", "Wirth",
];
const CITIES: [&str; 8] = [
    "Bergen",
    "Kyoto",
    "Lima",
    "Lisbon",
    "Nairobi",
    "Toronto",
    "Warsaw",
    "Wellington",
];
const COUNTRIES: [&str; 8] = [
    "Canada",
    "Japan",
    "Kenya",
    "New Zealand",
    "Norway",
    "Peru",
    "Poland",
    "Portugal",
];
const COLORS: [&str; 8] = [
    "amber", "blue", "crimson", "green", "indigo", "orange", "silver", "violet",
];
const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8; 10] = b"0123456789";

/// Makes a text up; the same seed and purpose make the same one.
#[must_use]
pub fn make(kind: RandomKind, length: i64, seed: u64, purpose: &str) -> String {
    let mut chooser = Chooser::new(seed, purpose);
    let mut word = |words: &[&str]| chooser.pick(words).copied().unwrap_or_default().to_owned();
    match kind {
        RandomKind::PersonName => format!("{} {}", word(&FIRST_NAMES), word(&LAST_NAMES)),
        RandomKind::CityName => word(&CITIES),
        RandomKind::CountryName => word(&COUNTRIES),
        RandomKind::ColorName => word(&COLORS),
        RandomKind::Email => {
            let name = format!("{}.{}", word(&FIRST_NAMES), word(&LAST_NAMES)).to_lowercase();
            format!("{name}{}@example.com", letters(&mut chooser, DIGITS, 4))
        }
        RandomKind::Text => letters(&mut chooser, LETTERS, length),
        RandomKind::Number => {
            let number = letters(&mut chooser, DIGITS, length);
            // A number does not begin with 0.
            match number.strip_prefix('0') {
                Some(rest) => format!("1{rest}"),
                None => number,
            }
        }
    }
}

fn letters(chooser: &mut Chooser, from: &[u8], length: i64) -> String {
    (0..length)
        .filter_map(|_| chooser.pick(from))
        .map(|letter| char::from(*letter))
        .collect()
}
