//! A page that asks for a person when the app comes up: whose it is decides.

use super::*;

const FLOW: &str = "appId: a.b
farmhand: { account: account.yaml, challenges: [ Verify.* ] }
---
- inputText: acting
";

const ACCOUNT: &str = "appId: a.b
---
- launchApp: { stopApp: false, permissions: {} }
- assertVisible: { text: anna|Switch to anna, timeout: 0 }
- runFlow:
    when: { visible: anna, timeout: 0 }
    commands: [ evalScript: '${output.switched = false}' ]
    else:
      - evalScript: ${output.switched = true}
      - tapOn: { text: Switch to anna, timeout: 0 }
- assertVisible: { text: anna, timeout: 0 }
";

fn show(tree: &mut farmhand_actors::domain::UiTree, texts: &[&str]) {
    let nodes: Vec<_> = texts.iter().zip(0..).map(|(text, row)| label(text, row)).collect();
    *tree = screen(&nodes);
}

/// A phone that asks for a person, shows `behind` when that page is left, and `switched` after a touch there.
async fn arrive(
    behind: &'static [&'static str],
    switched: &'static [&'static str],
) -> (Bench, Arc<FakePhone>, Outcome) {
    let bench = Bench::new(FLOW).with_file("account.yaml", ACCOUNT);
    let phone = phone(&["Verify that it is you"]).reacting(move |event, tree| {
        if event == "Key(4)" {
            show(tree, behind);
        } else if event.starts_with("Tap") {
            show(tree, switched);
        }
    });
    let phone = Arc::new(phone);
    let outcome = bench.run(&phone).await;
    (bench, phone, outcome)
}

#[tokio::test(start_paused = true)]
async fn the_page_of_the_account_before_is_left_to_switch_to_the_tasks_own() {
    let (_, phone, outcome) = arrive(&["Switch to anna"], &["anna"]).await;
    completed(&outcome);
    assert_eq!((phone.count("Key(4)"), phone.count("Type(acting)")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_turns_out_to_be_the_accounts_own_makes_it_wait_with_what_it_showed() {
    let (bench, phone, outcome) = arrive(&["anna"], &[]).await;
    let Outcome::NeedsAttention { message, screenshot } = &outcome else {
        panic!("{outcome:?}")
    };
    assert!(message.contains("Verify"), "{message}");
    assert!(bench.evidence().contains(screenshot.as_ref().expect("a picture of it")));
    assert_eq!(phone.count("Type(acting)"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_cannot_be_left_is_left_to_a_person_whatever_is_behind_it() {
    // It stays, or the app goes with it.
    for behind in [&["Verify that it is you"][..], &["Launcher"]] {
        let (bench, phone, outcome) = arrive(behind, &[]).await;
        let Outcome::NeedsAttention { screenshot, .. } = &outcome else {
            panic!("{outcome:?}")
        };
        assert!(bench.evidence().contains(screenshot.as_ref().expect("a picture of it")));
        assert!(phone.count("Key(4)") == 1 && phone.count("Type(acting)") == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_comes_after_the_switch_is_the_accounts_own() {
    let (_, phone, outcome) = arrive(&["Switch to anna"], &["Verify that it is you"]).await;
    assert!(matches!(outcome, Outcome::NeedsAttention { .. }), "{outcome:?}");
    assert_eq!((phone.count("Key(4)"), phone.count("Type(acting)")), (1, 0));
}

/// The account before was in the middle of something: its page stands before each of those behind it.
#[tokio::test(start_paused = true)]
async fn a_page_that_stands_before_several_is_left_by_a_start_of_the_app() {
    let bench = Bench::new(FLOW).with_file("account.yaml", ACCOUNT);
    let mut starts = 0;
    let phone = phone(&["Verify that it is you"]).reacting(move |event, tree| {
        if event.starts_with("Launch") {
            starts += 1;
            show(
                tree,
                if starts == 1 {
                    &["Verify that it is you"]
                } else {
                    &["Switch to anna"]
                },
            );
        } else if event.starts_with("Tap") {
            show(tree, &["anna"]);
        }
    });
    let phone = Arc::new(phone);

    completed(&bench.run(&phone).await);

    assert_eq!(
        (phone.count("Key(4)"), phone.count("Type(acting)")),
        (1, 1),
        "{:?}",
        phone.events()
    );
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_acts_without_saying_how_the_account_is_shown_acts_for_nobody_else() {
    let acts = |farmhand: &str| {
        format!("appId: ${{APP_PACKAGE}}\nfarmhand: {farmhand}\n---\n- tapOn: {{ text: Post, label: post }}\n")
    };

    let other = Arc::new(phone(&["bob", "Post"]));
    let outcome = Bench::new(&acts("{ commit: post }")).run(&other).await;
    assert_eq!(failed(&outcome), (FailureReason::AccountUnavailable, Blame::App, true));
    assert!(other.events()[0].starts_with("Launch"), "{:?}", other.events());

    let bench = Bench::new(&acts("{ commit: post }"));
    let mut of_another_app = spec("flow", json!({}), Purpose::Execute);
    of_another_app.account.as_mut().unwrap().app = "chess".to_owned();
    let unknown = Arc::new(phone(&["Post"]));
    let outcome = bench.run_spec(&unknown, of_another_app).await;
    let Outcome::Failed { failure, .. } = &outcome else {
        panic!("{outcome:?}")
    };
    assert!(failure.message.contains("`farmhand.account`"), "{failure:?}");
    assert!(unknown.events().is_empty(), "{:?}", unknown.events());

    let single = Arc::new(phone(&["Post"]));
    completed(&Bench::new(&acts("{ account: none, commit: post }")).run(&single).await);
    assert_eq!(single.count("Tap"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_leaves_the_account_to_farmhand_acts_in_the_accounts_app_alone() {
    let acts = |app: &str, account: &str| {
        format!(
            "appId: {app}\nenv: {{ PKG: com.example.app }}\nfarmhand: {{ commit: post{account} }}\n---\n\
             - tapOn: {{ text: Post, label: post }}\n"
        )
    };
    for purpose in [Purpose::Execute, Purpose::Verify] {
        let other = Arc::new(phone(&["Post"]));
        let outcome = Bench::new(&acts("com.instagram.android", ""))
            .run_as(&other, purpose, json!({}))
            .await;
        assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));
        let Outcome::Failed { failure, .. } = &outcome else {
            unreachable!()
        };
        for word in [
            "com.instagram.android",
            "com.example.app",
            "${APP_PACKAGE}",
            "`farmhand.account`",
        ] {
            assert!(failure.message.contains(word), "{}", failure.message);
        }
        assert!(other.events().is_empty(), "{:?}", other.events());
    }
    // Here the account's app is started, and shows nobody.
    for app in ["\"${APP_PACKAGE}\"", "\"${PKG}\"", "com.example.app"] {
        let own = Arc::new(phone(&["Post"]));
        let outcome = Bench::new(&acts(app, "")).run(&own).await;
        assert_eq!(failed(&outcome).0, FailureReason::AccountUnavailable, "{app}");
    }
    let said = Arc::new(phone(&["Post"]));
    completed(
        &Bench::new(&acts("com.instagram.android", ", account: none"))
            .run(&said)
            .await,
    );
}
