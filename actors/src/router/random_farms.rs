//! Random farms with random trouble, under virtual time. Whatever happens: never two attempts on a device or an
//! account, never above a limit, and in the end every task is over.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, tz::TimeZone};
use proptest::prelude::*;
use tokio::time::Instant;

use super::races::cases;
use crate::{
    domain::{AccountUse, AttemptId, Blame, FailureReason, Limits, Purpose, ScriptLimit, TaskId, TaskState, Username},
    ports::AccountStore,
    settings::FarmSettings,
    supervisor::ActorKind,
    testing::{
        Behaviour, Run, Sabotage, ScriptedRunner, TestFarm,
        farm::{quick_settings, request, request_for, script, serial, times},
    },
};

const DEVICES: [&str; 4] = ["p1", "p2", "p3", "p4"];
const ACCOUNTS: [&[&str]; 4] = [&["a", "b"], &["c"], &[], &["d", "e", "f"]];
/// Script, most times in an hour and on a day, pause between two starts in seconds.
const LIMITS: [(&str, u32, u32, u32); 2] = [("post", 6, 12, 2), ("follow", 3, 7, 1)];

/// Something that happens to the farm.
#[derive(Debug, Clone)]
enum Trouble {
    Unplug(usize),
    PlugAll,
    Panic(usize),
    PanicAccount,
    PanicRouter,
    StoreAway(u64),
    Stop(i64),
    Delete(i64),
    Retry,
    ClockJump(i64),
    /// Of a device, or of the farm.
    Drain(Option<usize>, bool),
    Submit {
        script: usize,
        target: usize,
        count: usize,
        priority: i8,
    },
    Pause(u64),
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        5 => (0..LIMITS.len(), 0usize..8, 1usize..5, -3i8..4)
            .prop_map(|(script, target, count, priority)| Trouble::Submit { script, target, count, priority }),
        4 => (1u64..40).prop_map(Trouble::Pause),
        1 => (0usize..4).prop_map(Trouble::Unplug),
        1 => Just(Trouble::PlugAll),
        1 => (0usize..4).prop_map(Trouble::Panic),
        1 => Just(Trouble::PanicAccount),
        1 => Just(Trouble::PanicRouter),
        1 => (1u64..20).prop_map(Trouble::StoreAway),
        1 => (1i64..30).prop_map(Trouble::Stop),
        1 => (1i64..30).prop_map(Trouble::Delete),
        1 => Just(Trouble::Retry),
        1 => (-3600i64..3600).prop_map(Trouble::ClockJump),
        1 => (proptest::option::of(0usize..4), any::<bool>()).prop_map(|(place, on)| Trouble::Drain(place, on)),
    ]
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        5 => (0u64..20).prop_map(|seconds| Behaviour::completes(Duration::from_secs(seconds))),
        1 => Just(Behaviour::fails(FailureReason::FlowError, Blame::Task)),
        1 => Just(Behaviour::fails(FailureReason::DeviceError, Blame::Device)),
        1 => Just(Behaviour::fails(FailureReason::DeviceOffline, Blame::Device)),
        1 => Just(Behaviour::unverified(FailureReason::Timeout)),
        1 => Just(Behaviour::Panic),
        1 => Just(Behaviour::Hang),
        2 => [0u64..5, 0u64..5, 0u64..5].prop_map(|work| {
            let [before, act, after] = work.map(Duration::from_secs);
            Behaviour::Act { before, act, after }
        }),
    ]
}

fn settings(device_limit: Option<u32>) -> FarmSettings {
    let mut settings = quick_settings();
    settings.device_limit = device_limit;
    settings.attempt.stall_limit_s = 60;
    settings.retry.auto = true;
    // Days pass until all is done: fewer beats make them shorter.
    settings.probe.heartbeat_s = 60;
    settings.supervision.heartbeat_s = 20;
    settings.limits.enabled = true;
    let limits = LIMITS.map(|(name, per_hour, per_day, min_gap_s)| {
        let limit = ScriptLimit {
            per_hour: Some(per_hour),
            per_day: Some(per_day),
            min_gap_s: Some(min_gap_s),
        };
        (script(name), limit)
    });
    settings.limits.scripts = Limits::from(limits);
    settings
}

