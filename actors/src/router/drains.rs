//! Asks about drains: written before they are answered, so that a restart keeps them.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};

use super::{RouterActor, asks::Reply};
use crate::{
    domain::{Drain, Serial, Timestamp},
    mail::tell,
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

    fn handle(
        &mut self,
        SetDrain {
            serial,
            draining,
            reply,
        }: SetDrain,
        ctx: &mut Context<Self>,
    ) {
        self.parts.pulse.handled();
        let (store, router) = (Arc::clone(&self.parts.store), ctx.address());
        let at = self.parts.clock.now().wall;
        actix_rt::spawn(async move {
            match store.set_drain(serial.clone(), draining, at).await {
                Ok(()) => drop(tell(&router, DrainStored(serial, draining.then_some(at), reply))),
                Err(error) => drop(reply.send(Err(error.into()))),
            }
        });
    }
}

impl Handler<DrainStored> for RouterActor {
    type Result = ();

    fn handle(&mut self, DrainStored(serial, since, reply): DrainStored, ctx: &mut Context<Self>) {
        self.core.on_drain_set(serial, since);
        // Who asked may have given up waiting.
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
