//! Random histories against a model that is too small to be wrong: states, numbers and lanes always agree.

use std::collections::BTreeMap;

use farmhand_actors::{
    domain::{FailureReason, Purpose, Status, TaskState, TaskStats},
    ports::{RetryFilter, RetryResult, StopIntent, TaskStore},
};
use proptest::prelude::*;

use super::*;
use crate::store::TaskFilter;

const PHONES: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Step {
    Submit(usize, usize),
    Claim(usize),
    Finish(usize, End),
    Stop(usize),
    Release(usize),
    Retry(usize),
    RetryAll,
    Delete(usize),
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Completed,
    Failed,
    Unknown,
    Again,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![
        Just(End::Completed),
        Just(End::Failed),
        Just(End::Unknown),
        Just(End::Again)
    ];
    let task = 0..40_usize;
    let step = prop_oneof![
        3 => (0..PHONES.len(), 1..4_usize).prop_map(|(phone, n)| Step::Submit(phone, n)),
        6 => task.clone().prop_map(Step::Claim),
        6 => (task.clone(), end).prop_map(|(task, end)| Step::Finish(task, end)),
        2 => task.clone().prop_map(Step::Stop),
        1 => task.clone().prop_map(Step::Release),
        2 => task.clone().prop_map(Step::Retry),
        1 => Just(Step::RetryAll),
        1 => task.prop_map(Step::Delete),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Debug)]
struct Modelled {
    phone: usize,
    state: TaskState,
    reason: Option<FailureReason>,
    stop: bool,
    interruptions: u32,
    live: Option<Claimed>,
}

impl Modelled {
    fn fail(&mut self, reason: FailureReason) {
        self.state = TaskState::Failed;
        self.reason = Some(reason);
        self.stop = false;
    }

    fn is_pending(&self) -> bool {
        self.state.status() == Status::Pending
    }

    fn retry(&mut self) {
        self.state = TaskState::Available;
        self.reason = None;
        self.interruptions = 0;
    }
}

#[derive(Default)]
struct Model {
    tasks: BTreeMap<i64, Modelled>,
    created: i64,
}

impl Model {
    fn stats(&self) -> TaskStats {
        let count = |status| self.tasks.values().filter(|task| task.state.status() == status).count() as u64;
        TaskStats {
            total: self.tasks.len() as u64,
            pending: count(Status::Pending),
            running: count(Status::Running),
            completed: count(Status::Completed),
            failed: count(Status::Failed),
        }
    }

    fn lanes(&self) -> Vec<String> {
        let waiting = |phone: usize| self.tasks.values().any(|task| task.phone == phone && task.is_pending());
        (0..PHONES.len())
            .filter(|phone| waiting(*phone))
            .map(|phone| PHONES[phone].to_owned())
            .collect()
    }
}

async fn apply(farm: &mut Farm, model: &mut Model, step: &Step) {
    match *step {
        Step::Submit(phone, n) => {
            for id in farm.submit(vec![task_for(PHONES[phone], None); n]).await {
                model.created += 1;
                assert_eq!(id.0, model.created);
                let task = Modelled {
                    phone,
                    state: TaskState::Available,
                    reason: None,
                    stop: false,
                    interruptions: 0,
                    live: None,
                };
                model.tasks.insert(id.0, task);
            }
        }
        Step::Claim(task) => claim(farm, model, task as i64).await,
        Step::Finish(task, end) => finish(farm, model, task as i64, end).await,
        Step::Stop(task) => stop(farm, model, task as i64).await,
        Step::Release(task) => {
            let Some(task) = model.tasks.get_mut(&(task as i64)) else {
                return;
            };
            let Some(live) = task.live.take() else { return };
            farm.store
                .release(vec![(live.task, live.attempt)], String::new())
                .await
                .expect("releases");
            if task.stop {
                task.fail(FailureReason::Stopped);
            } else {
                task.state = if live.number > 1 {
                    TaskState::Retryable
                } else {
                    TaskState::Available
                };
            }
        }
        Step::Retry(_) | Step::RetryAll => retry(farm, model, step).await,
        Step::Delete(task) => {
            let running = |task: &Modelled| task.state == TaskState::Running;
            let id = task as i64;
            let goes = model.tasks.get(&id).is_some_and(|task| !running(task));
            let deleted = farm.store.delete(vec![TaskId(id)]).await.expect("deletes");
            assert_eq!(deleted.len(), usize::from(goes));
            if goes {
                model.tasks.remove(&id);
            }
        }
        Step::Restart => restart(farm, model).await,
    }
}

