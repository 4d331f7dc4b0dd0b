//! The shell of a device's actor.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, SpawnHandle};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    AbandonBefore, AnswerQuarantine, AttemptEnding, ChangeDevice, ChangePresence, DeviceStatus, HoldDevice,
    StartAttempt, StopAttempt, ask,
    attempt::{AttemptRun, run_attempt},
    core::{DeviceCore, Effect},
};
use crate::{
    domain::{AttemptId, DeviceInfo, DeviceRecord, Generation, Serial, TaskId},
    mail::{DeathWatch, Ping, Pulse, Slot, Terminate, tell},
    ports::{Clock, DriverFactory, ScriptRunner, SharedStore},
    router::{AttemptFinished, DeviceChanged, RouterActor},
    settings::FarmSettings,
    supervisor::{QuarantineAsked, SupervisorActor},
};

/// What a device's actor is made of.
pub struct DeviceParts {
    /// What is stored of it.
    pub record: DeviceRecord,
    /// The store.
    pub store: SharedStore,
    /// Opens drivers.
    pub drivers: Arc<dyn DriverFactory>,
    /// Runs scripts.
    pub runner: Arc<dyn ScriptRunner>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: Arc<FarmSettings>,
    /// Whom to report to.
    pub router: Slot<RouterActor>,
    /// Whom to ask for quarantine.
    pub supervisor: Slot<SupervisorActor>,
    /// Where it shows itself.
    pub board: watch::Sender<Option<DeviceStatus>>,
    /// Its heartbeat.
    pub pulse: Arc<Pulse>,
    /// Cancelled by the supervisor when it gives this incarnation up: ends its attempt even if the actor stands still.
    pub leash: CancellationToken,
    /// Tells its end.
    pub watch: DeathWatch,
}

/// One phone.
pub struct DeviceActor {
    core: DeviceCore,
    attempt: Option<RunningAttempt>,
    look: Option<AbortOnDropHandle<()>>,
    heartbeat: Option<AbortOnDropHandle<()>>,
    timer: Option<(Duration, SpawnHandle)>,
    parts: DeviceParts,
}

/// A running attempt's task. Dropped with the actor, it takes the attempt with it: nothing acts without an owner.
struct RunningAttempt {
    cancel: CancellationToken,
    /// When it last made progress, on the monotonic clock.
    progressed: Rc<Cell<Duration>>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct AttemptEnded {
    attempt: AttemptId,
    ending: AttemptEnding,
}

#[derive(Message)]
#[rtype(result = "()")]
struct LookEnded(Result<DeviceInfo, String>);

#[derive(Message)]
#[rtype(result = "()")]
struct HeartbeatEnded(Result<(), String>);

impl DeviceActor {
    /// An actor that is not started yet.
    #[must_use]
    pub fn new(parts: DeviceParts) -> Self {
        Self {
            core: DeviceCore::new(&parts.record, Arc::clone(&parts.settings)),
            attempt: None,
            look: None,
            heartbeat: None,
            timer: None,
            parts,
        }
    }

    fn serial(&self) -> &Serial {
        &self.parts.record.serial
    }

    fn generation(&self) -> Generation {
        self.parts.watch.generation
    }

    fn perform(&mut self, effects: Vec<Effect>, ctx: &mut Context<Self>) {
        for effect in effects {
            match effect {
                Effect::Look => self.begin_look(ctx),
                Effect::Heartbeat => self.begin_heartbeat(ctx),
                Effect::Run => self.run(ctx),
                Effect::Cancel => self.cancel(),
                Effect::Abandon => drop(self.attempt.take()),
                Effect::Report { task, attempt, ending } => self.report(task, attempt, *ending),
                Effect::TellRouter => self.tell_router(ctx),
                Effect::Note => self.note(),
                Effect::AskQuarantine => self.ask_quarantine(),
                Effect::TellEvent(event) => {
                    let cause = event.data.get("cause").and_then(serde_json::Value::as_str);
                    tracing::info!(device.serial = %event.subject, cause, "{}", event.kind);
                    self.parts.store.tell(vec![event]);
                }
            }
        }
        let status = self.core.status(self.parts.clock.now());
        self.parts.board.send_if_modified(|shown| {
            let changed = shown.as_ref() != Some(&status);
            if changed {
                *shown = Some(status);
            }
            changed
        });
        self.arm(ctx);
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        let Some(wake) = self.core.next_wake() else { return };
        // A timer that is early only looks again; re-arming it for every attempt would cost more.
        if self.timer.as_ref().is_some_and(|(armed, _)| *armed <= wake) {
            return;
        }
        if let Some((_, late)) = self.timer.take() {
            ctx.cancel_future(late);
        }
        let pause = wake.saturating_sub(self.parts.clock.now().mono);
        let handle = ctx.run_later(pause, |actor, ctx| actor.wake(ctx));
        self.timer = Some((wake, handle));
    }

