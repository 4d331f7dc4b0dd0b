//! The task router: the one writer of tasks and attempts.

pub mod handle;
pub mod message;

pub use handle::RouterHandle;
pub use message::*;
