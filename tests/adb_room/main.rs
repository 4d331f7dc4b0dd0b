//! The adb room against a real adb server on a port of its own (never the user's), with simulated phones behind it.
//! Skipped, and said so, where the program adb is not installed.

mod harness;
mod phones;
mod server;
