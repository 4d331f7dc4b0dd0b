//! The gate to what cannot be undone.

use farmhand_actors::{
    domain::{EffectFinding, EffectGate, EffectIntent, EffectKey, EffectState, FailureReason, Purpose, TaskState},
    ports::{
        AccountStore, AttemptJournal, MaterialStore, Resolution, ResolveResult, RetryFilter, RetryResult, StoreError,
        TaskStore,
    },
};

use serde_json::json;

use super::*;

pub(super) fn intent(farm: &Farm, claimed: &Claimed, ordinal: u32) -> EffectIntent {
    EffectIntent {
        key: EffectKey {
            task: claimed.task,
            step: "publish".into(),
            ordinal,
        },
        attempt: claimed.attempt,
        lease: farm.lease(&format!("token-{}", claimed.task)),
        content: json!({"caption": "hi"}),
        baseline: json!({"posts": 3}),
    }
}

pub(super) fn finding(intent: &EffectIntent, state: EffectState) -> EffectFinding {
    EffectFinding {
        key: intent.key.clone(),
        attempt: intent.attempt,
        lease: intent.lease.clone(),
        state,
        evidence: json!({"posts": 4}),
    }
}

async fn claimed_task(farm: &Farm) -> Claimed {
    let id = farm.submit_one(task_for("a", Some("anna"))).await;
    farm.claim(id, "a", Some("anna")).await
}

async fn effect_states(farm: &Farm, task: TaskId) -> Vec<EffectState> {
    let effects = farm.store.effects(task).await.expect("reads");
    effects.into_iter().map(|effect| effect.state).collect()
}

#[tokio::test]
async fn the_gate_opens_once() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    let intent = intent(&farm, &claimed, 0);

    assert_eq!(
        farm.store.intend(intent.clone()).await.expect("answers"),
        EffectGate::Act
    );
    let closed = EffectGate::Closed(EffectState::Intended);
    assert_eq!(farm.store.intend(intent.clone()).await.expect("answers"), closed);

    farm.store
        .settle(finding(&intent, EffectState::Unknown))
        .await
        .expect("settles");
    farm.store
        .settle(finding(&intent, EffectState::Unknown))
        .await
        .expect("settles");
    let closed = EffectGate::Closed(EffectState::Unknown);
    assert_eq!(farm.store.intend(intent.clone()).await.expect("answers"), closed);
    let effects = farm.store.effects(claimed.task).await.expect("reads");
    assert_eq!(
        (effects[0].unknown_checks, effects[0].evidence.clone()),
        (2, Some(json!({"posts": 4})))
    );
    assert_eq!(
        (&effects[0].content, &effects[0].baseline),
        (&intent.content, &intent.baseline)
    );

    farm.store
        .settle(finding(&intent, EffectState::Refuted))
        .await
        .expect("settles");
    assert_eq!(
        farm.store.intend(intent.clone()).await.expect("answers"),
        EffectGate::Act
    );
    farm.store
        .settle(finding(&intent, EffectState::Confirmed))
        .await
        .expect("settles");
    let closed = EffectGate::Closed(EffectState::Confirmed);
    assert_eq!(farm.store.intend(intent.clone()).await.expect("answers"), closed);
    // Told once more it is the same; told otherwise it is refused.
    farm.store
        .settle(finding(&intent, EffectState::Confirmed))
        .await
        .expect("settles");
    let otherwise = farm.store.settle(finding(&intent, EffectState::Refuted)).await;
    assert!(matches!(otherwise, Err(StoreError::Conflict(_))), "{otherwise:?}");
}

#[tokio::test]
async fn each_ordinal_is_an_effect_of_its_own() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;

    for ordinal in [0, 1] {
        let gate = farm
            .store
            .intend(intent(&farm, &claimed, ordinal))
            .await
            .expect("answers");
        assert_eq!(gate, EffectGate::Act);
    }

    let effects = farm.store.effects(claimed.task).await.expect("reads");
    assert_eq!(
        effects.iter().map(|effect| effect.key.ordinal).collect::<Vec<_>>(),
        [0, 1]
    );
}

