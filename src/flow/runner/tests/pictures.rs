//! Steps that find their element by a picture, and those that compare the screen with one.

use farmhand_actors::domain::{Bounds, Screenshot};

use super::*;
use crate::flow::vision::{
    cut, encode_png,
    tests::{screen as icons, with_copy},
};

const CELL: i32 = 60;

/// A screen of four by five icons.
fn shown() -> Screenshot {
    icons(4, 5, 1.0)
}

/// The part of `picture` that a cell takes, without its border.
fn cell(column: i32, row: i32) -> Bounds {
    Bounds {
        left: column * CELL + 6,
        top: row * CELL + 6,
        right: column * CELL + 54,
        bottom: row * CELL + 54,
    }
}

/// Steps with `icon.png` beside them: what `picture` shows at column 2, row 3.
fn bench(picture: &Screenshot, steps: &str) -> Bench {
    let bench = Bench::steps(steps);
    let png = encode_png(&cut(picture, cell(2, 3)), None).unwrap();
    std::fs::write(bench.folder.path().join("flows/icon.png"), png).unwrap();
    bench
}

fn phone_with(pictures: &[Screenshot], texts: &[&str]) -> Arc<FakePhone> {
    let nodes: Vec<_> = texts.iter().zip(0..).map(|(text, row)| label(text, row)).collect();
    Arc::new(FakePhone::new(screen(&nodes)).with_pictures(pictures))
}

fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { failure, .. } => &failure.message,
        other => panic!("not failed: {other:?}"),
    }
}

fn taps(phone: &FakePhone) -> Vec<String> {
    let mut events = phone.events();
    events.retain(|event| event.starts_with("Tap(") || event.starts_with("Swipe("));
    events
}

