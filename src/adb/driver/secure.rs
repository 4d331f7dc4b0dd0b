//! Why a picture is black. A window with `FLAG_SECURE` is black in pictures, and a screen that is off is too; an app may
//! also simply be black. Pixels alone cannot tell these apart, so the phone is asked, but only about pictures whose
//! upper half is black: the status bar stays visible above a secure window, and a keyboard may below it.
//! (AOSP: frameworks/base/core/java/android/view/WindowManager.java, `dumpsys window`, `dumpsys power`)

use farmhand_actors::domain::{ScreenContent, Screenshot};

/// Rows that are looked at, in percent of the height: below a status bar, above a keyboard.
const ROWS: [usize; 2] = [10, 50];
/// Every so many pixels of a row, and every so many rows, one is looked at.
const STEP: usize = 8;

/// `WindowManager.LayoutParams.FLAG_SECURE`
const FLAG_SECURE: u32 = 0x2000;

/// Whether the picture's upper half is black.
pub(super) fn is_suspect(picture: &Screenshot) -> bool {
    is_black(picture, ROWS)
}

/// Whether all of it is black, the status bar too.
pub(super) fn is_all_black(picture: &Screenshot) -> bool {
    is_black(picture, [0, 100])
}

fn is_black(picture: &Screenshot, [from, to]: [usize; 2]) -> bool {
    let width = usize::try_from(picture.width).unwrap_or(0).max(1);
    let pixels = picture.rgba.as_chunks::<4>().0;
    let height = pixels.len() / width;
    let rows = pixels.chunks_exact(width);
    let rows = rows.take(height * to / 100).skip(height * from / 100).step_by(STEP);
    let mut seen = rows.flat_map(|row| row.iter().step_by(STEP)).peekable();
    seen.peek().is_some() && seen.all(|[red, green, blue, _]| [*red, *green, *blue] == [0; 3])
}

/// What a black picture means, by what the phone says of its power and its windows. Phones that do not tell the flags of
/// the window in front have a secure one when not even the status bar is to be seen on a screen that is on.
pub(super) fn content_of(state: &str, all_black: bool) -> ScreenContent {
    let says = |words: &str| state.lines().any(|line| line.trim().starts_with(words));
    if says("mWakefulness=Asleep") || says("mWakefulness=Dozing") || says("Display Power: state=OFF") {
        return ScreenContent::Asleep;
    }
    let secure = match flags_in_front(state) {
        Some(flags) => is_secure(flags),
        None => all_black,
    };
    if secure {
        ScreenContent::Secure
    } else {
        ScreenContent::Visible
    }
}

/// What stands behind `fl=` of the window that has the focus.
fn flags_in_front(state: &str) -> Option<&str> {
    let token = state.lines().find_map(|line| {
        let (_, rest) = line.split_once("mCurrentFocus=Window{")?;
        rest.split_whitespace().next()
    })?;
    let head = format!("Window{{{token} ");
    let is_head = |line: &&str| line.trim_start().starts_with("Window #");
    let mut lines = state
        .lines()
        .skip_while(|line| !(is_head(line) && line.contains(&head)));
    lines.next()?;
    let mut block = lines.take_while(|line| !is_head(line));
    block.find_map(|line| line.split_once(" fl=").map(|(_, flags)| flags))
}

/// Flags are words since Android 9 (`LAYOUT_IN_SCREEN SECURE …`), before that a number (`#81812100`).
fn is_secure(flags: &str) -> bool {
    let number = flags.split_whitespace().next().and_then(|word| {
        let digits = word.strip_prefix('#').or_else(|| word.strip_prefix("0x"))?;
        u32::from_str_radix(digits.trim_end_matches('}'), 16).ok()
    });
    match number {
        Some(number) => number & FLAG_SECURE != 0,
        None => flags
            .split_whitespace()
            .take_while(|word| !word.contains('='))
            .any(|word| word.trim_end_matches('}') == "SECURE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 x 100 pixels of this colour, with rows of another one.
    fn picture(colour: u8, other: u8, rows: std::ops::Range<usize>) -> Screenshot {
        let row = |row: usize| if rows.contains(&row) { other } else { colour };
        let rgba = (0..100)
            .flat_map(|at| [row(at), row(at), row(at), 255].repeat(10))
            .collect();
        Screenshot {
            width: 10,
            height: 100,
            rgba,
        }
    }

    fn windows(focus: &str, flags: &str) -> String {
        format!(
            "  mWakefulness=Awake\nDisplay Power: state=ON\n  mCurrentFocus=Window{{{focus} u0 com.x/com.x.A}}\n\
             WINDOW MANAGER WINDOWS\n  Window #0 Window{{b2 u0 StatusBar}}:\n    mAttrs={{(0,0)(fillx24) ty=STATUS_BAR\n      \
             fl=NOT_FOCUSABLE SPLIT_TOUCH}}\n  Window #1 Window{{a1 u0 com.x/com.x.A}}:\n    mAttrs={{(0,0)(fillxfill) \
             sim={{adjust=resize}} ty=BASE_APPLICATION\n      fl={flags}\n      pfl=EDGE_TO_EDGE}}\n"
        )
    }

    #[test]
    fn only_a_black_upper_half_is_suspect() {
        assert!(is_suspect(&picture(0, 0, 0..0)));
        assert!(is_suspect(&picture(0, 200, 0..8)), "the status bar shows");
        assert!(is_suspect(&picture(0, 200, 60..100)), "a keyboard shows");
        assert!(!is_suspect(&picture(0, 200, 15..30)));
        assert!(!is_suspect(&picture(1, 1, 0..0)), "nearly black is not black");
        assert!(is_all_black(&picture(0, 0, 0..0)) && !is_all_black(&picture(0, 200, 0..8)));
        let none = Screenshot {
            width: 0,
            height: 0,
            rgba: bytes::Bytes::new(),
        };
        assert!(!is_suspect(&none));
    }

    #[test]
    fn the_flags_of_the_window_in_front_decide() {
        let secure = "LAYOUT_IN_SCREEN SECURE SPLIT_TOUCH HARDWARE_ACCELERATED";
        assert_eq!(content_of(&windows("a1", secure), false), ScreenContent::Secure);
        assert_eq!(
            content_of(&windows("a1", "SPLIT_TOUCH SECURE}"), false),
            ScreenContent::Secure
        );
        assert_eq!(content_of(&windows("a1", "#81812100"), false), ScreenContent::Secure);
        assert_eq!(content_of(&windows("a1", "#81810100"), true), ScreenContent::Visible);
        assert_eq!(
            content_of(&windows("a1", "LAYOUT_IN_SCREEN"), true),
            ScreenContent::Visible
        );
        assert_eq!(
            content_of(&windows("b2", secure), false),
            ScreenContent::Visible,
            "another window is secure"
        );
    }

    #[test]
    fn a_screen_that_is_off_is_not_a_secure_one() {
        for off in [
            "  mWakefulness=Asleep",
            "mWakefulness=Dozing",
            "  Display Power: state=OFF",
        ] {
            let state = format!("{off}\n{}", windows("a1", "SECURE"));
            assert_eq!(content_of(&state, true), ScreenContent::Asleep, "{off}");
        }
    }

    #[test]
    fn without_flags_a_wholly_black_screen_that_is_on_counts_as_secure() {
        for state in [
            "mWakefulness=Awake\nmCurrentFocus=null",
            "mCurrentFocus=Window{c3 u0 x}",
            "",
        ] {
            assert_eq!(content_of(state, true), ScreenContent::Secure, "{state}");
            assert_eq!(content_of(state, false), ScreenContent::Visible, "{state}");
        }
    }
}
