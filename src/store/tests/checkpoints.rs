//! Where a task is taken up.

use farmhand_actors::{
    domain::{Checkpoint, EffectState, FailureReason, Purpose, Reached},
    ports::{AttemptJournal, Resolution, TaskStore},
};

use super::{
    effects::{finding, intent},
    *,
};

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

/// What another task is about to do, and what becomes of it.
#[derive(Debug, Clone, Copy)]
enum Act {
    Open,
    Known(EffectState),
}

async fn act(farm: &Farm, username: &str, act: Act) -> TaskId {
    let id = farm.submit_one(task_for("a", Some(username))).await;
    let claimed = farm.claim(id, "a", Some(username)).await;
    let intent = intent(farm, &claimed, 0);
    farm.store.intend(intent.clone()).await.expect("answers");
    if let Act::Known(state) = act {
        farm.store.settle(finding(&intent, state)).await.expect("settles");
    }
    farm.finish(&claimed, failed(FailureReason::Stopped)).await;
    id
}

/// What was counted before the checkpoint would be compared with what they have added.
#[tokio::test]
async fn what_others_do_for_the_account_after_a_checkpoint_or_may_do_is_seen() {
    let confirmed = Act::Known(EffectState::Confirmed);
    let refuted = Act::Known(EffectState::Refuted);
    // What was before, what a person says of it (or that it is deleted), what comes after, and whether that is seen.
    for (before, said, after, seen) in [
        (None, None, None, false),
        (Some(confirmed), None, None, false),
        (Some(refuted), None, None, false),
        (Some(Act::Open), None, None, true),
        (Some(Act::Open), Some(Some(true)), None, true),
        (Some(Act::Open), Some(Some(false)), None, false),
        (Some(Act::Open), Some(None), None, true),
        (Some(confirmed), Some(None), None, false),
        (None, None, Some(("anna", confirmed)), true),
        (None, None, Some(("anna", Act::Open)), true),
        (None, None, Some(("anna", refuted)), false),
        (None, None, Some(("bert", confirmed)), false),
    ] {
        let farm = Farm::new().await;
        let (anna, phone) = (username_of("anna"), serial_of("a"));
        let acted = async |task| {
            let found = farm.store.acted_since_checkpoint(task, Some(&anna), &phone);
            found.await.expect("reads")
        };
        let other = match before {
            Some(before) => Some(act(&farm, "anna", before).await),
            None => None,
        };
        let id = farm.submit_one(task_for("a", Some("anna"))).await;
        let mut claim = farm.claim_of(id, "a", Some("anna"));
        claim.at = Timestamp::now() + Duration::from_secs(2);
        let word = |task, done| Resolution {
            task,
            done,
            note: String::new(),
            at: claim.at + Duration::from_secs(5),
        };
        let mut claimed = farm.store.claim(vec![claim.clone()]).await.expect("claims");
        let claimed = claimed.pop().flatten().expect("was pending");
        assert!(!acted(id).await, "there is no checkpoint");
        let reached = checkpoint(&farm, &claimed, &format!("token-{id}"));
        farm.store.reach(reached).await.expect("writes");
        // What it has done itself is no other's.
        let own = intent(&farm, &claimed, 0);
        farm.store.intend(own.clone()).await.expect("answers");
        farm.store
            .settle(finding(&own, EffectState::Confirmed))
            .await
            .expect("settles");
        farm.finish(&claimed, again(20, Purpose::Execute, true)).await;
        match (other, said) {
            (Some(other), Some(Some(done))) => _ = farm.store.resolve(word(other, done)).await.expect("resolves"),
            (Some(other), Some(None)) => _ = farm.store.delete(vec![other]).await.expect("deletes"),
            _ => {}
        }
        if let Some((username, after)) = after {
            act(&farm, username, after).await;
        }
        assert_eq!(acted(id).await, seen, "{before:?} {said:?} {after:?}");
    }
}
