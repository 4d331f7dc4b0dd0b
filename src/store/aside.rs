//! What nobody waits for: steps, progress and told events. They are gathered here and go with the next group commit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{AttemptId, NewEvent, Progress, StepRecord, TaskId},
    ports::StoreError,
};
use tokio::sync::Notify;

use super::{
    change::Change,
    fault::Fault,
    foresight::Finds,
    step::{write_flows, write_progress, write_steps},
    transaction::Transaction,
    writer::Shared,
};

/// How long gathered things wait for company when nothing else is written: a sync for each step of a hundred phones
/// would be a thousand in a second.
const LINGER: Duration = Duration::from_millis(10);

/// Steps kept in memory while the database cannot be written. Then the newest are dropped: the journal is evidence,
/// not state.
const STEPS_MAX: usize = 50_000;

/// Events kept in memory while the database cannot be written.
const EVENTS_MAX: usize = 50_000;

/// Things gathered for the next group commit.
#[derive(Debug, Default)]
struct Gathered {
    steps: Vec<(AttemptId, StepRecord)>,
    /// One for each attempt that begins.
    flows: HashMap<AttemptId, String>,
    /// Only the newest of each attempt counts.
    progress: HashMap<AttemptId, (TaskId, Progress)>,
    events: Vec<NewEvent>,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.flows.is_empty() && self.progress.is_empty() && self.events.is_empty()
    }
}

/// The gathering place.
#[derive(Debug, Default)]
pub(super) struct Aside {
    gathered: Mutex<Gathered>,
    arrived: Notify,
}

impl Aside {
    pub(super) fn step(&self, attempt: AttemptId, step: StepRecord) {
        self.gather(|gathered| {
            if gathered.steps.len() < STEPS_MAX {
                gathered.steps.push((attempt, step));
            } else {
                tracing::warn!(attempt.id = %attempt, step = step.index, "the journal is full, a step is not recorded");
            }
        });
    }

    pub(super) fn flow(&self, attempt: AttemptId, content_hash: &str) {
        self.gather(|gathered| {
            gathered.flows.insert(attempt, content_hash.to_owned());
        });
    }

    pub(super) fn progress(&self, task: TaskId, attempt: AttemptId, progress: Progress) {
        self.gather(|gathered| {
            gathered.progress.insert(attempt, (task, progress));
        });
    }

    pub(super) fn tell(&self, events: Vec<NewEvent>) {
        self.gather(|gathered| {
            let room = EVENTS_MAX.saturating_sub(gathered.events.len());
            if room < events.len() {
                tracing::warn!(dropped = events.len() - room, "the outbox is full, events are dropped");
            }
            gathered.events.extend(events.into_iter().take(room));
        });
    }

    /// Resolves when something has waited long enough.
    pub(super) async fn due(&self) {
        self.arrived.notified().await;
        tokio::time::sleep(LINGER).await;
    }

    /// Takes what was gathered as one change.
    pub(super) fn take(shared: &Arc<Shared>) -> Option<Box<dyn Change>> {
        let mut gathered = lock(&shared.aside.gathered);
        if gathered.is_empty() {
            return None;
        }
        Some(Box::new(WriteGathered {
            gathered: std::mem::take(&mut gathered),
            shared: Arc::clone(shared),
        }))
    }

    fn gather(&self, put: impl FnOnce(&mut Gathered)) {
        put(&mut lock(&self.gathered));
        self.arrived.notify_one();
    }

    /// Puts things back in front of those that came since, to be tried again.
    fn put_back(&self, earlier: Gathered) {
        let mut gathered = lock(&self.gathered);
        let later = std::mem::replace(&mut *gathered, earlier);
        gathered.steps.extend(later.steps);
        gathered.steps.truncate(STEPS_MAX);
        gathered.flows.extend(later.flows);
        gathered.progress.extend(later.progress);
        gathered.events.extend(later.events);
        gathered.events.truncate(EVENTS_MAX);
    }
}

/// A poisoned lock is one whose holder panicked between two plain assignments: the content is whole.
fn lock(gathered: &Mutex<Gathered>) -> std::sync::MutexGuard<'_, Gathered> {
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

struct WriteGathered {
    gathered: Gathered,
    shared: Arc<Shared>,
}

#[async_trait(?Send)]
impl Change for WriteGathered {
    fn foresee(&self, _: &mut Finds) -> bool {
        // Steps, progress and events bear on no claim and no end.
        true
    }

    async fn apply(&mut self, tx: &mut Transaction) -> Result<(), Fault> {
        write_steps(tx, &self.gathered.steps).await?;
        write_flows(tx, &self.gathered.flows).await?;
        write_progress(tx, &self.gathered.progress).await?;
        for event in &self.gathered.events {
            tx.tell(event.clone())?;
        }
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        match result {
            Ok(()) => {}
            // These pass; they are tried again with the next group.
            Err(StoreError::Full | StoreError::Away(_)) => self.shared.aside.put_back(self.gathered),
            Err(error) => tracing::error!(%error, "steps and events could not be recorded"),
        }
    }

    fn split(self: Box<Self>) -> Vec<Box<dyn Change>> {
        vec![self]
    }
}
