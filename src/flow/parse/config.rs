//! The first document of a flow.

use super::{
    FlowParser,
    fields::{Fields, plain, scalar_text},
    suggest::{nearest, slip},
};
use crate::flow::model::Config;

/// Keys of steps that run beside a flow's own.
const HOOKS: [&str; 3] = ["onFlowStart", "onFlowComplete", "onFlowFailure"];

impl FlowParser<'_> {
    pub(super) fn config_section(&mut self, mut fields: Fields) -> Config {
        let place = fields.place.clone();
        let url_node = fields.take("url");
        let mut config = Config {
            app_id: fields.package("appId", &mut self.problems),
            name: fields.text("name", &mut self.problems).map(|name| name.to_string()),
            tags: fields
                .texts("tags", &mut self.problems)
                .iter()
                .map(ToString::to_string)
                .collect(),
            env: fields.text_map("env", &mut self.problems).unwrap_or_default(),
            ..Config::default()
        };
        if let Some(url) = url_node {
            let why = "`url` flows drive a browser; farmhand drives Android apps: use `appId`";
            self.note_web(&url.place, "url", why);
            // It wins over an app.
            self.page = scalar_text(&url, "url", &mut self.problems);
            config.app_id.clone_from(&self.page);
        } else if config.app_id.is_none() {
            let message = "`appId` must be specified in the config section, e.g. `appId: com.example.app`";
            self.problems.add(&place, "Config Field Required", message);
        }
        fields.text_map("properties", &mut self.problems);
        if let Some(node) = fields.take("jsEngine")
            && scalar_text(&node, "jsEngine", &mut self.problems).is_some_and(|engine| engine.as_ref() == "rhino")
        {
            let message = "the engine `rhino` is gone; leave `jsEngine` out";
            self.problems.add(&node.place, "Not Supported: jsEngine", message);
        }
        let [start, complete, failure] = HOOKS.map(|name| self.step_list(&mut fields, name));
        (config.on_start, config.on_complete, config.on_failure) = (start, complete, failure);
        if let Some(node) = fields.take("farmhand")
            && let Some(fields) = Fields::of(&node, "farmhand", &mut self.problems)
        {
            config.extension = self.extension(fields);
        }
        self.other_keys(fields);
        config
    }

    /// Any other key is somebody else's extension, as upstream has it, unless it is one of ours misspelt, or means
    /// something upstream.
    fn other_keys(&mut self, mut fields: Fields) {
        let hierarchy = fields.take_unlisted("androidWebViewHierarchy");
        if let Some(node) = hierarchy.filter(|node| plain(node) == Some("devtools")) {
            let message =
                "the insides of web views are seen as Android shows them; leave `androidWebViewHierarchy` out";
            self.problems
                .add(&node.place, "Not Supported: androidWebViewHierarchy", message);
        }
        for entry in fields.take_rest() {
            // Nobody else has hooks of these names.
            let hook = nearest(&entry.key, HOOKS).filter(|_| entry.key.starts_with("onFlow"));
            if let Some(meant) = slip(&entry.key, fields.known()).or(hook) {
                let message = format!("the key `{}` means nothing. Did you mean `{meant}`?", entry.key);
                self.problems
                    .add(&entry.place, format!("Unknown Property: {}", entry.key), message);
            }
        }
    }

    fn step_list(&mut self, fields: &mut Fields, name: &'static str) -> Vec<crate::flow::model::Step> {
        let items = fields.list(name, &mut self.problems).unwrap_or_default();
        self.steps(&items)
    }
}
