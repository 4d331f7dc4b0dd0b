//! Which of a flow's commit steps is reached: told by its place in the flow and by the rounds of the loops around it, never by
//! how many were reached before. So a step that a condition passes over makes no other one take its place, and what an
//! earlier attempt has done is known again.

use farmhand_actors::domain::{Blame, Effect, EffectKey, EffectState, Failure, FailureReason, ONE_OF_SEVERAL, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Run, effect::is_open, fault::Fault};
use crate::flow::model::{Body, Command, Step};

/// The field of an effect's content that says where in the flow it was.
pub(super) const SPOT: &str = "spot";

/// Where a flow is: the steps that the one under way is in, outermost first, itself last, and the rounds of its loops.
#[derive(Debug, Default)]
pub struct Way {
    /// By their addresses: the flow that they are of lives as long as the attempt.
    steps: Vec<*const Step>,
    rounds: Vec<Round>,
}

/// One round of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// 0 for the first.
    pub round: u32,
    /// How many there will be; `None` where a condition ends the loop: then the first of a later attempt may be any.
    pub of: Option<u32>,
}

/// Where a commit step was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// SHA-256 of the flow's files: in another version the steps may stand elsewhere.
    flow: String,
    /// How many commit steps come before it, where of two branches only the one with the most counts.
    turn: u32,
    /// How many come before it, both branches counted.
    number: u32,
    /// Of the loops around it, outermost first.
    rounds: Vec<Round>,
}

impl Way {
    /// Goes into a step.
    pub fn enter(&mut self, step: &Step) {
        self.steps.push(std::ptr::from_ref(step));
    }

    /// Comes out of it.
    pub fn leave(&mut self) {
        self.steps.pop();
    }

    /// Begins a round of the loop that it is in.
    pub fn begin_round(&mut self, round: Round) {
        self.rounds.push(round);
    }

    /// The round is over.
    pub fn end_round(&mut self) {
        self.rounds.pop();
    }
}

impl Spot {
    /// Names the effect: `label` alone where nothing else has that name, with the round of the innermost loop as ordinal.
    pub fn step(&self, label: &str) -> String {
        let outer = self.rounds.split_last().map_or(&[][..], |(_, outer)| outer);
        if self.turn == 0 && outer.is_empty() {
            return label.to_owned();
        }
        let outer: String = outer.iter().map(|outer| format!(".{}", outer.round)).collect();
        format!("{label} #{}{outer}", self.turn.saturating_add(1))
    }

    /// The round of the innermost loop.
    pub fn ordinal(&self) -> u32 {
        self.rounds.last().map_or(0, |round| round.round)
    }

    /// Whether what was done there is what is to be done here.
    ///
    /// # Errors
    /// It cannot be told, and why.
    fn is_of(&self, past: &Self) -> Result<bool, &'static str> {
        if past.flow != self.flow {
            return Err("the flow has been changed since");
        }
        if past.turn != self.turn {
            return Ok(false);
        }
        for (past, now) in past.rounds.iter().zip(&self.rounds) {
            if past.of.is_none() || now.of.is_none() {
                return Err("a condition (`while`) ends its loop, so its rounds may be others now");
            }
            if past.of != now.of {
                return Err("its loop has another number of rounds (`times`) now");
            }
            if past.round != now.round {
                return Ok(false);
            }
        }
        if past.number != self.number {
            return Err("the flow takes another branch (`else`) now");
        }
        Ok(true)
    }
}

impl Run {
    /// Where the commit step is that is reached now.
    pub(super) fn spot(&self) -> Result<Spot, Fault> {
        let flow = self.script.flow();
        let commit = flow.config.extension.commit.as_deref();
        let (turn, number) = locate(&flow.steps, &self.way.steps, commit, (0, 0)).ok_or_else(|| {
            let message = "a commit step was reached that does not stand among the flow's commands; nothing was done";
            Fault::Invalid(message.to_owned())
        })?;
        Ok(Spot {
            flow: self.script.content_hash().to_owned(),
            turn,
            number,
            rounds: self.way.rounds.clone(),
        })
    }

    /// Whether the commit step that is reached now, one of several, was carried out by an earlier attempt.
    pub(super) async fn was_done_before(&mut self, spot: &Spot) -> Result<bool, Fault> {
        if self.has_single_commit() {
            return Ok(false);
        }
        if self.effects.done_before.is_none() {
            let effects = self.parts.journal.effects(self.spec.task).await.map_err(Fault::Store)?;
            let done = effects
                .iter()
                .filter(|effect| matches!(effect.state, EffectState::Confirmed | EffectState::ResolvedDone));
            self.effects.done_before = Some(done.map(spot_of).collect());
        }
        let mut is_done = false;
        for past in self.effects.done_before.iter().flatten() {
            let same = match past {
                Some(past) => spot.is_of(past),
                None => Err("it was stored by an earlier version of farmhand"),
            };
            is_done |= same.map_err(|why| cannot_tell(why, self.step))?;
        }
        Ok(is_done)
    }

