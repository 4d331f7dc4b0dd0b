//! Schedules: the router plans their runs, since it is the one writer of tasks.
//!
//! A run goes through the script's validation and through the expansion of requests, as one over HTTP does; then it is
//! stored with its tasks and with the schedule's next run in one transaction.

pub mod core;
mod handle;
mod runs;

use std::{sync::Arc, time::Duration};

use actix::{AsyncContext, Context, Handler, Message};

use super::{
    RouterActor, RouterError,
    asks::{Reply, answer},
};
use crate::{
    domain::{
        FieldError, Now, ScheduleId, ScriptName, SubmitTasks, TaskId, Timestamp,
        schedule::{Schedule, ScheduleSpec},
    },
    mail::tell,
    ports::{NewSchedule, ScheduleChange, ScheduleWritten, StoreError},
};

/// Most schedules: each costs a look at its next run at the start, and some kilobytes.
pub const SCHEDULES_MAX: usize = 1000;
/// Until schedules that could not be read are read again.
const LOAD_PAUSE: Duration = Duration::from_secs(1);

/// Why something was not done with a schedule; nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ScheduleFault {
    /// No such schedule.
    #[error("schedule {0} does not exist")]
    NotFound(ScheduleId),
    /// Another one has the name.
    #[error("there is a schedule named {0:?} already; choose another name, or change that one")]
    NameTaken(String),
    /// There are as many as there may be.
    #[error("there are {SCHEDULES_MAX} schedules, which is the most; delete one first")]
    TooMany,
    /// It is no longer as the person who changes it saw it.
    #[error("schedule {0} was changed or deleted in the meantime; read it, then try again")]
    Changed(ScheduleId),
    /// Its script is gone.
    #[error("there is no script `{name}` any more; supported: {}", supported.join(", "))]
    NoScript {
        /// The script that it names.
        name: ScriptName,
        /// Those there are.
        supported: Vec<String>,
    },
    /// Its `script_config` does not fit its script any more.
    #[error("{}", in_a_line(.0))]
    Invalid(Vec<FieldError>),
}

/// A run that was asked for by hand; everything in it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStarted {
    /// The batch of its tasks.
    pub batch_id: String,
    /// Its tasks.
    pub task_ids: Vec<TaskId>,
    /// What the client should know.
    pub warnings: Vec<String>,
}

fn in_a_line(faults: &[FieldError]) -> String {
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.field, fault.message))
        .collect();
    faults.join("; ")
}

/// Creates a schedule; the request of its runs as it is now says whether all that it names is there.
#[derive(Message)]
#[rtype(result = "()")]
struct CreateSchedule {
    spec: ScheduleSpec,
    request: SubmitTasks,
    reply: Reply<ScheduleId>,
}

/// Changes a schedule.
#[derive(Message)]
#[rtype(result = "()")]
struct ChangeSchedule {
    id: ScheduleId,
    revision: u32,
    spec: ScheduleSpec,
    /// The request of its runs, when it is to be looked at.
    request: Option<SubmitTasks>,
    /// Whether its next run is planned anew.
    replan: bool,
    reply: Reply<ScheduleId>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct DeleteSchedule(ScheduleId, Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
struct SchedulesLoaded(Result<Vec<Schedule>, StoreError>);

#[derive(Message)]
#[rtype(result = "()")]
struct ScheduleAnswered {
    /// What to say of it when it was not stored.
    id: ScheduleId,
    name: String,
    result: Result<ScheduleWritten, StoreError>,
    reply: Reply<ScheduleId>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct ScheduleGone(ScheduleId, Result<bool, StoreError>, Reply<()>);

impl RouterActor {
    /// Reads the schedules from the store.
    pub(super) fn load_schedules(&self, ctx: &Context<Self>) {
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move { tell(&addr, SchedulesLoaded(store.load_schedules().await)) });
    }

    fn create_schedule(&mut self, create: CreateSchedule, ctx: &Context<Self>) {
        let CreateSchedule { spec, request, reply } = create;
        let now = self.parts.clock.now();
        if let Err(error) = self.core.expand(&request, &Arc::from(""), now) {
            answer(reply, Err(error));
            return;
        }
        let new = NewSchedule {
            seed: self.core.roll(),
            next: first_run(&spec, now),
            at: now.wall,
            limit: SCHEDULES_MAX,
            spec,
        };
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move {
            let name = new.spec.name.clone();
            let result = store.create_schedule(new).await;
            let id = ScheduleId(0);
            tell(
                &addr,
                ScheduleAnswered {
                    id,
                    name,
                    result,
                    reply,
                },
            )
        });
    }

    fn change_schedule(&mut self, change: ChangeSchedule, ctx: &Context<Self>) {
        let ChangeSchedule {
            id,
            revision,
            spec,
            request,
            replan,
            reply,
        } = change;
        let now = self.parts.clock.now();
        let expanded = request.map(|request| self.core.expand(&request, &Arc::from(""), now));
        if let Some(Err(error)) = expanded {
            answer(reply, Err(error));
            return;
        }
        let change = ScheduleChange {
            id,
            revision,
            replanned: replan.then(|| first_run(&spec, now)),
            spec,
            at: now.wall,
        };
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move {
            let name = change.spec.name.clone();
            let result = store.change_schedule(change).await;
            tell(
                &addr,
                ScheduleAnswered {
                    id,
                    name,
                    result,
                    reply,
                },
            )
        });
    }

