//! The task router: the one writer of tasks and attempts.
//!
//! | message | from | answer |
//! |---|---|---|
//! | asks of [`RouterHandle`] | HTTP, the command line | what each says |
//! | [`DeviceStarted`], [`DeviceExited`] | supervisor | - |
//! | [`DeviceChanged`], [`AttemptFinished`] | device | - |
//! | [`AccountChanged`], [`AccountRemoved`], [`AccountExited`] | supervisor, account | - |
//! | [`LeaseAnswered`], [`UsesChanged`] | account | - |

pub mod actor;
mod asks;
pub mod core;
mod drains;
pub mod handle;
pub mod message;
pub mod schedule;
mod storekeeper;
mod submissions;
mod told;

#[cfg(test)]
mod account_rules;
#[cfg(test)]
mod races;
#[cfg(test)]
mod random_farms;
#[cfg(test)]
mod tests;

pub use actor::{RouterActor, RouterParts};
pub use handle::RouterHandle;
pub use message::*;
pub use schedule::{RunStarted, ScheduleFault};
pub use told::AttemptEnd;
