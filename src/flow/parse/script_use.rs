//! What scripts are and what they use by name, seen before anything runs: what is no JavaScript, what is not there, or what
//! a policy forbids, must not be a surprise on the phone.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::{
    FlowParser,
    script_text::code_only,
    yaml::{Entry, Node, NodeValue},
};
use crate::flow::{
    expr::template::{Part, parts},
    policy::{Permission, Policy},
    problem::Place,
};

/// What uses a name, and what gives it another meaning.
struct Use {
    name: &'static str,
    used: Option<Regex>,
    declared: Option<Regex>,
}

impl Use {
    fn new(name: &'static str, used: &str) -> Self {
        let declared = format!(
            r"\b(?:const|let|var|function|class)\s+{name}\b|\b{name}\s*=>|\([^()]*\b{name}\b[^()]*\)\s*(?:=>|\{{)"
        );
        let pattern = format!(r"(?:const|let|var)\b[^;\n]*[{{,\[]\s*{name}\s*[=,}}\]]");
        Self {
            name,
            used: Regex::new(&format!("(?m){used}")).ok(),
            declared: Regex::new(&format!("{declared}|{pattern}|typeof\\s+{name}\\b")).ok(),
        }
    }

    /// Where code first uses the name, if it means what farmhand put there. `code`: without comments and texts.
    fn find(&self, code: &str) -> Option<usize> {
        if !code.contains(self.name) || self.declared.as_ref()?.is_match(code) {
            return None;
        }
        let used = self.used.as_ref()?.find(code)?;
        Some(used.start() + used.as_str().find(self.name).unwrap_or(0))
    }
}

/// A use of the object `http` in a script: a call, or giving it another name.
static HTTP_USE: LazyLock<Use> = LazyLock::new(|| {
    let call = r#"(?:^|[^\w.$'"`/])http\s*(?:\?\.|\[|\.\s*(?:get|post|put|delete|request)\b)"#;
    let alias = r"=\s*http\s*(?:$|[;,)}\]\n])";
    Use::new("http", &format!("{call}|{alias}"))
});

