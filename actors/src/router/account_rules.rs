//! What accounts may do and how often, with real actors around it, under virtual time.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use crate::{
    FarmSettings,
    domain::{AccountPatch, AccountStatus, Blame, FailureReason, Purpose, ScriptLimit, TaskId, TaskState},
    ports::{Clock, Resolution},
    supervisor::ActorKind,
    testing::{
        Behaviour, Run, Sabotage, ScriptedRunner, TestFarm,
        farm::{quick_settings, request_for, script, serial, times, username},
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn works(seconds: u64) -> ScriptedRunner {
    ScriptedRunner::usually(Behaviour::completes(Duration::from_secs(seconds)))
}

/// Acts after a second; its confirmation takes very long.
fn acts() -> Behaviour {
    Behaviour::Act {
        before: SECOND,
        act: 100 * SECOND,
        after: SECOND,
    }
}

async fn bind(farm: &TestFarm, device: &str) {
    let patch = AccountPatch {
        serial: Some(Some(serial(device))),
        ..AccountPatch::default()
    };
    let supervisor = &farm.farm.supervisor;
    supervisor.patch_account(username("a"), patch).await.unwrap();
}

#[actix::test]
async fn two_open_tasks_of_an_account_on_two_phones_are_looked_up_each_while_it_is_bound_there() {
    let farm = TestFarm::start(&[("p1", &["a"]), ("p2", &[])], quick_settings(), works(1)).await;
    farm.runner.script(TaskId(1), vec![acts()]);
    farm.runner.script(TaskId(2), vec![acts()]);
    let first = farm.submit(request_for(&["a"])).await[0];
    farm.until("it has acted", |farm| farm.runner.acts() == [first]).await;
    farm.farm.router.stop(first).await.unwrap();
    bind(&farm, "p2").await;
    let second = farm.submit(request_for(&["a"])).await[0];
    farm.until("it has acted", |farm| farm.runner.acts() == [first, second])
        .await;
    farm.show(&["p1"]);
    farm.until_state(second, TaskState::Retryable).await;
    farm.farm.router.retry(first).await.unwrap();

    let third = farm.submit(request_for(&["a"])).await[0];
    farm.show(&["p1", "p2"]);
    farm.until("the one on its phone is looked up", |farm| {
        let purpose = |run: &Run| (run.spec.task, run.spec.purpose);
        farm.runner
            .runs()
            .iter()
            .any(|run| purpose(run) == (second, Purpose::Verify))
    })
    .await;
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(farm.state(third), TaskState::Available, "the first is still open");

    bind(&farm, "p1").await;
    farm.until_state(first, TaskState::Completed).await;
    bind(&farm, "p2").await;
    farm.until_state(third, TaskState::Completed).await;
}

fn limited(limit: ScriptLimit) -> FarmSettings {
    let mut settings = quick_settings();
    settings.limits.enabled = true;
    settings.limits.scripts = [(script("post"), limit)].into();
    settings
}

fn one_an_hour() -> FarmSettings {
    limited(ScriptLimit {
        per_hour: Some(1),
        ..ScriptLimit::default()
    })
}

#[actix::test]
async fn what_a_person_says_was_not_done_makes_room_in_the_limit_at_once() {
    let farm = TestFarm::start(&[("p1", &["a"])], one_an_hour(), works(1)).await;
    let unknown = Behaviour::unverified(FailureReason::AssertionFailed);
    farm.runner.script(TaskId(1), vec![unknown; 4]);
    let tasks = farm.submit(times(request_for(&["a"]), 2)).await;
    farm.until_state(tasks[0], TaskState::Failed).await;
    farm.until("the other one is told why it waits", |farm| {
        farm.task(tasks[1]).remark.contains("limit per hour")
    })
    .await;

    let resolution = Resolution {
        task: tasks[0],
        done: false,
        note: String::new(),
        at: farm.clock.now().wall,
    };
    farm.farm.router.resolve(resolution).await.unwrap();

    let began = Instant::now();
    farm.until_state(tasks[1], TaskState::Completed).await;
    assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
}

#[actix::test]
async fn what_a_check_says_was_not_done_makes_room_in_the_limit_when_its_task_has_failed() {
    let farm = TestFarm::start(&[("p1", &["a"])], one_an_hour(), works(1)).await;
    let fails = Behaviour::fails(FailureReason::FlowError, Blame::Task);
    farm.runner.script(TaskId(1), vec![acts(), fails.clone(), fails]);
    let tasks = farm.submit(times(request_for(&["a"]), 2)).await;
    farm.until("it has acted", |farm| !farm.runner.acts().is_empty()).await;
    farm.farm.router.stop(tasks[0]).await.unwrap();
    farm.until("the other one is told why it waits", |farm| {
        farm.task(tasks[1]).remark.contains("limit per hour")
    })
    .await;

    farm.farm.router.retry(tasks[0]).await.unwrap();

    let began = Instant::now();
    farm.until_state(tasks[1], TaskState::Completed).await;
    assert!(began.elapsed() < 20 * SECOND, "{:?}", began.elapsed());
}

#[test]
fn a_clock_that_is_set_neither_stretches_nor_cuts_the_minimum_gap_of_an_account() {
    for jump in [-3600, -5, 0, 5, 3600] {
        actix::System::new().block_on(async {
            let settings = limited(ScriptLimit {
                min_gap_s: Some(120),
                ..ScriptLimit::default()
            });
            let farm = TestFarm::start(&[("p1", &["a"])], settings, works(1)).await;
            let tasks = farm.submit(times(request_for(&["a"]), 2)).await;
            farm.until_state(tasks[0], TaskState::Completed).await;
            tokio::time::sleep(20 * SECOND).await;

            farm.clock.jump(SignedDuration::from_secs(jump));
            farm.until_state(tasks[1], TaskState::Completed).await;

            let runs = farm.runner.runs();
            let gap = runs[1].began - runs[0].began;
            assert!((119 * SECOND..130 * SECOND).contains(&gap), "{jump}: {gap:?}");
        });
    }
}

#[actix::test]
async fn an_account_that_is_switched_off_or_moved_in_mid_attempt_does_not_act_any_more() {
    let changes = [
        AccountPatch {
            status: Some(AccountStatus::Disabled),
            ..AccountPatch::default()
        },
        AccountPatch {
            serial: Some(None),
            ..AccountPatch::default()
        },
    ];
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(1)).await;
    farm.runner.set_usual(Behaviour::Act {
        before: 10 * SECOND,
        act: SECOND,
        after: SECOND,
    });
    for change in changes {
        let task = farm.submit(request_for(&["a"])).await[0];
        farm.until("it runs", |farm| farm.runner.live() == 1).await;
        let supervisor = &farm.farm.supervisor;
        supervisor.patch_account(username("a"), change).await.unwrap();
        farm.until("it ends", |farm| farm.runner.live() == 0).await;
        farm.until_state(task, TaskState::Failed).await;
        let back = AccountPatch {
            status: Some(AccountStatus::Active),
            serial: Some(Some(serial("p1"))),
            ..AccountPatch::default()
        };
        supervisor.patch_account(username("a"), back).await.unwrap();
    }
    assert_eq!(farm.runner.acts(), []);
}

#[actix::test]
async fn an_account_whose_actor_was_restarted_in_mid_attempt_knows_its_task() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(100)).await;
    let task = farm.submit(request_for(&["a"])).await[0];
    farm.until_state(task, TaskState::Running).await;
    farm.until("it runs", |farm| farm.runner.live() == 1).await;

    let supervisor = &farm.farm.supervisor;
    supervisor.sabotage(ActorKind::Account, "a", Sabotage::Panic).await;
    tokio::time::sleep(5 * SECOND).await;

    let account = supervisor.account(username("a")).await.unwrap();
    assert_eq!(account.current_task, Some(task));
    farm.until_state(task, TaskState::Completed).await;
    assert_eq!(supervisor.account(username("a")).await.unwrap().current_task, None);
}
