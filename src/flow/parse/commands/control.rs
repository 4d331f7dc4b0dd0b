//! Commands that run other commands or scripts.

use crate::flow::{
    model::{Command, Repeat, Retry, RunFlow, RunScript, When},
    parse::{
        FlowParser,
        fields::{Fields, incorrect},
        yaml::NodeValue,
    },
    settings::MAX_ROUNDS,
};

/// Most that `maxRetries` may say; as upstream, three is what is done.
const MAX_RETRIES_SAID: i64 = 100;

impl FlowParser<'_> {
    pub(in crate::flow::parse) fn control_command(
        &mut self,
        key: &'static str,
        fields: &mut Fields,
    ) -> Option<Option<Command>> {
        Some(match key {
            "runFlow" => self.run_flow(fields),
            "repeat" => self.repeat(fields),
            "retry" => self.retry(fields),
            "evalScript" => {
                let script = fields.required_text("script", &mut self.problems);
                script.map(Command::EvalScript)
            }
            "runScript" => self.run_script(fields),
            _ => return None,
        })
    }

    fn run_flow(&mut self, fields: &mut Fields) -> Option<Command> {
        let env = fields.text_map("env", &mut self.problems).unwrap_or_default();
        let when = self.when(fields, "when");
        let otherwise = fields.take("else").and_then(|node| match &node.value {
            NodeValue::List(items) => Some(self.steps(items)),
            _ => {
                incorrect(&node.place, "else", "a list of commands", &mut self.problems);
                None
            }
        });
        if otherwise.is_some() && when.is_none() {
            fields.missing("when", &mut self.problems);
        }
        let body = self.body(fields)?;
        Some(Command::RunFlow(Box::new(RunFlow {
            body,
            env,
            when,
            otherwise,
        })))
    }

    fn repeat(&mut self, fields: &mut Fields) -> Option<Command> {
        let before = self.problems.len();
        let times = fields.whole_text("times", (0, i64::from(MAX_ROUNDS)), &mut self.problems);
        let condition = self.when(fields, "while");
        let items = fields.list("commands", &mut self.problems);
        let unfaulted = self.problems.len() == before;
        if items.is_none() && unfaulted {
            fields.missing("commands", &mut self.problems);
        }
        let steps = self.steps(&items?);
        if times.is_none() && condition.as_ref().is_none_or(When::is_empty) && unfaulted {
            let wanted = "given `times` or `while`: it would never end";
            incorrect(&fields.place, "repeat", wanted, &mut self.problems);
        }
        Some(Command::Repeat(Box::new(Repeat {
            times,
            condition,
            steps,
        })))
    }

    fn retry(&mut self, fields: &mut Fields) -> Option<Command> {
        let max_retries = fields.whole_text("maxRetries", (0, MAX_RETRIES_SAID), &mut self.problems);
        let env = fields.text_map("env", &mut self.problems).unwrap_or_default();
        let body = self.body(fields)?;
        Some(Command::Retry(Box::new(Retry {
            max_retries: max_retries.unwrap_or_else(|| "1".into()),
            body,
            env,
        })))
    }

    fn run_script(&mut self, fields: &mut Fields) -> Option<Command> {
        let env = fields.text_map("env", &mut self.problems).unwrap_or_default();
        let when = self.when(fields, "when");
        let file = fields.required_text("file", &mut self.problems)?;
        let (file, source) = self.text_file(&file, &fields.at("file"))?;
        self.script_file(&file, &source);
        Some(Command::RunScript(Box::new(RunScript {
            file,
            source,
            env,
            when,
        })))
    }
}
