//! Things that must not happen twice: the gate before a commit step, and what is known after it.
//!
//! From the moment when the gate says `Act`, the effect may have taken place, whatever happens. It stays open until
//! the flow has seen it confirmed, or its check has read back from the app whether it took place.

use farmhand_actors::domain::{
    Blame, EffectFinding, EffectGate, EffectIntent, EffectKey, EffectState, Failure, FailureReason, ONE_OF_SEVERAL,
    Outcome, Refusal, Timestamp,
};
use serde_json::{Value, json};

use super::{
    Run,
    fault::Fault,
    media::media_content,
    rounds::{SPOT, Spot, cannot_tell},
};
use crate::flow::model::{Body, OwnEvidence, Step};

/// The name that another task has in a step's record, whose act could be taken for this one's.
pub(super) const RIVAL: &str = "rival";

/// The field of an effect's content that has the values of `same`, where the check compares them with what the app shows.
const SAME: &str = "same";

/// The effects of one attempt.
#[derive(Debug, Default)]
pub struct Effects {
    /// Whether the flow itself runs: a label in its account, baseline or check steps means nothing.
    pub armed: bool,
    /// Whether a commit step is being carried out.
    pub acting: bool,
    /// The one that is open.
    open: Option<EffectKey>,
    /// How many commit steps this attempt was allowed to carry out.
    pub intents: u32,
    /// How many effects this attempt has added to what counts: those that it was allowed, and one of an earlier attempt that
    /// it has found done.
    pub acts: u32,
    /// How many were confirmed.
    pub confirmed: u32,
    /// Where those of several were that earlier attempts have carried out, once they were asked for; `None` where that was
    /// not stored.
    pub done_before: Option<Vec<Option<Spot>>>,
    /// Since when another task's act in the same app of the phone was open when this attempt acted: the flow's own
    /// confirmation may be of that one.
    pub beside: Option<Timestamp>,
    /// The confirmation came, and was not believed for that.
    pub is_unbelieved: bool,
    /// The commit step was passed over, since an earlier attempt has carried it out: its confirmation is not awaited.
    pub passed_over: bool,
}

/// What is to be done about a commit step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Carry it out: the intent is durable.
    Act,
    /// An earlier attempt has carried it out.
    PassOver,
}

/// What a check read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It took place.
    Done,
    /// It did not.
    NotDone,
    /// Cannot tell.
    Unknown,
}

impl Effects {
    /// Whether an effect may have taken place and nobody knows.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a failure may be shrugged off of a step that began after so many intents. Not when it is part of a commit
    /// step, and not when it has begun something that cannot be undone and left it open.
    #[must_use]
    pub fn let_fail(&self, intents: u32) -> bool {
        !self.acting && (!self.is_open() || self.intents == intents)
    }

    /// Takes up an effect that an earlier attempt left open.
    pub fn reopen(&mut self, key: EffectKey) {
        self.open = Some(key);
    }
}

impl Run {
    /// Whether a step's effect cannot be undone.
    pub(super) fn is_commit(&self, step: &Step) -> bool {
        let commit = self.script.flow().config.extension.commit.as_deref();
        self.effects.armed && commit.is_some() && step.label.as_deref() == commit
    }

    /// Whether a step's success proves the effect.
    pub(super) fn is_confirm(&self, step: &Step) -> bool {
        let confirm = self.script.flow().config.extension.confirm.as_deref();
        self.effects.armed && confirm.is_some() && step.label.as_deref() == confirm
    }

    /// Asks to carry out a commit step.
    pub(super) async fn open_effect(&mut self, step: &Step) -> Result<Turn, Fault> {
        if self.effects.is_open() {
            let message = "a commit step was reached while the effect of the one before is not confirmed; put the step \
                           that `farmhand.confirm` names between them";
            return Err(Fault::Invalid(message.to_owned()));
        }
        let spot = self.spot()?;
        if self.was_done_before(&spot).await? {
            self.effects.passed_over = true;
            return Ok(Turn::PassOver);
        }
        self.effects.passed_over = false;
        self.may_act()?;
        let script = self.script.clone();
        self.effects.armed = false;
        // The flow's own app, also when an included file with another one acts.
        let app_id = self.app_id.clone();
        let noted = match self.enter_app(script.flow().config.app_id.as_deref()).await {
            Ok(()) => self.run_steps(&script.flow().config.extension.baseline).await,
            Err(fault) => Err(fault),
        };
        self.app_id = app_id;
        self.effects.armed = true;
        noted?;
        let baseline = self
            .js
            .value("output.baseline === undefined ? output : output.baseline")
            .await?;
        let key = EffectKey {
            task: self.spec.task,
            step: spot.step(step.label.as_deref().unwrap_or_default()).into(),
            ordinal: spot.ordinal(),
        };
        let content = self.content(&spot).await?;
        self.refuse_repeat(&content).await?;
        self.refuse_unnamed_account().await?;
        let intent = EffectIntent {
            key: key.clone(),
            attempt: self.spec.attempt,
            lease: self.spec.lease.clone(),
            content: content.clone(),
            baseline: baseline.clone(),
        };
        self.effects.beside = self.open_beside().await?;
        self.phone.may_go_on()?;
        self.may_act()?;
        let gate = self.parts.journal.intend(intent).await.map_err(Fault::Store)?;
        match gate {
            EffectGate::Act => {
                self.effects.intents = self.effects.intents.saturating_add(1);
                self.effects.acts = self.effects.acts.saturating_add(1);
                self.effects.reopen(key.clone());
                self.show_effect(&key, &content, &baseline).await?;
                Ok(Turn::Act)
            }
            EffectGate::Closed(EffectState::Confirmed | EffectState::ResolvedDone) if !self.has_single_commit() => {
                Err(cannot_tell("it was reached twice", self.step))
            }
            EffectGate::Closed(state) => Err(Fault::Ended(Box::new(closed(state, self.step)))),
            EffectGate::Fenced => Err(Fault::Ended(Box::new(fenced(self.step)))),
        }
    }

