//! `farmhand sim`

use clap::Args;
use farmhand_sim::simulator::{FIRST_PORT, Simulator, SimulatorOptions};

use super::{
    CliError, output,
    serve::{ended, failed, in_system},
};
use crate::{
    settings::{Log, LogFormat},
    telemetry,
};

/// `farmhand sim`
#[derive(Debug, Args)]
pub struct Sim {
    /// How many phones: sim-1, sim-2, …
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=5000))]
    phones: u32,
    /// adb port of the first phone, the others follow; 0: any free ones
    #[arg(long, default_value_t = FIRST_PORT)]
    base_port: u16,
    /// Port of the control API; 0: any free one
    #[arg(long, default_value_t = 0)]
    control: u16,
    /// Port that speaks the adb server's protocol; 0: any free one
    #[arg(long, default_value_t = 0)]
    server_port: u16,
}

/// Simulates phones until Ctrl-C or SIGTERM; prints one line of JSON when they are ready.
pub fn run(sim: &Sim) -> Result<(), CliError> {
    let log = Log {
        format: LogFormat::Text,
        level: "warn".to_owned(),
    };
    telemetry::start(&log).map_err(CliError::Usage)?;
    let count = usize::try_from(sim.phones).unwrap_or(usize::MAX);
    let options = SimulatorOptions {
        phones: SimulatorOptions::numbered_phones(count),
        base_port: Some(sim.base_port),
        control_port: sim.control,
        server_port: Some(sim.server_port),
        ..SimulatorOptions::default()
    };
    in_system(async {
        let simulator = Simulator::start(options).await.map_err(failed)?;
        output::print(&format!("{}\n", simulator.ready()))?;
        ended().await;
        simulator.stop().await;
        Ok(())
    })
}
