//! A runner that does what the test told it, task by task.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        AttemptSpec, Blame, EffectFinding, EffectGate, EffectIntent, EffectKey, EffectState, Failure, FailureReason,
        Outcome, Purpose, Serial, TaskId, Username,
    },
    ports::{AttemptJournal, DeviceDriver, ProgressBeat, ScriptRunner, StoreError},
};

/// What an attempt does.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Works for so long (making progress each second), then ends like this. Heeds the cancel token.
    Work(Duration, Outcome),
    /// Works for `before`, acts once through the gate, sees its effect after `act`, then works for `after`. Heeds the
    /// cancel token all the time, as flows do.
    Act {
        /// Until the intent.
        before: Duration,
        /// From the act to its confirmation.
        act: Duration,
        /// From there to the end.
        after: Duration,
    },
    /// Does nothing for ever and heeds nothing, as with a phone that hangs.
    Hang,
    /// Panics.
    Panic,
}

impl Behaviour {
    /// Completes after `duration`.
    #[must_use]
    pub fn completes(duration: Duration) -> Self {
        Self::Work(
            duration,
            Outcome::Completed {
                remark: "done".to_owned(),
                counts: true,
            },
        )
    }

    /// Fails at once.
    #[must_use]
    pub fn fails(reason: FailureReason, blame: Blame) -> Self {
        let failure = Failure {
            reason,
            message: "as the test wants".to_owned(),
            step: Some(1),
            retryable: true,
        };
        Self::Work(Duration::ZERO, Outcome::Failed { failure, blame })
    }

    /// Ends at once with an open effect.
    #[must_use]
    pub fn unverified(reason: FailureReason) -> Self {
        let failure = Failure {
            reason,
            message: "as the test wants".to_owned(),
            step: Some(2),
            retryable: true,
        };
        let outcome = Outcome::Unverified {
            failure,
            blame: Blame::Device,
            attention: None,
        };
        Self::Work(Duration::ZERO, outcome)
    }
}

/// One attempt that was run.
#[derive(Debug, Clone)]
pub struct Run {
    /// What was to be done.
    pub spec: Arc<AttemptSpec>,
    /// Begin, on tokio's clock.
    pub began: Instant,
    /// End; `None` while it runs, or when it was dropped.
    pub ended: Option<Instant>,
}

#[derive(Default)]
struct Script {
    by_task: HashMap<TaskId, Vec<Behaviour>>,
    usual: Option<Behaviour>,
    runs: Vec<Run>,
    live_devices: HashMap<Serial, TaskId>,
    live_accounts: HashMap<Username, TaskId>,
    overlaps: Vec<String>,
    acts: Vec<TaskId>,
    journal: Option<Arc<dyn AttemptJournal>>,
}

/// Runs attempts by a script, writes down what ran when, and notices two attempts at once on a device or an account.
#[derive(Clone, Default)]
pub struct ScriptedRunner {
    script: Arc<Mutex<Script>>,
}

impl ScriptedRunner {
    /// Every attempt behaves like this unless its task says otherwise.
    #[must_use]
    pub fn usually(behaviour: Behaviour) -> Self {
        let runner = Self::default();
        runner.lock().usual = Some(behaviour);
        runner
    }

    /// The task's next attempts behave like this, in order.
    pub fn script(&self, task: TaskId, behaviours: Vec<Behaviour>) {
        self.lock().by_task.insert(task, behaviours);
    }

    /// No task has a behaviour of its own any more.
    pub fn clear_script(&self) {
        self.lock().by_task.clear();
    }

    /// Changes what attempts usually do.
    pub fn set_usual(&self, behaviour: Behaviour) {
        self.lock().usual = Some(behaviour);
    }

    /// All attempts so far, in the order of their starts.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        self.lock().runs.clone()
    }

    /// Times when two attempts ran at once where only one may; must be empty.
    #[must_use]
    pub fn overlaps(&self) -> Vec<String> {
        self.lock().overlaps.clone()
    }

    /// Effects go through this gate; without one, no attempt acts.
    pub fn set_journal(&self, journal: Arc<dyn AttemptJournal>) {
        self.lock().journal = Some(journal);
    }

    /// What really happened: a task for each act, in order.
    #[must_use]
    pub fn acts(&self) -> Vec<TaskId> {
        self.lock().acts.clone()
    }

    /// Attempts that run now.
    #[must_use]
    pub fn live(&self) -> usize {
        self.lock().live_devices.len()
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, spec: &Arc<AttemptSpec>) -> (Behaviour, Live) {
        let mut script = self.lock();
        if let Some(other) = script.live_devices.insert(spec.serial.clone(), spec.task) {
            script
                .overlaps
                .push(format!("{}: {other} and {}", spec.serial, spec.task));
        }
        if let Some(account) = &spec.account
            && let Some(other) = script.live_accounts.insert(account.username.clone(), spec.task)
        {
            script
                .overlaps
                .push(format!("{}: {other} and {}", account.username, spec.task));
        }
        script.runs.push(Run {
            spec: Arc::clone(spec),
            began: Instant::now(),
            ended: None,
        });
        let scripted = script.by_task.get_mut(&spec.task).filter(|list| !list.is_empty());
        let next = scripted.map(|list| list.remove(0)).or_else(|| script.usual.clone());
        let live = Live {
            runner: self.clone(),
            spec: Arc::clone(spec),
            run: script.runs.len().saturating_sub(1),
        };
        (next.unwrap_or_else(|| Behaviour::completes(Duration::ZERO)), live)
    }
}

