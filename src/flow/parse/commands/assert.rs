//! Commands that look, wait and compare.

use std::sync::Arc;

use crate::flow::{
    expr::template::{Part, parts},
    model::{AssertScreenshot, Command, Condition},
    parse::{
        FlowParser,
        fields::{Fields, TIME_MS, incorrect, plain},
        yaml::{Node, NodeValue},
    },
    problem::Place,
};

const AI: &str = "farmhand has no AI service; assert on texts or ids instead";

impl FlowParser<'_> {
    pub(in crate::flow::parse) fn assert_command(
        &mut self,
        key: &'static str,
        fields: &mut Fields,
    ) -> Option<Option<Command>> {
        Some(match key {
            "assertVisible" | "assertNotVisible" => {
                let selector = self.main_selector(fields).map(Box::new);
                selector.map(if key == "assertVisible" {
                    Command::AssertVisible
                } else {
                    Command::AssertNotVisible
                })
            }
            "assertTrue" => self.assert_true(fields),
            "extendedWaitUntil" => self.extended_wait(fields),
            // A negative one is the usual time, as upstream.
            "waitForAnimationToEnd" => Some(Command::WaitForAnimation(fields.whole_text(
                "timeout",
                (-TIME_MS.1, TIME_MS.1),
                &mut self.problems,
            ))),
            "assertDarkMode" => Some(Command::AssertDarkMode(true)),
            "assertLightMode" => Some(Command::AssertDarkMode(false)),
            "assertScreenshot" => self.assert_screenshot(fields),
            "assertWithAI" | "assertNoDefectsWithAI" | "extractTextWithAI" => self.refuse(key, fields, AI),
            _ => return None,
        })
    }

    /// Notes a command that is known but that farmhand does not carry out.
    pub(super) fn refuse(&mut self, key: &'static str, fields: &mut Fields, why: &str) -> Option<Command> {
        self.problems.add(&fields.place, format!("Not Supported: {key}"), why);
        None
    }

    fn assert_screenshot(&mut self, fields: &mut Fields) -> Option<Command> {
        let path = fields.required_text("path", &mut self.problems);
        let threshold = fields.number_text("thresholdPercentage", &mut self.problems);
        let crop = self.optional_selector(fields, "cropOn");
        let percent = threshold.as_ref().and_then(|text| text.parse::<f64>().ok());
        if percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
            let wanted = "from 0 to 100";
            incorrect(
                &fields.at("thresholdPercentage"),
                "thresholdPercentage",
                wanted,
                &mut self.problems,
            );
        }
        let (file, picture) = self.reference_picture(&path?, &fields.at("path"))?;
        Some(Command::AssertScreenshot(Box::new(AssertScreenshot {
            file,
            picture,
            threshold_percent: threshold.unwrap_or_else(|| "95".into()),
            crop,
        })))
    }

    fn assert_true(&mut self, fields: &mut Fields) -> Option<Command> {
        let Some(node) = fields.take("condition") else {
            fields.missing("condition", &mut self.problems);
            return None;
        };
        let Some(text) = truth_text(&node) else {
            incorrect(&node.place, "condition", "a value or an expression", &mut self.problems);
            return None;
        };
        self.condition(&text, "condition", &node.place);
        Some(Command::AssertTrue(text))
    }

    /// Notes a condition that is no expression: as a text it would always hold.
    pub(in crate::flow::parse) fn condition(&mut self, text: &str, name: &str, place: &Place) {
        let parts = parts(text);
        let has_text = |part: &Part<'_>| matches!(part, Part::Literal(text) if !text.trim().is_empty());
        if parts.iter().any(|part| matches!(part, Part::Expression(_))) && parts.iter().any(has_text) {
            let wanted = "one expression `${…}` with nothing around it: a text that is not blank counts as true";
            return incorrect(place, name, wanted, &mut self.problems);
        }
        let is_constant = text.trim().is_empty() || text.trim().parse::<f64>().is_ok();
        let is_word = ["true", "false", "null", "undefined"].contains(&text.trim().to_lowercase().as_str());
        if !text.contains("${") && !is_constant && !is_word {
            let wanted = format!(
                "an expression: `${{{}}}`. As it stands it is a text, and every text counts as true",
                text.trim()
            );
            incorrect(place, name, &wanted, &mut self.problems);
        }
    }

    fn extended_wait(&mut self, fields: &mut Fields) -> Option<Command> {
        let before = self.problems.len();
        let condition = Condition {
            visible: self.optional_selector(fields, "visible"),
            not_visible: self.optional_selector(fields, "notVisible"),
            timeout: fields.whole_text("timeout", TIME_MS, &mut self.problems),
        };
        let none = condition.visible.is_none() && condition.not_visible.is_none();
        if none && self.problems.len() == before {
            let wanted = "given `visible` or `notVisible`";
            incorrect(&fields.place, "extendedWaitUntil", wanted, &mut self.problems);
            return None;
        }
        Some(Command::ExtendedWait(Box::new(condition)))
    }
}

/// What `assertTrue` looks at; a missing value counts as false when the step runs.
fn truth_text(node: &Arc<Node>) -> Option<Arc<str>> {
    match node.value {
        NodeValue::Null => Some("".into()),
        _ => plain(node).map(Arc::from),
    }
}
