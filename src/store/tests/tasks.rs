//! Creating, ordering, stopping, retrying, deleting.

use std::time::Duration;

use farmhand_actors::{
    domain::{FailureReason, IdempotencyKey, Purpose, TaskState, TaskStats},
    ports::{Lane, RetryFilter, RetryResult, StopIntent, SubmitResult, TaskStore},
};

use super::*;

#[tokio::test]
async fn a_task_is_read_back_as_it_was_asked_for() {
    let farm = Farm::new().await;
    let mut wanted = task_for("phone-1", Some("anna"));
    wanted.start_time = Some("14:30".to_owned());
    wanted.scheduled_at = Some(at(60));
    wanted.due_at = Some(at(60));
    wanted.gap = Some(Duration::from_secs(90));
    wanted.priority = -3;

    let id = farm.submit_one(wanted.clone()).await;

    let task = farm.task(id).await;
    assert_eq!(task.request, wanted);
    assert_eq!(task.state, TaskState::Scheduled);
    assert_eq!(
        (task.created_at, task.started_at, task.finished_at),
        (at(0), None, None)
    );
    assert_eq!(farm.store.get_task(TaskId(99)).await.expect("reads"), None);
}

#[tokio::test]
async fn ids_follow_the_request_and_are_never_used_again() {
    let farm = Farm::new().await;
    let first = farm.submit(vec![task_for("a", None), task_for("b", None)]).await;
    assert_eq!(first, [TaskId(1), TaskId(2)]);

    assert_eq!(farm.store.delete(vec![TaskId(2)]).await.expect("deletes"), [TaskId(2)]);
    farm.store.close().await;
    let store = open(&farm.path()).await;

    let again = store
        .submit(vec![task_for("c", None)], None, Vec::new(), at(1))
        .await
        .expect("submits");
    assert!(matches!(again, SubmitResult::Created(submitted) if submitted.task_ids == [TaskId(3)]));
}

#[tokio::test]
async fn many_requests_at_once_share_the_numbers_without_a_gap() {
    let farm = Farm::new().await;
    let asks = (0..200).map(|_| farm.store.submit(vec![task_for("a", None); 3], None, Vec::new(), at(0)));

    let mut ids = Vec::new();
    for answer in futures_util::future::join_all(asks).await {
        let Ok(SubmitResult::Created(submitted)) = answer else {
            panic!("{answer:?}")
        };
        assert!(submitted.task_ids.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
        ids.extend(submitted.task_ids);
    }

    ids.sort();
    assert_eq!(ids, (1..=600).map(TaskId).collect::<Vec<_>>());
    assert_eq!(farm.store.stats().await.expect("counts").pending, 600);
}

#[tokio::test]
async fn the_same_key_with_the_same_body_creates_nothing_more() {
    let farm = Farm::new().await;
    let key = |body: &str| {
        Some(IdempotencyKey {
            key: "k".to_owned(),
            body_hash: body.to_owned(),
        })
    };
    let submit = |body: &str, seconds| {
        farm.store.submit(
            vec![task_for("a", None)],
            key(body),
            vec!["careful".to_owned()],
            at(seconds),
        )
    };

    // In one group commit, so that the answer is not in the table yet.
    let answers = futures_util::future::join_all((0..8).map(|_| submit("x", 0))).await;
    let created = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(SubmitResult::Created(_))))
        .count();
    let replayed = answers
        .iter()
        .filter(|answer| {
            matches!(answer, Ok(SubmitResult::Replayed(submitted))
                if submitted.task_ids == [TaskId(1)] && submitted.warnings == ["careful"])
        })
        .count();
    assert_eq!((created, replayed), (1, 7));

    assert_eq!(submit("y", 1).await.expect("answers"), SubmitResult::KeyReused);
    let day = 24 * 60 * 60;
    assert!(matches!(
        submit("y", day).await.expect("answers"),
        SubmitResult::Created(_)
    ));
    assert_eq!(farm.store.stats().await.expect("counts").total, 2);
}

