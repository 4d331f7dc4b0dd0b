//! Supervision: the core by tables, then real actors that are broken on purpose, under virtual time.

use std::time::Duration;

use super::{
    ActorKind, ActorState, NewAccount, SupervisorError,
    core::{Effect, SupervisorCore},
};
use crate::{
    domain::{
        AccountPatch, AccountStatus, AttemptId, DevicePatch, DeviceState, FailureReason, Generation, Limits, Now,
        TaskState, Timestamp,
    },
    mail::{ChildExited, ChildKey},
    ports::Clock,
    settings::SupervisionSettings,
    testing::{
        Behaviour, Sabotage, ScriptedRunner, TestFarm,
        farm::{quick_settings, request, request_for, script, serial, times, username},
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Now {
    let mono = Duration::from_secs(seconds);
    Now {
        wall: Timestamp::UNIX_EPOCH + mono,
        mono,
    }
}

fn key() -> ChildKey {
    ChildKey {
        kind: ActorKind::Device,
        name: "p1".into(),
    }
}

fn exit(generation: u64) -> ChildExited {
    ChildExited {
        key: key(),
        generation: Generation(generation),
        panicked: true,
    }
}

fn core() -> SupervisorCore {
    let mut core = SupervisorCore::new(SupervisionSettings::default());
    core.on_added(key(), at(0));
    core
}

fn pause(effects: &[Effect]) -> Option<(Generation, Duration)> {
    effects.iter().find_map(|effect| match effect {
        Effect::StartLater(_, generation, pause) => Some((*generation, *pause)),
        _ => None,
    })
}

#[test]
fn back_off_doubles_and_the_sixth_exit_within_ten_minutes_is_one_too_many() {
    let mut core = core();
    let mut now = 0;
    for (generation, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16)] {
        let effects = core.on_exited(&exit(generation), at(now));
        assert_eq!(
            pause(&effects),
            Some((Generation(generation + 1), Duration::from_secs(seconds)))
        );
        assert_eq!(core.child(&key()).unwrap().state, ActorState::BackingOff);
        now += seconds;
        let started = core.on_start_due(&key(), Generation(generation + 1), at(now));
        assert_eq!(started, [Effect::Start(key(), Generation(generation + 1))]);
    }

    let effects = core.on_exited(&exit(6), at(now));

    assert_eq!(pause(&effects), None);
    assert_eq!(core.child(&key()).unwrap().state, ActorState::Quarantined);
    assert_eq!(core.child(&key()).unwrap().restarts, 5);
    assert!(core.on_start_due(&key(), Generation(7), at(now + 100)).is_empty());
}

#[test]
fn exits_that_are_far_apart_never_quarantine() {
    let mut core = core();
    for round in 0..20 {
        let effects = core.on_exited(&exit(round + 1), at(round * 150));
        let (generation, _) = pause(&effects).expect("rebuilt");
        core.on_start_due(&key(), generation, at(round * 150 + 20));
    }
}

#[test]
fn what_an_older_incarnation_says_is_ignored() {
    let mut core = core();
    core.on_exited(&exit(1), at(0));
    core.on_start_due(&key(), Generation(2), at(1));

    assert!(core.on_exited(&exit(1), at(2)).is_empty());
    assert!(core.on_start_due(&key(), Generation(1), at(2)).is_empty());
    assert!(core.on_disobedient(&key(), Generation(1), at(2)).is_empty());
    assert_eq!(core.child(&key()).unwrap().restarts, 1);
}

#[test]
fn an_actor_whose_heartbeat_stands_still_is_rebuilt() {
    let mut core = core();
    core.on_beats(&[(key(), 5)], at(5));
    assert_eq!(core.child(&key()).unwrap().state, ActorState::Running);
    assert!(core.on_beats(&[(key(), 5)], at(10)).is_empty());
    assert!(core.on_beats(&[(key(), 6)], at(15)).is_empty(), "one beat forgives");
    assert!(core.on_beats(&[(key(), 6)], at(20)).is_empty());
    assert!(core.on_beats(&[(key(), 6)], at(25)).is_empty());

    let effects = core.on_beats(&[(key(), 6)], at(30));

    assert_eq!(effects[0], Effect::Forget(key(), Generation(1)));
    assert!(pause(&effects).is_some());
}

#[test]
fn a_person_restarts_an_actor_out_of_quarantine() {
    let mut core = core();
    for generation in 1..=6 {
        core.on_exited(&exit(generation), at(0));
        core.on_start_due(&key(), Generation(generation + 1), at(0));
    }
    assert_eq!(core.child(&key()).unwrap().state, ActorState::Quarantined);

    let effects = core.on_restart(&key(), at(1)).unwrap();

    assert!(effects.contains(&Effect::Start(key(), Generation(8))));
    assert_eq!(
        pause(&core.on_exited(&exit(8), at(2))).unwrap().1,
        SECOND,
        "its budget is whole again"
    );
    assert!(
        core.on_restart(
            &ChildKey {
                kind: ActorKind::Device,
                name: "p9".into()
            },
            at(3)
        )
        .is_none()
    );
}

fn works(seconds: u64) -> ScriptedRunner {
    ScriptedRunner::usually(Behaviour::completes(Duration::from_secs(seconds)))
}

async fn a_broken_device_actor_is_rebuilt_and_its_cut_off_task_runs_again(sabotage: Sabotage) {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(40)).await;
    let ids = farm.submit(request(&["p1"])).await;
    farm.until("it runs", |farm| farm.runner.live() == 1).await;

    farm.farm.supervisor.sabotage(ActorKind::Device, "p1", sabotage).await;
    farm.until_state(ids[0], TaskState::Completed).await;

    let device = farm.farm.supervisor.device(serial("p1")).await.unwrap();
    assert_eq!(device.restarts, 1, "{sabotage:?}");
    assert_eq!(farm.runner.runs().len(), 2, "{sabotage:?}");
    assert_eq!(
        farm.store.attempts(ids[0])[0].outcome.as_deref(),
        Some("interrupted"),
        "{sabotage:?}"
    );
}

