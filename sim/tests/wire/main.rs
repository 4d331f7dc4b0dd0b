//! The wire of the simulated phones, as real tools see it: the real adb server and client on the phones' own ports,
//! the real client on the simulator's server port, and hand-written hosts for what those never do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says why"
)]

mod adb;
mod checks;
mod device_side;
mod fake;
mod idle;
#[path = "../support/programs.rs"]
mod programs;
mod raw_host;
mod server_side;
