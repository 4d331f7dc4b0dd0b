//! What the record of a step tells.

use farmhand_actors::domain::UiNode;

use super::*;

fn detail<'s>(steps: &'s [StepRecord], command: &str) -> &'s Value {
    let step = steps.iter().find(|step| step.command == command).unwrap();
    step.detail.as_ref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn steps_tell_what_they_looked_for_what_they_found_and_how_long_it_took() {
    let flow = "- evalScript: \"${output.who = 'Anna'}\"\n- tapOn: { text: \"${output.who}\" }\n\
                - runFlow: { when: { visible: Bob }, commands: [ copyTextFrom: Bob ] }\n\
                - runFlow: { when: { visible: Nobody, timeout: 300 }, commands: [ back ] }\n\
                - assertNotVisible: { text: Bob, timeout: 1000 }\n";
    let bench = Bench::steps(flow);
    failed(&bench.run(&Arc::new(phone(&["Anna", "Bob"]))).await);
    let steps = bench.journal.steps();

    let tap = detail(&steps, "tapOn");
    assert_eq!((&tap["selector"], &tap["waited_ms"]), (&json!("\"Anna\""), &json!(0)));
    assert_eq!(tap["matched"]["text"], "Anna");
    assert_eq!(
        tap["matched"]["bounds"],
        json!({"left": 0, "top": 0, "right": 100, "bottom": 100})
    );
    let inner = detail(&steps, "copyTextFrom");
    assert_eq!((&inner["matched"]["text"], &inner["depth"]), (&json!("Bob"), &json!(1)));
    let conditions: Vec<&Value> = steps
        .iter()
        .filter(|step| step.command == "runFlow")
        .map(|step| step.detail.as_ref().unwrap())
        .collect();
    assert_eq!(conditions[0]["selector"], "\"Bob\"", "not lost by the step inside");
    assert_eq!(
        (&conditions[1]["selector"], &conditions[1]["waited_ms"]),
        (&json!("\"Nobody\""), &json!(300))
    );
    let gone = detail(&steps, "assertNotVisible");
    assert_eq!(gone["matched"]["text"], "Bob", "what is still there");
    assert!(gone["waited_ms"].as_u64() >= Some(1_000), "{gone}");
    let failed = steps.last().unwrap();
    assert_eq!(failed.state, StepState::Failed);
    assert!(failed.screenshot.is_some() && failed.hierarchy.is_some());
    assert_eq!(bench.evidence().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn unlabelled_steps_say_what_they_do_without_expressions_and_run_them_once() {
    let flow = "- evalScript: \"${output.n = 1}\"\n- inputText: \"number ${output.n}\"\n- inputText: ${output.n++}\n\
                - assertVisible: ${pattern('A')}\n- assertTrue: \"${output.n == 2}\"\n- openLink: \"https://x.y/${output.n}\"\n\
                - inputText: ${PASSWORD}\n";
    let head = "appId: a.b\nenv: { PASSWORD: hunter2 }\nfarmhand: { policy: { link_schemes: [https] } }\n---\n";
    let bench = Bench::new(&format!("{head}{flow}"));
    let phone = Arc::new(phone(&["A"]));
    completed(&bench.run(&phone).await);
    let labels: Vec<String> = bench.journal.steps().into_iter().map(|step| step.label).collect();
    assert_eq!(
        labels,
        [
            "evalScript output.n = 1",
            "inputText number 1",
            "inputText …",
            "assertVisible \"A\"",
            "assertTrue output.n == 2",
            "openLink https://x.y/2",
            "inputText …",
        ]
    );
    assert_eq!(
        phone.events()[..2],
        ["Type(number 1)", "Type(1)"],
        "run once, not twice"
    );
    assert!(!format!("{:?}", bench.journal.progress()).contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_what_was_there_instead() {
    let said = |node: UiNode, steps: &'static str| async move {
        let outcome = Bench::steps(steps)
            .run(&Arc::new(FakePhone::new(screen(&[node]))))
            .await;
        let Outcome::Failed { failure, .. } = outcome else {
            panic!("{outcome:?}");
        };
        failure.message
    };
    let of_app = |package: &str| UiNode {
        id: "a:id/result".to_owned(),
        package: package.into(),
        ..label("Could not upload", 0)
    };
    let ours = of_app("com.example.app");

    let other_words = said(ours.clone(), "- assertVisible: { id: result, text: Posted }\n").await;
    let other_app = said(of_app("com.launcher"), "- tapOn: Posted\n").await;
    let nothing = said(ours, "- tapOn: Posted\n").await;

    assert!(
        other_words.ends_with(r#"(it says "Could not upload")"#),
        "{other_words}"
    );
    let told = "(com.launcher is in front, not com.example.app: that has been closed, or it crashed)";
    assert!(other_app.contains(told), "{other_app}");
    assert!(
        !nothing.contains("in front") && !nothing.contains("it says"),
        "{nothing}"
    );
}
