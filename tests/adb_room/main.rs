//! The adb room against a real adb server on a port of its own (never the user's), with simulated phones behind it.
//! Skipped, and said so, where the program adb is not installed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assertion is how a test speaks"
)]

mod agent;
#[path = "../../sim/tests/support/apk.rs"]
mod apk;
mod harness;
mod nasty;
mod phones;
mod rig;
mod rogue;
mod server;
mod suite;
mod text;
mod wire_faults;
