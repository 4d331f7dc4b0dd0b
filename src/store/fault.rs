//! Why a statement or a row could not be used, and what the callers of the store are told of it.

use farmhand_actors::{domain::Epoch, ports::StoreError};

/// A failure inside the store, before it becomes the port's [`StoreError`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// What was asked for contradicts what is stored.
    #[error("{0}")]
    Conflict(String),
    /// A stored value is not one that this program writes.
    #[error("{0}")]
    Row(String),
    /// An earlier write has left the disk in doubt: nothing is written any more.
    #[error(
        "an earlier write failed in a way that leaves the disk in doubt: farmhand ends; check the disk, then start it \
         again"
    )]
    Suspect,
    /// A newer process writes the database now.
    #[error(
        "a newer controller (epoch {newest}) has taken the database over; this one (epoch {own}) may write no more: \
         stop it"
    )]
    Superseded {
        /// Of this process.
        own: Epoch,
        /// Of the other.
        newest: Epoch,
    },
    /// The database said no.
    #[error("{0}")]
    Sql(#[from] sqlx::Error),
}

/// What follows from a failure for everybody else who wants to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only the operation that failed is concerned.
    Operation,
    /// The whole transaction is; a later one may succeed.
    Transaction,
    /// What is on the disk is in doubt: nothing may be written any more.
    Database,
}

/// Primary result codes of SQLite (<https://www.sqlite.org/rescode.html>) that mean something to us.
mod code {
    pub const BUSY: i32 = 5;
    pub const LOCKED: i32 = 6;
    pub const IO: i32 = 10;
    pub const CORRUPT: i32 = 11;
    pub const FULL: i32 = 13;
    pub const NOT_A_DATABASE: i32 = 26;
    /// Extended: the file that readers and the writer share cannot grow, which is how a full disk can show too.
    pub const SHARED_MEMORY_SIZE: i32 = 4874;
    /// Extended: UNIQUE, PRIMARY KEY and FOREIGN KEY constraints.
    pub const ROWS_IN_THE_WAY: [i32; 3] = [2067, 1555, 787];
}

impl Fault {
    /// How far the failure reaches.
    pub(super) fn reach(&self) -> Reach {
        let error = match self {
            Self::Sql(error) => error,
            Self::Suspect | Self::Superseded { .. } => return Reach::Transaction,
            Self::Conflict(_) | Self::Row(_) => return Reach::Operation,
        };
        if is_full(error) {
            return Reach::Transaction;
        }
        match (error, primary(error)) {
            (sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed, _)
            | (_, Some(code::IO | code::CORRUPT | code::NOT_A_DATABASE)) => Reach::Database,
            (_, Some(code::BUSY | code::LOCKED)) => Reach::Transaction,
            _ => Reach::Operation,
        }
    }

    /// Whether there is no room on the disk.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Sql(error) if is_full(error))
    }

    /// Whether the file itself is broken.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(primary(error), Some(code::CORRUPT | code::NOT_A_DATABASE)))
    }

    /// What the caller is told.
    pub(super) fn told(&self) -> StoreError {
        match self {
            Self::Conflict(text) => StoreError::Conflict(text.clone()),
            Self::Row(text) => StoreError::Broken(text.clone()),
            Self::Suspect => StoreError::Away(self.to_string()),
            Self::Superseded { .. } => StoreError::Conflict(self.to_string()),
            Self::Sql(error) => told_of_sql(error),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        fault.told()
    }
}

fn told_of_sql(error: &sqlx::Error) -> StoreError {
    match (error, primary(error)) {
        (sqlx::Error::PoolTimedOut, _) => StoreError::Away("all connections to it are in use".to_owned()),
        (sqlx::Error::PoolClosed, _) => StoreError::Away("it is shutting down".to_owned()),
        (_, Some(code::BUSY | code::LOCKED)) => StoreError::Away("another process is writing to it".to_owned()),
        _ if is_full(error) => StoreError::Full,
        _ if extended(error).is_some_and(|code| code::ROWS_IN_THE_WAY.contains(&code)) => {
            StoreError::Conflict(message(error))
        }
        _ => StoreError::Broken(message(error)),
    }
}

fn is_full(error: &sqlx::Error) -> bool {
    primary(error) == Some(code::FULL) || extended(error) == Some(code::SHARED_MEMORY_SIZE)
}

fn extended(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn primary(error: &sqlx::Error) -> Option<i32> {
    extended(error).map(|code| code & 0xff)
}

fn message(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
