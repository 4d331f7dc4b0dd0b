//! What [`super::RouterHandle`] asks. Every ask carries its reply: what was asked is done also when nobody waits for
//! the answer any more.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::{Addr, AsyncContext, Context, Handler, Message};
use tokio::sync::oneshot;

use super::{Deleted, RetryAllAnswer, RouterActor, RouterError};
use crate::{
    account::ReloadUses,
    domain::{PendingTask, TaskId, TaskState, Username},
    mail::tell,
    ports::{Clock, Resolution, ResolveResult, RetryFilter, RetryResult, SharedStore, StopIntent},
};

/// Rounds of stopping what has begun again in the meantime; more than two have never been needed.
const STOP_ROUNDS: u32 = 5;

pub(super) type Reply<T> = oneshot::Sender<Result<T, RouterError>>;

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Stop(pub TaskId, pub Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Retry(pub TaskId, pub Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RetryAll(pub RetryFilter, pub Reply<RetryAllAnswer>);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Delete(pub Vec<TaskId>, pub Reply<Deleted>);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Resolve(pub Resolution, pub Reply<()>);

/// Why tasks wait, a line each.
type Reasons = Vec<(TaskId, String)>;

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct WaitingFor(pub Vec<TaskId>, pub Reply<Reasons>);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Shutdown(pub Duration, pub Reply<usize>);

#[derive(Message)]
#[rtype(result = "()")]
struct StopRunning(TaskId, oneshot::Sender<()>);

#[derive(Message)]
#[rtype(result = "()")]
struct TasksGone(Vec<TaskId>);

#[derive(Message)]
#[rtype(result = "()")]
struct TasksPending(Vec<PendingTask>);

#[derive(Message)]
#[rtype(result = "()")]
struct EffectResolved(Username, TaskId);

#[derive(Message)]
#[rtype(result = "()")]
struct Explain(Vec<PendingTask>, Reasons, Reply<Reasons>);

/// What the longer asks need besides the router itself.
struct Errand {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    router: Addr<RouterActor>,
}

impl RouterActor {
    fn errand(&self, ctx: &Context<Self>) -> Errand {
        Errand {
            store: Arc::clone(&self.parts.store),
            clock: Arc::clone(&self.parts.clock),
            router: ctx.address(),
        }
    }
}

impl Errand {
    async fn stop(&self, task: TaskId) -> Result<(), RouterError> {
        for round in 0..STOP_ROUNDS {
            match self.store.intend_stop(task, self.clock.now().wall).await? {
                StopIntent::NotFound if round == 0 => return Err(RouterError::NotFound(task)),
                StopIntent::Finished(state) if round == 0 => {
                    let mend = "only a pending or running task can be stopped";
                    return Err(RouterError::WrongState { task, state, mend });
                }
                // It ended otherwise in the meantime.
                StopIntent::NotFound | StopIntent::Finished(_) => return Ok(()),
                StopIntent::Unstarted => {
                    tell(&self.router, TasksGone(vec![task]));
                    return Ok(());
                }
                StopIntent::Running => self.stop_running(task).await?,
            }
        }
        Err(RouterError::TimedOut)
    }

    async fn stop_running(&self, task: TaskId) -> Result<(), RouterError> {
        let (ended, wait) = oneshot::channel();
        tell(&self.router, StopRunning(task, ended));
        wait.await.map_err(|_| RouterError::Away)
    }

    async fn retry(&self, task: TaskId) -> Result<(), RouterError> {
        match self.store.retry(task, self.clock.now().wall).await? {
            RetryResult::Retried(pending) => {
                tell(&self.router, TasksPending(vec![pending]));
                Ok(())
            }
            RetryResult::NotFound => Err(RouterError::NotFound(task)),
            RetryResult::WrongState(state) => {
                let mend = "only a failed task can be retried";
                Err(RouterError::WrongState { task, state, mend })
            }
            RetryResult::OutcomeUnknown => {
                let mend = "its outcome is unknown: look at the phone and resolve it first";
                let state = TaskState::Failed;
                Err(RouterError::WrongState { task, state, mend })
            }
        }
    }

    async fn retry_all(&self, filter: RetryFilter) -> Result<RetryAllAnswer, RouterError> {
        let answer = self.store.retry_all(filter, self.clock.now().wall).await?;
        let retried = answer.retried.iter().map(|task| task.id).collect();
        tell(&self.router, TasksPending(answer.retried));
        Ok(RetryAllAnswer {
            retried,
            skipped: answer.skipped,
        })
    }

    async fn delete(&self, tasks: Vec<TaskId>) -> Result<Deleted, RouterError> {
        let mut seen = HashSet::new();
        let mut left: Vec<TaskId> = tasks.iter().copied().filter(|task| seen.insert(*task)).collect();
        let mut gone: HashSet<TaskId> = HashSet::new();
        for _ in 0..STOP_ROUNDS {
            let open = self.store.open_uses_of_tasks(left.clone()).await?;
            let deleted = self.store.delete(left.clone()).await?;
            for open in open.into_iter().filter(|open| deleted.contains(&open.task)) {
                tell(&self.router, EffectResolved(open.username, open.task));
            }
            tell(&self.router, TasksGone(deleted.clone()));
            gone.extend(deleted);
            let states = self.store.states(left).await?;
            left = states.into_iter().map(|(task, _)| task).collect();
            if left.is_empty() {
                let (deleted, not_found) = seen_order(tasks).partition(|task| gone.contains(task));
                return Ok(Deleted { deleted, not_found });
            }
            let stops = left.iter().map(|task| self.stop(*task));
            for stopped in futures_util::future::join_all(stops).await {
                match stopped {
                    // Whatever it has become, the next round deletes it.
                    Ok(()) | Err(RouterError::NotFound(_) | RouterError::WrongState { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Err(RouterError::TimedOut)
    }

    async fn resolve(&self, resolution: Resolution) -> Result<(), RouterError> {
        let task = resolution.task;
        match self.store.resolve(resolution).await? {
            ResolveResult::Resolved(account) => {
                if let Some(username) = account {
                    tell(&self.router, EffectResolved(username, task));
                }
                Ok(())
            }
            ResolveResult::NotFound => Err(RouterError::NotFound(task)),
            ResolveResult::WrongState(state) => {
                let mend = "only a failed task of which nobody knows whether it took place can be resolved";
                Err(RouterError::WrongState { task, state, mend })
            }
        }
    }

    /// Of a task that is not at hand.
    async fn waiting_for(self, rest: Vec<TaskId>, told: Reasons, reply: Reply<Reasons>) {
        match self.store.pending(rest).await {
            Ok(pending) => drop(tell(&self.router, Explain(pending, told, reply))),
            Err(error) => answer(reply, Err(RouterError::Store(error))),
        }
    }
}

fn seen_order(tasks: Vec<TaskId>) -> impl Iterator<Item = TaskId> {
    let mut seen = HashSet::new();
    tasks.into_iter().filter(move |task| seen.insert(*task))
}

pub(super) fn answer<T>(reply: Reply<T>, result: Result<T, RouterError>) {
    // Who asked may have given up waiting; what was asked is done all the same.
    let _ = reply.send(result);
}

impl Handler<Stop> for RouterActor {
    type Result = ();

    fn handle(&mut self, Stop(task, reply): Stop, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let errand = self.errand(ctx);
        actix_rt::spawn(async move { answer(reply, errand.stop(task).await) });
    }
}

impl Handler<StopRunning> for RouterActor {
    type Result = ();

    fn handle(&mut self, StopRunning(task, ended): StopRunning, ctx: &mut Self::Context) {
        if !self.core.is_underway(task) {
            // Its end was written between the intent and this message.
            let _ = ended.send(());
            return;
        }
        self.when_ended(task, ended);
        let effects = self.core.on_stop_intended(task, self.parts.clock.now());
        self.perform(effects, ctx);
    }
}

impl Handler<TasksGone> for RouterActor {
    type Result = ();

    fn handle(&mut self, TasksGone(tasks): TasksGone, ctx: &mut Self::Context) {
        self.core.on_gone(&tasks);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<TasksPending> for RouterActor {
    type Result = ();

    fn handle(&mut self, TasksPending(tasks): TasksPending, ctx: &mut Self::Context) {
        self.core.on_pending(tasks);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<Retry> for RouterActor {
    type Result = ();

    fn handle(&mut self, Retry(task, reply): Retry, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let errand = self.errand(ctx);
        actix_rt::spawn(async move { answer(reply, errand.retry(task).await) });
    }
}

impl Handler<RetryAll> for RouterActor {
    type Result = ();

    fn handle(&mut self, RetryAll(filter, reply): RetryAll, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let errand = self.errand(ctx);
        actix_rt::spawn(async move { answer(reply, errand.retry_all(filter).await) });
    }
}

impl Handler<Delete> for RouterActor {
    type Result = ();

    fn handle(&mut self, Delete(tasks, reply): Delete, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let errand = self.errand(ctx);
        actix_rt::spawn(async move { answer(reply, errand.delete(tasks).await) });
    }
}

impl Handler<Resolve> for RouterActor {
    type Result = ();

    fn handle(&mut self, Resolve(resolution, reply): Resolve, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let errand = self.errand(ctx);
        actix_rt::spawn(async move { answer(reply, errand.resolve(resolution).await) });
    }
}

impl Handler<WaitingFor> for RouterActor {
    type Result = ();

    fn handle(&mut self, WaitingFor(tasks, reply): WaitingFor, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let mut rest: HashSet<TaskId> = tasks.into_iter().collect();
        let told = self.core.waiting_for(&rest, self.parts.clock.now());
        for (task, _) in &told {
            rest.remove(task);
        }
        if rest.is_empty() {
            return answer(reply, Ok(told));
        }
        let rest = rest.into_iter().collect();
        actix_rt::spawn(self.errand(ctx).waiting_for(rest, told, reply));
    }
}

impl Handler<EffectResolved> for RouterActor {
    type Result = ();

    fn handle(&mut self, EffectResolved(username, settled): EffectResolved, _: &mut Self::Context) {
        self.tell_account(&username, ReloadUses { settled });
    }
}

impl Handler<Explain> for RouterActor {
    type Result = ();

    fn handle(&mut self, Explain(pending, mut told, reply): Explain, _: &mut Self::Context) {
        let now = self.parts.clock.now();
        told.extend(pending.iter().map(|task| (task.id, self.core.explain(task, now))));
        answer(reply, Ok(told));
    }
}

impl Handler<Shutdown> for RouterActor {
    type Result = ();

    fn handle(&mut self, Shutdown(grace, reply): Shutdown, ctx: &mut Self::Context) {
        let (drained, wait) = oneshot::channel();
        self.when_drained(drained);
        let effects = self.core.on_drain();
        self.perform(effects, ctx);
        let running = self.core.running_count();
        actix_rt::spawn(async move {
            let left = if tokio::time::timeout(grace, wait).await.is_ok() {
                0
            } else {
                running
            };
            answer(reply, Ok(left));
        });
    }
}
