//! What the checks of the bundled flows make of what a profile shows.

use farmhand_actors::domain::{Bounds, UiNode};

use super::*;

const POST: &str = "appId: com.example.app
farmhand: { account: none, commit: Commit, own_evidence: true, check: post/check.yaml }
---
- tapOn: { text: Post, label: Commit }
";

fn node(id: &str, text: &str, description: &str, row: i32) -> UiNode {
    UiNode {
        id: format!("com.example.app:id/{id}"),
        description: description.to_owned(),
        ..label(text, row)
    }
}

/// The profile of an account with so many posts, of which the newest has this caption.
fn profile(name: &str, posts: u32, newest: &str) -> FakePhone {
    let mut nodes = vec![
        node("tab_profile", "Profile", "", 0),
        node("account_switcher", "", "Switch account", 1),
        node("profile_username", &format!("@{name}"), "", 2),
        node("posts_count", &posts.to_string(), "", 3),
    ];
    if posts > 0 {
        nodes.push(UiNode {
            bounds: Some(Bounds {
                left: 0,
                top: 400,
                right: 100,
                bottom: 500,
            }),
            ..node("profile_post", "", newest, 4)
        });
    }
    FakePhone::new(screen(&nodes))
}

/// What the check of a post with the caption `mine` says, before which the profile was as `baseline` tells.
async fn verdict(phone: FakePhone, baseline: Value) -> EffectState {
    let mut bench = Bench::new(POST);
    for folder in ["common", "post"] {
        let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("flows")
            .join(folder);
        for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let text = std::fs::read_to_string(file.path()).unwrap();
            bench = bench.with_file(&format!("{folder}/{}", file.file_name().display()), &text);
        }
    }
    let key = EffectKey {
        task: TaskId(1),
        step: "Commit".into(),
        ordinal: 0,
    };
    bench.journal.plant(Effect {
        key,
        state: EffectState::Intended,
        content: json!({ "params": {} }),
        baseline,
        evidence: None,
        unknown_checks: 0,
    });
    // What is not done is done then: the stop lets it be seen.
    *bench.journal.stop_requested.lock().unwrap() = true;
    bench.run_as(&Arc::new(phone), Purpose::Verify, json!({})).await;
    bench.journal.states()[0]
}

#[tokio::test(start_paused = true)]
async fn a_posts_check_says_nothing_of_another_ones_profile() {
    let baseline = json!({ "posts": 3, "caption": "mine", "account": "alice", "newest": "old" });
    for (name, posts, newest, state) in [
        ("alice", 4, "mine", EffectState::Confirmed),
        ("alice", 3, "old", EffectState::Refuted),
        ("bob", 4, "mine", EffectState::Unknown),
        ("bob", 3, "old", EffectState::Unknown),
    ] {
        let found = verdict(profile(name, posts, newest), baseline.clone()).await;
        assert_eq!(found, state, "{name} {posts} {newest}");
    }
}

/// A post that somebody has deleted meanwhile makes up for the new one in the count.
#[tokio::test(start_paused = true)]
async fn a_post_that_may_be_the_wanted_one_is_not_called_absent_though_there_are_no_more_than_before() {
    let before = |newest: Value| json!({ "posts": 3, "caption": "mine", "newest": newest });
    let now = farmhand_actors::domain::Timestamp::now().as_millisecond();
    let without = json!({ "posts": 3, "caption": "", "newest": "old" });
    for (baseline, newest, state) in [
        (before(json!("old")), "mine", EffectState::Unknown),
        (before(json!("mine")), "mine", EffectState::Unknown),
        (before(json!("old")), "old", EffectState::Refuted),
        // Of an earlier version of the flow.
        (before(Value::Null), "mine", EffectState::Unknown),
        (without.clone(), "", EffectState::Unknown),
        (without, "old", EffectState::Refuted),
        (
            json!({ "posts": 3, "caption": "", "newest": "" }),
            "",
            EffectState::Unknown,
        ),
        // Minutes later nobody has deleted anything yet.
        (
            json!({ "posts": 3, "caption": "", "newest": "", "at": now }),
            "",
            EffectState::Refuted,
        ),
        (
            json!({ "posts": 3, "caption": "", "newest": "", "at": now - 3_600_000 }),
            "",
            EffectState::Unknown,
        ),
        (
            json!({ "posts": 3, "caption": "", "newest": "old", "at": now }),
            "",
            EffectState::Unknown,
        ),
        // Ours, then another one, and two that were deleted.
        (before(json!("old")), "newer", EffectState::Unknown),
    ] {
        let found = verdict(profile("alice", 3, newest), baseline.clone()).await;
        assert_eq!(found, state, "{baseline} {newest}");
    }
    let none = json!({ "posts": 0, "caption": "", "newest": "" });
    assert_eq!(verdict(profile("alice", 0, ""), none).await, EffectState::Refuted);
}

/// Another task's upload may have come through late: only the caption says whose the new one is.
#[tokio::test(start_paused = true)]
async fn a_new_post_is_the_wanted_one_only_by_its_caption() {
    for (wanted, newest, state) in [
        ("mine", "mine", EffectState::Confirmed),
        ("mine", "another", EffectState::Unknown),
        ("", "", EffectState::Confirmed),
        ("", "another", EffectState::Unknown),
    ] {
        let baseline = json!({ "posts": 3, "caption": wanted, "newest": "old" });
        assert_eq!(
            verdict(profile("alice", 4, newest), baseline).await,
            state,
            "{wanted} {newest}"
        );
    }
}