    fn wake(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        let now = self.parts.clock.now();
        if let Some(answer) = self.parts.drivers.last_answer(self.serial()) {
            self.core.on_last_answer(answer.ago, now);
        }
        let progressed = self.attempt.as_ref().map(|attempt| attempt.progressed.get());
        let effects = self.core.on_wake(progressed, now);
        self.perform(effects, ctx);
    }

    fn begin_look(&mut self, ctx: &Context<Self>) {
        let driver = self.parts.drivers.open(self.serial(), None);
        let limit = Duration::from_secs(self.parts.settings.probe.timeout_s);
        let addr = ctx.address();
        let task = actix_rt::spawn(async move {
            tell(&addr, LookEnded(ask::look(driver, limit).await));
        });
        self.look = Some(AbortOnDropHandle::new(task));
    }

    fn begin_heartbeat(&mut self, ctx: &Context<Self>) {
        let driver = self.parts.drivers.open(self.serial(), None);
        let limit = Duration::from_millis(self.parts.settings.probe.heartbeat_timeout_ms);
        let addr = ctx.address();
        let task = actix_rt::spawn(async move {
            tell(&addr, HeartbeatEnded(ask::heartbeat(driver, limit).await));
        });
        self.heartbeat = Some(AbortOnDropHandle::new(task));
    }

    fn run(&mut self, ctx: &Context<Self>) {
        let Some(spec) = self.core.spec() else { return };
        let cancel = CancellationToken::new();
        let clock = Arc::clone(&self.parts.clock);
        let progressed = Rc::new(Cell::new(clock.now().mono));
        let (noted, pulse) = (Rc::clone(&progressed), Arc::clone(&self.parts.pulse));
        let (attempt, addr) = (spec.attempt, ctx.address());
        let run = AttemptRun {
            driver: self.parts.drivers.open(self.serial(), Some(&spec.lease)),
            runner: Arc::clone(&self.parts.runner),
            cancel: cancel.clone(),
            beat: Rc::new(move || {
                noted.set(clock.now().mono);
                pulse.beat();
            }),
            spec,
        };
        let leash = self.parts.leash.clone();
        let task = actix_rt::spawn(async move {
            if let Some(ending) = leash.run_until_cancelled(run_attempt(run)).await {
                tell(&addr, AttemptEnded { attempt, ending });
            }
        });
        self.attempt = Some(RunningAttempt {
            cancel,
            progressed,
            _task: AbortOnDropHandle::new(task),
        });
    }

    fn cancel(&self) {
        if let Some(attempt) = &self.attempt {
            attempt.cancel.cancel();
        }
    }

    fn report(&self, task: TaskId, attempt: AttemptId, ending: AttemptEnding) {
        // Without a router the report is lost on purpose: the next router has a new epoch and rescues the attempt.
        self.parts.router.tell(AttemptFinished {
            task,
            attempt,
            serial: self.serial().clone(),
            generation: self.generation(),
            ending,
        });
    }

    fn tell_router(&self, ctx: &Context<Self>) {
        self.parts.router.tell(DeviceChanged {
            serial: self.serial().clone(),
            generation: self.generation(),
            not_ready: self.core.not_ready(),
            phone: self.core.info().identity(),
            mailbox: ctx.address(),
            pulse: Arc::clone(&self.parts.pulse),
        });
    }

