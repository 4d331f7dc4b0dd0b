//! The same content twice: what an account has published is not published by it again by mistake.

use farmhand_actors::domain::{Blame, Failure, FailureReason, Outcome};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Run, fault::Fault};

impl Run {
    /// Hash of what the effect brings into the world: the caption as it was chosen, where it appears, the files by
    /// their content. `None` without files: such an effect (a follow) may be asked for again.
    pub(super) fn content_hash(&self) -> Option<String> {
        if self.media.files.is_empty() {
            return None;
        }
        let caption = self.js.output("caption");
        let caption = caption
            .filter(Value::is_string)
            .or(self.params.get("captions").cloned());
        let files: Vec<&str> = self.media.files.iter().map(|file| file.sha256.as_str()).collect();
        let content = json!([self.spec.script, caption, self.params.get("placement"), files]);
        let hash = Sha256::digest(content.to_string().as_bytes());
        Some(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Ends the attempt when another task of the account has done the same within the window.
    pub(super) async fn refuse_repeat(&self, content: &Value) -> Result<(), Fault> {
        let window = self.parts.settings.repeat_window;
        let forced = self.params.get("force").and_then(Value::as_bool).unwrap_or(false);
        let (Some(account), Some(hash)) = (&self.spec.account, content.get("hash").and_then(Value::as_str)) else {
            return Ok(());
        };
        if window.is_zero() || forced {
            return Ok(());
        }
        let now = self.parts.clock.now().wall;
        let since = now
            .checked_sub(window)
            .unwrap_or(farmhand_actors::domain::Timestamp::MIN);
        let journal = &self.parts.journal;
        let earlier = journal
            .find_repeated(self.spec.task, &account.username, hash, since)
            .await;
        let Some(earlier) = earlier.map_err(Fault::Store)? else {
            return Ok(());
        };
        let failure = Failure {
            reason: FailureReason::MaterialInvalid,
            message: format!(
                "account {} has published the same content already (task {earlier}); create the task with \
                 \"force\": true to publish it again",
                account.username
            ),
            step: Some(self.step),
            retryable: false,
        };
        let blame = Blame::Task;
        Err(Fault::Ended(Box::new(Outcome::Failed { failure, blame })))
    }
}
