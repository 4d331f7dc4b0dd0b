//! adb's words for phones (AOSP: packages/modules/adb/transport.cpp and `diagnose_usb.cpp`), what they mean and what a
//! person can do.

use super::AdbState;

/// Words, meanings (the rest of a sentence that begins with the device) and mends. A word is matched by its beginning,
/// because some go on with details.
const STATES: [(&str, &str, &str); 10] = [
    (
        "no permissions",
        "may not be opened by the adb server",
        "on the adb server's computer add a udev rule for the phone and its user to the group plugdev, then plug the \
         phone in again",
    ),
    (
        "authorizing",
        "is being asked whether it trusts this computer",
        "goes on by itself; if it stays, unlock the phone and allow USB debugging",
    ),
    ("connecting", "is being connected", "goes on by itself"),
    (
        "recovery",
        "is in recovery mode",
        "choose \"Reboot system now\" on the phone, or run `adb reboot`",
    ),
    (
        "sideload",
        "waits for an update (sideload mode)",
        "finish the update, or choose \"Reboot system now\" on the phone",
    ),
    (
        "rescue",
        "is in rescue mode: Android did not start several times",
        "restart it; if it comes back here, its system has to be installed anew",
    ),
    (
        "bootloader",
        "is in its bootloader",
        "run `fastboot reboot`, or hold its power button until it restarts",
    ),
    (
        "detached",
        "was given away by this adb server (`adb detach`)",
        "run `adb attach` for it",
    ),
    (
        "host",
        "is another computer's adb, not a phone",
        "check which device has this serial or address",
    ),
    (
        "unknown",
        "is in a state that the adb server does not know",
        "plug the phone in again, or restart it",
    ),
];

impl AdbState {
    /// adb's own words.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Device => "device",
            Self::Offline => "offline",
            Self::Unauthorized => "unauthorized",
            Self::Other(words) => words,
        }
    }

    /// What it means, as the rest of a sentence that begins with the device.
    #[must_use]
    pub fn meaning(&self) -> String {
        match self {
            Self::Device => "is usable".to_owned(),
            Self::Offline => "does not answer the adb server".to_owned(),
            Self::Unauthorized => "does not trust this computer".to_owned(),
            Self::Other(words) => match known(words) {
                Some((word, meaning, _)) if word == words => meaning.to_owned(),
                Some((_, meaning, _)) => format!("{meaning} (adb says: {words})"),
                None => format!("is not usable (adb says: {words})"),
            },
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Device => "nothing has to be done",
            Self::Offline => "check its cable or network, or restart the phone",
            Self::Unauthorized => "unlock the phone and allow USB debugging on its screen",
            Self::Other(words) => known(words).map_or("plug the phone in again, or restart it", |(_, _, mend)| mend),
        }
    }
}

fn known(words: &str) -> Option<(&'static str, &'static str, &'static str)> {
    STATES.into_iter().find(|(word, ..)| {
        let rest = words.strip_prefix(word);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_adb_has_a_meaning_and_a_mend_of_its_own() {
        let mut seen = Vec::new();
        for (word, ..) in STATES {
            let state = AdbState::Other(word.to_owned());
            assert!(!state.meaning().contains("adb says"), "{word}");
            assert!(!seen.contains(&state.meaning()), "{word}");
            assert!(state.mend().len() > 10, "{word}");
            seen.push(state.meaning());
        }
    }

    #[test]
    fn words_that_go_on_with_details_are_shown_whole_and_unknown_ones_too() {
        let words = "no permissions (missing udev rules? user is in the plugdev group); see [http://x]";
        let state = AdbState::Other(words.to_owned());
        assert!(state.meaning().contains(words), "{}", state.meaning());
        assert!(state.mend().contains("udev"));
        let state = AdbState::Other("hosting".to_owned());
        assert_eq!(state.meaning(), "is not usable (adb says: hosting)");
        assert!(!state.mend().is_empty());
    }
}
