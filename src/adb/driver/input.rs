//! Fingers, keys and text.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use farmhand_actors::ports::{DriverError, Point};

use super::call::{AdbDriver, problem_of};
use crate::adb::{quote::CommandLine, settings::millis};

/// The input method (MIT, of the uiautomator2 project) that types what no key can, and says whether it did.
const KEYBOARD: &str = "com.github.uiautomator/.AdbKeyboard";

/// Prints the phone's own input method, or that ours is not there.
const CHOOSE_KEYBOARD: &str = r#"ime list -s -a | grep -q -F -x "$ime" || { echo farmhand:missing; exit 0; }
own=/data/local/tmp/.farmhand_input_method; now=$(settings get secure default_input_method)
[ "$now" = "$ime" ] || echo "$now" > $own; cat $own; ime enable "$ime" >/dev/null && ime set "$ime" >/dev/null"#;

/// A command line holds 64,000 bytes; this many characters fit, whatever they are (base64 of four bytes each).
const TEXT_CHARS_MAX: usize = 11_000;

/// Keys of one command.
const KEYS_PER_LINE: usize = 200;

/// How often, and how long apart, the input method is asked to type until it has woken up.
const KEYBOARD_TRIES: u32 = 30;
const KEYBOARD_PAUSE: Duration = Duration::from_millis(100);

impl AdbDriver {
    fn input_deadline(&self) -> Duration {
        millis(self.phones.settings.deadlines.input_ms)
    }

    pub(super) async fn press_at(&self, at: Point) -> Result<(), DriverError> {
        let line = CommandLine::program("input tap").numbers(&[at.x.into(), at.y.into()]);
        self.act_well("tap", self.input_deadline(), line).await.map(drop)
    }

    pub(super) async fn swipe_along(&self, from: Point, to: Point, duration: Duration) -> Result<(), DriverError> {
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let line = CommandLine::program("input swipe").numbers(&[
            from.x.into(),
            from.y.into(),
            to.x.into(),
            to.y.into(),
            milliseconds,
        ]);
        self.act_well("swipe", self.input_deadline().saturating_add(duration), line)
            .await
            .map(drop)
    }

    pub(super) async fn press_keys(&self, op: &'static str, codes: &[u32]) -> Result<(), DriverError> {
        for codes in codes.chunks(KEYS_PER_LINE) {
            let codes: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
            let count = u64::try_from(codes.len()).unwrap_or(u64::MAX);
            let line = CommandLine::program("input keyevent").numbers(&codes);
            self.act_well(op, self.typing_deadline(count), line).await?;
        }
        Ok(())
    }

    pub(super) async fn type_whole_text(&self, text: &str) -> Result<(), DriverError> {
        if text.is_empty() {
            return Ok(());
        }
        let chars = text.chars().count();
        if chars > TEXT_CHARS_MAX {
            return Err(self.untypable(format!(
                "it has {chars} characters, {TEXT_CHARS_MAX} at most can be typed"
            )));
        }
        if text.contains('\0') {
            return Err(self.untypable("it contains a NUL character; remove it".to_owned()));
        }
        let deadline = self.typing_deadline(u64::try_from(chars).unwrap_or(u64::MAX));
        let _turn = self.turn("type_text", deadline, &self.phone.typing).await?;
        if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            let (line, programs) = (
                input_text(text),
                u32::try_from(text.matches("%s").count()).unwrap_or(u32::MAX),
            );
            let deadline = deadline.saturating_add(self.input_deadline().saturating_mul(programs));
            // Very many quotes or `%s` make a line that is too long, though the text is not.
            if line.fits() {
                return self.act_well("type_text", deadline, line).await.map(drop);
            }
        }
        match self.paste_by_agent(text, deadline).await {
            Some(typed) => typed,
            None => self.type_by_keyboard(text, deadline).await,
        }
    }

    fn typing_deadline(&self, keys: u64) -> Duration {
        let deadlines = self.phones.settings.deadlines;
        millis(
            deadlines
                .input_ms
                .saturating_add(deadlines.type_per_char_ms.saturating_mul(keys)),
        )
    }

    fn untypable(&self, problem: String) -> DriverError {
        DriverError::Untypable {
            serial: self.phone.serial.clone(),
            problem,
        }
    }

    /// Types by the input method, and puts back the one before.
    async fn type_by_keyboard(&self, text: &str, deadline: Duration) -> Result<(), DriverError> {
        let own = self.choose_keyboard().await?;
        let typed = self.broadcast_text(text, deadline).await;
        let line = CommandLine::program("ime set").arg(&own);
        if let Err(error) = self.act_well("type_text", self.input_deadline(), line).await {
            // The text may be typed: failing for this would have it typed twice. The next text puts it back.
            tracing::warn!(device.serial = %self.phone.serial, "the input method {own} was not put back: {error}");
        }
        typed
    }

    /// Makes the input method the current one; answers the phone's own one. The phone itself remembers that in a file,
    /// for the case that typing is cut off before it is put back.
    async fn choose_keyboard(&self) -> Result<String, DriverError> {
        let line = CommandLine::script(CHOOSE_KEYBOARD).with("ime", KEYBOARD);
        let output = self.act_well("type_text", self.input_deadline(), line).await?;
        let own = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if own == "farmhand:missing" {
            return Err(self.untypable(format!(
                "it is not plain ASCII (or too long for keys), and the input method {KEYBOARD} is not installed; install \
                 the uiautomator2 project's app-uiautomator.apk on the phone, or set adb.agent.jar"
            )));
        }
        Ok(own)
    }

    /// The input method answers -1 when it has typed, and nobody answers (0) while it is not awake: only then is it
    /// asked again, so that the text is typed once.
    async fn broadcast_text(&self, text: &str, deadline: Duration) -> Result<(), DriverError> {
        let encoded = BASE64.encode(text);
        let line = CommandLine::program("am broadcast -a ADB_KEYBOARD_INPUT_TEXT --es text").arg(&encoded);
        for _ in 0..KEYBOARD_TRIES {
            let output = self.act_well("type_text", deadline, line.clone()).await?;
            let said = String::from_utf8_lossy(&output.stdout);
            match broadcast_result(&said) {
                Some(-1) => return Ok(()),
                Some(0) => tokio::time::sleep(KEYBOARD_PAUSE).await,
                _ => return Err(self.refused("type_text", problem_of(&output))),
            }
        }
        Err(self.untypable("no text field has the focus, or the input method does not come up".to_owned()))
    }
}

