//! Building children, and letting go of them.

use std::{hash::Hasher, sync::Arc};

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    ActorKind, SupervisorActor,
    actor::{AccountEntry, DeviceEntry, Living},
};
use crate::{
    account::{AccountActor, AccountParts, ForgetLeases, view::view_of},
    boot::{RouterBoot, boot_router},
    device::{AbandonBefore, ChangePresence, DeviceActor, DeviceParts},
    domain::{AccountRecord, DeviceInfo, DeviceRecord, Generation, Serial, Username},
    mail::{ChildExited, ChildKey, DeathWatch, Pulse, Terminate, tell},
    ports::StoreError,
    router::{AccountChanged, AccountExited, AccountRemoved, DeviceExited, DeviceStarted, RouterActor, RouterParts},
};

#[derive(Message)]
#[rtype(result = "()")]
struct RouterBooted(Generation, Result<RouterBoot, StoreError>);

/// The router's key.
pub(super) fn router_key() -> ChildKey {
    let kind = ActorKind::Router;
    ChildKey {
        kind,
        name: kind.as_str().into(),
    }
}

/// A device's key.
pub(super) fn device_key(serial: &Serial) -> ChildKey {
    ChildKey {
        kind: ActorKind::Device,
        name: serial.as_str().into(),
    }
}

/// An account's key.
pub(super) fn account_key(username: &Username) -> ChildKey {
    ChildKey {
        kind: ActorKind::Account,
        name: username.as_str().into(),
    }
}

impl SupervisorActor {
    /// The router first: the others report to it.
    pub(super) fn start_first(&mut self, ctx: &mut Context<Self>) {
        let now = self.parts.clock.now();
        let effects = self.core.on_added(router_key(), now);
        self.perform(effects, ctx);
        for record in std::mem::take(&mut self.parts.devices) {
            self.add_device(record, ctx);
        }
        for record in std::mem::take(&mut self.parts.accounts) {
            self.add_account(record, ctx);
        }
        // Accounts that come later may have been here before, and rebuilt ones load their own.
        self.parts.uses = None;
    }

    pub(super) fn add_device(&mut self, record: DeviceRecord, ctx: &mut Context<Self>) {
        let key = device_key(&record.serial);
        let entry = DeviceEntry {
            record: record.clone(),
            board: watch::Sender::new(None),
            living: None,
            leash: CancellationToken::new(),
        };
        self.devices.entry(record.serial).or_insert(entry);
        let effects = self.core.on_added(key, self.parts.clock.now());
        self.perform(effects, ctx);
    }

    pub(super) fn add_account(&mut self, record: AccountRecord, ctx: &mut Context<Self>) {
        let key = account_key(&record.username);
        let username = record.username.clone();
        self.accounts.insert(username, AccountEntry { record, living: None });
        let effects = self.core.on_added(key, self.parts.clock.now());
        self.perform(effects, ctx);
    }

    pub(super) fn remove_account(&mut self, username: &Username, ctx: &mut Context<Self>) {
        let effects = self.core.on_removed(&account_key(username));
        self.perform(effects, ctx);
        self.accounts.remove(username);
        self.parts.router.tell(AccountRemoved(username.clone()));
    }

    pub(super) fn start_child(&mut self, key: &ChildKey, generation: Generation, ctx: &mut Context<Self>) {
        match key.kind {
            ActorKind::Router => self.boot_router(generation, ctx),
            ActorKind::Device => self.start_device(key, generation, ctx),
            ActorKind::Account => self.start_account(key, generation, ctx),
            ActorKind::Supervisor | ActorKind::Watcher => {}
        }
    }

    pub(super) fn forget_child(&mut self, key: &ChildKey, generation: Generation) {
        match key.kind {
            ActorKind::Router => {
                self.parts.router.set(None);
                end(self.router.living.take());
            }
            ActorKind::Device => {
                let Some(serial) = Serial::parse(&key.name).ok() else {
                    return;
                };
                if let Some(device) = self.devices.get_mut(&serial) {
                    device.leash.cancel();
                    end(device.living.take());
                }
                self.parts.router.tell(DeviceExited { serial, generation });
            }
            ActorKind::Account => {
                let Some(username) = Username::parse(&key.name).ok() else {
                    return;
                };
                end(self
                    .accounts
                    .get_mut(&username)
                    .and_then(|account| account.living.take()));
                self.parts.router.tell(AccountExited(username));
            }
            ActorKind::Supervisor | ActorKind::Watcher => {}
        }
    }

