//! Effects that cannot be undone, and the only gate to them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AttemptId, Lease, TaskId};

/// Where an effect is. Only `Refuted` and `ResolvedNotDone` allow the act again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectState {
    /// Written before the act: it may have happened from here on.
    Intended,
    /// Seen to have taken place.
    Confirmed,
    /// Proven not to have taken place.
    Refuted,
    /// Nobody knows.
    Unknown,
    /// A person said that it took place.
    ResolvedDone,
    /// A person said that it did not.
    ResolvedNotDone,
}

impl EffectState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Intended,
        Self::Confirmed,
        Self::Refuted,
        Self::Unknown,
        Self::ResolvedDone,
        Self::ResolvedNotDone,
    ];

    /// The word used in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Confirmed => "confirmed",
            Self::Refuted => "refuted",
            Self::Unknown => "unknown",
            Self::ResolvedDone => "resolved_done",
            Self::ResolvedNotDone => "resolved_not_done",
        }
    }

    /// The state named by `word`, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// The field of an effect's content that says that it is one of several of its task: then one that is confirmed does
/// not complete the task, and the flow goes on with the others.
pub const ONE_OF_SEVERAL: &str = "one_of_several";

/// Names one effect: a task's commit step, and its round when it is in a loop.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EffectKey {
    /// The task.
    pub task: TaskId,
    /// The commit step's label; of several steps, and of loops within loops, with what tells them apart.
    pub step: Arc<str>,
    /// The round of the innermost loop that it is in, from 0.
    pub ordinal: u32,
}

/// What an attempt writes before it acts.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectIntent {
    /// Which effect.
    pub key: EffectKey,
    /// Which attempt is about to act.
    pub attempt: AttemptId,
    /// Its right to act.
    pub lease: Lease,
    /// What is to be done: caption, files, target.
    pub content: Value,
    /// What the app showed before: number of posts, a button's state.
    pub baseline: Value,
}

/// What an attempt writes when it comes to the step at which its flow can be taken up.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Whose.
    pub task: TaskId,
    /// Which attempt is there.
    pub attempt: AttemptId,
    /// Its right to go on.
    pub lease: Lease,
    /// What a later attempt needs.
    pub reached: Reached,
}

/// How far an earlier attempt of a task has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Reached {
    /// Label of the step that comes next.
    pub step: Arc<str>,
    /// SHA-256 of the flow's files, hex.
    pub flow_hash: String,
    /// What scripts had found out until then.
    pub state: Value,
}

/// The gate's answer to an [`EffectIntent`].
#[derive(Debug, Clone, PartialEq)]
pub enum EffectGate {
    /// The intent is durable: act, once.
    Act,
    /// Do not act: this state stands in the way.
    Closed(EffectState),
    /// Do not act: the lease is no longer the attempt's.
    Fenced,
}

/// What was found out about an intended effect.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectFinding {
    /// Which effect.
    pub key: EffectKey,
    /// Who found out.
    pub attempt: AttemptId,
    /// Its right to write.
    pub lease: Lease,
    /// `Confirmed`, `Refuted` or `Unknown`.
    pub state: EffectState,
    /// What the app showed.
    pub evidence: Value,
}

/// An effect as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Which effect.
    pub key: EffectKey,
    /// Where it is.
    pub state: EffectState,
    /// What was to be done.
    pub content: Value,
    /// What the app showed before.
    pub baseline: Value,
    /// What the app showed after.
    pub evidence: Option<Value>,
    /// How many times a check could not tell.
    pub unknown_checks: u32,
}