/// Marks the attempt as live until it is dropped, however it ends.
struct Live {
    runner: ScriptedRunner,
    spec: Arc<AttemptSpec>,
    run: usize,
}

impl Drop for Live {
    fn drop(&mut self) {
        let mut script = self.runner.lock();
        script.live_devices.remove(&self.spec.serial);
        if let Some(account) = &self.spec.account {
            script.live_accounts.remove(&account.username);
        }
        if let Some(run) = script.runs.get_mut(self.run) {
            run.ended = Some(Instant::now());
        }
    }
}

impl ScriptRunner for ScriptedRunner {
    fn run(
        &self,
        spec: Arc<AttemptSpec>,
        _driver: Arc<dyn DeviceDriver>,
        cancel: CancellationToken,
        beat: ProgressBeat,
    ) -> LocalBoxFuture<'static, Outcome> {
        let (behaviour, live) = self.begin(&spec);
        let runner = self.clone();
        Box::pin(async move {
            let _live = live;
            match behaviour {
                Behaviour::Hang => std::future::pending().await,
                Behaviour::Panic => std::panic::resume_unwind(Box::new("as the test wants")),
                Behaviour::Work(duration, outcome) => tokio::select! {
                    biased;
                    () = cancel.cancelled() => stopped(),
                    () = work(duration, beat) => outcome,
                },
                Behaviour::Act { before, act, after } => {
                    let acting = Acting {
                        runner,
                        spec,
                        cancel,
                        beat,
                    };
                    acting.run([before, act, after]).await
                }
            }
        })
    }
}

/// An attempt with an effect.
struct Acting {
    runner: ScriptedRunner,
    spec: Arc<AttemptSpec>,
    cancel: CancellationToken,
    beat: ProgressBeat,
}

impl Acting {
    async fn run(self, [before, act, after]: [Duration; 3]) -> Outcome {
        let Some(journal) = self.runner.lock().journal.clone() else {
            return failed("there is no gate to act through");
        };
        if self.spec.purpose == Purpose::Verify {
            // It acts as soon as the gate lets it, so that what is open took place.
            return match self.settle(&*journal).await {
                Ok(()) => done(),
                Err(error) => unverified(&error.to_string()),
            };
        }
        if !self.works(before).await {
            return stopped();
        }
        if let Err(refusal) = self.spec.permit.may_act(0) {
            return failed(&format!("{refusal:?}"));
        }
        let intent = EffectIntent {
            key: self.key(),
            attempt: self.spec.attempt,
            lease: self.spec.lease.clone(),
            content: serde_json::json!({}),
            baseline: serde_json::json!({}),
        };
        match journal.intend(intent).await {
            Ok(EffectGate::Act) => self.runner.lock().acts.push(self.spec.task),
            Ok(EffectGate::Closed(EffectState::Confirmed)) => return done(),
            other => return failed(&format!("{other:?}")),
        }
        if !self.works(act).await {
            return unverified("stopped");
        }
        if let Err(error) = self.settle(&*journal).await {
            return unverified(&error.to_string());
        }
        if self.works(after).await { done() } else { stopped() }
    }

    fn key(&self) -> EffectKey {
        EffectKey {
            task: self.spec.task,
            step: "act".into(),
            ordinal: 0,
        }
    }

    async fn settle(&self, journal: &dyn AttemptJournal) -> Result<(), StoreError> {
        let finding = EffectFinding {
            key: self.key(),
            attempt: self.spec.attempt,
            lease: self.spec.lease.clone(),
            state: EffectState::Confirmed,
            evidence: serde_json::json!({}),
        };
        journal.settle(finding).await
    }

    /// Whether it got to the end.
    async fn works(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => false,
            () = work(duration, self.beat.clone()) => true,
        }
    }
}

fn done() -> Outcome {
    Outcome::Completed {
        remark: "done".to_owned(),
        counts: false,
    }
}

fn failed(message: &str) -> Outcome {
    Outcome::Failed {
        failure: failure(FailureReason::Internal, message),
        blame: Blame::Task,
    }
}

fn unverified(message: &str) -> Outcome {
    Outcome::Unverified {
        failure: failure(FailureReason::Stopped, message),
        blame: Blame::Task,
        attention: None,
    }
}

fn failure(reason: FailureReason, message: &str) -> Failure {
    Failure {
        reason,
        message: message.to_owned(),
        step: Some(1),
        retryable: true,
    }
}

async fn work(duration: Duration, beat: ProgressBeat) {
    let end = Instant::now() + duration;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        sleep(left.min(Duration::from_secs(1))).await;
        beat();
    }
}

fn stopped() -> Outcome {
    Outcome::Failed {
        failure: failure(FailureReason::Stopped, "stopped"),
        blame: Blame::Task,
    }
}