#[actix::test]
async fn a_device_actor_that_panics_is_rebuilt() {
    a_broken_device_actor_is_rebuilt_and_its_cut_off_task_runs_again(Sabotage::Panic).await;
}

#[actix::test]
async fn a_device_actor_that_ends_is_rebuilt() {
    a_broken_device_actor_is_rebuilt_and_its_cut_off_task_runs_again(Sabotage::Error).await;
}

#[actix::test]
async fn a_device_actor_that_freezes_is_rebuilt() {
    a_broken_device_actor_is_rebuilt_and_its_cut_off_task_runs_again(Sabotage::Freeze).await;
}

#[actix::test]
async fn an_account_actor_that_dies_is_rebuilt_with_its_counters() {
    let mut settings = quick_settings();
    settings.limits.enabled = true;
    let farm = TestFarm::start(&[("p1", &["a"])], settings, works(1)).await;
    let ids = farm.submit(request(&["p1"])).await;
    farm.until_state(ids[0], TaskState::Completed).await;

    farm.farm
        .supervisor
        .sabotage(ActorKind::Account, "a", Sabotage::Panic)
        .await;
    let next = farm.submit(request(&["p1"])).await;
    farm.until_state(next[0], TaskState::Completed).await;

    let account = farm.farm.supervisor.account(username("a")).await.unwrap();
    let post = account
        .counters
        .iter()
        .find(|counter| counter.script.as_str() == "post")
        .unwrap();
    assert_eq!((post.last_hour, post.today), (2, 2));
    assert_eq!(account.current_task, None);
}

