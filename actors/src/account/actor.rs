//! The shell of an account's actor.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture, SpawnHandle};
use jiff::tz::TimeZone;

use super::{
    ChangeRecord, ForgetLeases, GetAccount, KeepLease, LeaseAccount, ReleaseAccount, ReloadUses, ResumeAccount,
    RetireAccount,
    core::{AccountCore, Effect},
};
use crate::{
    domain::{AccountRecord, Generation, LoadedUses, NewEvent, Timestamp, Username, limits::USES_KEPT},
    mail::{DeathWatch, Ping, Pulse, Slot, Terminate},
    ports::{Clock, SharedStore, StoreError},
    router::{AccountChanged, LeaseAnswered, RouterActor, UsesChanged},
    settings::FarmSettings,
    supervisor::{AccountRecordChanged, AccountSnapshot, SupervisorActor, SupervisorError},
};

/// Between two tries to store that a rest is over, while the database cannot be written.
const STORE_PAUSE: Duration = Duration::from_secs(2);

/// What an account's actor is made of.
pub struct AccountParts {
    /// The stored record.
    pub record: AccountRecord,
    /// Its uses, when they are already at hand; `None`: it loads them itself.
    pub uses: Option<Arc<LoadedUses>>,
    /// The store.
    pub store: SharedStore,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: Arc<FarmSettings>,
    /// The farm's zone.
    pub zone: TimeZone,
    /// Whom to answer.
    pub router: Slot<RouterActor>,
    /// Whom to tell of changes.
    pub supervisor: Slot<SupervisorActor>,
    /// Its heartbeat.
    pub pulse: Arc<Pulse>,
    /// Tells its end.
    pub watch: DeathWatch,
}

/// One account.
pub struct AccountActor {
    core: AccountCore,
    parts: AccountParts,
    /// The next look at whether its rest is over.
    look: Option<SpawnHandle>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct UsesLoaded(u64, Result<(LoadedUses, Option<AccountRecord>), StoreError>);

impl AccountActor {
    /// An actor that is not started yet.
    #[must_use]
    pub fn new(parts: AccountParts) -> Self {
        let mut core = AccountCore::new(parts.record.clone(), Arc::clone(&parts.settings), parts.zone.clone());
        if let Some(uses) = &parts.uses {
            let load = core.on_load();
            core.on_uses_loaded(load, uses, parts.clock.now());
        }
        Self {
            core,
            parts,
            look: None,
        }
    }

    fn generation(&self) -> Generation {
        self.parts.watch.generation
    }

