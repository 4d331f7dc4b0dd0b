//! `am broadcast`: the receivers that a phone of the farm has: the media scanner and the typing input methods.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Programs, am,
    intent::Intent,
    reply::{Answer, Arguments, printed},
};

/// uiautomator2's input method, whose receivers report whether they did it.
const ADB_KEYBOARD: &str = "com.github.uiautomator/.AdbKeyboard";
/// The older input method of that kind; it always answers 0.
const ADB_IME: &str = "com.android.adbkeyboard/.AdbIME";
/// `FLAG_RECEIVER_FROM_SHELL`, which `am` sets on every broadcast.
const FROM_SHELL: u32 = 0x40_0000;

const KEY_ENTER: u32 = 66;

/// Sends a broadcast and prints what came back.
pub(super) fn run(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    let mut intent = Intent::parse(arguments, |option, arguments| match option {
        "--receiver-permission" | "--bundle-uri" => arguments.required().map(|_| true),
        "--allow-background-activity-starts" | "--async" | "--receiver-replace-pending" => Ok(true),
        _ => am::user_option(option, arguments),
    })?;
    intent.flags |= FROM_SHELL;
    let done = deliver(phone, &intent);
    let result = if done {
        "result=-1, data=\"success\""
    } else {
        "result=0"
    };
    Ok(printed(format!(
        "Broadcasting: {intent}\nBroadcast completed: {result}\n"
    )))
}

/// Whether a receiver reported success.
fn deliver(phone: &Programs, intent: &Intent) -> bool {
    let action = intent.action.as_deref().unwrap_or_default();
    match action {
        "android.intent.action.MEDIA_SCANNER_SCAN_FILE" => {
            if let Some(path) = intent.data.as_deref().and_then(|data| data.strip_prefix("file://")) {
                phone.handset.scan_media(path);
            }
            false
        }
        _ if action.starts_with("ADB_KEYBOARD_") => {
            phone.handset.input_method() == ADB_KEYBOARD && adb_keyboard(phone, action, intent)
        }
        _ if action.starts_with("ADB_") && phone.handset.input_method() == ADB_IME => {
            adb_ime(phone, action, intent);
            false
        }
        _ => false,
    }
}

fn adb_keyboard(phone: &Programs, action: &str, intent: &Intent) -> bool {
    let handset = &phone.handset;
    match action {
        "ADB_KEYBOARD_INPUT_TEXT" => intent
            .extra("text")
            .and_then(decoded)
            .is_some_and(|text| handset.type_text(&text)),
        "ADB_KEYBOARD_CLEAR_TEXT" => handset.clear_text(),
        "ADB_KEYBOARD_SET_TEXT" => {
            let text = intent.extra("text").and_then(decoded);
            text.is_some_and(|text| handset.clear_text() && handset.type_text(&text))
        }
        "ADB_KEYBOARD_SMART_ENTER" | "ADB_KEYBOARD_EDITOR_CODE" => {
            handset.key(KEY_ENTER);
            true
        }
        // It has no window of its own that could be hidden.
        "ADB_KEYBOARD_HIDE" => true,
        _ => false,
    }
}

fn adb_ime(phone: &Programs, action: &str, intent: &Intent) {
    let handset = &phone.handset;
    match action {
        "ADB_INPUT_TEXT" => {
            handset.type_text(intent.extra("msg").unwrap_or_default());
        }
        "ADB_INPUT_B64" => {
            handset.type_text(&intent.extra("msg").and_then(decoded).unwrap_or_default());
        }
        "ADB_INPUT_CHARS" => {
            let codes = intent.extra("chars").unwrap_or_default().split(',');
            let text: String = codes
                .filter_map(|code| char::from_u32(code.trim().parse().ok()?))
                .collect();
            handset.type_text(&text);
        }
        "ADB_INPUT_CODE" => {
            if let Some(code) = intent.extra("code").and_then(|code| code.parse().ok()) {
                handset.key(code);
            }
        }
        "ADB_EDITOR_CODE" => handset.key(KEY_ENTER),
        "ADB_CLEAR_TEXT" => {
            handset.clear_text();
        }
        _ => {}
    }
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stdout};

    const TYPE_HELLO: &str = "am broadcast -a ADB_KEYBOARD_INPUT_TEXT --es text xbzDs8WCdyDwn5iA";

    #[tokio::test]
    async fn the_keyboard_types_any_text_when_it_is_current_and_a_field_has_the_focus() {
        let bench = Bench::new();
        bench.handset.focus_field(true);
        bench.run("ime enable com.github.uiautomator/.AdbKeyboard").await;
        bench.run("ime set com.github.uiautomator/.AdbKeyboard").await;

        let completion = bench.run(TYPE_HELLO).await;

        assert_eq!(
            stdout(&completion),
            "Broadcasting: Intent { act=ADB_KEYBOARD_INPUT_TEXT flg=0x400000 (has extras) }\n\
             Broadcast completed: result=-1, data=\"success\"\n"
        );
        assert_eq!(bench.handset.typed(), "żółw 😀");
    }

    #[tokio::test]
    async fn without_that_keyboard_or_without_focus_nothing_is_typed_and_the_result_is_0() {
        let bench = Bench::new();
        bench.handset.focus_field(true);
        let not_current = bench.run(TYPE_HELLO).await;
        assert!(stdout(&not_current).ends_with("Broadcast completed: result=0\n"));

        bench.handset.focus_field(false);
        bench.run("ime enable com.github.uiautomator/.AdbKeyboard").await;
        bench.run("ime set com.github.uiautomator/.AdbKeyboard").await;
        let not_focused = bench.run(TYPE_HELLO).await;
        assert!(stdout(&not_focused).ends_with("Broadcast completed: result=0\n"));
        assert_eq!(bench.handset.typed(), "");
    }

    #[tokio::test]
    async fn the_media_scanner_gets_the_path_of_its_uri() {
        let bench = Bench::new();

        bench
            .run("am broadcast -a android.intent.action.MEDIA_SCANNER_SCAN_FILE -d file:///sdcard/DCIM/a.mp4")
            .await;

        assert_eq!(bench.handset.calls(), ["scan /sdcard/DCIM/a.mp4"]);
    }
}
