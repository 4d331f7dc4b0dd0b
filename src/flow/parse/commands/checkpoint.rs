//! What the check for `checkpoint` wants: one step of the flow's own list, before anything that cannot be undone.

use std::collections::HashMap;

use crate::flow::{
    model::{Body, Flow, Step},
    parse::suggest::did_you_mean,
    problem::Problems,
};

/// Notes a label under `farmhand.checkpoint` that does not name a place where the flow can be taken up.
pub fn check_checkpoint(flow: &Flow, problems: &mut Problems) {
    let extension = &flow.config.extension;
    let Some(label) = extension.checkpoint.as_deref() else {
        return;
    };
    let named: Vec<usize> = (0..)
        .zip(&flow.steps)
        .filter(|(_, step)| step.label.as_deref() == Some(label))
        .map(|(place, _)| place)
        .collect();
    let [place] = named[..] else {
        let labels = flow.steps.iter().filter_map(|step| step.label.as_deref());
        let hint = did_you_mean(label, labels);
        let message = format!(
            "{} steps of the flow's own list have the label `{label}`; give it to the one at which the flow can be taken up{}",
            named.len(),
            if named.is_empty() { hint.as_str() } else { "" }
        );
        problems.add(
            &flow.place_of("checkpoint"),
            "Unknown Label: farmhand.checkpoint",
            message,
        );
        return;
    };
    let mut finder = Finder {
        label: extension.commit.as_deref(),
        known: HashMap::new(),
    };
    let until = flow.steps.get(..=place).unwrap_or_default();
    if until.iter().any(|step| finder.step(step)) {
        let commit = extension.commit.as_deref().unwrap_or_default();
        let message = format!("the step `{label}` must come before the commit step `{commit}`");
        let place = flow.place_of("checkpoint");
        problems.add(&place, "Incorrect Format: farmhand.checkpoint", message);
    }
}

/// Looks for a label in steps and what they include.
struct Finder<'f> {
    label: Option<&'f str>,
    /// Whether the files that were gone into have it.
    known: HashMap<*const Flow, bool>,
}

impl Finder<'_> {
    fn steps(&mut self, steps: &[Step]) -> bool {
        steps.iter().any(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> bool {
        let is_meant = self.label.is_some() && step.label.as_deref() == self.label;
        is_meant || self.steps(step.inner_steps()) || step.body().is_some_and(|body| self.body(body))
    }

    fn body(&mut self, body: &Body) -> bool {
        let flow = match body {
            Body::Inline(steps) => return self.steps(steps),
            Body::File(flow) => flow,
        };
        let file = std::ptr::from_ref(flow.as_ref());
        if let Some(known) = self.known.get(&file) {
            return *known;
        }
        let found = self.steps(&flow.steps);
        self.known.insert(file, found);
        found
    }
}
