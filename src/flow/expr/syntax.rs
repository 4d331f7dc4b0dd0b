//! Whether a script is JavaScript at all, seen before anything runs.

use rquickjs::{CatchResultExt, CaughtError, Context, Runtime};
use serde_json::Value;

use super::engine::position;

/// Memory for looking at one script, bytes.
const MEMORY: usize = 64 * 1024 * 1024;
/// Stack for it, bytes: less than any thread has left that reads flows.
const STACK: usize = 256 * 1024;
/// Stands before the script, on its first line: it is read as a whole, and ends before its first statement.
const BARRIER: &str = "throw 0;";

/// What keeps a script from being JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxFault {
    /// In the words of the interpreter.
    pub message: String,
    /// Line and column in the script, from 1.
    pub at: Option<(usize, usize)>,
}

/// Reads scripts without running them.
#[derive(Default)]
pub struct Syntax {
    /// Made with the first script: many flows have none.
    context: Option<Context>,
}

impl Syntax {
    /// What is wrong with a script, if it is no JavaScript. One that only is too deep or too long for a first look passes.
    pub fn fault(&mut self, script: &str) -> Option<SyntaxFault> {
        if self.context.is_none() {
            self.context = context().ok();
        }
        let code = Value::from(format!("{BARRIER}{script}")).to_string();
        self.context.as_ref()?.with(|ctx| {
            let run = format!("(function () {{ 'use strict'; return eval({code}); }})()");
            let Err(CaughtError::Exception(error)) = ctx.eval::<(), _>(run).catch(&ctx) else {
                return None;
            };
            let name: String = error.as_object().get("name").ok()?;
            (name == "SyntaxError").then(|| SyntaxFault {
                message: error.message().unwrap_or_default(),
                at: error.stack().as_deref().and_then(position).map(without_barrier),
            })
        })
    }
}

fn context() -> rquickjs::Result<Context> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(MEMORY);
    runtime.set_max_stack_size(STACK);
    Context::full(&runtime)
}

fn without_barrier((line, column): (usize, usize)) -> (usize, usize) {
    let before = if line == 1 { BARRIER.len() } else { 0 };
    (line, column.saturating_sub(before).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_javascript_is_told_with_its_place() {
        for (script, at) in [
            ("1 +", Some((1, 4))),
            ("A} and {b", Some((1, 2))),
            ("const a = 1;\nconst b = ;\n", Some((2, 11))),
            ("return 1", Some((1, 1))),
            ("let a; let a", None),
            ("await b", None),
            ("'open", None),
            ("/(/", None),
        ] {
            let fault = Syntax::default().fault(script);
            let fault = fault.unwrap_or_else(|| panic!("{script} passes"));
            assert!(!fault.message.is_empty());
            if at.is_some() {
                assert_eq!(fault.at, at, "{script}: {fault:?}");
            }
        }
    }

    #[test]
    fn what_is_javascript_passes_and_does_not_run() {
        let mut syntax = Syntax::default();
        for script in [
            "",
            "output.a = 1; nobody.knows()",
            "while (true) {}",
            "'use strict'; function f() { return 1 } f()",
            "A || 'default'",
            "const { a } = {}; `${a}`",
            "async () => { await 1 }",
        ] {
            assert_eq!(syntax.fault(script), None, "{script}");
        }
        let deep = "(".repeat(100_000);
        assert_eq!(syntax.fault(&deep), None, "too deep is told when it runs");
        assert!(syntax.fault("1 +").is_some(), "and the next one is looked at");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(script in "[a-z(){}\\[\\];=+'\"`\\\\/*<>!?.,:0-9\n ]{0,80}") {
            drop(Syntax::default().fault(&script));
        }
    }
}