async fn a_broken_router_is_rebuilt_with_a_new_epoch_and_takes_up_what_ran(sabotage: Sabotage) {
    let farm = TestFarm::start(&[("p1", &["a"]), ("p2", &[])], quick_settings(), works(30)).await;
    let ids = farm.submit(times(request(&["p1", "p2"]), 2)).await;
    farm.until("both run", |farm| farm.runner.live() == 2).await;

    farm.farm
        .supervisor
        .sabotage(ActorKind::Router, "router", sabotage)
        .await;

    for id in &ids {
        farm.until_state(*id, TaskState::Completed).await;
    }
    let runs = farm.runner.runs();
    assert_eq!(
        runs.iter().map(|run| run.spec.lease.epoch.0).max(),
        Some(2),
        "{sabotage:?}"
    );
    let tree = farm.farm.supervisor.tree().await.unwrap();
    let router = tree.iter().find(|actor| actor.kind == ActorKind::Router).unwrap();
    assert_eq!((router.restarts, router.state), (1, ActorState::Running));
}

#[actix::test]
async fn a_router_that_panics_is_rebuilt() {
    a_broken_router_is_rebuilt_with_a_new_epoch_and_takes_up_what_ran(Sabotage::Panic).await;
}

#[actix::test]
async fn a_router_that_freezes_is_rebuilt() {
    a_broken_router_is_rebuilt_with_a_new_epoch_and_takes_up_what_ran(Sabotage::Freeze).await;
}

#[actix::test]
async fn an_actor_that_keeps_dying_is_quarantined_and_harms_nobody_else() {
    let farm = TestFarm::start(&[("p1", &[]), ("p2", &[])], quick_settings(), works(1)).await;
    for round in 0..6 {
        farm.farm
            .supervisor
            .sabotage(ActorKind::Device, "p1", Sabotage::Panic)
            .await;
        tokio::time::sleep(20 * SECOND).await;
        let device = farm.farm.supervisor.device(serial("p1")).await.unwrap();
        assert_eq!(device.restarts, round.min(4) + 1);
    }
    let ids = farm.submit(request(&["p1", "p2"])).await;
    farm.until_state(ids[1], TaskState::Completed).await;
    assert_eq!(farm.state(ids[0]), TaskState::Available);

    let shown = farm
        .farm
        .supervisor
        .restart("device".to_owned(), "p1".to_owned())
        .await
        .unwrap();

    assert_eq!(shown.kind, ActorKind::Device);
    farm.until_state(ids[0], TaskState::Completed).await;
    let unknown = farm.farm.supervisor.restart("device".to_owned(), "p9".to_owned()).await;
    assert!(matches!(unknown, Err(SupervisorError::UnknownActor { .. })));
    let itself = farm
        .farm
        .supervisor
        .restart("supervisor".to_owned(), "supervisor".to_owned())
        .await;
    assert!(matches!(itself, Err(SupervisorError::WrongState(mend)) if mend.contains("end farmhand")));
}

#[actix::test]
async fn the_tree_shows_every_actor_and_the_work_of_devices() {
    let farm = TestFarm::start(&[("p1", &["b", "a"])], quick_settings(), works(10)).await;
    let ids = farm.submit(request(&["p1"])).await;
    farm.until_state(ids[0], TaskState::Running).await;
    tokio::time::sleep(6 * SECOND).await;

    let tree = farm.farm.supervisor.tree().await.unwrap();

    let names: Vec<(ActorKind, &str)> = tree.iter().map(|actor| (actor.kind, actor.name.as_str())).collect();
    let expected = [
        (ActorKind::Supervisor, "supervisor"),
        (ActorKind::Router, "router"),
        (ActorKind::Device, "p1"),
        (ActorKind::Account, "a"),
        (ActorKind::Account, "b"),
    ];
    assert_eq!(names, expected);
    assert!(tree.iter().all(|actor| actor.state == ActorState::Running), "{tree:?}");
    assert_eq!(tree[2].current_task, Some(ids[0]));
    assert!(tree[1..].iter().all(|actor| actor.last_heartbeat.is_some()));
}

