//! Schedules: kept as written, run once for each instant, together with their tasks.

use std::sync::Arc;

use super::{Checked, Subject, after, morning, task, valid};
use crate::{
    domain::{
        NewTask, ScheduleId, ScriptName, Serial, Source, SubmitTarget, TaskId,
        schedule::{Misfire, Recurrence, RecurrenceText, Schedule, ScheduleSpec, ScheduledRequest, WindowText},
    },
    ports::{NewRun, NewSchedule, RunStored, ScheduleChange, ScheduleWritten},
};

/// A schedule's words, every day at nine.
#[must_use]
pub fn spec(name: &str) -> ScheduleSpec {
    let text = RecurrenceText {
        times: Some(vec!["09:00".to_owned()]),
        time_zone: "Europe/Warsaw".to_owned(),
        days: vec!["mon".to_owned(), "fri".to_owned()],
        window: Some(WindowText {
            from: "08:00".to_owned(),
            to: "20:00".to_owned(),
        }),
        jitter_s: 30,
        ..RecurrenceText::default()
    };
    ScheduleSpec {
        name: name.to_owned(),
        request: ScheduledRequest {
            target: SubmitTarget::Devices(vec![valid(Serial::parse("d1"))]),
            script: valid(ScriptName::parse("post")),
            config: serde_json::json!({ "captions": "grüße" }),
            enable_multi_account: false,
            interval_minutes: Some((1, 5)),
            priority: -2,
            source: Source::Ui,
        },
        recurrence: valid(Recurrence::compile(text)),
        misfire: Misfire::RunAll,
        misfire_cap: 7,
        enabled: true,
    }
}

async fn create(subject: &Subject, name: &str) -> Result<Schedule, crate::ports::StoreError> {
    let new = NewSchedule {
        spec: spec(name),
        seed: u64::MAX,
        next: Some(after(60)),
        at: morning(),
        limit: 2,
    };
    match subject.store.create_schedule(new).await? {
        ScheduleWritten::Stored(schedule) => Ok(*schedule),
        other => unreachable!("not stored: {other:?}"),
    }
}

/// A run of two tasks, for the schedule as it is.
fn run_of(schedule: &Schedule) -> NewRun {
    let of_schedule = |device| NewTask {
        schedule: Some(schedule.id),
        batch_id: Arc::from("run"),
        ..task(device, None)
    };
    NewRun {
        schedule: schedule.id,
        revision: schedule.revision,
        planned_at: after(60),
        manual: false,
        batch_id: "run".to_owned(),
        tasks: ["d1", "d2"].map(of_schedule).to_vec(),
        remark: None,
        next: Some(after(3600)),
        at: after(61),
    }
}

pub async fn a_schedule_is_kept_as_it_was_written(subject: Subject) -> Checked {
    let store = &subject.store;
    let one = create(&subject, "one").await?;
    assert_eq!((&one.spec, one.revision, one.seed), (&spec("one"), 1, u64::MAX));
    assert_eq!((one.next, one.created_at), (Some(after(60)), morning()));
    assert_eq!(store.load_schedules().await?, std::slice::from_ref(&one));

    let new = |name: &str| NewSchedule {
        spec: spec(name),
        seed: 0,
        next: None,
        at: morning(),
        limit: 2,
    };
    assert_eq!(store.create_schedule(new("one")).await?, ScheduleWritten::NameTaken);
    let two = create(&subject, "two").await?;
    assert_eq!(store.create_schedule(new("three")).await?, ScheduleWritten::TooMany);

    let change = |name: &str, revision| ScheduleChange {
        id: one.id,
        revision,
        spec: spec(name),
        replanned: None,
        at: after(5),
    };
    assert_eq!(
        store.change_schedule(change("two", 1)).await?,
        ScheduleWritten::NameTaken
    );
    let ScheduleWritten::Stored(renamed) = store.change_schedule(change("uno", 1)).await? else {
        unreachable!("a free name is not taken")
    };
    assert_eq!((renamed.revision, renamed.next), (2, Some(after(60))));
    assert_eq!((renamed.created_at, renamed.updated_at), (morning(), after(5)));
    assert_eq!(store.change_schedule(change("uno", 1)).await?, ScheduleWritten::Changed);
    let replan = ScheduleChange {
        replanned: Some(None),
        ..change("uno", 2)
    };
    let ScheduleWritten::Stored(paused) = store.change_schedule(replan).await? else {
        unreachable!("it has not changed")
    };
    assert_eq!((paused.revision, paused.next), (3, None));

    assert!(store.delete_schedule(one.id).await?);
    assert!(!store.delete_schedule(one.id).await?);
    assert_eq!(
        store.change_schedule(change("uno", 3)).await?,
        ScheduleWritten::NotFound
    );
    assert_eq!(store.load_schedules().await?, std::slice::from_ref(&two));
    let three = create(&subject, "three").await?;
    assert!(three.id > two.id, "a number is never used again");
    Ok(())
}

