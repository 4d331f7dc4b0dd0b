//! The way of an attempt that looks whether what an earlier one intended took place.

use farmhand_actors::domain::{Blame, EffectState, Failure, FailureReason, Outcome};
use serde_json::Value;

use super::{
    Run,
    attempt::completed,
    effect::{RIVAL, Verdict, is_open},
    fault::Fault,
    rounds::cannot_tell,
};

impl Run {
    /// Looks whether what an earlier attempt intended took place. `None`: it did not, the flow may run.
    pub(super) async fn verify(&mut self) -> Result<Option<Outcome>, Fault> {
        let effects = self.parts.journal.effects(self.spec.task).await.map_err(Fault::Store)?;
        let is_done = |state| matches!(state, EffectState::Confirmed | EffectState::ResolvedDone);
        let Some(open) = effects.iter().rev().find(|effect| is_open(effect.state)) else {
            if let Some(why) = self.changed_since(&effects) {
                return Err(cannot_tell(why, self.step));
            }
            if self.has_single_commit() && effects.iter().any(|effect| is_done(effect.state)) {
                return Ok(Some(completed("already done by an earlier attempt")));
            }
            if let Some(outcome) = self.held_back() {
                return Ok(Some(outcome));
            }
            self.show_account().await?;
            return Ok(None);
        };
        self.effects.reopen(open.key.clone());
        self.show_effect(&open.key, &open.content, &open.baseline).await?;
        if let Some(why) = self.changed_since(&effects) {
            self.settle_effect(EffectState::Unknown).await?;
            return Err(Fault::Assertion(format!(
                "{why}, and its check of today says nothing of what an earlier attempt may have done; put the flow back and \
                 retry the task, or look and resolve it"
            )));
        }
        if let Some(other) = self.elsewhere(&open.content) {
            self.settle_effect(EffectState::Unknown).await?;
            return Err(other);
        }
        match self.look_back().await? {
            Verdict::Done => {
                self.settle_effect(EffectState::Confirmed).await?;
                self.effects.acts = self.effects.acts.saturating_add(1);
                if self.has_single_commit() {
                    return Ok(Some(completed("found done when it was verified")));
                }
                self.begin_anew().await
            }
            Verdict::NotDone => {
                self.settle_effect(EffectState::Refuted).await?;
                self.begin_anew().await
            }
            Verdict::Unknown => {
                self.settle_effect(EffectState::Unknown).await?;
                let message = if self.detail.contains_key(RIVAL) {
                    "the check could not tell whether it took place: another task of the account has done the same kind of \
                     thing since"
                } else if self.script.flow().config.extension.check.is_some() {
                    "the check could not tell whether it took place"
                } else {
                    "nothing can tell whether it took place: the flow has no `farmhand.check`"
                };
                Err(Fault::Assertion(message.to_owned()))
            }
        }
    }

    /// The app has been changed since the effect was intended, of the account or of the phone: what the one shows says nothing
    /// of the other.
    fn elsewhere(&self, content: &Value) -> Option<Fault> {
        let acted = content.get("package").and_then(Value::as_str)?;
        (acted != self.package).then(|| {
            let today = if self.package.is_empty() { "no app that is known" } else { &self.package };
            Fault::Assertion(format!(
                "the effect was intended in the app {acted}, and the task would look for it in {today}: nothing there can tell \
                 whether it took place"
            ))
        })
    }

    /// Forgets what the check has left in the scripts: the flow runs from its start; unless somebody had asked to stop the
    /// task before the controller that ran it ended. Then nothing more is done.
    async fn begin_anew(&mut self) -> Result<Option<Outcome>, Fault> {
        let stopped = self.parts.journal.is_stop_requested(self.spec.task).await;
        if stopped.map_err(Fault::Store)? {
            let failure = Failure {
                reason: FailureReason::Stopped,
                message: "stopped on request".to_owned(),
                step: None,
                retryable: true,
            };
            let blame = Blame::Task;
            return Ok(Some(Outcome::Failed { failure, blame }));
        }
        if let Some(outcome) = self.held_back() {
            return Ok(Some(outcome));
        }
        self.js.set("effect", &Value::Null).await?;
        self.js
            .run("for (const name of Object.keys(output)) delete output[name]")
            .await?;
        Ok(None)
    }

    /// What runs after a look is a start like any other: when the account allows none now, another attempt begins later.
    fn held_back(&self) -> Option<Outcome> {
        let message = self.spec.permit.begin_anew().err()?;
        let failure = Failure {
            reason: FailureReason::AccountUnavailable,
            message,
            step: None,
            retryable: true,
        };
        let blame = Blame::Task;
        Some(Outcome::Failed { failure, blame })
    }

    /// The check of a verifying attempt. What the screen does not show counts as not knowing; what keeps the attempt
    /// from looking at all does not.
    async fn look_back(&mut self) -> Result<Verdict, Fault> {
        let result = match self.show_account().await {
            Ok(()) => self.run_check().await,
            Err(fault) => Err(fault),
        };
        match result {
            Err(fault) if fault.leaves_phone_usable() && !matches!(fault, Fault::Challenge(_) | Fault::Store(_)) => {
                self.settle_effect(EffectState::Unknown).await?;
                Err(fault)
            }
            result => result,
        }
    }
}
