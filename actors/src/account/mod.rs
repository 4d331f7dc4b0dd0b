//! One account: its status, its limits, and the lease that keeps it to one attempt at a time.
//!
//! | message | from | answer |
//! |---|---|---|
//! | [`LeaseAccount`] | router | tells [`crate::router::LeaseAnswered`] |
//! | [`ReleaseAccount`] | router | - |
//! | [`ReloadUses`] | router, when a person has resolved a task | - |
//! | [`ForgetLeases`] | supervisor, when the router was rebuilt | - |
//! | [`ChangeRecord`] | supervisor | - |
//! | [`ResumeAccount`], [`RetireAccount`] | supervisor | `Ok`, or why not |
//! | [`GetAccount`] | HTTP, through the supervisor's handle | [`crate::supervisor::AccountSnapshot`] |

pub mod actor;
pub mod core;
mod hold;
pub mod message;
pub mod view;

#[cfg(test)]
mod tests;

pub use actor::{AccountActor, AccountParts};
pub use message::*;