#[tokio::test]
async fn a_lane_shows_due_tasks_by_priority_and_age_and_says_when_the_next_is_due() {
    let farm = Farm::new().await;
    let mut urgent = task_for("a", Some("anna"));
    urgent.priority = 1;
    let mut later = task_for("a", Some("anna"));
    later.due_at = Some(at(500));
    later.priority = 10;
    let tasks = vec![
        task_for("a", Some("anna")),
        task_for("a", None),
        task_for("a", Some("anna")),
        urgent,
        later,
    ];
    farm.submit(tasks).await;
    let lane = |username: Option<&str>| Lane {
        serial: serial_of("a"),
        username: username.map(username_of),
    };
    let lanes = farm.store.lanes().await.expect("reads");
    assert_eq!(lanes, [lane(None), lane(Some("anna"))]);

    let asked = vec![lane(Some("anna")), lane(Some("nobody")), lane(None)];
    let heads = farm
        .store
        .lane_heads(asked.iter().cloned().map(Into::into).collect(), 2, at(1))
        .await
        .expect("reads");

    let ids = |index: usize| heads[index].due.iter().map(|task| task.id.0).collect::<Vec<_>>();
    assert_eq!(
        (ids(0), heads[0].more, heads[0].next_due),
        (vec![4, 1], true, Some(at(500)))
    );
    assert_eq!((ids(1), heads[1].more, heads[1].next_due), (vec![], false, None));
    assert_eq!((ids(2), heads[2].more, heads[2].next_due), (vec![2], false, None));
    assert_eq!(heads.iter().map(|head| head.lane.clone()).collect::<Vec<_>>(), asked);

    let heads = farm
        .store
        .lane_heads(vec![lane(Some("anna")).into()], 9, at(500))
        .await
        .expect("reads");
    let ids = heads[0].due.iter().map(|task| task.id.0).collect::<Vec<_>>();
    assert_eq!((ids, heads[0].more, heads[0].next_due), (vec![5, 4, 1, 3], false, None));
}

#[tokio::test]
async fn a_task_that_goes_on_keeps_its_place_and_one_that_a_person_retries_goes_to_the_end() {
    let farm = Farm::new().await;
    let ids = farm.submit(vec![task_for("a", None); 3]).await;
    let order = async |seconds| {
        let lane = Lane {
            serial: serial_of("a"),
            username: None,
        };
        let heads = farm
            .store
            .lane_heads(vec![lane.into()], 10, at(seconds))
            .await
            .expect("reads");
        heads[0].due.iter().map(|task| task.id).collect::<Vec<_>>()
    };
    let first = farm.claim(ids[0], "a", None).await;
    assert!(farm.finish(&first, again(60, Purpose::Execute, true)).await);

    assert_eq!(order(59).await, ids[1..], "it is not due yet");
    assert_eq!(order(60).await, ids);
    farm.fail(ids[0], "a", FailureReason::Timeout).await;
    farm.store.retry(ids[0], at(70)).await.expect("retries");
    assert_eq!(order(80).await, [ids[1], ids[2], ids[0]]);
}

#[tokio::test]
async fn with_a_clock_that_is_set_moves_what_waits_for_a_span_of_time_and_not_what_waits_for_a_time_of_day() {
    let farm = Farm::new().await;
    let spaced = |start: Option<i64>, due: i64| {
        let mut task = task_for("a", None);
        (task.gap, task.scheduled_at, task.due_at) = (Some(Duration::from_secs(60)), start.map(at), Some(at(due)));
        task
    };
    let mut at_ten = task_for("a", None);
    (at_ten.scheduled_at, at_ten.due_at) = (Some(at(100)), Some(at(100)));
    let begun = [spaced(None, 160), spaced(Some(40), 160)];
    let not_begun = [spaced(Some(100), 160), at_ten, task_for("a", None)];
    let ids = farm
        .submit([begun, [task_for("b", None), task_for("b", None)]].concat())
        .await;
    let fixed = farm.submit(not_begun.to_vec()).await;
    let first = farm.claim(ids[2], "b", None).await;
    assert!(farm.finish(&first, again(70, Purpose::Execute, true)).await);

    farm.store.shift_due(-30_000, at(50)).await.expect("moves");

    let due = async |id: TaskId| farm.task(id).await.request.due_at;
    assert_eq!([due(ids[0]).await, due(ids[1]).await], [Some(at(130)); 2]);
    assert_eq!(due(ids[2]).await, Some(at(40)));
    assert_eq!(
        [due(fixed[0]).await, due(fixed[1]).await, due(fixed[2]).await],
        [Some(at(160)), Some(at(100)), None]
    );
    let lane = Lane {
        serial: serial_of("b"),
        username: None,
    };
    let heads = farm
        .store
        .lane_heads(vec![lane.into()], 10, at(40))
        .await
        .expect("reads");
    let order: Vec<TaskId> = heads[0].due.iter().map(|task| task.id).collect();
    assert_eq!(order, ids[2..], "it keeps its place");
}

