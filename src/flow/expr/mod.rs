//! Expressions and scripts: JavaScript without files or network, with limits on memory, time and depth.

pub mod template;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Object, Runtime};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::template::{Part, parts, unescape};

/// Memory of one attempt's scripts, bytes.
const MEMORY: usize = 64 * 1024 * 1024;
/// Stack of scripts, bytes: half of what a thread has. The interpreter runs on the caller's and counts from where the
/// attempt began, so flows within flows use it up, too.
const STACK: usize = 1024 * 1024;
/// Longest that one expression or script may take. Scripts run on the attempt's own thread, so this is also the
/// longest that they may hold up a stop.
const TIME: Duration = Duration::from_millis(1_000);
/// Longest text that an expression may give, bytes.
const MAX_RESULT: usize = 4 * 1024 * 1024;
/// Most log lines of one attempt's scripts.
const MAX_LOG_LINES: usize = 1_000;

/// What went wrong in a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It threw something, or is not JavaScript.
    #[error("script failed: {0}")]
    Threw(String),
    /// It took too long.
    #[error("script did not end within {TIME:?}; look for an endless loop")]
    TooLong,
    /// It was stopped.
    #[error("script was stopped")]
    Stopped,
    /// Its result is too long.
    #[error("script gave a text of {0} bytes; at most {MAX_RESULT} are taken")]
    TooLarge(usize),
    /// The engine failed.
    #[error("the script engine failed: {0}")]
    Engine(String),
}

/// Variables that a scope has covered, to be put back.
#[derive(Debug, Default)]
pub struct Covered(Vec<(String, Option<Value>)>);

/// The JavaScript of one attempt. Globals live as long as it.
pub struct Js {
    context: Context,
    limits: Rc<Limits>,
    log: Rc<RefCell<Vec<String>>>,
}

struct Limits {
    deadline: Cell<Option<Instant>>,
    cancel: CancellationToken,
}

