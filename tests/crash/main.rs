//! The controller and its database under everything that can end them: SIGKILL at random, lost power, a damaged file, a
//! full disk, a disk that fails, a second controller. The real binary; phones in a process of their own that lives on.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assertion is how a test speaks"
)]

mod asked;
mod burst;
mod damage;
mod disk;
mod each;
mod failing;
#[path = "../e2e/harness.rs"]
mod harness;
mod kills;
mod power;
mod power_acts;
mod progress;
mod second;
mod storm;
mod verdict;
mod victim;
