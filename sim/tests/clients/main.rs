//! Other people's clients against the simulated phones, each in the version that these tests were written with.

#![allow(clippy::expect_used, reason = "what cannot be set up is a failed test")]

mod python;
mod rust;
#[path = "../support/mod.rs"]
mod support;
