//! How long what waits: under a clock that jumps.

use farmhand_actors::ports::HierarchyProblem;
use tokio::time::Instant;

use super::*;

async fn took(bench: &Bench, phone: FakePhone) -> (Outcome, Duration, Arc<FakePhone>) {
    let phone = Arc::new(phone);
    let start = Instant::now();
    let outcome = bench.run(&phone).await;
    (outcome, start.elapsed(), phone)
}

fn about(time: Duration, wanted_ms: u64) {
    let ms = u64::try_from(time.as_millis()).unwrap();
    assert!(
        (wanted_ms.saturating_sub(200)..=wanted_ms + 200).contains(&ms),
        "{ms} ms instead of {wanted_ms} ms"
    );
}

#[tokio::test(start_paused = true)]
async fn lookups_wait_as_long_as_the_format_says() {
    for (step, wanted_ms) in [
        ("- assertVisible: Never\n", 17_000),
        ("- tapOn: Never\n", 17_000),
        ("- tapOn: { text: Never, optional: true }\n", 7_000),
        ("- assertVisible: { text: Never, optional: true }\n", 17_000),
        ("- runFlow: { when: { visible: Never }, commands: [ back ] }\n", 7_000),
        (
            "- runFlow: { when: { visible: Never, timeout: 300 }, commands: [ back ] }\n",
            300,
        ),
        ("- assertVisible: { text: Never, timeout: 1000 }\n", 1_000),
        ("- extendedWaitUntil: { visible: Never, timeout: 30_000 }\n", 30_000),
        ("- assertNotVisible: There\n", 17_000),
        ("- assertNotVisible: Never\n", 500),
        ("- assertVisible: There\n", 0),
    ] {
        let (_, time, _) = took(&Bench::steps(step), phone(&["There"])).await;
        about(time, wanted_ms);
    }
}

#[tokio::test(start_paused = true)]
async fn assertions_in_a_row_share_one_budget() {
    let flow = "- assertVisible: { text: Never1, optional: true }\n- assertVisible: { text: Never2, optional: true }\n";
    let (_, time, _) = took(&Bench::steps(flow), phone(&[])).await;
    about(time, 17_000);
}

#[tokio::test(start_paused = true)]
async fn an_action_gives_the_next_assertion_its_whole_budget() {
    let flow = "- assertVisible: { text: Never1, optional: true }\n- inputText: x\n- assertVisible: { text: Never2, optional: true }\n";
    let (_, time, _) = took(&Bench::steps(flow), phone(&[])).await;
    about(time, 34_500);
}

#[tokio::test(start_paused = true)]
async fn polling_sleeps_between_looks() {
    let (_, _, phone) = took(&Bench::steps("- assertVisible: Never\n"), phone(&[])).await;
    assert!((100..=180).contains(&phone.looks()), "{}", phone.looks());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_screen_ends_the_settling_early() {
    let changing = phone(&["A"]).reacting(|_, tree| *tree = screen(&[label("B", 0)]));
    let (_, time, phone) = took(
        &Bench::steps("- assertVisible: A\n- tapOn: { point: \"5,5\" }\n"),
        changing,
    )
    .await;
    about(time, 100);
    assert_eq!(phone.looks(), 3, "one for the assertion, two for the rest");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_did_not_react_yet_is_given_time() {
    let (_, time, _) = took(&Bench::steps("- tapOn: A\n"), phone(&["A"])).await;
    // 100 ms of rest before the tap, 500 ms after it.
    about(time, 600);
}

#[tokio::test(start_paused = true)]
async fn a_tap_goes_where_the_element_is_after_the_screen_came_to_rest() {
    let moving = phone(&["Below", "Other"]);
    let bench = Bench::steps("- tapOn: { point: \"1,1\", waitToSettleTimeoutMs: 0 }\n- tapOn: Target\n");
    let moving = moving.reacting(|event, tree| {
        if event.starts_with("Tap(1,1)") {
            *tree = screen(&[label("Other", 0), label("Target", 3)]);
        }
    });
    let (outcome, _, phone) = took(&bench, moving).await;
    completed(&outcome);
    assert_eq!(phone.events(), ["Tap(1,1)", "Tap(50,350)"]);
}

#[tokio::test(start_paused = true)]
async fn a_screen_that_cannot_be_read_for_a_moment_does_not_fail_a_lookup() {
    let unreadable = || {
        Misbehaviour::Fails(DriverError::Hierarchy {
            serial: serial(),
            problem: HierarchyProblem::NotIdle,
        })
    };
    let phone = phone(&["A"])
        .misbehaving("Look", unreadable())
        .misbehaving("Look", unreadable());
    let (outcome, time, _) = took(&Bench::steps("- assertVisible: A\n"), phone).await;
    completed(&outcome);
    about(time, 300);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_animation_never_fails() {
    let (outcome, time, phone) = took(&Bench::steps("- waitForAnimationToEnd\n"), phone(&[])).await;
    completed(&outcome);
    about(time, 150);
    assert_eq!(phone.count("Screenshot"), 2);
}

#[tokio::test(start_paused = true)]
async fn scrolling_ends_after_its_timeout() {
    let flow = "- scrollUntilVisible: { element: Never, timeout: 5000 }\n";
    let (outcome, time, phone) = took(&Bench::steps(flow), phone(&["A"])).await;
    assert_eq!(failed(&outcome).0, FailureReason::FlowError);
    assert!(time < Duration::from_secs(7), "{time:?}");
    assert_eq!(phone.events()[0], "Swipe(270,480 270,96 601)");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_waited_for_the_phones_own_rest_is_enough() {
    let slow = phone(&["A"]).with_slow_looks(Duration::from_millis(2_000));
    let (outcome, time, phone) = took(&Bench::steps("- tapOn: A\n- tapOn: A\n"), slow).await;
    completed(&outcome);
    // One to find it, one to see it at rest, one after each tap.
    assert_eq!(phone.looks(), 4);
    about(time, 8_000);
}
