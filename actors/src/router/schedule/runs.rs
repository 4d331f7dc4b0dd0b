//! The way of a run: due, its config checked, expanded to tasks, stored.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};

use super::{RunStarted, ScheduleFault, core::DueRun};
use crate::{
    domain::{NewTask, Now, ScheduleId, ValidConfig, schedule::ScheduledRequest},
    mail::tell,
    ports::{NewRun, RunStored, ScriptCatalog, StoreError},
    router::{
        RouterActor, RouterError,
        asks::{Reply, answer},
    },
};

/// Longest remark of a run, characters: ten thousand missing files need not all be named.
const REMARK_LIMIT: usize = 1000;
const SKIPPED: &str = "missed: farmhand was not running at its time, or the clock was set forth; misfire is \"skip\"";

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RunSchedule(pub ScheduleId, pub Reply<RunStarted>);

#[derive(Message)]
#[rtype(result = "()")]
struct ConfigChecked {
    run: DueRun,
    /// `None` for a run that is left out.
    valid: Option<Result<ValidConfig, ScheduleFault>>,
    /// Of a run by hand.
    reply: Option<Reply<RunStarted>>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct RunAnswered {
    run: DueRun,
    stored: NewRun,
    warnings: Vec<String>,
    result: Result<RunStored, StoreError>,
    reply: Option<Reply<RunStarted>>,
}

/// What a run would create.
struct Planned {
    tasks: Vec<NewTask>,
    warnings: Vec<String>,
    remark: Option<String>,
}

impl RouterActor {
    /// Sends the runs that are due on their way.
    pub(in crate::router) fn run_due_schedules(&mut self, ctx: &Context<Self>) {
        for run in self.schedules.due(self.parts.clock.now()) {
            self.check_config(run, None, ctx);
        }
    }

    fn check_config(&self, run: DueRun, reply: Option<Reply<RunStarted>>, ctx: &Context<Self>) {
        let (scripts, addr) = (Arc::clone(&self.parts.scripts), ctx.address());
        actix_rt::spawn(async move {
            let valid = if run.skipped {
                None
            } else {
                Some(validate(&run.schedule.spec.request, &*scripts).await)
            };
            tell(&addr, ConfigChecked { run, valid, reply })
        });
    }

    fn store_run(&mut self, checked: ConfigChecked, ctx: &Context<Self>) {
        let ConfigChecked { run, valid, reply } = checked;
        let now = self.parts.clock.now();
        let batch: Arc<str> = ulid::Ulid::generate().to_string().into();
        let planned = match self.plan_run(&run, valid, &batch, now) {
            Ok(planned) => planned,
            Err(error) => {
                if let Some(reply) = reply {
                    answer(reply, Err(error));
                    return;
                }
                tracing::warn!(schedule.id = %run.schedule.id, %error, "a schedule's run creates no task");
                Planned::none(error.to_string())
            }
        };
        let stored = NewRun {
            schedule: run.schedule.id,
            revision: run.schedule.revision,
            planned_at: run.planned_at,
            manual: reply.is_some(),
            batch_id: batch.to_string(),
            tasks: planned.tasks,
            remark: planned.remark,
            next: run.next,
            at: now.wall,
        };
        let (store, addr, warnings) = (Arc::clone(&self.parts.store), ctx.address(), planned.warnings);
        actix_rt::spawn(async move {
            let result = store.store_run(stored.clone()).await;
            let answered = RunAnswered {
                run,
                stored,
                warnings,
                result,
                reply,
            };
            tell(&addr, answered)
        });
    }

    /// The tasks of a run, as if its request came over HTTP now.
    fn plan_run(
        &mut self,
        run: &DueRun,
        valid: Option<Result<ValidConfig, ScheduleFault>>,
        batch: &Arc<str>,
        now: Now,
    ) -> Result<Planned, RouterError> {
        let Some(valid) = valid else {
            return Ok(Planned::none(SKIPPED.to_owned()));
        };
        let request = run.schedule.spec.request.submit(valid?);
        let mut tasks = self.core.expand(&request, batch, now)?;
        for task in &mut tasks {
            task.schedule = Some(run.schedule.id);
        }
        let remark = (!request.warnings.is_empty()).then(|| shortened(&request.warnings.join("; ")));
        Ok(Planned {
            tasks,
            warnings: request.warnings,
            remark,
        })
    }

    fn on_run_answered(&mut self, answered: RunAnswered) {
        let RunAnswered {
            run,
            stored,
            warnings,
            result,
            reply,
        } = answered;
        let now = self.parts.clock.now();
        let id = stored.schedule;
        match &result {
            _ if stored.manual => {}
            Ok(RunStored::Fired(_) | RunStored::AlreadyRun) => self.schedules.on_run_stored(&run, now),
            // A newer revision is on its way here, or the store is asked again.
            Ok(RunStored::Stale) | Err(_) => self.schedules.on_run_failed(&run, now),
        }
        let outcome = match result {
            Ok(RunStored::Fired(task_ids)) => {
                self.core.on_created(&task_ids, &stored.tasks, now);
                let (first, tasks) = (task_ids.first().map(|task| task.0), task_ids.len());
                tracing::info!(schedule.id = %id, planned = %run.planned_at, tasks, task.first = first, "schedule ran");
                let batch_id = stored.batch_id;
                Ok(RunStarted {
                    batch_id,
                    task_ids,
                    warnings,
                })
            }
            Ok(RunStored::AlreadyRun | RunStored::Stale) => Err(ScheduleFault::Changed(id).into()),
            Err(error) => Err(RouterError::Store(error)),
        };
        match (reply, outcome) {
            (Some(reply), outcome) => answer(reply, outcome),
            (None, Err(error)) => tracing::info!(schedule.id = %id, planned = %run.planned_at, %error, "no run stored"),
            (None, Ok(_)) => {}
        }
    }
}

/// Looks at a request as it would be looked at if it came now.
async fn validate(request: &ScheduledRequest, scripts: &dyn ScriptCatalog) -> Result<ValidConfig, ScheduleFault> {
    let ScheduledRequest { script, config, .. } = request;
    if scripts.get(script).is_none() {
        return Err(ScheduleFault::NoScript {
            name: script.clone(),
            supported: scripts.list().iter().map(|other| other.name.to_string()).collect(),
        });
    }
    scripts.validate(script, config).await.map_err(ScheduleFault::Invalid)
}

impl Planned {
    fn none(remark: String) -> Self {
        Self {
            tasks: Vec::new(),
            warnings: Vec::new(),
            remark: Some(shortened(&remark)),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(REMARK_LIMIT).collect()
}

impl Handler<RunSchedule> for RouterActor {
    type Result = ();

    fn handle(&mut self, RunSchedule(id, reply): RunSchedule, ctx: &mut Self::Context) {
        self.parts.pulse.handled();
        match self.schedules.run_by_hand(id, self.parts.clock.now()) {
            Some(run) => self.check_config(run, Some(reply), ctx),
            None => answer(reply, Err(ScheduleFault::NotFound(id).into())),
        }
    }
}

impl Handler<ConfigChecked> for RouterActor {
    type Result = ();

    fn handle(&mut self, checked: ConfigChecked, ctx: &mut Self::Context) {
        self.store_run(checked, ctx);
    }
}

impl Handler<RunAnswered> for RouterActor {
    type Result = ();

    fn handle(&mut self, answered: RunAnswered, ctx: &mut Self::Context) {
        self.on_run_answered(answered);
        self.perform(Vec::new(), ctx);
    }
}
