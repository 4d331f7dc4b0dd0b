//! The shell of the supervisor: its state, its heartbeat, and what the core decides.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message};
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    AccountRecordChanged, ActorKind, ActorSnapshot, ActorState, RebuildDevice,
    core::{Effect, SupervisorCore},
    presence::Presences,
    quarantine::Rests,
};
use crate::{
    account::AccountActor,
    boot::RouterBoot,
    device::{DeviceActor, DeviceStatus},
    domain::{AccountRecord, DeviceRecord, DeviceState, Generation, LoadedUses, Serial, TaskId, Timestamp, Username},
    mail::{ChildExited, ChildKey, Ping, Pulse, Slot, Terminate, tell},
    ports::{Clock, DriverFactory, ScriptCatalog, ScriptRunner, SharedStore},
    router::RouterActor,
    settings::FarmSettings,
};

/// What the supervisor is made of.
pub struct SupervisorParts {
    /// The store.
    pub store: SharedStore,
    /// Opens drivers.
    pub drivers: Arc<dyn DriverFactory>,
    /// Runs scripts.
    pub runner: Arc<dyn ScriptRunner>,
    /// The scripts that tasks may name.
    pub scripts: Arc<dyn ScriptCatalog>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: Arc<FarmSettings>,
    /// The farm's zone.
    pub zone: TimeZone,
    /// Threads for device actors; none: they run on the supervisor's.
    pub arbiters: Vec<ArbiterHandle>,
    /// Where the router is put.
    pub router: Slot<RouterActor>,
    /// Where the supervisor is put.
    pub this: Slot<SupervisorActor>,
    /// Devices to begin with.
    pub devices: Vec<DeviceRecord>,
    /// Accounts to begin with.
    pub accounts: Vec<AccountRecord>,
    /// Their confirmed uses, until they have them.
    pub uses: Option<Arc<LoadedUses>>,
    /// What the first router begins with.
    pub boot: Option<RouterBoot>,
}

/// The root of the farm.
pub struct SupervisorActor {
    pub(super) core: SupervisorCore,
    pub(super) parts: SupervisorParts,
    pub(super) devices: BTreeMap<Serial, DeviceEntry>,
    pub(super) accounts: BTreeMap<Username, AccountEntry>,
    pub(super) router: RouterEntry,
    pub(super) presences: Presences,
    pub(super) rests: Rests,
    pub(super) since: Timestamp,
}

/// A device as the supervisor holds it.
pub(super) struct DeviceEntry {
    pub(super) record: DeviceRecord,
    pub(super) board: watch::Sender<Option<DeviceStatus>>,
    pub(super) living: Option<Living<DeviceActor>>,
    /// Ends what the living incarnation runs.
    pub(super) leash: CancellationToken,
}

/// An account as the supervisor holds it.
pub(super) struct AccountEntry {
    pub(super) record: AccountRecord,
    pub(super) living: Option<Living<AccountActor>>,
}

/// The router as the supervisor holds it.
#[derive(Default)]
pub(super) struct RouterEntry {
    pub(super) living: Option<Living<RouterActor>>,
}

/// A living incarnation.
pub(super) struct Living<A: Actor> {
    pub(super) addr: Addr<A>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) generation: Generation,
}

#[derive(Message)]
#[rtype(result = "()")]
struct StartDue(ChildKey, Generation);

impl SupervisorActor {
    /// An actor that is not started yet.
    #[must_use]
    pub fn new(parts: SupervisorParts) -> Self {
        Self {
            core: SupervisorCore::new(parts.settings.supervision),
            devices: BTreeMap::new(),
            accounts: BTreeMap::new(),
            router: RouterEntry::default(),
            presences: Presences::default(),
            rests: Rests::default(),
            since: parts.clock.now().wall,
            parts,
        }
    }

    pub(super) fn perform(&mut self, effects: Vec<Effect>, ctx: &mut Context<Self>) {
        for effect in effects {
            match effect {
                Effect::Start(key, generation) => self.start_child(&key, generation, ctx),
                Effect::StartLater(key, generation, pause) => {
                    tracing::warn!(kind = key.kind.as_str(), name = %key.name, ?pause, "actor ended and will be rebuilt");
                    ctx.notify_later(StartDue(key, generation), pause);
                }
                Effect::Forget(key, generation) => self.forget_child(&key, generation),
                Effect::TellEvent(event) => self.parts.store.tell(vec![event]),
            }
        }
    }

