//! Schedules in memory.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    domain::{
        ScheduleId, Timestamp,
        schedule::{Schedule, ScheduleRun},
    },
    ports::{NewRun, NewSchedule, RunStored, ScheduleChange, ScheduleStore, ScheduleWritten, StoreError},
};

#[derive(Default)]
pub(super) struct ScheduleTable {
    last: i64,
    rows: BTreeMap<ScheduleId, Schedule>,
    runs: BTreeMap<(ScheduleId, Timestamp, bool), ScheduleRun>,
}

impl ScheduleTable {
    fn has_name(&self, name: &str, besides: Option<ScheduleId>) -> bool {
        let mut rows = self.rows.values();
        rows.any(|row| row.spec.name == name && Some(row.id) != besides)
    }
}

impl MemoryStore {
    /// One schedule.
    #[must_use]
    pub fn schedule(&self, id: ScheduleId) -> Option<Schedule> {
        self.lock().schedules.rows.get(&id).cloned()
    }

    /// A schedule's runs, by the instant for which they were planned.
    #[must_use]
    pub fn runs(&self, id: ScheduleId) -> Vec<ScheduleRun> {
        let tables = self.lock();
        let runs = tables
            .schedules
            .runs
            .iter()
            .filter(|((schedule, ..), _)| *schedule == id);
        runs.map(|(_, run)| run.clone()).collect()
    }
}

#[async_trait]
impl ScheduleStore for MemoryStore {
    async fn load_schedules(&self) -> Result<Vec<Schedule>, StoreError> {
        self.enter().await?;
        Ok(self.lock().schedules.rows.values().cloned().collect())
    }

    async fn create_schedule(&self, new: NewSchedule) -> Result<ScheduleWritten, StoreError> {
        self.enter().await?;
        let table = &mut self.lock().schedules;
        if table.has_name(&new.spec.name, None) {
            return Ok(ScheduleWritten::NameTaken);
        }
        if table.rows.len() >= new.limit {
            return Ok(ScheduleWritten::TooMany);
        }
        table.last += 1;
        let schedule = Schedule {
            id: ScheduleId(table.last),
            revision: 1,
            spec: new.spec,
            seed: new.seed,
            next: new.next,
            planned_since: new.at,
            created_at: new.at,
            updated_at: new.at,
        };
        table.rows.insert(schedule.id, schedule.clone());
        Ok(ScheduleWritten::Stored(Box::new(schedule)))
    }

    async fn change_schedule(&self, change: ScheduleChange) -> Result<ScheduleWritten, StoreError> {
        self.enter().await?;
        let table = &mut self.lock().schedules;
        if table.has_name(&change.spec.name, Some(change.id)) {
            return Ok(ScheduleWritten::NameTaken);
        }
        let Some(row) = table.rows.get_mut(&change.id) else {
            return Ok(ScheduleWritten::NotFound);
        };
        if row.revision != change.revision {
            return Ok(ScheduleWritten::Changed);
        }
        row.revision += 1;
        row.spec = change.spec;
        if let Some(next) = change.replanned {
            (row.next, row.planned_since) = (next, change.at);
        }
        row.updated_at = change.at;
        Ok(ScheduleWritten::Stored(Box::new(row.clone())))
    }

    async fn delete_schedule(&self, id: ScheduleId) -> Result<bool, StoreError> {
        self.enter().await?;
        let table = &mut self.lock().schedules;
        table.runs.retain(|(schedule, ..), _| *schedule != id);
        Ok(table.rows.remove(&id).is_some())
    }

    async fn store_run(&self, run: NewRun) -> Result<RunStored, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let table = &mut tables.schedules;
        let Some(row) = table.rows.get_mut(&run.schedule) else {
            return Ok(RunStored::Stale);
        };
        if row.revision != run.revision {
            return Ok(RunStored::Stale);
        }
        if !run.manual {
            row.next = run.next;
        }
        let mut key = (run.schedule, run.planned_at, run.manual);
        while run.manual && table.runs.contains_key(&key) {
            key.1 += Duration::from_millis(1);
        }
        if table.runs.get(&key).is_some_and(|old| old.batch_id.is_some()) {
            return Ok(RunStored::AlreadyRun);
        }
        let created = run.tasks.into_iter().map(|task| tables.create(task, run.at));
        let task_ids: Vec<_> = created.collect();
        let stored = ScheduleRun {
            planned_at: key.1,
            manual: run.manual,
            fired_at: run.at,
            revision: run.revision,
            batch_id: (!task_ids.is_empty()).then_some(run.batch_id),
            first_task: task_ids.first().copied(),
            task_count: u32::try_from(task_ids.len()).unwrap_or(u32::MAX),
            remark: run.remark,
        };
        tables.schedules.runs.insert(key, stored);
        Ok(RunStored::Fired(task_ids))
    }
}