    fn on_answered(&mut self, answered: ScheduleAnswered) {
        let ScheduleAnswered {
            id,
            name,
            result,
            reply,
        } = answered;
        let result = match result {
            Ok(ScheduleWritten::Stored(schedule)) => {
                let id = schedule.id;
                self.schedules.on_stored(*schedule, self.parts.clock.now());
                Ok(id)
            }
            Ok(ScheduleWritten::NameTaken) => Err(ScheduleFault::NameTaken(name).into()),
            Ok(ScheduleWritten::TooMany) => Err(ScheduleFault::TooMany.into()),
            Ok(ScheduleWritten::NotFound) => Err(ScheduleFault::NotFound(id).into()),
            Ok(ScheduleWritten::Changed) => Err(ScheduleFault::Changed(id).into()),
            Err(error) => Err(RouterError::Store(error)),
        };
        answer(reply, result);
    }
}

/// The first run after now; none of a schedule that is disabled.
fn first_run(spec: &ScheduleSpec, now: Now) -> Option<Timestamp> {
    spec.recurrence.next_after(now.wall).filter(|_| spec.enabled)
}

impl Handler<SchedulesLoaded> for RouterActor {
    type Result = ();

    fn handle(&mut self, SchedulesLoaded(loaded): SchedulesLoaded, ctx: &mut Self::Context) {
        let now = self.parts.clock.now();
        match loaded {
            Ok(schedules) => schedules.into_iter().for_each(|one| self.schedules.on_loaded(one, now)),
            Err(error) => {
                tracing::warn!(%error, "the schedules cannot be read; trying again");
                ctx.run_later(LOAD_PAUSE, |router, ctx| router.load_schedules(ctx));
            }
        }
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<CreateSchedule> for RouterActor {
    type Result = ();

    fn handle(&mut self, create: CreateSchedule, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        self.create_schedule(create, ctx);
    }
}

impl Handler<ChangeSchedule> for RouterActor {
    type Result = ();

    fn handle(&mut self, change: ChangeSchedule, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        self.change_schedule(change, ctx);
    }
}

impl Handler<ScheduleAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, answered: ScheduleAnswered, ctx: &mut Self::Context) {
        self.on_answered(answered);
        self.perform(Vec::new(), ctx);
    }
}

impl Handler<DeleteSchedule> for RouterActor {
    type Result = ();

    fn handle(&mut self, DeleteSchedule(id, reply): DeleteSchedule, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move { tell(&addr, ScheduleGone(id, store.delete_schedule(id).await, reply)) });
    }
}

impl Handler<ScheduleGone> for RouterActor {
    type Result = ();

    fn handle(&mut self, ScheduleGone(id, result, reply): ScheduleGone, _: &mut Self::Context) {
        let result = match result {
            Ok(true) => {
                self.schedules.on_removed(id);
                Ok(())
            }
            Ok(false) => Err(ScheduleFault::NotFound(id).into()),
            Err(error) => Err(RouterError::Store(error)),
        };
        answer(reply, result);
    }
}

#[cfg(test)]
mod tests;