    /// Asks the account, which people change also while its attempt runs.
    fn may_act(&self) -> Result<(), Fault> {
        let acts = self.effects.acts;
        let refused = self.spec.permit.may_act(acts);
        refused.map_err(|refusal| Fault::Ended(Box::new(not_allowed(&refusal, acts, self.step))))
    }

    /// What is to be done, for people and for the check.
    async fn content(&self, spot: &Spot) -> Result<Value, Fault> {
        let mut content = json!({
            "script": self.spec.script,
            "username": self.spec.account.as_ref().map(|account| account.username.as_str()),
            "package": self.package,
            "params": self.params,
            "media": media_content(&self.media),
            "hash": self.content_hash().await?,
        });
        if self.own_evidence() == OwnEvidence::Same
            && let (Some(same), Value::Object(fields)) = (self.same().await?, &mut content)
        {
            fields.insert(SAME.to_owned(), Value::from(same));
        }
        if let (false, Value::Object(fields)) = (self.has_single_commit(), &mut content) {
            fields.insert(ONE_OF_SEVERAL.to_owned(), Value::Bool(true));
            fields.insert(SPOT.to_owned(), json!(spot));
        }
        Ok(content)
    }

    /// Sets the global `effect` that checks read.
    pub(super) async fn show_effect(&self, key: &EffectKey, content: &Value, baseline: &Value) -> Result<(), Fault> {
        let (step, rounds) = self.shown_key(key, content);
        let effect = json!({
            "step": step,
            "ordinal": key.ordinal,
            "rounds": rounds,
            "content": content,
            "baseline": baseline,
        });
        Ok(self.js.set("effect", &effect).await?)
    }

    /// Writes what is known of the open effect; it stays open when that fails.
    pub(super) async fn settle_effect(&mut self, state: EffectState) -> Result<(), Fault> {
        let Some(key) = self.effects.open.clone() else {
            return Ok(());
        };
        let evidence = self
            .js
            .value("output.evidence === undefined ? output : output.evidence")
            .await
            .unwrap_or(Value::Null);
        let finding = EffectFinding {
            key,
            attempt: self.spec.attempt,
            lease: self.spec.lease.clone(),
            state,
            evidence: self.with_doubt(evidence),
        };
        self.parts.journal.settle(finding).await.map_err(Fault::Store)?;
        match state {
            EffectState::Confirmed => {
                self.effects.open = None;
                self.effects.confirmed = self.effects.confirmed.saturating_add(1);
            }
            EffectState::Refuted => self.effects.open = None,
            _ => {}
        }
        Ok(())
    }

    /// The commit step had nothing to do after all: what was intended did not take place.
    pub(super) async fn withdraw_effect(&mut self) -> Result<(), Fault> {
        self.settle_effect(EffectState::Refuted).await?;
        self.effects.intents = self.effects.intents.saturating_sub(1);
        self.effects.acts = self.effects.acts.saturating_sub(1);
        Ok(())
    }

