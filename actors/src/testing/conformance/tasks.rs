//! Tasks before and after their attempts.

use std::time::Duration;

use super::{Checked, Subject, after, completed, lane, lease, morning, task};
use crate::{
    domain::{ClaimAhead, FailureReason, IdempotencyKey, NewTask, PendingTask, Purpose, TaskId, TaskState, TaskStats},
    ports::{
        LaneAsk, PRIORITY_HEAD_START, PassedOver, Resolution, ResolveResult, RetryFilter, RetryResult, StopIntent,
        SubmitResult, TaskNext,
    },
};

pub(super) async fn ids_come_in_order_and_stats_add_up(subject: Subject) -> Checked {
    let mut later = task("p1", None);
    later.due_at = Some(after(3600));
    let ids = subject
        .create(vec![task("p1", None), task("p2", None), later], morning())
        .await?;

    assert!(ids.is_sorted() && ids.len() == 3, "{ids:?}");
    let states = subject
        .store
        .states([ids.clone(), vec![TaskId(i64::MAX)]].concat())
        .await?;
    let words: Vec<TaskState> = states.iter().map(|(_, state)| *state).collect();
    assert_eq!(
        words,
        [TaskState::Available, TaskState::Available, TaskState::Scheduled]
    );
    let expected = TaskStats {
        total: 3,
        pending: 3,
        ..TaskStats::default()
    };
    assert_eq!(subject.store.stats().await?, expected);

    assert_eq!(
        subject.create(Vec::new(), morning()).await?,
        [],
        "nothing asked, nothing created"
    );
    Ok(())
}

pub(super) async fn an_idempotency_key_is_answered_once_and_for_a_day(subject: Subject) -> Checked {
    let key = |hash: &str| {
        Some(IdempotencyKey {
            key: "k".to_owned(),
            body_hash: hash.to_owned(),
        })
    };
    let warnings = vec!["mind the gap".to_owned()];
    let submit = |hash, at| {
        subject
            .store
            .submit(vec![task("p1", None)], key(hash), warnings.clone(), at)
    };

    let SubmitResult::Created(first) = submit("h1", morning()).await? else {
        unreachable!("a new key creates");
    };
    let replayed = submit("h1", after(10)).await?;
    assert_eq!(
        replayed,
        SubmitResult::Replayed(first.clone()),
        "ids and warnings of the first answer"
    );
    assert_eq!(submit("h2", after(20)).await?, SubmitResult::KeyReused);
    assert_eq!(subject.store.stats().await?.total, 1);
    let next_day = submit("h2", after(24 * 3600 + 1)).await?;
    assert!(
        matches!(next_day, SubmitResult::Created(_)),
        "a day later the key is forgotten: {next_day:?}"
    );
    Ok(())
}

pub(super) async fn what_is_claimed_as_it_is_created_runs_and_the_rest_waits(subject: Subject) -> Checked {
    let epoch = subject.store.begin_epoch(morning()).await?;
    let ahead = |place, token: &str| ClaimAhead {
        place,
        lease: lease(epoch, token),
    };
    let key = Some(IdempotencyKey {
        key: "k".to_owned(),
        body_hash: "h".to_owned(),
    });
    let tasks = vec![task("p1", None), task("p2", None), task("p2", None)];
    let wanted = vec![ahead(0, "t1"), ahead(2, "t2"), ahead(7, "nothing there")];
    let submit = || {
        let (tasks, key, wanted) = (tasks.clone(), key.clone(), wanted.clone());
        subject.store.submit_claiming(tasks, key, Vec::new(), morning(), wanted)
    };

    let (result, claimed) = submit().await?;

    let SubmitResult::Created(submitted) = result else {
        unreachable!("a new key creates");
    };
    let ids = submitted.task_ids.clone();
    let [first, _, third] = ids[..] else {
        unreachable!("three tasks, three ids: {ids:?}");
    };
    let running: Vec<Option<TaskId>> = claimed
        .iter()
        .map(|claimed| claimed.as_ref().map(|claimed| claimed.task))
        .collect();
    assert_eq!(running, [Some(first), Some(third), None]);
    let states = subject.store.states(ids.clone()).await?;
    let states: Vec<TaskState> = states.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [TaskState::Running, TaskState::Available, TaskState::Running]);

    let (replayed, claimed) = submit().await?;
    assert_eq!(replayed, SubmitResult::Replayed(submitted));
    assert!(claimed.iter().all(Option::is_none), "{claimed:?}");

    // A device that is busy: the task is created all the same.
    let (late, claimed) = subject
        .store
        .submit_claiming(
            vec![task("p1", None)],
            None,
            Vec::new(),
            morning(),
            vec![ahead(0, "t3")],
        )
        .await?;
    assert!(matches!(late, SubmitResult::Created(_)), "{late:?}");
    assert_eq!(claimed, [None]);
    Ok(())
}