async fn claim(farm: &Farm, model: &mut Model, id: i64) {
    let Some(phone) = model.tasks.get(&id).map(|task| task.phone) else {
        return;
    };
    let busy = model
        .tasks
        .values()
        .any(|task| task.phone == phone && task.live.is_some());
    let pending = model.tasks[&id].is_pending();
    let answer = farm
        .store
        .claim(vec![farm.claim_of(TaskId(id), PHONES[phone], None)])
        .await;
    match answer.expect("answers").remove(0) {
        None => assert!(busy || !pending),
        Some(claimed) => {
            assert!(pending && !busy);
            let task = model.tasks.get_mut(&id).expect("is modelled");
            task.state = TaskState::Running;
            task.live = Some(claimed);
        }
    }
}

async fn finish(farm: &Farm, model: &mut Model, id: i64, end: End) {
    let Some(task) = model.tasks.get_mut(&id) else { return };
    let Some(live) = task.live.take() else { return };
    let next = match end {
        End::Completed => completed(),
        End::Failed => failed(FailureReason::Timeout),
        End::Unknown => failed(FailureReason::OutcomeUnknown),
        End::Again => again(30, Purpose::Execute, true),
    };
    assert!(farm.finish(&live, next).await);
    match end {
        End::Completed => task.state = TaskState::Completed,
        End::Failed => task.fail(FailureReason::Timeout),
        End::Unknown => task.fail(FailureReason::OutcomeUnknown),
        End::Again if task.stop => task.fail(FailureReason::Stopped),
        End::Again => task.state = TaskState::Retryable,
    }
    task.stop = false;
    assert!(!farm.finish(&live, completed()).await, "an attempt ended twice");
}

async fn stop(farm: &Farm, model: &mut Model, id: i64) {
    let answer = farm.store.intend_stop(TaskId(id), at(5)).await.expect("answers");
    let Some(task) = model.tasks.get_mut(&id) else {
        assert_eq!(answer, StopIntent::NotFound);
        return;
    };
    match task.state {
        TaskState::Running => {
            assert_eq!(answer, StopIntent::Running);
            task.stop = true;
        }
        state @ (TaskState::Completed | TaskState::Failed) => assert_eq!(answer, StopIntent::Finished(state)),
        _ => {
            assert_eq!(answer, StopIntent::Unstarted);
            task.fail(FailureReason::Stopped);
        }
    }
}

async fn retry(farm: &Farm, model: &mut Model, step: &Step) {
    let known = |task: &Modelled| task.state == TaskState::Failed && task.reason != Some(FailureReason::OutcomeUnknown);
    if let Step::Retry(id) = step {
        let answer = farm.store.retry(TaskId(*id as i64), at(40)).await.expect("answers");
        match model.tasks.get_mut(&(*id as i64)) {
            None => assert_eq!(answer, RetryResult::NotFound),
            Some(task) if known(task) => {
                assert!(matches!(answer, RetryResult::Retried(_)), "{answer:?}");
                task.retry();
            }
            Some(task) if task.state == TaskState::Failed => assert_eq!(answer, RetryResult::OutcomeUnknown),
            Some(task) => assert_eq!(answer, RetryResult::WrongState(task.state)),
        }
    } else {
        let all = farm
            .store
            .retry_all(RetryFilter::default(), at(40))
            .await
            .expect("retries");
        let wanted = model
            .tasks
            .iter()
            .filter(|(_, task)| known(task))
            .map(|(id, _)| *id)
            .collect::<Vec<_>>();
        assert_eq!(all.retried.iter().map(|task| task.id.0).collect::<Vec<_>>(), wanted);
        for id in wanted {
            model.tasks.get_mut(&id).expect("is modelled").retry();
        }
    }
}

