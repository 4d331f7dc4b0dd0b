//! `copyTextFrom`, `pasteText`, `setClipboard`: a clipboard of the flow's own, never the phone's.

use serde_json::Value;

use crate::flow::{
    model::{Selector, Step, Text},
    runner::{Run, fault::Fault},
};

impl Run {
    pub(super) async fn copy_text_from(&mut self, step: &Step, selector: &Selector) -> Result<(), Fault> {
        let time = self
            .lookup_time(step.timeout.as_ref(), self.settings.lookup_timeout)
            .await?;
        let query = self.query(selector).await?;
        let found = self.find(&query, time).await?;
        let found = match found {
            Some(found) => found,
            None => return Err(self.not_found(selector, &query).await),
        };
        self.note("matched", found.detail());
        if found.text().is_empty() {
            return Err(Fault::NotFound(format!(
                "{} has no text to copy",
                self.shown(&selector.to_string()).await
            )));
        }
        Ok(self.js.set_copied_text(found.text()).await?)
    }

    pub(super) async fn paste_text(&mut self) -> Result<(), Fault> {
        let copied = self.js.value("maestro.copiedText").await?;
        let text = copied.as_str().map_or_else(|| copied.to_string(), str::to_owned);
        if copied == Value::Null || text.is_empty() {
            return Ok(());
        }
        self.type_text(&text).await
    }

    pub(super) async fn set_clipboard(&mut self, text: &Text) -> Result<(), Fault> {
        let text = self.filled(text).await?;
        Ok(self.js.set_copied_text(&text).await?)
    }
}
