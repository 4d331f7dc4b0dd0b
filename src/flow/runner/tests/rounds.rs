//! Several commit steps: what an earlier attempt has done is known again, and nothing else is taken for it.

use super::*;

/// Goes through four people and follows those who are not followed.
const PEOPLE: &str = "appId: a.b
farmhand: { account: none, commit: go, confirm: ok }
---
- evalScript: ${output.i = 0}
- repeat:
    times: 4
    commands:
      - inputText: open ${output.i}
      - runFlow:
          when: { visible: Follow, timeout: 0 }
          commands:
            - tapOn: { text: Follow, label: go }
            - assertVisible: { text: Following, label: ok, timeout: 1000 }
      - evalScript: ${output.i = output.i + 1}
";

/// Whom the app has followed, in that order. Each phone shows the same app.
type Followed = Arc<std::sync::Mutex<Vec<String>>>;

/// `open NAME` shows somebody with a button.
fn app(followed: &Followed) -> FakePhone {
    let (followed, mut shown) = (followed.clone(), String::new());
    phone(&[]).reacting(move |event, tree| {
        let mut followed = followed.lock().unwrap();
        if let Some(name) = event.strip_prefix("Type(open ").and_then(|rest| rest.strip_suffix(')')) {
            name.clone_into(&mut shown);
        } else if event.starts_with("Tap") {
            followed.push(shown.clone());
        }
        let button = if followed.contains(&shown) {
            "Following"
        } else {
            "Follow"
        };
        *tree = screen(&[label(button, 0)]);
    })
}

/// One attempt that loses its phone when `at` comes, then another one.
async fn cut_off(bench: &Bench, followed: &Followed, at: &str) -> Outcome {
    let first = Arc::new(app(followed).misbehaving(at, Misbehaviour::Fails(lost())));
    assert!(!matches!(bench.run(&first).await, Outcome::Completed { .. }));
    bench.run(&Arc::new(app(followed))).await
}

fn names(followed: &Followed) -> String {
    followed.lock().unwrap().join(" ")
}

fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { failure, .. } | Outcome::Unverified { failure, .. } => &failure.message,
        other => panic!("did not fail: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_whose_guard_passes_over_what_is_done_makes_no_other_round_take_its_place() {
    let followed = Followed::default();
    let bench = Bench::new(PEOPLE);
    completed(&cut_off(&bench, &followed, "Type(open 2").await);
    assert_eq!(names(&followed), "0 1 2 3");
    let ordinals: Vec<u32> = bench.journal.all_effects().iter().map(|one| one.key.ordinal).collect();
    assert_eq!(ordinals, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_comes_first_only_the_second_time_is_not_taken_for_the_one_that_was_done() {
    let flow = "appId: a.b
farmhand: { account: none, commit: go, confirm: ok }
---
- inputText: open anna
- runFlow:
    when: { visible: Follow, timeout: 0 }
    commands:
      - tapOn: { text: Follow, label: go }
      - assertVisible: { text: Following, label: ok, timeout: 1000 }
- inputText: open post
- tapOn: { text: Follow, label: go }
- assertVisible: { text: Following, label: ok, timeout: 1000 }
- inputText: last
";
    let followed = Followed::default();
    followed.lock().unwrap().push("anna".to_owned());
    let bench = Bench::new(flow);
    let first = Arc::new(app(&followed).misbehaving("Type(last", Misbehaviour::Fails(lost())));
    failed(&bench.run(&first).await);
    // Somebody has taken it back.
    followed.lock().unwrap().remove(0);

    completed(&bench.run(&Arc::new(app(&followed))).await);

    assert_eq!(names(&followed), "post anna");
}

#[tokio::test(start_paused = true)]
async fn rounds_within_rounds_are_told_apart() {
    let flow = "appId: a.b
farmhand: { account: none, commit: go, confirm: ok }
---
- evalScript: ${output.i = 0}
- repeat:
    times: 2
    commands:
      - repeat:
          times: 2
          commands:
            - inputText: open ${output.i}
            - retry:
                commands:
                  - tapOn: { text: Follow.*, label: go }
                  - assertVisible: { text: Following, label: ok, timeout: 1000 }
                  - evalScript: ${output.tries = (output.tries || 0) + 1}
                  - assertTrue: ${output.tries != 1}
            - evalScript: ${output.i = output.i + 1}
";
    let followed = Followed::default();
    let bench = Bench::new(&flow.replace("output.tries != 1", "ATTEMPT == '1' || output.tries != 1"));
    let first = Arc::new(app(&followed).misbehaving("Type(open 3", Misbehaviour::Fails(lost())));
    failed(&bench.run(&first).await);
    let mut second = spec("flow", json!({}), Purpose::Execute);
    second.number = 2;

    completed(&bench.run_spec(&Arc::new(app(&followed)), second).await);

    assert_eq!(names(&followed), "0 1 2 3");
    assert_eq!(bench.journal.states(), [EffectState::Confirmed; 4]);
}

#[tokio::test(start_paused = true)]
async fn where_rounds_cannot_be_told_apart_nothing_is_done_and_the_failure_says_why() {
    let counted = "times: \"${output.i + 4 - 2 * (ATTEMPT - 1)}\"";
    for (times, why) in [("while: { notVisible: Never }", "`while`"), (counted, "`times`")] {
        let followed = Followed::default();
        let bench = Bench::new(&PEOPLE.replace("times: 4", times));
        let first = Arc::new(app(&followed).misbehaving("Type(open 2", Misbehaviour::Fails(lost())));
        failed(&bench.run(&first).await);
        // The people who are done are not shown any more.
        followed.lock().unwrap().iter_mut().for_each(|name| name.insert(0, '*'));
        let mut second = spec("flow", json!({}), Purpose::Execute);
        second.number = 2;

        let outcome = bench.run_spec(&Arc::new(app(&followed)), second).await;

        assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));
        assert!(message(&outcome).contains(why), "{}", message(&outcome));
        assert_eq!(names(&followed), "*0 *1");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_version_of_the_flow_or_of_farmhand_has_done_is_not_guessed() {
    let followed = Followed::default();
    let bench = Bench::new(PEOPLE);
    let first = Arc::new(app(&followed).misbehaving("Type(open 2", Misbehaviour::Fails(lost())));
    failed(&bench.run(&first).await);
    let bench = bench.with_file("flow.yaml", &format!("{PEOPLE}- inputText: more\n"));
    let outcome = bench.run(&Arc::new(app(&followed))).await;
    assert!(message(&outcome).contains("has been changed"), "{}", message(&outcome));
    assert_eq!(names(&followed), "0 1");

    let followed = Followed::default();
    let bench = Bench::new(PEOPLE);
    let key = EffectKey {
        task: TaskId(1),
        step: "go".into(),
        ordinal: 0,
    };
    bench.journal.plant(Effect {
        key,
        state: EffectState::Confirmed,
        content: json!({ "one_of_several": true }),
        baseline: json!({}),
        evidence: None,
        unknown_checks: 0,
    });
    let outcome = bench.run(&Arc::new(app(&followed))).await;
    assert!(
        message(&outcome).contains("earlier version of farmhand"),
        "{}",
        message(&outcome)
    );
    assert_eq!(names(&followed), "");
}

#[tokio::test(start_paused = true)]
async fn another_branch_is_not_taken_for_the_one_that_was_done() {
    let branches = "      - runFlow:
          when: { true: \"${ATTEMPT == '1'}\" }
          commands:
            - tapOn: { text: Follow.*, label: go }
          else:
            - tapOn: { point: '10,10', label: go }
      - assertVisible: { text: Following, label: ok, timeout: 1000 }
";
    let (start, _) = PEOPLE.split_once("      - runFlow:").unwrap();
    let end = "      - evalScript: ${output.i = output.i + 1}\n";
    let bench = Bench::new(&format!("{start}{branches}{end}"));
    let followed = Followed::default();
    let first = Arc::new(app(&followed).misbehaving("Type(open 2", Misbehaviour::Fails(lost())));
    failed(&bench.run(&first).await);
    let mut second = spec("flow", json!({}), Purpose::Execute);
    second.number = 2;

    let outcome = bench.run_spec(&Arc::new(app(&followed)), second).await;

    assert!(message(&outcome).contains("another branch"), "{}", message(&outcome));
    assert_eq!(names(&followed), "0 1");
}

#[tokio::test(start_paused = true)]
async fn a_check_sees_the_rounds_that_its_effect_was_in() {
    let shows = "  check: [ inputText: \"${effect.step} ${effect.ordinal} ${effect.rounds.join('-')}\" ]\n";
    let flow = PEOPLE.replace(
        "farmhand: { account: none, commit: go, confirm: ok }\n",
        &format!("farmhand:\n  account: none\n  commit: go\n  confirm: ok\n{shows}"),
    );
    let flow = flow.replace(
        "text: Following, label: ok",
        "text: \"${output.i == 1 ? 'Never' : 'Following'}\", label: ok",
    );
    let followed = Followed::default();
    let shown = Arc::new(app(&followed));
    Bench::new(&flow).run(&shown).await;
    assert_eq!(shown.count("Type(go 1 1)"), 1, "{:?}", shown.events());
}

#[tokio::test(start_paused = true)]
async fn one_of_several_that_the_check_finds_done_does_not_complete_the_task() {
    let check = "  check: [ evalScript: \"${output.effect = 'done'}\" ]\n  own_evidence: true\n";
    let flow = PEOPLE.replace(
        "farmhand: { account: none, commit: go, confirm: ok }\n",
        &format!("farmhand:\n  account: none\n  commit: go\n  confirm: ok\n{check}"),
    );
    let flow = flow.replace(
        "text: Following, label: ok",
        "text: \"${output.i == 1 && ATTEMPT == '1' ? 'Never' : 'Following'}\", label: ok",
    );
    let followed = Followed::default();
    let bench = Bench::new(&flow);

    let outcome = bench.run(&Arc::new(app(&followed))).await;

    assert_eq!(failed(&outcome), (FailureReason::AssertionFailed, Blame::App, true));
    assert!(
        message(&outcome).contains("goes on with what is left"),
        "{}",
        message(&outcome)
    );
    assert_eq!(bench.journal.states(), [EffectState::Confirmed; 2]);
    let mut second = spec("flow", json!({}), Purpose::Execute);
    second.number = 2;
    completed(&bench.run_spec(&Arc::new(app(&followed)), second).await);
    assert_eq!(names(&followed), "0 1 2 3");
}

/// An effect that an earlier attempt has left.
fn left(step: &str, state: EffectState, content: Value) -> Effect {
    let task = TaskId(1);
    Effect {
        key: EffectKey {
            task,
            step: step.into(),
            ordinal: 0,
        },
        state,
        content,
        baseline: json!({}),
        evidence: None,
        unknown_checks: 0,
    }
}

const SINGLE: &str = "appId: a.b
farmhand:
  account: none
  own_evidence: true
  commit: go
  confirm: ok
  check: [ inputText: checking, evalScript: \"${output.effect = 'done'}\" ]
---
- inputText: open anna
- tapOn: { text: Follow, label: go }
- assertVisible: { text: Following, label: ok, timeout: 1000 }
";

/// What was done of several, or may have been done, is not what the flow's only step of today is for, and the other way round.
#[tokio::test(start_paused = true)]
async fn what_was_done_decides_and_not_how_many_steps_the_flow_has_today() {
    let none = SINGLE.replace("  commit: go\n  confirm: ok\n", "");
    let renamed = SINGLE
        .replace("commit: go", "commit: act")
        .replace("label: go", "label: act");
    let again = "- inputText: open bert\n- tapOn: { text: Follow, label: go }\n- assertVisible: { text: Following, label: ok }\n";
    let several = format!("{SINGLE}{again}");
    let of_several = || json!({ "one_of_several": true });
    for (flow, step, content) in [
        (SINGLE, "go", of_several()),
        (SINGLE, "go #2", of_several()),
        (&renamed, "go", of_several()),
        (&renamed, "go", json!({})),
        (&none, "go", of_several()),
        (&none, "go", json!({})),
        (&several, "go", json!({})),
    ] {
        for state in [EffectState::Confirmed, EffectState::ResolvedDone, EffectState::Unknown] {
            for purpose in [Purpose::Execute, Purpose::Verify] {
                let bench = Bench::new(flow);
                bench.journal.plant(left(step, state, content.clone()));
                let shown = Arc::new(app(&Followed::default()));

                let mut spec = spec("flow", json!({}), purpose);
                spec.number = 2;
                let outcome = bench.run_spec(&shown, spec).await;

                assert!(message(&outcome).contains("has been changed"), "{outcome:?} {flow}");
                assert_eq!(
                    matches!(outcome, Outcome::Unverified { .. }),
                    state == EffectState::Unknown,
                    "{outcome:?}"
                );
                assert_eq!(bench.journal.states(), [state]);
                assert!(shown.events().is_empty(), "{:?}", shown.events());
            }
        }
        // What did not take place hinders nothing.
        let bench = Bench::new(flow);
        bench.journal.plant(left(step, EffectState::Refuted, content));
        let followed = Followed::default();
        completed(&bench.run(&Arc::new(app(&followed))).await);
    }
}
