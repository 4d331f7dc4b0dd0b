//! What HTTP reads, and the keys to it.

use std::collections::HashMap;

use farmhand_actors::{
    domain::{
        Attempt, IdempotencyKey, Material, ScheduleId, ScriptName, Task, TaskId, TaskStats, Timestamp,
        schedule::{Schedule, ScheduleRun},
    },
    ports::{StoreError, SubmitResult},
};

use super::{
    ApiKey, EventPage, LeaseHolder, NewKey, Store, TaskFilter, api_key, attempt, event, idempotency, list, material,
    schedule, task,
};

/// Every function fails with the store's errors.
impl Store {
    /// One task; `None` when there is no such one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn get_task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(task::find_task(self.reader().await?.conn()?, id).await?)
    }

    /// How many tasks the filter names, and those of one page (from 1), newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_tasks(
        &self,
        filter: &TaskFilter,
        page: u32,
        page_size: u32,
    ) -> Result<(u64, Vec<Task>), StoreError> {
        Ok(list::list_tasks(self.reader().await?.conn()?, filter, page, page_size).await?)
    }

    /// Scripts of flows that were sent by themselves and that a task names.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_sent_scripts(&self) -> Result<Vec<ScriptName>, StoreError> {
        Ok(list::list_sent_scripts(self.reader().await?.conn()?).await?)
    }

    /// A task's attempts with their steps, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_attempts(&self, id: TaskId) -> Result<Vec<Attempt>, StoreError> {
        Ok(attempt::list_attempts(self.reader().await?.conn()?, id).await?)
    }

    /// Which devices and accounts are leased to which attempt since when, by serial.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn lease_holders(&self) -> Result<Vec<LeaseHolder>, StoreError> {
        Ok(attempt::list_holders(self.reader().await?.conn()?).await?)
    }

    /// All schedules, by number, each with its latest run; without those that this version does not understand, which
    /// the log names when the schedules are loaded.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_schedules(&self) -> Result<Vec<(Schedule, Option<ScheduleRun>)>, StoreError> {
        let mut reader = self.reader().await?;
        let (schedules, _) = schedule::list_schedules(reader.conn()?).await?;
        Ok(schedule::with_latest_runs(reader.conn()?, schedules).await?)
    }

    /// One schedule with its latest run; `None` when there is no such one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find_schedule(&self, id: ScheduleId) -> Result<Option<(Schedule, Option<ScheduleRun>)>, StoreError> {
        let mut reader = self.reader().await?;
        let found = schedule::find_schedule(reader.conn()?, id).await?;
        let found = schedule::with_latest_runs(reader.conn()?, found.into_iter().collect()).await?;
        Ok(found.into_iter().next())
    }

    /// Instants from `since` on for which these schedules had planned runs with tasks.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn planned_runs(
        &self,
        schedules: &[ScheduleId],
        since: Timestamp,
    ) -> Result<HashMap<ScheduleId, Vec<Timestamp>>, StoreError> {
        Ok(schedule::list_planned_runs(self.reader().await?.conn()?, schedules, since).await?)
    }

    /// Exact numbers of tasks by status.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn stats(&self) -> Result<TaskStats, StoreError> {
        Ok(task::count_tasks(self.reader().await?.conn()?).await?)
    }

    /// What a request with this key was answered with in the last 24 hours; `None`: nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find_answer(&self, key: &IdempotencyKey, at: Timestamp) -> Result<Option<SubmitResult>, StoreError> {
        let answers = idempotency::find_answers(self.reader().await?.conn()?, std::iter::once(key)).await?;
        Ok(answers.result_for(key, at)?)
    }

    /// All materials, by `sort_order`, then id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_materials(&self) -> Result<Vec<Material>, StoreError> {
        Ok(material::list_materials(self.reader().await?.conn()?).await?)
    }

    /// Events after `seq`, at most `limit`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn events_after(&self, seq: i64, limit: u32) -> Result<EventPage, StoreError> {
        Ok(event::list_events(self.reader().await?.conn()?, seq, limit).await?)
    }

    /// Whether the database answers and may be written.
    ///
    /// # Errors
    /// Why not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if self.is_suspect() {
            return Err(StoreError::Broken(
                "an earlier write failed: stop farmhand and check the disk".to_owned(),
            ));
        }
        if self.queue.is_closed() {
            return Err(super::shutting_down());
        }
        task::count_tasks(self.reader().await?.conn()?).await?;
        Ok(())
    }

    /// Stores a key to the API.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the prefix is taken.
    pub async fn create_key(&self, key: NewKey) -> Result<ApiKey, StoreError> {
        self.write(key, api_key::create_key).await
    }

    /// All keys, oldest first, revoked ones too.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        Ok(api_key::list_keys(self.reader().await?.conn()?).await?)
    }

    /// The key with this prefix, also a revoked one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find_key(&self, prefix: &str) -> Result<Option<ApiKey>, StoreError> {
        Ok(api_key::find_key(self.reader().await?.conn()?, prefix).await?)
    }

    /// Revokes a key; `false` when there is none with this prefix that is not revoked.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn revoke_key(&self, prefix: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.write((prefix.to_owned(), at), api_key::revoke_key).await
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn touch_key(&self, id: i64, at: Timestamp) -> Result<(), StoreError> {
        self.write((id, at), api_key::touch_key).await
    }
}
