//! `farmhand bench`: how fast it is on this machine. Progress goes to standard error, one line of JSON for each result
//! to standard output.
//!
//! Every bench uses a fresh database in the system's temporary folder (`TMPDIR`), with the durability of production.

mod adb;
mod blast;
mod farm;
mod flow;
mod idle_phone;
mod queue;
mod screen;
mod sim;
mod store;
mod usage;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::{CliError, output, serve::failed};
use crate::{
    settings::{Log, LogFormat},
    telemetry,
};

/// `farmhand bench …`
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// The store and the actors, with phones that do nothing
    Queue {
        /// What to measure
        #[arg(long)]
        mode: QueueMode,
        /// How many tasks
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        n: u32,
    },
    /// A database full of tasks: lists with every filter, statistics, creating, stopping, the next start
    Store {
        /// How many tasks
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
        n: u32,
        /// Of how many devices, each with two accounts
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        devices: u32,
    },
    /// The whole controller over HTTP, on simulated phones, one shell command for each task
    Farm {
        /// How many phones
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        phones: u32,
        /// How many tasks
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        n: u32,
    },
    /// What one sick phone costs the others: it fails at once, hangs, flaps, sends garbage
    Blast {
        /// How many phones, the sick one included
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..=1000))]
        phones: u32,
        /// How many tasks of the healthy phones in each of the twelve runs
        #[arg(long, default_value_t = 2_450, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        n: u32,
    },
    /// Simulated phones behind a real adb server that nobody asks anything: memory, share of a core
    Sim {
        /// How many phones
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=300))]
        phones: u32,
    },
    /// From a picture of a phone to a thumbnail: 1080 x 2400 pixels, raw and as PNG, to a JPEG of 270 x 600
    Screen {
        /// How many of each
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        n: u32,
    },
    /// The flow engine, over a phone that answers at once
    Flow {
        /// How many steps, about
        #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        steps: u32,
    },
    /// What farmhand adds to adb: a shell call beside a bare socket, a sweep over all phones, a view tree of 500 nodes
    Adb {
        /// How many phones
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        phones: u32,
        /// How many calls and view trees
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        n: u32,
    },
}

/// What `bench queue` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueMode {
    /// All tasks are stored in bulk, then run to completion
    Drain,
    /// 16 producers create one task in each commit while the tasks are run
    Single,
    /// One task every 50 ms on an idle farm: from its creation to the start of its attempt
    Lat,
}

/// Runs a bench and prints its figures.
pub fn run(command: &BenchCommand) -> Result<(), CliError> {
    // What the sick phones of that bench fail at is no news.
    let level = if matches!(command, BenchCommand::Blast { .. }) {
        "error"
    } else {
        "warn"
    };
    let log = Log {
        format: LogFormat::Text,
        level: level.to_owned(),
    };
    telemetry::start(&log).map_err(CliError::Usage)?;
    match *command {
        BenchCommand::Queue { mode, n } => queue::run(mode, n),
        BenchCommand::Store { n, devices } => store::run(n, devices),
        BenchCommand::Farm { phones, n } => farm::run(phones, n),
        BenchCommand::Blast { phones, n } => blast::run(phones, n),
        BenchCommand::Sim { phones } => sim::run(phones),
        BenchCommand::Screen { n } => screen::run(n),
        BenchCommand::Flow { steps } => flow::run(steps),
        BenchCommand::Adb { phones, n } => adb::run(phones, n),
    }
}

/// One result, on a line of its own.
fn print_line(result: &impl Serialize) -> Result<(), CliError> {
    let line = serde_json::to_string(result).map_err(failed)?;
    output::print(&format!("{line}\n"))
}

/// A figure with so many decimals as mean something.
fn rounded(figure: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (figure * scale).round() / scale
}

/// `n` per second.
fn per_second(n: u32, took: std::time::Duration) -> f64 {
    rounded(f64::from(n) / took.as_secs_f64().max(1e-9), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rounded_and_never_divided_by_nothing() {
        assert_eq!(per_second(100, std::time::Duration::from_millis(300)), 333.3);
        assert!(per_second(1, std::time::Duration::ZERO).is_finite());
        assert_eq!(rounded(1.23456, 3), 1.235);
    }
}
