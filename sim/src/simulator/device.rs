//! A simulated phone as the wire sees it: the world's phone, its files, Android's programs and the agent.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::{io::DuplexStream, sync::watch};

use super::{SimError, system_files::SystemFiles};
use crate::{
    agent::Agent,
    commands::{ProgramTimes, Programs},
    device::{Banner, Completion, Device, Frame, Invocation, Link},
    fs::Filesystem,
    handset::Handset,
    world::{Phone, PhoneSpec, World},
};

/// One phone, put together.
pub(super) struct SimulatedPhone {
    serial: String,
    phone: Arc<Phone>,
    files: Arc<Filesystem>,
    system_files: SystemFiles,
    programs: Programs,
    agent: Arc<Agent>,
}

/// A phone of this world and the files that it looks into.
pub(crate) fn new_phone(world: &Arc<World>, spec: PhoneSpec) -> (Arc<Phone>, Arc<Filesystem>) {
    let files = Arc::new(Filesystem::new());
    (Phone::new(world.clone(), spec, files.clone()), files)
}

impl SimulatedPhone {
    /// Switches a phone on.
    pub(super) fn start(world: &Arc<World>, spec: PhoneSpec, times: ProgramTimes) -> Result<Arc<Self>, SimError> {
        let serial = spec.serial.clone();
        let (phone, files) = new_phone(world, spec);
        let handset: Arc<dyn Handset> = phone.clone();
        SystemFiles::install(&*handset, &files);
        let agent = Arc::new(Agent::new(handset.clone(), files.clone()));
        let programs = Programs::new(handset, files.clone(), agent.clone(), times);
        Ok(Arc::new(Self { serial, phone, files, system_files: SystemFiles::default(), programs, agent }))
    }
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

    fn files(&self) -> Arc<Filesystem> {
        self.system_files.refresh(&*self.phone, &self.files);
        self.files.clone()
    }

    async fn run(&self, invocation: Invocation) -> Option<Completion> {
        self.programs.run(invocation).await
    }

    async fn frame(&self) -> Frame {
        let phone = self.phone.clone();
        // Drawing takes milliseconds of CPU, which the other phones should not wait for.
        let frame = tokio::task::spawn_blocking(move || phone.frame()).await;
        frame.unwrap_or_else(|_| Frame { width: 0, height: 0, rgba: Vec::new() })
    }

    async fn connect_tcp(&self, port: u16) -> Option<DuplexStream> {
        self.agent.connect(port)
    }

    async fn reboot(&self) {
        self.phone.reboot();
    }
}
