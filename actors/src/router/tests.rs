//! The router with real actors around it, under virtual time.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::time::Instant;

use crate::{
    domain::{
        AccountPatch, AccountStatus, Attention, Blame, DevicePatch, DeviceState, Failure, FailureReason,
        IdempotencyKey, Outcome, Purpose, ScriptLimit, TaskId, TaskState, Timestamp,
    },
    ports::{DriverError, RetryFilter, StoreError},
    router::RouterError,
    supervisor::ActorKind,
    testing::{
        Behaviour, MemoryStore, Sabotage, ScriptedRunner, TestFarm,
        farm::{MORNING, quick_settings, request, request_for, script, serial, times, username},
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn works(seconds: u64) -> ScriptedRunner {
    ScriptedRunner::usually(Behaviour::completes(Duration::from_secs(seconds)))
}

fn reason_of(farm: &TestFarm, id: TaskId) -> Option<FailureReason> {
    farm.task(id).failure.map(|failure| failure.reason)
}

#[actix::test]
async fn a_task_for_an_idle_device_runs_to_its_end() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(3)).await;

    let ids = farm.submit(request(&["p1"])).await;

    farm.until_state(ids[0], TaskState::Running).await;
    farm.until_state(ids[0], TaskState::Completed).await;
    assert_eq!(farm.task(ids[0]).remark, "done");
    assert_eq!(farm.store.attempts(ids[0]).len(), 1);
    assert_eq!(farm.store.uses().len(), 1);
}

#[actix::test]
async fn ids_come_in_the_order_of_the_request_and_a_device_without_accounts_gets_a_task_without_one() {
    let farm = TestFarm::start(&[("p1", &["b", "a"]), ("p2", &[])], quick_settings(), works(3)).await;

    let single = farm.submit(times(request(&["p2", "p1"]), 2)).await;
    let mut multi = times(request(&["p1"]), 2);
    multi.enable_multi_account = true;
    let multi = farm.submit(multi).await;

    let who = |id: &TaskId| {
        let request = farm.task(*id).request;
        (
            request.serial.unwrap().to_string(),
            request.username.map(|name| name.to_string()),
        )
    };
    let on = |device: &str, name: Option<&str>| (device.to_owned(), name.map(str::to_owned));
    let single: Vec<_> = single.iter().map(who).collect();
    assert_eq!(
        single,
        [on("p2", None), on("p2", None), on("p1", Some("a")), on("p1", Some("a"))]
    );
    let multi: Vec<_> = multi.iter().map(who).collect();
    assert_eq!(
        multi,
        [
            on("p1", Some("a")),
            on("p1", Some("a")),
            on("p1", Some("b")),
            on("p1", Some("b"))
        ]
    );
}

#[actix::test]
async fn all_unknown_names_are_told_at_once_and_nothing_is_created() {
    let farm = TestFarm::start(&[("p1", &["a"]), ("p2", &[])], quick_settings(), works(3)).await;

    let devices = farm.try_submit(request(&["x", "p1", "y"])).await.unwrap_err();
    let accounts = farm.try_submit(request_for(&["a", "z", "w"])).await.unwrap_err();
    let mut multi = request(&["p1", "p2"]);
    multi.enable_multi_account = true;
    let without = farm.try_submit(multi).await.unwrap_err();
    let many = farm.try_submit(times(request(&["p1"]), 10_001)).await.unwrap_err();

    assert_eq!(devices.to_string(), "unknown devices: x, y");
    assert_eq!(accounts.to_string(), "unknown accounts: z, w");
    assert_eq!(without.to_string(), "no enabled account is bound to: p2");
    assert!(matches!(
        many,
        RouterError::TooMany {
            of_accounts: false,
            wanted: 10_001,
            limit: 10_000
        }
    ));
    assert!(farm.runner.runs().is_empty());
    assert_eq!(farm.store.task(TaskId(1)), None);
}

#[actix::test]
async fn the_same_key_with_the_same_body_creates_nothing_and_with_another_body_is_refused() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(3)).await;
    let with_key = |hash: &str| {
        let mut request = request(&["p1"]);
        request.idempotency = Some(IdempotencyKey {
            key: "k".to_owned(),
            body_hash: hash.to_owned(),
        });
        request
    };

    let first = farm.submit(with_key("h")).await;
    let second = farm.submit(with_key("h")).await;
    let other = farm.try_submit(with_key("g")).await.unwrap_err();

    assert_eq!(first, second);
    assert!(matches!(other, RouterError::KeyReused));
    assert_eq!(farm.store.task(TaskId(2)), None);
}

#[actix::test]
async fn accounts_of_a_device_take_turns() {
    let farm = TestFarm::start(&[("p1", &["a", "b"])], quick_settings(), works(1)).await;

    let mut first = farm.submit(times(request_for(&["a"]), 3)).await;
    first.extend(farm.submit(times(request_for(&["b"]), 3)).await);
    for id in &first {
        farm.until_state(*id, TaskState::Completed).await;
    }

    let runs = farm.runner.runs();
    let order: Vec<String> = runs
        .iter()
        .map(|run| run.spec.account.as_ref().unwrap().username.to_string())
        .collect();
    assert_eq!(order, ["a", "b", "a", "b", "a", "b"]);
    let of_a: Vec<TaskId> = runs.iter().step_by(2).map(|run| run.spec.task).collect();
    assert_eq!(of_a, first[..3], "first come first served within an account");
}

#[actix::test]
async fn at_most_device_limit_devices_work_at_once_and_the_others_say_why_they_wait() {
    let mut settings = quick_settings();
    settings.device_limit = Some(1);
    let farm = TestFarm::start(&[("p1", &[]), ("p2", &[]), ("p3", &[])], settings, works(10)).await;

    let ids = farm.submit(request(&["p1", "p2", "p3"])).await;
    farm.until("one runs and a remark is written", |farm| {
        farm.runner.live() == 1 && ids.iter().any(|id| farm.task(*id).remark.contains("license.plan"))
    })
    .await;
    let waiting = farm.farm.router.waiting_for(ids[2]).await.unwrap().unwrap();

    assert!(waiting.contains("the plan allows 1 devices"), "{waiting}");
    for id in &ids {
        farm.until_state(*id, TaskState::Completed).await;
    }
    let runs = farm.runner.runs();
    for pair in runs.windows(2) {
        assert!(pair[0].ended.unwrap() <= pair[1].began, "two devices worked at once");
    }
}

