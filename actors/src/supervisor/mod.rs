//! The farm supervisor: owns the router, one device actor per serial and one account actor per username.
//!
//! | message | from | answer |
//! |---|---|---|
//! | asks of [`SupervisorHandle`] | HTTP, the command line | what each says |
//! | [`PresenceReport`] | adb watcher | - |
//! | [`crate::mail::ChildExited`] | a child's guard | - |
//! | [`AccountRecordChanged`] | account | - |
//! | [`QuarantineAsked`] | device | [`crate::device::AnswerQuarantine`] |
//! | [`RebuildDevice`] | router | - |

mod account_asks;
pub mod actor;
mod asks;
mod children;
pub mod core;
pub mod handle;
pub mod message;
mod presence;
mod quarantine;

#[cfg(test)]
mod tests;

pub use actor::{SupervisorActor, SupervisorParts};
pub use handle::SupervisorHandle;
pub use message::*;