#[actix::test]
async fn accounts_are_created_changed_and_deleted_while_the_farm_runs() {
    let farm = TestFarm::start(&[("p1", &[])], quick_settings(), works(5)).await;
    let supervisor = &farm.farm.supervisor;
    let new = |name: &str, device: &str, app: &str| NewAccount {
        username: username(name),
        app: app.to_owned(),
        package: None,
        serial: Some(serial(device)),
        disabled: false,
        limits: Limits::new(),
    };
    assert!(matches!(
        supervisor.create_account(new("a", "p9", "tiktok")).await,
        Err(SupervisorError::UnknownDevice(_))
    ));
    assert!(matches!(
        supervisor.create_account(new("a", "p1", "fax")).await,
        Err(SupervisorError::WrongState(_))
    ));

    supervisor.create_account(new("a", "p1", "tiktok")).await.unwrap();
    let ids = farm.submit(request_for(&["a"])).await;
    farm.until_state(ids[0], TaskState::Running).await;

    let again = supervisor.create_account(new("a", "p1", "tiktok")).await;
    assert!(matches!(again, Err(SupervisorError::AccountExists(_))));
    let in_use = supervisor.delete_account(username("a")).await;
    assert!(matches!(in_use, Err(SupervisorError::WrongState(_))));
    farm.until_state(ids[0], TaskState::Completed).await;
    let disable = AccountPatch {
        status: Some(AccountStatus::Disabled),
        ..AccountPatch::default()
    };
    let disabled = supervisor.patch_account(username("a"), disable).await.unwrap();
    assert_eq!(disabled.record.status, AccountStatus::Disabled);
    let waiting = farm.submit(request_for(&["a"])).await;
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(farm.state(waiting[0]), TaskState::Available);

    supervisor.delete_account(username("a")).await.unwrap();
    assert!(matches!(
        supervisor.account(username("a")).await,
        Err(SupervisorError::UnknownAccount(_))
    ));
    assert!(farm.try_submit(request_for(&["a"])).await.is_err());
    let why = farm.farm.router.waiting_for(waiting[0]).await.unwrap().unwrap();
    assert!(why.contains("was deleted"), "{why}");
}

#[actix::test]
async fn what_an_account_has_done_counts_when_it_was_deleted_and_is_back() {
    let mut settings = quick_settings();
    settings.limits.enabled = true;
    let once = crate::domain::ScriptLimit {
        per_hour: Some(1),
        ..crate::domain::ScriptLimit::default()
    };
    settings.limits.scripts = [(script("post"), once)].into();
    let farm = TestFarm::start(&[("p1", &["a"])], settings, works(1)).await;
    let supervisor = &farm.farm.supervisor;
    let first = farm.submit(request_for(&["a"])).await;
    farm.until_state(first[0], TaskState::Completed).await;

    supervisor.delete_account(username("a")).await.unwrap();
    let back = NewAccount {
        username: username("a"),
        app: "tiktok".to_owned(),
        package: None,
        serial: Some(serial("p1")),
        disabled: false,
        limits: Limits::new(),
    };
    supervisor.create_account(back).await.unwrap();
    let second = farm.submit(request_for(&["a"])).await;
    tokio::time::sleep(60 * SECOND).await;

    assert_eq!(farm.state(second[0]), TaskState::Available);
    let counted = supervisor.account(username("a")).await.unwrap().counters;
    assert_eq!((counted[0].last_hour, counted[0].today), (1, 1));
}