async fn strike(farm: &TestFarm, trouble: &Trouble) {
    let supervisor = &farm.farm.supervisor;
    match trouble {
        Trouble::Pause(seconds) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
        Trouble::Submit {
            script: kind,
            target,
            count,
            priority,
        } => {
            let mut request = match target {
                0..4 => request(&[DEVICES[*target]]),
                _ => request_for(&["a", "d", "f"]),
            };
            request.priority = *priority;
            request.script = script(LIMITS[*kind].0);
            // Refused while the store is away or the router is being rebuilt: nothing was promised then.
            let _ = farm.try_submit(times(request, *count)).await;
        }
        Trouble::Unplug(device) => {
            let left: Vec<&str> = DEVICES
                .iter()
                .filter(|name| **name != DEVICES[*device])
                .copied()
                .collect();
            farm.show(&left);
        }
        Trouble::PlugAll => farm.show(&DEVICES),
        Trouble::Panic(device) => {
            if supervisor.lives(ActorKind::Device, DEVICES[*device]).await {
                supervisor
                    .sabotage(ActorKind::Device, DEVICES[*device], Sabotage::Panic)
                    .await;
            }
        }
        Trouble::PanicAccount => {
            if supervisor.lives(ActorKind::Account, "d").await {
                supervisor.sabotage(ActorKind::Account, "d", Sabotage::Panic).await;
            }
        }
        Trouble::PanicRouter => {
            if supervisor.lives(ActorKind::Router, "router").await {
                supervisor.sabotage(ActorKind::Router, "router", Sabotage::Panic).await;
            }
        }
        Trouble::StoreAway(seconds) => {
            farm.store.set_away(true);
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
            farm.store.set_away(false);
        }
        Trouble::Stop(task) => drop(farm.farm.router.stop(TaskId(*task)).await),
        Trouble::Delete(task) => drop(farm.farm.router.delete(vec![TaskId(*task)]).await),
        Trouble::Retry => drop(farm.farm.router.retry_all(Default::default()).await),
        // Refused while the store is away.
        Trouble::Drain(place, on) => {
            let serial = place.map(|place| serial(DEVICES[place]));
            drop(farm.farm.router.set_drain(serial, *on).await);
        }
        Trouble::ClockJump(seconds) => farm.clock.jump(SignedDuration::from_secs(*seconds)),
    }
}

/// Calm returns: all phones are there, all actors are restarted by hand, attempts do what they should.
async fn calm(farm: &TestFarm) {
    farm.store.set_away(false);
    farm.runner.clear_script();
    farm.runner.set_usual(Behaviour::completes(Duration::from_secs(1)));
    tokio::time::sleep(Duration::from_secs(30)).await;
    for actor in farm.farm.supervisor.tree().await.unwrap() {
        if actor.state == crate::supervisor::ActorState::Quarantined {
            let kind = actor.kind.as_str().to_owned();
            farm.farm.supervisor.restart(kind, actor.name).await.unwrap();
        }
    }
    for name in DEVICES {
        farm.farm.router.set_drain(Some(serial(name)), false).await.unwrap();
    }
    farm.farm.router.set_drain(None, false).await.unwrap();
    farm.show(&DEVICES);
}

async fn all_over(farm: &TestFarm) -> Result<(), TestCaseError> {
    let mut open = Vec::new();
    // Limits per day: what is left over at midnight waits for the next one.
    for _ in 0..6_000 {
        tokio::time::sleep(Duration::from_secs(120)).await;
        open = farm
            .store
            .tasks()
            .into_iter()
            .filter(|task| task.finished_at.is_none())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
    }
    let mut why = Vec::new();
    for task in &open {
        why.push((task.id, task.state, farm.farm.router.waiting_for(task.id).await));
    }
    Err(TestCaseError::fail(format!("never over: {why:?}")))
}

