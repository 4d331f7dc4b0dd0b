//! What other tasks do beside this one, and what then cannot be believed.

use std::time::Duration;

use farmhand_actors::domain::{Blame, Failure, FailureReason, Outcome, Timestamp};
use serde_json::{Value, json};

use super::{Run, fault::Fault};
use crate::flow::model::{AccountFlow, OwnEvidence};

/// For so long after it was intended an act of which nobody knows may still be told of by its app: a flow may wait an hour for
/// an upload.
const TOLD_LATE: Duration = Duration::from_hours(2);
/// The same where no check could decide instead: then nothing that follows would ever be known.
const TOLD_LATE_UNCHECKED: Duration = Duration::from_mins(10);

/// The field of an effect's evidence that says because of an act of when its confirmation was not believed.
const UNBELIEVED_SINCE: &str = "unbelieved_since";

impl Run {
    /// Since when an act of another task is open in this app of this phone. From the intent on no other one begins there. Where
    /// several acts follow one another, as many confirmations come: there it does not count.
    pub(super) async fn open_beside(&self) -> Result<Option<Timestamp>, Fault> {
        let extension = &self.script.flow().config.extension;
        let is_vague = extension.check.is_none() && extension.confirm.is_none();
        if self.own_evidence() == OwnEvidence::Yes || is_vague || !self.has_single_commit() {
            return Ok(None);
        }
        let time = if extension.check.is_some() {
            TOLD_LATE
        } else {
            TOLD_LATE_UNCHECKED
        };
        let now = self.parts.clock.now().wall;
        let since = now.checked_sub(time).unwrap_or(Timestamp::MIN);
        let (task, serial) = (self.spec.task, &self.spec.serial);
        let open = self.parts.journal.newest_open(task, serial, &self.package, since).await;
        open.map_err(Fault::Store)
    }

    /// A task that names no account acts for whoever the app shows. Where accounts have come to the phone since it was created,
    /// that would be one of these, past its limits and its turn. Asked at the start, so that nothing is prepared in vain, and
    /// right before the act.
    pub(super) async fn refuse_unnamed_account(&self) -> Result<(), Fault> {
        let extension = &self.script.flow().config.extension;
        let serial = &self.spec.serial;
        if self.spec.account.is_some() || extension.commit.is_none() || matches!(extension.account, AccountFlow::None) {
            return Ok(());
        }
        let (app, _) = self.app()?;
        let bound = self.parts.journal.has_account(serial, &app).await;
        if !bound.map_err(Fault::Store)? {
            return Ok(());
        }
        let failure = Failure {
            reason: FailureReason::AccountUnavailable,
            message: format!(
                "the phone {serial} has accounts of {app} by now, and the task names none: it would act for whichever is \
                 shown; create it anew for one of them"
            ),
            step: None,
            retryable: false,
        };
        let blame = Blame::Task;
        Err(Fault::Ended(Box::new(Outcome::Failed { failure, blame })))
    }

    /// The success of a step, or of the flow, does not say whose act it was that the app tells of.
    pub(super) fn not_believed(&mut self) -> Fault {
        self.effects.is_unbelieved = true;
        let message = "it cannot be told from this: on this phone nobody knows yet of another task's act in the app, and the \
                       app may tell of that one";
        Fault::Assertion(message.to_owned())
    }

    /// With it that the confirmation was seen and, because of an act of that time, not believed: what the app has still to
    /// tell of is no newer than that.
    pub(super) fn with_doubt(&self, evidence: Value) -> Value {
        let since = self.effects.beside.filter(|_| self.effects.is_unbelieved);
        match (since.map(Timestamp::as_millisecond), evidence) {
            (None, evidence) => evidence,
            (Some(since), Value::Object(mut fields)) => {
                fields.insert(UNBELIEVED_SINCE.to_owned(), json!(since));
                Value::Object(fields)
            }
            (Some(since), evidence) => json!({ "evidence": evidence, UNBELIEVED_SINCE: since }),
        }
    }

    /// Whether what the flow counted before its checkpoint may have been changed by others since.
    pub(super) async fn acted_since_checkpoint(&self) -> Result<bool, Fault> {
        let extension = &self.script.flow().config.extension;
        if self.own_evidence() == OwnEvidence::Yes || extension.check.is_none() {
            return Ok(false);
        }
        let username = self.spec.account.as_ref().map(|account| &account.username);
        let (task, serial) = (self.spec.task, &self.spec.serial);
        let acted = self.parts.journal.acted_since_checkpoint(task, username, serial).await;
        acted.map_err(Fault::Store)
    }
}
