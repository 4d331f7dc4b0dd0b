//! Races: a stop against a completion, retry-all against itself, a delete against what runs, a drain against dispatch,
//! priorities against time.
//! Under virtual time with random pauses, so that each case is another interleaving, and the same again by its seed.

use std::{collections::HashMap, time::Duration};

use futures_util::future::{join, join_all};
use proptest::prelude::*;

use crate::{
    domain::{Blame, EffectState, FailureReason, TaskId, TaskState, retry::UNKNOWN_CHECKS_LIMIT},
    ports::{AttemptJournal, RetryFilter, TaskStore},
    router::RouterError,
    supervisor::SupervisorError,
    testing::{
        Behaviour, ScriptedRunner, TestFarm,
        farm::{quick_settings, request, serial, times, username},
    },
};

const DEVICES: [(&str, &[&str]); 3] = [("p1", &["a"]), ("p2", &["b"]), ("p3", &[])];
const NAMES: [&str; 3] = ["p1", "p2", "p3"];

/// Interleavings of a stop and a completion, unless a variable asks for more.
const STOPS: u32 = 2_000;
/// Of the other races, which take longer.
const OTHERS: u32 = 400;

/// `FARMHAND_RACE_CASES`, or as many as are quick.
pub(super) fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("FARMHAND_RACE_CASES").ok();
    ProptestConfig {
        cases: asked.map_or(usual, |text| text.parse().expect("FARMHAND_RACE_CASES is a number")),
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// How many times each of these kinds was told of a task.
fn told(farm: &TestFarm, id: TaskId, kinds: &[&str]) -> usize {
    let events = farm.store.events();
    let of = events.iter().filter(|event| event.event.subject == id.to_string());
    of.filter(|event| kinds.contains(&event.event.kind.as_str())).count()
}

fn nothing_is_held(farm: &TestFarm) -> Result<(), TestCaseError> {
    let running = farm
        .store
        .tasks()
        .iter()
        .filter(|task| task.state == TaskState::Running)
        .count();
    prop_assert_eq!((running, farm.runner.live()), (0, 0));
    prop_assert_eq!(farm.runner.overlaps(), Vec::<String>::new());
    Ok(())
}

/// What an attempt has done to the world, and what was seen of it.
async fn confirmed(farm: &TestFarm, id: TaskId) -> Result<bool, TestCaseError> {
    let acts = farm.runner.acts().iter().filter(|task| **task == id).count();
    let effects = farm.store.effects(id).await.unwrap();
    prop_assert!(
        acts <= 1 && acts == effects.len(),
        "{} acted {} times: {:?}",
        id,
        acts,
        effects
    );
    Ok(effects.iter().any(|effect| effect.state == EffectState::Confirmed))
}

async fn a_stop_races_a_completion(work: [u64; 3], wait: u64, latency: u64, other: u64) -> Result<(), TestCaseError> {
    let [before, act, after] = work.map(Duration::from_millis);
    let runner = ScriptedRunner::usually(Behaviour::Act { before, act, after });
    let farm = TestFarm::start(&DEVICES, quick_settings(), runner).await;
    farm.store.set_latency(Duration::from_millis(latency));
    let ids = farm.submit(request(&NAMES)).await;
    let stops = ids.iter().enumerate().map(async |(place, id)| {
        pause(wait + other * u64::try_from(place).unwrap()).await;
        // Two at once: the second one must find the first one's work.
        join(farm.farm.router.stop(*id), farm.farm.router.stop(*id)).await
    });

    let answers = join_all(stops).await;
    pause(5_000).await;

    for (id, (one, two)) in ids.iter().zip(answers) {
        let attempts = farm.store.attempts(*id);
        let ended_well = attempts
            .iter()
            .any(|attempt| attempt.outcome.as_deref() == Some("completed"));
        let took_place = confirmed(&farm, *id).await?;
        let task = farm.task(*id);
        let reason = task.failure.map(|failure| failure.reason);
        // A stop ends a task whose effect was confirmed, but does not hide that it took place.
        match task.state {
            TaskState::Completed => prop_assert!(took_place),
            TaskState::Failed => {
                prop_assert!(!took_place && !ended_well, "{} hides its effect", id);
                prop_assert_eq!(reason, Some(FailureReason::Stopped));
            }
            state => prop_assert!(false, "{id} is {state:?}"),
        }
        prop_assert_eq!(told(&farm, *id, &["task.completed", "task.failed"]), 1);
        for answer in [one, two] {
            prop_assert!(
                matches!(answer, Ok(()) | Err(RouterError::WrongState { .. })),
                "{answer:?}"
            );
        }
    }
    nothing_is_held(&farm)
}

/// Of the nine tasks, these end without anybody knowing whether they took place.
const UNKNOWN: [i64; 3] = [2, 5, 9];

async fn retry_all_races_itself(rounds: Vec<(u64, bool)>, latency: u64) -> Result<(), TestCaseError> {
    let runner = ScriptedRunner::usually(Behaviour::fails(FailureReason::FlowError, Blame::Task));
    for id in UNKNOWN {
        // The attempt, and as many looks as there are.
        let looks = usize::try_from(UNKNOWN_CHECKS_LIMIT).unwrap() + 1;
        runner.script(TaskId(id), vec![Behaviour::unverified(FailureReason::Timeout); looks]);
    }
    let farm = TestFarm::start(&DEVICES, quick_settings(), runner).await;
    let ids = farm.submit(times(request(&NAMES), 3)).await;
    // The pauses between the looks.
    pause(30_000).await;
    farm.until("all have failed", |farm| {
        farm.store.tasks().iter().all(|task| task.state == TaskState::Failed)
    })
    .await;
    farm.runner.set_usual(Behaviour::completes(Duration::from_millis(7)));
    farm.store.set_latency(Duration::from_millis(latency));

    let router = &farm.farm.router;
    let rounds = rounds.into_iter().map(async |(wait, stops)| {
        pause(wait).await;
        if stops {
            join_all(ids.iter().map(|id| router.stop(*id))).await;
        }
        router.retry_all(RetryFilter::default()).await
    });
    let answers = join_all(rounds).await;
    pause(60_000).await;

    let mut retried: HashMap<TaskId, u32> = HashMap::new();
    for answer in answers {
        let answer = answer.unwrap();
        for id in UNKNOWN.map(TaskId) {
            prop_assert!(answer.skipped.iter().any(|(skipped, _)| *skipped == id), "{:?}", answer);
        }
        for id in answer.retried {
            *retried.entry(id).or_default() += 1;
        }
    }
    for id in &ids {
        let task = farm.task(*id);
        let times = retried.get(id).copied().unwrap_or(0);
        // It became pending when it was created, and each time that an answer says so: what is counted was changed.
        prop_assert_eq!(
            told(&farm, *id, &["task.available"]),
            1 + usize::try_from(times).unwrap()
        );
        if UNKNOWN.contains(&id.0) {
            let reason = task.failure.map(|failure| failure.reason);
            prop_assert_eq!(
                (times, task.retry_count, reason),
                (0, 0, Some(FailureReason::OutcomeUnknown))
            );
            continue;
        }
        prop_assert!(times >= 1, "{id} was never retried");
        prop_assert_eq!(task.retry_count, times, "{} was retried as often as was answered", id);
        prop_assert!(task.finished_at.is_some(), "{id} is {:?}", task.state);
    }
    nothing_is_held(&farm)
}

/// What an attempt left open is looked up, and a stop comes in between, before or after; then the account goes on.
async fn a_stop_races_an_end_that_nobody_knows(work: u64, waits: [u64; 3], latency: u64) -> Result<(), TestCaseError> {
    let runner = ScriptedRunner::usually(Behaviour::completes(Duration::from_millis(3)));
    let mut unverified = Behaviour::unverified(FailureReason::Timeout);
    if let Behaviour::Work(duration, _) = &mut unverified {
        *duration = Duration::from_millis(work);
    }
    for id in 1..=3 {
        runner.script(TaskId(id), vec![unverified.clone(), unverified.clone()]);
    }
    let farm = TestFarm::start(&DEVICES, quick_settings(), runner).await;
    farm.store.set_latency(Duration::from_millis(latency));
    let ids = farm.submit(request(&NAMES)).await;
    let router = &farm.farm.router;
    join_all(ids.iter().zip(waits).map(async |(id, wait)| {
        pause(wait).await;
        router.stop(*id).await
    }))
    .await;

    let later = farm.submit(request(&NAMES)).await;
    for id in later {
        farm.until_state(id, TaskState::Completed).await;
    }
    nothing_is_held(&farm)
}

async fn a_delete_races_what_runs(work: [u64; 3], wait: u64, latency: u64) -> Result<(), TestCaseError> {
    let [before, act, after] = work.map(Duration::from_millis);
    let runner = ScriptedRunner::usually(Behaviour::Act { before, act, after });
    let farm = TestFarm::start(&DEVICES, quick_settings(), runner).await;
    farm.store.set_latency(Duration::from_millis(latency));
    let ids = farm.submit(times(request(&NAMES), 2)).await;
    pause(wait).await;
    let account = farm.farm.supervisor.delete_account(username("a"));
    let router = &farm.farm.router;

    let (account, (one, two)) = join(account, join(router.delete(ids.clone()), router.delete(ids.clone()))).await;
    let next = farm.submit(request(&["p3"])).await;
    farm.runner.set_usual(Behaviour::completes(Duration::from_millis(1)));
    farm.until_state(next[0], TaskState::Completed).await;

    let (one, two) = (one.unwrap(), two.unwrap());
    for id in &ids {
        let times = [&one, &two].iter().filter(|answer| answer.deleted.contains(id)).count();
        prop_assert_eq!(times, 1, "{} is deleted once", id);
        prop_assert!(farm.store.task(*id).is_none() && farm.store.attempts(*id).is_empty());
        prop_assert!(
            farm.store.effects(*id).await.unwrap().is_empty(),
            "effects of {} are left",
            id
        );
        prop_assert!(farm.runner.acts().iter().filter(|task| *task == id).count() <= 1);
    }
    prop_assert!(next.iter().all(|next| ids.iter().all(|id| next > id)), "{next:?}");
    let still_there = farm.farm.supervisor.account(username("a")).await.is_ok();
    match account {
        Ok(()) => prop_assert!(!still_there),
        Err(SupervisorError::WrongState(why)) => prop_assert!(still_there && why.contains("task"), "{}", why),
        Err(other) => prop_assert!(false, "{other:?}"),
    }
    nothing_is_held(&farm)
}

/// Drains and resumes of devices (by place) and of the farm, each with the pause before it.
type Drains = Vec<(u64, Option<usize>, bool)>;

async fn drains_race_dispatch(work: u64, drains: Drains, latency: u64) -> Result<(), TestCaseError> {
    let runner = ScriptedRunner::usually(Behaviour::completes(Duration::from_millis(work)));
    let farm = TestFarm::start(&DEVICES, quick_settings(), runner).await;
    farm.store.set_latency(Duration::from_millis(latency));
    let ids = farm.submit(times(request(&NAMES), 8)).await;
    let attempts = |drained: Option<&str>| {
        let of = ids
            .iter()
            .flat_map(|id| farm.store.attempts(*id).into_iter().map(move |attempt| (*id, attempt)));
        let of = of.filter(|(_, attempt)| drained.is_none_or(|name| attempt.serial.as_str() == name));
        of.map(|(id, attempt)| (id, attempt.number)).collect::<Vec<_>>()
    };
    let router = &farm.farm.router;
    for (wait, place, draining) in drains {
        pause(wait).await;
        let serial = place.map(|place| serial(NAMES[place]));
        let told = router.set_drain(serial.clone(), draining).await.unwrap();
        prop_assert_eq!(told.iter().any(|drain| drain.serial == serial), draining);
        if draining {
            let begun = attempts(place.map(|place| NAMES[place]));
            pause(wait).await;
            prop_assert_eq!(
                attempts(place.map(|place| NAMES[place])),
                begun,
                "begun after the drain of {:?}",
                serial
            );
        }
    }
    // Two at once: whatever order they come in, what is told is what holds.
    let (one, two) = join(router.set_drain(None, true), router.set_drain(None, false)).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    let last = router.drains().await.unwrap();
    prop_assert!(last == one || last == two, "{:?}", last);
    let mut stored = farm.store.drains().await.unwrap();
    stored.sort_by(|one, other| one.serial.cmp(&other.serial));
    prop_assert_eq!(&last, &stored);

    for name in NAMES {
        router.set_drain(Some(serial(name)), false).await.unwrap();
    }
    router.set_drain(None, false).await.unwrap();
    farm.until("all are over", |farm| {
        farm.store.tasks().iter().all(|task| task.state == TaskState::Completed)
    })
    .await;
    prop_assert!(ids.iter().all(|id| farm.store.attempts(*id).len() == 1));
    nothing_is_held(&farm)
}

/// The device is never idle: each minute a task of the highest priority comes, and each takes a minute.
async fn a_low_task_in_a_stream_of_high_ones(priority: i8) -> Result<(), TestCaseError> {
    const MINUTE: Duration = Duration::from_secs(60);
    let runner = ScriptedRunner::usually(Behaviour::completes(MINUTE));
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), runner).await;
    let submit = async |priority| {
        let mut request = request(&["p1"]);
        request.priority = priority;
        farm.submit(request).await
    };
    submit(10).await;
    submit(10).await;
    let low = submit(priority).await[0];
    // Ten minutes of head start for each step of priority, and what was there before.
    let longest = i64::from(10 - priority) * 10 + 10;
    for minute in 0..longest {
        if farm.state(low) == TaskState::Completed {
            prop_assert!(
                minute >= i64::from(10 - priority) * 9,
                "priority {} had no effect",
                priority
            );
            return Ok(());
        }
        submit(10).await;
        tokio::time::sleep(MINUTE).await;
    }
    prop_assert!(false, "a task of priority {} starved for {} minutes", priority, longest);
    Ok(())
}