pub(super) async fn a_lane_is_ordered_by_time_priority_and_id(subject: Subject) -> Checked {
    let due = |seconds: u64, priority: i8| {
        let mut task = task("p1", Some("a"));
        task.due_at = Some(after(seconds));
        task.priority = priority;
        task.gap = Some(Duration::from_secs(90));
        task
    };
    let head_start = PRIORITY_HEAD_START.as_secs();
    let tasks = vec![
        due(100, 0),
        due(50, 0),
        due(100 + head_start, 1),
        due(50, -1),
        due(100, 0),
        due(9000, 0),
    ];
    let ids = subject.create(tasks, morning()).await?;
    let [at_100, at_50, urgent, patient, at_100_too, later] = ids[..] else {
        unreachable!("six tasks, six ids: {ids:?}");
    };

    let head = subject
        .head(&lane("p1", Some("a")), 10, after(100 + head_start))
        .await?;

    let order: Vec<TaskId> = head.due.iter().map(|task| task.id).collect();
    assert_eq!(order, [at_50, at_100, urgent, at_100_too, patient]);
    assert!(!head.more);
    assert_eq!(head.next_due, Some(after(9000)));
    assert!(head.due.iter().all(|task| task.gap == Some(Duration::from_secs(90))));
    let few = subject.head(&lane("p1", Some("a")), 2, after(100 + head_start)).await?;
    assert!(few.more && few.due.len() == 2, "{few:?}");
    let all = subject.head(&lane("p1", Some("a")), 6, after(9000)).await?;
    assert_eq!(all.due.last().map(|task| task.id), Some(later));
    assert_eq!((all.more, all.next_due), (false, None));
    let without = async |passed_over: PassedOver| {
        let lane = lane("p1", Some("a"));
        let asked = LaneAsk { lane, passed_over };
        let heads = subject.store.lane_heads(vec![asked], 6, after(9000)).await;
        heads.map(|heads| heads.iter().map(|head| head.due.len()).collect::<Vec<_>>())
    };
    let script = PassedOver {
        scripts: [task("p1", None).script].into(),
        ..PassedOver::default()
    };
    assert_eq!(without(script).await?, [0]);
    // They keep a gap; those of other batches do not count.
    let of = |batch: &std::sync::Arc<str>| PassedOver {
        batches: [std::sync::Arc::clone(batch)].into(),
        ..PassedOver::default()
    };
    assert_eq!(without(of(&"another".into())).await?, [6]);
    assert_eq!(without(of(&task("p1", None).batch_id)).await?, [0]);
    Ok(())
}

pub(super) async fn lanes_are_apart_and_empty_ones_are_not_listed(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    subject
        .create(
            vec![task("p1", None), task("p1", Some("a")), task("p2", Some("b"))],
            morning(),
        )
        .await?;
    let (done, attempt) = subject.running("p3", &lease(epoch, "t")).await?;
    subject.end(done, attempt, &lease(epoch, "t"), completed()).await?;

    let mut lanes = subject.store.lanes().await?;
    lanes.sort();

    assert_eq!(lanes, [lane("p1", None), lane("p1", Some("a")), lane("p2", Some("b"))]);
    for lane in &lanes {
        let task = subject.only(lane, after(1)).await?;
        assert_eq!((&task.serial, &task.username), (&lane.serial, &lane.username));
    }
    let empty = subject.head(&lane("p3", None), 10, after(1)).await?;
    assert!(
        empty.due.is_empty() && !empty.more && empty.next_due.is_none(),
        "{empty:?}"
    );
    Ok(())
}

pub(super) async fn a_stop_ends_what_is_pending_and_marks_what_runs(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    let lease = lease(epoch, "t");
    let pending = subject.create_one(task("p1", None)).await?;
    assert_eq!(
        subject.store.intend_stop(TaskId(i64::MAX), after(1)).await?,
        StopIntent::NotFound
    );

    assert_eq!(
        subject.store.intend_stop(pending, after(1)).await?,
        StopIntent::Unstarted
    );
    assert_eq!(subject.state(pending).await?, Some(TaskState::Failed));
    let again = subject.store.intend_stop(pending, after(1)).await?;
    assert_eq!(again, StopIntent::Finished(TaskState::Failed));
    assert!(
        subject.claim(pending, "p1", &lease).await?.is_none(),
        "what was stopped is not claimed"
    );

    let (running, attempt) = subject.running("p1", &lease).await?;
    assert_eq!(subject.store.intend_stop(running, after(1)).await?, StopIntent::Running);
    assert_eq!(
        subject.state(running).await?,
        Some(TaskState::Running),
        "the attempt ends it, not the intent"
    );
    let next = TaskNext::Again {
        due_at: after(3),
        purpose: Purpose::Execute,
        remark: String::new(),
        counts: true,
    };
    assert!(subject.end(running, attempt, &lease, next).await?);
    assert_eq!(
        subject.state(running).await?,
        Some(TaskState::Failed),
        "who was told to stop does not run again"
    );
    Ok(())
}

