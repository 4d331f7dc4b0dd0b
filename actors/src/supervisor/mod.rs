//! The farm supervisor: owns one device actor per serial and one account actor per username.

pub mod handle;
pub mod message;

pub use handle::SupervisorHandle;
pub use message::*;
