//! What [`super::SupervisorHandle`] asks.

use std::sync::Arc;

use actix::{AsyncContext, Handler, Message, MessageResult};
use tokio::sync::oneshot;

use super::{
    ActorSnapshot, DeviceSnapshot, SupervisorActor, SupervisorError,
    actor::{DeviceEntry, Living},
    children::account_key,
};
use crate::{
    device::{ChangeDevice, DeviceActor, DeviceStatus, SWITCHED_OFF, core::DeviceCore},
    domain::{DeviceEvidence, DevicePatch, DeviceRecord, DeviceState, LastGood, Serial, Username},
    mail::{ChildKey, Slot, tell},
    ports::StoreError,
    router::{DeviceChanged, RouterActor},
};

pub(super) type Reply<T> = oneshot::Sender<Result<T, SupervisorError>>;

#[derive(Message)]
#[rtype(result = "Vec<DeviceSnapshot>")]
pub(super) struct ListDevices;

#[derive(Message)]
#[rtype(result = "Result<DeviceSnapshot, SupervisorError>")]
pub(super) struct GetDevice(pub Serial);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct PatchDevice(pub Serial, pub DevicePatch, pub Reply<DeviceSnapshot>);

#[derive(Message)]
#[rtype(result = "Result<(), SupervisorError>")]
pub(super) struct PermitDriver {
    pub serial: Serial,
    pub acting: bool,
}

#[derive(Message)]
#[rtype(result = "Vec<ActorSnapshot>")]
pub(super) struct GetTree;

#[derive(Message)]
#[rtype(result = "Result<ActorSnapshot, SupervisorError>")]
pub(super) struct RestartActor {
    pub kind: String,
    pub name: String,
}

#[derive(Message)]
#[rtype(result = "()")]
struct DevicePatched(Serial, DevicePatch, Result<(), StoreError>, Reply<DeviceSnapshot>);

/// A person has taken a device out of service. Its actor says so too, a moment later: but no task that is asked for after
/// the answer may begin there.
pub(super) fn tell_not_ready(
    router: &Slot<RouterActor>,
    device: &Living<DeviceActor>,
    serial: &Serial,
    reason: String,
) {
    router.tell(DeviceChanged {
        serial: serial.clone(),
        generation: device.generation,
        not_ready: Some(reason),
        phone: None,
        mailbox: device.addr.clone(),
        pulse: Arc::clone(&device.pulse),
    });
}

pub(super) fn answer<T>(reply: Reply<T>, result: Result<T, SupervisorError>) {
    // Who asked may have given up waiting; what was asked is done all the same.
    let _ = reply.send(result);
}

impl SupervisorActor {
    pub(super) fn device_snapshot(&self, device: &DeviceEntry) -> DeviceSnapshot {
        let record = &device.record;
        let shown = device.board.borrow().clone().unwrap_or_else(|| self.unseen(record));
        let evidence = DeviceEvidence {
            last_good: self.last_good(&record.serial),
            ..shown.evidence
        };
        let bound = self
            .accounts
            .values()
            .filter(|account| account.record.serial.as_ref() == Some(&record.serial));
        let child = self.core.child(&super::children::device_key(&record.serial));
        DeviceSnapshot {
            serial: record.serial.clone(),
            alias: record.alias.clone(),
            tags: record.tags.clone(),
            app: record.app.clone(),
            enabled: record.enabled,
            state: shown.state,
            since: shown.since,
            cause: shown.cause,
            next_action: shown.next_action,
            evidence,
            quarantine: shown.quarantine,
            info: crate::domain::DeviceInfo::clone(&shown.info),
            accounts: bound.map(|account| account.record.username.clone()).collect(),
            current_account: shown.current_account,
            current_task: shown.current_task,
            leased_since: shown.leased_since,
            last_seen: shown.last_seen,
            restarts: child.map_or(0, |child| child.restarts),
        }
    }

    pub(super) fn known_device(&self, serial: &Serial) -> Result<&DeviceEntry, SupervisorError> {
        self.devices
            .get(serial)
            .ok_or_else(|| SupervisorError::UnknownDevice(serial.clone()))
    }

    /// What is shown of a device whose actor has not said anything yet.
    fn unseen(&self, record: &DeviceRecord) -> DeviceStatus {
        // A core that was told nothing knows what that means.
        let core = DeviceCore::new(record, Arc::clone(&self.parts.settings));
        DeviceStatus {
            since: self.since,
            ..core.status(self.parts.clock.now())
        }
    }

    fn last_good(&self, serial: &Serial) -> Option<LastGood> {
        let answer = self.parts.drivers.last_answer(serial)?;
        let at = self.parts.clock.now().wall - answer.ago;
        Some(LastGood {
            command: answer.command,
            at,
        })
    }

    fn permit(&self, serial: &Serial, acting: bool) -> Result<(), SupervisorError> {
        let snapshot = self.device_snapshot(self.known_device(serial)?);
        let refused = |problem: String| Err(SupervisorError::WrongState(problem));
        match snapshot.state {
            DeviceState::Offline | DeviceState::Unauthorized => {
                refused(format!("device {serial} {}: {}", snapshot.cause, snapshot.next_action))
            }
            DeviceState::Busy if acting => {
                let task = snapshot
                    .current_task
                    .map_or_else(String::new, |task| format!(" with task {task}"));
                refused(format!("device {serial} is busy{task}: stop it, or wait for its end"))
            }
            // A person may look after a device that gets no tasks.
            DeviceState::Online | DeviceState::Busy | DeviceState::Quarantined | DeviceState::Disabled => Ok(()),
        }
    }

