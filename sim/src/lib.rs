//! Simulated Android phones: they speak adb, show a launcher, two social apps, a gallery and settings, and keep a
//! ledger of everything that really happened in those apps. They know nothing of who drives them.
//!
//! `adb/` is the outside of a phone (the wire), `shell/` and `fs.rs` its userland, `commands/` Android's own
//! programs, `world/` what all phones share, `apps/` what a screen shows, `control/` the HTTP API for tests.

pub mod adb;
pub mod agent;
pub(crate) mod apps;
pub mod commands;
pub mod control;
pub mod device;
pub mod fs;
pub mod handset;
pub(crate) mod render;
pub mod server;
pub mod shell;
pub mod simulator;
pub mod world;