#[tokio::test]
async fn lanes_are_found_among_many_devices_and_accounts() {
    let farm = Farm::new().await;
    let mut wanted = Vec::new();
    for device in 0..7 {
        for account in [None, Some("x"), Some("y")].into_iter().skip(device % 3) {
            wanted.push((format!("phone-{device}"), account));
        }
    }
    let tasks = wanted
        .iter()
        .flat_map(|(serial, account)| vec![task_for(serial, *account); 3])
        .collect();
    farm.submit(tasks).await;

    let lanes = farm.store.lanes().await.expect("reads");

    let found = lanes
        .iter()
        .map(|lane| {
            (
                lane.serial.to_string(),
                lane.username.as_ref().map(|name| name.as_str()),
            )
        })
        .collect::<Vec<_>>();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn stop_ends_a_pending_task_and_marks_a_running_one() {
    let farm = Farm::new().await;
    let ids = farm.submit(vec![task_for("a", None), task_for("b", None)]).await;
    let claimed = farm.claim(ids[1], "b", None).await;

    assert_eq!(
        farm.store.intend_stop(ids[0], at(5)).await.expect("stops"),
        StopIntent::Unstarted
    );
    assert_eq!(
        farm.store.intend_stop(ids[1], at(5)).await.expect("stops"),
        StopIntent::Running
    );
    assert_eq!(
        farm.store.intend_stop(TaskId(99), at(5)).await.expect("stops"),
        StopIntent::NotFound
    );
    assert_eq!(
        farm.store.intend_stop(ids[0], at(6)).await.expect("stops"),
        StopIntent::Finished(TaskState::Failed)
    );

    let stopped = farm.task(ids[0]).await;
    assert_eq!(
        stopped.failure.map(|failure| failure.reason),
        Some(FailureReason::Stopped)
    );
    assert_eq!(stopped.finished_at, Some(at(5)));
    // The attempt wanted to go on: the intent to stop wins.
    assert!(farm.finish(&claimed, again(60, Purpose::Execute, true)).await);
    let stopped = farm.task(ids[1]).await;
    assert_eq!(stopped.state, TaskState::Failed);
    assert_eq!(
        stopped.failure.map(|failure| failure.reason),
        Some(FailureReason::Stopped)
    );
    assert_eq!(
        farm.store.stats().await.expect("counts"),
        TaskStats {
            total: 2,
            failed: 2,
            ..TaskStats::default()
        }
    );
}

#[tokio::test]
async fn a_completion_that_races_a_stop_stays_a_completion() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;
    farm.store.intend_stop(id, at(5)).await.expect("stops");

    assert!(farm.finish(&claimed, completed()).await);

    assert_eq!(farm.task(id).await.state, TaskState::Completed);
}

#[tokio::test]
async fn retry_makes_a_failed_task_pending_and_keeps_its_attempts() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    assert_eq!(
        farm.store.retry(id, at(1)).await.expect("answers"),
        RetryResult::WrongState(TaskState::Available)
    );
    farm.fail(id, "a", FailureReason::Timeout).await;
    assert_eq!(farm.task(id).await.failure.and_then(|failure| failure.step), Some(3));

    let RetryResult::Retried(pending) = farm.store.retry(id, at(30)).await.expect("retries") else {
        panic!("not retried")
    };

    assert_eq!(
        (pending.id, pending.attempts, pending.auto_retries, pending.due_at),
        (id, 1, 0, None)
    );
    let task = farm.task(id).await;
    assert_eq!(
        (task.state, task.retry_count, task.failure, task.finished_at),
        (TaskState::Available, 1, None, None)
    );
    assert_eq!(farm.claim(id, "a", None).await.number, 2);
    let attempts = farm.store.list_attempts(id).await.expect("reads");
    let outcomes = attempts
        .iter()
        .map(|attempt| attempt.outcome.as_deref())
        .collect::<Vec<_>>();
    assert_eq!(outcomes, [Some("timeout"), None]);
    assert_eq!(
        farm.store.retry(TaskId(99), at(1)).await.expect("answers"),
        RetryResult::NotFound
    );
}

