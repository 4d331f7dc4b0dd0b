//! Commands about apps: start, stop, permissions, links.

use crate::flow::{
    model::{Argument, Command, LaunchApp, OpenLink, Text},
    parse::{
        FlowParser,
        fields::{Fields, incorrect},
        keys::PERMISSION_GROUPS,
        suggest::{did_you_mean, slip},
        yaml::{Entry, NodeValue},
    },
};

/// What a permission is set to.
const GRANTS: [&str; 3] = ["allow", "deny", "unset"];
impl FlowParser<'_> {
    pub(in crate::flow::parse) fn app_command(
        &mut self,
        key: &'static str,
        fields: &mut Fields,
    ) -> Option<Option<Command>> {
        let problems = &mut self.problems;
        Some(match key {
            "launchApp" => self.launch_app(fields),
            "stopApp" => Some(Command::StopApp(fields.package("appId", problems))),
            "killApp" => Some(Command::KillApp(fields.package("appId", problems))),
            "clearState" => Some(Command::ClearState(fields.package("appId", problems))),
            "clearKeychain" => Some(Command::ClearKeychain),
            "setPermissions" => {
                let app_id = fields.package("appId", problems);
                let permissions = self.permissions(fields);
                if permissions.is_none() {
                    fields.missing("permissions", &mut self.problems);
                }
                permissions.map(|permissions| Command::SetPermissions(app_id, permissions))
            }
            "openLink" => self.open_link(fields),
            "openBrowser" => self.refuse(
                key,
                fields,
                "upstream has no such command any more; use `openLink` with `browser: true`",
            ),
            _ => return None,
        })
    }

    fn open_link(&mut self, fields: &mut Fields) -> Option<Command> {
        let problems = &mut self.problems;
        let link = fields.required_text("link", problems);
        if fields.flag("autoVerify", problems) == Some(true) {
            let message = "nothing taps through the choosers of links here; say which app is meant: `appId`";
            problems.add(&fields.at("autoVerify"), "Not Supported: autoVerify", message);
        }
        let browser = fields.flag("browser", problems).unwrap_or(false);
        let app_id = fields.package("appId", problems);
        link.map(|link| Command::OpenLink(Box::new(OpenLink { link, browser, app_id })))
    }

    fn launch_app(&mut self, fields: &mut Fields) -> Option<Command> {
        let problems = &mut self.problems;
        let app_id = fields.package("appId", problems);
        let clear_state = fields.flag("clearState", problems).unwrap_or(false);
        fields.flag("clearKeychain", problems);
        let stop = fields.flag("stopApp", problems).unwrap_or(true);
        let permissions = self.permissions(fields);
        let arguments = self.arguments(fields);
        if let (None, Some(page)) = (&app_id, &self.page) {
            // To start a flow for browsers is to open its page.
            return Some(Command::OpenLink(Box::new(OpenLink {
                link: page.clone(),
                browser: true,
                app_id: None,
            })));
        }
        Some(Command::LaunchApp(Box::new(LaunchApp {
            app_id,
            clear_state,
            stop,
            permissions,
            arguments,
        })))
    }

    fn permissions(&mut self, fields: &mut Fields) -> Option<Vec<(String, Text)>> {
        let permissions = fields.text_entries("permissions", &mut self.problems)?;
        for (entry, value) in &permissions {
            if !value.contains("${") && !GRANTS.contains(&value.as_ref()) {
                let what = format!("permissions.{}", entry.key);
                let wanted = format!("one of {}{}", GRANTS.join(", "), did_you_mean(value, GRANTS));
                incorrect(&entry.value.place, &what, &wanted, &mut self.problems);
            }
            // Any other name is Android's own, or one of another system, which is left alone.
            let names = || PERMISSION_GROUPS.iter().map(|(name, _)| *name).chain(["all"]);
            let known = names().any(|known| known.eq_ignore_ascii_case(&entry.key));
            if !known && let Some(meant) = slip(&entry.key, names()) {
                let message = format!("no permission is named `{}`. Did you mean `{meant}`?", entry.key);
                self.problems
                    .add(&entry.place, format!("Unknown Permission: {}", entry.key), message);
            }
        }
        Some(
            permissions
                .into_iter()
                .map(|(entry, value)| (entry.key, value))
                .collect(),
        )
    }

    fn arguments(&mut self, fields: &mut Fields) -> Vec<(Text, Argument)> {
        let Some(node) = fields.take("arguments") else {
            return Vec::new();
        };
        let Some(mut map) = Fields::of(&node, "arguments", &mut self.problems) else {
            return Vec::new();
        };
        let entries = map.take_rest();
        entries.iter().filter_map(|entry| self.argument(entry)).collect()
    }

    fn argument(&mut self, entry: &Entry) -> Option<(Text, Argument)> {
        let NodeValue::Scalar { text, quoted } = &entry.value.value else {
            let what = format!("arguments.{}", entry.key);
            incorrect(
                &entry.place,
                &what,
                "a text, a number, true or false",
                &mut self.problems,
            );
            return None;
        };
        let argument = match text.as_str() {
            _ if *quoted => Argument::Text(text.as_str().into()),
            "true" => Argument::Bool(true),
            "false" => Argument::Bool(false),
            word => word
                .parse()
                .map(Argument::Integer)
                .or_else(|_| word.parse().map(Argument::Decimal))
                .unwrap_or_else(|_| Argument::Text(word.into())),
        };
        Some((entry.key.as_str().into(), argument))
    }
}