#[actix::test]
async fn what_is_asked_for_after_a_device_was_taken_out_of_service_does_not_begin_there() {
    let farm = TestFarm::start(&[("p1", &[]), ("p2", &[])], quick_settings(), works(10)).await;
    let supervisor = &farm.farm.supervisor;
    let patch = DevicePatch {
        enabled: Some(false),
        ..DevicePatch::default()
    };
    // Their own actors have not heard of it yet.
    for name in ["p1", "p2"] {
        supervisor.sabotage(ActorKind::Device, name, Sabotage::Freeze).await;
    }
    supervisor.patch_device(serial("p1"), patch).await.unwrap();
    let held = supervisor.quarantine_device(serial("p2"), "broken glass".to_owned());
    held.await.unwrap();

    let ids = farm.submit(request(&["p1", "p2"])).await;

    for (id, why) in ids.into_iter().zip([
        "device p1 is switched off",
        "device p2 was put into quarantine by a person: broken glass",
    ]) {
        assert_eq!(farm.task(id).state, TaskState::Available);
        let waiting = farm.farm.router.waiting_for(id).await.unwrap().unwrap();
        assert_eq!(waiting, why);
    }
}

#[actix::test]
async fn an_attempt_on_a_phone_that_hangs_is_stopped_within_two_seconds_and_the_device_goes_on() {
    let runner = ScriptedRunner::usually(Behaviour::Hang);
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), runner).await;
    let ids = farm.submit(times(request(&["p1"]), 2)).await;
    farm.until_state(ids[0], TaskState::Running).await;
    farm.runner.set_usual(Behaviour::completes(SECOND));
    let asked = Instant::now();

    farm.farm.router.stop(ids[0]).await.unwrap();

    assert!(asked.elapsed() <= 2 * SECOND, "{:?}", asked.elapsed());
    assert_eq!(farm.state(ids[0]), TaskState::Failed);
    assert_eq!(reason_of(&farm, ids[0]), Some(FailureReason::Stopped));
    farm.until_state(ids[1], TaskState::Completed).await;
}

#[actix::test]
async fn an_attempt_that_heeds_the_stop_ends_at_once() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(100)).await;
    let ids = farm.submit(request(&["p1"])).await;
    farm.until_state(ids[0], TaskState::Running).await;
    let asked = Instant::now();

    farm.farm.router.stop(ids[0]).await.unwrap();

    assert!(asked.elapsed() < SECOND / 10);
    assert_eq!(reason_of(&farm, ids[0]), Some(FailureReason::Stopped));
    let again = farm.farm.router.stop(ids[0]).await.unwrap_err();
    assert!(matches!(
        again,
        RouterError::WrongState {
            state: TaskState::Failed,
            ..
        }
    ));
    assert!(matches!(
        farm.farm.router.stop(TaskId(99)).await,
        Err(RouterError::NotFound(TaskId(99)))
    ));
}

#[actix::test]
async fn a_pending_task_is_stopped_unstarted() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(5)).await;
    let ids = farm.submit(times(request(&["p1"]), 2)).await;

    farm.farm.router.stop(ids[1]).await.unwrap();
    farm.until_state(ids[0], TaskState::Completed).await;
    tokio::time::sleep(10 * SECOND).await;

    assert_eq!(reason_of(&farm, ids[1]), Some(FailureReason::Stopped));
    assert!(farm.store.attempts(ids[1]).is_empty());
}

#[actix::test]
async fn a_running_task_is_deleted_after_its_device_is_free() {
    let runner = ScriptedRunner::usually(Behaviour::Hang);
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), runner).await;
    let ids = farm.submit(times(request(&["p1"]), 2)).await;
    farm.until_state(ids[0], TaskState::Running).await;

    let unknown = TaskId(77);
    let deleted = farm
        .farm
        .router
        .delete(vec![ids[0], unknown, ids[1], ids[0]])
        .await
        .unwrap();

    assert_eq!(deleted.deleted, [ids[0], ids[1]]);
    assert_eq!(deleted.not_found, [unknown]);
    assert_eq!(farm.store.task(ids[0]), None);
    assert_eq!(farm.runner.live(), 0);
    let next = farm.submit(request(&["p1"])).await;
    assert!(next[0] > ids[1], "ids are never reused");
}

#[actix::test]
async fn a_failed_task_runs_again_when_it_is_retried() {
    let runner = ScriptedRunner::usually(Behaviour::fails(FailureReason::FlowError, Blame::Task));
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), runner).await;
    let ids = farm.submit(request(&["p1"])).await;
    farm.until_state(ids[0], TaskState::Failed).await;
    farm.runner.set_usual(Behaviour::completes(SECOND));

    farm.farm.router.retry(ids[0]).await.unwrap();

    farm.until_state(ids[0], TaskState::Completed).await;
    assert_eq!(farm.task(ids[0]).retry_count, 1);
    assert_eq!(farm.store.attempts(ids[0]).len(), 2);
    let again = farm.farm.router.retry(ids[0]).await.unwrap_err();
    assert!(matches!(
        again,
        RouterError::WrongState {
            state: TaskState::Completed,
            ..
        }
    ));
}

