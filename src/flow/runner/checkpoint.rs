//! Where a flow is taken up: what an attempt has done before it was cut off is not done again, as far as the flow names a
//! step from which it can go on.

use std::sync::Arc;

use farmhand_actors::domain::{Checkpoint, Reached};
use serde_json::{Value, json};

use super::{
    Run,
    fault::Fault,
    media::{kept_media, media_again},
};
use crate::flow::model::Flow;

/// What scripts have found out, as one value; null if it holds anything that would come back as something else.
const STATE: &str = "(() => {
  const within = new Set();
  const plain = (value) => {
    if (value === null || ['undefined', 'string', 'boolean'].includes(typeof value)) return true;
    if (typeof value === 'number') return Number.isFinite(value);
    if (typeof value !== 'object' || within.has(value)) return false;
    if (![Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(value))) return false;
    within.add(value);
    const all = Object.values(value).every(plain);
    within.delete(value);
    return all;
  };
  const state = { output, added: media.added, copiedText: maestro.copiedText };
  return plain(state) ? state : null;
})()";

/// The field of the state with the media that were picked.
const MEDIA: &str = "media";

/// The field of the state that says on which phone and in which app it was.
const WHEREABOUTS: &str = "whereabouts";

const PUT_BACK: &str = "(({ output: found, added, copiedText }) => { Object.assign(output, found); media.added = added; \
                        maestro.copiedText = copiedText; })";

impl Run {
    /// Runs the steps of a flow; those of the attempt's own flow from its checkpoint on, if an earlier attempt was there.
    pub(super) async fn run_own_steps(&mut self, flow: &Arc<Flow>) -> Result<(), Fault> {
        let label = flow.config.extension.checkpoint.as_ref();
        let is_own = self.effects.armed && Arc::ptr_eq(flow, self.script.flow());
        let Some(label) = label.filter(|_| is_own) else {
            return self.run_steps(&flow.steps).await;
        };
        let place = flow.steps.iter().position(|step| step.label.as_ref() == Some(label));
        let (before, from) = flow
            .steps
            .split_at_checked(place.unwrap_or(0))
            .unwrap_or((&[], &flow.steps));
        if self.take_up().await? {
            for step in before {
                self.pass_over(step).await?;
            }
        } else {
            self.run_steps(before).await?;
            self.reach(label).await?;
        }
        self.run_steps(from).await
    }

    /// Looks whether an earlier attempt of the same version of the flow was at the checkpoint, and takes its media: those are on
    /// the phone. Without them the flow begins at its start.
    pub(super) async fn find_checkpoint(&mut self) -> Result<(), Fault> {
        let extension = &self.script.flow().config.extension;
        let Some(label) = extension.checkpoint.clone().filter(|_| self.spec.number > 1) else {
            return Ok(());
        };
        let has_media = extension.media.is_some();
        let reached = self.parts.journal.reached(self.spec.task).await.map_err(Fault::Store)?;
        let same = |reached: &Reached| {
            reached.step == label
                && reached.flow_hash == self.script.content_hash()
                && reached.state.get(WHEREABOUTS) == Some(&self.whereabouts())
        };
        let Some(reached) = reached.filter(same) else {
            return Ok(());
        };
        if self.acted_since_checkpoint().await? {
            let (task, attempt) = (self.spec.task, self.spec.attempt);
            tracing::info!(task.id = %task, attempt.id = %attempt, "the flow begins at its start: others have acted since its checkpoint");
            return Ok(());
        }
        if has_media {
            let kept = reached.state.get(MEDIA).cloned().unwrap_or(Value::Null);
            let media = tokio::task::spawn_blocking(move || media_again(&kept)).await;
            let Some(media) = media.ok().flatten() else {
                let (task, attempt) = (self.spec.task, self.spec.attempt);
                tracing::info!(task.id = %task, attempt.id = %attempt, "the flow begins at its start: media of the attempt before are gone or have changed");
                return Ok(());
            };
            self.media = media;
        }
        self.taken_up = Some(reached);
        Ok(())
    }

    /// What was seen and copied there is nowhere else: the phone and the app.
    fn whereabouts(&self) -> Value {
        json!([self.spec.serial.as_str(), self.package])
    }

    /// Puts back what scripts had found out, if an earlier attempt was at the checkpoint.
    async fn take_up(&mut self) -> Result<bool, Fault> {
        let Some(reached) = self.taken_up.take() else {
            return Ok(false);
        };
        let state = Value::from(reached.state.to_string());
        self.js.run(&format!("{PUT_BACK}(JSON.parse({state}))")).await?;
        Ok(true)
    }

    /// All before the checkpoint is done: durable on return. What cannot be stored as it is lets a later attempt begin at the
    /// start.
    async fn reach(&mut self, label: &Arc<str>) -> Result<(), Fault> {
        let mut state = self.js.value(STATE).await?;
        if state.is_null() {
            let (task, attempt) = (self.spec.task, self.spec.attempt);
            tracing::warn!(task.id = %task, attempt.id = %attempt, "the checkpoint is not stored: `output` holds more than plain values");
            return Ok(());
        }
        if let Value::Object(fields) = &mut state {
            fields.insert(MEDIA.to_owned(), kept_media(&self.media));
            fields.insert(WHEREABOUTS.to_owned(), self.whereabouts());
        }
        let checkpoint = Checkpoint {
            task: self.spec.task,
            attempt: self.spec.attempt,
            lease: self.spec.lease.clone(),
            reached: Reached {
                step: label.clone(),
                flow_hash: self.script.content_hash().to_owned(),
                state,
            },
        };
        self.phone.may_go_on()?;
        self.parts.journal.reach(checkpoint).await.map_err(Fault::Store)
    }
}
