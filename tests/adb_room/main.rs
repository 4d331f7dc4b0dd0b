//! The adb room against a real adb server on a port of its own (never the user's).
//! Skipped, and said so, where the program adb is not installed.

mod harness;
mod server;
