//! `farmhand bench flow`: what the flow engine itself costs, over a phone that answers at once.

use std::{
    path::Path,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        AttemptId, AttemptSpec, Bounds, Effect, EffectFinding, EffectGate, EffectIntent, Epoch, Lease, Outcome,
        Progress, Purpose, ScriptName, Serial, StepRecord, StepState, TaskId, UiNode, UiTree,
    },
    ports::{AttemptJournal, MediaError, MediaPicker, MediaRequest, PickedMedia, ScriptRunner, StoreError},
};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{idle_phone::IdlePhone, print_line, rounded, usage::process_cpu};
use crate::{
    cli::{
        CliError,
        serve::{failed, in_system},
    },
    flow::{FlowCatalog, FlowRunner, FlowRunnerParts, FlowSettings},
    startup::SystemClock,
};

/// Nodes of the screen. Half of the real screens known to us have fewer than 43, the largest has 377.
const NODES: usize = 200;
/// Steps of one round of the flow.
const ROUND: u32 = 11;
/// What the steps do: the commands that make up nearly all steps of real flows.
const STEPS: &str = r#"
- assertVisible: "Row 150"
- assertVisible: { id: row_120 }
- tapOn: "Row 33"
- tapOn: { id: "row_7[0-9]", below: "Row 3" }
- assertNotVisible: "Not there"
- inputText: "hello ${output.n || 0}"
- evalScript: "${output.n = (output.n || 0) + 1}"
- copyTextFrom: { id: row_9 }
- assertTrue: "${output.n > 0}"
- runFlow: { when: { visible: "Row 1" }, commands: [ { pressKey: back } ] }
"#;

/// The line that is printed.
#[derive(Serialize)]
struct Cost {
    mode: &'static str,
    steps: usize,
    nodes: usize,
    /// From the beginning of a step to that of the next, milliseconds: half of them take at most so long.
    ms_step_median: f64,
    /// 99 of 100 take at most so long.
    ms_step_p99: f64,
    ms_step_max: f64,
    /// CPU time of the process for each step, its start included, milliseconds: what a busy machine does not change.
    cpu_ms_step: f64,
    /// The command that took longest.
    slowest: String,
}

/// Runs the bench and prints its line.
pub fn run(steps: u32) -> Result<(), CliError> {
    let folder = tempfile::tempdir().map_err(failed)?;
    let rounds = steps.div_ceil(ROUND).max(1);
    let body: String = STEPS.lines().map(|line| format!("      {line}\n")).collect();
    let flow = format!("appId: com.example.bench\n---\n- repeat:\n    times: ${{{rounds}}}\n    commands:\n{body}");
    std::fs::write(folder.path().join("bench.yaml"), flow).map_err(failed)?;
    let journal = Arc::new(Stopwatch::default());
    let outcome = in_system(attempt(folder.path(), Arc::clone(&journal)))?;
    let Outcome::Completed { .. } = outcome else {
        return Err(CliError::Failed(format!(
            "the bench's flow did not succeed: {outcome:?}"
        )));
    };
    print_line(&journal.cost(process_cpu()?))
}

async fn attempt(folder: &Path, journal: Arc<Stopwatch>) -> Result<Outcome, CliError> {
    let media = Arc::new(NoMedia);
    let runner = FlowRunner::new(FlowRunnerParts {
        catalog: FlowCatalog::new(Some(folder.to_owned()), media.clone()),
        journal: Arc::clone(&journal) as Arc<dyn AttemptJournal>,
        media,
        evidence_dir: folder.join("evidence"),
        clock: Arc::new(SystemClock::default()),
        settings: without_pauses(),
    });
    let serial = Serial::parse("bench").map_err(failed)?;
    let phone = Arc::new(IdlePhone::showing(serial.clone(), screen()));
    let spec = AttemptSpec {
        task: TaskId(1),
        attempt: AttemptId(1),
        number: 1,
        purpose: Purpose::Execute,
        script: ScriptName::parse("bench").map_err(failed)?,
        config: Arc::new(json!({})),
        serial,
        account: None,
        app: None,
        lease: Lease {
            epoch: Epoch(1),
            token: "bench".into(),
        },
        time_limit: Duration::from_secs(600),
        seed: 1,
        request_id: None,
        permit: Arc::default(),
    };
    let outcome = runner
        .run(Arc::new(spec), phone, CancellationToken::new(), Rc::new(|| {}))
        .await;
    journal.begun().push((Instant::now(), String::new()));
    Ok(outcome)
}