fn device_limit_was_kept(farm: &TestFarm, limit: Option<u32>) -> Result<(), TestCaseError> {
    let Some(limit) = limit else { return Ok(()) };
    let runs = farm.runner.runs();
    for run in &runs {
        let at_once = runs
            .iter()
            .filter(|other| other.began <= run.began && other.ended.is_none_or(|ended| ended > run.began));
        // One that ended in the instant in which the next began is not at once.
        let at_once = u32::try_from(at_once.count()).unwrap();
        prop_assert!(at_once <= limit, "{at_once} devices at once, {limit} allowed");
    }
    Ok(())
}

/// `jumps`: when the clock was set. An hour of a clock that is set is not an hour: what spans a jump is not looked at.
async fn limits_were_kept(farm: &TestFarm, jumps: &[Instant]) -> Result<(), TestCaseError> {
    let uses = farm.store.uses();
    let runs = farm.runner.runs();
    for account in farm.store.load_accounts().await.unwrap() {
        for (name, per_hour, per_day, _) in LIMITS {
            let own = |used: &&AccountUse| used.username == account.username && used.script == script(name);
            let completed = farm.store.tasks().into_iter().filter(|task| {
                let of =
                    task.request.username.as_ref() == Some(&account.username) && task.request.script == script(name);
                of && task.state == TaskState::Completed
            });
            let completed: Vec<TaskId> = completed.map(|task| task.id).collect();
            // Those that were deleted count too.
            prop_assert!(
                uses.iter().filter(own).count() >= completed.len(),
                "{} {}",
                account.username,
                name
            );
            // When the attempt that completed each of them began, by a clock that nobody sets, and by the farm's.
            let began = completed.iter().filter_map(|task| {
                let run = runs.iter().rfind(|run| run.spec.task == *task)?;
                Some((run.began, farm.store.attempts(*task).last()?.started_at))
            });
            let mut began: Vec<_> = began.collect();
            began.sort_unstable();
            let within = |most: u32| {
                began.windows(usize::try_from(most).unwrap() + 1).filter(|window| {
                    let (first, last) = (window[0].0, window[window.len() - 1].0);
                    !jumps.iter().any(|jump| (first..=last).contains(jump))
                })
            };
            for window in within(per_hour) {
                let hour = window[window.len() - 1].0 - window[0].0;
                prop_assert!(
                    hour >= Duration::from_secs(3599),
                    "{} {} {:?}",
                    account.username,
                    name,
                    hour
                );
            }
            for window in within(per_day) {
                let [first, last] =
                    [window[0].1, window[window.len() - 1].1].map(|at| TimeZone::UTC.to_datetime(at).date());
                prop_assert!(
                    first < last,
                    "{} {} {} times on {}",
                    account.username,
                    name,
                    per_day + 1,
                    first
                );
            }
        }
    }
    Ok(())
}

/// `jumps`: when the clock was set. An account's actor that dies forgets starts that came to nothing: what counts is that
/// none follows too soon on one that did.
fn pauses_were_kept(farm: &TestFarm, jumps: &[Instant]) -> Result<(), TestCaseError> {
    let runs = farm.runner.runs();
    let last: HashMap<TaskId, AttemptId> = runs.iter().map(|run| (run.spec.task, run.spec.attempt)).collect();
    let completed = |run: &Run| {
        let task = farm.store.task(run.spec.task);
        task.is_some_and(|task| task.state == TaskState::Completed && last[&task.id] == run.spec.attempt)
    };
    for (name, _, _, min_gap_s) in LIMITS {
        let mut latest: HashMap<Username, Run> = HashMap::new();
        for run in &runs {
            let account = run.spec.account.as_ref().map(|account| account.username.clone());
            let Some(account) = account.filter(|_| run.spec.script == script(name)) else {
                continue;
            };
            if run.spec.purpose == Purpose::Verify {
                continue;
            }
            if let Some(before) = latest.insert(account, run.clone()).filter(completed) {
                let was_set = jumps.iter().any(|jump| (before.began..=run.began).contains(jump));
                let gap = run.began - before.began;
                prop_assert!(
                    was_set || gap >= Duration::from_secs(min_gap_s.into()),
                    "{name}: {gap:?}"
                );
            }
        }
    }
    Ok(())
}