impl Js {
    /// An engine with the prelude loaded; `cancel` ends whatever script runs.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(cancel: CancellationToken) -> Result<Self, ScriptError> {
        let runtime = Runtime::new().map_err(engine)?;
        runtime.set_memory_limit(MEMORY);
        runtime.set_max_stack_size(STACK);
        let limits = Rc::new(Limits {
            deadline: Cell::new(None),
            cancel,
        });
        let watched = limits.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || watched.exceeded())));
        let context = Context::full(&runtime).map_err(engine)?;
        let js = Self {
            context,
            limits,
            log: Rc::default(),
        };
        js.install()?;
        Ok(js)
    }

    fn install(&self) -> Result<(), ScriptError> {
        let log = self.log.clone();
        self.guarded(|ctx| {
            let api = Object::new(ctx.clone())?;
            let note = Function::new(ctx.clone(), move |line: String| {
                let mut log = log.borrow_mut();
                if log.len() < MAX_LOG_LINES {
                    log.push(line);
                }
            })?;
            api.set("log", note)?;
            ctx.globals().set("__farmhand", api)?;
            ctx.eval::<(), _>(include_str!("prelude.js"))
        })
    }

    /// Replaces every `${…}` in a text.
    ///
    /// # Errors
    /// An expression threw or broke a limit.
    pub fn interpolate(&self, text: &str) -> Result<String, ScriptError> {
        if !text.contains("${") {
            return Ok(text.to_owned());
        }
        let mut out = String::new();
        for part in parts(text) {
            match part {
                Part::Literal(literal) => out.push_str(&unescape(literal)),
                Part::Expression(code) => out.push_str(&self.text(code)?),
            }
        }
        Ok(out)
    }

    /// The text that an expression gives; "" for a blank one.
    ///
    /// # Errors
    /// It threw or broke a limit.
    pub fn text(&self, code: &str) -> Result<String, ScriptError> {
        if code.trim().is_empty() {
            return Ok(String::new());
        }
        self.evaluate("__show", code)
    }

    /// The value that an expression gives, as JSON; what JSON does not know is null.
    ///
    /// # Errors
    /// It threw or broke a limit.
    pub fn value(&self, code: &str) -> Result<Value, ScriptError> {
        let json = self.evaluate("__json", code)?;
        Ok(serde_json::from_str(&json).unwrap_or(Value::Null))
    }

    fn evaluate(&self, shown_by: &str, code: &str) -> Result<String, ScriptError> {
        let code = Value::from(code).to_string();
        let script = format!("{shown_by}((function () {{ 'use strict'; return eval({code}); }})())");
        let text = self
            .guarded(|ctx| ctx.eval::<Option<String>, _>(script))?
            .unwrap_or_default();
        if text.len() > MAX_RESULT {
            return Err(ScriptError::TooLarge(text.len()));
        }
        Ok(text)
    }

    /// Runs a script for what it does.
    ///
    /// # Errors
    /// It threw or broke a limit.
    pub fn run(&self, code: &str) -> Result<(), ScriptError> {
        self.evaluate("__json", &format!("{code}\n;undefined")).map(|_| ())
    }

    /// Sets a global from JSON.
    ///
    /// # Errors
    /// The memory is full.
    pub fn set(&self, name: &str, value: &Value) -> Result<(), ScriptError> {
        let json = value.to_string();
        self.guarded(|ctx| {
            let value: rquickjs::Value<'_> = ctx.json_parse(json)?;
            ctx.globals().set(name, value)
        })
    }

    /// Sets variables, and remembers what they cover.
    ///
    /// # Errors
    /// The memory is full.
    pub fn enter(&self, variables: &[(String, String)]) -> Result<Covered, ScriptError> {
        let mut covered = Vec::new();
        for (name, value) in variables {
            covered.push((name.clone(), self.own_global(name)?));
            self.set(name, &Value::from(value.as_str()))?;
        }
        Ok(Covered(covered))
    }

    /// Puts back what [`Self::enter`] covered.
    ///
    /// # Errors
    /// The memory is full.
    pub fn leave(&self, covered: Covered) -> Result<(), ScriptError> {
        for (name, value) in covered.0.into_iter().rev() {
            match value {
                Some(value) => self.set(&name, &value)?,
                None => self.guarded(|ctx| ctx.globals().remove(name.as_str()))?,
            }
        }
        Ok(())
    }

    fn own_global(&self, name: &str) -> Result<Option<Value>, ScriptError> {
        let quoted = Value::from(name).to_string();
        let known = self.value(&format!("Object.prototype.hasOwnProperty.call(globalThis, {quoted})"))?;
        if known != Value::Bool(true) {
            return Ok(None);
        }
        self.value(&format!("globalThis[{quoted}]")).map(Some)
    }

    /// Puts a text on the flow's clipboard.
    ///
    /// # Errors
    /// The memory is full.
    pub fn set_copied_text(&self, text: &str) -> Result<(), ScriptError> {
        self.run(&format!("maestro.copiedText = {}", Value::from(text)))
    }

    /// What scripts have logged since the last call.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.borrow_mut())
    }

    fn guarded<T>(&self, action: impl FnOnce(Ctx<'_>) -> rquickjs::Result<T>) -> Result<T, ScriptError> {
        self.limits.deadline.set(Instant::now().checked_add(TIME));
        let result = self.context.with(|ctx| {
            action(ctx.clone()).catch(&ctx).map_err(|error| match error {
                CaughtError::Exception(exception) => exception
                    .message()
                    .unwrap_or_else(|| "an error without a message".to_owned()),
                CaughtError::Value(value) => format!("threw {value:?}"),
                CaughtError::Error(error) => error.to_string(),
            })
        });
        let result = result.map_err(|message| match self.limits.broken() {
            Some(error) => error,
            None => ScriptError::Threw(message),
        });
        self.limits.deadline.set(None);
        result
    }
}

impl Limits {
    fn exceeded(&self) -> bool {
        self.broken().is_some()
    }

    fn broken(&self) -> Option<ScriptError> {
        if self.cancel.is_cancelled() {
            return Some(ScriptError::Stopped);
        }
        let late = self.deadline.get().is_some_and(|deadline| Instant::now() > deadline);
        late.then_some(ScriptError::TooLong)
    }
}

fn engine(error: rquickjs::Error) -> ScriptError {
    ScriptError::Engine(error.to_string())
}
