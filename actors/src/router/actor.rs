//! The shell of the router.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, SpawnHandle};
use tokio::sync::oneshot;

use super::{
    AccountChanged, AccountExited, AccountRemoved, AttemptFinished, DeviceChanged, DeviceExited, DeviceStarted,
    LeaseAnswered, UsesChanged,
    core::{Effect, RouterCore},
    schedule::core::ScheduleCore,
};
use crate::{
    account::AccountActor,
    device::{DeviceActor, StartAttempt},
    domain::{BatchStart, Drain, Epoch, Generation, Serial, TaskId, Username, retry::Repetition},
    mail::{DeathWatch, Ping, Pulse, Slot, Terminate, tell},
    ports::{Clock, Lane, ScriptCatalog, SharedStore},
    settings::FarmSettings,
    supervisor::{RebuildDevice, SupervisorActor},
};

/// What the router is made of.
pub struct RouterParts {
    /// The store.
    pub store: SharedStore,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Says whether a schedule's request still fits its script.
    pub scripts: Arc<dyn ScriptCatalog>,
    /// The settings.
    pub settings: Arc<FarmSettings>,
    /// Whom to ask for a rebuilt device.
    pub supervisor: Slot<SupervisorActor>,
    /// The start that it writes for.
    pub epoch: Epoch,
    /// Lanes with pending tasks.
    pub lanes: Vec<Lane>,
    /// Where no attempt begins.
    pub drains: Vec<Drain>,
    /// Starts that others of their batches keep a distance to.
    pub batch_starts: Vec<BatchStart>,
    /// What was repeated by itself before.
    pub repetitions: Vec<Repetition>,
    /// Makes leases unique over all farms, and feeds gaps and pauses.
    pub nonce: u64,
    /// Its heartbeat.
    pub pulse: Arc<Pulse>,
    /// Tells its end.
    pub watch: DeathWatch,
}

/// The one writer of tasks and attempts.
pub struct RouterActor {
    pub(super) core: RouterCore,
    pub(super) schedules: ScheduleCore,
    pub(super) parts: RouterParts,
    devices: HashMap<Serial, DeviceMailbox>,
    accounts: HashMap<Username, (Addr<AccountActor>, Arc<Pulse>)>,
    ended: HashMap<TaskId, Vec<oneshot::Sender<()>>>,
    drained: Vec<oneshot::Sender<()>>,
    dispatch_asked: bool,
    timer: Option<(Duration, SpawnHandle)>,
}

struct DeviceMailbox {
    generation: Generation,
    addr: Addr<DeviceActor>,
    pulse: Arc<Pulse>,
}

/// Runs after the mailbox has been drained: all that came in together goes out together.
#[derive(Message)]
#[rtype(result = "()")]
struct Dispatch;

impl RouterActor {
    /// An actor that is not started yet.
    #[must_use]
    pub fn new(mut parts: RouterParts) -> Self {
        let mut core = RouterCore::new(Arc::clone(&parts.settings), parts.epoch, parts.nonce, parts.nonce);
        core.on_lanes(std::mem::take(&mut parts.lanes));
        core.on_drains(std::mem::take(&mut parts.drains));
        core.on_batch_starts(std::mem::take(&mut parts.batch_starts), parts.clock.now());
        core.on_repetitions(std::mem::take(&mut parts.repetitions), parts.clock.now());
        Self {
            core,
            schedules: ScheduleCore::default(),
            parts,
            devices: HashMap::new(),
            accounts: HashMap::new(),
            ended: HashMap::new(),
            drained: Vec::new(),
            dispatch_asked: false,
            timer: None,
        }
    }

    /// Performs what the core decided, and has it look again when the mailbox is empty.
    pub(super) fn perform(&mut self, effects: Vec<Effect>, ctx: &mut Context<Self>) {
        for effect in effects {
            self.perform_one(effect, ctx);
        }
        if !self.dispatch_asked {
            self.dispatch_asked = true;
            ctx.notify(Dispatch);
        }
    }

    /// Answers when the attempt of the task is over.
    pub(super) fn when_ended(&mut self, task: TaskId, waiter: oneshot::Sender<()>) {
        self.ended.entry(task).or_default().push(waiter);
    }

    /// Answers when nothing runs any more.
    pub(super) fn when_drained(&mut self, waiter: oneshot::Sender<()>) {
        self.drained.push(waiter);
    }

    fn perform_one(&mut self, effect: Effect, ctx: &Context<Self>) {
        match effect {
            Effect::Lease(username, ask) => {
                if !self.tell_account(&username, ask) {
                    self.core.on_account_exited(&username, self.parts.clock.now());
                }
            }
            Effect::Release(username, release) => {
                self.tell_account(&username, release);
            }
            Effect::Start(spec) => {
                let (task, number, serial) = (spec.task.0, spec.number, spec.serial.clone());
                tracing::debug!(task.id = task, attempt.number = number, device.serial = %serial, "attempt starts");
                self.tell_device(&serial, StartAttempt(spec));
            }
            Effect::Stop(serial, stop) => self.tell_device(&serial, stop),
            Effect::Ended(task) => {
                for waiter in self.ended.remove(&task).into_iter().flatten() {
                    // Who asked may have given up waiting.
                    let _ = waiter.send(());
                }
            }
            Effect::Tell(end) => end.log(),
            Effect::RebuildDevice(serial, generation) => {
                self.parts.supervisor.tell(RebuildDevice { serial, generation });
            }
            stored => self.ask_store(stored, ctx),
        }
    }