/// The process ends without a word; the next one rescues.
async fn restart(farm: &mut Farm, model: &mut Model) {
    farm.store = open(&farm.path()).await;
    farm.epoch = farm.store.begin_epoch(at(60)).await.expect("begins");
    farm.store.rescue(farm.epoch, 2, at(60)).await.expect("rescues");
    for task in model.tasks.values_mut().filter(|task| task.live.is_some()) {
        task.live = None;
        task.interruptions += 1;
        if task.stop {
            task.fail(FailureReason::Stopped);
        } else if task.interruptions >= 2 {
            task.fail(FailureReason::Interrupted);
        } else {
            task.state = TaskState::Retryable;
        }
    }
}

async fn compare(farm: &Farm, model: &Model) {
    assert_eq!(farm.store.stats().await.expect("counts"), model.stats());
    let (total, tasks) = farm
        .store
        .list_tasks(&TaskFilter::default(), 1, 200)
        .await
        .expect("reads");
    assert_eq!(total, model.tasks.len() as u64);
    let stored = tasks
        .iter()
        .rev()
        .map(|task| {
            (
                task.id.0,
                task.state,
                task.failure.as_ref().map(|failure| failure.reason),
            )
        })
        .collect::<Vec<_>>();
    let wanted = model
        .tasks
        .iter()
        .map(|(id, task)| (*id, task.state, task.reason))
        .collect::<Vec<_>>();
    assert_eq!(stored, wanted);
    let lanes = farm.store.lanes().await.expect("reads");
    assert_eq!(
        lanes.iter().map(|lane| lane.serial.to_string()).collect::<Vec<_>>(),
        model.lanes()
    );
    for reason in FailureReason::ALL {
        let filter = TaskFilter {
            failure_reason: Some(reason),
            ..TaskFilter::default()
        };
        let (total, tasks) = farm.store.list_tasks(&filter, 1, 100).await.expect("reads");
        assert_eq!(total, tasks.len() as u64, "{reason:?}");
    }
    let live = model.tasks.values().filter(|task| task.live.is_some()).count();
    assert_eq!(farm.store.lease_holders().await.expect("reads").len(), live);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn states_numbers_and_lanes_agree_with_the_model_after_any_history(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut farm = Farm::new().await;
            let mut model = Model::default();
            for step in &steps {
                apply(&mut farm, &mut model, step).await;
            }
            compare(&farm, &model).await;
        });
    }

    #[test]
    fn f19_however_the_clock_is_set_nothing_ends_before_it_began(
        clocks in prop::collection::vec((-90_000_i64..90_000, -90_000_i64..90_000), 1..5), fails: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let farm = Farm::new().await;
            let id = farm.submit_one(task_for("a", None)).await;
            let last = clocks.len() - 1;
            for (place, (start, end)) in clocks.into_iter().enumerate() {
                let claim = Claim { at: at(start), ..farm.claim_of(id, "a", None) };
                let claimed = farm.store.claim(vec![claim]).await.expect("claims").remove(0).expect("is pending");
                let next = match (place == last, fails) {
                    (false, _) => again(0, Purpose::Execute, true),
                    (true, false) => completed(),
                    (true, true) => failed(FailureReason::Timeout),
                };
                let finish = Finish { at: at(end), ..farm.finish_of(&claimed, next) };
                let finished = farm.store.finish(vec![finish]).await.expect("finishes");
                assert!(finished.iter().all(|one| one.written));
            }
            let attempts = farm.store.list_attempts(id).await.expect("reads");
            assert_eq!(attempts.len(), last + 1);
            assert!(attempts.iter().all(|one| one.finished_at >= Some(one.started_at)), "{attempts:?}");
            let task = farm.task(id).await;
            assert!(task.finished_at.is_some() && task.finished_at >= task.started_at, "{task:?}");
        });
    }
}
