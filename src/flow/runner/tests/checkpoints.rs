//! Where a flow that was cut off goes on.

use farmhand_actors::{
    domain::{MaterialId, MediaKind, Package},
    ports::{PickedFile, PickedMedia},
};
use sha2::{Digest, Sha256};

use super::*;

const FLOW: &str = "appId: a.b
farmhand: { account: none, checkpoint: here, commit: post }
---
- inputText: before
- evalScript: ${output.found = [1, {a:'b \"c\"'}]}
- evalScript: ${maestro.copiedText = 'copied'}
- runFlow: { label: here, commands: [inputText: here] }
- assertTrue: ${output.found[1].a == 'b \"c\"' && maestro.copiedText == 'copied'}
- inputText: after
- tapOn: { text: Post, label: post }
";

async fn run(bench: &Bench, phone: &Arc<FakePhone>, number: u32) -> Outcome {
    let mut spec = spec("flow", json!({}), Purpose::Execute);
    spec.number = number;
    bench.run_spec(phone, spec).await
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_passes_over_what_is_before_the_checkpoint_and_finds_what_scripts_had_found() {
    let bench = Bench::new(FLOW);
    let cut_off = Arc::new(phone(&["Post"]).misbehaving("Type(after)", Misbehaviour::Fails(lost())));
    assert!(!matches!(run(&bench, &cut_off, 1).await, Outcome::Completed { .. }));
    assert_eq!(cut_off.typed(), "beforehere");

    let second = Arc::new(phone(&["Post"]));
    let outcome = run(&bench, &second, 2).await;

    assert!(matches!(outcome, Outcome::Completed { .. }), "{outcome:?}");
    assert_eq!(second.typed(), "hereafter");
    let states: Vec<StepState> = bench.journal.steps().iter().map(|step| step.state).collect();
    assert_eq!(states[..3], [StepState::Skipped; 3]);
}

#[tokio::test(start_paused = true)]
async fn another_version_of_the_flow_begins_at_its_start() {
    let bench = Bench::new(FLOW);
    let cut_off = Arc::new(phone(&["Post"]).misbehaving("Type(after)", Misbehaviour::Fails(lost())));
    run(&bench, &cut_off, 1).await;

    let changed = FLOW.replace("- inputText: before", "- inputText: changed");
    let bench = bench.with_file("flow.yaml", &changed);
    let second = Arc::new(phone(&["Post"]));
    assert!(matches!(run(&bench, &second, 2).await, Outcome::Completed { .. }));
    assert_eq!(second.typed(), "changedhereafter");
}

/// The account was given another phone, or another app, before the task was taken up.
#[tokio::test(start_paused = true)]
async fn on_another_phone_or_in_another_app_the_flow_begins_at_its_start() {
    type Change = fn(&mut AttemptSpec);
    let changes: [(Change, &str); 3] = [
        (|_| {}, "hereafter"),
        (|spec| spec.serial = Serial::parse("other").unwrap(), "beforehereafter"),
        (
            |spec| spec.account.as_mut().unwrap().package = Package::parse("com.example.lite").unwrap(),
            "beforehereafter",
        ),
    ];
    for (change, typed) in changes {
        let bench = Bench::new(FLOW);
        let cut_off = Arc::new(phone(&["Post"]).misbehaving("Type(after)", Misbehaviour::Fails(lost())));
        run(&bench, &cut_off, 1).await;
        let mut spec = spec("flow", json!({}), Purpose::Execute);
        spec.number = 2;
        change(&mut spec);
        let second = Arc::new(phone(&["Post"]));
        completed(&bench.run_spec(&second, spec).await);
        assert_eq!(second.typed(), typed);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_as_it_is_lets_a_later_attempt_begin_at_the_start() {
    for value in ["() => 1", "new Map()", "10n", "output", "[new Date(0)]", "0 / 0"] {
        let flow = FLOW.replace(
            "{maestro.copiedText = 'copied'}",
            &format!("{{maestro.copiedText = 'copied'; output.more = {value}}}"),
        );
        let bench = Bench::new(&flow);
        let cut_off = Arc::new(phone(&["Post"]).misbehaving("Type(after)", Misbehaviour::Fails(lost())));
        run(&bench, &cut_off, 1).await;
        assert_eq!(cut_off.typed(), "beforehere", "{value}");

        let second = Arc::new(phone(&["Post"]));
        let outcome = run(&bench, &second, 2).await;

        assert!(matches!(outcome, Outcome::Completed { .. }), "{value}: {outcome:?}");
        assert_eq!(second.typed(), "beforehereafter", "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_asks_for_no_checkpoint() {
    let bench = Bench::new(FLOW);
    let first = Arc::new(phone(&["Post"]));
    run(&bench, &first, 1).await;
    let again = Arc::new(phone(&["Post"]));
    run(&bench, &again, 1).await;
    assert_eq!(again.typed(), "beforehereafter");
}

/// A file of these contents as it is picked.
fn picked(folder: &std::path::Path, name: &str, contents: &[u8]) -> PickedMedia {
    let path = folder.join(name);
    std::fs::write(&path, contents).unwrap();
    let sha256 = Sha256::digest(contents)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    PickedMedia {
        files: vec![PickedFile {
            path,
            name: name.to_owned(),
            kind: MediaKind::Image,
            sha256,
            material: Some(MaterialId(3)),
        }],
        caption: Some("old words".to_owned()),
        ..PickedMedia::default()
    }
}

#[tokio::test(start_paused = true)]
async fn the_media_that_were_picked_before_the_checkpoint_are_used_again_as_long_as_they_are_there() {
    let flow = FLOW
        .replace("commit: post", "commit: post, media: { files: f }")
        .replace(
            "- inputText: after",
            "- inputText: after ${media.files[0].name} ${media.caption}",
        );
    let there: fn(&std::path::Path) = |_| {};
    let gone: fn(&std::path::Path) = |path| std::fs::remove_file(path).unwrap();
    let other: fn(&std::path::Path) = |path| std::fs::write(path, "other").unwrap();
    for (change, typed) in [
        (there, "hereafter a.png old words"),
        (gone, "beforehereafter b.png old words"),
        (other, "beforehereafter b.png old words"),
    ] {
        let bench = Bench::new(&flow);
        let first = picked(bench.folder.path(), "a.png", b"a");
        *bench.media.picked.lock().unwrap() = Some(Ok(first.clone()));
        let cut_off = Arc::new(phone(&["Post"]).misbehaving("Type(after", Misbehaviour::Fails(lost())));
        run(&bench, &cut_off, 1).await;
        change(&first.files[0].path);
        let second = picked(bench.folder.path(), "b.png", b"b");
        *bench.media.picked.lock().unwrap() = Some(Ok(second.clone()));

        let again = Arc::new(phone(&["Post"]));
        completed(&run(&bench, &again, 2).await);

        assert_eq!(again.typed(), typed);
        let used = if typed.contains("a.png") { first } else { second };
        assert_eq!(
            bench.journal.all_effects()[0].content["media"][0]["sha256"],
            used.files[0].sha256
        );
    }
}

/// What was counted before the checkpoint would be compared with what they have added.
#[tokio::test(start_paused = true)]
async fn a_flow_whose_check_compares_begins_at_its_start_when_others_have_acted_since_the_checkpoint() {
    let compares = FLOW.replace("commit: post", "commit: post, check: [ evalScript: '1' ]");
    let own = compares.replace("commit: post", "commit: post, own_evidence: true");
    for (flow, typed) in [
        (&compares, "beforehereafter"),
        (&own, "hereafter"),
        (&FLOW.to_owned(), "hereafter"),
    ] {
        let bench = Bench::new(flow);
        let cut_off = Arc::new(phone(&["Post"]).misbehaving("Type(after", Misbehaviour::Fails(lost())));
        run(&bench, &cut_off, 1).await;
        *bench.journal.acted_since.lock().unwrap() = true;
        let again = Arc::new(phone(&["Post"]));
        completed(&run(&bench, &again, 2).await);
        assert_eq!(again.typed(), typed);
    }
}
