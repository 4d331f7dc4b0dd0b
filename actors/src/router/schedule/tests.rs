//! Schedules in a whole farm under virtual time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{
        TaskState,
        schedule::{Misfire, Recurrence, RecurrenceText, ScheduledRequest},
    },
    ports::{DeviceStore, ScheduleStore},
    testing::{
        Behaviour, MemoryStore, ScriptedRunner, TestFarm,
        conformance::schedules::spec as any_spec,
        farm::{MORNING, quick_settings, request, serial},
    },
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn spec_of(devices: &[&str], config: Value, text: RecurrenceText) -> (ScheduleSpec, SubmitTasks) {
    let submit = request(devices);
    let spec = ScheduleSpec {
        request: ScheduledRequest {
            target: submit.target.clone(),
            config,
            interval_minutes: None,
            ..any_spec("").request
        },
        recurrence: Recurrence::compile(RecurrenceText {
            time_zone: "UTC".to_owned(),
            ..text
        })
        .unwrap(),
        misfire: Misfire::RunOnce,
        ..any_spec("daily")
    };
    (spec, submit)
}

fn times(times: &[&str]) -> RecurrenceText {
    RecurrenceText {
        times: Some(times.iter().map(|time| (*time).to_owned()).collect()),
        ..RecurrenceText::default()
    }
}

fn cron(expression: &str) -> RecurrenceText {
    RecurrenceText {
        cron: Some(expression.to_owned()),
        ..RecurrenceText::default()
    }
}

fn works(seconds: u64) -> ScriptedRunner {
    ScriptedRunner::usually(Behaviour::completes(SECOND * u32::try_from(seconds).unwrap()))
}

async fn farm() -> TestFarm {
    TestFarm::start(&[("p1", &["a"]), ("p2", &["b"])], quick_settings(), works(1)).await
}

impl TestFarm {
    async fn schedule(&self, devices: &[&str], text: RecurrenceText) -> ScheduleId {
        let (spec, request) = spec_of(devices, json!({}), text);
        self.farm.router.create_schedule(spec, request).await.unwrap()
    }

    fn planned(&self, id: ScheduleId) -> Vec<String> {
        self.store
            .runs(id)
            .iter()
            .map(|run| run.planned_at.to_string())
            .collect()
    }
}

#[actix::test]
async fn a_schedule_runs_at_its_times_and_its_tasks_are_ordinary_ones() {
    let farm = farm().await;
    let id = farm.schedule(&["p1", "p2"], times(&["07:00", "08:30"])).await;

    tokio::time::sleep(HOUR - SECOND).await;
    assert_eq!(farm.store.tasks().len(), 0);
    tokio::time::sleep(2 * SECOND).await;
    let tasks = farm.store.tasks();
    tokio::time::sleep(2 * HOUR).await;

    assert_eq!(tasks.len(), 2);
    assert!(tasks.iter().all(|task| task.request.schedule == Some(id)));
    assert_eq!(farm.planned(id), ["2026-05-01T07:00:00Z", "2026-05-01T08:30:00Z"]);
    let all = farm.store.tasks();
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|task| task.state == TaskState::Completed));
    let batches: BTreeSet<Arc<str>> = all.iter().map(|task| task.request.batch_id.clone()).collect();
    assert_eq!(batches.len(), 2, "a run is a batch");
    let run = &farm.store.runs(id)[0];
    assert_eq!(run.batch_id.as_deref(), Some(&*tasks[0].request.batch_id));
    assert_eq!(run.task_ids().collect::<Vec<_>>(), [tasks[0].id, tasks[1].id]);
    assert_eq!(farm.store.schedule(id).unwrap().next, Some(at("2026-05-02T07:00:00Z")));
}

#[test]
fn f19_a_clock_that_is_set_runs_a_time_of_day_once_and_ends_no_attempt() {
    for hours in [1, -1, 24, -24] {
        let jump = SignedDuration::from_hours(hours);
        actix_rt::System::new().block_on(a_jump_there_and_back(jump));
    }
}

