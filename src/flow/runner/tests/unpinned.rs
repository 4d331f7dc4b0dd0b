//! What upstream's own cases do not pin, from the flow file to the tap. How long what waits is in `waiting.rs`, the
//! rules of single selectors in `select/tests.rs`.

use super::*;

fn at(text: &str, top: i32) -> farmhand_actors::domain::UiNode {
    let mut node = label(text, 0);
    node.bounds = Some(crate::flow::testing::bounds(0, top, 100, top + 100));
    node
}

async fn taps(steps: &str, phone: FakePhone) -> Vec<String> {
    let bench = Bench::steps(steps);
    let phone = Arc::new(phone);
    completed(&bench.run(&phone).await);
    let mut events = phone.events();
    events.retain(|event| event.starts_with("Tap") || event.starts_with("Swipe"));
    events
}

#[tokio::test(start_paused = true)]
async fn of_several_the_first_of_the_document_is_tapped_and_the_nearest_if_wanted() {
    let screen = || FakePhone::new(screen(&[at("Item", 700), at("Title", 100), at("Item", 300)]));
    let far = taps("- tapOn: { text: Item, below: Title }\n", screen()).await;
    let near = taps("- tapOn: { text: Item, below: Title, nearest: true }\n", screen()).await;
    assert_eq!(
        (far, near),
        (vec!["Tap(50,750)".to_owned()], vec!["Tap(50,350)".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn points_of_a_swipe_are_evaluated_when_the_step_runs() {
    let steps = "- evalScript: ${output.x = 50}\n- swipe: { start: \"${output.x}%,25%\", end: \"${output.x},7\", duration: 100 }\n";
    assert_eq!(
        taps(steps, FakePhone::new(screen(&[]))).await,
        ["Swipe(270,240 50,7 100)"]
    );
}

#[tokio::test(start_paused = true)]
async fn below_compares_upper_edges_overlap_or_not() {
    let screen = FakePhone::new(screen(&[at("Title", 100), at("Item", 101)]));
    assert_eq!(
        taps("- tapOn: { text: Item, below: Title }\n", screen).await,
        ["Tap(50,151)"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_no_pattern_is_meant_as_it_stands_and_a_dot_matches_a_line_end() {
    let screen = || FakePhone::new(screen(&[at("[draft (1", 100), at("One\nTwo", 300)]));
    assert_eq!(taps("- tapOn: \"[draft (1\"\n", screen()).await, ["Tap(50,150)"]);
    assert_eq!(taps("- tapOn: One.Two\n", screen()).await, ["Tap(50,350)"]);
}

#[tokio::test(start_paused = true)]
async fn any_visible_part_is_enough_unless_all_of_it_is_wanted() {
    // 20 of 100 pixels are on the screen; the content follows the finger.
    let screen = || {
        FakePhone::new(screen(&[at("Last", 940)])).reacting(|event, tree| {
            if event.starts_with("Swipe") {
                *tree = screen_of("Last", 500);
            }
        })
    };
    for (percent, swipes) in [("1", 0), ("50", 0), ("99", 0), ("100", 1)] {
        let step = format!("- scrollUntilVisible: {{ element: Last, visibilityPercentage: {percent} }}\n");
        assert_eq!(taps(&step, screen()).await.len(), swipes, "{percent}");
    }
    assert_eq!(
        taps("- scrollUntilVisible: { element: Last }\n", screen()).await.len(),
        1
    );
}

fn screen_of(text: &str, top: i32) -> farmhand_actors::domain::UiTree {
    screen(&[at(text, top)])
}

#[tokio::test(start_paused = true)]
async fn a_tap_waits_until_the_screen_rests_and_finds_the_element_again() {
    let moving = [0, 100, 200, 300, 300].map(|top| screen_of("Target", top));
    let phone = FakePhone::new(screen(&[])).showing_one_after_another(moving);
    assert_eq!(taps("- tapOn: Target\n", phone).await, ["Tap(50,350)"]);
}

#[tokio::test(start_paused = true)]
async fn an_element_that_is_not_the_only_one_of_its_kind_afterwards_is_tapped_where_it_was() {
    let two = screen(&[at("Target", 300), at("Target", 500)]);
    let phone = FakePhone::new(screen(&[])).showing_one_after_another([screen_of("Target", 0), two.clone(), two]);
    assert_eq!(taps("- tapOn: Target\n", phone).await, ["Tap(50,50)"]);
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_fails_for_good_has_been_tried_four_times_at_most() {
    let bench =
        Bench::steps("- retry: { maxRetries: 7, commands: [ inputText: x, tapOn: { text: No, timeout: 0 } ] }\n");
    let phone = Arc::new(phone(&[]));
    failed(&bench.run(&phone).await);
    assert_eq!(phone.count("Type"), 4);
}

#[tokio::test(start_paused = true)]
async fn the_steps_own_time_counts_from_its_start_whatever_others_have_used_up() {
    let steps = "- assertVisible: { text: Never, optional: true }\n- assertVisible: { text: Never, timeout: 3000, optional: true }\n";
    let bench = Bench::steps(steps);
    let start = tokio::time::Instant::now();
    completed(&bench.run(&Arc::new(phone(&[]))).await);
    assert_eq!(start.elapsed().as_millis(), 20_000);
}

#[tokio::test(start_paused = true)]
async fn popups_of_the_first_run_are_tapped_away_before_they_hide_anything() {
    let flow = "appId: a.b\nfarmhand:\n  popups: [ Not now, { visible: Welcome.*, tap: Skip } ]\n---\n\
                - launchApp\n- assertVisible: Home\n";
    let phone = phone(&[]).reacting(|event, tree| {
        *tree = match event {
            "Tap(50,50)" => screen(&[label("Welcome to it", 0), label("Skip", 1)]),
            "Tap(50,150)" => screen(&[label("Home", 0)]),
            _ => screen(&[label("Not now", 0)]),
        };
    });
    let phone = Arc::new(phone);
    let bench = Bench::new(flow);
    completed(&bench.run(&phone).await);
    assert_eq!(phone.count("Tap"), 2);
    let noted = bench.journal.steps();
    let dismissed = |step: &StepRecord| {
        step.detail
            .as_ref()
            .and_then(|detail| detail["popups_dismissed"].as_u64())
    };
    assert_eq!(noted.iter().filter_map(dismissed).max(), Some(2), "{noted:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_is_not_set_is_neither_typed_nor_looked_for() {
    for step in [
        "- inputText: \"Hi ${NAME}\"\n",
        "- tapOn: ${NAME}\n",
        "- tapOn: { id: \"${ NAME }\" }\n",
        "- tapOn: \"${pattern(NAME)}\"\n",
        "- inputText: \"${output.x}\"\n",
        "- inputText: \"${null}\"\n",
        "- takeScreenshot: \"${NAME}\"\n",
        "- tapOn: { below: { text: \"a ${params.y}\" } }\n",
        "- stopApp: ${output.x}\n",
        "- addMedia: [\"${NAME}\"]\n",
        "- setClipboard: ${NAME}\n",
        "- launchApp: { arguments: { a: \"${NAME}\" } }\n",
        "- evalScript: ${output.x = {}}\n- tapOn: { anyOf: [{ id: \"${output.x.y}\" }] }\n",
        "- runFlow: { env: { NAME: \"${NAME}\" }, commands: [ inputText: \"${NAME}\" ] }\n",
    ] {
        let bench = Bench::steps(step);
        let phone = Arc::new(phone(&["undefined"]));
        let outcome = bench.run(&phone).await;
        assert_eq!(
            failed(&outcome),
            (FailureReason::FlowError, Blame::Task, false),
            "{step}"
        );
        let Outcome::Failed { failure, .. } = outcome else {
            panic!()
        };
        let names = ["NAME", "output.x", "params.y", "output.x.y", "null"];
        let is_told = |name: &str| failure.message.contains(&format!("`{name}` is not set"));
        assert!(names.into_iter().any(is_told), "{}", failure.message);
        assert_eq!(phone.count("T"), 0);
        let label = bench.journal.steps().pop().unwrap().label;
        assert!(!label.contains("undefined"), "{label}");
    }
    let fine =
        "- inputText: ${NAME || 'x'} ${typeof NAME}\n- runFlow: { when: { true: \"${NAME}\" }, commands: [ back ] }\n";
    let phone = Arc::new(phone(&[]));
    completed(&Bench::steps(fine).run(&phone).await);
    assert_eq!(phone.events(), ["Type(x undefined)"]);
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_matches_a_hundred_nodes_takes_the_first_and_one_that_matches_none_says_so() {
    let nodes: Vec<_> = (0..100).map(|row| at("Row", row * 9)).collect();
    assert_eq!(
        taps("- tapOn: R.w\n", FakePhone::new(screen(&nodes))).await,
        ["Tap(50,50)"]
    );

    let outcome = Bench::steps("- tapOn: { text: Nowhere, timeout: 0 }\n")
        .run(&Arc::new(phone(&["Row"])))
        .await;
    let Outcome::Failed { failure, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        failure.message.starts_with("element not found: \"Nowhere\""),
        "{}",
        failure.message
    );
}

#[tokio::test(start_paused = true)]
async fn a_pattern_that_would_never_end_finds_nothing_and_ends() {
    let long = "a".repeat(2_000);
    let outcome = Bench::steps("- assertVisible: { text: \"(?=(a+)+b)(a+)+c\", timeout: 0 }\n")
        .run(&Arc::new(phone(&[&long])))
        .await;
    assert_eq!(failed(&outcome).0, FailureReason::AssertionFailed);
}

fn runner_of(catalog: &Arc<FlowCatalog>, folder: &std::path::Path) -> (Arc<FlowRunner>, Arc<FakeJournal>) {
    let journal: Arc<FakeJournal> = Arc::default();
    let runner = FlowRunner::new(FlowRunnerParts {
        catalog: catalog.clone(),
        journal: journal.clone(),
        media: Arc::new(FakeMedia::default()),
        evidence_dir: folder.join("evidence"),
        clock: Arc::new(StandingClock),
        settings: FlowSettings::default(),
    });
    (runner, journal)
}

#[tokio::test(start_paused = true)]
async fn an_attempt_keeps_the_version_it_began_with_and_tells_which_that_was() {
    let folder = tempfile::tempdir().unwrap();
    let flows = folder.path().join("flows");
    let file = flows.join("mine.yaml");
    std::fs::create_dir(&flows).unwrap();
    std::fs::write(&file, "appId: a.b\n---\n- inputText: begin\n- inputText: old\n").unwrap();
    let catalog = FlowCatalog::new(Some(flows), Arc::new(FakeMedia::default()));
    let (runner, journal) = runner_of(&catalog, folder.path());
    let run = |phone: &Arc<FakePhone>| {
        let spec = Arc::new(spec("mine", json!({}), Purpose::Execute));
        runner.run(spec, phone.clone(), CancellationToken::new(), Rc::new(|| {}))
    };
    let changing = catalog.clone();
    let phone = Arc::new(phone(&[]).reacting(move |event, _| {
        if event == "Type(begin)" {
            std::fs::write(&file, "appId: a.b\n---\n- inputText: the new version\n").unwrap();
            changing.refresh();
        }
    }));

    completed(&run(&phone).await);
    completed(&run(&phone).await);

    assert_eq!(phone.events(), ["Type(begin)", "Type(old)", "Type(the new version)"]);
    let told = journal.flows.lock().unwrap().clone();
    assert_eq!(told.len(), 2);
    assert_ne!(told[0], told[1]);
}

#[tokio::test(start_paused = true)]
async fn variables_sent_along_are_covered_by_the_flows_own_and_hide_nothing_of_farmhands() {
    let folder = tempfile::tempdir().unwrap();
    let media: Arc<FakeMedia> = Arc::default();
    let bundles = crate::flow::bundle::Bundles::new(folder.path().join("bundles"));
    let catalog = FlowCatalog::with_bundles(None, media.clone(), bundles);
    let flow = "appId: a.b\nenv:\n  OWN: mine\n  WHO: \"${WHO || 'nobody'}\"\n  LANG: \"${LANG || 'en'}\"\n---\n\
                - inputText: ${OWN} ${WHO} ${LANG} ${MAESTRO_FILENAME} ${MAESTRO_DEVICE_UDID}\n";
    let sent = crate::flow::bundle::Bundle {
        main: "greet.yaml".to_owned(),
        files: [("greet.yaml".to_owned(), flow.as_bytes().to_vec())].into(),
        env: [
            ("OWN".to_owned(), "sent".to_owned()),
            ("WHO".to_owned(), "anna".to_owned()),
        ]
        .into(),
    };
    let (name, config) = catalog.keep(sent, &json!({})).await.unwrap();
    let (runner, journal) = runner_of(&catalog, folder.path());
    let mut spec = spec("x", (*config.configs[0]).clone(), Purpose::Execute);
    spec.script = name.clone();
    let phone = Arc::new(phone(&[]));
    let run = runner.run(Arc::new(spec), phone.clone(), CancellationToken::new(), Rc::new(|| {}));
    completed(&run.await);

    assert_eq!(phone.events(), ["Type(mine anna en greet fake-1)"]);
    let hash = catalog.version(&name).await.unwrap().content_hash().to_owned();
    assert_eq!(*journal.flows.lock().unwrap(), [hash]);
}

fn refused(problem: &str) -> DriverError {
    DriverError::Refused {
        serial: serial(),
        command: "set_permission",
        problem: problem.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_the_phone_refuses_is_a_fault_unless_it_cannot_be_changed() {
    let not_asked = "java.lang.SecurityException: Package a.b has not requested permission android.permission.CAMERA";
    let unchangeable = "java.lang.SecurityException: Permission X requested by a.b is not a changeable permission type";
    let denied = "java.lang.SecurityException: grantRuntimePermission: Neither user 2000 nor current process has it";
    for (permissions, problem, is_fine) in [
        ("camera: allow", denied, false),
        ("camera: deny", denied, false),
        ("camera: allow", unchangeable, true),
        ("camera: allow", not_asked, false),
        ("camera: deny", not_asked, true),
        // The other one of the group is granted.
        ("location: allow", not_asked, true),
    ] {
        let bench = Bench::steps(&format!("- setPermissions: {{ permissions: {{ {permissions} }} }}\n"));
        let phone = phone(&[]).misbehaving("Permission", Misbehaviour::Fails(refused(problem)));
        let outcome = bench.run(&Arc::new(phone)).await;
        if is_fine {
            completed(&outcome);
        } else {
            assert_eq!(failed(&outcome).0, FailureReason::FlowError, "{permissions} {problem}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn both_branches_of_a_condition_see_its_variables() {
    let flow = "- runFlow: { env: { WHO: anna }, when: { true: \"${params.yes}\" }, commands: [ inputText: \"${WHO}\" ], \
                else: [ inputText: \"not ${WHO}\" ] }\n- inputText: ${typeof WHO}\n";
    for (yes, typed) in [(true, "Type(anna)"), (false, "Type(not anna)")] {
        let phone = Arc::new(phone(&[]));
        let outcome = Bench::steps(flow)
            .run_as(&phone, Purpose::Execute, json!({ "yes": yes }))
            .await;
        completed(&outcome);
        assert_eq!(phone.events(), [typed, "Type(undefined)"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tap_that_went_to_what_lay_over_the_element_is_repeated_when_that_has_gone() {
    let cover = label("Loading", 0);
    let covered = || screen(&[label("Go", 0), cover.clone()]);
    // The first look, the settling before and after the tap, then the waiting.
    let looks = || (0..12).map(|_| covered()).chain([screen(&[label("Go", 0)])]);
    for (flag, taps) in [("true", 2), ("false", 1)] {
        let phone = Arc::new(FakePhone::new(covered()).showing_one_after_another(looks()));
        let flow = format!("- tapOn: {{ text: Go, waitUntilVisible: {flag} }}\n");
        completed(&Bench::steps(&flow).run(&phone).await);
        assert_eq!(phone.count("Tap"), taps, "{flag}");
    }
    let open = Arc::new(phone(&["Go"]));
    completed(
        &Bench::steps("- tapOn: { text: Go, waitUntilVisible: true }\n")
            .run(&open)
            .await,
    );
    assert_eq!(open.count("Tap"), 1, "nothing lies over it");
}
