//! What happened, for those who follow the farm.

use serde::Serialize;
use serde_json::Value;

use super::Timestamp;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventTopic {
    /// A task changed.
    Task,
    /// A device changed.
    Device,
    /// An account changed.
    Account,
    /// An actor was started, restarted or quarantined.
    Supervisor,
}

impl EventTopic {
    /// All topics.
    pub const ALL: [Self; 4] = [Self::Task, Self::Device, Self::Account, Self::Supervisor];

    /// The word used in the API and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Device => "device",
            Self::Account => "account",
            Self::Supervisor => "supervisor",
        }
    }
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What it is about.
    pub topic: EventTopic,
    /// What happened, e.g. `task.completed`.
    pub kind: String,
    /// Of which thing: a task id, a serial, a username, an actor's name.
    pub subject: String,
    /// The rest.
    pub data: Value,
}

/// Something that was told, with its place in the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place; the id of the SSE message.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub event: NewEvent,
}
