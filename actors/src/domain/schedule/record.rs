//! Schedules and their runs, as they are stored.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Misfire, Recurrence};
use crate::domain::{ScheduleId, ScriptName, Source, SubmitTarget, SubmitTasks, TaskId, Timestamp, ValidConfig};

/// The task request that each run repeats. Whether the script, the devices and the accounts are still there is asked
/// again by each run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduledRequest {
    /// Devices or accounts.
    pub target: SubmitTarget,
    /// The script.
    pub script: ScriptName,
    /// Its parameters as they were written: each run validates them against the script as it is then.
    pub config: Value,
    /// Device mode: one task per enabled account of each device.
    pub enable_multi_account: bool,
    /// Bounds of the random gap between a run's tasks on one device, minutes.
    pub interval_minutes: Option<(u32, u32)>,
    /// -10..=10, higher first.
    pub priority: i8,
    /// Where the schedule came from, and so its tasks.
    pub source: Source,
}

impl ScheduledRequest {
    /// The request of one run.
    #[must_use]
    pub fn submit(&self, valid: ValidConfig) -> SubmitTasks {
        SubmitTasks {
            target: self.target.clone(),
            script: self.script.clone(),
            configs: valid.configs,
            enable_multi_account: self.enable_multi_account,
            start_time: None,
            scheduled_at: None,
            interval_minutes: self.interval_minutes,
            priority: self.priority,
            source: self.source,
            idempotency: None,
            warnings: valid.warnings,
        }
    }
}

/// What a person says of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleSpec {
    /// For people; no two schedules have the same.
    pub name: String,
    /// What each run does.
    pub request: ScheduledRequest,
    /// When.
    pub recurrence: Recurrence,
    /// What becomes of missed runs.
    pub misfire: Misfire,
    /// Most missed runs that `run_all` makes up for, from 1.
    pub misfire_cap: u32,
    /// Whether it fires.
    pub enabled: bool,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its number.
    pub id: ScheduleId,
    /// Grows with each change by a person: a run of an older one is not stored.
    pub revision: u32,
    /// What a person says of it.
    pub spec: ScheduleSpec,
    /// Feeds the random delays of its runs.
    pub seed: u64,
    /// The earliest run that was not dealt with; `None` while it is disabled.
    pub next: Option<Timestamp>,
    /// When it was created, enabled or given other times last: what was planned for before is not made up for.
    pub planned_since: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// When a person changed it last.
    pub updated_at: Timestamp,
}

/// One run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRun {
    /// For when it was planned; for one by hand, when it was asked for.
    pub planned_at: Timestamp,
    /// Whether a person asked for it.
    pub manual: bool,
    /// When its tasks were created.
    pub fired_at: Timestamp,
    /// The schedule's revision that it is a snapshot of.
    pub revision: u32,
    /// The batch of its tasks; `None` when there are none.
    pub batch_id: Option<String>,
    /// The first of its tasks; their ids follow one another.
    pub first_task: Option<TaskId>,
    /// How many tasks it created.
    pub task_count: u32,
    /// Why it created none, or what it found besides.
    pub remark: Option<String>,
}

impl ScheduleRun {
    /// The ids of the tasks that it created, also of those deleted since.
    pub fn task_ids(&self) -> impl Iterator<Item = TaskId> {
        let first = self.first_task.map_or(0, |task| task.0);
        (0..i64::from(self.task_count)).map(move |place| TaskId(first + place))
    }
}
