//! What can be wrong with a request to the world.

use super::fault::FaultKind;

/// A request that names something which is not there, or a parameter that does not fit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorldError {
    /// No such fault.
    #[error("unknown fault kind `{kind}`; known are {}", FaultKind::names())]
    UnknownFault {
        /// As given.
        kind: String,
    },
    /// A fault's parameter is missing or of the wrong type.
    #[error("fault `{kind}`: `{field}` must be {wanted}")]
    BadParameter {
        /// The fault.
        kind: &'static str,
        /// The parameter.
        field: &'static str,
        /// What would be right.
        wanted: &'static str,
    },
    /// No such social app.
    #[error("unknown app `{app}`; known are tiktok, instagram, com.zhiliaoapp.musically and com.instagram.android")]
    UnknownApp {
        /// As given.
        app: String,
    },
    /// Not a user's name.
    #[error("`{account}` is no account name; use 1 to 30 letters, digits, `.` and `_`")]
    BadAccount {
        /// As given.
        account: String,
    },
}