pub(super) async fn deleted_ids_are_never_used_again(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    let pending = subject.create_one(task("p2", None)).await?;
    let (running, attempt) = subject.running("p1", &lease(epoch, "t")).await?;

    let deleted = subject.store.delete(vec![pending, running, TaskId(i64::MAX)]).await?;

    assert_eq!(deleted, [pending], "what runs is not deleted");
    assert_eq!(subject.state(pending).await?, None);
    assert!(subject.end(running, attempt, &lease(epoch, "t"), completed()).await?);
    assert_eq!(subject.store.delete(vec![running]).await?, [running]);
    assert_eq!(subject.store.stats().await?, TaskStats::default());
    let next = subject.create_one(task("p1", None)).await?;
    assert!(next > running && next > pending, "{next}");
    Ok(())
}

pub(super) async fn a_task_that_is_retried_before_its_time_of_day_waits_for_it(subject: Subject) -> Checked {
    let (ten, wanted) = (Some(after(3600)), task("p1", None));
    let later = NewTask {
        scheduled_at: ten,
        due_at: ten,
        start_time: Some("10:00".to_owned()),
        ..wanted
    };
    let ids = subject.create(vec![later.clone(), later], morning()).await?;
    let [one, other] = ids[..] else {
        unreachable!("as many as were asked for");
    };
    for id in [one, other] {
        subject.store.intend_stop(id, after(1)).await?;
    }

    let RetryResult::Retried(retried) = subject.store.retry(one, after(9)).await? else {
        unreachable!("a stopped task is retried");
    };
    assert_eq!((retried.id, retried.due_at), (one, ten));
    assert_eq!(subject.state(one).await?, Some(TaskState::Scheduled));
    let asked = || LaneAsk {
        lane: lane("p1", None),
        passed_over: PassedOver::default(),
    };
    let early = subject.store.lane_heads(vec![asked()], 6, after(3599)).await?;
    let early: Vec<_> = early.iter().map(|head| (head.due.len(), head.next_due)).collect();
    assert_eq!(early, [(0, ten)]);

    let all = subject.store.retry_all(RetryFilter::default(), after(9)).await?;
    let retried: Vec<_> = all.retried.iter().map(|task| (task.id, task.due_at)).collect();
    assert_eq!(retried, [(other, ten)]);

    // Once it has passed it is over.
    subject.store.intend_stop(one, after(3601)).await?;
    assert!(matches!(
        subject.store.retry(one, after(3602)).await?,
        RetryResult::Retried(PendingTask { due_at: None, .. })
    ));
    assert_eq!(subject.state(one).await?, Some(TaskState::Available));
    Ok(())
}

pub(super) async fn a_failed_task_is_retried_and_a_resolved_one_is_what_the_person_said(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    let lease = lease(epoch, "t");
    let failed = subject.fail("p1", &lease, FailureReason::FlowError).await?;
    let unknown = subject.fail("p2", &lease, FailureReason::OutcomeUnknown).await?;
    let unknown_too = subject.fail("p3", &lease, FailureReason::OutcomeUnknown).await?;
    let pending = subject.create_one(task("p4", None)).await?;

    let RetryResult::Retried(retried) = subject.store.retry(failed, after(9)).await? else {
        unreachable!("a failed task is retried");
    };
    assert_eq!((retried.id, retried.auto_retries, retried.attempts), (failed, 0, 1));
    assert_eq!(retried.purpose, Purpose::Execute);
    assert_eq!(subject.state(failed).await?, Some(TaskState::Available));
    assert_eq!(
        subject.store.retry(unknown, after(9)).await?,
        RetryResult::OutcomeUnknown
    );
    assert_eq!(
        subject.store.retry(pending, after(9)).await?,
        RetryResult::WrongState(TaskState::Available)
    );
    assert_eq!(
        subject.store.retry(TaskId(i64::MAX), after(9)).await?,
        RetryResult::NotFound
    );

    let skipping = subject.store.retry_all(RetryFilter::default(), after(9)).await?;
    assert_eq!((skipping.retried.len(), skipping.skipped.len()), (0, 2), "{skipping:?}");
    let resolve = |task, done| {
        let note = "looked".to_owned();
        subject.store.resolve(Resolution {
            task,
            done,
            note,
            at: after(10),
        })
    };
    assert!(matches!(resolve(unknown, true).await?, ResolveResult::Resolved(_)));
    assert_eq!(subject.state(unknown).await?, Some(TaskState::Completed));
    assert_eq!(
        resolve(unknown, true).await?,
        ResolveResult::WrongState(TaskState::Completed)
    );
    assert_eq!(
        resolve(pending, true).await?,
        ResolveResult::WrongState(TaskState::Available)
    );
    assert_eq!(resolve(TaskId(i64::MAX), true).await?, ResolveResult::NotFound);

    let elsewhere = RetryFilter {
        include_unknown: true,
        serial: Some(super::serial("p9")),
        ..RetryFilter::default()
    };
    assert!(subject.store.retry_all(elsewhere, after(11)).await?.retried.is_empty());
    let include = RetryFilter {
        include_unknown: true,
        ..RetryFilter::default()
    };
    let all = subject.store.retry_all(include, after(11)).await?;
    let retried: Vec<(TaskId, Purpose)> = all.retried.iter().map(|task| (task.id, task.purpose)).collect();
    assert_eq!(
        retried,
        [(unknown_too, Purpose::Verify)],
        "an unknown outcome is looked at first"
    );
    Ok(())
}
