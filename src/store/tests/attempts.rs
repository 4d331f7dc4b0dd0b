//! Claims, their leases, and the ends of attempts.

use farmhand_actors::{
    domain::{AccountUse, AttemptId, DevicePatch, FailureReason, Progress, Purpose, StepRecord, StepState, TaskState},
    ports::{AccountStore, AttemptJournal, DeviceStore, LaneAsk, PassedOver, StoreError, TaskStore},
};
use serde_json::Value;

use super::*;

async fn written(store: &Store, ends: Vec<Finish>) -> Vec<bool> {
    let finished = store.finish(ends).await.expect("answers");
    finished.iter().map(|finished| finished.written).collect()
}

/// It keeps no gap to its own start, so it can begin before the others of its batch.
#[tokio::test]
async fn a_task_that_has_begun_before_is_not_passed_over_with_its_batch() {
    let farm = Farm::new().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut task = task_for("a", None);
        task.gap = Some(Duration::from_secs(60));
        ids.push(farm.submit_one(task).await);
    }
    let claimed = farm.claim(ids[0], "a", None).await;
    farm.finish(&claimed, again(100, Purpose::Execute, false)).await;
    let lane = farm.store.lanes().await.expect("reads").remove(0);
    let passed_over = PassedOver {
        batches: [task_for("a", None).batch_id].into(),
        ..PassedOver::default()
    };

    let asked = vec![LaneAsk { lane, passed_over }];
    let head = farm.store.lane_heads(asked, 5, at(100)).await.expect("reads").remove(0);

    let due: Vec<TaskId> = head.due.iter().map(|task| task.id).collect();
    assert_eq!(due, ids[..1]);
}

#[tokio::test]
async fn a_task_is_claimed_once() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", Some("anna"))).await;

    let claims = (0..5).map(|_| farm.store.claim(vec![farm.claim_of(id, "a", Some("anna"))]));
    let answers = futures_util::future::join_all(claims).await;

    let claimed = answers
        .into_iter()
        .filter_map(|answer| answer.expect("answers").pop().flatten())
        .collect::<Vec<_>>();
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].number, claimed[0].purpose), (1, Purpose::Execute));
    assert_eq!(claimed[0].config, task_for("a", None).config);
    let holders = farm.store.lease_holders().await.expect("reads");
    assert_eq!(holders.len(), 1);
    assert_eq!(
        (holders[0].task, holders[0].attempt, holders[0].since),
        (id, claimed[0].attempt, at(10))
    );
    assert_eq!(holders[0].username, Some(username_of("anna")));
}

#[tokio::test]
async fn a_device_and_an_account_have_one_live_attempt_each() {
    let farm = Farm::new().await;
    let ids = farm
        .submit(vec![task_for("a", None), task_for("a", None), task_for("b", None)])
        .await;
    farm.claim(ids[0], "a", Some("anna")).await;

    for (task, serial, username) in [(ids[1], "a", None), (ids[2], "b", Some("anna"))] {
        let answer = farm.store.claim(vec![farm.claim_of(task, serial, username)]).await;
        assert_eq!(answer.expect("answers"), [None]);
    }

    assert_eq!(farm.store.stats().await.expect("counts").running, 1);
    farm.claim(ids[2], "b", None).await;
}

#[tokio::test]
async fn of_claims_for_the_same_device_one_is_let_through_and_the_others_change_nothing() {
    let farm = Farm::new().await;
    let tasks = ["a", "a", "b", "c"].map(|serial| task_for(serial, None));
    let ids = farm.submit(tasks.to_vec()).await;
    let claims = [(0, "a"), (1, "a"), (2, "b"), (3, "c")];

    let asks = claims.map(|(index, serial)| farm.store.claim(vec![farm.claim_of(ids[index], serial, None)]));
    let answers = futures_util::future::join_all(asks).await;
    let twice = ["d", "e"].map(|serial| farm.claim_of(ids[1], serial, None));
    let twice = farm.store.claim(twice.to_vec()).await.expect("answers");

    let let_through = answers.iter().map(|answer| matches!(answer.as_deref(), Ok([Some(_)])));
    assert_eq!(let_through.collect::<Vec<_>>(), [true, false, true, true]);
    assert_eq!((twice[0].is_some(), twice[1].is_some()), (true, false));
    assert_eq!(farm.store.stats().await.expect("counts").running, 4);
    let mut old = farm.claim_of(farm.submit_one(task_for("f", None)).await, "f", None);
    old.lease.epoch = Epoch(0);
    assert_eq!(farm.store.claim(vec![old]).await.expect("answers"), [None]);
}