    pub(super) fn tell_account<M>(&self, username: &Username, message: M) -> bool
    where
        M: Message<Result = ()> + Send + 'static,
        AccountActor: Handler<M>,
    {
        self.accounts.get(username).is_some_and(|(addr, pulse)| {
            pulse.sent();
            tell(addr, message)
        })
    }

    fn tell_device<M>(&self, serial: &Serial, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        DeviceActor: Handler<M>,
    {
        if let Some(device) = self.devices.get(serial) {
            device.pulse.sent();
            tell(&device.addr, message);
        }
    }

    fn note_device(&mut self, serial: &Serial, generation: Generation, addr: Addr<DeviceActor>, pulse: Arc<Pulse>) {
        let known = self.devices.get(serial).map(|device| device.generation);
        if known.is_none_or(|known| known < generation) {
            let mailbox = DeviceMailbox {
                generation,
                addr,
                pulse,
            };
            self.devices.insert(serial.clone(), mailbox);
        }
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        let now = self.parts.clock.now();
        let wakes = [self.core.next_wake(now), self.schedules.next_wake(now)];
        let Some(pause) = wakes.into_iter().flatten().min() else {
            return;
        };
        let wake = now.mono + pause;
        // A timer that is early only looks again; re-arming it on every turn would cost more.
        if self.timer.as_ref().is_some_and(|(armed, _)| *armed <= wake) {
            return;
        }
        if let Some((_, late)) = self.timer.take() {
            ctx.cancel_future(late);
        }
        let handle = ctx.run_later(pause, |actor, ctx| {
            actor.timer = None;
            actor.perform(Vec::new(), ctx);
        });
        self.timer = Some((wake, handle));
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.parts.pulse.beat();
        self.load_schedules(ctx);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<Dispatch> for RouterActor {
    type Result = ();

    fn handle(&mut self, _: Dispatch, ctx: &mut Self::Context) {
        self.dispatch_asked = false;
        self.run_due_schedules(ctx);
        for effect in self.core.dispatch(self.parts.clock.now()) {
            self.perform_one(effect, ctx);
        }
        if self.core.is_idle() {
            for waiter in self.drained.drain(..) {
                let _ = waiter.send(());
            }
        }
        self.arm(ctx);
    }
}

impl Handler<DeviceStarted> for RouterActor {
    type Result = ();

    fn handle(&mut self, started: DeviceStarted, ctx: &mut Self::Context) {
        let DeviceStarted {
            serial,
            generation,
            mailbox,
            pulse,
        } = started;
        self.core.on_device_started(&serial, generation);
        self.note_device(&serial, generation, mailbox, pulse);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<DeviceChanged> for RouterActor {
    type Result = ();

    fn handle(&mut self, changed: DeviceChanged, ctx: &mut Self::Context) {
        let DeviceChanged {
            serial,
            generation,
            not_ready,
            phone,
            mailbox,
            pulse,
        } = changed;
        self.core.on_device_changed(&serial, generation, not_ready);
        self.core.on_phone_known(&serial, generation, phone);
        self.note_device(&serial, generation, mailbox, pulse);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<DeviceExited> for RouterActor {
    type Result = ();

    fn handle(&mut self, exited: DeviceExited, ctx: &mut Self::Context) {
        self.core.on_device_exited(&exited.serial, exited.generation);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<AccountChanged> for RouterActor {
    type Result = ();

    fn handle(&mut self, changed: AccountChanged, ctx: &mut Self::Context) {
        if let Some(mailbox) = changed.mailbox {
            let username = changed.view.username.clone();
            self.accounts.insert(username.clone(), mailbox);
            if let Some(keep) = self.core.lease_of(&username) {
                self.tell_account(&username, keep);
            }
        }
        self.core.on_account_changed(changed.view, self.parts.clock.now());
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<AccountRemoved> for RouterActor {
    type Result = ();

    fn handle(&mut self, AccountRemoved(username): AccountRemoved, ctx: &mut Self::Context) {
        self.accounts.remove(&username);
        self.core.on_account_removed(&username);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<UsesChanged> for RouterActor {
    type Result = ();

    fn handle(&mut self, UsesChanged(username): UsesChanged, ctx: &mut Self::Context) {
        self.core.on_uses_changed(&username);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<AccountExited> for RouterActor {
    type Result = ();

    fn handle(&mut self, AccountExited(username): AccountExited, ctx: &mut Self::Context) {
        self.accounts.remove(&username);
        self.core.on_account_exited(&username, self.parts.clock.now());
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<LeaseAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, answer: LeaseAnswered, ctx: &mut Self::Context) {
        let effects = self.core.on_lease_answered(answer, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<AttemptFinished> for RouterActor {
    type Result = ();

    fn handle(&mut self, finished: AttemptFinished, ctx: &mut Self::Context) {
        self.parts.pulse.beat();
        let (task, serial) = (finished.task.0, &finished.serial);
        tracing::debug!(task.id = task, device.serial = %serial, ending = ?finished.ending, "attempt ended");
        self.core.on_attempt_finished(finished, self.parts.clock.now());
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<Ping> for RouterActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {
        self.parts.pulse.handled();
    }
}

impl Handler<Terminate> for RouterActor {
    type Result = ();

    fn handle(&mut self, _: Terminate, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[cfg(test)]
impl Handler<crate::testing::Sabotage> for RouterActor {
    type Result = ();

    fn handle(&mut self, sabotage: crate::testing::Sabotage, ctx: &mut Self::Context) {
        sabotage.strike(ctx);
    }
}
