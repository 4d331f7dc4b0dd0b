//! What the next start finds and does.

use farmhand_actors::{
    domain::{
        EffectFinding, EffectIntent, EffectKey, EffectState, FailureReason, ONE_OF_SEVERAL, Purpose, RescueVerdict,
        Rescued, TaskState,
    },
    ports::{AccountStore, AttemptJournal, TaskStore},
};

use super::*;

/// A copy of the database's files as a crash would leave them: nothing was closed, nothing was moved out of the log.
async fn after_crash(farm: &Farm) -> (Arc<Store>, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["farmhand.db", "farmhand.db-wal"] {
        std::fs::copy(farm.folder.path().join(file), folder.path().join(file)).expect("copies");
    }
    (open(&folder.path().join("farmhand.db")).await, folder)
}

async fn rescue(store: &Store) -> Vec<Rescued> {
    let epoch = store.begin_epoch(at(100)).await.expect("begins");
    store.rescue(epoch, 2, at(100)).await.expect("rescues")
}

fn verdicts(rescued: &[Rescued]) -> Vec<(i64, RescueVerdict)> {
    rescued
        .iter()
        .map(|rescued| (rescued.task.0, rescued.verdict))
        .collect()
}

async fn state(store: &Store, id: i64) -> TaskState {
    store
        .get_task(TaskId(id))
        .await
        .expect("reads")
        .expect("is there")
        .state
}

fn intent(farm: &Farm, claimed: &Claimed) -> EffectIntent {
    EffectIntent {
        key: EffectKey {
            task: claimed.task,
            step: "publish".into(),
            ordinal: 0,
        },
        attempt: claimed.attempt,
        lease: farm.lease(&format!("token-{}", claimed.task)),
        content: json!({}),
        baseline: json!({}),
    }
}

async fn settle(farm: &Farm, claimed: &Claimed, state: EffectState) {
    let EffectIntent {
        key, attempt, lease, ..
    } = intent(farm, claimed);
    let finding = EffectFinding {
        key,
        attempt,
        lease,
        state,
        evidence: json!({}),
    };
    farm.store.settle(finding).await.expect("settles");
}

#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let farm = Farm::new().await;
    let ids = farm
        .submit(vec![task_for("a", None), task_for("b", None), task_for("c", None)])
        .await;
    let claimed = farm.claim(ids[1], "b", None).await;
    farm.finish(&claimed, completed()).await;
    farm.fail(ids[2], "c", FailureReason::Timeout).await;

    let (store, _folder) = after_crash(&farm).await;

    for (id, wanted) in ids
        .iter()
        .zip([TaskState::Available, TaskState::Completed, TaskState::Failed])
    {
        assert_eq!(state(&store, id.0).await, wanted);
    }
    assert_eq!(
        store.stats().await.expect("counts"),
        farm.store.stats().await.expect("counts")
    );
    assert_eq!(verdicts(&rescue(&store).await), []);
}

#[tokio::test]
async fn of_several_effects_a_confirmed_one_does_not_complete_the_task() {
    let farm = Farm::new().await;
    let ids = farm.submit(vec![task_for("a", Some("a"))]).await;
    let claimed = farm.claim(ids[0], "a", Some("a")).await;
    let mut first = intent(&farm, &claimed);
    first.content = json!({ ONE_OF_SEVERAL: true });
    farm.store.intend(first).await.expect("answers");
    settle(&farm, &claimed, EffectState::Confirmed).await;

    let (store, _folder) = after_crash(&farm).await;

    assert_eq!(verdicts(&rescue(&store).await), [(1, RescueVerdict::Repeat)]);
}

