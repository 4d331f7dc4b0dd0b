//! Tasks: the durable requests.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Failure, Package, ScheduleId, ScriptName, Serial, TaskId, Timestamp, Username};

/// Where a task is in its life. The same list stands in `migrations/` (CHECK) and in `docs/ARCHITECTURE.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for its `due_at`.
    Scheduled,
    /// May start as soon as its device and account are free.
    Available,
    /// An attempt of it is under way.
    Running,
    /// An attempt failed; another follows at `due_at` (or an open effect has to be verified).
    Retryable,
    /// Done, and its effect confirmed.
    Completed,
    /// Over without success; `failure` says why.
    Failed,
}

impl TaskState {
    /// All states, in the order of a task's life.
    pub const ALL: [Self; 6] = [
        Self::Scheduled,
        Self::Available,
        Self::Running,
        Self::Retryable,
        Self::Completed,
        Self::Failed,
    ];

    /// The word used in SQL and docs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The state named by `word`, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The API's number for it.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Scheduled | Self::Available | Self::Retryable => Status::Pending,
            Self::Running => Status::Running,
            Self::Completed => Status::Completed,
            Self::Failed => Status::Failed,
        }
    }
}

/// The status that the API shows (0 to 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 0
    Pending,
    /// 1
    Running,
    /// 2
    Completed,
    /// 3
    Failed,
}

impl Status {
    /// All, by number.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Running, Self::Completed, Self::Failed];

    /// The number.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Running => 1,
            Self::Completed => 2,
            Self::Failed => 3,
        }
    }

    /// The word shown as `status_text`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// Where a task came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A program, over HTTP.
    #[default]
    Api,
    /// A person, on the dashboard.
    Ui,
}

impl Source {
    /// The word used in the API and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Ui => "ui",
        }
    }
}

/// Whether an attempt does the work or only reads back whether an earlier one's effect took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Run the flow.
    #[default]
    Execute,
    /// Run only the flow's check.
    Verify,
}

impl Purpose {
    /// The word used in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Verify => "verify",
        }
    }
}

/// One task to be created: one script, one device or account.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// The batch (request) it belongs to; a ULID.
    pub batch_id: Arc<str>,
    /// The script that it runs.
    pub script: ScriptName,
    /// The script's parameters, validated, defaults filled in, fan-out already applied.
    pub config: Arc<Value>,
    /// The device, if it is known.
    pub serial: Option<Serial>,
    /// The account, if there is one.
    pub username: Option<Username>,
    /// As in the request.
    pub enable_multi_account: bool,
    /// Where it came from.
    pub source: Source,
    /// `"HH:MM"` as in the request.
    pub start_time: Option<String>,
    /// The instant that `start_time` meant.
    pub scheduled_at: Option<Timestamp>,
    /// Not before this; `None`: at once.
    pub due_at: Option<Timestamp>,
    /// Random gap kept after the start of the previous task of this batch on the same device.
    pub gap: Option<Duration>,
    /// -10..=10, higher first.
    pub priority: i8,
    /// The schedule that it is a run of.
    pub schedule: Option<ScheduleId>,
}

/// What the planner needs to know of a task that waits: small, since there may be many.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingTask {
    /// The task.
    pub id: TaskId,
    /// The batch it belongs to.
    pub batch_id: Arc<str>,
    /// Its script.
    pub script: ScriptName,
    /// The device that must do it.
    pub serial: Serial,
    /// The account that must do it.
    pub username: Option<Username>,
    /// Not before this.
    pub due_at: Option<Timestamp>,
    /// Kept after the start of the batch's other tasks on the device.
    pub gap: Option<Duration>,
    /// Higher first.
    pub priority: i8,
    /// What its next attempt is for.
    pub purpose: Purpose,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts that farmhand began by itself since a person last asked for the task.
    pub auto_retries: u32,
}

/// A task as it is stored and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The task's number.
    pub id: TaskId,
    /// What was asked for.
    pub request: NewTask,
    /// Where it is in its life.
    pub state: TaskState,
    /// What its next (or current) attempt is for.
    pub purpose: Purpose,
    /// When it was committed.
    pub created_at: Timestamp,
    /// Start of its latest attempt.
    pub started_at: Option<Timestamp>,
    /// When it was completed or failed.
    pub finished_at: Option<Timestamp>,
    /// How many times a person or program asked to retry it, plus automatic retries.
    pub retry_count: u32,
    /// How far the current attempt is.
    pub progress: Option<Progress>,
    /// One line that a person can act on.
    pub remark: String,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// How far an attempt is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Number of the current step, from 1.
    pub step: u32,
    /// Number of steps known so far.
    pub steps: u32,
    /// What the step does.
    pub label: String,
}

/// A request to create tasks, parsed and validated but not yet expanded to devices and accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitTasks {
    /// Devices or accounts.
    pub target: SubmitTarget,
    /// The script.
    pub script: ScriptName,
    /// One entry per task and device/account: the validated `script_config`, fanned out over its targets.
    pub configs: Vec<Arc<Value>>,
    /// Device mode: one task per enabled account of each device.
    pub enable_multi_account: bool,
    /// `"HH:MM"` as in the request.
    pub start_time: Option<String>,
    /// The next instant at which the farm's clock shows `start_time`.
    pub scheduled_at: Option<Timestamp>,
    /// Bounds of the random gap between this request's tasks on one device, minutes.
    pub interval_minutes: Option<(u32, u32)>,
    /// -10..=10, higher first.
    pub priority: i8,
    /// Where it came from.
    pub source: Source,
    /// Key, scope and hash of the body, so that a repeated request creates nothing.
    pub idempotency: Option<IdempotencyKey>,
    /// What the answer has to say besides (also stored for a repeated answer).
    pub warnings: Vec<String>,
}

/// Whom a request names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitTarget {
    /// Device mode: serials in the order of the request, without repeats.
    Devices(Vec<Serial>),
    /// Account mode: usernames in the order of the request, without repeats.
    Accounts(Vec<Username>),
}

/// An `Idempotency-Key` and what it was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the request's body, hex.
    pub body_hash: String,
}

/// The answer to [`SubmitTasks`]; everything in it is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// In the order of the request.
    pub task_ids: Vec<TaskId>,
    /// What the client should know.
    pub warnings: Vec<String>,
}

/// Exact numbers of tasks by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskStats {
    /// All tasks that are not deleted.
    pub total: u64,
    /// Status 0.
    pub pending: u64,
    /// Status 1.
    pub running: u64,
    /// Status 2.
    pub completed: u64,
    /// Status 3.
    pub failed: u64,
}

/// Which package an app name means, e.g. `tiktok` → `com.zhiliaoapp.musically`.
pub type AppPackages = BTreeMap<String, Package>;