#[tokio::test(start_paused = true)]
async fn a_picture_is_tapped_in_its_middle_or_at_its_target() {
    let bench = bench(
        &shown(),
        "- tapOn: { image: icon.png }\n\
         - tapOn: { image: { file: icon.png, target: \"0%,100%\" } }\n\
         - tapOn: { image: icon.png, point: \"3,4\" }\n\
         - swipe: { from: { image: icon.png }, direction: UP }\n",
    );
    let phone = phone_with(&[shown()], &[]);

    completed(&bench.run(&phone).await);

    assert_eq!(
        taps(&phone),
        [
            "Tap(150,210)",
            "Tap(126,234)",
            "Tap(129,190)",
            "Swipe(150,210 150,30 400)"
        ]
    );
    let detail = bench.journal.steps()[0].detail.clone().unwrap();
    assert_eq!(detail["matched"]["image"], "icon.png");
    assert!(detail["image"]["scores"][0].as_f64() > Some(0.99), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn a_picture_is_waited_for() {
    let without = with_copy(&shown(), (0, 0), (2, 3));
    let bench = bench(&shown(), "- assertVisible: { image: icon.png, timeout: 5000 }\n");
    let phone = phone_with(&[without.clone(), without, shown()], &[]);

    completed(&bench.run(&phone).await);

    assert_eq!(phone.count("Screenshot"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_is_not_there_fails_with_its_best_score_or_warns() {
    let without = with_copy(&shown(), (0, 0), (2, 3));
    let steps = "- tapOn: { image: icon.png, timeout: 300, optional: true }\n\
                 - assertNotVisible: { image: icon.png }\n\
                 - assertVisible: { image: icon.png, timeout: 300 }\n";
    let bench = bench(&shown(), steps);
    let phone = phone_with(&[without], &[]);

    let outcome = bench.run(&phone).await;

    assert_eq!(failed(&outcome).0, FailureReason::AssertionFailed);
    assert!(
        message(&outcome).contains("image: icon.png is not visible"),
        "{outcome:?}"
    );
    assert!(message(&outcome).contains("icon.png"), "{outcome:?}");
    let states: Vec<_> = bench.journal.steps().iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Warned, StepState::Completed, StepState::Failed]);
    assert!(taps(&phone).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_picture_in_two_places_is_neither_tapped_nor_gone_until_an_index_says_which() {
    let twice = with_copy(&shown(), (2, 3), (1, 0));
    let tap = bench(&shown(), "- tapOn: { image: icon.png, timeout: 300 }\n");
    let phone = phone_with(std::slice::from_ref(&twice), &[]);
    let outcome = tap.run(&phone).await;
    assert!(message(&outcome).contains("more than one place"), "{outcome:?}");
    assert!(taps(&phone).is_empty());

    let gone = bench(&shown(), "- assertNotVisible: { image: icon.png, timeout: 300 }\n");
    let outcome = gone.run(&phone_with(std::slice::from_ref(&twice), &[])).await;
    assert_eq!(failed(&outcome).0, FailureReason::AssertionFailed);

    let indexed = bench(
        &shown(),
        "- tapOn: { image: icon.png, index: 0 }\n- tapOn: { image: icon.png, index: -1 }\n\
         - tapOn: { image: { file: icon.png, near: \"60%,70%\" } }\n",
    );
    let phone = phone_with(&[twice], &[]);
    completed(&indexed.run(&phone).await);
    assert_eq!(taps(&phone), ["Tap(90,30)", "Tap(150,210)", "Tap(150,210)"]);
}

#[tokio::test(start_paused = true)]
async fn pictures_and_elements_stand_in_relation_to_one_another() {
    // Labels are 100 pixels high; the picture begins at 186.
    let texts = ["row", "row", "row"];
    let bench = bench(
        &shown(),
        "- tapOn: { text: row, below: { image: icon.png } }\n\
         - tapOn: { image: icon.png, below: { text: row, index: 1 } }\n\
         - tapOn: { anyOf: [{ text: nobody }, { image: icon.png }] }\n\
         - assertNotVisible: { image: icon.png, below: { text: row, index: 2 }, timeout: 300 }\n",
    );
    let phone = phone_with(&[shown()], &texts);

    completed(&bench.run(&phone).await);

    assert_eq!(taps(&phone), ["Tap(50,250)", "Tap(150,210)", "Tap(150,210)"]);
}

#[tokio::test(start_paused = true)]
async fn the_screen_is_not_photographed_when_an_earlier_alternative_is_there() {
    let bench = bench(&shown(), "- tapOn: { anyOf: [{ text: row }, { image: icon.png }] }\n");
    let phone = phone_with(&[shown()], &["row"]);

    completed(&bench.run(&phone).await);

    assert_eq!(taps(&phone), ["Tap(50,50)"]);
    assert_eq!(phone.count("Screenshot"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_screen_is_compared_with_a_picture_as_a_whole_or_in_part() {
    let other = with_copy(&shown(), (0, 0), (2, 3));
    let steps = "- assertScreenshot: whole\n\
                 - assertScreenshot: { path: whole.png, thresholdPercentage: 90 }\n\
                 - assertScreenshot: { path: part.png, cropOn: { text: row } }\n\
                 - assertScreenshot: { path: other.png, thresholdPercentage: 100 }\n";
    let bench = bench(&shown(), steps);
    let area = Bounds {
        right: 100,
        bottom: 100,
        ..Bounds::default()
    };
    for (name, picture) in [("whole", shown()), ("part", cut(&shown(), area)), ("other", other)] {
        let png = encode_png(&picture, None).unwrap();
        std::fs::write(bench.folder.path().join(format!("flows/{name}.png")), png).unwrap();
    }
    let phone = phone_with(&[shown()], &["row"]);

    let outcome = bench.run(&phone).await;

    let states: Vec<_> = bench.journal.steps().iter().map(|step| step.state).collect();
    use StepState::{Completed, Failed};
    assert_eq!(states, [Completed, Completed, Completed, Failed], "{outcome:?}");
    assert!(
        message(&outcome).contains("% of the screen is as in other.png"),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn pictures_of_another_size_are_not_compared() {
    let bench = bench(&shown(), "- assertScreenshot: icon.png\n");

    let outcome = bench.run(&phone_with(&[shown()], &[])).await;

    assert!(message(&outcome).contains("240x300"), "{outcome:?}");
    assert!(message(&outcome).contains("48x48"), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_is_larger_than_this_phones_screen_is_told() {
    let bench = bench(&shown(), "- tapOn: { image: icon.png, timeout: 300 }\n");
    let small = cut(&shown(), cell(0, 0));
    let smaller = cut(
        &small,
        Bounds {
            right: 30,
            bottom: 30,
            ..Bounds::default()
        },
    );

    let outcome = bench.run(&phone_with(&[smaller], &[])).await;

    assert!(message(&outcome).contains("larger than the screen"), "{outcome:?}");
}
