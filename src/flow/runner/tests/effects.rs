//! Things that must not happen twice: every way in which an attempt can end around its commit step.

use farmhand_actors::domain::Timestamp;

use super::*;

/// A flow that presses Post, expects Posted, and can look it up on the profile.
const FLOW: &str = "appId: a.b
farmhand:
  account: none
  commit: post
  confirm: posted
  baseline:
    - evalScript: '${output.baseline = {posts: 3}}'
  challenges: [ Verify.* ]
  check:
    - inputText: checking
    - runFlow:
        when: { visible: On profile, timeout: 0 }
        commands:
          - evalScript: ${output.effect = 'done'}
        else:
          - runFlow:
              when: { visible: Not on profile, timeout: 0 }
              commands: [ evalScript: \"${output.effect = 'not_done'}\" ]
---
- inputText: before
- tapOn: { text: Post, label: post }
- assertVisible: { text: Posted, label: posted, timeout: 1000 }
- evalScript: ${output.remark = 'well done'}
- inputText: after
";

fn show(tree: &mut farmhand_actors::domain::UiTree, texts: &[&str]) {
    let nodes: Vec<_> = texts.iter().zip(0..).map(|(text, row)| label(text, row)).collect();
    *tree = screen(&nodes);
}

/// A phone that shows `after_tap` once Post was tapped, and `on_check` when the check looks.
fn app(after_tap: &'static [&'static str], on_check: &'static [&'static str]) -> FakePhone {
    phone(&["Post"]).reacting(move |event, tree| {
        if event.starts_with("Tap(50,50)") {
            show(tree, after_tap);
        } else if event == "Type(checking)" {
            show(tree, on_check);
        } else if event == "Type(before)" {
            show(tree, &["Post"]);
        }
    })
}

fn unverified(outcome: &Outcome) -> (FailureReason, Blame) {
    match outcome {
        Outcome::Unverified { failure, blame, .. } => (failure.reason, *blame),
        other => panic!("not unverified: {other:?}"),
    }
}

fn attention(outcome: &Outcome) -> Option<Attention> {
    match outcome {
        Outcome::Unverified { attention, .. } => attention.clone(),
        other => panic!("not unverified: {other:?}"),
    }
}

fn planted(state: EffectState) -> Effect {
    Effect {
        key: EffectKey {
            task: TaskId(1),
            step: "post".into(),
            ordinal: 0,
        },
        state,
        content: json!({"media": [{"sha256": "old-sha"}]}),
        baseline: json!({"posts": 3}),
        evidence: None,
        unknown_checks: 0,
    }
}