#[tokio::test]
async fn without_the_lease_the_gate_stays_shut() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    let good = intent(&farm, &claimed, 0);
    let mut stolen = good.clone();
    stolen.lease.token = "stolen".into();
    let mut old = good.clone();
    old.lease.epoch = Epoch(0);

    for intent in [stolen.clone(), old] {
        assert_eq!(farm.store.intend(intent).await.expect("answers"), EffectGate::Fenced);
    }
    assert_eq!(farm.store.effects(claimed.task).await.expect("reads"), []);
    farm.store.intend(good.clone()).await.expect("answers");
    assert!(
        farm.store
            .settle(finding(&stolen, EffectState::Confirmed))
            .await
            .is_err()
    );
    farm.finish(&claimed, again(30, Purpose::Verify, false)).await;
    assert_eq!(farm.store.intend(good).await.expect("answers"), EffectGate::Fenced);
    assert_eq!(effect_states(&farm, claimed.task).await, [EffectState::Intended]);
}

#[tokio::test]
async fn only_what_was_intended_can_be_settled_and_only_by_what_can_be_seen() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    let intent = intent(&farm, &claimed, 0);

    assert!(
        farm.store
            .settle(finding(&intent, EffectState::Confirmed))
            .await
            .is_err()
    );
    farm.store.intend(intent.clone()).await.expect("answers");
    assert!(
        farm.store
            .settle(finding(&intent, EffectState::ResolvedDone))
            .await
            .is_err()
    );

    assert_eq!(effect_states(&farm, claimed.task).await, [EffectState::Intended]);
}

#[tokio::test]
async fn a_completed_task_has_no_open_effect() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    farm.store.intend(intent(&farm, &claimed, 0)).await.expect("answers");

    farm.finish(&claimed, completed()).await;

    assert_eq!(effect_states(&farm, claimed.task).await, [EffectState::Confirmed]);
}

#[tokio::test]
async fn a_person_who_saw_it_completes_the_task() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    farm.store.intend(intent(&farm, &claimed, 0)).await.expect("answers");
    farm.finish(&claimed, failed(FailureReason::OutcomeUnknown)).await;
    assert_eq!(effect_states(&farm, claimed.task).await, [EffectState::Unknown]);
    let word = Resolution {
        task: claimed.task,
        done: true,
        note: "I saw it".to_owned(),
        at: at(50),
    };

    assert_eq!(
        farm.store.resolve(word.clone()).await.expect("resolves"),
        ResolveResult::Resolved(Some(username_of("anna")))
    );

    let task = farm.task(claimed.task).await;
    assert_eq!(
        (task.state, task.failure, task.finished_at),
        (TaskState::Completed, None, Some(at(50)))
    );
    assert!(task.remark.contains("I saw it"), "{}", task.remark);
    assert_eq!(effect_states(&farm, claimed.task).await, [EffectState::ResolvedDone]);
    let again = farm.store.resolve(word).await.expect("answers");
    assert_eq!(again, ResolveResult::WrongState(TaskState::Completed));
    let uses = farm.store.account_uses(at(-1_000_000_000)).await.expect("reads");
    assert_eq!(
        uses.iter().map(|used| used.username.as_str()).collect::<Vec<_>>(),
        ["anna"]
    );
    assert_eq!(farm.store.stats().await.expect("counts").completed, 1);
}

#[tokio::test]
async fn a_person_who_saw_that_it_is_not_there_opens_the_gate_again() {
    // Also of a task that was stopped in the middle of its effect, and whose phone may be lost.
    for reason in [FailureReason::OutcomeUnknown, FailureReason::Stopped] {
        is_opened_again(reason).await;
    }
}

async fn is_opened_again(reason: FailureReason) {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    farm.store.intend(intent(&farm, &claimed, 0)).await.expect("answers");
    farm.finish(&claimed, failed(reason)).await;
    let word = Resolution {
        task: claimed.task,
        done: false,
        note: String::new(),
        at: at(50),
    };

    assert_eq!(
        farm.store.resolve(word).await.expect("resolves"),
        ResolveResult::Resolved(Some(username_of("anna")))
    );

    let failure = farm.task(claimed.task).await.failure.expect("still failed");
    assert!(
        failure.retryable && failure.reason != FailureReason::OutcomeUnknown,
        "{failure:?}"
    );
    farm.store.retry(claimed.task, at(60)).await.expect("retries");
    let claimed = farm.claim(claimed.task, "a", Some("anna")).await;
    assert_eq!(claimed.purpose, Purpose::Execute);
    assert_eq!(
        farm.store.intend(intent(&farm, &claimed, 0)).await.expect("answers"),
        EffectGate::Act
    );
}

