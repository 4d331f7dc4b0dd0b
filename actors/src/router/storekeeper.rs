//! The router's calls of the store: each runs as a task of its own and comes back as a message.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};

use super::{
    RouterActor,
    core::{Effect, HandedOver},
};
use crate::{
    domain::{AttemptId, Claim, TaskId},
    mail::tell,
    ports::{Finish, Lane, LaneHead, SharedStore, StoreError},
};

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct HandoverAnswered(HandedOver);

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
pub(super) struct HeadsAnswered {
    asked: Vec<Lane>,
    heads: Result<Vec<LaneHead>, StoreError>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct DueShifted {
    by_ms: i64,
    result: Result<(), StoreError>,
}

impl RouterActor {
    /// Performs the effects that are calls of the store.
    pub(super) fn ask_store(&self, effect: Effect, ctx: &Context<Self>) {
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move {
            match effect {
                Effect::HandOver(finishes, claims) => {
                    tell(&addr, HandoverAnswered(hand_over(&store, finishes, claims).await))
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
                Effect::Refill(asked, limit, at) => {
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
                Effect::ShiftDue(by_ms, before) => {
                    let result = store.shift_due(by_ms, before).await;
                    tell(&addr, DueShifted { by_ms, result })
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

/// Both are asked for at once, so that they share a transaction, and the ends first: a claim may need what they free.
async fn hand_over(store: &SharedStore, finishes: Vec<Finish>, claims: Vec<Claim>) -> HandedOver {
    let asked = claims.iter().map(|claim| claim.task).collect();
    let written = async {
        match finishes.is_empty() {
            true => Ok(Vec::new()),
            false => store.finish(finishes.clone()).await,
        }
    };
    let claimed = async {
        match claims.is_empty() {
            true => Ok(Vec::new()),
            false => store.claim(claims).await,
        }
    };
    let (finished, claimed) = futures_util::future::join(written, claimed).await;
    HandedOver {
        finishes,
        finished,
        asked,
        claimed,
    }
}

impl Handler<HandoverAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, HandoverAnswered(answer): HandoverAnswered, ctx: &mut Self::Context) {
        let effects = self.core.on_handed_over(answer, self.parts.clock.now());
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

impl Handler<DueShifted> for RouterActor {
    type Result = ();

    fn handle(&mut self, answer: DueShifted, ctx: &mut Self::Context) {
        self.core
            .on_due_shifted(answer.by_ms, answer.result, self.parts.clock.now());
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<HeadsAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, answer: HeadsAnswered, ctx: &mut Self::Context) {
        self.core.on_heads(answer.asked, answer.heads, self.parts.clock.now());
        self.perform(Vec::new(), ctx);
    }
}
