//! Where a task is taken up.

use farmhand_actors::{
    domain::{Checkpoint, FailureReason, Reached},
    ports::{AttemptJournal, TaskStore},
};

use super::*;

fn checkpoint(farm: &Farm, claimed: &Claimed, token: &str) -> Checkpoint {
    Checkpoint {
        task: claimed.task,
        attempt: claimed.attempt,
        lease: farm.lease(token),
        reached: Reached {
            step: "here".into(),
            flow_hash: "abc".to_owned(),
            state: json!({ "output": { "n": 1 } }),
        },
    }
}

#[tokio::test]
async fn a_checkpoint_is_kept_until_the_task_is_begun_anew() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", Some("anna"))).await;
    let claimed = farm.claim(id, "a", Some("anna")).await;
    assert_eq!(farm.store.reached(id).await.expect("reads"), None);
    let reached = checkpoint(&farm, &claimed, &format!("token-{id}"));
    farm.store.reach(reached.clone()).await.expect("writes");
    farm.store.reach(reached.clone()).await.expect("writes again");
    assert_eq!(farm.store.reached(id).await.expect("reads"), Some(reached.reached));

    farm.end(&claimed, failed(FailureReason::Timeout)).await;
    assert!(farm.store.reached(id).await.expect("reads").is_some());
    farm.store.retry(id, at(9)).await.expect("answers");
    assert_eq!(farm.store.reached(id).await.expect("reads"), None);
}

#[tokio::test]
async fn who_has_lost_the_lease_leaves_no_checkpoint() {
    let farm = Farm::new().await;
    let id = farm.submit_one(task_for("a", Some("anna"))).await;
    let claimed = farm.claim(id, "a", Some("anna")).await;
    let stale = farm.store.reach(checkpoint(&farm, &claimed, "another")).await;
    assert!(stale.is_err());
    assert_eq!(farm.store.reached(id).await.expect("reads"), None);
}
