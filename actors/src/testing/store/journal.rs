//! Attempts' diaries and the gate to effects, in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    domain::{
        AttemptId, Effect, EffectFinding, EffectGate, EffectIntent, EffectState, Epoch, Progress, StepRecord, TaskId,
    },
    ports::{AttemptJournal, StoreError},
};

#[async_trait]
impl AttemptJournal for MemoryStore {
    async fn is_stop_requested(&self, task: TaskId) -> Result<bool, StoreError> {
        let tables = self.lock();
        Ok(tables.tasks.get(&task).is_some_and(|row| row.stop_intended))
    }

    fn record_step(&self, attempt: AttemptId, step: StepRecord) {
        let mut tables = self.lock();
        let Some(row) = tables.attempts.get_mut(&attempt) else {
            return;
        };
        match row.steps.iter_mut().find(|known| known.index == step.index) {
            Some(known) => *known = step,
            None => row.steps.push(step),
        }
    }

    fn record_flow(&self, attempt: AttemptId, content_hash: &str) {
        if let Some(row) = self.lock().attempts.get_mut(&attempt) {
            row.flow_hash = Some(content_hash.to_owned());
        }
    }

    fn record_progress(&self, task: TaskId, attempt: AttemptId, progress: Progress) {
        let mut tables = self.lock();
        let live = tables
            .attempts
            .get(&attempt)
            .is_some_and(|row| row.outcome.is_none() && row.task == task);
        if let Some(row) = tables.tasks.get_mut(&task).filter(|_| live) {
            row.note_progress(progress);
        }
    }

    async fn intend(&self, intent: EffectIntent) -> Result<EffectGate, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let EffectIntent {
            key,
            attempt,
            lease,
            content,
            baseline,
        } = intent;
        if lease.epoch != Epoch(tables.epoch) || tables.live(attempt, &lease).is_none() {
            return Ok(EffectGate::Fenced);
        }
        match tables.effect(&key) {
            Some(effect) if matches!(effect.state, EffectState::Refuted | EffectState::ResolvedNotDone) => {
                effect.state = EffectState::Intended;
                effect.content = content;
                effect.baseline = baseline;
                effect.evidence = None;
                effect.unknown_checks = 0;
            }
            Some(effect) => return Ok(EffectGate::Closed(effect.state)),
            None => tables.effects.push(Effect {
                key,
                state: EffectState::Intended,
                content,
                baseline,
                evidence: None,
                unknown_checks: 0,
            }),
        }
        Ok(EffectGate::Act)
    }

    async fn settle(&self, finding: EffectFinding) -> Result<(), StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        if tables.live(finding.attempt, &finding.lease).is_none() {
            return Err(StoreError::Conflict("the attempt has lost its lease".to_owned()));
        }
        let Some(effect) = tables.effect(&finding.key) else {
            return Err(StoreError::Conflict("the effect was never intended".to_owned()));
        };
        effect.unknown_checks += u32::from(finding.state == EffectState::Unknown);
        effect.state = finding.state;
        effect.evidence = Some(finding.evidence);
        tables.count_effects(finding.attempt);
        Ok(())
    }

    async fn effects(&self, task: TaskId) -> Result<Vec<Effect>, StoreError> {
        self.enter().await?;
        Ok(self
            .lock()
            .effects
            .iter()
            .filter(|effect| effect.key.task == task)
            .cloned()
            .collect())
    }
}