async fn a_jump_there_and_back(jump: SignedDuration) {
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), works(200)).await;
    let id = farm.schedule(&["p1"], times(&["07:00"])).await;
    let mut later = request(&["p1"]);
    later.scheduled_at = Some(at("2026-05-01T07:45:00Z"));
    later.start_time = Some("07:45".to_owned());
    let later = farm.submit(later).await;
    tokio::time::sleep(HOUR + 60 * SECOND).await;
    let first = farm.store.runs(id)[0].first_task.unwrap();
    farm.until_state(first, TaskState::Running).await;

    farm.clock.jump(jump);
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(
        farm.state(first),
        TaskState::Running,
        "{jump}: timeouts are another clock's"
    );
    farm.clock.jump(-jump);
    farm.until_state(first, TaskState::Completed).await;
    tokio::time::sleep(2 * HOUR).await;

    let runs = farm.planned(id);
    let of_today = runs.iter().filter(|planned| *planned == "2026-05-01T07:00:00Z").count();
    assert_eq!(of_today, 1, "{jump}: {runs:?}");
    assert!(runs.len() <= 2, "{jump}: {runs:?}");
    assert_eq!(farm.store.attempts(first).len(), 1, "{jump}");
    assert_eq!(farm.state(later[0]), TaskState::Completed);
    assert_eq!(farm.store.attempts(later[0]).len(), 1, "{jump}: start_time ran once");
}

/// What a store holds after the farm was off for ten days.
async fn after_ten_days(misfire: Misfire, cap: u32) -> (TestFarm, ScheduleId) {
    let store = MemoryStore::new();
    store.add_device(&serial("p1"), at(MORNING)).await.unwrap();
    let (spec, _) = spec_of(&["p1"], json!({}), cron("0 * * * *"));
    let new = NewSchedule {
        spec: ScheduleSpec {
            misfire,
            misfire_cap: cap,
            ..spec
        },
        seed: 7,
        next: Some(at("2026-04-21T06:00:00Z")),
        at: at("2026-04-21T05:30:00Z"),
        limit: 10,
    };
    let ScheduleWritten::Stored(schedule) = store.create_schedule(new).await.unwrap() else {
        panic!("stored")
    };
    let farm = TestFarm::on(store, quick_settings(), works(1)).await;
    farm.connect(&["p1"]).await;
    farm.clock.jump(SignedDuration::from_mins(10));
    tokio::time::sleep(60 * SECOND).await;
    (farm, schedule.id)
}

#[actix::test]
async fn f21_what_was_missed_while_the_farm_was_off_is_made_up_for_by_the_policy_and_never_in_a_burst() {
    tokio::time::pause();
    let (farm, id) = after_ten_days(Misfire::RunOnce, 5).await;
    assert_eq!(farm.planned(id), ["2026-05-01T06:00:00Z"]);
    assert_eq!(farm.store.tasks().len(), 1);

    let (farm, id) = after_ten_days(Misfire::RunAll, 3).await;
    // The run of 06:00 was on time.
    let missed = ["2026-05-01T03:00:00Z", "2026-05-01T04:00:00Z", "2026-05-01T05:00:00Z"];
    let planned = farm.planned(id);
    assert_eq!(
        (&planned[..3], &*planned[3]),
        (&missed.map(str::to_owned)[..], "2026-05-01T06:00:00Z")
    );
    assert_eq!(farm.store.tasks().len(), 4);

    let (farm, id) = after_ten_days(Misfire::Skip, 5).await;
    let runs = farm.store.runs(id);
    assert_eq!(farm.planned(id), ["2026-05-01T05:00:00Z", "2026-05-01T06:00:00Z"]);
    assert!(runs[0].remark.as_ref().unwrap().contains("misfire"), "{runs:?}");
    assert_eq!((runs[0].task_count, runs[1].task_count), (0, 1));
}

#[actix::test]
async fn a_run_outlives_a_store_that_is_away_and_a_router_that_is_rebuilt() {
    let farm = farm().await;
    let id = farm.schedule(&["p1"], times(&["06:30", "07:30"])).await;
    tokio::time::sleep(HOUR / 2 - 10 * SECOND).await;
    farm.store.set_away(true);
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(farm.store.runs(id), []);
    farm.store.set_away(false);
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(farm.planned(id), ["2026-05-01T06:30:00Z"]);

    farm.farm
        .supervisor
        .restart("router".to_owned(), "router".to_owned())
        .await
        .unwrap();
    tokio::time::sleep(HOUR).await;
    assert_eq!(farm.planned(id), ["2026-05-01T06:30:00Z", "2026-05-01T07:30:00Z"]);
    assert_eq!(farm.store.tasks().len(), 2);
}

