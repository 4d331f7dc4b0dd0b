//! farmhand drives a farm of Android phones: tasks come in over HTTP, actors decide who does what and when, flows
//! run on phones through adb, and everything that happened can be read back.

pub mod adb;
pub mod cli;
pub mod flow;
pub mod http;
pub mod media;
pub mod settings;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod webhook;