    fn perform(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Touch(at) => self.touch(at),
                Effect::EndRest(ended, event) => self.end_rest(ended, event),
                Effect::TellChanged => self.tell_changed(),
            }
        }
    }

    fn touch(&self, at: Timestamp) {
        let (store, username) = (Arc::clone(&self.parts.store), self.core.record().username.clone());
        actix_rt::spawn(async move {
            if let Err(error) = store.touch_account(&username, at).await {
                tracing::warn!(account = %username, %error, "cannot note when the account was used");
            }
        });
    }

    fn end_rest(&self, ended: Option<Timestamp>, event: NewEvent) {
        let (store, username) = (Arc::clone(&self.parts.store), self.core.record().username.clone());
        actix_rt::spawn(async move {
            // Once more changes nothing, and what a person has changed since stays.
            while let Err(error) = store.end_rest(&username, ended, event.clone()).await {
                tracing::error!(account = %username, %error, "cannot store that the account's rest is over; tries again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        });
    }

    /// Looks again when the rest may be over, if the account rests.
    fn watch_rest(&mut self, ctx: &mut Context<Self>) {
        if let Some(look) = self.look.take() {
            ctx.cancel_future(look);
        }
        let pause = self.core.next_look(self.parts.clock.now());
        self.look = pause.map(|pause| {
            ctx.run_later(pause, |account, ctx| {
                let effects = account.core.on_look(account.parts.clock.now());
                account.perform(effects);
                account.watch_rest(ctx);
            })
        });
    }

    fn tell_changed(&self) {
        self.parts.router.tell(AccountChanged {
            view: self.core.view(self.parts.clock.now()),
            generation: self.generation(),
            mailbox: None,
        });
        self.parts
            .supervisor
            .tell(AccountRecordChanged(self.core.record().clone()));
    }

    fn take_newer(&mut self, record: Option<AccountRecord>, ctx: &mut Context<Self>) {
        let newer = record.filter(|record| record.status_revision > self.core.record().status_revision);
        if let Some(record) = newer {
            let effects = self.core.on_record(record, self.parts.clock.now());
            self.perform(effects);
            self.watch_rest(ctx);
        }
    }

    fn load_uses(&mut self, ctx: &Context<Self>) {
        let (store, addr, load) = (Arc::clone(&self.parts.store), ctx.address(), self.core.on_load());
        let since = self.parts.clock.now().wall.checked_sub(USES_KEPT);
        let username = self.core.record().username.clone();
        actix_rt::spawn(async move {
            let since = since.unwrap_or(Timestamp::MIN);
            crate::mail::tell(&addr, UsesLoaded(load, uses_of(&store, &username, since).await));
        });
    }
}

/// What may have been done is read first: what is confirmed in between is then seen twice, and not lost.
/// The record with it: what an attempt's end has stored of the status may have come while nobody was here.
async fn uses_of(
    store: &SharedStore,
    username: &Username,
    since: Timestamp,
) -> Result<(LoadedUses, Option<AccountRecord>), StoreError> {
    let open = store.open_uses(Some(username)).await?;
    let confirmed = store.uses_of_account(username, since).await?;
    let record = store.find_account(username).await?;
    Ok((LoadedUses { confirmed, open }, record))
}

impl Actor for AccountActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.parts.uses.take().is_none() {
            self.load_uses(ctx);
        }
        self.watch_rest(ctx);
        self.parts.pulse.beat();
    }
}

impl Handler<UsesLoaded> for AccountActor {
    type Result = ();

    fn handle(&mut self, UsesLoaded(load, loaded): UsesLoaded, ctx: &mut Self::Context) {
        match loaded {
            Ok((uses, record)) => {
                self.core.on_uses_loaded(load, &uses, self.parts.clock.now());
                self.take_newer(record, ctx);
                let username = self.core.record().username.clone();
                self.parts.router.tell(UsesChanged(username));
            }
            Err(error) => {
                // Without its counters the account must not act: end, and be rebuilt after the back-off.
                tracing::error!(account = %self.core.record().username, %error, "cannot load the account's uses");
                ctx.stop();
            }
        }
    }
}

impl Handler<LeaseAccount> for AccountActor {
    type Result = ();

    fn handle(&mut self, ask: LeaseAccount, _: &mut Self::Context) {
        self.parts.pulse.handled();
        let now = self.parts.clock.now();
        let (answer, effects) = self.core.on_lease(&ask, now);
        self.parts.router.tell(LeaseAnswered {
            username: self.core.record().username.clone(),
            task: ask.task,
            token: ask.token,
            answer: answer.map(|()| self.core.permit().unwrap_or_default()),
        });
        self.perform(effects);
    }
}

impl Handler<KeepLease> for AccountActor {
    type Result = ();

    fn handle(&mut self, keep: KeepLease, _: &mut Self::Context) {
        self.parts.pulse.handled();
        self.core.on_keep(&keep, self.parts.clock.now());
    }
}

impl Handler<ReleaseAccount> for AccountActor {
    type Result = ();

    fn handle(&mut self, release: ReleaseAccount, _: &mut Self::Context) {
        self.parts.pulse.handled();
        let effects = self.core.on_release(release);
        self.perform(effects);
    }
}

impl Handler<ForgetLeases> for AccountActor {
    type Result = ();

    fn handle(&mut self, forget: ForgetLeases, ctx: &mut Self::Context) {
        self.core.on_forget_leases(forget.epoch);
        // What the former router's attempts did may have been counted without it.
        self.load_uses(ctx);
    }
}

impl Handler<ReloadUses> for AccountActor {
    type Result = ();

    fn handle(&mut self, ReloadUses { settled }: ReloadUses, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        self.core.on_settled(settled);
        self.load_uses(ctx);
    }
}

impl Handler<ChangeRecord> for AccountActor {
    type Result = ();

    fn handle(&mut self, ChangeRecord(record): ChangeRecord, ctx: &mut Self::Context) {
        let effects = self.core.on_record(record, self.parts.clock.now());
        self.perform(effects);
        self.watch_rest(ctx);
    }
}

impl Handler<ResumeAccount> for AccountActor {
    type Result = ResponseFuture<Result<AccountSnapshot, SupervisorError>>;

    fn handle(&mut self, _: ResumeAccount, ctx: &mut Self::Context) -> Self::Result {
        let record = match self.core.on_resume() {
            Ok(record) => record,
            Err(problem) => return Box::pin(async { Err(SupervisorError::WrongState(problem)) }),
        };
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        Box::pin(async move {
            let event = record.status_event("resumed by a person");
            let stored = store.resume_account(&record.username, event).await?;
            let stored = stored.ok_or(SupervisorError::UnknownAccount(record.username))?;
            crate::mail::tell(&addr, ChangeRecord(stored));
            addr.send(GetAccount).await.map_err(|_| SupervisorError::Away)
        })
    }
}

impl Handler<RetireAccount> for AccountActor {
    type Result = Result<(), String>;

    fn handle(&mut self, _: RetireAccount, _: &mut Self::Context) -> Self::Result {
        self.core.on_retire()
    }
}

impl Handler<GetAccount> for AccountActor {
    type Result = actix::MessageResult<GetAccount>;

    fn handle(&mut self, _: GetAccount, _: &mut Self::Context) -> Self::Result {
        actix::MessageResult(self.core.snapshot(self.parts.clock.now()))
    }
}

impl Handler<Ping> for AccountActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {
        self.parts.pulse.handled();
    }
}

impl Handler<Terminate> for AccountActor {
    type Result = ();

    fn handle(&mut self, _: Terminate, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[cfg(test)]
impl Handler<crate::testing::Sabotage> for AccountActor {
    type Result = ();

    fn handle(&mut self, sabotage: crate::testing::Sabotage, ctx: &mut Self::Context) {
        sabotage.strike(ctx);
    }
}