#[tokio::test]
async fn a_retry_with_an_open_effect_looks_first() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    farm.store.intend(intent(&farm, &claimed, 0)).await.expect("answers");
    farm.finish(&claimed, failed(FailureReason::OutcomeUnknown)).await;

    let filter = RetryFilter {
        include_unknown: true,
        ..RetryFilter::default()
    };
    let all = farm.store.retry_all(filter, at(60)).await.expect("retries");

    assert_eq!(all.retried[0].purpose, Purpose::Verify);
    let unknown = farm
        .store
        .resolve(Resolution {
            task: TaskId(9),
            done: true,
            note: String::new(),
            at: at(61),
        })
        .await;
    assert_eq!(unknown.expect("answers"), ResolveResult::NotFound);
}

#[tokio::test]
async fn what_is_confirmed_counts_and_uses_up_its_files_in_the_same_transaction() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    let mut intent = intent(&farm, &claimed, 0);
    intent.content = json!({"media": [{"name": "a.mp4", "sha256": "aa"}, {"name": "b.mp4", "sha256": "bb"}]});
    farm.store.intend(intent.clone()).await.expect("answers");
    let long_ago = at(-1_000_000_000);
    assert_eq!(farm.store.account_uses(long_ago).await.expect("reads"), []);

    let confirmed = finding(&intent, EffectState::Confirmed);
    farm.store.settle(confirmed.clone()).await.expect("settles");
    farm.store.settle(confirmed).await.expect("changes nothing");

    let uses = farm.store.account_uses(long_ago).await.expect("reads");
    assert_eq!((uses.len(), uses[0].username.as_str()), (1, "anna"));
    let files = ["aa", "bb", "cc"].map(str::to_owned);
    let used = farm.store.used_media(&uses[0].username, &files).await.expect("reads");
    assert_eq!(used, ["aa", "bb"]);
    let finished = farm.end(&claimed, completed()).await;
    assert_eq!((finished.written, finished.done, finished.acts.len()), (true, true, 1));
    assert_eq!(farm.store.account_uses(long_ago).await.expect("reads").len(), 1);
}

#[tokio::test]
async fn an_effect_has_a_rival_when_another_task_of_its_script_and_account_has_acted_since_or_may_have() {
    let farm = Farm::new().await;
    let rival = async |effect: &EffectIntent, username: Option<&str>| {
        let username = username.map(username_of);
        let serial = serial_of("a");
        farm.store
            .has_rival(&effect.key, username.as_ref(), &serial, false)
            .await
            .expect("reads")
    };
    let begin = async |username: Option<&str>, script: &str| {
        let mut task = task_for("a", username);
        task.script = script_of(script);
        let id = farm.submit_one(task).await;
        let claimed = farm.claim(id, "a", username).await;
        let intent = intent(&farm, &claimed, 0);
        farm.store.intend(intent.clone()).await.expect("answers");
        (claimed, intent)
    };
    let end = async |claimed: &Claimed, intent: &EffectIntent, state| {
        farm.store.settle(finding(intent, state)).await.expect("settles");
        farm.finish(claimed, failed(FailureReason::Stopped)).await;
    };
    let (claimed, first) = begin(Some("anna"), "post").await;
    farm.finish(&claimed, failed(FailureReason::Stopped)).await;
    assert!(!rival(&first, Some("anna")).await, "nobody has acted since");

    // Others have, and one of the account's own was refuted.
    for (username, script, state) in [
        (Some("bert"), "post", EffectState::Confirmed),
        (Some("anna"), "follow", EffectState::Confirmed),
        (Some("anna"), "post", EffectState::Refuted),
    ] {
        let (claimed, intent) = begin(username, script).await;
        end(&claimed, &intent, state).await;
        assert!(!rival(&first, Some("anna")).await, "{username:?} {script} {state:?}");
    }
    let (claimed, second) = begin(Some("anna"), "post").await;
    assert!(rival(&first, Some("anna")).await);
    assert!(rival(&second, Some("anna")).await, "nobody knows of the first one");
    end(&claimed, &second, EffectState::Confirmed).await;
    assert!(rival(&first, Some("anna")).await);
    // What it did counts also when its task is gone.
    farm.store.delete(vec![claimed.task]).await.expect("deletes");
    assert!(rival(&first, Some("anna")).await);
}

