//! `input`: taps, swipes, keys and text (`InputShellCommand`). Success is zero bytes, for nonsense keys too.

use std::time::Duration;

use super::{
    Programs,
    keycodes::code_of,
    reply::{Answer, Arguments, exception, illegal_argument, printed, printed_failure, silent},
};
use crate::device::Completion;

/// Input sources that may stand before the command; all act on the one screen.
const SOURCES: [&str; 12] = [
    "touchscreen",
    "keyboard",
    "mouse",
    "touchpad",
    "dpad",
    "gamepad",
    "touchnavigation",
    "joystick",
    "stylus",
    "trackball",
    "rotaryencoder",
    "mouse_relative",
];
/// What `input swipe` lasts when nothing is said, milliseconds.
const DEFAULT_SWIPE_MS: u64 = 300;
/// The longest gesture that is waited for, so that a wild number cannot hold a shell for ever, milliseconds.
const LONGEST_GESTURE_MS: u64 = 60_000;

/// Runs `input`.
pub(super) async fn run(phone: &Programs, arguments: &[String]) -> Answer {
    let mut words = Arguments::new("input", arguments);
    if words.peek().is_some_and(|word| SOURCES.contains(&word)) {
        words.next();
    }
    if words.peek() == Some("-d") {
        words.next();
        words.required()?;
    }
    let Some(command) = words.next() else {
        return Ok(printed_failure(
            255,
            "Error: Insufficient arguments.\nUsage: input [<source>] <command> [<arg>...]\n",
        ));
    };
    let mut words = Arguments::new(command, words.rest());
    match command {
        "tap" => tap(phone, &mut words),
        "swipe" | "draganddrop" => swipe(phone, &mut words).await,
        "text" => text(phone, &mut words),
        "keyevent" => keyevent(phone, &mut words),
        "keycombination" => keycombination(&mut words),
        "press" => Ok(silent()),
        "roll" => {
            words.required_pixel()?;
            words.required_pixel()?;
            Ok(silent())
        }
        "motionevent" => motionevent(phone, &mut words),
        _ => Ok(printed(format!("Unknown command: {command}\n"))),
    }
}

fn tap(phone: &Programs, words: &mut Arguments<'_>) -> Answer {
    let (x, y) = (words.required_pixel()?, words.required_pixel()?);
    phone.handset.tap(x, y);
    Ok(silent())
}

async fn swipe(phone: &Programs, words: &mut Arguments<'_>) -> Answer {
    let from = (words.required_pixel()?, words.required_pixel()?);
    let to = (words.required_pixel()?, words.required_pixel()?);
    // A negative duration means the default, as in the original.
    let duration_ms = match words.peek() {
        Some(_) => u64::try_from(words.required_number::<i64>()?).unwrap_or(DEFAULT_SWIPE_MS),
        None => DEFAULT_SWIPE_MS,
    };
    if phone.times.gestures {
        tokio::time::sleep(Duration::from_millis(duration_ms.min(LONGEST_GESTURE_MS))).await;
    }
    phone.handset.swipe(from, to, duration_ms);
    Ok(silent())
}

fn text(phone: &Programs, words: &mut Arguments<'_>) -> Answer {
    let text = words.required()?;
    if !text.is_ascii() {
        return Err(null_key_events());
    }
    let typed: String = text
        .replace("%s", " ")
        .chars()
        .filter(|c| !c.is_ascii_control())
        .collect();
    if !typed.is_empty() {
        phone.handset.type_text(&typed);
    }
    Ok(silent())
}

/// The key map of a phone has no key for the text: `getEvents` gives null, and nothing is typed.
fn null_key_events() -> Completion {
    exception(
        "text",
        "java.lang.NullPointerException: Attempt to get length of null array",
        &[
            "com.android.server.input.InputShellCommand.sendText(InputShellCommand.java:400)",
            "com.android.server.input.InputShellCommand.runText(InputShellCommand.java:346)",
            "com.android.server.input.InputShellCommand.handleDefaultCommands(InputShellCommand.java:286)",
        ],
    )
}

fn keyevent(phone: &Programs, words: &mut Arguments<'_>) -> Answer {
    while let Some(option) = words.peek().filter(|word| word.starts_with("--")) {
        words.next();
        match option {
            "--longpress" | "--doubletap" | "--async" => {}
            "--duration" | "--delay" => drop(words.required_number::<u64>()?),
            _ => return Err(illegal_argument("keyevent", &format!("Unsupported option: {option}"))),
        }
    }
    words
        .peek()
        .ok_or_else(|| illegal_argument("keyevent", "Argument expected after \"keyevent\""))?;
    // A name that no key has is KEYCODE_UNKNOWN, and that does nothing.
    for code in words.rest().iter().filter_map(|name| code_of(name)) {
        phone.handset.key(code);
    }
    Ok(silent())
}

