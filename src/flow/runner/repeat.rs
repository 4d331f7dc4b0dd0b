//! The same content twice: what an account has published is not published by it again by mistake; without an account, by a
//! phone.

use farmhand_actors::domain::{Blame, Failure, FailureReason, Outcome};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Run, fault::Fault, told::bare};

/// The parameter of any flow by which a task asks for the same content again.
const FORCE: &str = "force";

impl Run {
    /// Hash of what the effect brings into the world: the app, what the flow says of it (`farmhand.same`), the files by
    /// their content. `None` without files: such an effect (a follow) may be asked for again.
    pub(super) async fn content_hash(&self) -> Result<Option<String>, Fault> {
        if self.media.files.is_empty() {
            return Ok(None);
        }
        let mut content = vec![json!(self.spec.script), json!(self.package)];
        match self.same().await? {
            Some(values) => content.extend(values),
            None => content.push(self.all_params()),
        }
        let files: Vec<&str> = self.media.files.iter().map(|file| file.sha256.as_str()).collect();
        content.push(json!(files));
        let hash = Sha256::digest(Value::from(content).to_string().as_bytes());
        Ok(Some(hash.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// What the expressions of `same` say now; `None` if the flow has none.
    pub(super) async fn same(&self) -> Result<Option<Vec<Value>>, Fault> {
        let Some(expressions) = &self.script.flow().config.extension.same else {
            return Ok(None);
        };
        let mut values = Vec::with_capacity(expressions.len());
        for code in expressions {
            values.push(self.js.value(bare(code)).await?);
        }
        Ok(Some(values))
    }

    /// The parameters without the one that says whether the same may be published again.
    fn all_params(&self) -> Value {
        let mut params = self.params.clone();
        if let Value::Object(fields) = &mut params {
            fields.remove(FORCE);
        }
        params
    }

    /// Ends the attempt when another task of the account, or of the phone, has done the same within the window.
    pub(super) async fn refuse_repeat(&self, content: &Value) -> Result<(), Fault> {
        let window = self.parts.settings.repeat_window;
        let forced = self.params.get(FORCE).and_then(Value::as_bool).unwrap_or(false);
        let username = self.spec.account.as_ref().map(|account| &account.username);
        let Some(hash) = content.get("hash").and_then(Value::as_str) else {
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
            .find_repeated(self.spec.task, username, &self.spec.serial, hash, since)
            .await;
        let Some(earlier) = earlier.map_err(Fault::Store)? else {
            return Ok(());
        };
        let who = username.map_or_else(|| "this phone".to_owned(), |name| format!("account {name}"));
        let failure = Failure {
            reason: FailureReason::MaterialInvalid,
            message: format!(
                "{who} has published the same content already (task {earlier}); create the task with \"force\": true \
                 to publish it again"
            ),
            step: Some(self.step),
            retryable: false,
        };
        let blame = Blame::Task;
        Err(Fault::Ended(Box::new(Outcome::Failed { failure, blame })))
    }
}
