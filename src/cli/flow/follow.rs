//! What is new in a task since the last look, step by step.

use serde_json::Value;

use super::super::output;

/// Something that is new.
#[derive(Debug, PartialEq)]
pub enum Seen<'t> {
    /// Why the task does not run yet.
    Waits(&'t str),
    /// Another attempt than the first one has begun.
    Attempt(u64),
    /// A step that is made of others has begun.
    Begin {
        /// The step.
        step: &'t Value,
        /// In how many others it is.
        depth: usize,
    },
    /// A step is over.
    End {
        /// Number of its attempt.
        attempt: u64,
        /// The step.
        step: &'t Value,
        /// In how many others it is.
        depth: usize,
    },
}

/// How far a task was shown. Steps come in the order of their beginning; one that is made of others comes at its
/// beginning and at its end, however seldom one looks.
#[derive(Debug, Default)]
pub struct Feed {
    /// Attempts that were shown whole.
    attempts: usize,
    /// Number of the newest attempt that was told of.
    announced: u64,
    /// Steps of the attempt under way that were shown.
    steps: usize,
    /// Of these, the ones that are made of others and not over.
    open: Vec<usize>,
    /// What the task waited for at the last look, and whether that was told: a moment's reason is not.
    waits: Option<(String, bool)>,
}

impl Feed {
    /// What is new in a task.
    pub fn take<'t>(&mut self, task: &'t Value) -> Vec<Seen<'t>> {
        let mut seen = Vec::new();
        let attempts = list(task, "attempts");
        let why = task.get("waiting_for").and_then(Value::as_str);
        let told = match (&self.waits, why) {
            (Some((before, told)), Some(why)) if before == why => {
                if !told {
                    seen.push(Seen::Waits(why));
                }
                true
            }
            _ => false,
        };
        self.waits = why.map(|why| (why.to_owned(), told));
        while let Some(attempt) = attempts.get(self.attempts) {
            let number = attempt.get("number").and_then(Value::as_u64).unwrap_or(1);
            if number > self.announced.max(1) && !list(attempt, "steps").is_empty() {
                seen.push(Seen::Attempt(number));
                self.announced = number;
            }
            let over = attempt.get("finished_at").is_some_and(|at| !at.is_null());
            self.take_steps(number, list(attempt, "steps"), over, &mut seen);
            if !over {
                break;
            }
            self.attempts += 1;
            self.steps = 0;
        }
        seen
    }

    fn take_steps<'t>(&mut self, attempt: u64, steps: &'t [Value], over: bool, seen: &mut Vec<Seen<'t>>) {
        while let Some(step) = steps.get(self.steps) {
            let depth = depth(step);
            self.close(attempt, steps, depth, seen);
            let has_steps = steps.get(self.steps + 1).is_some_and(|next| self::depth(next) > depth);
            if has_steps {
                seen.push(Seen::Begin { step, depth });
                self.open.push(self.steps);
            } else if over || !is_running(step) {
                seen.push(Seen::End { attempt, step, depth });
            } else {
                break;
            }
            self.steps += 1;
        }
        if over {
            self.close(attempt, steps, 0, seen);
        } else if self.steps == steps.len() {
            while let Some(step) = self
                .open
                .last()
                .and_then(|at| steps.get(*at))
                .filter(|step| !is_running(step))
            {
                let depth = depth(step);
                seen.push(Seen::End { attempt, step, depth });
                self.open.pop();
            }
        }
    }

    /// Ends the steps that a step of this depth cannot be in.
    fn close<'t>(&mut self, attempt: u64, steps: &'t [Value], depth: usize, seen: &mut Vec<Seen<'t>>) {
        while let Some(step) = self.open.last().and_then(|at| steps.get(*at)) {
            let own = self::depth(step);
            if own < depth {
                return;
            }
            seen.push(Seen::End {
                attempt,
                step,
                depth: own,
            });
            self.open.pop();
        }
    }

    /// What is under way, in a line.
    pub fn under_way(&self, task: &Value) -> String {
        let attempt = list(task, "attempts").get(self.attempts);
        let step = attempt.and_then(|attempt| list(attempt, "steps").get(self.steps));
        step.map_or_else(String::new, |step| {
            format!("{} {}", indent("…", depth(step)), name(step))
        })
    }
}

fn list<'t>(value: &'t Value, name: &str) -> &'t [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn depth(step: &Value) -> usize {
    let depth = step.pointer("/detail/depth").and_then(Value::as_u64).unwrap_or(0);
    usize::try_from(depth).unwrap_or(0)
}

fn is_running(step: &Value) -> bool {
    step.get("state").and_then(Value::as_str) == Some("running")
}

/// As it is shown, with its line end.
pub fn line(seen: &Seen<'_>) -> String {
    match seen {
        Seen::Waits(why) => format!("waiting: {}\n", output::plain(why)),
        Seen::Attempt(number) => format!("attempt {number}\n"),
        Seen::Begin { step, depth } => format!("{} {}\n", indent("▸", *depth), name(step)),
        Seen::End { step, depth, .. } => {
            let state = step.get("state").and_then(Value::as_str).unwrap_or_default();
            let (mark, word) = match state {
                "completed" => ("✓", ""),
                "skipped" => ("○", " (skipped)"),
                "warned" => ("!", " (failed, but optional)"),
                "failed" => ("✗", ""),
                _ => ("✗", " (cut off)"),
            };
            let time = step.get("duration_ms").and_then(Value::as_u64).map(duration);
            let time = time.map(|time| format!("  {time}")).unwrap_or_default();
            let error = step.get("error").and_then(Value::as_str).unwrap_or_default();
            let error = if error.is_empty() {
                String::new()
            } else {
                format!("{}   {}\n", "  ".repeat(*depth), output::plain(error))
            };
            format!("{} {}{word}{time}\n{error}", indent(mark, *depth), name(step))
        }
    }
}

