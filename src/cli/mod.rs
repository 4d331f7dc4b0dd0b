//! The command line: one file per command. Data goes to standard output, talk to standard error.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong usage, 3 not found, 4 cannot connect.

mod account;
mod bench;
mod client;
mod demo;
mod device;
mod doctor;
mod drain;
mod flow;
mod key;
mod license;
mod material;
mod output;
mod schedule;
mod serve;
mod sim;
mod task;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use client::Client;

use crate::settings::Settings;

/// Drives a farm of Android phones.
#[derive(Debug, Parser)]
#[command(name = "farmhand", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller with simulated phones; nothing needs installing
    Demo(serve::Serve),
    /// Run the controller
    Serve(serve::Serve),
    /// Simulate phones for a real adb
    Sim(sim::Sim),
    /// Create, list, stop and retry tasks of a running controller
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// Repeat task requests by the clock
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Look at devices and act on them
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Manage accounts
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Manage the material library
    #[command(subcommand)]
    Material(material::MaterialCommand),
    /// Start nothing any more, on the farm or on a device; what runs comes to its own end
    Drain(drain::Drain),
    /// Start tasks again
    Resume(drain::Drain),
    /// List and check scripts (flow files)
    #[command(subcommand)]
    Flow(flow::FlowCommand),
    /// Show the plan
    License(Remote),
    /// Manage API keys in the database of this host
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Check adb, devices, database and settings, and say how to mend them
    Doctor(doctor::Doctor),
    /// Measure how fast farmhand is on this machine
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

/// How to reach a running controller.
#[derive(Debug, Clone, Args)]
pub struct Remote {
    /// Address of the controller
    #[arg(
        long,
        alias = "url",
        env = "FARMHAND_SERVER",
        default_value = "http://127.0.0.1:50809",
        global = true
    )]
    server: String,
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
}

/// The settings file of commands that run here.
#[derive(Debug, Clone, Args)]
pub struct Local {
    /// A settings file, read after ./settings.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of everything that must survive a restart
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Local {
    /// The settings, with this command's own defaults (TOML) below and its flags on top.
    fn settings(&self, defaults: &str, mut flags: Vec<(&str, String)>) -> Result<Settings, CliError> {
        let data_dir = self.data_dir.as_ref().map(|folder| folder.display().to_string());
        flags.extend(data_dir.map(|folder| ("data_dir", folder)));
        let settings = Settings::load_over(defaults, self.config.as_deref(), &flags);
        settings.map_err(|error| CliError::Usage(error.to_string()))
    }
}

/// Why a command failed; decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// It did not work.
    #[error("{0}")]
    Failed(String),
    /// The call itself is wrong.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The controller does not answer.
    #[error("{0}")]
    NoConnection(String),
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::NoConnection(_) => 4,
        }
    }
}

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("farmhand: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(command: Command) -> Result<(), CliError> {
    match command {
        Command::Demo(serve) => demo::run(&serve),
        Command::Serve(serve) => serve::run(&serve),
        Command::Sim(sim) => sim::run(&sim),
        Command::Task(command) => task::run(command),
        Command::Schedule(command) => schedule::run(command),
        Command::Device(command) => device::run(command),
        Command::Account(command) => account::run(command),
        Command::Material(command) => material::run(command),
        Command::Drain(drain) => drain::run(&drain, "drain"),
        Command::Resume(drain) => drain::run(&drain, "resume"),
        Command::Flow(command) => flow::run(command),
        Command::License(remote) => license::run(&remote),
        Command::Key(command) => key::run(command),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::Bench(command) => bench::run(&command),
    }
}

impl Remote {
    fn client(&self) -> Result<Client, CliError> {
        Client::new(&self.server)
    }
}
