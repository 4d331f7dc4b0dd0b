//! In which order commit and confirm steps are reached: an order that can only end with an effect of which nobody knows
//! must not be found out on the phone.

use std::collections::HashMap;

use crate::flow::{
    model::{Body, Command, Flow, RunFlow, Step},
    problem::Problems,
};

/// Whether an effect may be open, and whether it may not: before a step, on all ways that lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    may_be_open: bool,
    may_be_closed: bool,
}

impl State {
    const OPEN: Self = Self {
        may_be_open: true,
        may_be_closed: false,
    };
    const CLOSED: Self = Self {
        may_be_open: false,
        may_be_closed: true,
    };

    fn or(self, other: Self) -> Self {
        Self {
            may_be_open: self.may_be_open || other.may_be_open,
            may_be_closed: self.may_be_closed || other.may_be_closed,
        }
    }
}

/// Notes commit steps that are always reached with an effect open, and a confirm step that never comes after one.
pub(super) fn check_order(flow: &Flow, problems: &mut Problems) {
    let extension = &flow.config.extension;
    let Some(commit) = extension.commit.as_deref() else {
        return;
    };
    let mut order = Order {
        commit,
        confirm: extension.confirm.as_deref(),
        confirms: false,
        quiet: false,
        known: HashMap::new(),
        problems,
    };
    order.steps(&flow.steps, State::CLOSED);
    let confirms = order.confirms;
    if let Some(confirm) = extension.confirm.as_deref().filter(|_| !confirms) {
        let message =
            format!("the step `{confirm}` is never reached after the step `{commit}`: put it behind that one");
        problems.add(&flow.place_of("confirm"), "Incorrect Format: farmhand.confirm", message);
    }
}

struct Order<'o> {
    commit: &'o str,
    confirm: Option<&'o str>,
    /// Whether a confirm step was reached with an effect open.
    confirms: bool,
    /// The second round of a loop that need not have one: what is wrong there is not certain.
    quiet: bool,
    /// What becomes of a state in a file.
    known: HashMap<(*const Flow, State, bool), State>,
    problems: &'o mut Problems,
}

impl Order<'_> {
    fn steps(&mut self, steps: &[Step], before: State) -> State {
        steps.iter().fold(before, |state, step| self.step(step, state))
    }

    fn step(&mut self, step: &Step, before: State) -> State {
        let label = step.label.as_deref();
        let mut state = before;
        if label == Some(self.commit) {
            if state == State::OPEN && !self.quiet {
                let message = format!(
                    "the step `{}` is reached while the effect of the one before it is not confirmed: put a step between \
                     them that `farmhand.confirm` names",
                    self.commit
                );
                self.problems
                    .add(&step.place, format!("Incorrect Format: {}", step.key), message);
            }
            state = State::OPEN;
        }
        state = self.inside(step, state);
        if label.is_some() && label == self.confirm {
            self.confirms |= state.may_be_open;
            state = State::CLOSED;
        }
        if step.optional { state.or(before) } else { state }
    }

    fn inside(&mut self, step: &Step, before: State) -> State {
        match &step.command {
            Command::RunFlow(run) => self.run_flow(run, before),
            Command::Retry(retry) => self.body(&retry.body, before),
            Command::Repeat(repeat) => {
                let times = repeat.times.as_deref().map(str::parse::<f64>);
                let is_certain = |rounds: f64| match (&repeat.condition, &times) {
                    (None, Some(Ok(times))) => *times >= rounds,
                    _ => false,
                };
                let once = self.steps(&repeat.steps, before);
                let was_quiet = self.quiet;
                self.quiet |= !is_certain(2.0);
                let twice = self.steps(&repeat.steps, once);
                self.quiet = was_quiet;
                let after = if is_certain(2.0) { twice } else { once.or(twice) };
                if is_certain(1.0) { after } else { after.or(before) }
            }
            _ => before,
        }
    }

    fn run_flow(&mut self, run: &RunFlow, before: State) -> State {
        let after = self.body(&run.body, before);
        match (&run.when, &run.otherwise) {
            (None, _) => after,
            (Some(_), None) => after.or(before),
            (Some(_), Some(steps)) => after.or(self.steps(steps, before)),
        }
    }

    fn body(&mut self, body: &Body, before: State) -> State {
        let flow = match body {
            Body::Inline(steps) => return self.steps(steps, before),
            Body::File(flow) => flow,
        };
        let key = (std::ptr::from_ref(flow.as_ref()), before, self.quiet);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let after = self.steps(&flow.steps, before);
        self.known.insert(key, after);
        after
    }
}
