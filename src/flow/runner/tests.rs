use std::{rc::Rc, time::Duration};

use farmhand_actors::{
    domain::{
        AdbState, Attention, Blame, Effect, EffectGate, EffectKey, EffectState, FailureReason, Outcome, Purpose,
        Serial, StepRecord, StepState, TaskId,
    },
    ports::{DriverError, MediaError},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::flow::testing::{
    FakeJournal, FakeMedia, FakePhone, Misbehaviour, StandingClock, label, screen, spec, two_images,
};

mod arrival;
mod bundled_checks;
mod checkpoints;
mod effects;
mod evidence;
mod pictures;
mod rounds;
mod unpinned;
mod waiting;

/// One attempt of one flow on a phone in memory.
struct Bench {
    folder: tempfile::TempDir,
    journal: Arc<FakeJournal>,
    media: Arc<FakeMedia>,
    cancel: CancellationToken,
    settings: FlowSettings,
    time_limit: Duration,
}

impl Bench {
    /// The flow as the script `flow`.
    fn new(flow: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("flows")).unwrap();
        std::fs::write(folder.path().join("flows/flow.yaml"), flow).unwrap();
        Self {
            folder,
            journal: Arc::default(),
            media: Arc::default(),
            cancel: CancellationToken::new(),
            settings: FlowSettings::default(),
            time_limit: Duration::from_secs(600),
        }
    }

    /// A flow for an app, without anything of farmhand's.
    fn steps(steps: &str) -> Self {
        Self::new(&format!("appId: com.example.app\n---\n{steps}"))
    }

    fn with_file(self, path: &str, text: &str) -> Self {
        let file = self.folder.path().join("flows").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        self
    }

    async fn run(&self, phone: &Arc<FakePhone>) -> Outcome {
        self.run_as(phone, Purpose::Execute, json!({})).await
    }

    async fn run_without_account(&self, phone: &Arc<FakePhone>, app: Option<&str>) -> Outcome {
        let mut spec = spec("flow", json!({}), Purpose::Execute);
        spec.account = None;
        spec.app = app.map(str::to_owned);
        self.run_spec(phone, spec).await
    }

    async fn run_as(&self, phone: &Arc<FakePhone>, purpose: Purpose, config: Value) -> Outcome {
        self.run_spec(phone, spec("flow", config, purpose)).await
    }

    async fn run_spec(&self, phone: &Arc<FakePhone>, mut spec: farmhand_actors::domain::AttemptSpec) -> Outcome {
        let catalog = FlowCatalog::new(Some(self.folder.path().join("flows")), self.media.clone());
        spec.time_limit = self.time_limit;
        let errors = farmhand_actors::ports::ScriptCatalog::get(&*catalog, &spec.script)
            .unwrap()
            .errors;
        assert!(errors.is_empty(), "{errors:#?}");
        let runner = FlowRunner::new(FlowRunnerParts {
            catalog,
            journal: self.journal.clone(),
            media: self.media.clone(),
            evidence_dir: self.folder.path().join("evidence"),
            clock: Arc::new(StandingClock),
            settings: self.settings.clone(),
        });
        runner
            .run(Arc::new(spec), phone.clone(), self.cancel.clone(), Rc::new(|| {}))
            .await
    }

    fn evidence(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.folder.path().join("evidence")) else {
            return Vec::new();
        };
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn phone(texts: &[&str]) -> FakePhone {
    let nodes: Vec<_> = texts.iter().zip(0..).map(|(text, row)| label(text, row)).collect();
    FakePhone::new(screen(&nodes))
}

fn serial() -> Serial {
    Serial::parse("fake-1").unwrap()
}

fn lost() -> DriverError {
    DriverError::Lost {
        serial: serial(),
        command: "tap",
    }
}

fn completed(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Completed { remark, .. } => remark,
        other => panic!("not completed: {other:?}"),
    }
}

