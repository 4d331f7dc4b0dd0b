//! A simulated phone as the wire sees it: the world's phone, its files, Android's programs and the agent.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    io::DuplexStream,
    sync::{mpsc, watch},
};

use super::{SimError, system_files::SystemFiles};
use crate::{
    agent::Agent,
    commands::{ProgramTimes, Programs},
    device::{Banner, Completion, Device, Frame, Invocation, Link},
    fs::Filesystem,
    handset::Handset,
    world::{Network, Phone, PhoneSpec, World, WorldError, social::canonical_name},
};

/// From the request for a restart until the connection is gone. A real phone takes longer; the host has its answer by then.
const GOES_DOWN: Duration = Duration::from_millis(300);

/// One phone, put together.
pub(super) struct SimulatedPhone {
    serial: String,
    phone: Arc<Phone>,
    files: Arc<Filesystem>,
    system_files: SystemFiles,
    programs: Programs,
    agent: Arc<Agent>,
}

impl SimulatedPhone {
    /// Switches a phone on.
    pub(super) fn start(world: &Arc<World>, spec: PhoneSpec, times: ProgramTimes) -> Result<Arc<Self>, SimError> {
        let serial = spec.serial.clone();
        check_accounts(world, &spec)?;
        let phone = Phone::new(world.clone(), spec);
        let files = phone.files();
        let handset: Arc<dyn Handset> = phone.clone();
        SystemFiles::install(&*handset, &files);
        let agent = Arc::new(Agent::new(handset.clone(), files.clone()));
        let programs = Programs::new(handset, files.clone(), agent.clone(), times);
        Ok(Arc::new(Self {
            serial,
            phone,
            files,
            system_files: SystemFiles::default(),
            programs,
            agent,
        }))
    }
}

/// The world leaves out what it cannot log in; whoever asked for it should know.
fn check_accounts(world: &World, spec: &PhoneSpec) -> Result<(), SimError> {
    for (app, account) in &spec.accounts {
        let known = Network::parse(app)
            .ok_or_else(|| WorldError::UnknownApp { app: app.clone() })
            .and_then(|network| {
                let person = world.social().person(network, &canonical_name(account)).is_some();
                person.then_some(()).ok_or_else(|| WorldError::BadAccount {
                    account: account.clone(),
                })
            });
        known.map_err(|source| SimError::Account {
            serial: spec.serial.clone(),
            source,
        })?;
    }
    Ok(())
}

#[async_trait]
impl Device for SimulatedPhone {
    fn serial(&self) -> &str {
        &self.serial
    }

    fn banner(&self) -> Banner {
        let property = |name| self.phone.property(name).unwrap_or_default();
        Banner {
            product: property("ro.product.name"),
            model: property("ro.product.model"),
            device: property("ro.product.device"),
        }
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.phone.watch_link()
    }

    fn was_slow(&self) {
        self.phone.was_slow();
    }

    fn files(&self) -> Arc<Filesystem> {
        self.system_files.refresh(&*self.phone, &self.files);
        self.files.clone()
    }

    async fn run(&self, invocation: Invocation) -> Option<Completion> {
        self.programs.run(invocation).await
    }

    async fn run_live(&self, invocation: Invocation, output: mpsc::Sender<Vec<u8>>) -> Option<Completion> {
        self.programs.run_live(invocation, output).await
    }

    async fn frame(&self) -> Frame {
        let phone = self.phone.clone();
        // Drawing takes milliseconds of CPU, which the other phones should not wait for.
        let frame = tokio::task::spawn_blocking(move || phone.frame()).await;
        frame.unwrap_or_else(|_| Frame {
            width: 0,
            height: 0,
            rgba: Vec::new(),
        })
    }

    async fn connect_tcp(&self, port: u16) -> Option<DuplexStream> {
        self.agent.connect(port)
    }

    async fn reboot(&self) {
        let phone = self.phone.clone();
        // Of its own, because the service that asked for it ends with the host's stream.
        tokio::spawn(async move {
            tokio::time::sleep(GOES_DOWN).await;
            phone.reboot();
        });
    }
}
