//! Attempts: claimed once, ended by their owner, taken up by the next start.

use std::time::Duration;

use serde_json::json;

use super::{Checked, Subject, after, completed, failed, lane, lease, morning, serial, task};
use crate::{
    domain::{
        AttemptId, BatchStart, Claim, EffectFinding, EffectGate, EffectKey, EffectState, FailureReason, NewTask,
        Purpose, RescueVerdict, TaskId, TaskState, retry::Repetition,
    },
    ports::TaskNext,
};

fn again(purpose: Purpose, seconds: u64, counts: bool) -> TaskNext {
    TaskNext::Again {
        due_at: after(seconds),
        purpose,
        remark: "waits".to_owned(),
        counts,
    }
}

pub(super) async fn a_task_is_claimed_once_and_numbered(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    let new = task("p1", None);
    let (script, config) = (new.script.clone(), new.config.clone());
    let id = subject.create_one(new).await?;

    let Some(claimed) = subject.claim(id, "p1", &lease(epoch, "t1")).await? else {
        unreachable!("a pending task on a free device is claimed");
    };

    assert_eq!(
        (claimed.task, claimed.number, claimed.purpose),
        (id, 1, Purpose::Execute)
    );
    assert_eq!(
        (&claimed.script, &claimed.config),
        (&script, &config),
        "byte for byte, any Unicode"
    );
    assert_eq!(subject.state(id).await?, Some(TaskState::Running));
    assert_eq!(subject.store.stats().await?.running, 1);
    assert!(
        subject.claim(id, "p1", &lease(epoch, "t2")).await?.is_none(),
        "it is not pending any more"
    );
    assert!(
        subject
            .claim(TaskId(i64::MAX), "p1", &lease(epoch, "t3"))
            .await?
            .is_none()
    );
    assert!(subject.head(&lane("p1", None), 10, after(2)).await?.due.is_empty());
    Ok(())
}

pub(super) async fn only_the_leases_owner_ends_an_attempt_and_only_once(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    let own = lease(epoch, "own");
    let (id, attempt) = subject.running("p1", &own).await?;

    assert!(!subject.end(id, attempt, &lease(epoch, "other"), completed()).await?);
    assert!(!subject.end(id, AttemptId(i64::MAX), &own, completed()).await?);
    assert_eq!(subject.state(id).await?, Some(TaskState::Running));
    assert!(subject.end(id, attempt, &own, completed()).await?);
    assert_eq!(subject.state(id).await?, Some(TaskState::Completed));
    assert!(
        !subject.end(id, attempt, &own, failed(FailureReason::Internal)).await?,
        "it is over"
    );
    assert_eq!(subject.state(id).await?, Some(TaskState::Completed));
    Ok(())
}

pub(super) async fn another_attempt_waits_for_its_time_and_keeps_its_purpose(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    let lease = lease(epoch, "t");
    let (id, attempt) = subject.running("p1", &lease).await?;

    assert!(
        subject
            .end(id, attempt, &lease, again(Purpose::Verify, 60, true))
            .await?
    );

    assert_eq!(subject.state(id).await?, Some(TaskState::Retryable));
    let early = subject.head(&lane("p1", None), 10, after(59)).await?;
    assert_eq!((early.due.len(), early.next_due), (0, Some(after(60))));
    let waiting = subject.only(&lane("p1", None), after(60)).await?;
    assert_eq!(
        (waiting.purpose, waiting.attempts, waiting.auto_retries),
        (Purpose::Verify, 1, 1)
    );
    let Some(second) = subject.claim(id, "p1", &lease).await? else {
        unreachable!("a retryable task is claimed");
    };
    assert_eq!((second.number, second.purpose), (2, Purpose::Verify));
    assert!(second.attempt > attempt, "attempts are never numbered twice");
    assert!(
        subject
            .end(id, second.attempt, &lease, again(Purpose::Execute, 60, false))
            .await?
    );
    assert_eq!(
        subject.only(&lane("p1", None), after(60)).await?.auto_retries,
        1,
        "that one did not count"
    );
    let script = waiting.script;
    let repetition = Repetition { script, at: after(2) };
    assert_eq!(subject.store.repetitions().await?, [repetition]);
    Ok(())
}