#[actix::test]
async fn retry_all_racing_itself_and_completions_queues_every_failed_task_once() {
    let runner = ScriptedRunner::usually(Behaviour::fails(FailureReason::FlowError, Blame::Task));
    let farm = TestFarm::start(&[("p1", &[]), ("p2", &[])], quick_settings(), runner).await;
    farm.store.set_latency(Duration::from_millis(3));
    let ids = farm.submit(times(request(&["p1", "p2"]), 10)).await;
    farm.until("some failed, some not", |farm| {
        let failed = ids.iter().filter(|id| farm.state(**id) == TaskState::Failed).count();
        (5..15).contains(&failed)
    })
    .await;
    farm.runner.set_usual(Behaviour::completes(SECOND));

    let router = &farm.farm.router;
    let (one, two) = tokio::join!(
        router.retry_all(RetryFilter::default()),
        router.retry_all(RetryFilter::default())
    );

    let (one, two) = (one.unwrap().retried, two.unwrap().retried);
    assert!(!one.is_empty());
    assert!(one.iter().all(|id| !two.contains(id)), "a task was queued twice");
    farm.until("all are over", |farm| {
        ids.iter().all(|id| farm.task(*id).finished_at.is_some())
    })
    .await;
    for id in one.iter().chain(&two) {
        assert_eq!(farm.store.attempts(*id).len(), 2, "task {id}");
    }
}

#[actix::test]
async fn an_account_that_needs_a_person_waits_and_the_others_go_on() {
    let farm = TestFarm::start(&[("p1", &["a", "b"])], quick_settings(), works(1)).await;
    let challenge = Outcome::NeedsAttention {
        message: "log in".to_owned(),
        screenshot: Some("shot.png".to_owned()),
    };
    farm.runner.script(TaskId(1), vec![Behaviour::Work(SECOND, challenge)]);
    let ids = farm.submit(times(request_for(&["a", "b"]), 2)).await;

    farm.until_state(ids[2], TaskState::Completed).await;
    farm.until_state(ids[3], TaskState::Completed).await;
    tokio::time::sleep(60 * SECOND).await;

    assert_eq!(farm.state(ids[0]), TaskState::Retryable);
    assert_eq!(farm.state(ids[1]), TaskState::Available);
    let stored = farm.store.account(&username("a")).unwrap();
    assert_eq!(stored.status, AccountStatus::NeedsAttention);
    assert_eq!(stored.evidence.as_deref(), Some("shot.png"));
    let waiting = farm.farm.router.waiting_for(ids[1]).await.unwrap().unwrap();
    assert!(waiting.contains("needs a person (log in)"), "{waiting}");

    let resumed = farm.farm.supervisor.resume_account(username("a")).await.unwrap();
    assert_eq!(resumed.record.status, AccountStatus::Active);
    farm.until_state(ids[0], TaskState::Completed).await;
    farm.until_state(ids[1], TaskState::Completed).await;
}

#[actix::test]
async fn a_challenge_on_a_phone_without_an_account_ends_the_task_and_the_next_one_runs() {
    let farm = TestFarm::start(&[("p1", &[])], quick_settings(), works(1)).await;
    let challenge = Outcome::NeedsAttention {
        message: "log in".to_owned(),
        screenshot: None,
    };
    farm.runner.script(TaskId(1), vec![Behaviour::Work(SECOND, challenge)]);
    let ids = farm.submit(times(request(&["p1"]), 2)).await;

    farm.until_state(ids[0], TaskState::Failed).await;
    farm.until_state(ids[1], TaskState::Completed).await;

    assert_eq!(farm.store.attempts(ids[0]).len(), 1);
    let failure = farm.task(ids[0]).failure.unwrap();
    assert_eq!(failure.reason, FailureReason::NeedsAttention);
    assert!(failure.message.contains("log in"), "{}", failure.message);
}

#[actix::test]
async fn a_challenge_in_the_middle_of_an_effect_rests_the_account_and_the_effect_is_looked_for_afterwards() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(1)).await;
    let challenge = Outcome::Unverified {
        failure: Failure {
            reason: FailureReason::NeedsAttention,
            message: "log in".to_owned(),
            step: Some(2),
            retryable: false,
        },
        blame: Blame::App,
        attention: Some(Attention {
            message: "log in".to_owned(),
            screenshot: Some("shot.png".to_owned()),
        }),
    };
    farm.runner.script(TaskId(1), vec![Behaviour::Work(SECOND, challenge)]);
    let id = farm.submit(request_for(&["a"])).await[0];

    farm.until_state(id, TaskState::Retryable).await;
    tokio::time::sleep(60 * SECOND).await;

    assert_eq!(farm.state(id), TaskState::Retryable);
    assert_eq!(farm.store.attempts(id).len(), 1, "nobody looks before a person has");
    assert!(farm.task(id).remark.contains("person"), "{}", farm.task(id).remark);
    let stored = farm.store.account(&username("a")).unwrap();
    assert_eq!(stored.status, AccountStatus::NeedsAttention);
    assert_eq!(stored.evidence.as_deref(), Some("shot.png"));

    farm.farm.supervisor.resume_account(username("a")).await.unwrap();
    farm.until_state(id, TaskState::Completed).await;
    let purposes: Vec<Purpose> = farm.runner.runs().iter().map(|run| run.spec.purpose).collect();
    assert_eq!(purposes, [Purpose::Execute, Purpose::Verify]);
}

#[actix::test]
async fn a_task_for_a_phone_that_is_away_waits_and_runs_when_it_comes_back() {
    let farm = TestFarm::start(&[("p1", &[]), ("p2", &[])], quick_settings(), works(1)).await;
    farm.show(&["p2"]);
    farm.until_device("p1", DeviceState::Offline).await;

    let ids = farm.submit(request(&["p1", "p2"])).await;
    farm.until_state(ids[1], TaskState::Completed).await;
    farm.until("the remark says why", |farm| {
        farm.task(ids[0]).remark.contains("is away")
    })
    .await;
    assert_eq!(farm.state(ids[0]), TaskState::Available);

    farm.show(&["p1", "p2"]);
    farm.until_state(ids[0], TaskState::Completed).await;
}

#[actix::test]
async fn an_attempt_whose_phone_was_unplugged_is_taken_up_again_after_the_replug() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(60)).await;
    let ids = farm.submit(request(&["p1"])).await;
    farm.until_state(ids[0], TaskState::Running).await;

    farm.show(&[]);
    farm.until_state(ids[0], TaskState::Retryable).await;
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(farm.runner.runs().len(), 1, "it waits for the phone");
    farm.show(&["p1"]);

    farm.until_state(ids[0], TaskState::Completed).await;
    assert_eq!(farm.task(ids[0]).retry_count, 0, "the phone's absence does not count");
    assert_eq!(
        farm.store.attempts(ids[0])[0].outcome.as_deref(),
        Some("device_offline")
    );
}

