//! All simulated phones of a process: their world, their ports, the adb server's port and the control API, on a
//! thread of their own so that they take no time from whoever drives them.

mod device;
mod system_files;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::JoinHandle,
};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    adb::{self, ServedPhone},
    control::Control,
    device::Device,
    server::{self, FixedList, Served},
    world::World,
};
pub use crate::{commands::ProgramTimes, world::PhoneSpec};

/// The first phone's adb port when nothing else is said; outside the emulator's 5554 to 5585, which every adb server
/// scans.
pub const FIRST_PORT: u16 = 15_601;
/// Pictures are packed on these many threads at most, however many phones are asked at once.
const BLOCKING_THREADS: usize = 4;

/// What to simulate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatorOptions {
    /// The phones, with serials of their own.
    pub phones: Vec<PhoneSpec>,
    /// The first phone's adb port; the others follow. `None` or 0: any free port for each.
    pub base_port: Option<u16>,
    /// The control API's port; 0: any free one.
    pub control_port: u16,
    /// The port that speaks the adb server's protocol; `None` or 0: any free one.
    pub server_port: Option<u16>,
    /// How long Android's programs take.
    pub times: ProgramTimes,
}

impl Default for SimulatorOptions {
    /// Three phones without accounts.
    fn default() -> Self {
        Self {
            phones: Self::numbered_phones(3),
            base_port: Some(FIRST_PORT),
            control_port: 0,
            server_port: None,
            times: ProgramTimes::default(),
        }
    }
}

impl SimulatorOptions {
    /// `sim-1` … `sim-N`, without accounts.
    pub fn numbered_phones(count: usize) -> Vec<PhoneSpec> {
        (1..=count)
            .map(|number| PhoneSpec::new(format!("sim-{number}")))
            .collect()
    }
}

