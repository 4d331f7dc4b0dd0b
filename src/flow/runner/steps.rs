//! Running steps: hooks, scopes, records, and the frame around each command.

use std::{sync::Arc, time::Duration};

use farmhand_actors::domain::{Progress, StepRecord, StepState};
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value};

use super::{Run, effect::Turn, fault::Fault};
use crate::flow::{
    expr::Covered,
    model::{Body, Command, Flow, Step, Text},
};

/// How a command went that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It did what it should.
    Completed,
    /// Its condition did not hold.
    Skipped,
}

/// A step under way.
struct Begun {
    record: StepRecord,
    /// What the step around it has told of itself so far.
    outer: Map<String, Value>,
    /// On the clock that no change of the time moves.
    since: Duration,
}

impl Run {
    /// Runs a flow that another one includes, with its own variables, hooks and app.
    pub(in crate::flow) fn run_sub_flow<'a>(
        &'a mut self,
        flow: &'a Arc<Flow>,
        env: &'a [(String, Text)],
    ) -> LocalBoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let outer = self.enter(env).await?;
            let app_id = self.app_id.clone();
            let result = self.run_flow(flow).await;
            self.app_id = app_id;
            self.leave(outer, result).await
        })
    }

    /// Runs a flow with its hooks.
    pub(in crate::flow) async fn run_flow(&mut self, flow: &Arc<Flow>) -> Result<(), Fault> {
        let config = &flow.config;
        let scope = self.enter(&config.env).await?;
        let result = match self.enter_app(config.app_id.as_deref()).await {
            Ok(()) => self.run_hooked(flow).await,
            Err(fault) => Err(fault),
        };
        self.leave(scope, result).await
    }

    /// Acts in this app from now on.
    pub(super) async fn enter_app(&mut self, app_id: Option<&str>) -> Result<(), Fault> {
        if let Some(app_id) = app_id {
            self.app_id = self.filled(app_id).await?;
        }
        Ok(())
    }

    async fn run_hooked(&mut self, flow: &Arc<Flow>) -> Result<(), Fault> {
        let config = &flow.config;
        let mut result = self.run_steps(&config.on_start).await;
        if result.is_ok() {
            result = self.run_own_steps(flow).await;
        }
        if let Err(fault) = &result {
            if !fault.leaves_phone_usable() {
                return result;
            }
            // What went wrong first is what is told; a hook's own failure comes second.
            let failed = self.failed.clone();
            let _second = self.run_steps(&config.on_failure).await;
            let _second = self.run_steps(&config.on_complete).await;
            self.failed = failed;
            return result;
        }
        self.run_steps(&config.on_complete).await
    }

    /// Evaluates variables in the scope outside, then sets them.
    pub(in crate::flow) async fn enter(&self, env: &[(String, Text)]) -> Result<Covered, Fault> {
        let mut variables = Vec::new();
        for (name, value) in env {
            variables.push((name.clone(), self.js.interpolate(value).await?));
        }
        Ok(self.js.enter(&variables).await?)
    }

    /// Leaves a scope; what happened in it counts more than a failure to leave.
    pub(in crate::flow) async fn leave(&self, scope: Covered, result: Result<(), Fault>) -> Result<(), Fault> {
        let left = self.js.leave(scope).await.map_err(Fault::from);
        result.and(left)
    }

    /// Runs a body, in place or in a file.
    pub(in crate::flow) async fn run_body(&mut self, body: &Body, env: &[(String, Text)]) -> Result<(), Fault> {
        match body {
            Body::File(flow) => self.run_sub_flow(flow, env).await,
            Body::Inline(steps) => {
                let scope = self.enter(env).await?;
                let result = self.run_steps(steps).await;
                self.leave(scope, result).await
            }
        }
    }

    /// Runs steps in order until one fails.
    pub(in crate::flow) fn run_steps<'a>(&'a mut self, steps: &'a [Step]) -> LocalBoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            for step in steps {
                self.way.enter(step);
                let result = self.run_step(step).await;
                self.way.leave();
                result?;
            }
            Ok(())
        })
    }

    async fn run_step(&mut self, step: &Step) -> Result<(), Fault> {
        self.phone.may_go_on()?;
        let commit = self.is_commit(step);
        let intents = self.effects.intents;
        if commit && self.open_effect(step).await? == Turn::PassOver || self.is_passed_over(step) {
            return self.pass_over(step).await;
        }
        let begun = self.begin_step(step).await?;
        self.effects.acting |= commit;
        let result = self.guarded(step).await;
        self.effects.acting &= !commit;
        let result = match result {
            Ok(Done::Completed) if self.effects.beside.is_some() && self.effects.is_open() && self.is_confirm(step) => {
                Err(self.not_believed())
            }
            result => result,
        };
        let result = result.map_err(|fault| named(step, &begun.record.label, fault));
        for line in self.js.take_log() {
            tracing::info!(task.id = %self.spec.task, attempt.id = %self.spec.attempt, line, "flow log");
        }
        match result {
            Ok(done) => {
                self.end_step(begun, done);
                if done == Done::Skipped && commit {
                    return self.withdraw_effect().await;
                }
                if done == Done::Completed && self.is_confirm(step) && self.effects.is_open() {
                    self.settle_effect(farmhand_actors::domain::EffectState::Confirmed)
                        .await?;
                }
                Ok(())
            }
            Err(fault) if step.optional && self.effects.let_fail(intents) && fault.is_flow_failure() => {
                self.finish(begun, StepState::Warned, Some(fault.to_string()));
                Ok(())
            }
            Err(fault) => {
                self.fail_step(begun, &fault).await;
                Err(fault)
            }
        }
    }

    /// Whether a step would confirm what an earlier attempt has carried out and seen confirmed.
    fn is_passed_over(&self, step: &Step) -> bool {
        self.effects.passed_over && self.is_confirm(step)
    }

    /// Records a step that an earlier attempt has carried out.
    pub(super) async fn pass_over(&mut self, step: &Step) -> Result<(), Fault> {
        let begun = self.begin_step(step).await?;
        self.note("skipped", Value::from("already done by an earlier attempt"));
        self.end_step(begun, Done::Skipped);
        Ok(())
    }

    async fn guarded(&mut self, step: &Step) -> Result<Done, Fault> {
        if let Some(refusal) = self.script.flow().config.extension.policy.refusal(step) {
            return Err(Fault::Policy(refusal));
        }
        self.check_known_screen().await?;
        // Not by way of `execute`: its frame is large, and flows within flows lie on one stack.
        if step.has_steps() {
            self.depth = self.depth.saturating_add(1);
            let result = self.control(&step.command).await;
            self.depth = self.depth.saturating_sub(1);
            return result;
        }
        self.execute(step).await
    }

    async fn begin_step(&mut self, step: &Step) -> Result<Begun, Fault> {
        if self.step >= self.settings.max_steps {
            return Err(Fault::Invalid(format!(
                "the flow has run {} steps without an end; look at its loops",
                self.step
            )));
        }
        self.step = self.step.saturating_add(1);
        self.popups_dismissed = 0;
        self.sight = None;
        let outer = std::mem::take(&mut self.detail);
        if self.depth > 0 {
            self.note("depth", Value::from(self.depth));
        }
        let label = self.describe(step).await;
        let now = self.parts.clock.now();
        let record = StepRecord {
            index: self.step,
            command: step.key.to_owned(),
            label: label.clone(),
            state: StepState::Running,
            started_at: now.wall,
            duration_ms: None,
            error: None,
            detail: (!self.detail.is_empty()).then(|| Value::Object(self.detail.clone())),
            screenshot: None,
            hierarchy: None,
        };
        self.parts.journal.record_step(self.spec.attempt, record.clone());
        let progress = Progress {
            step: self.step,
            steps: self.steps.max(self.step),
            label,
        };
        self.parts
            .journal
            .record_progress(self.spec.task, self.spec.attempt, progress);
        Ok(Begun {
            record,
            outer,
            since: now.mono,
        })
    }

    fn end_step(&mut self, begun: Begun, done: Done) {
        let state = match done {
            Done::Completed => StepState::Completed,
            Done::Skipped => StepState::Skipped,
        };
        self.finish(begun, state, None);
    }

    async fn fail_step(&mut self, mut begun: Begun, fault: &Fault) {
        // Steps around a failed one show its evidence instead of their own.
        let inner = self.failed.clone().filter(|(step, _)| *step > begun.record.index);
        let (failed, evidence) = match inner {
            Some(inner) => inner,
            None => (begun.record.index, self.keep_evidence(fault).await),
        };
        begun.record.screenshot.clone_from(&evidence.screenshot);
        begun.record.hierarchy.clone_from(&evidence.hierarchy);
        let error = evidence.explain(fault.to_string());
        self.failed = Some((failed, evidence));
        self.finish(begun, StepState::Failed, Some(error));
    }

    fn finish(&mut self, begun: Begun, state: StepState, error: Option<String>) {
        let mut record = begun.record;
        let took = self.parts.clock.now().mono.saturating_sub(begun.since);
        record.duration_ms = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        record.state = state;
        record.error = error;
        let mut detail = std::mem::replace(&mut self.detail, begun.outer);
        if let Some(file) = detail
            .remove(SCREENSHOT)
            .and_then(|file| file.as_str().map(str::to_owned))
        {
            record.screenshot = Some(file);
        }
        record.detail = (!detail.is_empty()).then_some(Value::Object(detail));
        self.parts.journal.record_step(self.spec.attempt, record);
    }
}

/// Adds the step's own name to what it looked for in vain.
fn named(step: &Step, label: &str, fault: Fault) -> Fault {
    if step.label.is_none() || step.has_steps() {
        return fault;
    }
    match fault {
        Fault::NotFound(what) => Fault::NotFound(format!("{what} ({label})")),
        // The condition of `assertTrue` says nothing to people that its label does not.
        Fault::Assertion(_) if matches!(step.command, Command::AssertTrue(_)) => Fault::Assertion(label.to_owned()),
        Fault::Assertion(what) => Fault::Assertion(format!("{label}: {what}")),
        fault => fault,
    }
}

/// The note by which a step names a picture of its own.
pub(in crate::flow) const SCREENSHOT: &str = "screenshot";
