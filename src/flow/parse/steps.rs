//! Lists of commands: which command a node is, and the fields that every command has.

use std::sync::Arc;

use super::{
    FlowParser,
    commands::{has_lookup, is_refused, main_field},
    fields::{Fields, TIME_MS, incorrect},
    keys::{COMMANDS, MISTAKES},
    suggest::did_you_mean,
    yaml::{Node, NodeValue},
};
use crate::flow::{
    model::{Body, Command, Step, When},
    problem::Place,
};

impl FlowParser<'_> {
    pub(super) fn steps(&mut self, items: &[Arc<Node>]) -> Vec<Step> {
        let steps: Vec<Step> = items.iter().filter_map(|item| self.step(item)).collect();
        self.incomplete |= steps.len() < items.len();
        steps
    }

    fn step(&mut self, node: &Arc<Node>) -> Option<Step> {
        match &node.value {
            NodeValue::Scalar { text, .. } => self.bare_step(text, &node.place),
            NodeValue::Map(entries) => {
                let mut entries = entries.iter();
                let (Some(first), second) = (entries.next(), entries.next()) else {
                    incorrect(&node.place, "command", "the name of a command", &mut self.problems);
                    return None;
                };
                if let Some(second) = second {
                    let message = format!(
                        "`{}` is a second key beside `{}`; start each command with its own `- `, and indent its options \
                         below it",
                        second.key, first.key
                    );
                    let title = format!("Invalid Command Format: {}", first.key);
                    self.problems.add(&second.place, title, message);
                    return None;
                }
                self.keyed_step(&first.key, &first.place, &first.value)
            }
            NodeValue::List(_) => {
                let message = "commands must be in one list; here is a list inside of the list";
                self.problems.add(&node.place, "Invalid Command Format", message);
                None
            }
            NodeValue::Null => {
                let message = "here is a `-` without a command";
                self.problems.add(&node.place, "Invalid Command Format", message);
                None
            }
        }
    }

    fn bare_step(&mut self, word: &str, place: &Place) -> Option<Step> {
        let word = if word == "hide keyboard" { "hideKeyboard" } else { word };
        match COMMANDS.iter().find(|(key, _)| *key == word) {
            Some((key, bare)) if *bare || is_refused(key) => {
                self.finish_step(key, place, Fields::none(key, place.clone()))
            }
            Some((key, _)) => {
                let message = format!("the command `{key}` requires additional options: `- {key}: …`");
                self.problems
                    .add(place, format!("Missing Command Options: {key}"), message);
                None
            }
            None => {
                self.unknown_command(word, place);
                None
            }
        }
    }

    fn unknown_command(&mut self, word: &str, place: &Place) {
        let mistake = MISTAKES.iter().find(|(wrong, _)| *wrong == word);
        let hint = match mistake {
            Some((_, right)) => format!(". Did you mean `{right}`?"),
            None => did_you_mean(word, COMMANDS.iter().map(|(key, _)| *key)),
        };
        let message = format!("`{word}` is not a valid command{hint}");
        self.problems.add(place, format!("Invalid Command: {word}"), message);
    }

    fn keyed_step(&mut self, key: &str, place: &Place, value: &Arc<Node>) -> Option<Step> {
        let Some((key, bare)) = COMMANDS.iter().find(|(known, _)| *known == key) else {
            self.unknown_command(key, place);
            return None;
        };
        let fields = match &value.value {
            _ if is_refused(key) => Fields::none(key, place.clone()),
            NodeValue::Null if *bare => {
                let message = format!("`{key}:` has no options; write `- {key}`, or give it options");
                self.problems
                    .add(place, format!("Incorrect Command Format: {key}"), message);
                return None;
            }
            NodeValue::Null => {
                let message = format!("the command `{key}` requires additional options: `- {key}: …`");
                self.problems
                    .add(place, format!("Missing Command Options: {key}"), message);
                return None;
            }
            NodeValue::List(_) if *key == "addMedia" => self.list_as_field(key, place, value),
            _ if *key == "assertTrue" => self.assert_true_fields(place, value)?,
            NodeValue::Scalar { .. } => self.scalar_fields(key, place, value)?,
            NodeValue::Map(_) => Fields::of(value, key, &mut self.problems)?,
            NodeValue::List(_) => {
                let wanted = if main_field(key).is_some() {
                    "a text or a map, not a list"
                } else {
                    "a map, not a list"
                };
                incorrect(&value.place, key, wanted, &mut self.problems);
                return None;
            }
        };
        self.finish_step(key, place, fields)
    }

    /// The one field that a scalar stands for.
    fn scalar_fields(&mut self, key: &'static str, place: &Place, value: &Arc<Node>) -> Option<Fields> {
        if let Some(main) = main_field(key) {
            return Some(Fields::with(key, place.clone(), main, value.clone()));
        }
        let is_bare = COMMANDS.iter().any(|(known, bare)| *known == key && *bare);
        let message = if is_bare {
            format!("`{key}` takes no value: write `- {key}`")
        } else {
            format!("`{key}` must be a map of its options, not {}", value.kind())
        };
        self.problems
            .add(&value.place, format!("Incorrect Command Format: {key}"), message);
        None
    }

    fn list_as_field(&mut self, key: &str, place: &Place, value: &Arc<Node>) -> Fields {
        Fields::with(key, place.clone(), "files", value.clone())
    }

    fn assert_true_fields(&mut self, place: &Place, value: &Arc<Node>) -> Option<Fields> {
        Fields::or_scalar(value, "assertTrue", "condition", &mut self.problems).map(|mut fields| {
            fields.place = place.clone();
            fields
        })
    }

    fn finish_step(&mut self, key: &'static str, place: &Place, mut fields: Fields) -> Option<Step> {
        fields.place = place.clone();
        let label = fields.text("label", &mut self.problems);
        let optional = fields.flag("optional", &mut self.problems).unwrap_or(false);
        let command = self.command(key, &mut fields);
        let timeout = if has_lookup(key) {
            fields.whole_text("timeout", TIME_MS, &mut self.problems)
        } else {
            None
        };
        let Some(command) = command else {
            fields.finish_slips(&mut self.problems);
            return None;
        };
        fields.finish(&mut self.problems);
        Some(Step {
            place: place.clone(),
            key,
            label,
            optional,
            timeout,
            command,
        })
    }

    /// The body of a command that takes `file` or `commands`, exactly one of them.
    pub(super) fn body(&mut self, fields: &mut Fields) -> Option<Body> {
        let file = fields.take("file");
        let commands = fields.take("commands");
        match (file, commands) {
            (Some(file), None) => {
                let reference = super::fields::scalar_text(&file, "file", &mut self.problems)?;
                self.include(&reference, &file.place).map(Body::File)
            }
            (None, Some(commands)) => match &commands.value {
                NodeValue::List(items) => Some(Body::Inline(self.steps(items))),
                _ => {
                    incorrect(&commands.place, "commands", "a list of commands", &mut self.problems);
                    None
                }
            },
            (file, _) => {
                let message = if file.is_some() {
                    format!("`{}` takes `file` or `commands`, not both", fields.what)
                } else {
                    format!("`{}` needs `file` or `commands`", fields.what)
                };
                let title = format!("Incorrect Format: {}", fields.what);
                self.problems.add(&fields.place, title, message);
                None
            }
        }
    }

    /// A condition under `name`.
    pub(super) fn when(&mut self, fields: &mut Fields, name: &'static str) -> Option<When> {
        let node = fields.take(name)?;
        let mut fields = Fields::of(&node, name, &mut self.problems)?;
        let platform = fields.text("platform", &mut self.problems);
        let platform = platform.map(|platform| platform.to_lowercase());
        if let Some(platform) = &platform
            && !matches!(platform.as_str(), "android" | "ios" | "web")
        {
            incorrect(&node.place, "platform", "one of Android, iOS, Web", &mut self.problems);
        }
        let when = When {
            platform,
            is_true: fields.text("true", &mut self.problems),
            visible: self.optional_selector(&mut fields, "visible"),
            not_visible: self.optional_selector(&mut fields, "notVisible"),
            timeout: fields.whole_text("timeout", TIME_MS, &mut self.problems),
        };
        if let Some(text) = &when.is_true {
            self.condition(text, "true", &fields.at("true"));
        }
        fields.finish(&mut self.problems);
        Some(when)
    }

    pub(super) fn command(&mut self, key: &'static str, fields: &mut Fields) -> Option<Command> {
        self.gesture_command(key, fields)
            .or_else(|| self.assert_command(key, fields))
            .or_else(|| self.text_command(key, fields))
            .or_else(|| self.app_command(key, fields))
            .or_else(|| self.control_command(key, fields))
            .or_else(|| self.device_command(key, fields))
            .flatten()
    }
}