#[tokio::test]
async fn a_change_that_fails_does_not_spoil_the_others_of_its_group() {
    let farm = Farm::new().await;
    let unknown = serial_of("unknown");
    let patch = || farm.store.patch_device(&unknown, DevicePatch::default());

    let (first, submitted, second, known) = futures_util::join!(
        patch(),
        farm.store.submit(vec![task_for("a", None)], None, Vec::new(), at(0)),
        patch(),
        farm.store.add_device(&unknown, at(0)),
    );

    assert!(matches!(first, Err(StoreError::Conflict(_))), "{first:?}");
    assert!(matches!(second, Err(StoreError::Conflict(_))), "{second:?}");
    assert!(submitted.is_ok() && known.is_ok(), "{submitted:?} {known:?}");
    assert_eq!(farm.store.stats().await.expect("counts").pending, 1);
    assert_eq!(farm.store.load_devices().await.expect("reads").len(), 1);
}

#[tokio::test]
async fn an_end_with_another_token_or_epoch_changes_nothing() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;
    let mut wrong_token = farm.finish_of(&claimed, completed());
    wrong_token.lease.token = "stolen".into();
    let mut wrong_epoch = farm.finish_of(&claimed, completed());
    wrong_epoch.lease.epoch = Epoch(0);
    let mut wrong_attempt = farm.finish_of(&claimed, completed());
    wrong_attempt.attempt = AttemptId(99);

    let ends = vec![wrong_token, wrong_epoch, wrong_attempt];
    assert_eq!(written(&farm.store, ends).await, [false, false, false]);
    assert_eq!(farm.task(id).await.state, TaskState::Running);

    let twice = vec![
        farm.finish_of(&claimed, completed()),
        farm.finish_of(&claimed, completed()),
    ];
    assert_eq!(written(&farm.store, twice).await, [true, false]);
    assert!(!farm.finish(&claimed, failed(FailureReason::Timeout)).await);
    assert_eq!(farm.task(id).await.state, TaskState::Completed);
}

#[tokio::test]
async fn a_late_end_cannot_touch_the_next_attempt() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let first = farm.claim(id, "a", None).await;
    farm.finish(&first, again(12, Purpose::Execute, true)).await;
    farm.claim(id, "a", None).await;

    assert!(!farm.finish(&first, completed()).await);

    assert_eq!(farm.task(id).await.state, TaskState::Running);
}

#[tokio::test]
async fn going_on_keeps_what_counts() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;
    farm.finish(&claimed, again(100, Purpose::Verify, true)).await;

    let task = farm.task(id).await;
    assert_eq!(
        (task.state, task.purpose, task.retry_count),
        (TaskState::Retryable, Purpose::Verify, 1)
    );
    assert_eq!((task.remark.as_str(), task.request.due_at), ("again", Some(at(100))));
    let lanes = farm.store.lanes().await.expect("reads");
    let lanes: Vec<LaneAsk> = lanes.into_iter().map(Into::into).collect();
    let head = &farm.store.lane_heads(lanes.clone(), 5, at(99)).await.expect("reads")[0];
    assert_eq!((head.due.len(), head.next_due), (0, Some(at(100))));
    let head = &farm.store.lane_heads(lanes, 5, at(100)).await.expect("reads")[0];
    assert_eq!(
        (head.due[0].attempts, head.due[0].auto_retries, head.due[0].purpose),
        (1, 1, Purpose::Verify)
    );

    let claimed = farm.claim(id, "a", None).await;
    assert_eq!((claimed.number, claimed.purpose), (2, Purpose::Verify));
    farm.finish(&claimed, again(200, Purpose::Execute, false)).await;
    assert_eq!(farm.task(id).await.retry_count, 1);
}

#[tokio::test]
async fn a_use_of_the_account_is_counted_with_the_end() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", Some("anna"))).await;
    let claimed = farm.claim(id, "a", Some("anna")).await;
    let used = AccountUse {
        username: username_of("anna"),
        script: script_of("post"),
        at: at(15),
    };
    let mut finish = farm.finish_of(&claimed, completed());
    finish.used = Some(used.clone());
    let mut fenced = finish.clone();
    fenced.lease.token = "stolen".into();

    assert_eq!(written(&farm.store, vec![fenced, finish]).await, [false, true]);

    assert_eq!(farm.store.account_uses(at(15)).await.expect("reads"), [used]);
    assert_eq!(farm.store.account_uses(at(16)).await.expect("reads"), []);
}

#[tokio::test]
async fn a_released_claim_leaves_no_attempt() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;

    farm.store
        .release(vec![(id, claimed.attempt)], "the device went away".to_owned())
        .await
        .expect("releases");

    let task = farm.task(id).await;
    assert_eq!(
        (task.state, task.remark.as_str()),
        (TaskState::Available, "the device went away")
    );
    assert_eq!(farm.store.list_attempts(id).await.expect("reads"), []);
    assert!(!farm.finish(&claimed, completed()).await);
    assert_eq!(farm.claim(id, "a", None).await.number, 1);
}