/// Why the simulated phones did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Somebody else has the port, or it may not be used.
    #[error("cannot listen on 127.0.0.1:{port} for {what}; choose another port, or 0 for any free one")]
    Bind {
        /// What should have listened there.
        what: String,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The phones' ports do not fit below 65536.
    #[error("{phones} phones from port {base_port} on go beyond port 65535; choose a lower base port")]
    PortRange {
        /// How many.
        phones: usize,
        /// Where they should have begun.
        base_port: u16,
    },
    /// Two phones of one serial.
    #[error("two phones have the serial `{serial}`; give each its own")]
    DuplicateSerial {
        /// The serial.
        serial: String,
    },
    /// An account that cannot be logged in.
    #[error("phone `{serial}`: its account cannot be logged in")]
    Account {
        /// The phone.
        serial: String,
        /// Why.
        source: crate::world::WorldError,
    },
    /// The system gave no thread or no runtime.
    #[error("cannot start the thread of the simulated phones; free some memory or processes")]
    Thread(#[source] io::Error),
    /// The thread ended before it was ready.
    #[error("the thread of the simulated phones ended before it was ready; its log says why")]
    Ended,
}

/// Simulated phones that run. Dropping it ends them without waiting.
#[derive(Debug)]
pub struct Simulator {
    control: SocketAddr,
    server: SocketAddr,
    phones: Vec<(String, SocketAddr)>,
    world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts the phones and all their ports; returns when everything listens.
    pub async fn start(options: SimulatorOptions) -> Result<Self, SimError> {
        check(&options)?;
        let (ready, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            let system = actix_rt::System::with_tokio_rt(runtime);
            system.block_on(serve(options, ready, stopped));
        });
        let thread = thread.map_err(SimError::Thread)?;
        let Listening {
            control,
            server,
            phones,
            world,
        } = started.await.map_err(|_| SimError::Ended)??;
        Ok(Self {
            control,
            server,
            phones,
            world,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The line that `farmhand sim` prints: `{"control", "server", "phones": [{"serial", "adb"}]}`.
    pub fn ready(&self) -> Value {
        let phones: Vec<Value> = self
            .phones
            .iter()
            .map(|(serial, addr)| json!({ "serial": serial, "adb": addr.to_string() }))
            .collect();
        json!({ "control": format!("http://{}", self.control), "server": self.server.to_string(), "phones": phones })
    }

    /// Where the control API listens.
    pub fn control(&self) -> SocketAddr {
        self.control
    }

    /// Where the adb server's protocol is spoken: an entry for `adb.servers`.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Serials and adb ports, in the order of the options.
    pub fn phones(&self) -> &[(String, SocketAddr)] {
        &self.phones
    }

    /// What all phones share.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Closes all ports and connections, and returns when the thread has ended.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by itself; there is nothing left to stop then.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// What listens, once all does.
struct Listening {
    control: SocketAddr,
    server: SocketAddr,
    phones: Vec<(String, SocketAddr)>,
    world: Arc<World>,
}

/// Everything that ends when it is dropped or stopped.
struct Ports {
    control: Control,
    server: Served,
    phones: Vec<ServedPhone>,
}

fn check(options: &SimulatorOptions) -> Result<(), SimError> {
    let mut seen = std::collections::BTreeSet::new();
    for phone in &options.phones {
        if !seen.insert(&phone.serial) {
            return Err(SimError::DuplicateSerial {
                serial: phone.serial.clone(),
            });
        }
    }
    let base_port = options.base_port.unwrap_or(0);
    let last = usize::from(base_port) + options.phones.len().saturating_sub(1);
    if base_port != 0 && last > usize::from(u16::MAX) {
        return Err(SimError::PortRange {
            phones: options.phones.len(),
            base_port,
        });
    }
    Ok(())
}

#[expect(
    clippy::expect_used,
    reason = "actix asks for a runtime and takes no error; the message reaches the log"
)]
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .expect("a runtime for the simulated phones: the system is out of file descriptors")
}

async fn serve(
    options: SimulatorOptions,
    ready: oneshot::Sender<Result<Listening, SimError>>,
    stopped: oneshot::Receiver<()>,
) {
    match listen(options).await {
        Ok((listening, ports)) => {
            if ready.send(Ok(listening)).is_err() {
                return;
            }
            // An error is the sender's drop, which means the same.
            let _ = stopped.await;
            ports.control.stop().await;
            ports.server.stop().await;
            for phone in ports.phones {
                phone.stop().await;
            }
        }
        // Whoever waited for the answer may be gone.
        Err(error) => drop(ready.send(Err(error))),
    }
}

async fn listen(options: SimulatorOptions) -> Result<(Listening, Ports), SimError> {
    let world = World::new();
    let mut devices: Vec<Arc<dyn Device>> = Vec::new();
    let (mut phones, mut served) = (Vec::new(), Vec::new());
    for (index, spec) in options.phones.into_iter().enumerate() {
        let serial = spec.serial.clone();
        let device = device::SimulatedPhone::start(&world, spec, options.times)?;
        let port = match options.base_port {
            Some(base) if base != 0 => base.saturating_add(u16::try_from(index).unwrap_or(u16::MAX)),
            _ => 0,
        };
        let what = || format!("phone `{serial}`");
        let phone = adb::serve(device.clone(), loopback(port))
            .await
            .map_err(|source| bind_error(what(), port, source))?;
        phones.push((serial, phone.addr));
        served.push(phone);
        devices.push(device);
    }
    let port = options.server_port.unwrap_or(0);
    let server = server::serve(Arc::new(FixedList::new(devices)), loopback(port)).await;
    let server = server.map_err(|source| bind_error("the adb server's protocol".to_owned(), port, source))?;
    let port = options.control_port;
    let control = Control::start(world.clone(), port);
    let control = control.map_err(|source| bind_error("the control API".to_owned(), port, source))?;
    let listening = Listening {
        control: control.addr,
        server: server.addr,
        phones,
        world,
    };
    Ok((
        listening,
        Ports {
            control,
            server,
            phones: served,
        },
    ))
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn bind_error(what: String, port: u16, source: io::Error) -> SimError {
    SimError::Bind { what, port, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free_ports(phones: usize) -> SimulatorOptions {
        SimulatorOptions {
            phones: SimulatorOptions::numbered_phones(phones),
            base_port: None,
            ..SimulatorOptions::default()
        }
    }

    #[tokio::test]
    async fn the_ready_line_names_every_port() {
        let simulator = Simulator::start(free_ports(2)).await.expect("a simulator");

        let ready = simulator.ready();

        assert!(
            ready["control"]
                .as_str()
                .expect("control")
                .starts_with("http://127.0.0.1:")
        );
        assert!(ready["server"].as_str().expect("server").starts_with("127.0.0.1:"));
        assert_eq!(ready["phones"][1]["serial"], "sim-2");
        assert_eq!(ready["phones"][1]["adb"], simulator.phones()[1].1.to_string());
        simulator.stop().await;
    }

    #[tokio::test]
    async fn after_the_stop_every_port_is_free_again() {
        let simulator = Simulator::start(free_ports(1)).await.expect("a simulator");
        let ports = [simulator.control(), simulator.server(), simulator.phones()[0].1];

        simulator.stop().await;

        for port in ports {
            assert!(
                tokio::net::TcpStream::connect(port).await.is_err(),
                "{port} still listens"
            );
        }
    }

    #[tokio::test]
    async fn what_cannot_be_simulated_is_said_before_anything_listens() {
        let mut twice = free_ports(1);
        twice.phones.push(PhoneSpec::new("sim-1"));
        let error = Simulator::start(twice).await.expect_err("two of one serial");
        assert_eq!(
            error.to_string(),
            "two phones have the serial `sim-1`; give each its own"
        );

        let beyond = SimulatorOptions {
            base_port: Some(65_535),
            ..free_ports(2)
        };
        assert!(matches!(
            Simulator::start(beyond).await,
            Err(SimError::PortRange { phones: 2, .. })
        ));

        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("its address").port();
        let error = Simulator::start(SimulatorOptions {
            control_port: port,
            ..free_ports(1)
        })
        .await;
        let error = error.expect_err("a port that is taken").to_string();
        assert!(
            error.contains(&format!("127.0.0.1:{port} for the control API")),
            "{error}"
        );
    }
}
