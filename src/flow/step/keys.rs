//! `inputText`, `inputRandom…`, `eraseText`, `pressKey`, `hideKeyboard`.

use crate::flow::{
    model::{RandomKind, Text},
    runner::{Done, Run, fault::Fault, whole_number},
    settings::MAX_RANDOM,
};

/// Android's `KEYCODE_BACK`.
pub const BACK: u32 = 4;
/// Android's `KEYCODE_DEL`: deletes to the left.
const DELETE: u32 = 67;
/// Keys sent in one call: few enough that a stop comes between two calls in time.
const KEYS_PER_CALL: usize = 50;
/// Resource ids of the keyboard that upstream looks for.
const KEYBOARD: &str = "com.google.android.inputmethod.latin:id/";

impl Run {
    pub(super) async fn input_text(&mut self, text: &Text) -> Result<(), Fault> {
        let text = self.filled(text).await?;
        self.type_text(&text).await
    }

    pub(super) async fn type_text(&mut self, text: &str) -> Result<(), Fault> {
        if !text.is_empty() {
            self.phone.call(self.phone.driver.type_text(text)).await?;
        }
        self.acted(None).await
    }

    pub(super) async fn input_random(&mut self, kind: RandomKind, length: &Text) -> Result<(), Fault> {
        let length = whole_number(&self.js.interpolate(length).await?, "length")?;
        if !(0..=MAX_RANDOM).contains(&length) {
            return Err(Fault::Invalid(format!(
                "`length` must be from 0 to {MAX_RANDOM}, not {length}"
            )));
        }
        let purpose = format!("inputRandom {}", self.spec.attempt);
        let text = super::random::make(kind, length, self.spec.seed ^ u64::from(self.step), &purpose);
        self.type_text(&text).await
    }

    pub(super) async fn erase_text(&mut self, count: u32) -> Result<(), Fault> {
        let codes = vec![DELETE; usize::try_from(count).unwrap_or(usize::MAX)];
        for codes in codes.chunks(KEYS_PER_CALL) {
            self.phone.call(self.phone.driver.keys(codes)).await?;
        }
        self.acted(None).await
    }

    pub(super) async fn press_key(&mut self, code: u32) -> Result<(), Fault> {
        self.phone.call(self.phone.driver.key(code)).await?;
        self.acted(None).await
    }

    /// Back closes the keyboard if it is open, and leaves the screen if it is not: so it is only pressed when the
    /// phone does not say that it is closed.
    pub(super) async fn hide_keyboard(&mut self) -> Result<Done, Fault> {
        let state = self.shell_unchecked(&["dumpsys", "input_method"]).await?;
        if String::from_utf8_lossy(&state.stdout).contains("mInputShown=false") {
            return Ok(Done::Skipped);
        }
        self.press_key(BACK).await?;
        let shown = self
            .look
            .as_ref()
            .is_some_and(|look| look.tree.nodes.iter().any(|node| node.id.starts_with(KEYBOARD)));
        if shown {
            return Err(Fault::Assertion(
                "the keyboard did not close; tap on something that is not a field instead".to_owned(),
            ));
        }
        Ok(Done::Completed)
    }
}
