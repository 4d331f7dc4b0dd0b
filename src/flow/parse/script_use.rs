//! What scripts are and what they use by name, seen before anything runs: what is no JavaScript, what is not there, or what
//! a policy forbids, must not be a surprise on the phone.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::{
    FlowParser,
    yaml::{Node, NodeValue},
};
use crate::flow::{
    expr::template::{Part, parts},
    policy::{Permission, Policy},
    problem::Place,
};

/// A use of the object `http` in a script, as opposed to the letters in a link: a call, or giving it another name.
static HTTP_USE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let call = r#"(?:^|[^\w.$'"`/])http\s*(?:\?\.|\[|\.\s*(?:get|post|put|delete|request)\b)"#;
    let alias = r"=\s*http\s*(?:$|[;,)}\]\n])";
    Regex::new(&format!("(?m){call}|{alias}")).ok()
});

/// A use of upstream's `faker`, which makes up names and addresses.
static FAKER_USE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?m)(?:^|[^\w.$'"`/])faker\s*(?:\?\.|\[|\.\s*[A-Za-z])"#).ok());

/// Keys of the config section whose texts hold expressions that are evaluated.
const EVALUATED: [&str; 7] = ["appId", "url", "env", "onFlowStart", "onFlowComplete", "onFlowFailure", "farmhand"];
/// Keys under `farmhand:` whose texts are never evaluated.
const NOT_EVALUATED: [&str; 5] = ["description", "apps", "params", "fan_out", "media"];
/// Longest script that is shown in a message, characters.
const SHOWN: usize = 60;

impl FlowParser<'_> {
    /// Notes what the expressions of a config section use.
    pub(super) fn note_config_scripts(&mut self, node: &Node) {
        let NodeValue::Map(entries) = &node.value else { return };
        for entry in entries.iter().filter(|entry| EVALUATED.contains(&entry.key.as_str())) {
            match &entry.value.value {
                NodeValue::Map(inner) if entry.key == "farmhand" => {
                    let evaluated = inner.iter().filter(|inner| !NOT_EVALUATED.contains(&inner.key.as_str()));
                    evaluated.for_each(|inner| self.note_scripts(&inner.value));
                }
                _ => self.note_scripts(&entry.value),
            }
        }
    }

    /// Notes what the expressions of a part of a document use.
    pub(super) fn note_scripts(&mut self, node: &Node) {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            match &node.value {
                NodeValue::Null => {}
                NodeValue::List(items) => open.extend(items.iter().map(AsRef::as_ref)),
                NodeValue::Map(entries) => {
                    for entry in entries {
                        let script = super::fields::plain(&entry.value).filter(|_| entry.key == "evalScript");
                        if let Some(script) = script.filter(|script| !script.contains("${")) {
                            self.expression(script, &entry.value.place);
                        }
                        open.push(&entry.value);
                    }
                }
                NodeValue::Scalar { text, .. } => {
                    for part in parts(text) {
                        if let Part::Expression(code) = part {
                            self.expression(code, &node.place);
                        }
                    }
                }
            }
        }
    }

    /// Looks at a script that stands in the flow itself.
    pub(super) fn expression(&mut self, code: &str, place: &Place) {
        self.note_script(code, place);
        let Some(fault) = self.syntax.fault(code) else { return };
        let first = code.trim().lines().next().unwrap_or_default();
        let shown: String = first.chars().take(SHOWN).collect();
        let cut = if shown.len() < code.trim().len() { "…" } else { "" };
        let at = match fault.at {
            Some((line, column)) if code.trim_end().contains('\n') => format!(" (line {line}, column {column} of it)"),
            _ => String::new(),
        };
        let mut message = format!("`{shown}{cut}` is not JavaScript: {}{at}", fault.message);
        if code.split_once('}').is_some_and(|(_, rest)| rest.contains('{')) {
            message += "; an expression reaches to the last `}` before the next `$`: put what stands behind it into a text \
                        of the expression, like `${A + \" and {b}\"}`";
        }
        self.problems.add(place, "Invalid JavaScript", message);
    }

    /// Looks at a script in a file of its own.
    pub(super) fn script_file(&mut self, file: &Arc<str>, source: &str, place: &Place) {
        self.note_script(source, place);
        if let Some(fault) = self.syntax.fault(source) {
            let (line, column) = fault.at.unwrap_or((1, 1));
            let place = Place {
                file: file.clone(),
                line,
                column,
            };
            self.problems.add(&place, "Invalid JavaScript", fault.message);
        }
    }

    /// Notes a script that makes requests, and refuses one that uses what is not there.
    fn note_script(&mut self, script: &str, place: &Place) {
        if HTTP_USE.as_ref().is_some_and(|pattern| pattern.is_match(script)) {
            self.http_uses.push(place.clone());
        }
        if FAKER_USE.as_ref().is_some_and(|pattern| pattern.is_match(script)) {
            let message = "scripts have no `faker`; type made-up texts with `inputRandomText`, `inputRandomPersonName` and \
                           their kind";
            self.problems.add(place, "Not Supported: faker", message);
        }
    }

    /// Refuses what was noted unless the policy allows it.
    pub(super) fn check_http(&mut self, policy: &Policy) {
        let Some(refusal) = policy.refuses(&[Permission::Http]) else {
            return;
        };
        for place in std::mem::take(&mut self.http_uses) {
            self.problems.add(&place, "Not Allowed: http", refusal.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FAKER_USE, HTTP_USE};

    #[test]
    fn made_up_data_are_told_from_words() {
        let pattern = FAKER_USE.as_ref().unwrap();
        for script in [
            "faker.name().firstName()",
            "output.a = faker . internet()",
            "[faker['name']]",
        ] {
            assert!(pattern.is_match(script), "{script}");
        }
        for script in ["'faker.name'", "output.faker.a", "faker", "myfaker.a", "faker_x.a"] {
            assert!(!pattern.is_match(script), "{script}");
        }
    }

    #[test]
    fn requests_are_told_from_links() {
        let pattern = HTTP_USE.as_ref().unwrap();
        for script in [
            "http.get(url)",
            "output.a = json(http.post(url, { body: '' }).body)",
            "(http . request (url))",
            "const r = http\n  .delete(url)",
            "http['get'](url)",
            "http?.put(url)",
            "const h = http; h.get(url)",
            "call(x = http)",
        ] {
            assert!(pattern.is_match(script), "{script}");
        }
        for script in [
            "'http://example.com/'",
            "output.http.get(1)",
            "link('https://http.get.example')",
            "`http.get`",
            "xhttp.get(1)",
            "http_get(1)",
            "params.http",
            "{ http: 1 }",
        ] {
            assert!(!pattern.is_match(script), "{script}");
        }
    }
}