    fn apply_device_patch(&mut self, serial: &Serial, patch: DevicePatch) -> Result<DeviceSnapshot, SupervisorError> {
        if let Some(device) = self.devices.get_mut(serial) {
            let record = &mut device.record;
            record.alias = patch.alias.unwrap_or(record.alias.take());
            record.tags = patch.tags.unwrap_or(std::mem::take(&mut record.tags));
            record.app = patch.app.unwrap_or(record.app.take());
            record.enabled = patch.enabled.unwrap_or(record.enabled);
            if let Some(living) = &device.living {
                let (enabled, app) = (record.enabled, record.app.clone());
                tell(&living.addr, ChangeDevice { enabled, app });
                if !enabled {
                    tell_not_ready(&self.parts.router, living, serial, SWITCHED_OFF.0.to_owned());
                }
            }
        }
        let mut snapshot = self.device_snapshot(self.known_device(serial)?);
        // The actor shows it a moment later; the answer already says what was committed.
        match (snapshot.enabled, snapshot.state) {
            (
                false,
                DeviceState::Online | DeviceState::Offline | DeviceState::Unauthorized | DeviceState::Quarantined,
            ) => {
                snapshot.state = DeviceState::Disabled;
                let (cause, next) = SWITCHED_OFF;
                cause.clone_into(&mut snapshot.cause);
                next.clone_into(&mut snapshot.next_action);
            }
            (true, DeviceState::Disabled) => {
                snapshot.state = DeviceState::Offline;
                "was switched on".clone_into(&mut snapshot.cause);
                "is being looked for".clone_into(&mut snapshot.next_action);
            }
            _ => {}
        }
        Ok(snapshot)
    }
}

impl Handler<ListDevices> for SupervisorActor {
    type Result = MessageResult<ListDevices>;

    fn handle(&mut self, _: ListDevices, _: &mut Self::Context) -> Self::Result {
        MessageResult(
            self.devices
                .values()
                .map(|device| self.device_snapshot(device))
                .collect(),
        )
    }
}

impl Handler<GetDevice> for SupervisorActor {
    type Result = Result<DeviceSnapshot, SupervisorError>;

    fn handle(&mut self, GetDevice(serial): GetDevice, _: &mut Self::Context) -> Self::Result {
        Ok(self.device_snapshot(self.known_device(&serial)?))
    }
}

impl Handler<PatchDevice> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, PatchDevice(serial, patch, reply): PatchDevice, ctx: &mut Self::Context) {
        if let Err(error) = self.known_device(&serial) {
            return answer(reply, Err(error));
        }
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move {
            let stored = store.patch_device(&serial, patch.clone()).await;
            tell(&addr, DevicePatched(serial, patch, stored, reply));
        });
    }
}

impl Handler<DevicePatched> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, DevicePatched(serial, patch, stored, reply): DevicePatched, _: &mut Self::Context) {
        let result = match stored {
            Ok(()) => self.apply_device_patch(&serial, patch),
            Err(error) => Err(SupervisorError::Store(error)),
        };
        answer(reply, result);
    }
}

impl Handler<PermitDriver> for SupervisorActor {
    type Result = Result<(), SupervisorError>;

    fn handle(&mut self, ask: PermitDriver, _: &mut Self::Context) -> Self::Result {
        self.permit(&ask.serial, ask.acting)
    }
}

impl Handler<GetTree> for SupervisorActor {
    type Result = MessageResult<GetTree>;

    fn handle(&mut self, _: GetTree, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.tree())
    }
}

impl Handler<RestartActor> for SupervisorActor {
    type Result = Result<ActorSnapshot, SupervisorError>;

    fn handle(&mut self, ask: RestartActor, ctx: &mut Self::Context) -> Self::Result {
        refuse_own(&ask)?;
        let unknown = || SupervisorError::UnknownActor {
            kind: ask.kind.clone(),
            name: ask.name.clone(),
        };
        let key = key_of(&ask.kind, &ask.name).ok_or_else(unknown)?;
        let effects = self.core.on_restart(&key, self.parts.clock.now()).ok_or_else(unknown)?;
        self.perform(effects, ctx);
        let mut tree = self.tree().into_iter();
        tree.find(|row| row.kind == key.kind && row.name == *key.name)
            .ok_or_else(unknown)
    }
}

fn refuse_own(ask: &RestartActor) -> Result<(), SupervisorError> {
    // There is one, and its name is its kind.
    let own = super::ActorKind::Supervisor.as_str();
    if ask.kind != own || ask.name != own {
        return Ok(());
    }
    let mend = "the supervisor restarts the others; to restart it, end farmhand and start it again";
    Err(SupervisorError::WrongState(mend.to_owned()))
}

fn key_of(kind: &str, name: &str) -> Option<ChildKey> {
    match kind {
        "router" => Some(super::children::router_key()).filter(|key| *key.name == *name),
        "device" => Some(super::children::device_key(&Serial::parse(name).ok()?)),
        "account" => Some(account_key(&Username::parse(name).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct SabotageChild {
    pub kind: super::ActorKind,
    pub name: String,
    pub how: crate::testing::Sabotage,
}

#[cfg(test)]
impl Handler<SabotageChild> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, ask: SabotageChild, _: &mut Self::Context) {
        let struck = match ask.kind {
            super::ActorKind::Router => tell(&self.router.living.as_ref().unwrap().addr, ask.how),
            super::ActorKind::Device => {
                let device = self.devices.get(&Serial::parse(&ask.name).unwrap()).unwrap();
                tell(&device.living.as_ref().unwrap().addr, ask.how)
            }
            _ => {
                let account = self.accounts.get(&Username::parse(&ask.name).unwrap()).unwrap();
                tell(&account.living.as_ref().unwrap().addr, ask.how)
            }
        };
        let _ = struck;
    }
}