/// An `unfollow` of the same person takes a `follow` back.
#[tokio::test]
async fn an_effect_is_touched_again_by_another_task_of_the_account_on_the_same_target() {
    let farm = Farm::new().await;
    let mut keys = Vec::new();
    for (script, username, target) in [
        ("follow", "anna", "bob"),
        ("unfollow", "bert", "bob"),
        ("unfollow", "anna", "carol"),
        ("unfollow", "anna", "bob"),
    ] {
        let mut task = task_for("a", Some(username));
        task.script = script_of(script);
        let id = farm.submit_one(task).await;
        let claimed = farm.claim(id, "a", Some(username)).await;
        let mut intent = intent(&farm, &claimed, 0);
        intent.content = json!({"username": username, "params": {"target_users": [target], "action": script}});
        farm.store.intend(intent.clone()).await.expect("answers");
        farm.finish(&claimed, failed(FailureReason::Stopped)).await;
        keys.push(intent.key);
        let touched = farm
            .store
            .was_touched_again(&keys[0], "target_users")
            .await
            .expect("reads");
        assert_eq!(touched, keys.len() == 4, "{script} {username} {target}");
    }
    assert!(
        !farm
            .store
            .was_touched_again(&keys[3], "target_users")
            .await
            .expect("reads")
    );
}

/// The row of an effect that is intended once more is as old as its first intent.
#[tokio::test]
async fn what_was_done_later_is_told_by_the_attempts_and_not_by_the_rows() {
    let farm = Farm::new().await;
    let act = async |task: TaskId, username: &str, state: Option<EffectState>| {
        let claimed = farm.claim(task, "a", Some(username)).await;
        let mut intent = intent(&farm, &claimed, 0);
        intent.content = json!({"username": username, "params": {"target_users": ["bob"]}});
        let gate = farm.store.intend(intent.clone()).await.expect("answers");
        assert_eq!(gate, EffectGate::Act);
        if let Some(state) = state {
            farm.store.settle(finding(&intent, state)).await.expect("settles");
        }
        farm.finish(&claimed, failed(FailureReason::Stopped)).await;
        intent.key
    };
    let again = async |task: TaskId| {
        let retried = farm.store.retry(task, Timestamp::now()).await.expect("answers");
        assert!(matches!(retried, RetryResult::Retried(_)), "{retried:?}");
    };
    let touched = async |key: &EffectKey| {
        let touched = farm.store.was_touched_again(key, "target_users").await;
        touched.expect("reads")
    };

    let first = farm.submit_one(task_for("a", Some("anna"))).await;
    let second = farm.submit_one(task_for("a", Some("anna"))).await;
    act(first, "anna", Some(EffectState::Refuted)).await;
    let open = act(second, "anna", None).await;
    assert!(!touched(&open).await);
    again(first).await;
    let later = act(first, "anna", Some(EffectState::Confirmed)).await;
    assert!(touched(&open).await, "the first task has acted after the second");
    assert!(!touched(&later).await);

    // What was over before an act was intended once more is nothing that came after it.
    let third = farm.submit_one(task_for("a", Some("bert"))).await;
    let fourth = farm.submit_one(task_for("a", Some("bert"))).await;
    act(third, "bert", Some(EffectState::Refuted)).await;
    act(fourth, "bert", Some(EffectState::Confirmed)).await;
    again(third).await;
    let open = act(third, "bert", None).await;
    let bert = username_of("bert");
    let rival = farm.store.has_rival(&open, Some(&bert), &serial_of("a"), false).await;
    assert!(!rival.expect("reads"));
}

