//! Attempts and their steps.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    AccountRef, AttemptId, Epoch, FailureReason, NewTask, Permit, Purpose, ScriptName, Serial, TaskId, Timestamp,
    Username,
};

/// The right to act for one attempt: writes and acting commands that carry another one are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The controller's start that gave it.
    pub epoch: Epoch,
    /// Unique per attempt; also written to the phone, where acting commands compare it.
    pub token: Arc<str>,
}

/// All that a device needs to run one attempt.
#[derive(Debug, Clone)]
pub struct AttemptSpec {
    /// The task.
    pub task: TaskId,
    /// The attempt's row.
    pub attempt: AttemptId,
    /// 1 for the task's first attempt.
    pub number: u32,
    /// Do the work, or only verify it.
    pub purpose: Purpose,
    /// The script.
    pub script: ScriptName,
    /// Its parameters.
    pub config: Arc<Value>,
    /// The device.
    pub serial: Serial,
    /// The account, if there is one.
    pub account: Option<AccountRef>,
    /// The device's own app, for an attempt without an account; `None`: the usual one.
    pub app: Option<String>,
    /// The right to act.
    pub lease: Lease,
    /// Wall time that the attempt may take.
    pub time_limit: Duration,
    /// Chosen once per task, so that every attempt makes the same random choices (caption, sound).
    pub seed: u64,
    /// `X-Request-Id` of the request that created the task, for the logs.
    pub request_id: Option<Arc<str>>,
    /// What its account lets it do.
    pub permit: Arc<Permit>,
}

impl AttemptSpec {
    /// The same on a device that is for this app.
    #[must_use]
    pub fn on_a_device_for(self: Arc<Self>, app: Option<&str>) -> Arc<Self> {
        if app.is_none() {
            return self;
        }
        Arc::new(Self {
            app: app.map(str::to_owned),
            ..Self::clone(&self)
        })
    }
}

/// A claim of a pending task for a device: the store makes it an attempt or refuses.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The task.
    pub task: TaskId,
    /// On which device.
    pub serial: Serial,
    /// For which account.
    pub username: Option<Username>,
    /// The right to act, to be stored with the attempt.
    pub lease: Lease,
    /// The start of the attempt.
    pub at: Timestamp,
}

/// A claim for a task that is about to be created: its device has nothing else to do.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimAhead {
    /// Which of the request's tasks, from 0.
    pub place: usize,
    /// The right to act.
    pub lease: Lease,
}

impl ClaimAhead {
    /// The claim, with the numbers that the request's tasks were given; `None` when the request has no such task, or it
    /// names no device.
    #[must_use]
    pub fn claim(&self, tasks: &[NewTask], ids: &[TaskId], at: Timestamp) -> Option<Claim> {
        let task = tasks.get(self.place)?;
        Some(Claim {
            task: *ids.get(self.place)?,
            serial: task.serial.clone()?,
            username: task.username.clone(),
            lease: self.lease.clone(),
            at,
        })
    }
}

/// A claim that was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The task.
    pub task: TaskId,
    /// The attempt's row.
    pub attempt: AttemptId,
    /// 1 for the task's first attempt.
    pub number: u32,
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The script.
    pub script: ScriptName,
    /// Its parameters.
    pub config: Arc<Value>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Under way (or cut off, when the attempt is over).
    Running,
    /// It did what it should.
    Completed,
    /// Its condition did not hold.
    Skipped,
    /// It failed but is optional.
    Warned,
    /// It failed.
    Failed,
}

impl StepState {
    /// The word used in the API and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Skipped => "skipped",
            Self::Warned => "warned",
            Self::Failed => "failed",
        }
    }
}

/// One executed step of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// From 1, in the order of execution.
    pub index: u32,
    /// The command's key, e.g. `tapOn`.
    pub command: String,
    /// What it does, for people.
    pub label: String,
    /// How it went.
    pub state: StepState,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, milliseconds.
    pub duration_ms: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
    /// What the selector matched, how long it waited: free-form evidence.
    pub detail: Option<Value>,
    /// Name of the screenshot's file below `<data_dir>/evidence`.
    pub screenshot: Option<String>,
    /// Name of the hierarchy's file below `<data_dir>/evidence`.
    pub hierarchy: Option<String>,
}

/// An attempt as it is stored and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The row.
    pub id: AttemptId,
    /// 1 for the task's first.
    pub number: u32,
    /// What it was for.
    pub purpose: Purpose,
    /// The device.
    pub serial: Serial,
    /// The account.
    pub username: Option<Username>,
    /// When it was claimed.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// `completed`, a failure reason, `unverified` or `abandoned`; `None` while it runs.
    pub outcome: Option<String>,
    /// SHA-256 of the flow that it runs with all that it includes, hex; `None` until it has begun.
    pub flow_hash: Option<String>,
    /// Its steps.
    pub steps: Vec<StepRecord>,
}

/// An attempt that a former start of the controller left open, as found at boot.
#[derive(Debug, Clone, PartialEq)]
pub struct Rescued {
    /// The task.
    pub task: TaskId,
    /// The attempt that was cut off.
    pub attempt: AttemptId,
    /// What became of the task.
    pub verdict: RescueVerdict,
}

/// What becomes of a task whose attempt was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescueVerdict {
    /// No effect was open: the flow runs again.
    Repeat,
    /// An effect is open: its check runs.
    Verify,
    /// The effect was already confirmed: the task is completed.
    Completed,
    /// It was being stopped, or has killed the controller too often.
    Failed(FailureReason),
}