    fn note(&self) {
        let (store, serial) = (Arc::clone(&self.parts.store), self.serial().clone());
        let (info, at) = (DeviceInfo::clone(self.core.info()), self.parts.clock.now().wall);
        actix_rt::spawn(async move {
            if let Err(error) = store.note_device(&serial, info, at).await {
                tracing::warn!(device.serial = %serial, %error, "cannot note what the device said of itself");
            }
        });
    }

    fn ask_quarantine(&self) {
        self.parts.supervisor.tell(QuarantineAsked {
            serial: self.serial().clone(),
            generation: self.generation(),
        });
    }
}

impl Actor for DeviceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.parts.pulse.beat();
        tracing::debug!(device.serial = %self.serial(), rebuilt = self.parts.board.borrow().is_some(), "device actor started");
        if let Some(own_serial) = &self.parts.record.info.own_serial {
            self.parts.drivers.remember(self.serial(), own_serial);
        }
        self.tell_router(ctx);
        ctx.run_later(super::describe::UNSEEN, |actor, ctx| actor.wake(ctx));
    }
}

impl Handler<StartAttempt> for DeviceActor {
    type Result = ();

    fn handle(&mut self, StartAttempt(spec): StartAttempt, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let spec = spec.on_a_device_for(self.parts.record.app.as_deref());
        let effects = self.core.on_start(spec, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<StopAttempt> for DeviceActor {
    type Result = ();

    fn handle(&mut self, stop: StopAttempt, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let effects = self.core.on_stop(stop, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<AttemptEnded> for DeviceActor {
    type Result = ();

    fn handle(&mut self, ended: AttemptEnded, ctx: &mut Self::Context) {
        self.parts.pulse.beat();
        // What an abandoned attempt had still sent must not end its successor.
        if self.core.spec().is_some_and(|spec| spec.attempt == ended.attempt) {
            self.attempt = None;
        }
        let effects = self.core.on_ended(ended.attempt, ended.ending, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<LookEnded> for DeviceActor {
    type Result = ();

    fn handle(&mut self, LookEnded(answer): LookEnded, ctx: &mut Self::Context) {
        self.parts.pulse.beat();
        self.look = None;
        let effects = self.core.on_look(answer, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<HeartbeatEnded> for DeviceActor {
    type Result = ();

    fn handle(&mut self, HeartbeatEnded(answer): HeartbeatEnded, ctx: &mut Self::Context) {
        self.parts.pulse.beat();
        self.heartbeat = None;
        let effects = self.core.on_heartbeat(answer, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<HoldDevice> for DeviceActor {
    type Result = ();

    fn handle(&mut self, HoldDevice(held): HoldDevice, ctx: &mut Self::Context) {
        let effects = self.core.on_held(held, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<ChangePresence> for DeviceActor {
    type Result = ();

    fn handle(&mut self, presence: ChangePresence, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let effects = self.core.on_presence(presence, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<ChangeDevice> for DeviceActor {
    type Result = ();

    fn handle(&mut self, ChangeDevice { enabled, app }: ChangeDevice, ctx: &mut Self::Context) {
        if !std::mem::replace(&mut self.parts.record.enabled, enabled) && enabled {
            self.parts.drivers.forget(self.serial());
        }
        self.parts.record.app = app;
        let effects = self.core.on_enabled(enabled, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<AnswerQuarantine> for DeviceActor {
    type Result = ();

    fn handle(&mut self, answer: AnswerQuarantine, ctx: &mut Self::Context) {
        let effects = self.core.on_quarantine_answer(answer.granted, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<AbandonBefore> for DeviceActor {
    type Result = ();

    fn handle(&mut self, AbandonBefore(epoch): AbandonBefore, ctx: &mut Self::Context) {
        let effects = self.core.on_abandon_before(epoch, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<Ping> for DeviceActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {
        self.parts.pulse.handled();
    }
}

impl Handler<Terminate> for DeviceActor {
    type Result = ();

    fn handle(&mut self, _: Terminate, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