/// A check that compares captions sees whose post is the newest.
#[tokio::test]
async fn two_acts_that_the_check_can_tell_apart_are_no_rivals() {
    let farm = Farm::new().await;
    let (anna, serial) = (username_of("anna"), serial_of("a"));
    let post = async |script: &str, same: serde_json::Value| {
        let content = json!({ "hash": "x", "same": same });
        act(&farm, ("a", Some("anna"), script), content, None).await
    };
    let rival = async |key: &EffectKey, by_same: bool| {
        let rival = farm.store.has_rival(key, Some(&anna), &serial, by_same).await;
        rival.expect("reads")
    };
    let first = post("post", json!(["one"])).await;
    let second = post("post", json!(["two"])).await;
    assert_eq!((rival(&first, true).await, rival(&second, true).await), (false, false));
    assert_eq!((rival(&first, false).await, rival(&second, false).await), (true, true));

    // What other scripts call the same is not to be compared, nor what an older version of the flow has kept.
    let third = post("promo", json!(["three"])).await;
    assert_eq!((rival(&first, true).await, rival(&third, true).await), (true, true));
    let farm = Farm::new().await;
    let content = json!({ "hash": "x" });
    let older = act(&farm, ("a", Some("anna"), "post"), content, None).await;
    let content = json!({ "hash": "x", "same": ["one"] });
    let later = act(&farm, ("a", Some("anna"), "post"), content.clone(), None).await;
    let rival = async |key: &EffectKey| {
        farm.store
            .has_rival(key, Some(&anna), &serial, true)
            .await
            .expect("reads")
    };
    assert_eq!((rival(&older).await, rival(&later).await), (true, true));
    let again = act(&farm, ("a", Some("anna"), "post"), content, None).await;
    assert!(rival(&again).await);
}

/// Another script may bring the same file into the world, but a follow is no post.
#[tokio::test]
async fn two_effects_with_files_are_rivals_whatever_their_scripts() {
    let farm = Farm::new().await;
    let mut keys = Vec::new();
    for (script, content) in [
        ("post", json!({"hash": "x"})),
        ("follow", json!({})),
        ("promo", json!({"hash": "y"})),
    ] {
        let mut task = task_for("a", Some("anna"));
        task.script = script_of(script);
        let id = farm.submit_one(task).await;
        let claimed = farm.claim(id, "a", Some("anna")).await;
        let mut intent = intent(&farm, &claimed, 0);
        intent.content = content;
        farm.store.intend(intent.clone()).await.expect("answers");
        farm.finish(&claimed, failed(FailureReason::Stopped)).await;
        keys.push(intent.key);
    }
    let mut rivals = Vec::new();
    for key in &keys {
        let anna = username_of("anna");
        rivals.push(
            farm.store
                .has_rival(key, Some(&anna), &serial_of("a"), false)
                .await
                .expect("reads"),
        );
    }
    assert_eq!(rivals, [true, false, true]);
}

#[tokio::test]
async fn whatever_ends_an_attempt_after_its_effect_was_confirmed_the_task_is_completed() {
    let farm = Farm::new().await;
    for next in [
        failed(FailureReason::Stopped),
        failed(FailureReason::Timeout),
        again(100, Purpose::Execute, true),
    ] {
        let claimed = claimed_task(&farm).await;
        let intent = intent(&farm, &claimed, 0);
        farm.store.intend(intent.clone()).await.expect("answers");
        farm.store
            .settle(finding(&intent, EffectState::Confirmed))
            .await
            .expect("settles");

        let finished = farm.end(&claimed, next).await;

        assert!(finished.done, "{finished:?}");
        let task = farm.task(claimed.task).await;
        assert_eq!((task.state, task.failure), (TaskState::Completed, None));
        assert!(task.remark.starts_with("done; what came after it"), "{}", task.remark);
    }
}

#[tokio::test]
async fn of_several_effects_a_confirmed_one_does_not_complete_a_task_that_was_stopped() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    let mut intent = intent(&farm, &claimed, 0);
    intent.content = json!({"one_of_several": true});
    farm.store.intend(intent.clone()).await.expect("answers");
    farm.store
        .settle(finding(&intent, EffectState::Confirmed))
        .await
        .expect("settles");

    let finished = farm.end(&claimed, failed(FailureReason::Stopped)).await;

    assert_eq!((finished.done, finished.acts.len()), (false, 1));
    assert_eq!(farm.task(claimed.task).await.state, TaskState::Failed);
}

