//! The gate to what cannot be undone.

use serde_json::json;

use super::{Checked, Subject, after, completed, failed, lease};
use crate::{
    domain::{
        AttemptId, EffectFinding, EffectGate, EffectIntent, EffectKey, EffectState, FailureReason, Lease,
        ONE_OF_SEVERAL, Purpose, TaskId, TaskState,
    },
    ports::TaskNext,
};

fn key(task: TaskId, ordinal: u32) -> EffectKey {
    EffectKey {
        task,
        step: "publish".into(),
        ordinal,
    }
}

fn intent(key: EffectKey, attempt: AttemptId, lease: &Lease, posts: u32) -> EffectIntent {
    EffectIntent {
        key,
        attempt,
        lease: lease.clone(),
        content: json!({ "caption": "ą🙂" }),
        baseline: json!({ "posts": posts }),
    }
}

fn finding(key: EffectKey, attempt: AttemptId, lease: &Lease, state: EffectState) -> EffectFinding {
    EffectFinding {
        key,
        attempt,
        lease: lease.clone(),
        state,
        evidence: json!({ "seen": state.as_str() }),
    }
}

pub(super) async fn an_effect_is_allowed_once(subject: Subject) -> Checked {
    let lease = lease(subject.epoch().await?, "t");
    let (task, attempt) = subject.running("p1", &lease).await?;
    let journal = &subject.journal;
    let first = key(task, 0);

    assert_eq!(
        journal.intend(intent(first.clone(), attempt, &lease, 4)).await?,
        EffectGate::Act
    );
    let twice = journal.intend(intent(first.clone(), attempt, &lease, 4)).await?;
    assert_eq!(twice, EffectGate::Closed(EffectState::Intended));
    let other = journal.intend(intent(key(task, 1), attempt, &lease, 4)).await?;
    assert_eq!(other, EffectGate::Act, "another ordinal is another effect");

    for state in [EffectState::Unknown, EffectState::Unknown, EffectState::Refuted] {
        journal.settle(finding(first.clone(), attempt, &lease, state)).await?;
    }
    let effects = journal.effects(task).await?;
    let [refuted, _] = &effects[..] else {
        unreachable!("two effects: {effects:?}");
    };
    assert_eq!((refuted.state, refuted.unknown_checks), (EffectState::Refuted, 2));
    assert_eq!(refuted.evidence, Some(json!({ "seen": "refuted" })));
    assert_eq!(refuted.content, json!({ "caption": "ą🙂" }));

    let again = journal.intend(intent(first.clone(), attempt, &lease, 5)).await?;
    assert_eq!(again, EffectGate::Act, "what is proven absent may be done");
    assert_eq!(
        journal
            .effects(task)
            .await?
            .first()
            .map(|effect| effect.baseline.clone()),
        Some(json!({ "posts": 5 }))
    );
    journal
        .settle(finding(first.clone(), attempt, &lease, EffectState::Confirmed))
        .await?;
    let closed = journal.intend(intent(first, attempt, &lease, 5)).await?;
    assert_eq!(closed, EffectGate::Closed(EffectState::Confirmed));
    Ok(())
}

pub(super) async fn only_a_live_attempt_may_act_or_tell(subject: Subject) -> Checked {
    let own = lease(subject.epoch().await?, "own");
    let (task, attempt) = subject.running("p1", &own).await?;
    let journal = &subject.journal;
    let other = lease(own.epoch, "other");

    assert_eq!(
        journal.intend(intent(key(task, 0), attempt, &other, 1)).await?,
        EffectGate::Fenced
    );
    assert_eq!(
        journal.intend(intent(key(task, 0), attempt, &own, 1)).await?,
        EffectGate::Act
    );
    let stranger = journal
        .settle(finding(key(task, 0), attempt, &other, EffectState::Confirmed))
        .await;
    assert!(stranger.is_err(), "who has no lease tells nothing");
    subject.end(task, attempt, &own, completed()).await?;
    assert_eq!(
        journal.intend(intent(key(task, 1), attempt, &own, 1)).await?,
        EffectGate::Fenced
    );

    let (next, attempt) = subject.running("p2", &own).await?;
    subject.epoch().await?;
    assert_eq!(
        journal.intend(intent(key(next, 0), attempt, &own, 1)).await?,
        EffectGate::Fenced
    );
    Ok(())
}

pub(super) async fn an_attempt_that_is_stopped_after_its_effect_was_confirmed_completes_its_task(
    subject: Subject,
) -> Checked {
    let lease = lease(subject.epoch().await?, "t");
    let again = || TaskNext::Again {
        due_at: after(60),
        purpose: Purpose::Execute,
        remark: "the phone went away".to_owned(),
        counts: false,
    };
    let stopped = || failed(FailureReason::Stopped);
    let one_of_several = json!({ ONE_OF_SEVERAL: true });
    for (device, content, settled, next, wanted) in [
        (
            "p1",
            json!({}),
            Some(EffectState::Confirmed),
            stopped(),
            TaskState::Completed,
        ),
        (
            "p2",
            json!({}),
            Some(EffectState::Confirmed),
            again(),
            TaskState::Completed,
        ),
        (
            "p3",
            json!({}),
            Some(EffectState::Refuted),
            stopped(),
            TaskState::Failed,
        ),
        ("p4", json!({}), None, stopped(), TaskState::Failed),
        (
            "p5",
            one_of_several,
            Some(EffectState::Confirmed),
            stopped(),
            TaskState::Failed,
        ),
    ] {
        let (task, attempt) = subject.running(device, &lease).await?;
        let intent = EffectIntent {
            content,
            ..intent(key(task, 0), attempt, &lease, 4)
        };
        assert_eq!(subject.journal.intend(intent).await?, EffectGate::Act);
        if let Some(state) = settled {
            let finding = finding(key(task, 0), attempt, &lease, state);
            subject.journal.settle(finding).await?;
        }
        subject.store.intend_stop(task, after(1)).await?;

        assert!(subject.end(task, attempt, &lease, next).await?, "{device}");

        assert_eq!(subject.state(task).await?, Some(wanted), "{device}: {settled:?}");
    }
    let stats = subject.store.stats().await?;
    assert_eq!((stats.running, stats.completed, stats.failed), (0, 2, 3));
    Ok(())
}