    fn boot_router(&mut self, generation: Generation, ctx: &mut Context<Self>) {
        if let Some(boot) = self.parts.boot.take() {
            self.start_router(generation, boot, ctx);
            return;
        }
        let (store, clock) = (Arc::clone(&self.parts.store), Arc::clone(&self.parts.clock));
        let (settings, addr) = (Arc::clone(&self.parts.settings), ctx.address());
        actix_rt::spawn(async move {
            let booted = boot_router(&store, clock.now().wall, &settings).await;
            tell(&addr, RouterBooted(generation, booted));
        });
    }

    fn start_router(&mut self, generation: Generation, boot: RouterBoot, ctx: &Context<Self>) {
        let pulse = Arc::new(Pulse::default());
        let epoch = boot.epoch;
        let parts = RouterParts {
            store: Arc::clone(&self.parts.store),
            clock: Arc::clone(&self.parts.clock),
            scripts: Arc::clone(&self.parts.scripts),
            settings: Arc::clone(&self.parts.settings),
            supervisor: self.parts.this.clone(),
            epoch,
            lanes: boot.lanes,
            drains: boot.drains,
            batch_starts: boot.batch_starts,
            repetitions: boot.repetitions,
            nonce: rand::random(),
            pulse: Arc::clone(&pulse),
            watch: watch_of(router_key(), generation, ctx),
        };
        let addr = RouterActor::new(parts).start();
        self.parts.router.set(Some(addr.clone()));
        self.router.living = Some(Living {
            addr,
            pulse,
            generation,
        });
        self.introduce_all(epoch);
    }

    /// Tells a new router who is there, and everybody that it is in office.
    fn introduce_all(&self, epoch: crate::domain::Epoch) {
        for (serial, device) in &self.devices {
            let Some(living) = &device.living else { continue };
            self.introduce_device(serial, living);
            tell(&living.addr, AbandonBefore(epoch));
        }
        for account in self.accounts.values() {
            self.introduce_account(account);
            if let Some(living) = &account.living {
                tell(&living.addr, ForgetLeases { epoch });
            }
        }
    }

    fn introduce_device(&self, serial: &Serial, living: &Living<DeviceActor>) {
        self.parts.router.tell(DeviceStarted {
            serial: serial.clone(),
            generation: living.generation,
            mailbox: living.addr.clone(),
            pulse: Arc::clone(&living.pulse),
        });
    }

    pub(super) fn introduce_account(&self, account: &AccountEntry) {
        let mailbox = account
            .living
            .as_ref()
            .map(|living| (living.addr.clone(), Arc::clone(&living.pulse)));
        let generation = account
            .living
            .as_ref()
            .map_or(Generation(0), |living| living.generation);
        let view = view_of(&account.record, &self.parts.settings, self.parts.clock.now().wall);
        self.parts.router.tell(AccountChanged {
            view,
            generation,
            mailbox,
        });
    }

