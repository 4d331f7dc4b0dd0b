//! The whole farm: the real binary, a real database, simulated phones in their own process, and (where a test says
//! so) the real adb server between them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assertion is how a test speaks"
)]

mod crash;
mod examples;
mod faults;
mod harness;
mod listing;
mod log;
mod main_job;
mod materials;
mod mishaps;
mod outages;
mod plug;
mod presence;
mod quarantine;
mod scripts;
mod unplugged;
mod wrong_start;
