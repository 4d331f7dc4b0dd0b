//! Phones through the adb server: the only room that names adb_client.

mod client;
mod error;
mod quote;
mod settings;
mod shell;
mod wire;
#[cfg(test)]
mod testing;

pub use settings::{AdbDeadlines, AdbLimits, AdbSettings, TcpPhone};
