//! What the API needs from the rooms behind it. Handlers see only these, so that tests can stand in for a farm.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        AccountPatch, Attempt, DevicePatch, Drain, Event, FailureReason, FieldError, IdempotencyKey, Material,
        MaterialId, Screenshot, ScriptName, Serial, Source, Status, SubmitTasks, Submitted, Task, TaskId, TaskStats,
        Timestamp, Username, ValidConfig,
    },
    ports::{DeviceDriver, MediaError, Resolution, RetryFilter, StoreError, SubmitResult},
    router::{Deleted, RetryAllAnswer, RouterError},
    supervisor::{AccountEdit, AccountSnapshot, ActorSnapshot, DeviceSnapshot, NewAccount, SupervisorError},
};
use serde_json::Value;

/// Commands to the task router ([`farmhand_actors::router::RouterHandle`] is the real one).
#[async_trait(?Send)]
pub trait TaskCommands: Send + Sync {
    /// Creates tasks: all, committed, or none.
    async fn submit(&self, request: SubmitTasks) -> Result<Submitted, RouterError>;
    /// Stops a task.
    async fn stop(&self, task: TaskId) -> Result<(), RouterError>;
    /// Failed → pending.
    async fn retry(&self, task: TaskId) -> Result<(), RouterError>;
    /// All that failed → pending.
    async fn retry_all(&self, filter: RetryFilter) -> Result<RetryAllAnswer, RouterError>;
    /// Deletes tasks, running ones after a stop.
    async fn delete(&self, tasks: Vec<TaskId>) -> Result<Deleted, RouterError>;
    /// A person's word on an unknown outcome.
    async fn resolve(&self, resolution: Resolution) -> Result<(), RouterError>;
    /// Begins or ends a drain of a device (`None`: of the farm); answers all drains.
    async fn set_drain(&self, serial: Option<Serial>, draining: bool) -> Result<Vec<Drain>, RouterError>;
    /// Where no attempt begins.
    async fn drains(&self) -> Result<Vec<Drain>, RouterError>;
    /// Why those of some tasks have not started that are pending.
    async fn waiting_for(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, String)>, RouterError>;
}

/// Devices, accounts and actors ([`farmhand_actors::supervisor::SupervisorHandle`] is the real one).
#[async_trait(?Send)]
pub trait Farm: Send + Sync {
    /// All devices, by serial.
    async fn devices(&self) -> Result<Vec<DeviceSnapshot>, SupervisorError>;
    /// One device.
    async fn device(&self, serial: Serial) -> Result<DeviceSnapshot, SupervisorError>;
    /// Changes a device.
    async fn patch_device(&self, serial: Serial, patch: DevicePatch) -> Result<DeviceSnapshot, SupervisorError>;
    /// Puts a device into quarantine.
    async fn quarantine_device(&self, serial: Serial, reason: String) -> Result<DeviceSnapshot, SupervisorError>;
    /// Lets a device out of quarantine.
    async fn release_device(&self, serial: Serial) -> Result<DeviceSnapshot, SupervisorError>;
    /// A driver for a person's own calls; `acting` ones are refused while a task runs.
    async fn driver(&self, serial: Serial, acting: bool) -> Result<Arc<dyn DeviceDriver>, SupervisorError>;
    /// All accounts, by name.
    async fn accounts(&self) -> Result<Vec<AccountSnapshot>, SupervisorError>;
    /// One account.
    async fn account(&self, username: Username) -> Result<AccountSnapshot, SupervisorError>;
    /// Creates an account.
    async fn create_account(&self, account: NewAccount) -> Result<AccountSnapshot, SupervisorError>;
    /// Changes an account.
    async fn patch_account(&self, username: Username, patch: AccountPatch) -> Result<AccountSnapshot, SupervisorError>;
    /// Creates and changes accounts: all of them or none.
    async fn import_accounts(&self, edits: Vec<AccountEdit>) -> Result<(), SupervisorError>;
    /// Deletes an account.
    async fn delete_account(&self, username: Username) -> Result<(), SupervisorError>;
    /// `needs_attention` or `cooldown` → `active`.
    async fn resume_account(&self, username: Username) -> Result<AccountSnapshot, SupervisorError>;
    /// The tree of actors.
    async fn tree(&self) -> Result<Vec<ActorSnapshot>, SupervisorError>;
    /// Rebuilds an actor now.
    async fn restart(&self, kind: String, name: String) -> Result<ActorSnapshot, SupervisorError>;
}

/// Which tasks to list; `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Only with this status.
    pub status: Option<Status>,
    /// Only of this device.
    pub serial: Option<Serial>,
    /// Only of this account.
    pub username: Option<Username>,
    /// Only of this script.
    pub script_name: Option<ScriptName>,
    /// Only from there.
    pub source: Option<Source>,
    /// Only of this batch.
    pub batch_id: Option<String>,
    /// Only failed for this reason.
    pub failure_reason: Option<FailureReason>,
}

