//! Simulated phones, behind a real adb server of the test's own or behind the simulator's, and a room that watches them.

use std::time::Instant;

use farmhand::adb::AgentSettings;
use farmhand_actors::{
    domain::{AdbState, Epoch, Lease, Package},
    ports::{DeviceDriver, ShellCommand},
};
use farmhand_sim::simulator::{Simulator, SimulatorOptions};
use serde_json::Value;

use crate::harness::{PATIENCE, Room, Server};

pub async fn simulator(phones: usize) -> Simulator {
    let options = SimulatorOptions {
        phones: SimulatorOptions::numbered_phones(phones),
        base_port: None,
        ..SimulatorOptions::default()
    };
    Simulator::start(options).await.unwrap()
}

/// Names and addresses for the room's list of TCP phones.
pub fn addresses(simulator: &Simulator) -> Vec<(String, String)> {
    simulator
        .phones()
        .iter()
        .map(|(name, address)| (name.clone(), address.to_string()))
        .collect()
}

pub fn fault(simulator: &Simulator, name: &str, kind: &str, params: Value) {
    simulator.world().phone(name).unwrap().set_fault(kind, &params).unwrap();
}

pub fn end_faults(simulator: &Simulator, name: &str) {
    simulator.world().phone(name).unwrap().clear_all_faults();
}

pub fn lease(token: &str) -> Lease {
    Lease {
        epoch: Epoch(1),
        token: token.into(),
    }
}

pub fn package(name: &str) -> Package {
    Package::parse(name).unwrap()
}

pub fn words(words: &[&str]) -> ShellCommand {
    ShellCommand {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        timeout: None,
    }
}

/// A room whose phones stand behind a real adb server.
pub async fn behind_adb(phones: usize) -> Option<(Server, Simulator, Room)> {
    behind_adb_with(phones, AgentSettings::default()).await
}

/// The same, with this agent.
pub async fn behind_adb_with(phones: usize, agent: AgentSettings) -> Option<(Server, Simulator, Room)> {
    let server = Server::start()?;
    let simulator = simulator(phones).await;
    let addresses = addresses(&simulator);
    let listed: Vec<(&str, &str)> = addresses
        .iter()
        .map(|(name, address)| (name.as_str(), address.as_str()))
        .collect();
    let mut room = Room::start_with(&server.address(), &listed, agent);
    room.usable(phones).await;
    Some((server, simulator, room))
}

/// A room whose phones stand behind the simulator's own server.
pub async fn behind_simulator() -> (Simulator, Room) {
    behind_simulator_with(AgentSettings::default()).await
}

/// The same, with this agent.
pub async fn behind_simulator_with(agent: AgentSettings) -> (Simulator, Room) {
    let simulator = simulator(1).await;
    let mut room = Room::start_with(&simulator.server().to_string(), &[], agent);
    room.state("sim-1", &AdbState::Device).await;
    (simulator, room)
}

/// The agent, from a file that only has to be there: simulated phones know the start command, not the program.
pub fn agent() -> (tempfile::NamedTempFile, AgentSettings) {
    let jar = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(jar.path(), "the agent's code").unwrap();
    let settings = AgentSettings {
        jar: jar.path().to_owned(),
        ..AgentSettings::default()
    };
    (jar, settings)
}

/// Until the view tree comes from the agent, whose dumper tells more than Android's.
pub async fn until_agent_answers(driver: &dyn DeviceDriver) {
    let since = Instant::now();
    while !driver.hierarchy_text().await.unwrap().contains("drawing-order=") {
        assert!(since.elapsed() < PATIENCE, "the agent never answers");
        tokio::task::yield_now().await;
    }
}