#[actix::test]
async fn a_run_whose_request_does_not_fit_any_more_says_so_and_the_next_one_comes() {
    let farm = farm().await;
    let (mut spec, request) = spec_of(&["p1"], json!({ "fault": true }), times(&["06:30", "06:40"]));
    let id = farm
        .farm
        .router
        .create_schedule(spec.clone(), request.clone())
        .await
        .unwrap();

    tokio::time::sleep(HOUR * 31 / 60).await;

    let runs = farm.store.runs(id);
    assert_eq!((runs.len(), runs[0].task_count), (1, 0));
    assert_eq!(runs[0].remark.as_deref(), Some("script_config.fault: is one"));
    let by_hand = farm.farm.router.run_schedule(id).await.unwrap_err();
    assert!(
        matches!(by_hand, RouterError::Schedule(ScheduleFault::Invalid(_))),
        "{by_hand}"
    );

    spec.request.config = json!({ "mended": true });
    farm.farm
        .router
        .change_schedule((id, 1), spec, Some(request), false)
        .await
        .unwrap();
    tokio::time::sleep(HOUR / 4).await;
    let runs = farm.store.runs(id);
    assert_eq!((runs.len(), runs[1].task_count, runs[1].revision), (2, 1, 2));
    assert_eq!(*farm.store.tasks()[0].request.config, json!({ "mended": true }));
}

#[actix::test]
async fn a_run_whose_script_is_gone_says_so_and_not_that_it_has_errors() {
    let farm = farm().await;
    let (mut spec, request) = spec_of(&["p1"], json!({}), times(&["06:30"]));
    spec.request.script = ScriptName::parse("gone").unwrap();
    let id = farm.farm.router.create_schedule(spec, request).await.unwrap();

    tokio::time::sleep(HOUR * 31 / 60).await;

    let runs = farm.store.runs(id);
    assert_eq!((runs.len(), runs[0].task_count), (1, 0));
    let remark = runs[0].remark.as_deref().unwrap();
    assert!(remark.starts_with("there is no script `gone` any more"), "{remark}");
    let by_hand = farm.farm.router.run_schedule(id).await.unwrap_err();
    assert!(
        matches!(&by_hand, RouterError::Schedule(ScheduleFault::NoScript { name, .. }) if name.as_str() == "gone"),
        "{by_hand}"
    );
}

#[actix::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let farm = farm().await;
    let (spec, unknown) = spec_of(&["p1", "p9"], json!({}), times(&["06:30"]));
    let router = &farm.farm.router;

    let refused = router.create_schedule(spec.clone(), unknown.clone()).await.unwrap_err();
    assert!(matches!(refused, RouterError::UnknownDevices(names) if names == [serial("p9")]));
    let id = farm.schedule(&["p1"], times(&["06:30"])).await;
    let taken = router
        .create_schedule(spec.clone(), request(&["p1"]))
        .await
        .unwrap_err();
    assert!(matches!(taken, RouterError::Schedule(ScheduleFault::NameTaken(name)) if name == "daily"));
    let refused = router
        .change_schedule((id, 1), spec.clone(), Some(unknown), true)
        .await
        .unwrap_err();
    assert!(matches!(refused, RouterError::UnknownDevices(_)));
    let changed = router
        .change_schedule((id, 9), spec.clone(), None, true)
        .await
        .unwrap_err();
    assert!(matches!(changed, RouterError::Schedule(ScheduleFault::Changed(_))));
    let gone = ScheduleId(77);
    for refused in [
        router
            .change_schedule(
                (gone, 1),
                ScheduleSpec {
                    name: "other".to_owned(),
                    ..spec
                },
                None,
                true,
            )
            .await
            .unwrap_err(),
        router.delete_schedule(gone).await.unwrap_err(),
        router.run_schedule(gone).await.unwrap_err(),
    ] {
        assert!(
            matches!(refused, RouterError::Schedule(ScheduleFault::NotFound(_))),
            "{refused}"
        );
    }
    assert_eq!(farm.store.load_schedules().await.unwrap().len(), 1);
    assert_eq!(farm.store.schedule(id).unwrap().revision, 1);
}