    /// Why what earlier attempts have done, or may have, is not what the flow of today is for: it had another number of commit
    /// steps, or another name for them. What did not take place hinders nothing.
    pub(super) fn changed_since(&self, effects: &[Effect]) -> Option<&'static str> {
        let label = self.script.flow().config.extension.commit.as_deref();
        let is_single = self.has_single_commit();
        let fits = |effect: &Effect| {
            let was_single = effect.content.get(ONE_OF_SEVERAL).is_none();
            let rest = label.and_then(|label| effect.key.step.strip_prefix(label));
            was_single == is_single && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" #"))
        };
        let past = |effect: &&Effect| !matches!(effect.state, EffectState::Refuted | EffectState::ResolvedNotDone);
        (!effects.iter().filter(past).all(fits)).then_some("the flow has been changed since")
    }

    /// Ends the attempt before its first step where an earlier one has acted by another flow.
    pub(super) async fn refuse_changed_flow(&self) -> Result<(), Fault> {
        if self.spec.number == 1 {
            return Ok(());
        }
        let effects = self.parts.journal.effects(self.spec.task).await.map_err(Fault::Store)?;
        let Some(why) = self.changed_since(&effects) else {
            return Ok(());
        };
        if !effects.iter().any(|effect| is_open(effect.state)) {
            return Err(cannot_tell(why, self.step));
        }
        Err(Fault::Ended(Box::new(Outcome::Unverified {
            failure: untold(why, self.step),
            blame: Blame::Task,
            attention: None,
        })))
    }

    /// How checks see the name of an effect: the label alone, and the rounds of the loops around it.
    pub(super) fn shown_key(&self, key: &EffectKey, content: &Value) -> (String, Vec<u32>) {
        let label = self.script.flow().config.extension.commit.as_deref();
        let label = label.filter(|label| key.step.starts_with(label)).unwrap_or(&key.step);
        let spot = content.get(SPOT).and_then(|spot| Spot::deserialize(spot).ok());
        let rounds = spot.map(|spot| spot.rounds).unwrap_or_default();
        (label.to_owned(), rounds.iter().map(|round| round.round).collect())
    }

    /// Whether the confirmation of one effect is all that the flow is for.
    pub(super) fn has_single_commit(&self) -> bool {
        let commit = self.script.flow().config.extension.commit.as_deref();
        let in_loops = 2;
        count(&self.script.flow().steps, commit, in_loops).0 == 1
    }
}

fn spot_of(effect: &Effect) -> Option<Spot> {
    let spot = effect.content.get(SPOT)?;
    Spot::deserialize(spot).ok()
}

/// How many commit steps come before the last step of `way`: where of two branches the one with the most counts, and both
/// counted. `None` if the way does not lead through these steps.
fn locate(steps: &[Step], way: &[*const Step], commit: Option<&str>, before: (u32, u32)) -> Option<(u32, u32)> {
    let (next, rest) = way.split_first()?;
    let place = steps.iter().position(|step| std::ptr::eq(step, *next))?;
    let (passed, from) = steps.split_at_checked(place)?;
    let step = from.first()?;
    let before = add(before, count(passed, commit, 1));
    if rest.is_empty() {
        return Some(before);
    }
    let body = step.body().map_or(&[][..], steps_of);
    locate(body, rest, commit, before).or_else(|| {
        let (_, all) = count(body, commit, 1);
        locate(step.inner_steps(), rest, commit, add(before, (0, all)))
    })
}

/// Commit steps of a list: the most that can be reached on one way through it, and all. Those in a loop count `in_loops`
/// times.
fn count(steps: &[Step], commit: Option<&str>, in_loops: u32) -> (u32, u32) {
    steps.iter().fold((0, 0), |sum, step| {
        let here = u32::from(step.label.as_deref() == commit);
        let body = step
            .body()
            .map_or((0, 0), |body| count(steps_of(body), commit, in_loops));
        let inner = count(step.inner_steps(), commit, in_loops);
        let below = match &step.command {
            Command::Repeat(_) => (inner.0.saturating_mul(in_loops), inner.1),
            // One of the two branches is taken.
            _ => (body.0.max(inner.0), body.1.saturating_add(inner.1)),
        };
        add(add(sum, (here, here)), below)
    })
}

fn steps_of(body: &Body) -> &[Step] {
    match body {
        Body::Inline(steps) => steps,
        Body::File(flow) => &flow.steps,
    }
}

fn add(one: (u32, u32), other: (u32, u32)) -> (u32, u32) {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}

/// Something was done, and whether it is what is to be done now cannot be told: neither acting nor passing over is right.
pub(super) fn cannot_tell(why: &str, step: u32) -> Fault {
    let (failure, blame) = (untold(why, step), Blame::Task);
    Fault::Ended(Box::new(Outcome::Failed { failure, blame }))
}

fn untold(why: &str, step: u32) -> Failure {
    Failure {
        reason: FailureReason::FlowError,
        message: format!(
            "an earlier attempt of this task has acted, and which of the flow's commit steps that was cannot be told: {why}; \
             nothing more was done, look at what is left and create a new task for it"
        ),
        step: Some(step),
        retryable: false,
    }
}