#[actix::test]
async fn f14_an_account_that_moves_to_another_phone_does_nothing_there_until_what_is_open_was_looked_up() {
    let act = Behaviour::Act {
        before: SECOND,
        act: 100 * SECOND,
        after: SECOND,
    };
    let farm = TestFarm::start(&[("p1", &["a"]), ("p2", &["b"])], quick_settings(), works(1)).await;
    farm.runner.script(TaskId(1), vec![act.clone(), act]);
    let first = farm.submit(request_for(&["a"])).await[0];
    farm.until("it has acted", |farm| !farm.runner.acts().is_empty()).await;
    let bind = |device: &'static str| AccountPatch {
        serial: Some(Some(serial(device))),
        ..AccountPatch::default()
    };

    // Its cable is pulled out, and the account goes to the phone beside it.
    farm.show(&["p2"]);
    farm.until_state(first, TaskState::Retryable).await;
    let supervisor = &farm.farm.supervisor;
    supervisor.patch_account(username("a"), bind("p2")).await.unwrap();
    let second = farm.submit(request_for(&["a"])).await[0];
    let other = farm.submit(request_for(&["b"])).await[0];

    farm.until_state(other, TaskState::Completed).await;
    farm.until("the remark says why", |farm| {
        farm.task(second)
            .remark
            .contains("for task 1 has to be looked up on device p1")
    })
    .await;
    tokio::time::sleep(1_000 * SECOND).await;
    assert_eq!(farm.state(second), TaskState::Available);

    // The phone comes back with its account.
    supervisor.patch_account(username("a"), bind("p1")).await.unwrap();
    farm.show(&["p1", "p2"]);
    farm.until_state(first, TaskState::Completed).await;
    supervisor.patch_account(username("a"), bind("p2")).await.unwrap();
    farm.until_state(second, TaskState::Completed).await;
    let runs = farm.runner.runs();
    let of_account: Vec<(TaskId, Purpose)> = runs
        .iter()
        .filter(|run| run.spec.task != other)
        .map(|run| (run.spec.task, run.spec.purpose))
        .collect();
    assert_eq!(
        of_account,
        [
            (first, Purpose::Execute),
            (first, Purpose::Verify),
            (second, Purpose::Execute)
        ]
    );
    assert_eq!(farm.runner.acts(), [first]);
}

#[actix::test]
async fn f14_once_a_person_gives_up_what_is_open_the_account_goes_on_with_another_phone() {
    let act = Behaviour::Act {
        before: SECOND,
        act: 100 * SECOND,
        after: SECOND,
    };
    let farm = TestFarm::start(&[("p1", &["a"]), ("p2", &[])], quick_settings(), works(1)).await;
    farm.runner.script(TaskId(1), vec![act]);
    let first = farm.submit(request_for(&["a"])).await[0];
    farm.until("it has acted", |farm| !farm.runner.acts().is_empty()).await;
    farm.show(&["p2"]);
    farm.until_state(first, TaskState::Retryable).await;
    let moved = AccountPatch {
        serial: Some(Some(serial("p2"))),
        ..AccountPatch::default()
    };
    farm.farm.supervisor.patch_account(username("a"), moved).await.unwrap();
    let second = farm.submit(request_for(&["a"])).await[0];
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(farm.state(second), TaskState::Available);

    farm.farm.router.stop(first).await.unwrap();

    farm.until_state(second, TaskState::Completed).await;
}

#[actix::test]
async fn f15_a_phone_that_takes_ninety_seconds_to_start_again_gets_its_task_when_it_answers_and_not_before() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(60)).await;
    let ids = farm.submit(request(&["p1"])).await;
    farm.until_state(ids[0], TaskState::Running).await;
    let starting = DriverError::Refused {
        serial: serial("p1"),
        command: "info",
        problem: "Android is still starting".to_owned(),
    };

    farm.show(&[]);
    farm.until_state(ids[0], TaskState::Retryable).await;
    let away = Instant::now();
    tokio::time::sleep(40 * SECOND).await;
    // adb shows it long before Android has come up.
    farm.drivers.phone(&serial("p1"), |phone| phone.error = Some(starting));
    farm.show(&["p1"]);
    tokio::time::sleep(50 * SECOND).await;
    let device = farm.farm.supervisor.device(serial("p1")).await.unwrap();
    assert_eq!(device.state, DeviceState::Offline);
    assert!(device.cause.contains("Android is still starting"), "{}", device.cause);
    assert_eq!(farm.runner.runs().len(), 1);
    farm.drivers.phone(&serial("p1"), |phone| {
        phone.error = None;
        phone.info.boot_id = Some("another boot".to_owned());
    });

    farm.until("the flow runs again", |farm| farm.runner.runs().len() == 2)
        .await;

    let back = away.elapsed();
    assert!((90 * SECOND..130 * SECOND).contains(&back), "{back:?}");
    farm.until_state(ids[0], TaskState::Completed).await;
    assert_eq!(farm.task(ids[0]).retry_count, 0, "the restart does not count");
}

#[actix::test]
async fn a_scheduled_task_starts_within_a_second_of_its_time_also_when_the_clock_is_set() {
    let farm = TestFarm::start(&[("p1", &[])], quick_settings(), works(1)).await;
    let morning: Timestamp = MORNING.parse().unwrap();
    let at = |hours: u64| {
        let mut request = request(&["p1"]);
        request.scheduled_at = Some(morning + Duration::from_secs(hours * 3600));
        request
    };
    let ids = [farm.submit(at(2)).await, farm.submit(at(5)).await].concat();
    assert_eq!(farm.state(ids[0]), TaskState::Scheduled);

    tokio::time::sleep(2 * 3600 * SECOND - 2 * SECOND).await;
    assert!(farm.runner.runs().is_empty());
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(farm.runner.runs().len(), 1);

    farm.clock.jump(SignedDuration::from_hours(3));
    tokio::time::sleep(2 * SECOND).await;
    farm.until_state(ids[1], TaskState::Completed).await;
}