/// `input text` makes a blank of each `%s` and has no escape for a literal one, so it is typed in two halves.
fn input_text(text: &str) -> CommandLine {
    let mut rest = text;
    let mut line: Option<CommandLine> = None;
    while !rest.is_empty() {
        let end = rest.find("%s").map_or(rest.len(), |at| at + 1);
        let (part, behind) = rest.split_at(end);
        let typing = CommandLine::program("input text").arg(part);
        line = Some(match line {
            Some(line) => line.and(typing),
            None => typing,
        });
        rest = behind;
    }
    line.unwrap_or_else(|| CommandLine::program("true"))
}

/// `Broadcast completed: result=-1, data="success"`
fn broadcast_result(said: &str) -> Option<i64> {
    let (_, result) = said.rsplit_once("result=")?;
    result.split([',', '\n', '\r', ' ']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rendered(text: &str) -> String {
        input_text(text).render().unwrap().to_owned()
    }

    #[test]
    fn a_literal_percent_s_is_typed_in_two_halves() {
        assert_eq!(rendered("plain it's"), r"input text 'plain it'\''s'");
        assert_eq!(rendered("100%s"), "input text '100%' && input text 's'");
        assert_eq!(rendered("%s%s"), "input text '%' && input text 's%' && input text 's'");
        assert_eq!(rendered("%%s %S"), "input text '%%' && input text 's %S'");
    }

    proptest! {
        #[test]
        fn no_part_of_a_text_holds_a_percent_s_and_together_they_are_the_text(text in "[ -~]{1,60}|(%s|%|s){1,20}") {
            let line = rendered(&text);
            let parts: Vec<String> = line
                .split("input text ")
                .skip(1)
                .map(|part| part.trim_end_matches(" && ").replace(r"'\''", "\u{1}").replace('\'', "").replace('\u{1}', "'"))
                .collect();
            prop_assume!(!text.contains("input text ") && !text.contains(" && "));
            prop_assert!(parts.iter().all(|part| !part.contains("%s")), "{}", line);
            prop_assert_eq!(parts.concat(), text);
        }
    }

    #[test]
    fn the_answer_of_a_broadcast_is_read() {
        let sent = "Broadcasting: Intent { act=ADB_KEYBOARD_INPUT_TEXT flg=0x400000 (has extras) }\n";

        assert_eq!(
            broadcast_result(&format!("{sent}Broadcast completed: result=-1, data=\"success\"\n")),
            Some(-1)
        );
        assert_eq!(
            broadcast_result(&format!("{sent}Broadcast completed: result=0\n")),
            Some(0)
        );
        assert_eq!(broadcast_result(sent), None);
    }
}