pub(super) async fn what_is_given_back_is_pending_again(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    let lease = lease(epoch, "t");
    let (id, attempt) = subject.running("p1", &lease).await?;

    subject
        .store
        .release(vec![(id, attempt)], "its device went away".to_owned())
        .await?;

    assert_eq!(subject.only(&lane("p1", None), after(2)).await?.id, id);
    assert!(
        !subject.end(id, attempt, &lease, completed()).await?,
        "its lease went with it"
    );
    assert!(subject.claim(id, "p1", &lease).await?.is_some());
    Ok(())
}

pub(super) async fn an_older_epoch_writes_nothing(subject: Subject) -> Checked {
    let old = lease(subject.epoch().await?, "t");
    let (id, attempt) = subject.running("p1", &old).await?;
    let pending = subject.create_one(task("p2", None)).await?;

    let new = subject.epoch().await?;

    assert!(new > old.epoch);
    assert!(!subject.end(id, attempt, &old, completed()).await?);
    assert_eq!(
        subject.state(id).await?,
        Some(TaskState::Running),
        "only the rescue takes it up"
    );
    assert!(!matches!(subject.claim(pending, "p2", &old).await, Ok(Some(_))));
    assert_eq!(subject.state(pending).await?, Some(TaskState::Available));
    Ok(())
}