#[actix::test]
async fn a_clock_set_back_does_not_hold_up_tasks_that_are_to_run_at_once() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(5)).await;
    let ids = farm.submit(times(request(&["p1"]), 3)).await;
    farm.clock.jump(SignedDuration::from_hours(-1));
    let began = Instant::now();

    for id in ids {
        farm.until_state(id, TaskState::Completed).await;
    }

    assert!(began.elapsed() < 20 * SECOND);
}

/// A gap and a pause are spans of time, not times of day.
#[test]
fn f19_a_clock_that_is_set_neither_stretches_nor_cuts_a_gap_or_the_pause_before_a_retry() {
    for_each_jump(async |farm, jump| {
        let mut spaced = times(request(&["p1"]), 2);
        spaced.interval_minutes = Some((2, 2));
        let spaced = farm.submit(spaced).await;
        farm.until_state(spaced[0], TaskState::Completed).await;
        let failing = farm.submit(request(&["p2"])).await[0];
        farm.until_state(failing, TaskState::Retryable).await;

        farm.clock.jump(SignedDuration::from_secs(jump));
        let began = Instant::now();
        farm.until_state(failing, TaskState::Completed).await;
        let retried = began.elapsed();
        farm.until_state(spaced[1], TaskState::Completed).await;
        let started = began.elapsed();

        assert!((20 * SECOND..45 * SECOND).contains(&retried), "{jump}: {retried:?}");
        assert!((100 * SECOND..140 * SECOND).contains(&started), "{jump}: {started:?}");
    });
}

fn for_each_jump(check: impl AsyncFn(&TestFarm, i64)) {
    for jump in [-3600, -5, 0, 5, 3600] {
        actix::System::new().block_on(async {
            let mut settings = quick_settings();
            settings.retry.auto = true;
            settings.retry.delay = [30, 30];
            let runner = works(1);
            runner.script(TaskId(3), vec![Behaviour::fails(FailureReason::FlowError, Blame::Task)]);
            let farm = TestFarm::start(&[("p1", &[]), ("p2", &[])], settings, runner).await;
            check(&farm, jump).await;
        });
    }
}

#[actix::test]
async fn any_number_of_tasks_at_the_limit_of_their_script_hold_up_no_other_script_of_their_account() {
    let mut settings = quick_settings();
    settings.limits.enabled = true;
    let one_an_hour = ScriptLimit {
        per_hour: Some(1),
        ..ScriptLimit::default()
    };
    settings.limits.scripts = [(script("post"), one_an_hour)].into();
    let farm = TestFarm::start(&[("p1", &["a"])], settings, works(1)).await;

    let posts = farm.submit(times(request_for(&["a"]), 1500)).await;
    let mut follow = request_for(&["a"]);
    follow.script = script("follow");
    let follow = farm.submit(follow).await;
    let began = Instant::now();
    farm.until_state(follow[0], TaskState::Completed).await;

    assert!(began.elapsed() < 30 * SECOND, "{:?}", began.elapsed());
    assert_eq!(farm.state(posts[0]), TaskState::Completed);
    let last = posts[1499];
    let waiting = farm.farm.router.waiting_for(last).await.unwrap().unwrap();
    assert!(waiting.contains("limit per hour"), "{waiting}");
    for id in &posts[1..3] {
        tokio::time::sleep(3500 * SECOND).await;
        assert_eq!(farm.state(*id), TaskState::Available, "not before the hour is over");
        farm.until_state(*id, TaskState::Completed).await;
    }
}

#[actix::test]
async fn tasks_of_a_batch_keep_their_gap_and_others_pass_between_them() {
    let farm = TestFarm::start(&[("p1", &[])], quick_settings(), works(1)).await;
    let mut spaced = times(request(&["p1"]), 3);
    spaced.interval_minutes = Some((2, 4));

    let spaced = farm.submit(spaced).await;
    let other = farm.submit(request(&["p1"])).await;
    farm.until_state(other[0], TaskState::Completed).await;
    assert_eq!(farm.state(spaced[2]), TaskState::Scheduled);
    for id in &spaced {
        for _ in 0..4 {
            if farm.state(*id) != TaskState::Completed {
                tokio::time::sleep(120 * SECOND).await;
            }
        }
        farm.until_state(*id, TaskState::Completed).await;
    }

    assert_spaced(&farm, &spaced, 120 * SECOND..=245 * SECOND);
}

fn assert_spaced(farm: &TestFarm, tasks: &[TaskId], allowed: std::ops::RangeInclusive<Duration>) {
    let runs = farm.runner.runs();
    let mut starts: Vec<Instant> = tasks
        .iter()
        .map(|id| runs.iter().find(|run| run.spec.task == *id).unwrap().began)
        .collect();
    starts.sort();
    for pair in starts.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(allowed.contains(&gap), "{gap:?}");
    }
}

/// Tasks that keep a gap, all of them overdue when the drained phone takes tasks again.
async fn overdue_batch(farm: &TestFarm, count: usize, minutes: (u32, u32), waits: Duration) -> Vec<TaskId> {
    farm.farm.router.set_drain(Some(serial("p1")), true).await.unwrap();
    let mut spaced = times(request(&["p1"]), count);
    spaced.interval_minutes = Some(minutes);
    let spaced = farm.submit(spaced).await;
    tokio::time::sleep(waits).await;
    spaced
}

#[actix::test]
async fn tasks_that_keep_a_gap_block_nobody_however_many_they_are() {
    let farm = TestFarm::start(&[("p1", &[])], quick_settings(), works(1)).await;
    let spaced = overdue_batch(&farm, 1_100, (1, 1), 70_000 * SECOND).await;
    let other = farm.submit(request(&["p1"])).await;
    let began = Instant::now();
    farm.farm.router.set_drain(Some(serial("p1")), false).await.unwrap();

    farm.until_state(other[0], TaskState::Completed).await;

    assert!(began.elapsed() < 50 * SECOND, "{:?}", began.elapsed());
    for id in &spaced[1..4] {
        farm.until_state(*id, TaskState::Completed).await;
    }
    assert_spaced(&farm, &spaced[..4], 60 * SECOND..=65 * SECOND);
}