#[tokio::test]
async fn a_task_that_is_stopped_before_it_was_verified_says_that_it_may_have_taken_place() {
    let farm = Farm::new().await;
    let claimed = claimed_task(&farm).await;
    farm.store.intend(intent(&farm, &claimed, 0)).await.expect("answers");
    farm.end(&claimed, again(100, Purpose::Verify, false)).await;

    farm.store.intend_stop(claimed.task, at(50)).await.expect("stops");

    let failure = farm.task(claimed.task).await.failure.expect("a failure");
    assert!(failure.message.contains("a retry looks first"), "{}", failure.message);
}

/// Acts once: claims a new task of the script and ends it stopped, its effect in this state, or open.
async fn act(
    farm: &Farm,
    (serial, username, script): (&str, Option<&str>, &str),
    content: serde_json::Value,
    state: Option<EffectState>,
) -> EffectKey {
    let mut task = task_for(serial, username);
    task.script = script_of(script);
    let id = farm.submit_one(task).await;
    let claimed = farm.claim(id, serial, username).await;
    let mut intent = intent(farm, &claimed, 0);
    intent.content = content;
    farm.store.intend(intent.clone()).await.expect("answers");
    if let Some(state) = state {
        farm.store.settle(finding(&intent, state)).await.expect("settles");
    }
    farm.finish(&claimed, failed(FailureReason::Stopped)).await;
    intent.key
}

async fn is_rival(farm: &Farm, key: &EffectKey, username: Option<&str>, serial: &str) -> bool {
    let username = username.map(username_of);
    let rival = farm
        .store
        .has_rival(key, username.as_ref(), &serial_of(serial), false)
        .await;
    rival.expect("reads")
}

async fn repeated(farm: &Farm, username: Option<&str>, serial: &str) -> Option<TaskId> {
    let (username, since) = (username.map(username_of), Timestamp::now() - Duration::from_secs(3_600));
    let found = farm
        .store
        .find_repeated(TaskId(999), username.as_ref(), &serial_of(serial), "x", since)
        .await;
    found.expect("reads")
}

/// Has SQL change the file behind the store's back.
async fn tamper(farm: &Farm, sql: &'static str) {
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    let options = SqliteConnectOptions::new().filename(farm.path());
    let mut conn = options.connect().await.expect("connects");
    sqlx::query(sql).execute(&mut conn).await.expect("writes");
    conn.close().await.expect("closes");
}

#[tokio::test]
async fn the_same_content_is_found_also_when_its_task_was_deleted_until_that_is_forgotten() {
    for state in [Some(EffectState::Confirmed), Some(EffectState::Unknown), None] {
        let farm = Farm::new().await;
        let key = act(&farm, ("a", Some("anna"), "post"), json!({"hash": "x"}), state).await;
        assert_eq!(repeated(&farm, Some("anna"), "b").await, Some(key.task));

        farm.store.delete(vec![key.task]).await.expect("deletes");

        assert_eq!(repeated(&farm, Some("anna"), "b").await, Some(key.task), "{state:?}");
        assert_eq!(repeated(&farm, Some("bert"), "a").await, None);
        let later = Timestamp::now() + Duration::from_secs(32 * 24 * 60 * 60);
        farm.store.prune(later).await.expect("prunes");
        assert_eq!(repeated(&farm, Some("anna"), "b").await, None);
    }
}

#[tokio::test]
async fn what_was_refuted_is_forgotten_with_its_task() {
    let farm = Farm::new().await;
    let refuted = Some(EffectState::Refuted);
    let key = act(&farm, ("a", Some("anna"), "post"), json!({"hash": "x"}), refuted).await;
    farm.store.delete(vec![key.task]).await.expect("deletes");
    assert_eq!(repeated(&farm, Some("anna"), "a").await, None);
}

