//! The contract of the API, sentence by sentence, from outside: the real binary over HTTP, one file per resource.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says by a panic what is wrong, in its helpers too"
)]

mod access;
mod account;
mod command_line;
mod device;
mod device_state;
mod drain;
mod duplicates;
mod envelope;
mod events;
mod flow_run;
#[path = "../e2e/harness.rs"]
mod harness;
mod hostile;
mod http;
mod license;
mod material;
mod observe;
mod process;
mod races;
mod schedule;
mod shared;
mod task_change;
mod task_create;
mod task_list;
mod webhook;
