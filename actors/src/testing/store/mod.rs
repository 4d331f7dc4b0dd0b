//! A store in memory with the semantics of the ports: the actors' tests run on it, and every other store is compared
//! with it by [`super::conformance`].

mod accounts;
mod drains;
mod gaps;
mod journal;
mod materials;
mod rows;
mod schedules;
mod tasks;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    domain::{
        AccountRecord, AccountUse, AttemptId, DeviceRecord, Drain, Effect, EffectKey, EffectState, Epoch, Event,
        EventTopic, Lease, Material, NewEvent, PendingTask, Progress, Serial, StepRecord, Submitted, Task, TaskId,
        TaskState, Timestamp, Username, retry::Repetition,
    },
    ports::{EventStore, PRIORITY_HEAD_START, SharedStore, StoreError},
};

/// The store. Clones share their contents.
#[derive(Clone, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    away: Arc<Mutex<bool>>,
    latency: Arc<Mutex<Duration>>,
}

#[derive(Default)]
struct Tables {
    epoch: i64,
    last_task: i64,
    last_attempt: i64,
    tasks: BTreeMap<TaskId, TaskRow>,
    attempts: BTreeMap<AttemptId, AttemptRow>,
    effects: Vec<Effect>,
    /// Effects that count towards their accounts' limits.
    counted: Vec<(EffectKey, AttemptId)>,
    keys: HashMap<String, (String, Submitted, Timestamp)>,
    accounts: BTreeMap<Username, AccountRecord>,
    uses: Vec<AccountUse>,
    devices: BTreeMap<Serial, DeviceRecord>,
    drains: Vec<Drain>,
    repetitions: Vec<Repetition>,
    events: Vec<Event>,
    materials: Vec<Material>,
    last_material: i64,
    used_media: Vec<(Username, String)>,
    schedules: schedules::ScheduleTable,
}

struct TaskRow {
    task: Task,
    due_at: Option<Timestamp>,
    /// Where it stands in its lane, apart from its priority.
    came_at: Timestamp,
    attempts: u32,
    auto_retries: u32,
    stop_intended: bool,
    cut_off: u32,
}

#[derive(Debug, Clone)]
struct AttemptRow {
    task: TaskId,
    number: u32,
    serial: Serial,
    username: Option<Username>,
    lease: Lease,
    started_at: Timestamp,
    outcome: Option<String>,
    flow_hash: Option<String>,
    steps: Vec<StepRecord>,
}

/// An attempt, as tests look at it.
#[derive(Debug, Clone)]
pub struct StoredAttempt {
    /// 1 for the task's first.
    pub number: u32,
    /// Where it ran.
    pub serial: Serial,
    /// For whom.
    pub username: Option<Username>,
    /// When it was claimed.
    pub started_at: Timestamp,
    /// How it ended; `None` while it runs.
    pub outcome: Option<String>,
    /// Which version of its flow it ran.
    pub flow_hash: Option<String>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As the actors take it.
    #[must_use]
    pub fn shared(&self) -> SharedStore {
        Arc::new(self.clone())
    }

    /// From now on every call fails, or none does.
    pub fn set_away(&self, away: bool) {
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = away;
    }

    /// From now on every call takes so long.
    pub fn set_latency(&self, latency: Duration) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    /// One task.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<Task> {
        self.lock().tasks.get(&id).map(|row| row.task.clone())
    }

    /// All tasks, by id.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        self.lock().tasks.values().map(|row| row.task.clone()).collect()
    }

    /// A task's attempts, in order.
    #[must_use]
    pub fn attempts(&self, task: TaskId) -> Vec<StoredAttempt> {
        let tables = self.lock();
        let rows = tables.attempts.values().filter(|row| row.task == task);
        rows.map(|row| StoredAttempt {
            number: row.number,
            serial: row.serial.clone(),
            username: row.username.clone(),
            started_at: row.started_at,
            outcome: row.outcome.clone(),
            flow_hash: row.flow_hash.clone(),
        })
        .collect()
    }

    /// All events, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// All confirmed uses.
    #[must_use]
    pub fn uses(&self) -> Vec<AccountUse> {
        self.lock().uses.clone()
    }

    /// One account.
    #[must_use]
    pub fn account(&self, username: &Username) -> Option<AccountRecord> {
        self.lock().accounts.get(username).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as a call takes, and fails if the store is away.
    async fn enter(&self) -> Result<(), StoreError> {
        let latency = *self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if *self.away.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(StoreError::Away("the test took it away".to_owned()));
        }
        Ok(())
    }
}

impl Tables {
    /// The attempt, if it is live and this lease is its own and of this epoch.
    fn live(&mut self, attempt: AttemptId, lease: &Lease) -> Option<&mut AttemptRow> {
        let current = Epoch(self.epoch);
        let row = self.attempts.get_mut(&attempt)?;
        let its_own = row.outcome.is_none() && row.lease == *lease && lease.epoch == current;
        its_own.then_some(row)
    }

    fn open_effect(&self, task: TaskId) -> bool {
        let open = |effect: &&Effect| matches!(effect.state, EffectState::Intended | EffectState::Unknown);
        self.effects
            .iter()
            .filter(|effect| effect.key.task == task)
            .any(|effect| open(&effect))
    }

    fn effect(&mut self, key: &EffectKey) -> Option<&mut Effect> {
        self.effects.iter_mut().find(|effect| effect.key == *key)
    }

    fn tell(&mut self, at: Timestamp, event: NewEvent) {
        let seq = i64::try_from(self.events.len()).unwrap_or(i64::MAX).saturating_add(1);
        self.events.push(Event { seq, at, event });
    }

    fn tell_task(&mut self, task: TaskId, at: Timestamp) {
        let Some(row) = self.tasks.get(&task) else { return };
        let state = row.task.state.as_str();
        let event = NewEvent {
            topic: EventTopic::Task,
            kind: format!("task.{state}"),
            subject: task.to_string(),
            data: serde_json::json!({ "id": task.0, "state": state }),
        };
        self.tell(at, event);
    }
}

impl TaskRow {
    fn is_pending(&self) -> bool {
        matches!(
            self.task.state,
            TaskState::Scheduled | TaskState::Available | TaskState::Retryable
        )
    }

    /// The order of a lane: time minus the priority's head start, then id.
    fn place(&self) -> (Timestamp, TaskId) {
        let came = self.came_at;
        let head_start = PRIORITY_HEAD_START.saturating_mul(u32::from(self.task.request.priority.unsigned_abs()));
        let place = if self.task.request.priority >= 0 {
            came.checked_sub(head_start)
        } else {
            came.checked_add(head_start)
        };
        (place.unwrap_or(came), self.task.id)
    }

    fn pending(&self) -> Option<PendingTask> {
        let request = &self.task.request;
        Some(PendingTask {
            id: self.task.id,
            batch_id: Arc::clone(&request.batch_id),
            script: request.script.clone(),
            serial: request.serial.clone()?,
            username: request.username.clone(),
            due_at: self.due_at,
            gap: request.gap,
            priority: request.priority,
            purpose: self.task.purpose,
            attempts: self.attempts,
            auto_retries: self.auto_retries,
        })
    }

    fn note_progress(&mut self, progress: Progress) {
        self.task.progress = Some(progress);
    }
}

impl EventStore for MemoryStore {
    fn tell(&self, events: Vec<NewEvent>) {
        let mut tables = self.lock();
        for event in events {
            // It has no clock of its own: order is what counts.
            tables.tell(Timestamp::UNIX_EPOCH, event);
        }
    }
}
