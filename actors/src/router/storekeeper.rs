//! The router's calls of the store: each runs as a task of its own and comes back as a message.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};

use super::{RouterActor, core::Effect};
use crate::{
    domain::{AttemptId, Claimed, TaskId},
    mail::tell,
    ports::{Finish, Finished, Lane, LaneHead, StoreError},
};

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct ClaimsAnswered {
    asked: Vec<TaskId>,
    claimed: Result<Vec<Option<Claimed>>, StoreError>,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct GivenBack {
    tasks: Vec<(TaskId, AttemptId)>,
    result: Result<(), StoreError>,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct EffectsAnswered {
    asked: Vec<TaskId>,
    open: Result<Vec<TaskId>, StoreError>,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct FinishesAnswered {
    batch: Vec<Finish>,
    finished: Result<Vec<Finished>, StoreError>,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct HeadsAnswered {
    asked: Vec<Lane>,
    heads: Result<Vec<LaneHead>, StoreError>,
}

impl RouterActor {
    /// Performs the effects that are calls of the store.
    pub(super) fn ask_store(&self, effect: Effect, ctx: &Context<Self>) {
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        let at = self.parts.clock.now().wall;
        actix_rt::spawn(async move {
            match effect {
                Effect::Claim(claims) => {
                    let asked = claims.iter().map(|claim| claim.task).collect();
                    let claimed = store.claim(claims).await;
                    tell(&addr, ClaimsAnswered { asked, claimed })
                }
                Effect::GiveBack(tasks) => {
                    let remark = "could not start (its device went away, or a shutdown came); waits".to_owned();
                    let result = store.release(tasks.clone(), remark).await;
                    tell(&addr, GivenBack { tasks, result })
                }
                Effect::CheckEffects(asked) => {
                    let open = store.open_effects(asked.clone()).await;
                    tell(&addr, EffectsAnswered { asked, open })
                }
                Effect::Finish(batch) => {
                    let finished = store.finish(batch.clone()).await;
                    tell(&addr, FinishesAnswered { batch, finished })
                }
                Effect::Refill(asked, limit) => {
                    let lanes = asked.iter().map(|ask| ask.lane.clone()).collect();
                    let heads = store.lane_heads(asked, limit, at).await;
                    tell(&addr, HeadsAnswered { asked: lanes, heads })
                }
                Effect::Remark(remarks) => {
                    if let Err(error) = store.remark(remarks).await {
                        tracing::warn!(%error, "cannot store why tasks wait");
                    }
                    true
                }
                // The shell's own.
                Effect::Lease(..)
                | Effect::Release(..)
                | Effect::Start(_)
                | Effect::Stop(..)
                | Effect::Ended(_)
                | Effect::Tell(_)
                | Effect::RebuildDevice(..) => true,
            }
        });
    }
}

impl Handler<ClaimsAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, answer: ClaimsAnswered, ctx: &mut Self::Context) {
        let effects = self
            .core
            .on_claimed(&answer.asked, answer.claimed, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<GivenBack> for RouterActor {
    type Result = ();

    fn handle(&mut self, answer: GivenBack, ctx: &mut Self::Context) {
        let effects = self
            .core
            .on_given_back(&answer.tasks, answer.result, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<EffectsAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, answer: EffectsAnswered, ctx: &mut Self::Context) {
        self.core.on_effects(&answer.asked, answer.open, self.parts.clock.now());
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<FinishesAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, answer: FinishesAnswered, ctx: &mut Self::Context) {
        let effects = self
            .core
            .on_finished(answer.batch, answer.finished, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<HeadsAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, answer: HeadsAnswered, ctx: &mut Self::Context) {
        self.core.on_heads(answer.asked, answer.heads, self.parts.clock.now());
        self.perform(Vec::new(), ctx);
    }
}