#[tokio::test]
async fn a_released_claim_that_was_to_be_stopped_is_stopped() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;
    farm.store.intend_stop(id, at(12)).await.expect("stops");

    farm.store
        .release(vec![(id, claimed.attempt)], String::new())
        .await
        .expect("releases");

    let task = farm.task(id).await;
    assert_eq!(task.failure.map(|failure| failure.reason), Some(FailureReason::Stopped));
    assert_eq!(farm.store.stats().await.expect("counts").failed, 1);
}

fn step(index: u32, state: StepState) -> StepRecord {
    StepRecord {
        index,
        command: "tapOn".to_owned(),
        label: "Tap \"Post\"".to_owned(),
        state,
        started_at: at(11),
        duration_ms: (state != StepState::Running).then_some(250),
        error: (state == StepState::Failed).then(|| "not found".to_owned()),
        detail: (state == StepState::Failed).then(|| json!({"selector": {"text": "Post"}})),
        screenshot: Some("1/1.png".to_owned()),
        hierarchy: None,
    }
}

#[tokio::test]
async fn steps_and_progress_are_there_once_the_attempt_has_ended() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;
    let progress = |step| Progress {
        step,
        steps: 2,
        label: "Tap".to_owned(),
    };

    farm.store.record_flow(claimed.attempt, "0f");
    farm.store.record_flow(AttemptId(99), "1e");
    farm.store.record_step(claimed.attempt, step(1, StepState::Running));
    farm.store.record_progress(id, claimed.attempt, progress(1));
    farm.store.record_step(claimed.attempt, step(1, StepState::Completed));
    farm.store.record_step(claimed.attempt, step(2, StepState::Failed));
    farm.store.record_progress(id, claimed.attempt, progress(2));
    farm.store.record_step(AttemptId(99), step(1, StepState::Completed));
    farm.finish(&claimed, failed(FailureReason::AssertionFailed)).await;

    let attempts = farm.store.list_attempts(id).await.expect("reads");
    assert_eq!(
        attempts[0].steps,
        [step(1, StepState::Completed), step(2, StepState::Failed)]
    );
    assert_eq!(attempts[0].steps[0].detail, None::<Value>);
    assert_eq!(attempts[0].flow_hash.as_deref(), Some("0f"));
    assert_eq!(farm.task(id).await.progress, Some(progress(2)));
}

#[tokio::test]
async fn a_step_is_written_although_nothing_else_is() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;

    farm.store.record_step(claimed.attempt, step(1, StepState::Running));

    wait_until("the step is written", async || {
        !farm.store.list_attempts(id).await.expect("reads")[0].steps.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_controller_that_was_replaced_can_write_nothing() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;

    let newer = open(&farm.path()).await;
    let epoch = newer.begin_epoch(at(30)).await.expect("begins");
    assert_eq!(epoch, Epoch(2));

    let answer = farm.store.finish(vec![farm.finish_of(&claimed, completed())]).await;
    assert!(
        matches!(&answer, Err(StoreError::Conflict(text)) if text.contains("epoch 2")),
        "{answer:?}"
    );
    assert!(
        farm.store
            .submit(vec![task_for("a", None)], None, Vec::new(), at(31))
            .await
            .is_err()
    );
    assert!(farm.store.intend_stop(id, at(31)).await.is_err());
    assert_eq!(
        newer.get_task(id).await.expect("reads").map(|task| task.state),
        Some(TaskState::Running)
    );
    // The old lease is worth nothing to the new controller either.
    assert_eq!(
        written(&newer, vec![farm.finish_of(&claimed, completed())]).await,
        [false]
    );
}

#[tokio::test]
async fn events_tell_instants_with_milliseconds_whatever_the_clock_knows_beyond() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    let claimed = farm.claim(id, "a", None).await;
    let next = TaskNext::Again {
        due_at: at(30) + std::time::Duration::from_nanos(123_456_789),
        purpose: Purpose::Execute,
        counts: true,
        remark: "again".to_owned(),
    };

    assert!(farm.finish(&claimed, next).await);

    let events = farm.store.events_after(0, 100).await.expect("reads").events;
    let retrying = events.iter().find(|event| event.event.kind == "task.retrying");
    let due_at = &retrying.expect("is told").event.data["due_at"];
    let wanted = at(30) + std::time::Duration::from_millis(123);
    assert_eq!(*due_at, serde_json::json!(format!("{wanted:.3}")));
}