#[actix::test]
async fn a_device_can_be_named_and_switched_off_and_a_busy_one_is_not_lent_for_acting() {
    let farm = TestFarm::start(&[("p1", &[])], quick_settings(), works(10)).await;
    let supervisor = &farm.farm.supervisor;
    assert!(supervisor.driver(serial("p1"), true).await.is_ok());
    let ids = farm.submit(request(&["p1"])).await;
    farm.until_state(ids[0], TaskState::Running).await;
    assert!(matches!(
        supervisor.driver(serial("p1"), true).await,
        Err(SupervisorError::WrongState(_))
    ));
    assert!(supervisor.driver(serial("p1"), false).await.is_ok());
    farm.until_state(ids[0], TaskState::Completed).await;

    let patch = DevicePatch {
        alias: Some(Some("desk".to_owned())),
        enabled: Some(false),
        ..DevicePatch::default()
    };
    let shown = supervisor.patch_device(serial("p1"), patch).await.unwrap();

    assert_eq!(
        (shown.alias.as_deref(), shown.state),
        (Some("desk"), DeviceState::Disabled)
    );
    let ids = farm.submit(request(&["p1"])).await;
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(farm.state(ids[0]), TaskState::Available);
    let on = DevicePatch {
        enabled: Some(true),
        ..DevicePatch::default()
    };
    supervisor.patch_device(serial("p1"), on).await.unwrap();
    farm.until_state(ids[0], TaskState::Completed).await;
    assert!(matches!(
        supervisor.device(serial("p9")).await,
        Err(SupervisorError::UnknownDevice(_))
    ));
}

#[actix::test]
async fn when_many_devices_fail_together_most_of_them_stay_in_service() {
    let names = ["p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    let devices: Vec<(&str, &[&str])> = names.iter().map(|name| (*name, &[][..])).collect();
    let failing = Behaviour::fails(FailureReason::DeviceError, crate::domain::Blame::Device);
    let farm = TestFarm::start(&devices, quick_settings(), ScriptedRunner::usually(failing)).await;

    farm.submit(times(request(&names), 7)).await;
    tokio::time::sleep(20 * SECOND).await;

    let shown = farm.farm.supervisor.devices().await.unwrap();
    let resting = shown
        .iter()
        .filter(|device| device.state == DeviceState::Quarantined)
        .count();
    assert_eq!(resting, 2, "30 % of 7");
    let tree = farm.farm.supervisor.tree().await.unwrap();
    let alarm = tree[0].alarm.as_deref().expect("an alarm instead");
    assert!(alarm.contains("too many devices"), "{alarm}");
    assert!(
        farm.store
            .events()
            .iter()
            .any(|event| event.event.kind == "supervisor.alarm")
    );
    let rests = |actor: &&super::ActorSnapshot| actor.device_state == Some(DeviceState::Quarantined);
    assert_eq!(tree.iter().filter(rests).count(), 2, "the tree says the same");
    assert!(farm.runner.runs().iter().all(|run| run.spec.attempt > AttemptId(0)));
}

#[actix::test]
async fn a_person_puts_a_device_into_quarantine_and_lets_it_out_also_after_a_restart() {
    let farm = TestFarm::start(&[("p1", &[]), ("p2", &[])], quick_settings(), works(1)).await;
    let supervisor = &farm.farm.supervisor;
    let wrong = supervisor.release_device(serial("p1")).await;
    assert!(matches!(wrong, Err(SupervisorError::WrongState(_))), "{wrong:?}");
    let unknown = supervisor.quarantine_device(serial("p9"), "x".to_owned()).await;
    assert!(matches!(unknown, Err(SupervisorError::UnknownDevice(_))), "{unknown:?}");

    let shown = supervisor
        .quarantine_device(serial("p1"), "hot".to_owned())
        .await
        .unwrap();

    assert_eq!(shown.state, DeviceState::Quarantined);
    assert!(shown.cause.contains("hot"), "{}", shown.cause);
    let again = supervisor.quarantine_device(serial("p1"), "hotter".to_owned()).await;
    assert!(matches!(again, Err(SupervisorError::WrongState(_))), "{again:?}");
    let ids = farm.submit(request(&["p1", "p2"])).await;
    farm.until_state(ids[1], TaskState::Completed).await;
    assert_eq!(farm.state(ids[0]), TaskState::Available);

    let next = TestFarm::on(farm.store.clone(), quick_settings(), works(1)).await;
    next.show(&["p1", "p2"]);
    next.until_device("p2", DeviceState::Online).await;
    next.until_device("p1", DeviceState::Quarantined).await;
    let released = next.farm.supervisor.release_device(serial("p1")).await.unwrap();
    assert_eq!(released.quarantine, None);
    next.until_state(ids[0], TaskState::Completed).await;
}

#[actix::test]
async fn nothing_is_online_after_a_restart_before_it_was_seen() {
    let farm = TestFarm::start(&[("p1", &[])], quick_settings(), works(1)).await;
    let next = TestFarm::on(farm.store.clone(), quick_settings(), works(1)).await;

    let shown = next.farm.supervisor.device(serial("p1")).await.unwrap();

    assert_eq!((shown.state, shown.evidence.adb), (DeviceState::Offline, None));
    assert!(shown.cause.contains("not been seen since the start"), "{}", shown.cause);
    next.connect(&["p1"]).await;
}

/// A rest ends by itself: nobody would have looked at what stopped the account.
#[actix::test]
async fn an_account_that_a_person_or_the_app_has_stopped_rests_only_if_that_is_said() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), ScriptedRunner::default()).await;
    let supervisor = &farm.farm.supervisor;
    let disabled = AccountPatch {
        status: Some(AccountStatus::Disabled),
        ..AccountPatch::default()
    };
    supervisor.patch_account(username("a"), disabled).await.unwrap();
    let mut rest = AccountPatch {
        cooldown_until: Some(farm.clock.now().wall + SECOND * 100),
        ..AccountPatch::default()
    };

    let refused = supervisor.patch_account(username("a"), rest.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("status cooldown"), "{refused}");
    let kept = supervisor.account(username("a")).await.unwrap().record;
    assert_eq!((kept.status, kept.cooldown_until), (AccountStatus::Disabled, None));

    rest.status = Some(AccountStatus::Cooldown);
    supervisor.patch_account(username("a"), rest).await.unwrap();
    let resting = supervisor.account(username("a")).await.unwrap().record;
    assert_eq!(resting.status, AccountStatus::Cooldown);
}

