//! Going through all steps of a flow. A file is gone into once, however often it is included: a few small files that
//! include one another several times each would otherwise never come to an end.

use std::collections::{HashMap, HashSet};

use super::{Body, Command, Flow, Step};

/// Shows every step of a flow, and of all that it includes, hooks and branches with it.
pub fn each_step(flow: &Flow, visit: &mut dyn FnMut(&Step)) {
    Walk {
        visit,
        seen: HashSet::new(),
    }
    .flow(flow);
}

struct Walk<'v> {
    visit: &'v mut dyn FnMut(&Step),
    seen: HashSet<*const Flow>,
}

impl Walk<'_> {
    fn flow(&mut self, flow: &Flow) {
        if !self.seen.insert(std::ptr::from_ref(flow)) {
            return;
        }
        for steps in step_lists(flow) {
            self.steps(steps);
        }
        if let Some(account) = flow.config.extension.account.own() {
            self.flow(account);
        }
        if let Some(body) = &flow.config.extension.check {
            self.body(body);
        }
    }

    fn body(&mut self, body: &Body) {
        match body {
            Body::Inline(steps) => self.steps(steps),
            Body::File(flow) => self.flow(flow),
        }
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            (self.visit)(step);
            if let Some(body) = step.body() {
                self.body(body);
            }
            self.steps(step.inner_steps());
        }
    }
}

/// How many steps a flow has when every file stands where it is included, hooks and both branches counted.
#[must_use]
pub fn expanded_steps(flow: &Flow) -> u64 {
    expanded(flow, &mut HashMap::new())
}

fn expanded(flow: &Flow, known: &mut HashMap<*const Flow, u64>) -> u64 {
    if let Some(count) = known.get(&std::ptr::from_ref(flow)) {
        return *count;
    }
    let mut count = 0_u64;
    for steps in step_lists(flow) {
        count = count.saturating_add(expanded_list(steps, known));
    }
    if let Some(account) = flow.config.extension.account.own() {
        count = count.saturating_add(expanded(account, known));
    }
    if let Some(body) = &flow.config.extension.check {
        count = count.saturating_add(expanded_body(body, known));
    }
    known.insert(std::ptr::from_ref(flow), count);
    count
}

fn expanded_body(body: &Body, known: &mut HashMap<*const Flow, u64>) -> u64 {
    match body {
        Body::Inline(steps) => expanded_list(steps, known),
        Body::File(flow) => expanded(flow, known),
    }
}

fn expanded_list(steps: &[Step], known: &mut HashMap<*const Flow, u64>) -> u64 {
    steps.iter().fold(0, |mut sum: u64, step| {
        if let Some(body) = step.body() {
            sum = sum.saturating_add(expanded_body(body, known));
        }
        let inner = expanded_list(step.inner_steps(), known);
        sum.saturating_add(1).saturating_add(inner)
    })
}

fn step_lists(flow: &Flow) -> [&[Step]; 5] {
    let config = &flow.config;
    [
        &config.on_start,
        &config.on_complete,
        &config.on_failure,
        &config.extension.baseline,
        &flow.steps,
    ]
}

impl Step {
    /// What it runs, in place or in a file.
    #[must_use]
    pub fn body(&self) -> Option<&Body> {
        match &self.command {
            Command::RunFlow(run) => Some(&run.body),
            Command::Retry(retry) => Some(&retry.body),
            _ => None,
        }
    }

    /// The steps that stand in it beside its body: the rounds of a loop, the other branch of a condition.
    #[must_use]
    pub fn inner_steps(&self) -> &[Step] {
        match &self.command {
            Command::RunFlow(run) => run.otherwise.as_deref().unwrap_or_default(),
            Command::Repeat(repeat) => &repeat.steps,
            _ => &[],
        }
    }
}