pub(super) async fn what_a_dead_controller_left_is_taken_up_by_the_rules(subject: Subject) -> Checked {
    let old = lease(subject.epoch().await?, "t");
    let (plain, plain_attempt) = subject.running("p1", &old).await?;
    let (open, open_attempt) = subject.running("p2", &old).await?;
    let (confirmed, confirmed_attempt) = subject.running("p3", &old).await?;
    let (stopped, stopped_attempt) = subject.running("p4", &old).await?;
    let (doubtful, doubtful_attempt) = subject.running("p5", &old).await?;
    assert_eq!(subject.intend(doubtful, doubtful_attempt, &old).await?, EffectGate::Act);
    assert_eq!(subject.intend(open, open_attempt, &old).await?, EffectGate::Act);
    assert_eq!(
        subject.intend(confirmed, confirmed_attempt, &old).await?,
        EffectGate::Act
    );
    let finding = EffectFinding {
        key: EffectKey {
            task: confirmed,
            step: "publish".into(),
            ordinal: 0,
        },
        attempt: confirmed_attempt,
        lease: old.clone(),
        state: EffectState::Confirmed,
        evidence: json!({ "posts": 1 }),
    };
    subject.journal.settle(finding).await?;
    subject.store.intend_stop(stopped, after(1)).await?;
    subject.store.intend_stop(doubtful, after(1)).await?;
    assert_eq!(subject.store.open_effects(vec![plain, open, confirmed]).await?, [open]);

    let epoch = subject.epoch().await?;
    let mut rescued = subject.store.rescue(epoch, 3, after(5)).await?;
    rescued.sort_by_key(|one| one.task);

    let verdicts: Vec<(TaskId, AttemptId, RescueVerdict)> =
        rescued.iter().map(|one| (one.task, one.attempt, one.verdict)).collect();
    let expected = [
        (plain, plain_attempt, RescueVerdict::Repeat),
        (open, open_attempt, RescueVerdict::Verify),
        (confirmed, confirmed_attempt, RescueVerdict::Completed),
        (stopped, stopped_attempt, RescueVerdict::Failed(FailureReason::Stopped)),
        (doubtful, doubtful_attempt, RescueVerdict::Verify),
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(
        subject.only(&lane("p1", None), after(5)).await?.purpose,
        Purpose::Execute
    );
    assert_eq!(
        subject.only(&lane("p2", None), after(5)).await?.purpose,
        Purpose::Verify
    );
    assert_eq!(subject.state(confirmed).await?, Some(TaskState::Completed));
    assert_eq!(subject.state(stopped).await?, Some(TaskState::Failed));
    assert!(
        subject.store.rescue(epoch, 3, after(6)).await?.is_empty(),
        "once is enough"
    );
    let stats = subject.store.stats().await?;
    assert_eq!(
        (stats.pending, stats.running, stats.completed, stats.failed),
        (3, 0, 1, 1)
    );
    // Whatever its check says: who was told that it stops will not see it run.
    assert!(subject.journal.is_stop_requested(doubtful).await?);
    assert!(!subject.journal.is_stop_requested(open).await?);
    let new = lease(epoch, "n");
    if let Some(claimed) = subject.claim(doubtful, "p5", &new).await? {
        let next = TaskNext::Again {
            due_at: after(6),
            purpose: Purpose::Execute,
            remark: String::new(),
            counts: true,
        };
        subject.end(doubtful, claimed.attempt, &new, next).await?;
    }
    assert_eq!(subject.state(doubtful).await?, Some(TaskState::Failed));
    Ok(())
}

pub(super) async fn a_task_that_kills_the_controller_is_given_up(subject: Subject) -> Checked {
    let id = subject.create_one(task("p1", None)).await?;
    for death in 1..=3u32 {
        let lease = lease(subject.epoch().await?, "t");
        assert!(subject.claim(id, "p1", &lease).await?.is_some(), "start {death}");
        let epoch = subject.epoch().await?;
        let rescued = subject.store.rescue(epoch, 3, after(5)).await?;
        let verdict = rescued.first().map(|one| one.verdict);
        let expected = match death {
            3 => RescueVerdict::Failed(FailureReason::Interrupted),
            _ => RescueVerdict::Repeat,
        };
        assert_eq!(verdict, Some(expected), "death {death}");
    }
    assert_eq!(subject.state(id).await?, Some(TaskState::Failed));
    Ok(())
}

pub async fn the_newest_starts_of_a_batch_with_a_gap_are_known(subject: Subject) -> Checked {
    let epoch = subject.epoch().await?;
    let gap = Some(Duration::from_secs(60));
    let spaced = |device: &str| NewTask {
        gap,
        ..task(device, None)
    };
    let close = NewTask {
        batch_id: "batch-2".into(),
        ..task("p2", None)
    };
    let ids = subject
        .create(
            vec![spaced("p1"), spaced("p1"), close, spaced("p1"), spaced("p1")],
            morning(),
        )
        .await?;
    assert_eq!(subject.store.batch_starts(morning()).await?, []);
    // The last one is left waiting.
    let begun = [(1, 10, "p1"), (2, 20, "p1"), (3, 30, "p2"), (4, 40, "p1")];
    let begun = ids.iter().copied().zip(begun);
    for (id, (number, at, device)) in begun {
        let own = lease(epoch, &format!("t{number}"));
        let claim = Claim {
            task: id,
            serial: serial(device),
            username: None,
            lease: own.clone(),
            at: after(at),
        };
        let claimed = subject.store.claim(vec![claim]).await?.remove(0);
        let attempt = claimed
            .unwrap_or_else(|| unreachable!("a pending task is claimed"))
            .attempt;
        assert!(subject.end(id, attempt, &own, completed()).await?);
    }

    // The one before it is for the task that made the newest: it does not wait for itself.
    let start = |task: TaskId, at: u64| BatchStart {
        batch_id: "batch-1".into(),
        serial: serial("p1"),
        task,
        at: after(at),
    };
    let [_, second, _, fourth, _] = ids[..] else {
        unreachable!("as many as were asked for");
    };
    let (newest, before) = (start(fourth, 40), start(second, 20));
    assert_eq!(subject.store.batch_starts(morning()).await?, [newest.clone(), before]);
    assert_eq!(subject.store.batch_starts(after(21)).await?, [newest]);
    assert_eq!(subject.store.batch_starts(after(41)).await?, []);
    Ok(())
}