pub async fn a_run_is_stored_once_with_its_tasks_and_the_next_one(subject: Subject) -> Checked {
    let store = &subject.store;
    let schedule = create(&subject, "one").await?;
    let run = run_of(&schedule);

    let fired = store.store_run(run.clone()).await?;
    assert_eq!(fired, RunStored::Fired(vec![TaskId(1), TaskId(2)]));
    let stored = store.load_schedules().await?;
    assert_eq!(stored.first().and_then(|one| one.next), Some(after(3600)));
    assert_eq!(stored.first().map(|one| one.revision), Some(1));

    assert_eq!(store.store_run(run.clone()).await?, RunStored::AlreadyRun);
    assert_eq!(store.stats().await?.total, 2);

    let by_hand = NewRun {
        manual: true,
        next: None,
        ..run.clone()
    };
    assert_eq!(
        store.store_run(by_hand).await?,
        RunStored::Fired(vec![TaskId(3), TaskId(4)])
    );
    let stored = store.load_schedules().await?;
    assert_eq!(stored.first().and_then(|one| one.next), Some(after(3600)));

    assert!(store.delete_schedule(schedule.id).await?);
    assert_eq!(store.stats().await?.total, 4, "its tasks stay");
    Ok(())
}

pub async fn runs_by_hand_at_one_instant_are_all_stored(subject: Subject) -> Checked {
    let store = &subject.store;
    let schedule = create(&subject, "one").await?;
    store.store_run(run_of(&schedule)).await?;
    let mut ran = Vec::new();
    for _ in 0..16 {
        let by_hand = NewRun {
            manual: true,
            next: None,
            ..run_of(&schedule)
        };
        match store.store_run(by_hand).await? {
            RunStored::Fired(tasks) => ran.extend(tasks),
            other => unreachable!("each person gets a run: {other:?}"),
        }
    }
    assert_eq!(ran, (3..35).map(TaskId).collect::<Vec<_>>());
    assert_eq!(store.store_run(run_of(&schedule)).await?, RunStored::AlreadyRun);
    Ok(())
}

pub async fn a_run_of_an_older_revision_is_not_stored(subject: Subject) -> Checked {
    let store = &subject.store;
    let schedule = create(&subject, "one").await?;
    let change = ScheduleChange {
        id: schedule.id,
        revision: 1,
        spec: spec("uno"),
        replanned: None,
        at: after(5),
    };
    store.change_schedule(change).await?;

    assert_eq!(store.store_run(run_of(&schedule)).await?, RunStored::Stale);
    let unknown = NewRun {
        schedule: ScheduleId(99),
        ..run_of(&schedule)
    };
    assert_eq!(store.store_run(unknown).await?, RunStored::Stale);
    assert_eq!(store.stats().await?.total, 0);
    let stored = store.load_schedules().await?;
    assert_eq!(stored.first().and_then(|one| one.next), Some(after(60)));
    Ok(())
}

pub async fn a_run_without_tasks_gives_its_place_to_one_with(subject: Subject) -> Checked {
    let store = &subject.store;
    let schedule = create(&subject, "one").await?;
    let without = NewRun {
        tasks: Vec::new(),
        remark: Some("missed".to_owned()),
        ..run_of(&schedule)
    };

    assert_eq!(store.store_run(without).await?, RunStored::Fired(Vec::new()));
    let fired = store.store_run(run_of(&schedule)).await?;

    assert_eq!(fired, RunStored::Fired(vec![TaskId(1), TaskId(2)]));
    Ok(())
}