fn keycombination(words: &mut Arguments<'_>) -> Answer {
    if words.peek() == Some("-t") {
        words.next();
        words.required_number::<u64>()?;
    }
    if words.rest().len() < 2 {
        return Err(illegal_argument(
            "keycombination",
            "keycombination requires at least 2 keycodes",
        ));
    }
    Ok(silent())
}

/// A finger that comes down and goes up at one place is a tap; movement in between is not followed.
fn motionevent(phone: &Programs, words: &mut Arguments<'_>) -> Answer {
    let action = words.required()?.to_uppercase();
    let (x, y) = match action.as_str() {
        "DOWN" | "UP" | "MOVE" => (words.required_pixel()?, words.required_pixel()?),
        "CANCEL" => return Ok(silent()),
        _ => return Err(illegal_argument("motionevent", &format!("Unknown action: {action}"))),
    };
    if action == "UP" {
        phone.handset.tap(x, y);
    }
    Ok(silent())
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn input_acts_on_the_phone_without_a_word() {
        let cases = [
            ("input tap 100 200.7", "tap 100 200"),
            ("input touchscreen tap 1 2", "tap 1 2"),
            ("input -d 0 tap 1 2", "tap 1 2"),
            ("input swipe 1 2 3 4 50", "swipe (1, 2) (3, 4) 50"),
            ("input keyevent KEYCODE_BACK", "key 4"),
            ("input keyevent HOME", "key 3"),
            ("input keyevent --longpress 26", "key 26"),
        ];
        for (command, call) in cases {
            let bench = Bench::new();
            let completion = bench.run(command).await;
            assert_eq!(
                (stdout(&completion), stderr(&completion), completion.code),
                Default::default(),
                "{command}"
            );
            assert_eq!(bench.handset.calls(), [call], "{command}");
        }
    }

    #[tokio::test]
    async fn several_keys_are_pressed_in_order_and_unknown_names_do_nothing() {
        let bench = Bench::new();

        let completion = bench.run("input keyevent KEYCODE_MOVE_END NOT_A_KEY 67 67").await;

        assert_eq!(bench.handset.calls(), ["key 123", "key 67", "key 67"]);
        assert_eq!((stdout(&completion), completion.code), (String::new(), 0));
    }

    #[tokio::test]
    async fn text_turns_percent_s_into_spaces_and_drops_control_characters() {
        let bench = Bench::new();
        bench.handset.focus_field(true);

        bench.run_argv(&["input", "text", "a%sb c\t\n!\"$%d"]).await;

        assert_eq!(bench.handset.typed(), "a b c!\"$%d");
    }

    #[tokio::test]
    async fn text_beyond_ascii_throws_and_types_nothing() {
        let bench = Bench::new();
        bench.handset.focus_field(true);

        let completion = bench.run_argv(&["input", "text", "zażółć"]).await;

        let block = "\nException occurred while executing 'text':\n\
                     java.lang.NullPointerException: Attempt to get length of null array\n\
                     \tat com.android.server.input.InputShellCommand.sendText(";
        assert!(stderr(&completion).starts_with(block), "{}", stderr(&completion));
        assert_eq!((stdout(&completion), completion.code), (String::new(), 255));
        assert_eq!(bench.handset.typed(), "");
    }

    #[tokio::test]
    async fn missing_or_bad_arguments_throw_and_unknown_commands_only_say_so() {
        let bench = Bench::new();

        let missing = bench.run("input tap 5").await;
        assert!(stderr(&missing).starts_with("\nException occurred while executing 'tap':\n"));
        assert!(stderr(&missing).contains("java.lang.IllegalArgumentException: Argument expected after \"5\"\n"));
        assert_eq!(missing.code, 255);
        let bad = bench.run("input tap a b").await;
        assert!(stderr(&bad).contains("java.lang.NumberFormatException: For input string: \"a\"\n"));
        let unknown = bench.run("input dance").await;
        assert_eq!(
            (stdout(&unknown).as_str(), unknown.code),
            ("Unknown command: dance\n", 0)
        );
        assert!(bench.handset.calls().is_empty());
    }
}
