//! One phone: whether it may be used, and the one attempt that runs on it.
//!
//! | message | from | answer |
//! |---|---|---|
//! | [`StartAttempt`] | router | tells [`crate::router::AttemptFinished`] when it has ended |
//! | [`StopAttempt`] | router | the same, within the grace |
//! | [`AbandonBefore`] | supervisor, when the router was rebuilt | tells [`crate::router::DeviceChanged`] |
//! | [`ChangePresence`] | supervisor, from the adb watcher | - |
//! | [`ChangeDevice`] | supervisor | - |
//! | [`HoldDevice`] | supervisor | - |
//! | [`AnswerQuarantine`] | supervisor, to [`crate::supervisor::QuarantineAsked`] | - |

pub mod actor;
mod ask;
pub mod attempt;
pub mod core;
mod describe;
mod ending;
mod limits;
pub mod message;
mod probe;
pub mod quarantine;

#[cfg(test)]
mod tests;

pub use actor::{DeviceActor, DeviceParts};
pub use describe::{NOT_SEEN, SWITCHED_OFF, held_because};
pub use message::*;