#[actix::test]
async fn a_schedule_runs_by_hand_besides_its_times_and_not_at_all_once_it_is_deleted() {
    let farm = farm().await;
    let id = farm.schedule(&["p1"], times(&["06:30", "07:30"])).await;

    let started = farm.farm.router.run_schedule(id).await.unwrap();
    farm.until_state(started.task_ids[0], TaskState::Completed).await;
    assert_eq!(&*farm.task(started.task_ids[0]).request.batch_id, started.batch_id);
    assert!(farm.store.runs(id)[0].manual);
    tokio::time::sleep(HOUR * 2 / 3).await;
    assert_eq!(farm.store.runs(id).len(), 2);

    farm.farm.router.delete_schedule(id).await.unwrap();
    tokio::time::sleep(HOUR * 2).await;
    assert_eq!(farm.store.tasks().len(), 2);
}

#[actix::test]
async fn whoever_asks_for_a_run_at_the_same_instant_gets_one_of_their_own() {
    let farm = farm().await;
    let id = farm.schedule(&["p1"], times(&["06:30"])).await;
    let router = &farm.farm.router;

    let asked = (0..16).map(|_| router.run_schedule(id));
    let started = futures_util::future::try_join_all(asked).await.unwrap();

    let batches: BTreeSet<_> = started.iter().map(|run| run.batch_id.clone()).collect();
    assert_eq!((batches.len(), farm.store.tasks().len()), (16, 16));
    assert_eq!(farm.store.runs(id).len(), 16);
}

#[actix::test]
async fn a_disabled_schedule_does_not_run_until_it_is_enabled() {
    let farm = farm().await;
    let (mut spec, request) = spec_of(&["p1"], json!({}), times(&["06:30", "07:30"]));
    spec.enabled = false;
    let id = farm.farm.router.create_schedule(spec.clone(), request).await.unwrap();
    tokio::time::sleep(HOUR).await;
    assert_eq!(farm.store.runs(id), []);

    spec.enabled = true;
    farm.farm
        .router
        .change_schedule((id, 1), spec, None, true)
        .await
        .unwrap();
    tokio::time::sleep(HOUR).await;
    assert_eq!(
        farm.planned(id),
        ["2026-05-01T07:30:00Z"],
        "what it did not run while disabled is not missed"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// R5: whenever a schedule's arguments are edited, each run is one whole snapshot of the revision that it names, and
    /// its attempts run just that.
    #[test]
    fn r5_an_edit_that_races_a_run_never_mixes_with_it(
        edits in prop::collection::vec(1u64..90_000, 1..12), latency in 0u64..3_000,
    ) {
        actix_rt::System::new().block_on(async {
            let farm = farm().await;
            farm.store.set_latency(Duration::from_millis(latency));
            let version = |revision: u32| json!({ "revision": revision });
            let (spec, submit) = spec_of(&["p1", "p2"], version(1), cron("* * * * *"));
            let id = farm.farm.router.create_schedule(spec.clone(), submit.clone()).await.unwrap();
            for (revision, pause) in (1..).zip(edits) {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let mut edited = spec.clone();
                edited.request.config = version(revision + 1);
                let request = Some(submit.clone());
                farm.farm.router.change_schedule((id, revision), edited, request, false).await.unwrap();
            }
            tokio::time::sleep(90 * SECOND).await;
            farm.store.set_latency(Duration::ZERO);
            // The last run may have begun a moment ago.
            let over = |farm: &TestFarm| farm.store.tasks().iter().all(|task| task.state == TaskState::Completed);
            farm.until("every task is over", over).await;

            let runs = farm.store.runs(id);
            assert!(!runs.is_empty());
            for pair in runs.windows(2) {
                let apart = pair[1].planned_at.duration_since(pair[0].planned_at);
                assert_eq!(apart, SignedDuration::from_secs(60), "no run is lost, none comes twice");
            }
            let ran = farm.runner.runs();
            for run in runs {
                let tasks: Vec<_> = run.task_ids().map(|task| farm.task(task)).collect();
                assert_eq!(tasks.len(), 2);
                assert!(tasks.iter().all(|task| *task.request.config == version(run.revision)), "{run:?} {tasks:?}");
                let of = |id| ran.iter().filter(move |ran| ran.spec.task == id);
                for id in run.task_ids() {
                    assert!(of(id).count() == 1 || farm.state(id) == TaskState::Available, "{id}");
                    assert!(of(id).all(|ran| *ran.spec.config == version(run.revision)), "{run:?}");
                }
            }
        });
    }
}