    /// Reads back from the app whether the open effect took place.
    pub(super) async fn run_check(&mut self) -> Result<Verdict, Fault> {
        let script = self.script.clone();
        let Some(check) = &script.flow().config.extension.check else {
            return Ok(Verdict::Unknown);
        };
        self.js.run("delete output.effect").await?;
        match check {
            Body::Inline(steps) => self.run_own(steps).await?,
            Body::File(flow) => self.run_sub_flow(flow, &[]).await?,
        }
        let verdict = match self.js.value("output.effect").await?.as_str() {
            Some("done") => Verdict::Done,
            Some("not_done") => Verdict::NotDone,
            _ => Verdict::Unknown,
        };
        let doubtful = match (verdict, self.own_evidence()) {
            (Verdict::Unknown, _) | (Verdict::Done, OwnEvidence::Yes) => false,
            (Verdict::NotDone, OwnEvidence::Yes) => self.was_touched_again().await?,
            // The newest shows that it is there, never that it is not: others may have come and gone since.
            (Verdict::Done, OwnEvidence::Same) => self.has_rival(true).await?,
            (Verdict::Done | Verdict::NotDone, OwnEvidence::No | OwnEvidence::Same) => self.has_rival(false).await?,
        };
        Ok(if doubtful {
            self.note(RIVAL, json!(true));
            Verdict::Unknown
        } else {
            verdict
        })
    }

    /// Runs commands that stand in the config section, with the flow's own variables and app: outside of the flow, nothing else
    /// has set them.
    async fn run_own(&mut self, steps: &[Step]) -> Result<(), Fault> {
        let script = self.script.clone();
        let config = &script.flow().config;
        let scope = self.enter(&config.env).await?;
        let app_id = self.app_id.clone();
        let result = match self.enter_app(config.app_id.as_deref()).await {
            Ok(()) => self.run_steps(steps).await,
            Err(fault) => Err(fault),
        };
        self.app_id = app_id;
        self.leave(scope, result).await
    }

    /// Whose acts the flow's check could take for this task's.
    pub(super) fn own_evidence(&self) -> OwnEvidence {
        self.script.flow().config.extension.own_evidence
    }

    /// Whether what the check has read may be another task's doing: a number that went up says not by whom.
    async fn has_rival(&self, by_same: bool) -> Result<bool, Fault> {
        let Some(open) = &self.effects.open else {
            return Ok(false);
        };
        let username = self.spec.account.as_ref().map(|account| &account.username);
        let journal = &self.parts.journal;
        let rival = journal.has_rival(open, username, &self.spec.serial, by_same).await;
        rival.map_err(Fault::Store)
    }

    /// Whether another task may have taken back since what this one has done: it is not to be seen then, and was done.
    async fn was_touched_again(&self) -> Result<bool, Fault> {
        let fan_out = self.script.flow().config.extension.fan_out.as_ref();
        let (Some(open), Some(fan_out)) = (&self.effects.open, fan_out) else {
            return Ok(false);
        };
        let touched = self.parts.journal.was_touched_again(open, &fan_out.list).await;
        touched.map_err(Fault::Store)
    }
}

/// Whether an effect may have taken place and nobody knows.
pub(super) fn is_open(state: EffectState) -> bool {
    matches!(state, EffectState::Intended | EffectState::Unknown)
}

/// How an attempt ends that found the gate closed.
fn closed(state: EffectState, step: u32) -> Outcome {
    match state {
        EffectState::Confirmed => Outcome::Completed {
            remark: "already done by an earlier attempt".to_owned(),
            counts: false,
        },
        EffectState::ResolvedDone => Outcome::Completed {
            remark: "done, as a person has found".to_owned(),
            counts: false,
        },
        EffectState::Intended | EffectState::Unknown => Outcome::Unverified {
            failure: Failure {
                reason: FailureReason::OutcomeUnknown,
                message: "an earlier attempt may have done this already; it has to be verified first".to_owned(),
                step: Some(step),
                retryable: false,
            },
            blame: Blame::Host,
            attention: None,
        },
        EffectState::Refuted | EffectState::ResolvedNotDone => Outcome::Failed {
            failure: Failure {
                reason: FailureReason::Internal,
                message: format!("the gate to the effect is closed although it is {}", state.as_str()),
                step: Some(step),
                retryable: true,
            },
            blame: Blame::Host,
        },
    }
}

/// A commit step comes when the account may not act: it has done as much as it may, or a person has changed it.
fn not_allowed(refusal: &Refusal, done: u32, step: u32) -> Outcome {
    let reason = match refusal {
        Refusal::Limit => "the account's limit is reached",
        Refusal::Account(reason) => reason,
    };
    Outcome::Failed {
        failure: Failure {
            reason: FailureReason::AccountUnavailable,
            message: format!(
                "{reason}: this attempt has acted {done} times; retry the task later, it goes on with what is left"
            ),
            step: Some(step),
            retryable: true,
        },
        blame: Blame::Task,
    }
}

fn fenced(step: u32) -> Outcome {
    Outcome::Failed {
        failure: Failure {
            reason: FailureReason::Interrupted,
            message: "another attempt has the right to act now; nothing was done".to_owned(),
            step: Some(step),
            retryable: true,
        },
        blame: Blame::Host,
    }
}