#[actix::test]
async fn a_router_that_is_rebuilt_knows_when_a_batch_last_began_and_keeps_its_gap() {
    let farm = TestFarm::start(&[("p1", &[])], quick_settings(), works(1)).await;
    let spaced = overdue_batch(&farm, 3, (2, 4), 3600 * SECOND).await;
    farm.farm.router.set_drain(Some(serial("p1")), false).await.unwrap();

    for done in 1..=spaced.len() {
        // Each has a gap of its own, so they need not come in order.
        farm.until("one more is done", |farm| {
            let states = spaced.iter().map(|id| farm.state(*id));
            states.filter(|state| *state == TaskState::Completed).count() == done
        })
        .await;
        let supervisor = &farm.farm.supervisor;
        supervisor.sabotage(ActorKind::Router, "router", Sabotage::Panic).await;
    }

    assert_spaced(&farm, &spaced, 120 * SECOND..=250 * SECOND);
}

#[actix::test]
async fn a_task_of_a_batch_that_is_tried_again_does_not_wait_for_its_own_start() {
    let mut settings = quick_settings();
    settings.retry.auto = true;
    settings.retry.delay = [30, 30];
    let runner = works(20);
    runner.script(TaskId(1), vec![Behaviour::fails(FailureReason::FlowError, Blame::Task)]);
    runner.script(TaskId(2), vec![Behaviour::unverified(FailureReason::Timeout)]);
    let farm = TestFarm::start(&[("p1", &[]), ("p2", &[]), ("p3", &[])], settings, runner).await;
    let mut spaced = request(&["p1", "p2", "p3"]);
    spaced.interval_minutes = Some((30, 30));

    let [failing, open, cut_off] = farm.submit(spaced).await[..] else {
        panic!("three tasks")
    };
    farm.until_state(cut_off, TaskState::Running).await;
    let supervisor = &farm.farm.supervisor;
    supervisor.sabotage(ActorKind::Router, "router", Sabotage::Panic).await;
    let began = Instant::now();
    for task in [failing, open, cut_off] {
        farm.until_state(task, TaskState::Completed).await;
    }

    assert!(began.elapsed() < 180 * SECOND, "{:?}", began.elapsed());
}

#[actix::test]
async fn a_task_that_the_hours_repetitions_do_not_reach_for_says_so() {
    let mut settings = quick_settings();
    settings.retry.auto = true;
    settings.retry.max = 1;
    settings.retry.per_hour = 1;
    let runner = ScriptedRunner::usually(Behaviour::fails(FailureReason::FlowError, Blame::Task));
    let farm = TestFarm::start(&[("p1", &[])], settings, runner).await;

    let ids = farm.submit(times(request(&["p1"]), 2)).await;
    for id in &ids {
        farm.until_state(*id, TaskState::Failed).await;
    }

    let mut said: Vec<String> = ids.iter().map(|id| farm.task(*id).failure.unwrap().message).collect();
    said.sort();
    let script = request(&["p1"]).script;
    let used_up =
        format!("as the test wants (not tried again by itself: retry.per_hour = 1 is used up for `{script}`)");
    assert_eq!(said, ["as the test wants".to_owned(), used_up]);
}

#[actix::test]
async fn the_hours_repetitions_count_also_for_the_router_that_comes_next() {
    let mut settings = quick_settings();
    settings.retry.auto = true;
    settings.retry.max = 1;
    settings.retry.per_hour = 1;
    let runner = ScriptedRunner::usually(Behaviour::fails(FailureReason::FlowError, Blame::Task));
    let farm = TestFarm::start(&[("p1", &[])], settings, runner).await;
    let first = farm.submit(request(&["p1"])).await[0];
    farm.until_state(first, TaskState::Failed).await;

    let supervisor = &farm.farm.supervisor;
    supervisor.sabotage(ActorKind::Router, "router", Sabotage::Panic).await;
    // Its next one comes after a pause.
    let second = loop {
        match farm.try_submit(request(&["p1"])).await {
            Ok(submitted) => break submitted.task_ids[0],
            Err(RouterError::Away) => tokio::time::sleep(SECOND).await,
            Err(error) => panic!("{error}"),
        }
    };
    farm.until_state(second, TaskState::Failed).await;

    let messages = [first, second].map(|id| farm.task(id).failure.unwrap().message);
    assert!(!messages[0].contains("used up"), "{messages:?}");
    assert!(messages[1].contains("retry.per_hour = 1 is used up"), "{messages:?}");
}

#[actix::test]
async fn an_urgent_task_overtakes_but_never_the_running_one() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(5)).await;
    let ordinary = farm.submit(times(request(&["p1"]), 3)).await;
    farm.until_state(ordinary[0], TaskState::Running).await;
    let mut urgent = request(&["p1"]);
    urgent.priority = 5;

    let urgent = farm.submit(urgent).await;
    farm.until_state(ordinary[2], TaskState::Completed).await;

    let order: Vec<TaskId> = farm.runner.runs().iter().map(|run| run.spec.task).collect();
    assert_eq!(order, [ordinary[0], urgent[0], ordinary[1], ordinary[2]]);
}

#[actix::test]
async fn an_urgent_task_overtakes_a_queue_of_any_length() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(5)).await;
    let ordinary = farm.submit(times(request(&["p1"]), 700)).await;
    farm.until_state(ordinary[0], TaskState::Running).await;
    let mut urgent = request(&["p1"]);
    urgent.priority = 1;

    let urgent = farm.submit(urgent).await;
    farm.until_state(ordinary[1], TaskState::Completed).await;

    let runs = farm.runner.runs();
    let order: Vec<TaskId> = runs.iter().map(|run| run.spec.task).take(3).collect();
    assert_eq!(order, [ordinary[0], urgent[0], ordinary[1]]);
}

