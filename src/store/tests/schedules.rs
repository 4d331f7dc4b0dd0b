//! A run, its tasks and the schedule's next run are one transaction, whatever is cut off.

use farmhand_actors::{
    domain::schedule::Schedule,
    ports::{NewRun, NewSchedule, RunStored, ScheduleStore, ScheduleWritten},
    testing::conformance::schedules::spec,
};

use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use super::*;

const MINUTE: i64 = 60;

async fn schedule(farm: &Farm) -> Schedule {
    let new = NewSchedule {
        spec: spec("daily"),
        seed: 7,
        next: Some(at(MINUTE)),
        at: at(0),
        limit: 10,
    };
    match farm.store.create_schedule(new).await.expect("creates") {
        ScheduleWritten::Stored(schedule) => *schedule,
        other => panic!("not stored: {other:?}"),
    }
}

/// The run of this minute, with three tasks.
fn run_of(schedule: &Schedule, minute: i64) -> NewRun {
    let mut task = task_for("a", None);
    task.batch_id = format!("run-{minute}").into();
    task.schedule = Some(schedule.id);
    NewRun {
        schedule: schedule.id,
        revision: schedule.revision,
        planned_at: at(minute * MINUTE),
        manual: false,
        batch_id: format!("run-{minute}"),
        tasks: vec![task; 3],
        remark: None,
        next: Some(at((minute + 1) * MINUTE)),
        at: at(minute * MINUTE),
    }
}

#[tokio::test]
async fn a_log_cut_off_anywhere_has_each_run_whole_or_not_at_all_and_the_next_start_makes_up_for_it_once() {
    let farm = Farm::new().await;
    let schedule = schedule(&farm).await;
    farm.store.prune(at(0)).await.expect("moves on");
    for minute in 1..=10 {
        let stored = farm.store.store_run(run_of(&schedule, minute)).await.expect("stores");
        assert!(matches!(stored, RunStored::Fired(tasks) if tasks.len() == 3));
    }
    let log = std::fs::read(farm.folder.path().join("farmhand.db-wal")).expect("reads");
    let database = std::fs::read(farm.path()).expect("reads");
    let mut lost = Vec::new();

    for part in 0..=40 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("farmhand.db");
        std::fs::write(&path, &database).expect("writes");
        std::fs::write(folder.path().join("farmhand.db-wal"), &log[..log.len() * part / 40]).expect("writes");
        let store = open(&path).await;
        let schedules = store.list_schedules().await.expect("reads");
        let Some((found, last)) = schedules.first() else {
            continue;
        };
        let done = found.next.expect("goes on").duration_since(at(MINUTE)).as_secs() / MINUTE;
        let total = store.stats().await.expect("counts").total;
        assert_eq!(i64::try_from(total), Ok(done * 3), "part {part}");
        assert_eq!(
            last.as_ref().map(|run| run.planned_at),
            (done > 0).then(|| at(done * MINUTE))
        );
        lost.push(10 - done);

        // What the next start does: from the stored next run on, and, should it not know better, from the first on.
        for minute in 1..=10 {
            let stored = store.store_run(run_of(&schedule, minute)).await.expect("stores");
            assert_eq!(
                stored == RunStored::AlreadyRun,
                minute <= done,
                "part {part}, minute {minute}"
            );
        }
        assert_eq!(store.stats().await.expect("counts").total, 30);
        store.close().await;
    }

    assert!(
        lost.len() > 5 && lost.is_sorted_by(|one, other| one >= other),
        "{lost:?}"
    );
    assert_eq!(
        (lost.iter().any(|lost| (1..10).contains(lost)), lost.last()),
        (true, Some(&0)),
        "{lost:?}"
    );
}

#[tokio::test]
async fn a_run_that_spoils_its_transaction_leaves_no_trace_and_others_are_stored() {
    let farm = Farm::new().await;
    let schedule = schedule(&farm).await;
    let mut spoilt = run_of(&schedule, 1);
    // The schema takes -10 to 10.
    spoilt.tasks[2].priority = 99;
    let beside = farm.store.submit(vec![task_for("b", None)], None, Vec::new(), at(0));

    let (stored, beside) = futures_util::future::join(farm.store.store_run(spoilt), beside).await;

    assert!(stored.is_err(), "{stored:?}");
    assert!(beside.is_ok());
    assert_eq!(farm.store.stats().await.expect("counts").total, 1);
    let found = farm
        .store
        .find_schedule(schedule.id)
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!(found, (schedule.clone(), None));
    let again = farm.store.store_run(run_of(&schedule, 1)).await.expect("stores");
    assert!(matches!(again, RunStored::Fired(_)));
}