proptest! {
    #![proptest_config(cases(STOPS))]

    #[test]
    fn r2_a_stop_that_races_a_completion_leaves_one_end_and_hides_none(
        work in [0_u64..30, 0_u64..30, 0_u64..30], wait in 0_u64..90, latency in 0_u64..12, other in 0_u64..9,
    ) {
        actix::System::new().block_on(a_stop_races_a_completion(work, wait, latency, other))?;
    }
}

proptest! {
    #![proptest_config(cases(OTHERS))]

    #[test]
    fn r3_retry_all_against_itself_stops_and_completions_retries_each_task_as_often_as_it_says(
        rounds in proptest::collection::vec((0_u64..60, any::<bool>()), 2..6), latency in 0_u64..12,
    ) {
        actix::System::new().block_on(retry_all_races_itself(rounds, latency))?;
    }

    #[test]
    fn r4_deleting_what_runs_and_its_account_leaves_nothing_behind_and_reuses_no_id(
        work in [0_u64..60, 0_u64..60, 0_u64..2_000], wait in 0_u64..90, latency in 0_u64..12,
    ) {
        actix::System::new().block_on(a_delete_races_what_runs(work, wait, latency))?;
    }

    #[test]
    fn after_the_answer_to_a_drain_no_attempt_begins_and_after_all_resumes_each_task_has_run_once(
        work in 0_u64..20, latency in 0_u64..12,
        drains in proptest::collection::vec((0_u64..40, proptest::option::of(0_usize..3), any::<bool>()), 1..6),
    ) {
        actix::System::new().block_on(drains_race_dispatch(work, drains, latency))?;
    }
}

proptest! {
    #![proptest_config(cases(OTHERS))]

    #[test]
    fn r2_a_stop_that_races_an_end_that_nobody_knows_leaves_the_account_free(
        work in 0_u64..30, waits in [0_u64..1_100, 0_u64..60, 0_u64..60], latency in 0_u64..12,
    ) {
        actix::System::new().block_on(a_stop_races_an_end_that_nobody_knows(work, waits, latency))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 10, ..ProptestConfig::default() })]

    #[test]
    fn whatever_its_priority_a_task_does_not_starve_behind_an_endless_stream_of_higher_ones(priority in -10_i8..10) {
        actix::System::new().block_on(a_low_task_in_a_stream_of_high_ones(priority))?;
    }
}
