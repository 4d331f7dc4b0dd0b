//! What the supervisor can be asked, and what it answers.

use actix::Message;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        AccountPatch, AccountRecord, DeviceEvidence, DeviceInfo, DeviceState, Generation, Limits, Package, Presence,
        QuarantineInfo, ScriptName, Serial, TaskId, Timestamp, Username,
    },
    ports::StoreError,
};

/// Why the supervisor did not do it; nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SupervisorError {
    /// No such device.
    #[error("device {0} does not exist")]
    UnknownDevice(Serial),
    /// No such account.
    #[error("account {0} does not exist")]
    UnknownAccount(Username),
    /// No such actor.
    #[error("there is no {kind} actor named {name}")]
    UnknownActor {
        /// As asked.
        kind: String,
        /// As asked.
        name: String,
    },
    /// The name is taken.
    #[error("account {0} exists already")]
    AccountExists(Username),
    /// Its state does not allow it; text says what would be right.
    #[error("{0}")]
    WrongState(String),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Shutting down, or being rebuilt.
    #[error("the supervisor is not available")]
    Away,
    /// No answer within the ask timeout.
    #[error("the supervisor did not answer in time")]
    TimedOut,
}

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The supervisor itself.
    Supervisor,
    /// The task router.
    Router,
    /// A device's.
    Device,
    /// An account's.
    Account,
    /// The adb watcher's.
    Watcher,
}

impl ActorKind {
    /// The word used in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
            Self::Router => "router",
            Self::Device => "device",
            Self::Account => "account",
            Self::Watcher => "watcher",
        }
    }
}

/// How an actor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorState {
    /// Its first heartbeat has not come yet.
    Starting,
    /// Progressing.
    Running,
    /// It ended; it is rebuilt after its back-off.
    BackingOff,
    /// It ended too often; a person has to restart it.
    Quarantined,
    /// Stopped on purpose.
    Stopped,
}

/// One actor of the tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActorSnapshot {
    /// What it is.
    pub kind: ActorKind,
    /// A serial, a username, or the kind's own name.
    pub name: String,
    /// How it does.
    pub state: ActorState,
    /// In this state since.
    pub since: Timestamp,
    /// How many times it was rebuilt.
    pub restarts: u32,
    /// When it last made progress.
    pub last_heartbeat: Option<Timestamp>,
    /// Messages that wait for it.
    pub mailbox_depth: usize,
    /// What it is working on.
    pub current_task: Option<TaskId>,
    /// The state of the phone, for a device's actor.
    pub device_state: Option<DeviceState>,
    /// Why the farm as a whole needs a person, for the supervisor itself.
    pub alarm: Option<String>,
    /// Its incarnation.
    pub generation: u64,
}

/// A device as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceSnapshot {
    /// Its serial.
    pub serial: Serial,
    /// A person's name for it.
    pub alias: Option<String>,
    /// For filters.
    pub tags: Vec<String>,
    /// The app of its tasks without an account; `None`: the usual one.
    pub app: Option<String>,
    /// Whether it may be given tasks.
    pub enabled: bool,
    /// Its state.
    pub state: DeviceState,
    /// In this state since.
    pub since: Timestamp,
    /// Why it is in this state.
    pub cause: String,
    /// What a person can do, or what farmhand will do next.
    pub next_action: String,
    /// What the state rests on.
    pub evidence: DeviceEvidence,
    /// That it rests, or that a person has put it into quarantine.
    pub quarantine: Option<QuarantineInfo>,
    /// The last that it said of itself.
    pub info: DeviceInfo,
    /// Accounts bound to it, by name.
    pub accounts: Vec<Username>,
    /// The account that acts on it, or acted last.
    pub current_account: Option<Username>,
    /// The task that runs on it.
    pub current_task: Option<TaskId>,
    /// Since when the task holds it.
    pub leased_since: Option<Timestamp>,
    /// When it was last seen online.
    pub last_seen: Option<Timestamp>,
    /// How many times its actor was rebuilt.
    pub restarts: u32,
}

/// An account as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountSnapshot {
    /// What is stored.
    pub record: AccountRecord,
    /// The package that its app means.
    pub package: Option<Package>,
    /// Its limits, the farm's defaults filled in.
    pub effective_limits: Limits,
    /// Confirmed uses by script: in the last hour, and today.
    pub counters: Vec<UseCounter>,
    /// The task that it is leased to.
    pub current_task: Option<TaskId>,
}

/// How often an account has done one script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UseCounter {
    /// The script.
    pub script: ScriptName,
    /// In the last 60 minutes.
    pub last_hour: u32,
    /// Since midnight in the farm's zone.
    pub today: u32,
}

/// An account to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAccount {
    /// Its name.
    pub username: Username,
    /// Its app.
    pub app: String,
    /// Its package, if it is not the usual one.
    pub package: Option<Package>,
    /// The device that it is bound to.
    pub serial: Option<Serial>,
    /// Whether it starts switched off.
    pub disabled: bool,
    /// Its own limits.
    pub limits: Limits,
}

/// One account of an import.
#[derive(Debug, Clone, PartialEq)]
pub enum AccountEdit {
    /// It is created.
    New(NewAccount),
    /// It exists, and what is named is changed.
    Patch(Username, AccountPatch),
}

impl AccountEdit {
    /// Whose.
    #[must_use]
    pub fn username(&self) -> &Username {
        match self {
            Self::New(new) => &new.username,
            Self::Patch(username, _) => username,
        }
    }

    /// The device that it is to be bound to.
    #[must_use]
    pub fn serial(&self) -> Option<&Serial> {
        match self {
            Self::New(new) => new.serial.as_ref(),
            Self::Patch(_, patch) => patch.serial.as_ref()?.as_ref(),
        }
    }
}

/// All phones that one adb server shows, each time that something changed (or the server went away: empty).
#[derive(Debug, Clone, PartialEq, Message)]
#[rtype(result = "()")]
pub struct PresenceReport {
    /// Which adb server, `host:port`.
    pub server: String,
    /// What it shows.
    pub devices: Vec<Presence>,
    /// Why it shows nothing, when it is away.
    pub problem: Option<String>,
}

/// An account's actor has changed its record (status, last use).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct AccountRecordChanged(pub AccountRecord);

/// A device has failed too often and asks whether it may rest.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct QuarantineAsked {
    /// Which.
    pub serial: Serial,
    /// Its incarnation.
    pub generation: Generation,
}

/// A device's actor does not do what the router tells it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct RebuildDevice {
    /// Which.
    pub serial: Serial,
    /// The incarnation that is meant.
    pub generation: Generation,
}
