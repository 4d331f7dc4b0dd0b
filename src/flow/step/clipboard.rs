//! `copyTextFrom`, `pasteText`, `setClipboard`: a clipboard of the flow's own, never the phone's.

use serde_json::Value;

use crate::flow::{
    model::{Selector, Step, Text},
    runner::{Run, fault::Fault},
};

impl Run {
    pub(super) async fn copy_text_from(&mut self, step: &Step, selector: &Selector) -> Result<(), Fault> {
        let time = self.lookup_time(step.timeout.as_ref(), self.settings.lookup_timeout)?;
        let query = self.query(selector)?;
        let found = self.find(&query, time).await?;
        let found = found.ok_or_else(|| self.not_found(selector))?;
        self.note("matched", found.detail());
        if found.text().is_empty() {
            return Err(Fault::NotFound(format!(
                "{} has no text to copy",
                self.shown(&selector.to_string())
            )));
        }
        Ok(self.js.set_copied_text(found.text())?)
    }

    pub(super) async fn paste_text(&mut self) -> Result<(), Fault> {
        let copied = self.js.value("maestro.copiedText")?;
        let text = copied.as_str().map_or_else(|| copied.to_string(), str::to_owned);
        if copied == Value::Null || text.is_empty() {
            return Ok(());
        }
        self.type_text(&text).await
    }

    pub(super) fn set_clipboard(&mut self, text: &Text) -> Result<(), Fault> {
        let text = self.js.interpolate(text)?;
        Ok(self.js.set_copied_text(&text)?)
    }
}