async fn a_farm_in_trouble(
    limit: Option<u32>,
    behaviours: Vec<Behaviour>,
    troubles: Vec<Trouble>,
) -> Result<(), TestCaseError> {
    let devices: Vec<(&str, &[&str])> = DEVICES.into_iter().zip(ACCOUNTS).collect();
    let runner = ScriptedRunner::usually(Behaviour::completes(Duration::from_secs(3)));
    for (number, behaviour) in (1i64..).zip(behaviours) {
        runner.script(TaskId(number), vec![behaviour]);
    }
    let farm = TestFarm::start(&devices, settings(limit), runner).await;
    let mut jumps = Vec::new();
    for trouble in &troubles {
        if matches!(trouble, Trouble::ClockJump(_)) {
            jumps.push(Instant::now());
        }
        strike(&farm, trouble).await;
    }
    calm(&farm).await;
    all_over(&farm).await?;

    prop_assert_eq!(farm.runner.overlaps(), Vec::<String>::new());
    device_limit_was_kept(&farm, limit)?;
    limits_were_kept(&farm, &jumps).await?;
    pauses_were_kept(&farm, &jumps)?;
    for device in farm.farm.supervisor.devices().await.unwrap() {
        prop_assert_eq!(device.current_task, None, "{} is held", device.serial);
    }
    for account in farm.farm.supervisor.accounts().await.unwrap() {
        prop_assert_eq!(account.current_task, None, "{} is held", account.record.username);
    }
    let lost = farm
        .store
        .tasks()
        .into_iter()
        .filter(|task| task.state == TaskState::Running)
        .count();
    prop_assert_eq!(lost, 0);
    prop_assert!(farm.runner.runs().iter().all(|run| run.spec.attempt > AttemptId(0)));
    Ok(())
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn in_any_trouble_nothing_overlaps_no_limit_breaks_and_nothing_starves(
        limit in proptest::option::of(1u32..4),
        behaviours in proptest::collection::vec(behaviour(), 0..20),
        troubles in proptest::collection::vec(trouble(), 1..25),
    ) {
        actix::System::new().block_on(a_farm_in_trouble(limit, behaviours, troubles))?;
    }
}

/// Posts of an account beyond its limit: more than a lane's window holds.
const HELD_UP: usize = 80;

#[actix::test]
async fn a_script_at_its_limit_holds_up_no_other_script_of_its_account() {
    let mut settings = settings(None);
    let once = ScriptLimit {
        per_hour: Some(1),
        per_day: None,
        min_gap_s: None,
    };
    settings.limits.scripts.insert(script("post"), once);
    let runner = ScriptedRunner::usually(Behaviour::completes(Duration::from_secs(1)));
    let farm = TestFarm::start(&[("p1", &["a"])], settings, runner).await;
    let posts = farm.submit(times(request_for(&["a"]), HELD_UP)).await;
    farm.until_state(posts[0], TaskState::Completed).await;

    let mut follow = request_for(&["a"]);
    follow.script = script("follow");
    let follow = farm.submit(follow).await[0];
    tokio::time::sleep(Duration::from_secs(10)).await;

    assert_eq!(farm.state(follow), TaskState::Completed);
    let done = posts.iter().filter(|post| farm.state(**post) == TaskState::Completed);
    assert_eq!(done.count(), 1, "the limit is kept");
}