fn indent(mark: &str, depth: usize) -> String {
    format!("{}{mark}", "  ".repeat(depth))
}

/// Number and label; a label of the author's own is followed by the command.
fn name(step: &Value) -> String {
    let text = |name: &str| output::plain(step.get(name).and_then(Value::as_str).unwrap_or_default());
    let (command, label) = (text("command"), text("label"));
    let number = step.get("index").and_then(Value::as_u64).unwrap_or(0);
    if label.starts_with(&command) || label.starts_with("wait until") {
        format!("{number} {label}")
    } else {
        format!("{number} {label} ({command})")
    }
}

fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(index: u64, depth: u64, state: &str) -> Value {
        json!({
            "index": index, "command": "tapOn", "label": format!("tapOn {index}"), "state": state,
            "duration_ms": if state == "running" { Value::Null } else { json!(5) }, "error": null,
            "detail": if depth == 0 { Value::Null } else { json!({ "depth": depth }) },
        })
    }

    fn task(steps: &[Value], over: bool) -> Value {
        let at = if over {
            json!("2026-01-01T00:00:00.000Z")
        } else {
            Value::Null
        };
        json!({ "attempts": [{ "number": 1, "finished_at": at, "steps": steps }] })
    }

    fn lines(feed: &mut Feed, task: &Value) -> Vec<String> {
        feed.take(task)
            .iter()
            .map(|seen| line(seen).trim_end().to_owned())
            .collect()
    }

    fn whole() -> Vec<Value> {
        let state = "completed";
        [(1, 0), (2, 0), (3, 1), (4, 2), (5, 1), (6, 0)]
            .map(|(index, depth)| step(index, depth, state))
            .to_vec()
    }

    #[test]
    fn the_lines_are_the_same_however_seldom_one_looks() {
        let wanted = [
            "✓ 1 tapOn 1  5 ms",
            "▸ 2 tapOn 2",
            "  ▸ 3 tapOn 3",
            "    ✓ 4 tapOn 4  5 ms",
            "  ✓ 3 tapOn 3  5 ms",
            "  ✓ 5 tapOn 5  5 ms",
            "✓ 2 tapOn 2  5 ms",
            "✓ 6 tapOn 6  5 ms",
        ];
        assert_eq!(lines(&mut Feed::default(), &task(&whole(), true)), wanted);

        let mut feed = Feed::default();
        let mut shown = Vec::new();
        for count in 1..=6 {
            let mut steps = whole()[..count].to_vec();
            // The last one runs, and so does all that it is in.
            let mut inside = u64::MAX;
            for at in (0..count).rev() {
                let own = u64::try_from(depth(&steps[at])).unwrap();
                if own < inside {
                    steps[at] = step(steps[at]["index"].as_u64().unwrap(), own, "running");
                    inside = own;
                }
            }
            shown.extend(lines(&mut feed, &task(&steps, false)));
            assert!(feed.under_way(&task(&steps, false)).contains('…'));
        }
        shown.extend(lines(&mut feed, &task(&whole(), true)));
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_step_made_of_others_ends_when_it_does() {
        let mut feed = Feed::default();
        let steps = [step(1, 0, "completed"), step(2, 1, "completed")];
        assert_eq!(
            lines(&mut feed, &task(&steps, false)),
            ["▸ 1 tapOn 1", "  ✓ 2 tapOn 2  5 ms", "✓ 1 tapOn 1  5 ms"]
        );
    }

    #[test]
    fn waiting_other_attempts_and_cut_off_steps_are_told() {
        let mut feed = Feed::default();
        let waits = json!({ "waiting_for": "device x is offline", "attempts": [] });
        assert!(lines(&mut feed, &waits).is_empty(), "it may be a moment's reason");
        assert_eq!(lines(&mut feed, &waits), ["waiting: device x is offline"]);
        assert!(lines(&mut feed, &waits).is_empty());
        let mut twice = task(&[step(1, 0, "running")], true);
        let mut second = task(&[step(1, 0, "failed")], true)["attempts"][0].clone();
        second["number"] = json!(2);
        second["steps"][0]["error"] = json!("element not found: \"X\"");
        twice["attempts"].as_array_mut().unwrap().push(second);
        let mut running = twice.clone();
        running["attempts"][1]["finished_at"] = Value::Null;
        running["attempts"][1]["steps"][0]["state"] = json!("running");
        assert_eq!(lines(&mut feed, &running), ["✗ 1 tapOn 1 (cut off)", "attempt 2"]);
        assert!(lines(&mut feed, &running).is_empty(), "told once");
        assert_eq!(
            lines(&mut Feed::default(), &twice),
            [
                "✗ 1 tapOn 1 (cut off)",
                "attempt 2",
                "✗ 1 tapOn 1  5 ms\n   element not found: \"X\""
            ]
        );
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            [5, 1_250, 61_000].map(duration),
            ["5 ms", "1.2 s", "1 min 1 s"].map(str::to_owned)
        );
    }
}
