//! Asks about drains: written before they are answered, so that a restart keeps them.

use std::sync::Arc;

use actix::{Addr, AsyncContext, Context, Handler, Message};

use super::{RouterActor, asks::Reply};
use crate::{
    domain::{Drain, Serial, Timestamp},
    mail::tell,
    ports::{SharedStore, StoreError},
};

/// Begin a drain, or end one.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct SetDrain {
    pub(super) serial: Option<Serial>,
    pub(super) draining: bool,
    pub(super) reply: Reply<Vec<Drain>>,
}

/// Which drains there are.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct ListDrains(pub Reply<Vec<Drain>>);

/// The store's answer to an ask.
#[derive(Message)]
#[rtype(result = "()")]
struct DrainStored(SetDrain, Timestamp, Result<(), StoreError>);

impl Handler<SetDrain> for RouterActor {
    type Result = ();

    fn handle(&mut self, ask: SetDrain, ctx: &mut Context<Self>) {
        self.parts.pulse.handled();
        if ask.draining {
            self.core.on_drain_asked(ask.serial.clone());
        }
        let at = self.parts.clock.now().wall;
        actix_rt::spawn(store_drain(Arc::clone(&self.parts.store), ctx.address(), ask, at));
    }
}

async fn store_drain(store: SharedStore, router: Addr<RouterActor>, ask: SetDrain, at: Timestamp) {
    let stored = store.set_drain(ask.serial.clone(), ask.draining, at).await;
    tell(&router, DrainStored(ask, at, stored));
}

impl Handler<DrainStored> for RouterActor {
    type Result = ();

    fn handle(&mut self, DrainStored(ask, at, stored): DrainStored, ctx: &mut Context<Self>) {
        if ask.draining {
            self.core.on_drain_answered(&ask.serial);
        }
        let answer = stored.map(|()| {
            self.core.on_drain_set(ask.serial, ask.draining.then_some(at));
            self.core.drains()
        });
        // Who asked may have given up waiting.
        drop(ask.reply.send(answer.map_err(Into::into)));
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<ListDrains> for RouterActor {
    type Result = ();

    fn handle(&mut self, ListDrains(reply): ListDrains, _: &mut Context<Self>) {
        self.parts.pulse.handled();
        drop(reply.send(Ok(self.core.drains())));
    }
}
