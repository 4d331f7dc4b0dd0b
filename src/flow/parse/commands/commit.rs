//! What the check for `commit` and `confirm` wants: labels that exist, and commit steps that cannot fail unnoticed.

use crate::flow::{
    model::{Body, Command, Flow, Step},
    problem::{Place, Problems},
};

/// Notes labels under `farmhand.commit` and `farmhand.confirm` that no step has, and optional commit steps.
pub fn check_commit(flow: &Flow, problems: &mut Problems) {
    let extension = &flow.config.extension;
    let start = Place {
        file: flow.file.clone(),
        line: 1,
        column: 1,
    };
    for (name, label) in [("commit", &extension.commit), ("confirm", &extension.confirm)] {
        let Some(label) = label else { continue };
        let mut steps = Vec::new();
        labelled(&flow.steps, label, &mut steps);
        if steps.is_empty() {
            let message = format!("no step has the label `{label}`; give it to the step that is meant");
            problems.add(&start, format!("Unknown Label: farmhand.{name}"), message);
        }
        for step in steps.iter().filter(|step| step.optional) {
            let message =
                format!("the step `{label}` of `farmhand.{name}` may not be optional: its failure must be seen");
            problems.add(&step.place, format!("Incorrect Format: {}", step.key), message);
        }
    }
    if extension.commit.is_none() && (extension.confirm.is_some() || !extension.baseline.is_empty()) {
        let message = "`confirm` and `baseline` need `commit`: the label of the step whose effect cannot be undone";
        problems.add(&start, "Missing Property: farmhand.commit", message);
    }
}

fn labelled<'f>(steps: &'f [Step], label: &str, found: &mut Vec<&'f Step>) {
    for step in steps {
        if step.label.as_deref() == Some(label) {
            found.push(step);
        }
        match &step.command {
            Command::RunFlow(run) => {
                body_labelled(&run.body, label, found);
                labelled(run.otherwise.as_deref().unwrap_or_default(), label, found);
            }
            Command::Repeat(repeat) => labelled(&repeat.steps, label, found),
            Command::Retry(retry) => body_labelled(&retry.body, label, found),
            _ => {}
        }
    }
}

fn body_labelled<'f>(body: &'f Body, label: &str, found: &mut Vec<&'f Step>) {
    match body {
        Body::Inline(steps) => labelled(steps, label, found),
        Body::File(flow) => labelled(&flow.steps, label, found),
    }
}