/// A task that was cut off for no fault of its own has its turn before those that came after it.
#[actix::test]
async fn what_was_interrupted_keeps_its_place_in_the_queue() {
    let runner = works(5);
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), runner).await;
    let ids = farm.submit(times(request(&["p1"]), 3)).await;
    farm.until_state(ids[0], TaskState::Running).await;

    farm.farm
        .supervisor
        .sabotage(ActorKind::Router, "router", Sabotage::Panic)
        .await;
    farm.until_state(ids[2], TaskState::Completed).await;

    let order: Vec<TaskId> = farm.runner.runs().iter().map(|run| run.spec.task).collect();
    assert_eq!(order, [ids[0], ids[0], ids[1], ids[2]]);
}

#[actix::test]
async fn an_open_effect_is_verified_and_after_three_unknown_checks_a_person_is_asked() {
    let runner = ScriptedRunner::usually(Behaviour::unverified(FailureReason::Timeout));
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), runner).await;

    let ids = farm.submit(request(&["p1"])).await;
    farm.until_state(ids[0], TaskState::Failed).await;

    assert_eq!(reason_of(&farm, ids[0]), Some(FailureReason::OutcomeUnknown));
    let purposes: Vec<Purpose> = farm.runner.runs().iter().map(|run| run.spec.purpose).collect();
    assert_eq!(
        purposes,
        [Purpose::Execute, Purpose::Verify, Purpose::Verify, Purpose::Verify]
    );
    assert!(matches!(
        farm.farm.router.retry(ids[0]).await,
        Err(RouterError::WrongState { .. })
    ));
    let all = farm.farm.router.retry_all(RetryFilter::default()).await.unwrap();
    assert_eq!((all.retried.len(), all.skipped.len()), (0, 1));
}

#[actix::test]
async fn what_may_have_taken_place_is_looked_up_before_the_account_does_anything_else() {
    let runner = ScriptedRunner::usually(Behaviour::completes(SECOND));
    let farm = TestFarm::start(&[("p1", &["a", "b"])], quick_settings(), runner).await;
    let unverified = || Behaviour::unverified(FailureReason::Timeout);
    let first = TaskId(1);
    farm.runner.script(first, vec![unverified(), unverified()]);

    assert_eq!(farm.submit(request_for(&["a"])).await, [first]);
    let later = farm.submit(times(request_for(&["a"]), 100)).await;
    let other = farm.submit(request_for(&["b"])).await[0];
    farm.until_state(later[99], TaskState::Completed).await;

    let order: Vec<TaskId> = farm.runner.runs().iter().map(|run| run.spec.task).collect();
    let of_account: Vec<TaskId> = order.iter().copied().filter(|task| *task != other).collect();
    assert_eq!(of_account[..3], [first; 3], "{order:?}");
    assert_eq!(of_account[3..], later[..]);
    assert!(
        order.iter().position(|task| *task == other) < Some(5),
        "the other account waits too: {order:?}"
    );
}

#[actix::test]
async fn after_a_start_what_may_have_taken_place_comes_first_though_its_check_is_not_due_yet() {
    let unverified = Behaviour::unverified(FailureReason::Timeout);
    let mut farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), ScriptedRunner::usually(unverified)).await;
    let first = farm.submit(request_for(&["a"])).await[0];
    // The attempt and two looks; the third waits longest.
    farm.until("two looks are over", |farm| {
        farm.store
            .attempts(first)
            .iter()
            .filter(|attempt| attempt.outcome.is_some())
            .count()
            == 3
    })
    .await;
    farm.farm.shutdown(SECOND).await;
    let runner = ScriptedRunner::usually(Behaviour::completes(SECOND));
    let next = TestFarm::on(farm.store.clone(), quick_settings(), runner).await;
    next.connect(&["p1"]).await;

    let later = next.submit(request_for(&["a"])).await[0];
    next.until_state(later, TaskState::Completed).await;

    let order: Vec<(TaskId, Purpose)> = next
        .runner
        .runs()
        .iter()
        .map(|run| (run.spec.task, run.spec.purpose))
        .collect();
    assert_eq!(order, [(first, Purpose::Verify), (later, Purpose::Execute)]);
}

/// What counts are effects: one that has none and no limit of its own is held up by nothing.
#[actix::test]
async fn a_script_that_changes_nothing_for_good_counts_only_towards_limits_of_its_own() {
    let mut settings = quick_settings();
    settings.limits.enabled = true;
    settings.limits.others.per_hour = Some(1);
    settings.limits.scripts.insert(script("follow"), settings.limits.others);
    let farm = TestFarm::start(&[("p1", &["a"])], settings, works(1)).await;
    let of = |name: &str| {
        let mut request = request_for(&["a"]);
        request.script = script(name);
        request
    };

    for id in farm.submit(times(of("look"), 3)).await {
        farm.until_state(id, TaskState::Completed).await;
    }
    let limited = farm.submit(times(of("follow"), 2)).await;
    farm.until_state(limited[0], TaskState::Completed).await;
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(farm.state(limited[1]), TaskState::Available);
}

#[actix::test]
async fn f33_an_attempt_that_panics_is_a_failed_task_and_nothing_stays_held() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(1)).await;
    farm.runner.script(TaskId(1), vec![Behaviour::Panic]);

    let ids = farm.submit(times(request(&["p1"]), 2)).await;
    farm.until_state(ids[0], TaskState::Failed).await;
    farm.until_state(ids[1], TaskState::Completed).await;

    assert_eq!(reason_of(&farm, ids[0]), Some(FailureReason::Internal));
    assert_eq!(farm.farm.supervisor.device(serial("p1")).await.unwrap().restarts, 0);
}