#[actix::test]
async fn a_rest_ends_at_its_time_without_a_task_and_also_when_the_clock_is_set() {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), ScriptedRunner::default()).await;
    let supervisor = &farm.farm.supervisor;
    let rest = |seconds: u64| AccountPatch {
        cooldown_until: Some(farm.clock.now().wall + SECOND * u32::try_from(seconds).unwrap()),
        ..AccountPatch::default()
    };
    let ends = |farm: &TestFarm| {
        let events = farm.store.events();
        events
            .iter()
            .filter(|event| event.event.kind == "account.active")
            .count()
    };
    supervisor.patch_account(username("a"), rest(100)).await.unwrap();
    tokio::time::sleep(SECOND * 99).await;
    let resting = supervisor.account(username("a")).await.unwrap().record;
    assert_eq!((resting.status, ends(&farm)), (AccountStatus::Cooldown, 0));

    tokio::time::sleep(SECOND * 2).await;
    let rested = supervisor.account(username("a")).await.unwrap().record;
    assert_eq!(
        (rested.status, rested.cooldown_until, ends(&farm)),
        (AccountStatus::Active, None, 1)
    );
    assert_eq!(
        farm.store.account(&username("a")).unwrap().status,
        AccountStatus::Active
    );

    supervisor.patch_account(username("a"), rest(86_400)).await.unwrap();
    farm.clock.jump(jiff::SignedDuration::from_hours(24));
    tokio::time::sleep(SECOND * 31).await;
    assert_eq!(ends(&farm), 2, "the clock was set forth over its end");
    supervisor.patch_account(username("a"), rest(60)).await.unwrap();
    farm.clock.jump(jiff::SignedDuration::from_mins(-2));
    tokio::time::sleep(SECOND * 170).await;
    assert_eq!(ends(&farm), 2, "the clock was set back");
    tokio::time::sleep(SECOND * 11).await;
    assert_eq!(ends(&farm), 3);
}