#[tokio::test]
async fn without_an_account_the_same_content_is_looked_for_on_the_phone() {
    for (acted, asked) in [(None, None), (None, Some("anna")), (Some("anna"), None)] {
        let farm = Farm::new().await;
        let key = act(&farm, ("a", acted, "post"), json!({"hash": "x"}), None).await;
        for deleted in [false, true] {
            if deleted {
                farm.store.delete(vec![key.task]).await.expect("deletes");
            }
            assert_eq!(repeated(&farm, asked, "a").await, Some(key.task), "{acted:?} {asked:?}");
            assert_eq!(repeated(&farm, asked, "b").await, None, "{acted:?} {asked:?}");
        }
    }
}

#[tokio::test]
async fn an_act_without_an_account_is_a_rival_of_any_on_its_phone_also_when_its_task_was_deleted() {
    for (own, other) in [(None, None), (None, Some("anna")), (Some("anna"), None)] {
        let farm = Farm::new().await;
        let key = act(&farm, ("a", own, "post"), json!({}), None).await;
        act(&farm, ("b", other, "post"), json!({}), None).await;
        let elsewhere = own.is_none() || other.is_none();
        assert_eq!(is_rival(&farm, &key, own, "a").await, !elsewhere);
        let later = act(&farm, ("a", other, "post"), json!({}), Some(EffectState::Confirmed)).await;
        assert!(is_rival(&farm, &key, own, "a").await, "{own:?} {other:?}");
        farm.store.delete(vec![later.task]).await.expect("deletes");
        assert!(is_rival(&farm, &key, own, "a").await, "{own:?} {other:?}, deleted");
    }
}

/// Else one lost confirmation would make all that follow unknown.
#[tokio::test]
async fn an_act_that_was_not_believed_is_as_old_as_the_one_because_of_which_it_was_not() {
    let farm = Farm::new().await;
    let since = Timestamp::now() - Duration::from_secs(3_600);
    let act = async |evidence: serde_json::Value| {
        let task = farm.submit_one(task_for("a", Some("anna"))).await;
        let claimed = farm.claim(task, "a", Some("anna")).await;
        let mut intent = intent(&farm, &claimed, 0);
        intent.content = json!({"hash": "x"});
        farm.store.intend(intent.clone()).await.expect("answers");
        // A later look that finds nothing out does not forget it.
        for evidence in [evidence, json!({})] {
            let mut found = finding(&intent, EffectState::Unknown);
            found.evidence = evidence;
            farm.store.settle(found).await.expect("settles");
        }
        farm.finish(&claimed, failed(FailureReason::Stopped)).await;
        intent.key
    };
    let old = Timestamp::now() - Duration::from_secs(1_200);
    let unbelieved = act(json!({ "unbelieved_since": old.as_millisecond() })).await;
    let newest = async |task| {
        farm.store
            .newest_open(task, &serial_of("a"), "", since)
            .await
            .expect("reads")
    };
    let newest_of = newest(TaskId(999)).await.expect("one is open");
    assert_eq!(newest_of.as_millisecond(), old.as_millisecond());
    assert_eq!(newest(unbelieved.task).await, None);

    let next = act(json!({})).await;
    assert!(!is_rival(&farm, &next, Some("anna"), "a").await);
    let after_it = act(json!({})).await;
    assert!(is_rival(&farm, &after_it, Some("anna"), "a").await);
    farm.store
        .delete(vec![next.task, after_it.task])
        .await
        .expect("deletes");
    assert!(
        newest(TaskId(999)).await > Some(old),
        "those that are gone may still be told of"
    );
}

#[tokio::test]
async fn an_act_in_another_app_of_the_phone_is_no_rival() {
    for (package, rival) in [("app.one", true), ("app.two", false), ("", true)] {
        let farm = Farm::new().await;
        let content = json!({"hash": "x", "package": "app.one"});
        let key = act(&farm, ("a", Some("anna"), "post"), content, None).await;
        let content = json!({"hash": "y", "package": package});
        act(&farm, ("a", None, "post"), content, Some(EffectState::Confirmed)).await;
        assert_eq!(is_rival(&farm, &key, Some("anna"), "a").await, rival, "{package}");
    }
}