/// All that the engine does between its looks, none of what it waits for.
fn without_pauses() -> FlowSettings {
    FlowSettings {
        short_lookup_timeout: Duration::ZERO,
        poll_interval: Duration::ZERO,
        settle_interval: Duration::ZERO,
        reaction_time: Duration::ZERO,
        max_steps: u32::MAX,
        max_rounds: u32::MAX,
        ..FlowSettings::default()
    }
}

/// A list of rows, one below the other.
fn screen() -> UiTree {
    let row = |at: usize| {
        let top = i32::try_from(at).unwrap_or(0).saturating_mul(4);
        UiNode {
            parent: Some(0),
            id: format!("com.example:id/row_{at}"),
            text: format!("Row {at}"),
            bounds: Some(Bounds {
                left: 0,
                top,
                right: 500,
                bottom: top.saturating_add(4),
            }),
            ..UiNode::default()
        }
    };
    let root = UiNode {
        bounds: Some(Bounds {
            left: 0,
            top: 0,
            right: IdlePhone::WIDTH,
            bottom: IdlePhone::HEIGHT,
        }),
        children: (1..NODES).collect(),
        ..UiNode::default()
    };
    UiTree {
        nodes: std::iter::once(root).chain((1..NODES).map(row)).collect(),
        rotation: 0,
    }
}

/// Notes when steps begin.
#[derive(Default)]
struct Stopwatch(Mutex<Vec<(Instant, String)>>);

impl Stopwatch {
    fn begun(&self) -> MutexGuard<'_, Vec<(Instant, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cost(&self, cpu_s: f64) -> Cost {
        let begun = self.begun();
        let pairs = begun.iter().zip(begun.iter().skip(1));
        let mut times: Vec<(f64, &str)> = pairs
            .map(|((one, command), (next, _))| (next.duration_since(*one).as_secs_f64() * 1000.0, command.as_str()))
            .collect();
        times.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let share = |percent: usize| {
            let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            rounded(times.get(at).copied().unwrap_or_default().0, 3)
        };
        Cost {
            mode: "flow",
            steps: times.len(),
            nodes: NODES,
            ms_step_median: share(50),
            ms_step_p99: share(99),
            ms_step_max: share(100),
            cpu_ms_step: rounded(cpu_s * 1000.0 / times.len().max(1) as f64, 3),
            slowest: times
                .last()
                .map(|(_, command)| (*command).to_owned())
                .unwrap_or_default(),
        }
    }
}

#[async_trait]
impl AttemptJournal for Stopwatch {
    fn record_step(&self, _: AttemptId, step: StepRecord) {
        if step.state == StepState::Running {
            self.begun().push((Instant::now(), step.command));
        }
    }

    fn record_flow(&self, _: AttemptId, _: &str) {}

    fn record_progress(&self, _: TaskId, _: AttemptId, _: Progress) {}

    async fn intend(&self, _: EffectIntent) -> Result<EffectGate, StoreError> {
        Ok(EffectGate::Act)
    }

    async fn settle(&self, _: EffectFinding) -> Result<(), StoreError> {
        Ok(())
    }

    async fn effects(&self, _: TaskId) -> Result<Vec<Effect>, StoreError> {
        Ok(Vec::new())
    }
}

/// The bench's flow needs no media.
struct NoMedia;

#[async_trait]
impl MediaPicker for NoMedia {
    async fn warnings(&self, _: &MediaRequest) -> Vec<String> {
        Vec::new()
    }

    async fn pick(&self, _: &MediaRequest) -> Result<PickedMedia, MediaError> {
        Ok(PickedMedia::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_benchs_flow_succeeds_and_every_step_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let flow = format!("appId: com.example.bench\n---\n{STEPS}");
        std::fs::write(folder.path().join("bench.yaml"), flow).unwrap();
        let journal = Arc::new(Stopwatch::default());
        let outcome = in_system(attempt(folder.path(), Arc::clone(&journal))).unwrap();
        assert!(matches!(outcome, Outcome::Completed { .. }), "{outcome:?}");
        assert_eq!(journal.cost(0.0).steps, usize::try_from(ROUND).unwrap());
    }
}
