//! Asks to create tasks: answered when they are durable.

use std::sync::Arc;

use actix::{Addr, AsyncContext, Context, Handler, Message};

use super::{
    RouterActor, RouterError,
    asks::{Reply, answer},
    core::Effect,
};
use crate::{
    domain::{ClaimAhead, Claimed, NewTask, SubmitTasks, Submitted, Timestamp},
    mail::tell,
    ports::{SharedStore, StoreError, SubmitResult},
};

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Submit(pub SubmitTasks, pub Reply<Submitted>);

/// Tasks on their way into the store.
struct Submission {
    tasks: Vec<NewTask>,
    ahead: Vec<ClaimAhead>,
    request: SubmitTasks,
    at: Timestamp,
    reply: Reply<Submitted>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stored {
    tasks: Vec<NewTask>,
    ahead: Vec<ClaimAhead>,
    result: Result<(SubmitResult, Vec<Option<Claimed>>), StoreError>,
    reply: Reply<Submitted>,
}

async fn store_submission(store: SharedStore, router: Addr<RouterActor>, submission: Submission) {
    let Submission {
        tasks,
        ahead,
        request,
        at,
        reply,
    } = submission;
    let SubmitTasks {
        idempotency, warnings, ..
    } = request;
    let result = store.submit_claiming(tasks.clone(), idempotency, warnings, at, ahead.clone());
    let result = result.await;
    let stored = Stored {
        tasks,
        ahead,
        result,
        reply,
    };
    tell(&router, stored);
}

impl RouterActor {
    /// What a request means now; one that cannot be met is answered here.
    fn submission(&mut self, request: SubmitTasks, reply: Reply<Submitted>) -> Option<Submission> {
        let batch: Arc<str> = ulid::Ulid::generate().to_string().into();
        let now = self.parts.clock.now();
        match self.core.expand(&request, &batch, now) {
            Ok(tasks) => Some(Submission {
                ahead: self.core.claim_ahead(&tasks),
                tasks,
                request,
                at: now.wall,
                reply,
            }),
            Err(error) => {
                answer(reply, Err(error));
                None
            }
        }
    }

    fn take_up(&mut self, stored: Stored) -> (Vec<Effect>, Result<Submitted, RouterError>, Reply<Submitted>) {
        let (result, claimed) = match stored.result {
            Ok((result, claimed)) => (Ok(result), claimed),
            Err(error) => (Err(error), Vec::new()),
        };
        let ids = match &result {
            Ok(SubmitResult::Created(submitted)) => Some(submitted.task_ids.as_slice()),
            Ok(SubmitResult::Replayed(_) | SubmitResult::KeyReused) | Err(_) => None,
        };
        let claimed = claimed.into_iter().chain(std::iter::repeat(None));
        let answers = stored.ahead.into_iter().zip(claimed).collect();
        let now = self.parts.clock.now();
        let effects = self.core.on_claimed_ahead(&stored.tasks, ids, answers, now);
        (effects, told(result), stored.reply)
    }
}

impl Handler<Submit> for RouterActor {
    type Result = ();

    fn handle(&mut self, Submit(request, reply): Submit, ctx: &mut Context<Self>) {
        self.parts.pulse.handled();
        if let Some(submission) = self.submission(request, reply) {
            let store = Arc::clone(&self.parts.store);
            actix_rt::spawn(store_submission(store, ctx.address(), submission));
        }
    }
}

impl Handler<Stored> for RouterActor {
    type Result = ();

    fn handle(&mut self, stored: Stored, ctx: &mut Context<Self>) {
        let (effects, told, reply) = self.take_up(stored);
        self.perform(effects, ctx);
        answer(reply, told);
    }
}

fn told(result: Result<SubmitResult, StoreError>) -> Result<Submitted, RouterError> {
    match result {
        Ok(SubmitResult::Created(submitted) | SubmitResult::Replayed(submitted)) => Ok(submitted),
        Ok(SubmitResult::KeyReused) => Err(RouterError::KeyReused),
        Err(error) => Err(RouterError::Store(error)),
    }
}