#[tokio::test]
async fn an_older_controller_stores_no_run() {
    let farm = Farm::new().await;
    let schedule = schedule(&farm).await;
    let newer = open(&farm.path()).await;
    newer.begin_epoch(at(5)).await.expect("begins");

    let refused = farm
        .store
        .store_run(run_of(&schedule, 1))
        .await
        .expect_err("may write no more");

    assert!(refused.to_string().contains("newer controller"), "{refused}");
    assert!(matches!(
        newer.store_run(run_of(&schedule, 1)).await,
        Ok(RunStored::Fired(_))
    ));
}

#[tokio::test]
async fn tasks_say_which_schedule_they_are_of_and_the_latest_run_is_shown() {
    let farm = Farm::new().await;
    let schedule = schedule(&farm).await;
    for minute in 1..=3 {
        farm.store.store_run(run_of(&schedule, minute)).await.expect("stores");
    }
    let by_hand = NewRun {
        manual: true,
        next: None,
        at: at(4 * MINUTE),
        remark: Some("a file is not there".to_owned()),
        ..run_of(&schedule, 2)
    };
    farm.store.store_run(by_hand).await.expect("stores");

    let (_, last) = farm
        .store
        .find_schedule(schedule.id)
        .await
        .expect("reads")
        .expect("is there");
    let last = last.expect("ran");
    assert_eq!((last.manual, last.fired_at, last.revision), (true, at(4 * MINUTE), 1));
    assert_eq!(last.remark.as_deref(), Some("a file is not there"));
    let ids = last.task_ids().collect::<Vec<_>>();
    assert_eq!(ids, [TaskId(10), TaskId(11), TaskId(12)]);
    assert_eq!(farm.task(ids[0]).await.request.schedule, Some(schedule.id));
    let other = farm.submit_one(task_for("a", None)).await;
    assert_eq!(farm.task(other).await.request.schedule, None);
}

#[tokio::test]
async fn runs_of_more_than_a_month_ago_are_forgotten_with_the_next_one() {
    let farm = Farm::new().await;
    let schedule = schedule(&farm).await;
    let days = |days: i64| days * 24 * 60;
    for minute in [1, 2, days(32)] {
        farm.store.store_run(run_of(&schedule, minute)).await.expect("stores");
    }

    let recent = farm.store.store_run(run_of(&schedule, days(32))).await.expect("stores");
    let old = farm.store.store_run(run_of(&schedule, 2)).await.expect("stores");

    assert_eq!(recent, RunStored::AlreadyRun);
    assert!(matches!(old, RunStored::Fired(_)), "forgotten: {old:?}");
}

#[tokio::test]
async fn planned_instants_that_had_their_run_are_known_from_any_time_on() {
    let farm = Farm::new().await;
    let schedule = schedule(&farm).await;
    let by_hand = NewRun {
        manual: true,
        ..run_of(&schedule, 4)
    };
    let without_tasks = NewRun {
        tasks: Vec::new(),
        ..run_of(&schedule, 5)
    };
    for run in [1, 2, 3]
        .map(|minute| run_of(&schedule, minute))
        .into_iter()
        .chain([by_hand, without_tasks])
    {
        farm.store.store_run(run).await.expect("stores");
    }

    let ran = farm
        .store
        .planned_runs(&[schedule.id], at(2 * MINUTE))
        .await
        .expect("reads");

    assert_eq!(ran[&schedule.id], [at(2 * MINUTE), at(3 * MINUTE)]);
}

#[tokio::test]
async fn a_schedule_that_this_version_does_not_understand_hides_no_other_and_can_be_deleted() {
    let farm = Farm::new().await;
    let broken = schedule(&farm).await.id;
    let other = NewSchedule {
        spec: spec("other"),
        seed: 8,
        next: None,
        at: at(0),
        limit: 10,
    };
    farm.store.create_schedule(other).await.expect("creates");
    let mut conn = SqliteConnectOptions::new()
        .filename(farm.path())
        .connect()
        .await
        .expect("connects");
    sqlx::query("UPDATE schedule SET recurrence = json_set(recurrence, '$.time_zone', 'Mars/Base') WHERE id = ?1")
        .bind(broken.0)
        .execute(&mut conn)
        .await
        .expect("is changed");

    let loaded = farm.store.load_schedules().await.expect("reads");
    let listed = farm.store.list_schedules().await.expect("reads");

    assert_eq!(
        loaded.iter().map(|one| one.spec.name.as_str()).collect::<Vec<_>>(),
        ["other"]
    );
    assert_eq!(listed.iter().map(|(one, _)| one.id).collect::<Vec<_>>(), [loaded[0].id]);
    let said = farm
        .store
        .find_schedule(broken)
        .await
        .expect_err("is none that can be shown");
    assert!(said.to_string().contains("Mars/Base"), "{said}");
    assert!(farm.store.delete_schedule(broken).await.expect("deletes"));
}