fn failed(outcome: &Outcome) -> (FailureReason, Blame, bool) {
    match outcome {
        Outcome::Failed { failure, blame } => (failure.reason, *blame, failure.retryable),
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_label_says_what_its_expressions_mean() {
    let bench =
        Bench::steps("- tapOn: { text: Search, label: \"Search for ${SERIAL}\" }\n- assertVisible: \"S${'earch'}\"\n");

    completed(&bench.run(&Arc::new(phone(&["Search"]))).await);

    let labels: Vec<String> = bench.journal.steps().into_iter().map(|step| step.label).collect();
    assert_eq!(labels, ["Search for fake-1", "assertVisible \"Search\""]);
}

#[tokio::test(start_paused = true)]
async fn a_flow_taps_types_and_asserts() {
    let bench = Bench::steps("- tapOn: Search\n- inputText: hello ${1 + 1}\n- assertVisible: Results.*\n");
    let phone = phone(&["Search"]).reacting(|event, tree| {
        if event.starts_with("Type") {
            *tree = screen(&[label("Results for you", 0)]);
        }
    });
    let phone = Arc::new(phone);

    let outcome = bench.run(&phone).await;

    assert_eq!(completed(&outcome), "");
    assert_eq!(phone.events(), ["Tap(50,50)", "Type(hello 2)"]);
    let steps = bench.journal.steps();
    let told: Vec<_> = steps
        .iter()
        .map(|step| (step.index, step.command.as_str(), step.state))
        .collect();
    assert_eq!(
        told,
        [
            (1, "tapOn", StepState::Completed),
            (2, "inputText", StepState::Completed),
            (3, "assertVisible", StepState::Completed)
        ]
    );
    assert_eq!(steps[0].detail.as_ref().unwrap()["matched"]["text"], "Search");
    assert_eq!(bench.journal.progress().last().unwrap().steps, 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_leaves_a_picture_and_the_hierarchy() {
    let bench = Bench::steps("- runFlow:\n    commands:\n      - tapOn: Nowhere\n");
    let phone = Arc::new(phone(&["Search"]));

    let outcome = bench.run(&phone).await;

    assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::App, true));
    assert_eq!(bench.evidence(), ["1-2-2.jpg", "1-2-2.xml"]);
    for step in bench.journal.steps() {
        assert_eq!(step.state, StepState::Failed);
        assert_eq!(step.screenshot.as_deref(), Some("1-2-2.jpg"), "{}", step.command);
        assert_eq!(step.hierarchy.as_deref(), Some("1-2-2.xml"));
        assert!(step.error.unwrap().contains("Nowhere"));
    }
}

#[tokio::test(start_paused = true)]
async fn optional_steps_only_warn_but_scripts_and_phones_do_not() {
    let bench = Bench::steps("- tapOn: { text: Nowhere, optional: true }\n- tapOn: Search\n");
    let phone_one = Arc::new(phone(&["Search"]));
    completed(&bench.run(&phone_one).await);
    assert_eq!(bench.journal.steps()[0].state, StepState::Warned);
    assert_eq!(phone_one.count("Tap"), 1);

    let bench = Bench::steps("- tapOn: { text: \"${no.such}\", optional: true }\n");
    let outcome = bench.run(&Arc::new(phone(&[]))).await;
    assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));

    let bench = Bench::steps("- tapOn: { text: Search, optional: true }\n");
    let gone = phone(&["Search"]).misbehaving("Tap", Misbehaviour::Fails(lost()));
    let outcome = bench.run(&Arc::new(gone)).await;
    assert_eq!(failed(&outcome), (FailureReason::DeviceOffline, Blame::Device, true));
    assert!(
        bench.evidence().is_empty(),
        "nothing can be had of a phone that is gone"
    );
}

#[tokio::test]
async fn a_script_within_one_long_call_fails_its_step() {
    let heavy = "('a'.repeat(1 << 18) + 'ą').indexOf('a'.repeat(1 << 16) + 'b')";
    let bench = Bench::steps(&format!("- evalScript: \"{heavy}\"\n- back\n"));
    let phone = Arc::new(phone(&[]));

    let outcome = bench.run(&phone).await;

    assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));
    let told = bench.journal.steps()[0].error.clone().unwrap();
    assert!(told.contains("did not end within 1s"), "{told}");
    assert_eq!(phone.count("Key"), 0);
}