#[tokio::test]
async fn an_effect_is_touched_again_by_a_task_that_was_deleted_and_by_one_without_an_account() {
    for (own, other) in [(Some("anna"), Some("anna")), (Some("anna"), None), (None, Some("anna"))] {
        let farm = Farm::new().await;
        let params = json!({"params": {"target_users": ["bob"]}});
        let key = act(&farm, ("a", own, "follow"), params.clone(), None).await;
        let touched = async || farm.store.was_touched_again(&key, "target_users").await.expect("reads");
        assert!(!touched().await);
        let done = Some(EffectState::Confirmed);
        let later = act(&farm, ("a", other, "unfollow"), params, done).await;
        assert!(touched().await, "{own:?} {other:?}");
        farm.store.delete(vec![later.task]).await.expect("deletes");
        assert!(touched().await, "{own:?} {other:?}, deleted");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_hides_neither_the_same_content_nor_a_rival() {
    for deleted in [false, true] {
        let farm = Farm::new().await;
        let first = act(&farm, ("a", Some("anna"), "post"), json!({"hash": "x"}), None).await;
        tamper(&farm, "UPDATE effect SET intended_at = intended_at - 2 * 86400000").await;
        let second = act(&farm, ("a", Some("anna"), "post"), json!({"hash": "y"}), None).await;
        if deleted {
            farm.store.delete(vec![first.task]).await.expect("deletes");
        }
        assert_eq!(repeated(&farm, Some("anna"), "a").await, Some(first.task));
        assert!(is_rival(&farm, &second, Some("anna"), "a").await);
        // Another process has another clock: then the wall clock has to be believed.
        farm.store.begin_epoch(at(1)).await.expect("begins");
        assert_eq!(repeated(&farm, Some("anna"), "a").await, None);
    }
}

#[tokio::test]
async fn files_that_may_have_been_published_are_used_also_when_the_task_was_deleted() {
    let farm = Farm::new().await;
    let content = json!({"media": [{"name": "a.mp4", "sha256": "aa"}]});
    let key = act(&farm, ("a", Some("anna"), "post"), content.clone(), None).await;
    let refuted = Some(EffectState::Refuted);
    act(&farm, ("a", Some("bert"), "post"), content, refuted).await;
    let used = async |name: &str| {
        let used = farm.store.used_media(&username_of(name), &["aa".to_owned()]).await;
        used.expect("reads")
    };
    assert_eq!(used("anna").await, ["aa"]);
    assert!(used("bert").await.is_empty());
    farm.store.delete(vec![key.task]).await.expect("deletes");
    assert_eq!(used("anna").await, ["aa"]);
}

/// The app says "posted" of the one that ended last.
#[tokio::test]
async fn an_open_act_of_another_task_is_seen_by_those_of_the_same_phone_and_app_for_its_time() {
    let farm = Farm::new().await;
    let long_ago = at(-1_000_000_000);
    let is_open = async |task: TaskId, serial: &str, package: &str, since: Timestamp| {
        let serial = serial_of(serial);
        let found = farm.store.newest_open(task, &serial, package, since).await;
        found.expect("reads").is_some()
    };
    let own = farm.submit_one(task_for("a", Some("bert"))).await;
    let claimed = claimed_task(&farm).await;
    let mut intent = intent(&farm, &claimed, 0);
    intent.content = json!({"package": "com.app"});
    farm.store.intend(intent.clone()).await.expect("answers");

    assert!(is_open(own, "a", "com.app", long_ago).await);
    assert!(!is_open(claimed.task, "a", "com.app", long_ago).await, "its own");
    assert!(!is_open(own, "b", "com.app", long_ago).await);
    assert!(!is_open(own, "a", "com.other", long_ago).await);
    assert!(is_open(own, "a", "", long_ago).await, "it may be the same app");
    let later = Timestamp::now() + std::time::Duration::from_secs(5);
    assert!(!is_open(own, "a", "com.app", later).await);
    farm.finish(&claimed, failed(FailureReason::Stopped)).await;
    assert!(is_open(own, "a", "com.app", long_ago).await);
    let word = Resolution {
        task: claimed.task,
        done: true,
        note: String::new(),
        at: at(50),
    };
    farm.store.resolve(word).await.expect("resolves");
    assert!(!is_open(own, "a", "com.app", long_ago).await);
}