    /// The tree of actors: the supervisor first, then by kind and name.
    pub(super) fn tree(&mut self) -> Vec<ActorSnapshot> {
        let (beats, alarm) = (self.beats(), self.alarm());
        let now = self.parts.clock.now();
        let own = ActorSnapshot {
            kind: ActorKind::Supervisor,
            name: ActorKind::Supervisor.as_str().to_owned(),
            state: ActorState::Running,
            since: self.since,
            restarts: 0,
            last_heartbeat: Some(now.wall),
            mailbox_depth: 0,
            current_task: None,
            device_state: None,
            alarm,
            generation: 1,
        };
        let beating = |key: &ChildKey| beats.iter().any(|(other, beats)| other == key && *beats > 0);
        let children = self.core.children().map(|(key, child)| ActorSnapshot {
            kind: key.kind,
            name: key.name.to_string(),
            state: match child.state {
                ActorState::Starting if beating(key) => ActorState::Running,
                state => state,
            },
            since: child.since,
            restarts: child.restarts,
            last_heartbeat: child.last_heartbeat,
            mailbox_depth: self.pulse(key).map_or(0, |pulse| pulse.depth()),
            current_task: self.current_task(key),
            device_state: self.device_state(key),
            alarm: None,
            generation: child.generation.0,
        });
        std::iter::once(own).chain(children).collect()
    }

    pub(super) fn pulse(&self, key: &ChildKey) -> Option<&Arc<Pulse>> {
        match key.kind {
            ActorKind::Router => self.router.living.as_ref().map(|living| &living.pulse),
            ActorKind::Device => {
                let serial = Serial::parse(&key.name).ok()?;
                self.devices.get(&serial)?.living.as_ref().map(|living| &living.pulse)
            }
            ActorKind::Account => {
                let username = Username::parse(&key.name).ok()?;
                self.accounts
                    .get(&username)?
                    .living
                    .as_ref()
                    .map(|living| &living.pulse)
            }
            ActorKind::Supervisor | ActorKind::Watcher => None,
        }
    }

    fn current_task(&self, key: &ChildKey) -> Option<TaskId> {
        if key.kind != ActorKind::Device {
            return None;
        }
        let device = self.devices.get(&Serial::parse(&key.name).ok()?)?;
        device.board.borrow().as_ref().and_then(|status| status.current_task)
    }

    fn device_state(&self, key: &ChildKey) -> Option<DeviceState> {
        let serial = (key.kind == ActorKind::Device).then(|| Serial::parse(&key.name).ok())??;
        Some(self.device_snapshot(self.devices.get(&serial)?).state)
    }

    fn beats(&self) -> Vec<(ChildKey, u64)> {
        let beat = |(key, _): (&ChildKey, _)| Some((key.clone(), self.pulse(key)?.beats()));
        self.core.children().filter_map(beat).collect()
    }

    fn heartbeat(&mut self, ctx: &mut Context<Self>) {
        let effects = self.core.on_beats(&self.beats(), self.parts.clock.now());
        self.perform(effects, ctx);
        ping(self.router.living.as_ref());
        for device in self.devices.values() {
            ping(device.living.as_ref());
        }
        for account in self.accounts.values() {
            ping(account.living.as_ref());
        }
    }
}

fn ping<A>(living: Option<&Living<A>>)
where
    A: Actor<Context = Context<A>> + Handler<Ping>,
{
    if let Some(living) = living {
        living.pulse.sent();
        tell(&living.addr, Ping);
    }
}

impl Actor for SupervisorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.parts.this.set(Some(ctx.address()));
        self.start_first(ctx);
        let interval = Duration::from_secs(self.parts.settings.supervision.heartbeat_s.max(1));
        ctx.run_interval(interval, |actor, ctx| actor.heartbeat(ctx));
    }
}

impl Handler<ChildExited> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, exit: ChildExited, ctx: &mut Self::Context) {
        let effects = self.core.on_exited(&exit, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<StartDue> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, StartDue(key, generation): StartDue, ctx: &mut Self::Context) {
        let effects = self.core.on_start_due(&key, generation, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<RebuildDevice> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, rebuild: RebuildDevice, ctx: &mut Self::Context) {
        let key = super::children::device_key(&rebuild.serial);
        let effects = self
            .core
            .on_disobedient(&key, rebuild.generation, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<AccountRecordChanged> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, AccountRecordChanged(record): AccountRecordChanged, _: &mut Self::Context) {
        if let Some(account) = self.accounts.get_mut(&record.username) {
            account.record = record;
        }
    }
}

impl Handler<Terminate> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, _: Terminate, ctx: &mut Self::Context) {
        let keys: Vec<ChildKey> = self.core.children().map(|(key, _)| key.clone()).collect();
        for key in keys {
            let effects = self.core.on_removed(&key);
            self.perform(effects, ctx);
        }
        self.parts.this.set(None);
        ctx.stop();
    }
}