#[tokio::test]
async fn each_cut_off_attempt_gets_its_verdict() {
    let farm = Farm::new().await;
    let serials = ["a", "b", "c", "d", "e", "f"];
    let ids = farm
        .submit(serials.map(|serial| task_for(serial, Some(serial))).to_vec())
        .await;
    let mut claimed = Vec::new();
    for (id, serial) in ids.iter().zip(serials) {
        claimed.push(farm.claim(*id, serial, Some(serial)).await);
    }
    for index in [1, 2, 4, 5] {
        farm.store
            .intend(intent(&farm, &claimed[index]))
            .await
            .expect("answers");
    }
    settle(&farm, &claimed[2], EffectState::Confirmed).await;
    farm.store.intend_stop(ids[3], at(15)).await.expect("stops");
    // An open effect weighs more than the wish to stop.
    farm.store.intend_stop(ids[4], at(15)).await.expect("stops");
    settle(&farm, &claimed[5], EffectState::Refuted).await;

    let (store, _folder) = after_crash(&farm).await;
    let rescued = rescue(&store).await;

    let wanted = [
        (1, RescueVerdict::Repeat),
        (2, RescueVerdict::Verify),
        (3, RescueVerdict::Completed),
        (4, RescueVerdict::Failed(FailureReason::Stopped)),
        (5, RescueVerdict::Verify),
        (6, RescueVerdict::Repeat),
    ];
    assert_eq!(verdicts(&rescued), wanted);
    let read = async |id| store.get_task(TaskId(id)).await.expect("reads").expect("is there");
    assert_eq!(
        (read(1).await.state, read(1).await.purpose),
        (TaskState::Retryable, Purpose::Execute)
    );
    assert_eq!(
        (read(2).await.state, read(2).await.purpose),
        (TaskState::Retryable, Purpose::Verify)
    );
    assert_eq!(read(2).await.retry_count, 0);
    assert_eq!(read(3).await.state, TaskState::Completed);
    assert_eq!(read(4).await.state, TaskState::Failed);
    assert_eq!(
        store.effects(TaskId(2)).await.expect("reads")[0].state,
        EffectState::Unknown
    );
    let attempts = store.list_attempts(TaskId(1)).await.expect("reads");
    assert_eq!(attempts[0].outcome.as_deref(), Some("abandoned"));
    assert_eq!(store.lease_holders().await.expect("reads"), []);
    let uses = store.account_uses(at(-1_000_000_000)).await.expect("reads");
    assert_eq!(
        uses.iter().map(|used| used.username.as_str()).collect::<Vec<_>>(),
        ["c"]
    );
    let stats = store.stats().await.expect("counts");
    assert_eq!(
        (stats.pending, stats.running, stats.completed, stats.failed),
        (4, 0, 1, 1)
    );
    // Nothing is rescued twice.
    assert_eq!(verdicts(&rescue(&store).await), []);
}

#[tokio::test]
async fn a_task_that_kills_the_controller_again_and_again_is_given_up() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    farm.claim(id, "a", None).await;

    assert_eq!(verdicts(&rescue(&farm.store).await), [(1, RescueVerdict::Repeat)]);
    let lease = Lease {
        epoch: Epoch(2),
        token: "second".into(),
    };
    let claim = Claim {
        lease,
        ..farm.claim_of(id, "a", None)
    };
    assert!(farm.store.claim(vec![claim]).await.expect("claims")[0].is_some());
    let given_up = rescue(&farm.store).await;

    assert_eq!(
        verdicts(&given_up),
        [(1, RescueVerdict::Failed(FailureReason::Interrupted))]
    );
    let failure = farm.task(id).await.failure.expect("failed");
    assert_eq!((failure.reason, failure.retryable), (FailureReason::Interrupted, true));
}

#[tokio::test]
async fn attempts_of_this_start_are_not_rescued() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", None)).await;
    farm.claim(id, "a", None).await;

    assert_eq!(farm.store.rescue(farm.epoch, 2, at(20)).await.expect("rescues"), []);

    assert_eq!(farm.task(id).await.state, TaskState::Running);
}

#[tokio::test]
async fn a_log_that_is_cut_off_loses_only_what_comes_after_the_cut() {
    let farm = Farm::new().await;
    for _ in 0..20 {
        farm.submit_one(task_for("a", None)).await;
    }
    let log = std::fs::read(farm.folder.path().join("farmhand.db-wal")).expect("reads");
    let database = std::fs::read(farm.path()).expect("reads");
    let mut seen = Vec::new();

    for part in [0, 1, 5, 10, 15, 19, 20] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("farmhand.db");
        std::fs::write(&path, &database).expect("writes");
        std::fs::write(folder.path().join("farmhand.db-wal"), &log[..log.len() * part / 20]).expect("writes");
        let store = open(&path).await;
        let stats = store.stats().await.expect("counts");
        let (total, tasks) = store
            .list_tasks(&crate::store::TaskFilter::default(), 1, 100)
            .await
            .expect("reads");
        assert_eq!((total, tasks.len() as u64), (stats.total, stats.total));
        seen.push(stats.total);
        store.close().await;
    }

    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!((seen.first(), seen.last()), (Some(&0), Some(&20)));
}
