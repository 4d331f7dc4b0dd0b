//! The names of Android's keys (`android.view.KeyEvent`).

/// Names without `KEYCODE_`, and codes. Letters, digits and function keys are computed.
const NAMES: [(&str, u32); 76] = [
    ("SOFT_LEFT", 1),
    ("SOFT_RIGHT", 2),
    ("HOME", 3),
    ("BACK", 4),
    ("CALL", 5),
    ("ENDCALL", 6),
    ("STAR", 17),
    ("POUND", 18),
    ("DPAD_UP", 19),
    ("DPAD_DOWN", 20),
    ("DPAD_LEFT", 21),
    ("DPAD_RIGHT", 22),
    ("DPAD_CENTER", 23),
    ("VOLUME_UP", 24),
    ("VOLUME_DOWN", 25),
    ("POWER", 26),
    ("CAMERA", 27),
    ("CLEAR", 28),
    ("COMMA", 55),
    ("PERIOD", 56),
    ("ALT_LEFT", 57),
    ("ALT_RIGHT", 58),
    ("SHIFT_LEFT", 59),
    ("SHIFT_RIGHT", 60),
    ("TAB", 61),
    ("SPACE", 62),
    ("SYM", 63),
    ("EXPLORER", 64),
    ("ENVELOPE", 65),
    ("ENTER", 66),
    ("DEL", 67),
    ("GRAVE", 68),
    ("MINUS", 69),
    ("EQUALS", 70),
    ("LEFT_BRACKET", 71),
    ("RIGHT_BRACKET", 72),
    ("BACKSLASH", 73),
    ("SEMICOLON", 74),
    ("APOSTROPHE", 75),
    ("SLASH", 76),
    ("AT", 77),
    ("HEADSETHOOK", 79),
    ("FOCUS", 80),
    ("PLUS", 81),
    ("MENU", 82),
    ("NOTIFICATION", 83),
    ("SEARCH", 84),
    ("MEDIA_PLAY_PAUSE", 85),
    ("MEDIA_STOP", 86),
    ("MEDIA_NEXT", 87),
    ("MEDIA_PREVIOUS", 88),
    ("MUTE", 91),
    ("PAGE_UP", 92),
    ("PAGE_DOWN", 93),
    ("ESCAPE", 111),
    ("FORWARD_DEL", 112),
    ("CTRL_LEFT", 113),
    ("CTRL_RIGHT", 114),
    ("CAPS_LOCK", 115),
    ("SYSRQ", 120),
    ("MOVE_HOME", 122),
    ("MOVE_END", 123),
    ("INSERT", 124),
    ("FORWARD", 125),
    ("MEDIA_PLAY", 126),
    ("MEDIA_PAUSE", 127),
    ("VOLUME_MUTE", 164),
    ("APP_SWITCH", 187),
    ("BRIGHTNESS_DOWN", 220),
    ("BRIGHTNESS_UP", 221),
    ("SLEEP", 223),
    ("WAKEUP", 224),
    ("CUT", 277),
    ("COPY", 278),
    ("PASTE", 279),
    ("ALL_APPS", 284),
];

/// The code of a key by its number, its name, or its name without `KEYCODE_`; `None` for no key.
pub(crate) fn code_of(name: &str) -> Option<u32> {
    if let Ok(code) = name.parse() {
        return Some(code);
    }
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("KEYCODE_").unwrap_or(&upper);
    let mut bytes = short.bytes();
    match (bytes.next(), bytes.next()) {
        (Some(digit @ b'0'..=b'9'), None) => return Some(u32::from(digit - b'0') + 7),
        (Some(letter @ b'A'..=b'Z'), None) => return Some(u32::from(letter - b'A') + 29),
        _ => {}
    }
    NAMES.iter().find(|(other, _)| *other == short).map(|(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::code_of;

    #[test]
    fn keys_are_found_by_number_by_name_and_by_short_name() {
        let cases = [
            ("66", 66),
            ("KEYCODE_ENTER", 66),
            ("enter", 66),
            ("KEYCODE_0", 7),
            ("Z", 54),
            ("4", 4),
        ];
        for (name, code) in cases {
            assert_eq!(code_of(name), Some(code), "{name}");
        }
        assert_eq!(code_of("NOT_A_KEY"), None);
    }
}
