//! What the check for `commit` and `confirm` wants: labels that exist, on steps whose failure is seen and that are not
//! passed over as a whole.

use std::collections::{HashMap, HashSet};

use super::commit_order::check_order;
use crate::flow::{
    model::{Body, Command, Flow, Step},
    parse::suggest::did_you_mean,
    problem::Problems,
};

/// Notes labels under `farmhand.commit` and `farmhand.confirm` that no step has, and steps of these
/// labels that may fail unseen or be passed over.
pub fn check_commit(flow: &Flow, problems: &mut Problems) {
    let extension = &flow.config.extension;
    let mut all_known = true;
    for (name, label) in [("commit", &extension.commit), ("confirm", &extension.confirm)] {
        let Some(label) = label else { continue };
        let mut search = Search {
            name,
            label,
            problems,
            labels: Vec::new(),
            known: HashMap::new(),
        };
        if !search.steps(&flow.steps) {
            let hint = did_you_mean(label, search.labels.iter().copied());
            let message = format!("no step has the label `{label}`; give it to the step that is meant{hint}");
            problems.add(&flow.place_of(name), format!("Unknown Label: farmhand.{name}"), message);
            all_known = false;
        }
    }
    if extension.commit.is_none() && (extension.confirm.is_some() || !extension.baseline.is_empty()) {
        let message = "`confirm` and `baseline` need `commit`: the label of the step whose effect cannot be undone";
        let place = flow.place_of(if extension.confirm.is_some() {
            "confirm"
        } else {
            "baseline"
        });
        problems.add(&place, "Missing Property: farmhand.commit", message);
    }
    check_hooks(flow, problems);
    if all_known {
        check_order(flow, problems);
    }
}

/// Notes steps of these labels in hooks, and in what hooks include: those are run around the commands, also when they have
/// failed, where nothing asks whether the step was carried out before, or what it proves.
fn check_hooks(flow: &Flow, problems: &mut Problems) {
    let extension = &flow.config.extension;
    let labels = [("commit", &extension.commit), ("confirm", &extension.confirm)];
    let labels = labels
        .into_iter()
        .filter_map(|(name, label)| Some((name, label.as_deref()?)))
        .collect();
    let mut hooks = Hooks {
        labels,
        seen: HashSet::new(),
        told: HashSet::new(),
        problems,
    };
    hooks.flow(flow, false);
}

struct Hooks<'h> {
    labels: Vec<(&'static str, &'h str)>,
    /// Files that were gone into, and whether a hook has included them.
    seen: HashSet<(*const Flow, bool)>,
    /// Steps that were told of.
    told: HashSet<*const Step>,
    problems: &'h mut Problems,
}

impl Hooks<'_> {
    fn flow(&mut self, flow: &Flow, is_hooked: bool) {
        if !self.seen.insert((std::ptr::from_ref(flow), is_hooked)) {
            return;
        }
        let config = &flow.config;
        for steps in [&config.on_start, &config.on_complete, &config.on_failure] {
            self.steps(steps, true);
        }
        self.steps(&flow.steps, is_hooked);
    }

    fn steps(&mut self, steps: &[Step], is_hooked: bool) {
        for step in steps {
            if is_hooked {
                self.step(step);
            }
            match step.body() {
                Some(Body::Inline(steps)) => self.steps(steps, is_hooked),
                Some(Body::File(flow)) => self.flow(flow, is_hooked),
                None => {}
            }
            self.steps(step.inner_steps(), is_hooked);
        }
    }

    fn step(&mut self, step: &Step) {
        let label = step.label.as_deref();
        let Some((name, label)) = self.labels.iter().find(|(_, meant)| label == Some(*meant)) else {
            return;
        };
        if self.told.insert(std::ptr::from_ref(step)) {
            let message = format!(
                "the step `{label}` of `farmhand.{name}` may not stand in a hook (`onFlowStart`, `onFlowComplete`, \
                 `onFlowFailure`), nor in what a hook includes: give the label to one of the commands"
            );
            let title = format!("Incorrect Format: {}", step.key);
            self.problems.add(&step.place, title, message);
        }
    }
}

/// Looks for the steps of a label.
struct Search<'s> {
    name: &'s str,
    label: &'s str,
    problems: &'s mut Problems,
    /// All labels that were met.
    labels: Vec<&'s str>,
    /// Whether the files that were gone into have such a step.
    known: HashMap<*const Flow, bool>,
}

impl<'s> Search<'s> {
    /// Whether one of the steps, or one within them, has the label.
    fn steps(&mut self, steps: &'s [Step]) -> bool {
        let mut found = false;
        for step in steps {
            let inside = step.body().is_some_and(|body| self.body(body));
            let inside = self.steps(step.inner_steps()) || inside;
            if inside && step.optional {
                let message = format!(
                    "it may not be optional: the step `{}` of `farmhand.{}` is in it, and its failure must be seen",
                    self.label, self.name
                );
                self.fault(step, message);
            }
            self.labels.extend(step.label.as_deref());
            let is_meant = step.label.as_deref() == Some(self.label);
            if is_meant {
                self.check(step);
            }
            found |= inside || is_meant;
        }
        found
    }

    fn body(&mut self, body: &'s Body) -> bool {
        let flow = match body {
            Body::Inline(steps) => return self.steps(steps),
            Body::File(flow) => flow,
        };
        let file = std::ptr::from_ref(flow.as_ref());
        if let Some(found) = self.known.get(&file) {
            return *found;
        }
        let found = self.steps(&flow.steps);
        self.known.insert(file, found);
        found
    }

    fn check(&mut self, step: &Step) {
        let named = format!("the step `{}` of `farmhand.{}`", self.label, self.name);
        if step.optional {
            self.fault(step, format!("{named} may not be optional: its failure must be seen"));
        }
        let skipped = match &step.command {
            Command::RunFlow(run) => run.when.is_some() && run.otherwise.is_none(),
            Command::RunScript(run) => run.when.is_some(),
            Command::Repeat(_) => true,
            _ => false,
        };
        if skipped {
            let message = format!("{named} may be passed over as a whole; give the label to the step within that acts");
            self.fault(step, message);
        }
    }

    fn fault(&mut self, step: &Step, message: String) {
        self.problems
            .add(&step.place, format!("Incorrect Format: {}", step.key), message);
    }
}