#[test]
fn an_attempt_without_room_for_its_scripts_ends_at_once_and_is_tried_again() {
    let crowded = fault::Fault::from(crate::flow::expr::ScriptError::Crowded(8));
    assert_eq!(crowded.verdict(), (FailureReason::Interrupted, Blame::Host, true));
    assert!(!crowded.leaves_phone_usable());
    assert!(!crowded.is_flow_failure());
}

#[tokio::test(start_paused = true)]
async fn a_hung_call_is_dropped_when_the_attempt_is_stopped() {
    let bench = Bench::steps("- tapOn: Search\n- tapOn: Search\n");
    let phone = Arc::new(phone(&["Search"]).misbehaving("Tap", Misbehaviour::Hangs));
    let cancel = bench.cancel.clone();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        cancel.cancel();
        tokio::time::Instant::now()
    };

    let (outcome, stopped) = tokio::join!(bench.run(&phone), stop);

    assert_eq!(failed(&outcome), (FailureReason::Stopped, Blame::Task, false));
    assert!(stopped.elapsed() <= Duration::from_secs(2), "{:?}", stopped.elapsed());
    assert_eq!(phone.count("Tap"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_ends_an_attempt() {
    let mut bench = Bench::steps("- assertVisible: { text: Never, timeout: 100000 }\n");
    bench.time_limit = Duration::from_secs(20);
    let start = tokio::time::Instant::now();

    let outcome = bench.run(&Arc::new(phone(&["Search"]))).await;

    assert_eq!(failed(&outcome).0, FailureReason::Timeout);
    assert!(start.elapsed() < Duration::from_secs(22));
}

#[tokio::test(start_paused = true)]
async fn driver_errors_become_reasons() {
    let not_ready = DriverError::NotReady {
        serial: serial(),
        state: AdbState::Unauthorized,
        problem: "x".into(),
    };
    let timed_out = DriverError::TimedOut {
        serial: serial(),
        command: "tap",
        after: Duration::from_secs(1),
    };
    let down = DriverError::ServerDown {
        server: "a:1".into(),
        problem: "x".into(),
    };
    let untypable = DriverError::Untypable {
        serial: serial(),
        problem: "x".into(),
    };
    for (error, wanted) in [
        (lost(), (FailureReason::DeviceOffline, Blame::Device, true)),
        (not_ready, (FailureReason::DeviceOffline, Blame::Device, true)),
        (timed_out, (FailureReason::DeviceError, Blame::Device, true)),
        (down, (FailureReason::DeviceOffline, Blame::Host, true)),
        (untypable, (FailureReason::FlowError, Blame::Task, false)),
    ] {
        let bench = Bench::steps("- inputText: x\n");
        let phone = phone(&[]).misbehaving("Type", Misbehaviour::Fails(error.clone()));
        assert_eq!(failed(&bench.run(&Arc::new(phone)).await), wanted, "{error}");
    }
    let bench = Bench::steps("- launchApp\n");
    let phone = phone(&[]).with_apps(&["com.other".to_owned()]);
    let outcome = bench.run(&Arc::new(phone)).await;
    assert_eq!(failed(&outcome), (FailureReason::AppMissing, Blame::App, false));
}

#[tokio::test(start_paused = true)]
async fn conditions_choose_between_commands_and_else() {
    let flow = "- runFlow: { when: { visible: A }, commands: [ inputText: yes1 ], else: [ inputText: no1 ] }\n\
                - runFlow: { when: { visible: B, timeout: 100 }, commands: [ inputText: yes2 ], else: [ inputText: no2 ] }\n\
                - runFlow: { when: { platform: iOS }, commands: [ inputText: ios ] }\n\
                - runFlow: { when: { true: \"${1 > 2}\" }, commands: [ inputText: never ] }\n\
                - repeat: { times: 2, commands: [ evalScript: \"${output.n = (output.n || 0) + 1}\" ] }\n\
                - inputText: ${output.n}\n";
    let bench = Bench::steps(flow);
    let phone = Arc::new(phone(&["A"]));

    completed(&bench.run(&phone).await);

    assert_eq!(phone.events(), ["Type(yes1)", "Type(no2)", "Type(2)"]);
    let skipped = bench
        .journal
        .steps()
        .iter()
        .filter(|step| step.state == StepState::Skipped)
        .count();
    assert_eq!(skipped, 2);
}

#[tokio::test(start_paused = true)]
async fn retry_runs_again_at_most_three_times() {
    for (retries, attempts) in [("0", 1), ("1", 2), ("3", 4), ("9", 4)] {
        let bench = Bench::steps(&format!(
            "- retry: {{ maxRetries: {retries}, commands: [ inputText: x, assertTrue: false ] }}\n"
        ));
        let phone = Arc::new(phone(&[]));
        assert_eq!(failed(&bench.run(&phone).await).0, FailureReason::AssertionFailed);
        assert_eq!(phone.count("Type"), attempts, "{retries}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_repeat_is_ended() {
    let mut bench = Bench::steps("- repeat: { while: { true: true }, commands: [ evalScript: \"1\" ] }\n");
    bench.settings.max_rounds = 20;
    let outcome = bench.run(&Arc::new(phone(&[]))).await;
    assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));
    assert_eq!(bench.journal.steps().len(), 21);
}

#[tokio::test(start_paused = true)]
async fn hooks_run_around_the_steps_and_after_a_failure() {
    let config = "appId: a.b\nonFlowStart: [ inputText: start ]\nonFlowFailure: [ inputText: failure ]\n\
                  onFlowComplete: [ inputText: complete ]\n---\n";
    let good = Bench::new(&format!("{config}- inputText: step\n"));
    let fine = Arc::new(phone(&[]));
    completed(&good.run(&fine).await);
    assert_eq!(fine.events(), ["Type(start)", "Type(step)", "Type(complete)"]);

    let bad = Bench::new(&format!("{config}- assertTrue: false\n"));
    let broken = Arc::new(phone(&[]));
    failed(&bad.run(&broken).await);
    assert_eq!(
        broken.events(),
        ["Type(start)", "Screenshot", "Type(failure)", "Type(complete)"]
    );
}

#[tokio::test(start_paused = true)]
async fn sub_flows_have_their_own_variables_and_app() {
    let bench = Bench::new("appId: a.main\nenv: { A: main }\n---\n- runFlow: { file: sub/s.yaml, env: { B: \"${A}-b\" } }\n- inputText: ${A}${typeof B}\n- stopApp\n")
        .with_file("sub/s.yaml", "appId: a.sub\nenv: { A: \"${A || 'x'}-sub\" }\n---\n- inputText: ${A} ${B}\n- stopApp\n- runFlow: t.yaml\n")
        .with_file("sub/t.yaml", "appId: a.deep\n---\n- stopApp\n");
    let phone = Arc::new(phone(&[]));

    completed(&bench.run(&phone).await);

    assert_eq!(
        phone.events(),
        [
            "Type(main-sub main-b)",
            "Stop(a.sub)",
            "Stop(a.deep)",
            "Type(mainundefined)",
            "Stop(a.main)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn popups_are_tapped_away_and_challenges_stop_everything() {
    let watch =
        "appId: a.b\nfarmhand:\n  popups: [ { visible: Rate us.*, tap: Later } ]\n  challenges: [ Verify it.* ]\n---\n";
    let bench = Bench::new(&format!("{watch}- tapOn: Search\n- tapOn: Search\n"));
    let popup = phone(&["Search", "Rate us!", "Later"]).reacting(|event, tree| {
        if event == "Tap(50,250)" {
            *tree = screen(&[label("Search", 0)]);
        }
    });
    let popup = Arc::new(popup);
    completed(&bench.run(&popup).await);
    assert_eq!(popup.events(), ["Tap(50,250)", "Tap(50,50)", "Tap(50,50)"]);

    let bench = Bench::new(&format!("{watch}- tapOn: Search\n- inputText: never\n"));
    let challenge = phone(&["Search"]).reacting(|_, tree| *tree = screen(&[label("Verify it is you", 0)]));
    let challenge = Arc::new(challenge);
    match bench.run(&challenge).await {
        Outcome::NeedsAttention { message, screenshot } => {
            assert!(message.contains("Verify it"), "{message}");
            assert_eq!(screenshot.as_deref(), Some("1-2-2.jpg"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(challenge.count("Type"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_popup_that_comes_back_for_ever_does_not_hang_the_flow() {
    let bench = Bench::new("appId: a.b\nfarmhand:\n  popups: [ Later ]\n---\n- tapOn: Nowhere\n");
    let phone = Arc::new(phone(&["Later"]));
    assert_eq!(failed(&bench.run(&phone).await).0, FailureReason::FlowError);
    assert_eq!(phone.count("Tap"), 5);
}

#[tokio::test(start_paused = true)]
async fn the_account_is_shown_first_and_its_failure_has_a_name() {
    let flow = "appId: a.b\nfarmhand: { account: lib/account.yaml }\n---\n- inputText: step\n";
    let account = "appId: a.b\n---\n- inputText: as ${USERNAME}\n- assertVisible: anna\n";
    let bench = Bench::new(flow).with_file("lib/account.yaml", account);
    let right = Arc::new(phone(&["anna"]));
    completed(&bench.run(&right).await);
    assert_eq!(right.events(), ["Type(as anna)", "Type(step)"]);

    let wrong = Arc::new(phone(&["bob"]));
    let outcome = bench.run(&wrong).await;
    assert_eq!(failed(&outcome), (FailureReason::AccountUnavailable, Blame::App, true));
    assert_eq!(wrong.count("Type(step"), 0);
}

#[tokio::test(start_paused = true)]
async fn media_are_picked_before_the_first_step_and_the_first_becomes_the_newest() {
    let flow = "appId: a.b\nfarmhand:\n  media: { files: files, kind: kind, count: count }\n---\n\
                - addMedia: [ \"${media.files}\" ]\n- inputText: ${media.caption} ${media.files[0].name}\n";
    let bench = Bench::new(flow);
    *bench.media.picked.lock().unwrap() = Some(Ok(two_images()));
    let phone_one = Arc::new(phone(&[]));
    let config = json!({"files": ["x/a.png", "x/b.png"], "kind": 1, "count": 1});
    completed(&bench.run_as(&phone_one, Purpose::Execute, config).await);
    assert_eq!(
        phone_one.events(),
        ["AddMedia(b.png)", "AddMedia(a.png)", "Type(one a.png)"]
    );
    assert_eq!(bench.media.requests.lock().unwrap()[0].count, 2);

    for (error, reason) in [
        (MediaError::Missing("x".into()), FailureReason::MaterialMissing),
        (MediaError::Invalid("x".into()), FailureReason::MaterialInvalid),
    ] {
        *bench.media.picked.lock().unwrap() = Some(Err(error));
        let phone = Arc::new(phone(&[]));
        let outcome = bench.run(&phone).await;
        assert_eq!(failed(&outcome), (reason, Blame::Task, false));
        assert!(phone.events().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_flow_cannot_send_any_file_of_the_host_to_the_phone() {
    let bench = Bench::steps("- addMedia: [ \"${'/etc/passwd'}\" ]\n");
    let phone = Arc::new(phone(&[]));
    assert_eq!(failed(&bench.run(&phone).await).0, FailureReason::FlowError);
    assert_eq!(phone.count("AddMedia"), 0);
}

#[tokio::test(start_paused = true)]
async fn links_with_expressions_are_checked_when_they_are_known() {
    let flow = "appId: a.b\nfarmhand: { policy: { link_schemes: [https] } }\n---\n- openLink: ${params.link}\n";
    let bench = Bench::new(flow);
    let good = Arc::new(phone(&[]));
    completed(
        &bench
            .run_as(&good, Purpose::Execute, json!({"link": "https://x.y/"}))
            .await,
    );
    assert_eq!(good.count("Link"), 1);

    let bad = Arc::new(phone(&[]));
    let outcome = bench
        .run_as(&bad, Purpose::Execute, json!({"link": "intent://x"}))
        .await;
    assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));
    assert_eq!(bad.count("Link"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flow_for_another_app_is_not_begun() {
    let bench = Bench::new("appId: a.b\nfarmhand: { apps: [instagram] }\n---\n- back\n");
    let phone = Arc::new(phone(&[]));
    let outcome = bench.run(&phone).await;
    assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));
    assert!(phone.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_differs_from_upstream_on_purpose_does() {
    let bench = Bench::steps("- pressKey: Tab\n- hideKeyboard\n- launchApp\n");
    let phone = Arc::new(phone(&[]));
    completed(&bench.run(&phone).await);
    let events = phone.events();
    assert_eq!(events[0], "Key(61)", "Tab, not the space bar");
    assert!(
        events.contains(&"Key(4)".to_owned()),
        "the phone does not say that the keyboard is closed"
    );
    assert_eq!(
        phone.count("Permission"),
        0,
        "nothing is granted that the flow does not name"
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_keyboard_is_not_hidden_by_leaving_the_screen() {
    let bench = Bench::steps("- hideKeyboard\n");
    let phone = Arc::new(phone(&[]).with_keyboard_closed());
    completed(&bench.run(&phone).await);
    assert_eq!(phone.count("Key"), 0);
    assert_eq!(bench.journal.steps()[0].state, StepState::Skipped);
}

#[tokio::test(start_paused = true)]
async fn scripts_run_in_flows_within_flows_within_flows() {
    let depth = 16;
    let nested = format!(
        "- {}inputText: \"${{1 + 1}}\"{}\n",
        "runFlow: { commands: [ ".repeat(depth),
        " ] }".repeat(depth)
    );
    let bench = Bench::steps(&nested);
    let phone = Arc::new(phone(&[]));
    completed(&bench.run(&phone).await);
    assert_eq!(phone.events(), ["Type(2)"]);
}

#[tokio::test(start_paused = true)]
async fn records_show_labels_evaluated_and_failures_say_what_was_looked_for() {
    let flow = "- evalScript: { script: \"${output.who = 'a.b'}\", label: \"Greet ${output.who || USERNAME}\" }\n\
                - tapOn: { id: \"${output.who}\", text: \"${pattern(output.who)}\", label: \"Open ${output.who}\", timeout: 0 }\n";
    let bench = Bench::steps(flow);
    let outcome = bench.run(&Arc::new(phone(&[]))).await;
    let steps = bench.journal.steps();
    assert_eq!((&*steps[0].label, &*steps[1].label), ("Greet anna", "Open a.b"));
    let Outcome::Failed { failure, .. } = outcome else {
        panic!("{outcome:?}")
    };
    for words in ["element not found: ", "id: a.b", "Open a.b", "picture"] {
        assert!(failure.message.contains(words), "{words}: {}", failure.message);
    }

    let bench = Bench::steps("- assertTrue: { condition: \"${false}\", label: \"${USERNAME} may do it\" }\n");
    let outcome = bench.run(&Arc::new(phone(&[]))).await;
    let Outcome::Failed { failure, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(failure.message, "assertion failed: anna may do it");
}

#[tokio::test(start_paused = true)]
async fn media_of_equal_content_keep_their_own_names() {
    let bench =
        Bench::new("appId: a.b\nfarmhand:\n  media: { files: files }\n---\n- addMedia: [ \"${media.files}\" ]\n");
    let mut picked = two_images();
    picked.files[1].path = picked.files[0].path.clone();
    *bench.media.picked.lock().unwrap() = Some(Ok(picked));
    let phone = Arc::new(phone(&[]));
    completed(&bench.run(&phone).await);
    assert_eq!(phone.events(), ["AddMedia(b.png)", "AddMedia(a.png)"]);
}

#[tokio::test(start_paused = true)]
async fn without_an_account_the_devices_app_is_meant_and_without_it_the_usual_one() {
    let steps = "- evalScript: ${output.remark = APP + ' ' + APP_PACKAGE}\n";
    let bench = Bench::steps(steps);
    let phone = Arc::new(phone(&[]));
    let mut said = Vec::new();

    for app in [None, Some("instagram")] {
        match bench.run_without_account(&phone, app).await {
            Outcome::Completed { remark, .. } => said.push(remark),
            other => panic!("{other:?}"),
        }
    }

    assert_eq!(
        said,
        ["tiktok com.zhiliaoapp.musically", "instagram com.instagram.android"]
    );
}

/// The lines that the phone was given for a recording.
fn recorder_lines(phone: &FakePhone) -> Vec<String> {
    let events = phone.events().into_iter();
    events
        .filter(|event| event.starts_with("Shell(") || event.starts_with("Pull("))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_at_least_three_seconds_long_and_is_kept() {
    let bench = Bench::steps("- startRecording: film\n- stopRecording\n");
    let phone = Arc::new(phone(&[]));
    let began = tokio::time::Instant::now();

    completed(&bench.run(&phone).await);

    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    let lines = recorder_lines(&phone);
    assert_eq!(lines[1], "Shell(kill -0 4711)");
    assert_eq!(lines[2], "Shell(kill -INT 4711)");
    assert!(lines[3].starts_with("Pull("), "{lines:?}");
    assert!(lines[4].starts_with("Shell(rm -f "), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_ends_at_once_fails_the_step_in_its_own_words() {
    let bench = Bench::steps("- startRecording: film\n- stopRecording\n");
    let phone = Arc::new(phone(&[]).without_recorder());

    let outcome = bench.run(&phone).await;

    assert_eq!(failed(&outcome), (FailureReason::FlowError, Blame::Task, false));
    let told = bench.journal.steps()[0].error.clone().unwrap();
    assert!(told.contains("does not record its screen: no codec"), "{told}");
    assert!(
        recorder_lines(&phone).pop().unwrap().starts_with("Shell(rm -f "),
        "{:?}",
        recorder_lines(&phone)
    );
}

/// Whatever it begins with, it ends: so the answer must not be that it does not match.
#[tokio::test(start_paused = true)]
async fn a_pattern_that_takes_for_ever_on_a_text_is_a_fault_and_no_sight() {
    let endless = "(?=S)((.*)*.*)*xq|(?=S)Settings";
    for step in ["assertNotVisible", "assertVisible", "tapOn"] {
        let bench = Bench::steps(&format!(
            "- {step}: {{ text: \"{endless}\", optional: true }}\n- back\n"
        ));
        let phone = Arc::new(phone(&["Settings and more of them than one line"]));

        let outcome = bench.run(&phone).await;

        assert_eq!(
            failed(&outcome),
            (FailureReason::FlowError, Blame::Task, false),
            "{step}"
        );
        let told = bench.journal.steps()[0].error.clone().unwrap();
        assert!(told.contains("takes too long") && told.contains(endless), "{told}");
        assert_eq!(phone.count("Key"), 0, "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_ended_by_a_stop_and_by_the_time_limit_and_leaves_nothing() {
    for is_stop in [true, false] {
        let mut bench = Bench::steps("- startRecording: film\n- assertVisible: { text: Later, timeout: 60000 }\n");
        bench.time_limit = Duration::from_secs(if is_stop { 600 } else { 20 });
        let cancel = bench.cancel.clone();
        let phone = Arc::new(phone(&[]));
        let stop = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            if is_stop {
                cancel.cancel();
            }
        };

        let (outcome, ()) = tokio::join!(bench.run(&phone), stop);

        let wanted = if is_stop {
            FailureReason::Stopped
        } else {
            FailureReason::Timeout
        };
        assert_eq!(failed(&outcome).0, wanted);
        let last = recorder_lines(&phone).pop().unwrap();
        assert_eq!(
            last,
            "Shell(sh -c kill -INT 4711; rm -f /data/local/tmp/farmhand-2.mp4 /data/local/tmp/farmhand-2.txt)"
        );
    }
}
