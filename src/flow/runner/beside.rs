//! What other tasks do beside this one, and what then cannot be believed.

use std::time::Duration;

use farmhand_actors::domain::Timestamp;

use super::{Run, fault::Fault};

/// For so long after it was intended an act of which nobody knows may still be told of by its app.
const TOLD_LATE: Duration = Duration::from_hours(24);
/// The same where no check could decide instead: then nothing that follows would ever be known.
const TOLD_LATE_UNCHECKED: Duration = Duration::from_mins(10);

impl Run {
    /// Whether an act of another task is open in this app of this phone. From the intent on no other one begins there.
    pub(super) async fn is_another_open(&self) -> Result<bool, Fault> {
        let extension = &self.script.flow().config.extension;
        if extension.own_evidence || (extension.check.is_none() && extension.confirm.is_none()) {
            return Ok(false);
        }
        let time = if extension.check.is_some() {
            TOLD_LATE
        } else {
            TOLD_LATE_UNCHECKED
        };
        let now = self.parts.clock.now().wall;
        let since = now.checked_sub(time).unwrap_or(Timestamp::MIN);
        let (task, serial) = (self.spec.task, &self.spec.serial);
        let open = self
            .parts
            .journal
            .is_another_open(task, serial, &self.package, since)
            .await;
        open.map_err(Fault::Store)
    }

    /// The success of a step, or of the flow, does not say whose act it was that the app tells of.
    pub(super) fn not_believed() -> Fault {
        let message = "it cannot be told from this: on this phone nobody knows yet of another task's act in the app, and the \
                       app may tell of that one";
        Fault::Assertion(message.to_owned())
    }

    /// Whether what the flow counted before its checkpoint may have been changed by others since.
    pub(super) async fn acted_since_checkpoint(&self) -> Result<bool, Fault> {
        let extension = &self.script.flow().config.extension;
        if extension.own_evidence || extension.check.is_none() {
            return Ok(false);
        }
        let username = self.spec.account.as_ref().map(|account| &account.username);
        let (task, serial) = (self.spec.task, &self.spec.serial);
        let acted = self.parts.journal.acted_since_checkpoint(task, username, serial).await;
        acted.map_err(Fault::Store)
    }
}
