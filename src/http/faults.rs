//! What the rooms behind the API answer when they cannot, as answers of the API.

use farmhand_actors::{
    domain::FieldError,
    ports::{DriverError, MediaError, StoreError},
    router::RouterError,
    supervisor::SupervisorError,
};

use super::{envelope::ApiError, ports::SentFlowError};

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            // The texts of the database stay in the log: they may name paths.
            StoreError::Away(problem) => {
                tracing::warn!(%problem, "the database is away");
                Self::unavailable("the database is away; try again")
            }
            StoreError::Full => Self::Unavailable {
                message: "the disk is full; nothing was written; free some space and try again".to_owned(),
                retry_after_s: 30,
            },
            StoreError::Conflict(problem) => Self::Conflict(problem),
            StoreError::Broken(problem) => Self::Internal(format!("the database failed: {problem}")),
        }
    }
}

impl From<RouterError> for ApiError {
    fn from(error: RouterError) -> Self {
        let message = error.to_string();
        match error {
            RouterError::UnknownDevices(serials) => Self::NotFound {
                message,
                unknown: names(&serials),
            },
            RouterError::UnknownAccounts(usernames) => Self::NotFound {
                message,
                unknown: names(&usernames),
            },
            RouterError::NoAccounts(serials) => Self::Invalid(
                serials
                    .iter()
                    .map(|serial| FieldError {
                        field: "enable_multi_account".to_owned(),
                        message: format!("no enabled account is bound to device {serial}; bind one or leave it out"),
                    })
                    .collect(),
            ),
            RouterError::Unbound(usernames) => Self::Invalid(
                usernames
                    .iter()
                    .map(|username| FieldError {
                        field: "usernames".to_owned(),
                        message: format!("account {username} is bound to no device; set its serial first"),
                    })
                    .collect(),
            ),
            RouterError::TooMany { of_accounts, .. } => {
                let field = if of_accounts { "usernames" } else { "serials" };
                Self::invalid(field, format!("{message}; split the request"))
            }
            RouterError::NotFound(_) => Self::not_found(message),
            RouterError::WrongState { .. } | RouterError::KeyReused => Self::Conflict(message),
            RouterError::Schedule(fault) => fault.into(),
            RouterError::Store(error) => error.into(),
            RouterError::Away | RouterError::TimedOut => Self::unavailable(message),
        }
    }
}

impl From<SupervisorError> for ApiError {
    fn from(error: SupervisorError) -> Self {
        let message = error.to_string();
        match error {
            SupervisorError::UnknownDevice(_)
            | SupervisorError::UnknownAccount(_)
            | SupervisorError::UnknownActor { .. } => Self::not_found(message),
            SupervisorError::AccountExists(_) | SupervisorError::WrongState(_) => Self::Conflict(message),
            SupervisorError::Store(error) => error.into(),
            SupervisorError::Away | SupervisorError::TimedOut => Self::unavailable(message),
        }
    }
}

impl From<DriverError> for ApiError {
    fn from(error: DriverError) -> Self {
        let message = error.to_string();
        match error {
            DriverError::ServerDown { .. } | DriverError::Crowded { .. } => Self::unavailable(message),
            DriverError::Untypable { .. } => Self::invalid("text", message),
            DriverError::HostFile { problem } => Self::Internal(problem),
            DriverError::NotReady { .. }
            | DriverError::Lost { .. }
            | DriverError::TimedOut { .. }
            | DriverError::Refused { .. }
            | DriverError::WrongDevice { .. }
            | DriverError::Fenced { .. }
            | DriverError::Restarted { .. }
            | DriverError::AppMissing { .. }
            | DriverError::Hierarchy { .. }
            | DriverError::Breaker { .. } => Self::Conflict(message),
        }
    }
}

impl From<SentFlowError> for ApiError {
    fn from(error: SentFlowError) -> Self {
        match error {
            SentFlowError::Invalid(faults) => Self::Invalid(faults),
            SentFlowError::Host(problem) => Self::Internal(problem),
        }
    }
}

impl From<MediaError> for ApiError {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Missing(problem) | MediaError::Invalid(problem) => Self::invalid("file", problem),
            MediaError::Host(problem) => Self::Internal(problem),
        }
    }
}

fn names<T: ToString>(things: &[T]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}