#[tokio::test(start_paused = true)]
async fn a_seen_effect_is_confirmed_once_with_the_media_that_it_uses_up() {
    let bench = Bench::new(&FLOW.replace("farmhand:\n", "farmhand:\n  media: { files: f }\n"));
    *bench.media.picked.lock().unwrap() = Some(Ok(two_images()));
    let phone = Arc::new(app(&["Posted"], &[]));

    let outcome = bench.run(&phone).await;

    assert_eq!(completed(&outcome), "well done");
    assert_eq!(phone.count("Tap"), 1);
    let effects = bench.journal.all_effects();
    assert_eq!(effects.len(), 1);
    assert_eq!(effects[0].state, EffectState::Confirmed);
    assert_eq!(effects[0].baseline, json!({"posts": 3}));
    // By these the store knows which files the account has used up.
    let contents: Vec<_> = (0..2).map(|at| &effects[0].content["media"][at]["sha256"]).collect();
    assert_eq!(contents, ["sha-a.png", "sha-b.png"]);
    assert_eq!(effects[0].content["username"], "anna");
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_commit_step_leaves_no_effect() {
    let bench = Bench::new(FLOW);
    let phone = Arc::new(app(&[], &[]).misbehaving("Type(before)", Misbehaviour::Fails(lost())));
    assert_eq!(failed(&bench.run(&phone).await).0, FailureReason::DeviceOffline);
    assert!(bench.journal.all_effects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_is_not_seen_is_looked_up_by_the_check() {
    for (on_check, state) in [
        (&["On profile"][..], EffectState::Confirmed),
        (&["Not on profile"][..], EffectState::Refuted),
        (&["???"][..], EffectState::Unknown),
    ] {
        let bench = Bench::new(FLOW);
        let phone = Arc::new(app(&["Something else"], on_check));
        let outcome = bench.run(&phone).await;
        match state {
            EffectState::Confirmed => assert_eq!(completed(&outcome), ""),
            EffectState::Refuted => {
                assert_eq!(failed(&outcome), (FailureReason::AssertionFailed, Blame::App, true));
            }
            _ => assert_eq!(unverified(&outcome), (FailureReason::AssertionFailed, Blame::App)),
        }
        assert_eq!(bench.journal.states(), [state]);
        assert_eq!(phone.count("Tap"), 1);
    }
}

/// A number that went up, a newest caption: another task's act looks just like it.
#[tokio::test(start_paused = true)]
async fn a_check_decides_nothing_when_another_task_may_have_done_the_same_unless_its_evidence_is_its_own() {
    for (on_check, own) in [("On profile", false), ("Not on profile", false), ("On profile", true)] {
        let bench = Bench::new(&FLOW.replace("  commit: post\n", &format!("  commit: post\n  own_evidence: {own}\n")));
        bench.journal.plant(planted(EffectState::Unknown));
        *bench.journal.rival.lock().unwrap() = true;
        let shown: &'static [&'static str] = if on_check == "On profile" {
            &["On profile"]
        } else {
            &["Not on profile"]
        };
        let phone = Arc::new(app(&["Posted"], shown));

        let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;

        assert_eq!(phone.count("Tap"), 0);
        if own {
            assert_eq!(completed(&outcome), "found done when it was verified");
            continue;
        }
        assert_eq!(unverified(&outcome), (FailureReason::AssertionFailed, Blame::App));
        assert_eq!(bench.journal.states(), [EffectState::Unknown]);
        let Outcome::Unverified { failure, .. } = &outcome else {
            unreachable!()
        };
        assert!(failure.message.contains("another task"), "{}", failure.message);
    }
}

/// What a check compares is kept with the act, so that others with the same can be told from others with something else.
#[tokio::test(start_paused = true)]
async fn where_the_check_compares_what_counts_as_the_same_its_values_are_kept_with_the_effect() {
    for (extension, kept) in [
        ("  own_evidence: same\n  same: [\"'a' + 1\", 2]\n", json!(["a1", 2])),
        ("  same: [\"'a' + 1\", 2]\n", Value::Null),
    ] {
        let bench = Bench::new(&FLOW.replace("  commit: post\n", &format!("  commit: post\n{extension}")));
        let phone = Arc::new(app(&["Posted"], &["On profile"]));
        completed(&bench.run(&phone).await);
        assert_eq!(bench.journal.all_effects()[0].content["same"], kept);
    }
}

/// Accounts were added to the phone after the task was created.
#[tokio::test(start_paused = true)]
async fn a_task_that_names_no_account_does_not_act_where_the_phone_has_accounts_of_its_app() {
    let act = |account: &str| {
        format!(
            "appId: a.b\nfarmhand: {{ {account}commit: post }}\n---\n- inputText: before\n- tapOn: {{ text: Post, label: post }}\n"
        )
    };
    let looks = "appId: a.b\n---\n- inputText: before\n- tapOn: Post\n".to_owned();
    for (flow, bound, app, acts) in [
        (act(""), true, "tiktok", false),
        (act(""), false, "tiktok", true),
        (act(""), true, "instagram", true),
        (act("account: none, "), true, "tiktok", true),
        (looks, true, "tiktok", true),
    ] {
        let bench = Bench::new(&flow);
        *bench.journal.account_bound.lock().unwrap() = bound;
        let phone = Arc::new(phone(&["Post"]));
        let mut spec = spec("flow", json!({}), Purpose::Execute);
        (spec.account, spec.app) = (None, Some(app.to_owned()));

        let outcome = bench.run_spec(&phone, spec).await;

        if acts {
            completed(&outcome);
        } else {
            assert_eq!(
                failed(&outcome),
                (FailureReason::AccountUnavailable, Blame::Task, false)
            );
        }
        assert_eq!(phone.typed().is_empty(), !acts, "{flow} {app}");
    }
}

/// "Posted" says not by whom.
#[tokio::test(start_paused = true)]
async fn a_confirmation_counts_only_while_no_other_tasks_act_on_the_phone_is_open() {
    let since = Timestamp::from_millisecond(1_234).unwrap();
    for (on_check, state) in [
        (&["On profile"][..], EffectState::Confirmed),
        (&["Not on profile"][..], EffectState::Refuted),
        (&["???"][..], EffectState::Unknown),
    ] {
        for flow in [FLOW.to_owned(), FLOW.replace("  confirm: posted\n", "")] {
            let bench = Bench::new(&flow);
            *bench.journal.open_beside.lock().unwrap() = Some(since);
            let phone = Arc::new(app(&["Posted"], on_check));
            let outcome = bench.run(&phone).await;
            match state {
                EffectState::Confirmed => _ = completed(&outcome),
                EffectState::Refuted => {
                    assert_eq!(failed(&outcome), (FailureReason::AssertionFailed, Blame::App, true));
                }
                _ => assert_eq!(unverified(&outcome), (FailureReason::AssertionFailed, Blame::App)),
            }
            let effect = bench.journal.all_effects().remove(0);
            let told = effect.evidence.unwrap()["unbelieved_since"].as_i64();
            assert_eq!((effect.state, told), (state, Some(1_234)));
            assert_eq!((phone.count("Tap"), phone.count("Type(checking)")), (1, 1));
        }
    }
    let bench = Bench::new(&FLOW.replace("  commit: post\n", "  commit: post\n  own_evidence: true\n"));
    *bench.journal.open_beside.lock().unwrap() = Some(since);
    let phone = Arc::new(app(&["Posted"], &["???"]));
    assert_eq!(completed(&bench.run(&phone).await), "well done");
    assert_eq!(phone.count("Type(checking)"), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_check_nobody_knows_whose_act_the_app_tells_of_while_another_tasks_is_open() {
    for (open, confirmed) in [(true, false), (false, true)] {
        let bench = Bench::new(
            "appId: a.b\nfarmhand: { account: none, commit: post, confirm: posted }\n---\n- tapOn: { text: Post, label: post }\n\
             - assertVisible: { text: Post, label: posted }\n- inputText: after\n",
        );
        *bench.journal.open_beside.lock().unwrap() = open.then_some(Timestamp::UNIX_EPOCH);
        let outcome = bench.run(&Arc::new(phone(&["Post"]))).await;
        assert_eq!(matches!(outcome, Outcome::Completed { .. }), confirmed, "{outcome:?}");
        let state = if confirmed {
            EffectState::Confirmed
        } else {
            EffectState::Intended
        };
        assert_eq!(bench.journal.states(), [state]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tap_within_a_commit_step_is_not_repeated_either() {
    for field in ["retryTapIfNoChange", "waitUntilVisible"] {
        let bench = Bench::new(&format!(
            "appId: a.b\nfarmhand: {{ account: none, commit: post }}\n---\n- runFlow:\n    label: post\n    commands:\n      \
             - runFlow: {{ commands: [ tapOn: {{ text: Post, {field}: true }} ] }}\n"
        ));
        let phone = Arc::new(phone(&["Post"]));
        completed(&bench.run(&phone).await);
        assert_eq!(phone.count("Tap"), 1, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_itself_cannot_tell() {
    let bench = Bench::new(&FLOW.replace("- inputText: checking", "- assertTrue: false"));
    let phone = Arc::new(app(&["Something else"], &[]));
    unverified(&bench.run(&phone).await);
    assert_eq!(bench.journal.states(), [EffectState::Unknown]);
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_goes_at_the_commit_step_leaves_the_effect_open() {
    for how in [Misbehaviour::Fails(lost()), Misbehaviour::FailsAfterwards(lost())] {
        let bench = Bench::new(FLOW);
        let phone = Arc::new(app(&["Posted"], &[]).misbehaving("Tap", how));
        assert_eq!(
            unverified(&bench.run(&phone).await),
            (FailureReason::DeviceOffline, Blame::Device)
        );
        assert_eq!(bench.journal.states(), [EffectState::Intended]);
        assert_eq!(phone.count("Type(checking)"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_between_act_and_confirmation_leaves_the_effect_open() {
    let bench = Bench::new(&FLOW.replace("timeout: 1000", "timeout: 60000"));
    let cancel = bench.cancel.clone();
    let phone = Arc::new(app(&["Uploading"], &[]));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        cancel.cancel();
    };

    let (outcome, ()) = tokio::join!(bench.run(&phone), stop);

    assert_eq!(unverified(&outcome), (FailureReason::Stopped, Blame::Task));
    assert_eq!(bench.journal.states(), [EffectState::Intended]);
    assert_eq!(phone.count("Type(checking)"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_after_the_act_leaves_the_effect_open() {
    let bench = Bench::new(FLOW);
    let phone = Arc::new(app(&["Verify that it is you"], &[]));
    let outcome = bench.run(&phone).await;
    assert_eq!(unverified(&outcome), (FailureReason::NeedsAttention, Blame::App));
    assert_eq!(bench.journal.states(), [EffectState::Intended]);
    let asked = attention(&outcome).expect("the account has to rest");
    assert!(asked.message.contains("Verify"), "{}", asked.message);
    let shot = asked.screenshot.expect("what it shows is kept");
    assert!(bench.evidence().contains(&shot), "{shot}");
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_a_check_meets_is_left_to_a_person() {
    let bench = Bench::new(FLOW);
    bench.journal.plant(planted(EffectState::Intended));
    let phone = Arc::new(app(&[], &["Verify that it is you"]));

    let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;

    assert_eq!(unverified(&outcome), (FailureReason::NeedsAttention, Blame::App));
    assert!(attention(&outcome).is_some());
    assert_eq!(bench.journal.states(), [EffectState::Intended]);
}

#[tokio::test(start_paused = true)]
async fn what_fails_of_a_commit_step_is_not_shrugged_off_by_optional() {
    let step = "- runFlow:\n    label: post\n    commands: [ tapOn: { text: Gone, optional: true } ]\n";
    let bench = Bench::new(&format!(
        "appId: a.b\nfarmhand: {{ account: none, commit: post }}\n---\n{step}"
    ));
    let phone = Arc::new(phone(&["Post"]));

    let outcome = bench.run(&phone).await;

    assert_eq!(unverified(&outcome), (FailureReason::FlowError, Blame::App));
    assert_eq!(bench.journal.states(), [EffectState::Intended]);
    assert_eq!(phone.count("Tap"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_optional_may_fail_while_an_effect_is_open_that_it_has_not_begun() {
    let optional = "- tapOn: { text: Not now, optional: true }\n- assertVisible: { text: Posted, label: posted";
    let bench = Bench::new(&FLOW.replace("- assertVisible: { text: Posted, label: posted", optional));
    let phone = Arc::new(app(&["Posted"], &[]));
    assert_eq!(completed(&bench.run(&phone).await), "well done");
    assert_eq!(bench.journal.states(), [EffectState::Confirmed]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_the_confirmation_completes_the_task() {
    let bench = Bench::new(&FLOW.replace("- inputText: after", "- assertVisible: { text: Later, timeout: 60000 }"));
    let cancel = bench.cancel.clone();
    let phone = Arc::new(app(&["Posted"], &[]));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        cancel.cancel();
    };

    let (outcome, ()) = tokio::join!(bench.run(&phone), stop);

    assert_eq!(completed(&outcome), "done; the stop came after its effect");
    assert_eq!(bench.journal.states(), [EffectState::Confirmed]);
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_task_is_completed_whatever_comes_after() {
    let bench = Bench::new(FLOW);
    let phone = Arc::new(app(&["Posted"], &[]).misbehaving("Type(after)", Misbehaviour::Fails(lost())));
    assert!(completed(&bench.run(&phone).await).contains("went away"));
    assert_eq!(bench.journal.states(), [EffectState::Confirmed]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_when_the_gate_does_not_open() {
    for (gate, wanted) in [
        (EffectGate::Closed(EffectState::Confirmed), "completed"),
        (EffectGate::Closed(EffectState::ResolvedDone), "completed"),
        (EffectGate::Closed(EffectState::Intended), "unverified"),
        (EffectGate::Closed(EffectState::Unknown), "unverified"),
        (EffectGate::Fenced, "failed"),
    ] {
        let bench = Bench::new(FLOW);
        *bench.journal.gate.lock().unwrap() = Some(gate.clone());
        let phone = Arc::new(app(&["Posted"], &[]));
        let outcome = bench.run(&phone).await;
        let ended = match &outcome {
            Outcome::Completed { .. } => "completed",
            Outcome::Unverified { .. } => "unverified",
            Outcome::Failed { .. } => "failed",
            Outcome::NeedsAttention { .. } => "needs attention",
        };
        assert_eq!(ended, wanted, "{gate:?}");
        assert_eq!(phone.count("Tap"), 0, "{gate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_when_the_intent_cannot_be_written() {
    let bench = Bench::new(FLOW);
    *bench.journal.intend_fails.lock().unwrap() = true;
    let phone = Arc::new(app(&["Posted"], &[]));
    assert_eq!(
        failed(&bench.run(&phone).await),
        (FailureReason::Interrupted, Blame::Host, true)
    );
    assert_eq!(phone.count("Tap"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_that_cannot_be_written_leaves_the_effect_open() {
    let bench = Bench::new(FLOW);
    *bench.journal.settle_fails.lock().unwrap() = true;
    let phone = Arc::new(app(&["Posted"], &[]));
    assert_eq!(
        unverified(&bench.run(&phone).await),
        (FailureReason::Interrupted, Blame::Host)
    );
    assert_eq!(bench.journal.states(), [EffectState::Intended]);
}

#[tokio::test(start_paused = true)]
async fn retry_never_acts_twice() {
    let flow = FLOW.replace("- tapOn: { text: Post, label: post }\n", "").replace(
        "- assertVisible: { text: Posted, label: posted, timeout: 1000 }\n",
        "- retry:\n    maxRetries: 3\n    commands:\n      - tapOn: { text: Post, label: post }\n      \
             - assertVisible: { text: Posted, label: posted, timeout: 1000 }\n",
    );
    let bench = Bench::new(&flow);
    let phone = Arc::new(app(&["Post", "Still there"], &["???"]));
    unverified(&bench.run(&phone).await);
    assert_eq!(phone.count("Tap"), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_repeats_nothing_while_an_effect_is_open() {
    let flow = FLOW.replace(
        "- assertVisible: { text: Posted, label: posted, timeout: 1000 }\n",
        "- retry:\n    maxRetries: 3\n    commands:\n      - inputText: trying\n      \
             - assertVisible: { text: Posted, label: posted, timeout: 1000 }\n",
    );
    let bench = Bench::new(&flow);
    let phone = Arc::new(app(&["Something else"], &["???"]));
    unverified(&bench.run(&phone).await);
    assert_eq!(phone.count("Type(trying)"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_loop_has_one_effect_per_round() {
    let flow = "appId: a.b\nfarmhand: { account: none, commit: post, confirm: posted }\n---\n- repeat:\n    times: 3\n    commands:\n\
                \u{20}     - tapOn: { text: Post, label: post }\n      - assertVisible: { text: Post, label: posted }\n";
    let bench = Bench::new(flow);
    let phone = Arc::new(phone(&["Post"]));
    completed(&bench.run(&phone).await);
    assert_eq!(bench.journal.states(), [EffectState::Confirmed; 3]);
    let ordinals: Vec<u32> = bench
        .journal
        .all_effects()
        .iter()
        .map(|effect| effect.key.ordinal)
        .collect();
    assert_eq!(ordinals, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_loop_ends_where_the_accounts_limit_is_reached() {
    let flow = "appId: a.b\nfarmhand: { account: none, commit: post, confirm: posted }\n---\n- repeat:\n    times: 3\n    commands:\n\
                \u{20}     - tapOn: { text: Post, label: post }\n      - assertVisible: { text: Post, label: posted }\n";
    let bench = Bench::new(flow);
    let phone = Arc::new(phone(&["Post"]));
    let spec = spec("flow", json!({}), Purpose::Execute);
    spec.permit.set(Some(2), None);

    let outcome = bench.run_spec(&phone, spec).await;

    assert_eq!(failed(&outcome), (FailureReason::AccountUnavailable, Blame::Task, true));
    assert_eq!(
        (phone.count("Tap"), bench.journal.states()),
        (2, vec![EffectState::Confirmed; 2])
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_check_finds_done_counts_towards_what_is_left_of_the_accounts_limit() {
    let flow = "appId: a.b\nfarmhand:\n  account: none\n  commit: post\n  confirm: posted\n  own_evidence: true\n  check: [ evalScript: \
                \"${output.effect = 'done'}\" ]\n---\n- repeat:\n    times: 3\n    commands:\n      - tapOn: { text: Post, label: \
                post }\n      - assertVisible: { text: Post, label: posted }\n";
    let bench = Bench::new(flow);
    let lost = Arc::new(phone(&["Post"]).misbehaving("Tap", Misbehaviour::FailsAfterwards(lost())));
    unverified(&bench.run(&lost).await);
    let phone = Arc::new(phone(&["Post"]));
    let spec = spec("flow", json!({}), Purpose::Verify);
    spec.permit.set(Some(2), None);

    let outcome = bench.run_spec(&phone, spec).await;

    assert_eq!(failed(&outcome), (FailureReason::AccountUnavailable, Blame::Task, true));
    assert_eq!(
        (phone.count("Tap"), bench.journal.states()),
        (1, vec![EffectState::Confirmed; 2])
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_switched_off_in_mid_attempt_does_not_act_any_more() {
    let flow = "appId: a.b\nfarmhand: { account: none, commit: post, confirm: posted }\n---\n- repeat:\n    times: 3\n    commands:\n\
                \u{20}     - tapOn: { text: Post, label: post }\n      - assertVisible: { text: Post, label: posted }\n";
    let bench = Bench::new(flow);
    let spec = spec("flow", json!({}), Purpose::Execute);
    let permit = spec.permit.clone();
    let phone = Arc::new(phone(&["Post"]).reacting(move |event, _| {
        if event.starts_with("Tap") {
            permit.set(None, Some("account a is disabled".to_owned()));
        }
    }));

    let outcome = bench.run_spec(&phone, spec).await;

    assert_eq!(failed(&outcome), (FailureReason::AccountUnavailable, Blame::Task, true));
    assert_eq!(
        (phone.count("Tap"), bench.journal.states()),
        (1, vec![EffectState::Confirmed])
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_may_only_look_leaves_the_work_to_another_one() {
    let bench = Bench::new(FLOW);
    bench.journal.plant(planted(EffectState::Intended));
    let phone = Arc::new(app(&["Posted"], &["Not on profile"]));
    let spec = spec("flow", json!({}), Purpose::Verify);
    spec.permit.only_look("account a rests".to_owned());

    let outcome = bench.run_spec(&phone, spec).await;

    assert_eq!(failed(&outcome), (FailureReason::AccountUnavailable, Blame::Task, true));
    assert_eq!(
        (phone.count("Tap"), bench.journal.states()),
        (0, vec![EffectState::Refuted])
    );
}

/// Taps `Post` three times, each time another effect.
const LOOP: &str = "appId: a.b\nfarmhand:\n  account: none\n  commit: post\n  confirm: posted\n  check:\n    \
                    - evalScript: \"${output.effect = params.found}\"\n---\n- repeat:\n    times: 3\n    commands:\n      \
                    - inputText: \"round ${output.n = (output.n || 0) + 1}\"\n      - tapOn: { text: Post, label: post }\n      \
                    - assertVisible: { text: Post, label: posted }\n";

/// An attempt that has done one round and lost its phone at the beginning of the next, or after its touch.
async fn cut_off_loop(at: &str, how: Misbehaviour) -> Bench {
    let bench = Bench::new(LOOP);
    let second = Arc::new(std::sync::Mutex::new(false));
    let phone = Arc::new(phone(&["Post"]).misbehaving(at, how).reacting(move |event, tree| {
        let mut second = second.lock().unwrap();
        *second |= event == "Type(round 2)";
        let after_touch = *second && event.starts_with("Tap");
        show(tree, if after_touch { &["Uploading"] } else { &["Post"] });
    }));
    bench.run(&phone).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_was_cut_off_between_two_rounds_goes_on_with_the_next_one() {
    let bench = cut_off_loop("Type(round 2)", Misbehaviour::Fails(lost())).await;
    assert_eq!(bench.journal.states(), [EffectState::Confirmed]);
    let phone = Arc::new(phone(&["Post"]));
    let before = bench.journal.steps().len();

    completed(&bench.run(&phone).await);

    assert_eq!((phone.count("Type(round"), phone.count("Tap")), (3, 2));
    assert_eq!(bench.journal.states(), [EffectState::Confirmed; 3]);
    let skipped = |step: &&StepRecord| step.state == StepState::Skipped;
    let steps = bench.journal.steps();
    assert!(steps.len() > before);
    let labels: Vec<&str> = steps.iter().filter(skipped).map(|step| &*step.label).collect();
    assert_eq!(labels, ["post", "posted"]);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_was_cut_off_within_a_round_looks_first_and_then_does_what_is_left() {
    for (found, taps) in [("done", 1), ("not_done", 2)] {
        // It is not seen that the second one is confirmed, and the check, which has no word, cannot tell.
        let bench = cut_off_loop("nothing", Misbehaviour::Hangs).await;
        assert_eq!(bench.journal.states(), [EffectState::Confirmed, EffectState::Unknown]);
        let phone = Arc::new(phone(&["Post"]));

        let outcome = bench.run_as(&phone, Purpose::Verify, json!({ "found": found })).await;

        completed(&outcome);
        assert_eq!(phone.count("Tap"), taps, "{found}");
        assert_eq!(bench.journal.states(), [EffectState::Confirmed; 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_step_in_an_included_flow_is_one_too() {
    let flow =
        "appId: a.b\nfarmhand: { account: none, commit: post, confirm: posted }\n---\n- runFlow: sub/post.yaml\n";
    let sub = "appId: a.b\n---\n- tapOn: { text: Post, label: post }\n- assertVisible: { text: Post, label: posted }\n";
    let bench = Bench::new(flow).with_file("sub/post.yaml", sub);
    completed(&bench.run(&Arc::new(phone(&["Post"]))).await);
    assert_eq!(bench.journal.states(), [EffectState::Confirmed]);

    let again = Arc::new(phone(&["Post"]));
    let outcome = bench.run(&again).await;
    assert_eq!(
        (again.count("Tap"), completed(&outcome)),
        (0, "already done by an earlier attempt")
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_confirming_step_the_end_of_the_flow_confirms() {
    let bench = Bench::new(
        "appId: a.b\nfarmhand: { account: none, commit: post }\n---\n- tapOn: { text: Post, label: post }\n",
    );
    completed(&bench.run(&Arc::new(phone(&["Post"]))).await);
    assert_eq!(bench.journal.states(), [EffectState::Confirmed]);
}

#[tokio::test(start_paused = true)]
async fn a_verifying_attempt_only_looks_when_it_was_done() {
    let bench = Bench::new(FLOW);
    bench.journal.plant(planted(EffectState::Intended));
    let phone = Arc::new(app(&["Posted"], &["On profile"]));
    let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;
    assert!(!completed(&outcome).is_empty());
    assert_eq!(phone.events(), ["Type(checking)"]);
    assert_eq!(bench.journal.states(), [EffectState::Confirmed]);
}

#[tokio::test(start_paused = true)]
async fn of_commit_steps_in_two_branches_only_one_is_reached() {
    let branches = "- runFlow:\n    when: { visible: Story, timeout: 0 }\n    commands:\n      \
                    - tapOn: { text: Story, label: post }\n    else:\n      - tapOn: { text: Post, label: post }\n";
    let bench = Bench::new(&FLOW.replace("- tapOn: { text: Post, label: post }\n", branches));
    bench.journal.plant(planted(EffectState::Intended));
    let phone = Arc::new(app(&["Posted"], &["On profile"]));

    let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;

    assert_eq!(completed(&outcome), "found done when it was verified");
    assert_eq!((phone.count("Tap"), phone.count("Type(before)")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_verifying_attempt_does_it_when_it_was_not_done() {
    let bench = Bench::new(FLOW);
    bench.journal.plant(planted(EffectState::Unknown));
    let phone = Arc::new(app(&["Posted"], &["Not on profile"]));
    let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;
    assert_eq!(completed(&outcome), "well done");
    assert_eq!(phone.count("Tap"), 1);
    assert_eq!(bench.journal.states(), [EffectState::Confirmed]);
}

/// Who asked for the stop was told of it by a controller that ended then.
#[tokio::test(start_paused = true)]
async fn a_verifying_attempt_of_a_task_that_is_to_stop_only_looks() {
    for (on_check, wanted) in [
        (["On profile"], EffectState::Confirmed),
        (["Not on profile"], EffectState::Refuted),
    ] {
        let bench = Bench::new(FLOW);
        bench.journal.plant(planted(EffectState::Unknown));
        *bench.journal.stop_requested.lock().unwrap() = true;
        let on_check: &'static [&'static str] = Box::leak(Box::new(on_check));
        let phone = Arc::new(app(&["Posted"], on_check));
        let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;
        match wanted {
            EffectState::Confirmed => drop(completed(&outcome)),
            _ => assert_eq!(failed(&outcome).0, FailureReason::Stopped),
        }
        assert_eq!(phone.count("Tap"), 0);
        assert_eq!(bench.journal.states(), [wanted]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_verifying_attempt_that_cannot_tell_does_nothing() {
    let bench = Bench::new(FLOW);
    bench.journal.plant(planted(EffectState::Intended));
    let phone = Arc::new(app(&["Posted"], &["???"]));
    unverified(&bench.run_as(&phone, Purpose::Verify, json!({})).await);
    assert_eq!(phone.count("Tap"), 0);
    assert_eq!(bench.journal.states(), [EffectState::Unknown]);
}

#[tokio::test(start_paused = true)]
async fn a_verifying_attempt_that_loses_the_phone_leaves_all_as_it_was() {
    let bench = Bench::new(FLOW);
    bench.journal.plant(planted(EffectState::Intended));
    let phone = Arc::new(app(&["Posted"], &[]).misbehaving("Type(checking)", Misbehaviour::Fails(lost())));
    let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;
    assert_eq!(unverified(&outcome), (FailureReason::DeviceOffline, Blame::Device));
    assert_eq!(bench.journal.states(), [EffectState::Intended]);
}

#[tokio::test(start_paused = true)]
async fn the_check_knows_what_was_intended() {
    let flow = FLOW.replace(
        "- inputText: checking",
        "- inputText: \"${effect.step} ${effect.baseline.posts} ${effect.content.media[0].sha256}\"",
    );
    let bench = Bench::new(&flow);
    bench.journal.plant(planted(EffectState::Intended));
    let phone = Arc::new(app(&[], &[]));
    bench.run_as(&phone, Purpose::Verify, json!({})).await;
    assert_eq!(phone.events()[0], "Type(post 3 old-sha)");
}

#[tokio::test(start_paused = true)]
async fn without_an_open_effect_a_verifying_attempt_runs_the_flow() {
    let bench = Bench::new(FLOW);
    bench.journal.plant(planted(EffectState::Refuted));
    let phone = Arc::new(app(&["Posted"], &[]));
    assert_eq!(
        completed(&bench.run_as(&phone, Purpose::Verify, json!({})).await),
        "well done"
    );
    assert_eq!(phone.count("Tap"), 1);
}

#[tokio::test(start_paused = true)]
async fn labels_in_baseline_and_check_do_not_count_as_the_commit_step() {
    let flow = FLOW
        .replace(
            "    - evalScript: '${output.baseline",
            "    - evalScript: { script: \"1\", label: post }\n    - evalScript: '${output.baseline",
        )
        .replace(
            "    - inputText: checking",
            "    - inputText: { text: checking, label: post }",
        );
    let bench = Bench::new(&flow);
    let phone = Arc::new(app(&["Something else"], &["Not on profile"]));
    assert_eq!(failed(&bench.run(&phone).await).0, FailureReason::AssertionFailed);
    assert_eq!(bench.journal.states(), [EffectState::Refuted]);
}

#[tokio::test(start_paused = true)]
async fn the_same_content_in_another_app_is_another_thing() {
    let [one, other] = [
        hash_in("com.example.app", "", json!({})).await,
        hash_in("com.other.app", "", json!({})).await,
    ];
    assert_ne!(one, other);
}

/// The hash of what a task of this config would publish, whose flow has said `same` so.
async fn hash_of(same: &str, config: Value) -> String {
    hash_in("com.example.app", same, config).await
}

async fn hash_in(package: &str, same: &str, config: Value) -> String {
    let flow = format!(
        "appId: a.b\nfarmhand: {{ account: none, commit: post, media: {{ files: f }}{same} }}\n---\n\
         - evalScript: ${{output.words = params.words || 'none'}}\n- tapOn: {{ text: Post, label: post }}\n"
    );
    let bench = Bench::new(&flow);
    *bench.media.picked.lock().unwrap() = Some(Ok(two_images()));
    let mut spec = spec("flow", config, Purpose::Execute);
    if let Some(account) = &mut spec.account {
        account.package = farmhand_actors::domain::Package::parse(package).unwrap();
    }
    completed(&bench.run_spec(&Arc::new(phone(&["Post"])), spec).await);
    bench.journal.all_effects()[0].content["hash"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_flow_says_what_counts_as_the_same_content() {
    let of = |words: &str, wait: u32, force: bool| json!({ "words": words, "wait": wait, "force": force });
    for same in [", same: [output.words]", ", same: '${output.words}'"] {
        let first = hash_of(same, of("hello", 1, false)).await;
        assert_eq!(hash_of(same, of("hello", 2, true)).await, first);
        assert_ne!(hash_of(same, of("bye", 1, false)).await, first);
    }
    let first = hash_of("", of("hello", 1, false)).await;
    assert_eq!(hash_of("", of("hello", 1, true)).await, first);
    assert_ne!(hash_of("", of("hello", 2, false)).await, first);
    let files_alone = ", same: []";
    assert_eq!(
        hash_of(files_alone, of("hello", 1, false)).await,
        hash_of(files_alone, of("bye", 2, false)).await
    );
}

#[tokio::test(start_paused = true)]
async fn a_commit_step_is_touched_once_though_the_screen_does_not_change() {
    let flow = "appId: a.b\nfarmhand: { account: none, commit: post }\n---\n\
                - tapOn: { text: Post, label: post, retryTapIfNoChange: true, waitUntilVisible: true }\n";
    let phone = Arc::new(phone(&["Post"]));
    completed(&Bench::new(flow).run(&phone).await);
    assert_eq!(phone.count("Tap"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_verifying_attempt_that_cannot_even_begin_proves_nothing() {
    for (state, is_open) in [(EffectState::Intended, true), (EffectState::Refuted, false)] {
        let bench = Bench::new(&FLOW.replace("farmhand:\n", "farmhand:\n  apps: [instagram]\n"));
        bench.journal.plant(planted(state));
        let phone = Arc::new(app(&["Posted"], &["Not on profile"]));

        let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;

        if is_open {
            assert_eq!(unverified(&outcome), (FailureReason::FlowError, Blame::Task));
        } else {
            assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));
        }
        assert_eq!((phone.events().len(), bench.journal.states()), (0, vec![state]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_in_place_has_the_flows_own_app_and_variables() {
    let flow = "appId: \"${PKG}\"
env: { PKG: a.b, WHO: anna }
farmhand:
  account: none
  commit: post
  own_evidence: true
  check:
    - launchApp: { stopApp: false, permissions: {} }
    - inputText: ${WHO}
    - evalScript: ${output.effect = 'done'}
---
- tapOn: { text: Post, label: post }
- assertVisible: { text: Posted, timeout: 0 }
";
    for purpose in [Purpose::Verify, Purpose::Execute] {
        let bench = Bench::new(flow);
        if purpose == Purpose::Verify {
            bench.journal.plant(planted(EffectState::Intended));
        }
        let phone = Arc::new(app(&["Something else"], &[]));
        completed(&bench.run_as(&phone, purpose, json!({})).await);
        let events = phone.events();
        assert_eq!(events[events.len() - 2..], ["Launch(a.b)", "Type(anna)"], "{events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_baseline_is_noted_in_the_flows_own_app() {
    let flow = "appId: a.b
farmhand:
  account: none
  commit: post
  baseline: [ launchApp: { stopApp: false, permissions: {} } ]
---
- runFlow: sub/post.yaml
";
    let sub =
        "appId: c.d\n---\n- tapOn: { text: Post, label: post }\n- launchApp: { stopApp: false, permissions: {} }\n";
    let phone = Arc::new(phone(&["Post"]));
    completed(&Bench::new(flow).with_file("sub/post.yaml", sub).run(&phone).await);
    let launches: Vec<String> = phone
        .events()
        .into_iter()
        .filter(|event| event.starts_with("Launch"))
        .collect();
    assert_eq!(launches, ["Launch(a.b)", "Launch(c.d)"]);
}

#[tokio::test(start_paused = true)]
async fn a_look_into_another_app_than_the_one_that_acted_cannot_tell() {
    let acted = |package: &str| {
        let mut effect = planted(EffectState::Intended);
        effect.content["package"] = json!(package);
        effect
    };
    let bench = Bench::new(FLOW);
    bench.journal.plant(acted("com.other.app"));
    let phone = Arc::new(app(&["Posted"], &["Not on profile"]));

    let outcome = bench.run_as(&phone, Purpose::Verify, json!({})).await;

    let Outcome::Unverified { failure, .. } = &outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        failure.message.contains("com.other.app") && failure.message.contains("com.example.app"),
        "{}",
        failure.message
    );
    assert_eq!(
        (phone.events().len(), bench.journal.states()),
        (0, vec![EffectState::Unknown])
    );

    let bench = Bench::new(FLOW);
    bench.journal.plant(acted("com.example.app"));
    completed(&bench.run_as(&phone, Purpose::Verify, json!({})).await);
    assert_eq!(phone.count("Tap"), 1);
    let bench = Bench::new(FLOW);
    completed(&bench.run(&phone).await);
    assert_eq!(bench.journal.all_effects()[0].content["package"], "com.example.app");
}
