//! The names of commands and of keys.

/// Every command, and whether it may stand alone as a word.
pub const COMMANDS: [(&str, bool); 57] = [
    ("tapOn", false),
    ("doubleTapOn", false),
    ("longPressOn", false),
    ("assertVisible", false),
    ("assertNotVisible", false),
    ("assertTrue", false),
    ("assertScreenshot", false),
    ("assertDarkMode", true),
    ("assertLightMode", true),
    ("assertWithAI", false),
    ("assertNoDefectsWithAI", true),
    ("extractTextWithAI", false),
    ("extendedWaitUntil", false),
    ("waitForAnimationToEnd", true),
    ("inputText", false),
    ("inputRandomText", true),
    ("inputRandomNumber", true),
    ("inputRandomEmail", true),
    ("inputRandomPersonName", true),
    ("inputRandomCityName", true),
    ("inputRandomCountryName", true),
    ("inputRandomColorName", true),
    ("eraseText", true),
    ("pressKey", false),
    ("back", true),
    ("scroll", true),
    ("hideKeyboard", true),
    ("action", false),
    ("swipe", false),
    ("scrollUntilVisible", false),
    ("launchApp", true),
    ("stopApp", true),
    ("killApp", true),
    ("clearState", true),
    ("clearKeychain", true),
    ("setPermissions", false),
    ("runFlow", false),
    ("runScript", false),
    ("evalScript", false),
    ("repeat", false),
    ("retry", false),
    ("copyTextFrom", false),
    ("pasteText", true),
    ("setClipboard", false),
    ("openLink", false),
    ("openBrowser", false),
    ("takeScreenshot", false),
    ("startRecording", false),
    ("stopRecording", true),
    ("addMedia", false),
    ("setLocation", false),
    ("travel", false),
    ("setOrientation", false),
    ("setAirplaneMode", false),
    ("toggleAirplaneMode", true),
    ("setDarkMode", false),
    ("toggleDarkMode", true),
];

/// Words that people write for a command although they are none, and what would be right.
pub const MISTAKES: [(&str, &str); 9] = [
    ("clearText", "eraseText"),
    ("inputRandom", "inputRandomText"),
    ("wait", "extendedWaitUntil` or `waitForAnimationToEnd"),
    ("sleep", "extendedWaitUntil` or `waitForAnimationToEnd"),
    ("waitUntilVisible", "extendedWaitUntil"),
    ("click", "tapOn"),
    ("tap", "tapOn"),
    ("type", "inputText"),
    ("launch", "launchApp"),
];

/// Words that people write for a field although it is none, and what would be right.
pub const FIELD_MISTAKES: [(&str, &str); 9] = [
    ("content-desc", "text"),
    ("contentDescription", "text"),
    ("accessibilityText", "text"),
    ("description", "text"),
    ("hint", "text"),
    ("resource-id", "id"),
    ("resourceId", "id"),
    ("value", "text"),
    ("url", "link"),
];

/// Keys of `pressKey`: lower-case name and Android's code.
/// Source: Android's `KeyEvent`; `tab` is 61 there, upstream sends 62, which is the space bar.
pub const KEYS: [(&str, u32); 30] = [
    ("enter", 66),
    ("backspace", 67),
    ("back", 4),
    ("home", 3),
    ("lock", 276),
    ("power", 26),
    ("volume up", 24),
    ("volume down", 25),
    ("tab", 61),
    ("escape", 111),
    ("remote dpad up", 19),
    ("remote dpad down", 20),
    ("remote dpad left", 21),
    ("remote dpad right", 22),
    ("remote dpad center", 23),
    ("remote media play pause", 85),
    ("remote media stop", 86),
    ("remote media next", 87),
    ("remote media previous", 88),
    ("remote media rewind", 89),
    ("remote media fast forward", 90),
    ("remote system navigation up", 280),
    ("remote system navigation down", 281),
    ("remote button a", 96),
    ("remote button b", 97),
    ("remote menu", 82),
    ("tv input", 178),
    ("tv input hdmi 1", 243),
    ("tv input hdmi 2", 244),
    ("tv input hdmi 3", 245),
];

/// Short names of permissions and what they stand for. Source: the upstream format's list, Android's `Manifest.permission`.
pub const PERMISSION_GROUPS: [(&str, &[&str]); 11] = [
    ("bluetooth", &["BLUETOOTH_CONNECT", "BLUETOOTH_SCAN"]),
    ("calendar", &["READ_CALENDAR", "WRITE_CALENDAR"]),
    ("camera", &["CAMERA"]),
    ("contacts", &["READ_CONTACTS", "WRITE_CONTACTS"]),
    ("location", &["ACCESS_FINE_LOCATION", "ACCESS_COARSE_LOCATION"]),
    (
        "medialibrary",
        &["READ_MEDIA_AUDIO", "READ_MEDIA_IMAGES", "READ_MEDIA_VIDEO"],
    ),
    ("microphone", &["RECORD_AUDIO"]),
    ("notifications", &["POST_NOTIFICATIONS"]),
    ("phone", &["CALL_PHONE", "ANSWER_PHONE_CALLS"]),
    ("sms", &["READ_SMS", "RECEIVE_SMS", "SEND_SMS"]),
    ("storage", &["READ_EXTERNAL_STORAGE", "WRITE_EXTERNAL_STORAGE"]),
];

/// Turns of the screen: word (case and underscores do not matter) and Android's number.
pub const ORIENTATIONS: [(&str, &str); 4] = [
    ("portrait", "0"),
    ("landscape_left", "1"),
    ("upside_down", "2"),
    ("landscape_right", "3"),
];

/// Android's number of an orientation.
#[must_use]
pub fn rotation(word: &str) -> Option<&'static str> {
    let plain = |word: &str| word.to_lowercase().replace('_', "");
    let wanted = plain(word);
    let found = ORIENTATIONS.iter().find(|(known, _)| plain(known) == wanted);
    found.map(|(_, number)| *number)
}

/// The code of the key named `name`, whatever its case.
#[must_use]
pub fn key_code(name: &str) -> Option<u32> {
    let name = name.trim().to_lowercase();
    KEYS.iter().find(|(key, _)| *key == name).map(|(_, code)| *code)
}