#[tokio::test]
async fn retry_all_skips_what_nobody_knows_unless_asked() {
    let farm = Farm::new().await;
    let mut other = task_for("b", None);
    other.batch_id = "other".into();
    let ids = farm.submit(vec![task_for("a", None), task_for("a", None), other]).await;
    farm.fail(ids[0], "a", FailureReason::Timeout).await;
    farm.fail(ids[1], "a", FailureReason::OutcomeUnknown).await;
    farm.fail(ids[2], "b", FailureReason::Internal).await;

    let batch = RetryFilter {
        batch_id: Some("batch".to_owned()),
        ..RetryFilter::default()
    };
    let all = farm.store.retry_all(batch, at(30)).await.expect("retries");
    assert_eq!(all.retried.iter().map(|task| task.id).collect::<Vec<_>>(), [ids[0]]);
    assert_eq!(all.skipped.iter().map(|(task, _)| *task).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(
        farm.store.retry(ids[1], at(30)).await.expect("answers"),
        RetryResult::OutcomeUnknown
    );

    let unknown = RetryFilter {
        include_unknown: true,
        ..RetryFilter::default()
    };
    let all = farm.store.retry_all(unknown, at(31)).await.expect("retries");
    assert_eq!(
        all.retried.iter().map(|task| task.id).collect::<Vec<_>>(),
        [ids[1], ids[2]]
    );
    assert_eq!(farm.store.stats().await.expect("counts").pending, 3);
}

#[tokio::test]
async fn delete_takes_everything_but_running_tasks() {
    let farm = Farm::new().await;
    let ids = farm
        .submit(vec![task_for("a", None), task_for("b", None), task_for("c", None)])
        .await;
    farm.fail(ids[0], "a", FailureReason::Timeout).await;
    farm.claim(ids[1], "b", None).await;

    let asked = vec![ids[2], ids[1], TaskId(99), ids[0], ids[2]];
    assert_eq!(farm.store.delete(asked).await.expect("deletes"), [ids[2], ids[0]]);

    assert_eq!(
        farm.store.stats().await.expect("counts"),
        TaskStats {
            total: 1,
            running: 1,
            ..TaskStats::default()
        }
    );
    assert_eq!(farm.store.list_attempts(ids[0]).await.expect("reads"), []);
    let states = farm.store.states(vec![ids[0], ids[1]]).await.expect("reads");
    assert_eq!(states, [(ids[1], TaskState::Running)]);
}

#[tokio::test]
async fn remarks_are_written_only_on_tasks_that_wait() {
    let farm = Farm::new().await;
    let ids = farm.submit(vec![task_for("a", None), task_for("b", None)]).await;
    farm.claim(ids[1], "b", None).await;

    let remarks = ids.iter().map(|id| (*id, "waits for the device".to_owned())).collect();
    farm.store.remark(remarks).await.expect("writes");

    assert_eq!(farm.task(ids[0]).await.remark, "waits for the device");
    assert_eq!(farm.task(ids[1]).await.remark, "");
}

#[tokio::test]
async fn every_change_of_a_task_is_told_in_order() {
    let farm = Farm::new().await;
    let mut watch = farm.store.event_watch();
    let id = farm.submit_one(task_for("a", None)).await;
    farm.fail(id, "a", FailureReason::Timeout).await;
    farm.store.retry(id, at(30)).await.expect("retries");
    let claimed = farm.claim(id, "a", None).await;
    farm.finish(&claimed, again(40, Purpose::Execute, true)).await;
    let claimed = farm.claim(id, "a", None).await;
    farm.finish(&claimed, completed()).await;
    farm.store.delete(vec![id]).await.expect("deletes");

    let kinds = [
        "created",
        "started",
        "failed",
        "retried",
        "started",
        "retrying",
        "started",
        "completed",
        "deleted",
    ];
    assert_eq!(farm.event_kinds().await, kinds.map(|kind| format!("task.{kind}")));
    assert_eq!(*watch.borrow_and_update(), 9);
    let page = farm.store.events_after(7, 1).await.expect("reads");
    assert_eq!(
        (
            page.events[0].seq,
            page.events[0].event.subject.as_str(),
            page.oldest_retained
        ),
        (8, "1", 1)
    );
    assert_eq!(page.events[0].event.data["status"], 2);
}

/// As of the time that each counts as created at.
#[tokio::test]
async fn f19_a_clock_that_was_set_back_puts_no_new_task_before_those_that_wait() {
    let farm = Farm::new().await;
    let submit = async |at: Timestamp| {
        let submitted = farm.store.submit(vec![task_for("a", None)], None, Vec::new(), at).await;
        match submitted.expect("submits") {
            SubmitResult::Created(submitted) => submitted.task_ids[0],
            other => panic!("not created: {other:?}"),
        }
    };
    let mut ids = Vec::new();
    for seconds in [10_000, 10_000 - 3_600, 10_001 - 3_600, 10_002] {
        ids.push(submit(at(seconds)).await);
    }

    let lane = Lane {
        serial: serial_of("a"),
        username: None,
    };
    let heads = farm
        .store
        .lane_heads(vec![lane.into()], 10, at(10_000))
        .await
        .expect("reads");

    let order: Vec<TaskId> = heads[0].due.iter().map(|task| task.id).collect();
    assert_eq!(order, ids);
    let claimed = farm.claim(ids[1], "a", None).await;
    let task = farm.task(claimed.task).await;
    assert!(task.started_at >= Some(task.created_at), "{task:?}");
    // One that was wrong by days tells nothing of what comes first.
    let late = submit(at(-1_000_000)).await;
    assert_eq!(farm.task(late).await.created_at, at(-1_000_000));
}
