//! Asks about drains: written before they are answered, so that a restart keeps them.

use std::sync::Arc;

use actix::{Addr, AsyncContext, Context, Handler, Message};

use super::{RouterActor, asks::Reply};
use crate::{
    domain::{Drain, Serial, Timestamp},
    mail::tell,
    ports::SharedStore,
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

#[derive(Message)]
#[rtype(result = "()")]
struct DrainStored(Option<Serial>, Option<Timestamp>, Reply<Vec<Drain>>);

impl Handler<SetDrain> for RouterActor {
    type Result = ();

    fn handle(&mut self, ask: SetDrain, ctx: &mut Context<Self>) {
        self.parts.pulse.handled();
        let at = self.parts.clock.now().wall;
        actix_rt::spawn(store_drain(Arc::clone(&self.parts.store), ctx.address(), ask, at));
    }
}

async fn store_drain(store: SharedStore, router: Addr<RouterActor>, ask: SetDrain, at: Timestamp) {
    let SetDrain {
        serial,
        draining,
        reply,
    } = ask;
    match store.set_drain(serial.clone(), draining, at).await {
        Ok(()) => drop(tell(&router, DrainStored(serial, draining.then_some(at), reply))),
        // Who asked may have given up waiting.
        Err(error) => drop(reply.send(Err(error.into()))),
    }
}

impl Handler<DrainStored> for RouterActor {
    type Result = ();

    fn handle(&mut self, DrainStored(serial, since, reply): DrainStored, ctx: &mut Context<Self>) {
        self.core.on_drain_set(serial, since);
        drop(reply.send(Ok(self.core.drains())));
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