/// A device and perhaps an account that are leased to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// The device.
    pub serial: Serial,
    /// The account.
    pub username: Option<Username>,
    /// Whose they are.
    pub task: TaskId,
    /// Which of the task's attempts: 1 for the first.
    pub attempt: u32,
    /// The lease's number, without what makes it unguessable.
    pub token: String,
    /// Since when.
    pub since: Timestamp,
}

/// Some events, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    /// After the asked-for place; at most as many as asked for.
    pub events: Vec<Event>,
    /// Place of the oldest event that is still kept; those before it are gone.
    pub oldest_retained: i64,
}

/// An API key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The part by which it is found; also its name in logs.
    pub prefix: String,
    /// SHA-256 of the whole key, hex ([`super::auth::hash_key`]).
    pub hash: String,
    /// `read`, `write`, `admin`; each includes those before it.
    pub scopes: Vec<String>,
    /// Not valid from then on.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within a minute.
    pub last_used: Option<Timestamp>,
}

/// What the store can tell (`crate::store::Store` is the real one).
#[async_trait(?Send)]
pub trait Reads: Send + Sync {
    /// One task.
    async fn get_task(&self, task: TaskId) -> Result<Option<Task>, StoreError>;
    /// One page of tasks, newest first, and how many there are in all.
    async fn list_tasks(&self, filter: &TaskFilter, page: u32, page_size: u32) -> Result<(u64, Vec<Task>), StoreError>;
    /// A task's attempts, oldest first.
    async fn list_attempts(&self, task: TaskId) -> Result<Vec<Attempt>, StoreError>;
    /// Who holds what, by serial.
    async fn leases(&self) -> Result<Vec<HeldLease>, StoreError>;
    /// Exact counts.
    async fn stats(&self) -> Result<TaskStats, StoreError>;
    /// What a request with this key was answered with within its window; `None`: nothing.
    async fn find_answer(&self, key: &IdempotencyKey, at: Timestamp) -> Result<Option<SubmitResult>, StoreError>;
    /// The material library.
    async fn list_materials(&self) -> Result<Vec<Material>, StoreError>;
    /// Events after a place.
    async fn events_after(&self, seq: i64, limit: u32) -> Result<EventPage, StoreError>;
    /// The place of the newest event, as it grows.
    fn event_watch(&self) -> tokio::sync::watch::Receiver<i64>;
    /// An API key that was not revoked.
    async fn find_key(&self, prefix: &str) -> Result<Option<KeyRecord>, StoreError>;
    /// Remembers that a key was used.
    async fn touch_key(&self, prefix: &str, at: Timestamp) -> Result<(), StoreError>;
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// A flow that was sent by itself, with all that it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentFlow {
    /// The flow's path in `files`.
    pub main: String,
    /// Contents by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Variables, set before the flow's own.
    pub env: BTreeMap<String, String>,
}

/// Why a flow that was sent by itself was not stored.
#[derive(Debug, Clone)]
pub enum SentFlowError {
    /// Every fault of it at once.
    Invalid(Vec<FieldError>),
    /// A fault of the host's, for the log.
    Host(String),
}

/// Where flows are stored that are sent by themselves (`crate::flow::FlowCatalog` is the real one).
#[async_trait(?Send)]
pub trait SentFlows: Send + Sync {
    /// Checks the flow as a script, and its `script_config`, and stores it: on return it is durable. Answers the name
    /// of its script.
    async fn keep(&self, flow: SentFlow, config: &Value) -> Result<(ScriptName, ValidConfig), SentFlowError>;
}

/// How a picture is to be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFormat {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
}

/// Encodes screenshots. Called on a thread that may block.
pub trait Pictures: Send + Sync {
    /// The picture in `format`, scaled down to `width` pixels if that is less than it has.
    ///
    /// # Errors
    /// In a line, why it cannot be encoded.
    fn encode(&self, screenshot: &Screenshot, format: PictureFormat, width: Option<u32>) -> Result<Vec<u8>, String>;
}

/// A file that was uploaded for the material library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// The name it was uploaded with, without a path.
    pub name: String,
    /// Where its bytes lie; removed after the call, so the library moves or copies it.
    pub path: PathBuf,
    /// Tags.
    pub tags: Vec<String>,
    /// Only for this account.
    pub username: Option<Username>,
    /// Default caption.
    pub caption: Option<String>,
    /// Smaller first.
    pub sort_order: i64,
}

/// The material library.
#[async_trait(?Send)]
pub trait Library: Send + Sync {
    /// Checks the file by its content and keeps it.
    async fn add(&self, upload: NewUpload) -> Result<Material, MediaError>;
    /// Deletes a material; answers whether there was one.
    async fn delete(&self, id: MaterialId) -> Result<bool, MediaError>;
}