#[actix::test]
async fn an_attempt_over_its_time_limit_or_without_progress_is_a_timeout() {
    let mut settings = quick_settings();
    settings.attempt.time_limit_s = 600;
    settings.attempt.stall_limit_s = 100;
    let farm = TestFarm::start(&[("p1", &[]), ("p2", &[])], settings, works(10_000)).await;
    farm.runner.script(TaskId(2), vec![Behaviour::Hang]);
    let began = Instant::now();

    let ids = farm.submit(request(&["p1", "p2"])).await;
    farm.until_state(ids[1], TaskState::Failed).await;
    let stalled = began.elapsed();
    tokio::time::sleep(300 * SECOND).await;
    farm.until_state(ids[0], TaskState::Failed).await;

    assert!(stalled >= 100 * SECOND && stalled < 105 * SECOND, "{stalled:?}");
    assert_eq!(reason_of(&farm, ids[0]), Some(FailureReason::Timeout));
    assert_eq!(reason_of(&farm, ids[1]), Some(FailureReason::Timeout));
    assert!(farm.task(ids[1]).remark.contains("attempt.stall_limit_s"));
}

#[actix::test]
async fn while_the_store_is_away_nothing_is_lost_and_nothing_is_promised() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(5)).await;
    let ids = farm.submit(times(request(&["p1"]), 2)).await;
    farm.until_state(ids[0], TaskState::Running).await;

    farm.store.set_away(true);
    let refused = farm.try_submit(request(&["p1"])).await.unwrap_err();
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(farm.state(ids[0]), TaskState::Running, "its end is not durable yet");
    farm.store.set_away(false);

    assert!(matches!(refused, RouterError::Store(StoreError::Away(_))));
    farm.until_state(ids[0], TaskState::Completed).await;
    farm.until_state(ids[1], TaskState::Completed).await;
    assert_eq!(farm.runner.runs().len(), 2);
}

#[actix::test]
async fn a_shutdown_leaves_tasks_resumable_and_the_next_start_goes_on() {
    let mut farm = TestFarm::start(&[("p1", &["a"]), ("p2", &[])], quick_settings(), works(50)).await;
    let ids = farm.submit(times(request(&["p1", "p2"]), 2)).await;
    farm.until_state(ids[0], TaskState::Running).await;
    farm.until_state(ids[2], TaskState::Running).await;

    let left = farm.farm.shutdown(3 * SECOND).await;
    assert_eq!(left, 0);
    let store = farm.store.clone();
    assert!(
        ids.iter()
            .all(|id| store.task(*id).unwrap().state != TaskState::Running)
    );
    let farm = TestFarm::on(store, quick_settings(), works(1)).await;
    farm.connect(&["p1", "p2"]).await;

    for id in &ids {
        farm.until_state(*id, TaskState::Completed).await;
        assert_eq!(farm.task(*id).retry_count, 0);
    }
}

#[actix::test]
async fn after_a_start_nothing_runs_before_its_phone_has_answered() {
    let store = MemoryStore::new();
    tokio::time::pause();
    let farm = TestFarm::on(store.clone(), quick_settings(), works(1)).await;
    farm.show(&["p1"]);
    farm.until_device("p1", DeviceState::Online).await;
    farm.show(&[]);
    farm.until_device("p1", DeviceState::Offline).await;
    farm.drivers.phone(&serial("p1"), |phone| phone.hangs = true);

    let ids = farm.submit(request(&["p1"])).await;
    farm.show(&["p1"]);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(farm.state(ids[0]), TaskState::Available);
    assert!(farm.runner.runs().is_empty());

    farm.drivers.phone(&serial("p1"), |phone| phone.hangs = false);
    farm.until_state(ids[0], TaskState::Completed).await;
}

#[actix::test]
async fn a_long_queue_runs_in_order_through_a_bounded_window() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(0)).await;

    let ids = farm.submit(times(request(&["p1"]), 3_000)).await;
    let last = *ids.last().unwrap();
    farm.until_state(last, TaskState::Completed).await;

    let order: Vec<TaskId> = farm.runner.runs().iter().map(|run| run.spec.task).collect();
    assert_eq!(order, ids);
}

#[actix::test]
async fn the_current_account_is_the_one_used_last() {
    let farm = TestFarm::start(&[("p1", &["a", "b"])], quick_settings(), works(1)).await;
    let first = farm.submit(request_for(&["b"])).await;
    farm.until_state(first[0], TaskState::Completed).await;

    let next = farm.submit(request(&["p1"])).await;

    assert_eq!(farm.task(next[0]).request.username, Some(username("b")));
    let shown = farm.farm.supervisor.device(serial("p1")).await.unwrap();
    assert_eq!(shown.current_account, Some(username("b")));
    assert_eq!(shown.accounts, [username("a"), username("b")]);
}

#[actix::test]
async fn an_attempt_that_was_cut_off_with_an_open_effect_is_verified() {
    use crate::{
        domain::{Effect, EffectGate, EffectIntent, EffectKey},
        ports::AttemptJournal,
    };
    let runner = ScriptedRunner::usually(Behaviour::Hang);
    let mut settings = quick_settings();
    settings.attempt.stall_limit_s = 30;
    let farm = TestFarm::start(&[("p1", &["a"])], settings, runner).await;
    let ids = farm.submit(request(&["p1"])).await;
    farm.until("it runs", |farm| farm.runner.live() == 1).await;
    let spec = Arc::clone(&farm.runner.runs()[0].spec);
    let intent = EffectIntent {
        key: EffectKey {
            task: ids[0],
            step: "publish".into(),
            ordinal: 0,
        },
        attempt: spec.attempt,
        lease: spec.lease.clone(),
        content: serde_json::json!({}),
        baseline: serde_json::json!({}),
    };
    assert_eq!(farm.store.intend(intent).await.unwrap(), EffectGate::Act);
    farm.runner.set_usual(Behaviour::completes(SECOND));

    farm.until_state(ids[0], TaskState::Completed).await;

    let purposes: Vec<Purpose> = farm.runner.runs().iter().map(|run| run.spec.purpose).collect();
    assert_eq!(purposes, [Purpose::Execute, Purpose::Verify]);
    let effects: Vec<Effect> = farm.store.effects(ids[0]).await.unwrap();
    assert_eq!(effects.len(), 1);
}
