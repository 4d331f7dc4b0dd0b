//! Schedules of paper.

use std::sync::Mutex;

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        ScheduleId, SubmitTasks, TaskId, Timestamp,
        schedule::{Schedule, ScheduleRun, ScheduleSpec},
    },
    ports::StoreError,
    router::{RouterError, RunStarted, ScheduleFault},
};

use super::ports::{ScheduleShown, Schedules};
use crate::http::testing::now;

/// What was stored, in order, and what each change was asked to do.
#[derive(Default)]
pub struct FakeSchedules {
    pub rows: Mutex<Vec<Schedule>>,
    /// Whether a run's request was to be looked at, and whether the next run was to be planned anew.
    pub changes: Mutex<Vec<(bool, bool)>>,
    /// What had its run already.
    pub ran: Mutex<Vec<Timestamp>>,
}

impl FakeSchedules {
    fn shown(&self) -> Vec<ScheduleShown> {
        let rows = self.rows.lock().unwrap().clone();
        let run = |schedule: &Schedule| ScheduleRun {
            planned_at: now(),
            manual: false,
            fired_at: now(),
            revision: schedule.revision,
            batch_id: Some("01J00000000000000000000000".to_owned()),
            first_task: Some(TaskId(7)),
            task_count: 2,
            remark: None,
        };
        rows.into_iter()
            .map(|schedule| ScheduleShown {
                last_run: (schedule.revision > 1).then(|| run(&schedule)),
                schedule,
                ran: self.ran.lock().unwrap().clone(),
            })
            .collect()
    }
}

#[async_trait(?Send)]
impl Schedules for FakeSchedules {
    async fn list(&self) -> Result<Vec<ScheduleShown>, StoreError> {
        Ok(self.shown())
    }

    async fn find(&self, id: ScheduleId) -> Result<Option<ScheduleShown>, StoreError> {
        Ok(self.shown().into_iter().find(|shown| shown.schedule.id == id))
    }

    async fn create(&self, spec: ScheduleSpec, _: SubmitTasks) -> Result<ScheduleId, RouterError> {
        let mut rows = self.rows.lock().unwrap();
        if rows.iter().any(|row| row.spec.name == spec.name) {
            return Err(ScheduleFault::NameTaken(spec.name).into());
        }
        let id = ScheduleId(rows.len() as i64 + 1);
        rows.push(Schedule {
            id,
            revision: 1,
            next: spec.recurrence.next_after(now()).filter(|_| spec.enabled),
            spec,
            seed: 7,
            planned_since: now(),
            created_at: now(),
            updated_at: now(),
        });
        Ok(id)
    }

    async fn change(
        &self,
        (id, revision): (ScheduleId, u32),
        spec: ScheduleSpec,
        request: Option<SubmitTasks>,
        replan: bool,
    ) -> Result<(), RouterError> {
        self.changes.lock().unwrap().push((request.is_some(), replan));
        let mut rows = self.rows.lock().unwrap();
        let row = rows.iter_mut().find(|row| row.id == id && row.revision == revision);
        let row = row.ok_or(ScheduleFault::Changed(id))?;
        if replan {
            row.next = spec.recurrence.next_after(now()).filter(|_| spec.enabled);
            row.planned_since = now();
        }
        row.spec = spec;
        row.revision += 1;
        Ok(())
    }

    async fn delete(&self, id: ScheduleId) -> Result<(), RouterError> {
        let mut rows = self.rows.lock().unwrap();
        let place = rows
            .iter()
            .position(|row| row.id == id)
            .ok_or(ScheduleFault::NotFound(id))?;
        rows.remove(place);
        Ok(())
    }

    async fn run(&self, id: ScheduleId) -> Result<RunStarted, RouterError> {
        let known = self.rows.lock().unwrap().iter().any(|row| row.id == id);
        known.then_some(()).ok_or(ScheduleFault::NotFound(id))?;
        Ok(RunStarted {
            batch_id: "01J00000000000000000000000".to_owned(),
            task_ids: vec![TaskId(7), TaskId(8)],
            warnings: Vec::new(),
        })
    }
}