/// A use of upstream's `faker`, which makes up names and addresses.
static FAKER_USE: LazyLock<Use> =
    LazyLock::new(|| Use::new("faker", r#"(?:^|[^\w.$'"`/])faker\s*(?:\?\.|\[|\.\s*[A-Za-z])"#));

/// Keys of the config section whose texts hold expressions that are evaluated.
const EVALUATED: [&str; 7] = [
    "appId",
    "url",
    "env",
    "onFlowStart",
    "onFlowComplete",
    "onFlowFailure",
    "farmhand",
];
/// Keys under `farmhand:` whose texts are never evaluated.
const NOT_EVALUATED: [&str; 5] = ["description", "apps", "params", "fan_out", "media"];
/// Most expressions of a text, with what stands between them.
const MAX_PARTS: usize = 1_000;
/// Longest script that is shown in a message, characters.
const SHOWN: usize = 60;

impl FlowParser<'_> {
    /// Notes what the expressions of a config section use.
    pub(super) fn note_config_scripts(&mut self, node: &Node) {
        let NodeValue::Map(entries) = &node.value else { return };
        for entry in entries.iter().filter(|entry| EVALUATED.contains(&entry.key.as_str())) {
            match &entry.value.value {
                NodeValue::Map(inner) if entry.key == "farmhand" => {
                    let evaluated = inner
                        .iter()
                        .filter(|inner| !NOT_EVALUATED.contains(&inner.key.as_str()));
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
                        match eval_script_of(entry) {
                            Some(script) => self.whole_script(&script.0, &script.1),
                            None => open.push(&entry.value),
                        }
                    }
                }
                NodeValue::Scalar { text, .. } => self.expressions(text, &node.place),
            }
        }
    }

    /// Looks at all expressions of a text; one that does not end would be typed, or count as true, as it stands.
    fn expressions(&mut self, text: &str, place: &Place) {
        let parts = parts(text);
        let open = parts.iter().find_map(|part| match part {
            Part::Literal(literal) => unescaped(literal),
            Part::Expression(_) => None,
        });
        if let Some(open) = open {
            let message = format!(
                "`{}` is no expression: there is no `}}` before the next `$` or the end. An expression cannot hold a `$`; for \
                 the two characters themselves write `\\${{`",
                shown(open)
            );
            return self.problems.add(place, "Invalid JavaScript", message);
        }
        if parts.len() > MAX_PARTS {
            let message = format!("a text has at most {MAX_PARTS} expressions and parts between them");
            return self.problems.add(place, "Too Many Expressions", message);
        }
        for part in parts {
            if let Part::Expression(code) = part {
                self.expression(code, place);
            }
        }
    }

    /// `evalScript`: expressions and nothing else, or a script without any.
    fn whole_script(&mut self, script: &str, place: &Place) {
        if !script.contains("${") {
            return self.expression(script, place);
        }
        let outside = parts(script).into_iter().find_map(|part| match part {
            Part::Literal(text) if says_something(text) && unescaped(text).is_none() => Some(text),
            _ => None,
        });
        match outside {
            Some(text) => {
                let message = format!(
                    "`{}` stands outside of the expression and would not run: put the whole script into `${{…}}`, or write it \
                     without any `${{`",
                    shown(text)
                );
                self.problems.add(place, "Invalid JavaScript", message);
            }
            None => self.expressions(script, place),
        }
    }

    /// Looks at a script that stands in the flow itself.
    pub(super) fn expression(&mut self, code: &str, place: &Place) {
        self.note_script(code, &|_| place.clone());
        let Some(fault) = self.syntax.fault(code) else { return };
        let at = match fault.at {
            Some((line, column)) if code.trim_end().contains('\n') => format!(" (line {line}, column {column} of it)"),
            _ => String::new(),
        };
        let mut message = format!("`{}` is not JavaScript: {}{at}", shown(code), fault.message);
        let count = |sign: char| code.matches(sign).count();
        if count('}') > count('{') || code.split_once('}').is_some_and(|(_, rest)| rest.contains('{')) {
            message += "; an expression reaches to the last `}` before the next `$`: put what stands behind it into a text \
                        of the expression, like `${A + \" and {b}\"}`";
        }
        self.problems.add(place, "Invalid JavaScript", message);
    }

    /// Looks at a script in a file of its own.
    pub(super) fn script_file(&mut self, file: &Arc<str>, source: &str) {
        let place = |(line, column)| Place {
            file: file.clone(),
            line,
            column,
        };
        self.note_script(source, &|at| {
            let before = source.get(..at).unwrap_or_default();
            let line = before.rsplit('\n').next().unwrap_or_default();
            place((before.matches('\n').count() + 1, line.chars().count() + 1))
        });
        if let Some(fault) = self.syntax.fault(source) {
            let place = place(fault.at.unwrap_or((1, 1)));
            self.problems.add(&place, "Invalid JavaScript", fault.message);
        }
    }

    /// Notes a script that makes requests, and refuses one that uses what is not there.
    /// `place_of`: where a byte of it stands.
    fn note_script(&mut self, script: &str, place_of: &dyn Fn(usize) -> Place) {
        let code = code_only(script);
        if let Some(at) = HTTP_USE.find(&code) {
            self.http_uses.push(place_of(at));
        }
        if let Some(at) = FAKER_USE.find(&code) {
            let message = "scripts have no `faker`; type made-up texts with `inputRandomText`, `inputRandomPersonName` and \
                           their kind";
            self.problems.add(&place_of(at), "Not Supported: faker", message);
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

/// The script of an `evalScript`, as a text or under `script`, and where it stands.
fn eval_script_of(entry: &Entry) -> Option<(String, Place)> {
    if entry.key != "evalScript" {
        return None;
    }
    let node = match &entry.value.value {
        NodeValue::Map(entries) => &entries.iter().find(|entry| entry.key == "script")?.value,
        _ => &entry.value,
    };
    Some((super::fields::plain(node)?.to_owned(), node.place.clone()))
}

/// A script in a message: its first line, cut when long.
fn shown(script: &str) -> String {
    let script = script.trim();
    let first = script.lines().next().unwrap_or_default();
    let shown: String = first.chars().take(SHOWN).collect();
    let cut = if shown.len() < script.len() { "…" } else { "" };
    shown + cut
}

/// Whether there is more than marks and comments.
fn says_something(text: &str) -> bool {
    !code_only(text).chars().all(|c| c.is_whitespace() || ";,".contains(c))
}

/// From the first `${` on that is not `\${`.
fn unescaped(text: &str) -> Option<&str> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find("${")?;
        if !text.get(..at)?.ends_with('\\') {
            return text.get(at..);
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::{FAKER_USE, HTTP_USE, code_only};

    #[test]
    fn made_up_data_are_told_from_words() {
        for script in [
            "faker.name().firstName()",
            "output.a = faker . internet()",
            "[faker['name']]",
        ] {
            assert!(FAKER_USE.find(&code_only(script)).is_some(), "{script}");
        }
        for script in [
            "'faker.name'",
            "output.faker.a",
            "faker",
            "myfaker.a",
            "faker_x.a",
            "// faker.name()",
            "faker => faker.x",
        ] {
            assert!(FAKER_USE.find(&code_only(script)).is_none(), "{script}");
        }
    }

    #[test]
    fn requests_are_told_from_links() {
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
            assert!(HTTP_USE.find(&code_only(script)).is_some(), "{script}");
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
            "// note http.get",
            "/* http.get(x) */ output.q = 1",
            "output.b = 'call http.get(1)'",
            "const http = { get: () => 1 }; output.z = http.get()",
            "const ask = (http) => http.get(1)",
            "function ask(http) { return http.get(1) }",
            "const { http } = output; http.get('x')",
            "const a = 1, http = {}; http.get()",
            "const [http] = output.list; http.get()",
        ] {
            assert!(HTTP_USE.find(&code_only(script)).is_none(), "{script}");
        }
    }
}