    fn start_device(&mut self, key: &ChildKey, generation: Generation, ctx: &Context<Self>) {
        let Some((serial, device)) = Serial::parse(&key.name)
            .ok()
            .and_then(|name| self.devices.get_key_value(&name))
        else {
            return;
        };
        let serial = serial.clone();
        let pulse = Arc::new(Pulse::default());
        let leash = CancellationToken::new();
        let mut record = device.record.clone();
        if let Some(status) = device.board.borrow().as_ref() {
            record.info = DeviceInfo::clone(&status.info);
            record.last_seen = status.last_seen;
        }
        let parts = DeviceParts {
            record,
            store: Arc::clone(&self.parts.store),
            drivers: Arc::clone(&self.parts.drivers),
            runner: Arc::clone(&self.parts.runner),
            clock: Arc::clone(&self.parts.clock),
            settings: Arc::clone(&self.parts.settings),
            router: self.parts.router.clone(),
            supervisor: self.parts.this.clone(),
            board: device.board.clone(),
            pulse: Arc::clone(&pulse),
            leash: leash.clone(),
            watch: watch_of(key.clone(), generation, ctx),
        };
        let addr = self.launch(&serial, generation, parts);
        let living = Living {
            addr,
            pulse,
            generation,
        };
        self.introduce_device(&serial, &living);
        if let Some(presence) = self.presences.of(&serial) {
            tell(&living.addr, ChangePresence::clone(&presence));
        }
        if let Some(device) = self.devices.get_mut(&serial) {
            device.living = Some(living);
            device.leash = leash;
        }
    }

    fn launch(&self, serial: &Serial, generation: Generation, parts: DeviceParts) -> Addr<DeviceActor> {
        match arbiter_of(&self.parts.arbiters, serial, generation) {
            Some(arbiter) => DeviceActor::start_in_arbiter(arbiter, |_| DeviceActor::new(parts)),
            None => DeviceActor::new(parts).start(),
        }
    }

    fn start_account(&mut self, key: &ChildKey, generation: Generation, ctx: &Context<Self>) {
        let Some(username) = Username::parse(&key.name).ok() else {
            return;
        };
        let Some(account) = self.accounts.get_mut(&username) else {
            return;
        };
        let pulse = Arc::new(Pulse::default());
        let first = generation == Generation(1);
        let parts = AccountParts {
            record: account.record.clone(),
            uses: self.parts.uses.clone().filter(|_| first),
            store: Arc::clone(&self.parts.store),
            clock: Arc::clone(&self.parts.clock),
            settings: Arc::clone(&self.parts.settings),
            zone: self.parts.zone.clone(),
            router: self.parts.router.clone(),
            supervisor: self.parts.this.clone(),
            pulse: Arc::clone(&pulse),
            watch: watch_of(key.clone(), generation, ctx),
        };
        let addr = AccountActor::new(parts).start();
        account.living = Some(Living {
            addr,
            pulse,
            generation,
        });
        if let Some(account) = self.accounts.get(&username) {
            self.introduce_account(account);
        }
    }
}

fn end<A>(living: Option<Living<A>>)
where
    A: Actor<Context = Context<A>> + Handler<Terminate>,
{
    if let Some(living) = living {
        tell(&living.addr, Terminate);
    }
}

fn watch_of(key: ChildKey, generation: Generation, ctx: &Context<SupervisorActor>) -> DeathWatch {
    DeathWatch {
        supervisor: ctx.address().recipient(),
        key,
        generation,
    }
}

/// Every incarnation moves to the next thread: one that is stuck there does not hold up its successor.
fn arbiter_of<'a>(arbiters: &'a [ArbiterHandle], serial: &Serial, generation: Generation) -> Option<&'a ArbiterHandle> {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(serial.as_str().as_bytes());
    let count = u64::try_from(arbiters.len()).ok()?;
    let place = hasher.finish().wrapping_add(generation.0).checked_rem(count)?;
    arbiters.get(usize::try_from(place).ok()?)
}

impl SupervisorActor {
    /// Counts as an exit, so that it is tried again after its back-off.
    fn router_not_booted(&mut self, generation: Generation, error: &StoreError, ctx: &mut Context<Self>) {
        tracing::error!(%error, "the router cannot be rebuilt");
        let exit = ChildExited {
            key: router_key(),
            generation,
            panicked: false,
        };
        let effects = self.core.on_exited(&exit, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<RouterBooted> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, RouterBooted(generation, booted): RouterBooted, ctx: &mut Self::Context) {
        let current = self
            .core
            .child(&router_key())
            .is_some_and(|child| child.generation == generation);
        match booted {
            Ok(boot) if current => self.start_router(generation, boot, ctx),
            Ok(_) => {}
            Err(error) => self.router_not_booted(generation, &error, ctx),
        }
    }
}
