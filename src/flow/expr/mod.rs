//! Expressions and scripts: JavaScript without files, and without network unless the flow's policy allows it, with limits
//! on memory, time and depth.

mod engine;
mod http;
mod names;
pub mod template;
#[cfg(test)]
mod tests;

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
    time::Duration,
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::{
    engine::{Engine, MAX_RESULT},
    template::{Part, parts, unescape},
};
pub use self::{http::HttpAccess, names::is_own_name};

/// What went wrong in a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It threw something, or is not JavaScript.
    #[error("script failed: {0}")]
    Threw(String),
    /// It took too long.
    #[error("script did not end within {0:?}; look for an endless loop")]
    TooLong(Duration),
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
///
/// Its interpreter begins when something has to be interpreted: making one costs more than everything else in a flow
/// of few steps, and many flows only read variables.
pub struct Js {
    cancel: CancellationToken,
    access: Option<HttpAccess>,
    engine: OnceCell<Engine>,
    /// What was set before the interpreter began, in that order.
    early: RefCell<Vec<(String, Value)>>,
    log: Rc<RefCell<Vec<String>>>,
}

impl Js {
    /// `cancel` ends whatever script runs. With `access`, scripts have `http`, and more time.
    #[must_use]
    pub fn new(cancel: CancellationToken, access: Option<HttpAccess>) -> Self {
        Self {
            cancel,
            access,
            engine: OnceCell::new(),
            early: RefCell::default(),
            log: Rc::default(),
        }
    }

    /// Begins the interpreter, if it has not begun.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn begin(&self) -> Result<(), ScriptError> {
        self.engine().map(|_| ())
    }

    fn engine(&self) -> Result<&Engine, ScriptError> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let engine = Engine::new(self.cancel.clone(), self.access.clone(), self.log.clone())?;
        for (name, value) in self.early.borrow().iter() {
            engine.set(name, value)?;
        }
        self.early.take();
        Ok(self.engine.get_or_init(|| engine))
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
        let name = code.trim();
        if name.is_empty() {
            return Ok(String::new());
        }
        match self.early_text(name) {
            Some(text) => Ok(text),
            None => Ok(self.engine()?.evaluate("__show", code)?.unwrap_or_default()),
        }
    }

    /// Replaces every `${…}` in a text; the inner error is the first expression that gave `undefined`.
    ///
    /// # Errors
    /// An expression threw or broke a limit.
    pub fn fill<'t>(&self, text: &'t str) -> Result<Result<String, &'t str>, ScriptError> {
        if !text.contains("${") {
            return Ok(Ok(text.to_owned()));
        }
        let mut out = String::new();
        for part in parts(text) {
            match part {
                Part::Literal(literal) => out.push_str(&unescape(literal)),
                Part::Expression(code) => match self.defined(code)? {
                    Some(text) => out.push_str(&text),
                    None => return Ok(Err(code.trim())),
                },
            }
        }
        Ok(Ok(out))
    }

    /// The text that an expression gives, if it is not `undefined`.
    fn defined(&self, code: &str) -> Result<Option<String>, ScriptError> {
        let name = code.trim();
        if name.is_empty() {
            return Ok(Some(String::new()));
        }
        let text = match self.early_text(name) {
            Some(text) => Some(text),
            None => self.engine()?.evaluate("__fill", code)?,
        };
        // A variable may have got its value from one that is not set: as a text, that is this word.
        Ok(text.filter(|text| text != "undefined" || !is_name(pattern_of(name))))
    }

    /// The text of a variable that was set before the interpreter began.
    fn early_text(&self, name: &str) -> Option<String> {
        if !is_name(name) {
            return None;
        }
        let early = self.early.borrow();
        let (_, value) = early.iter().rev().find(|(known, _)| known == name)?;
        value.as_str().map(str::to_owned)
    }

    /// The value that an expression gives, as JSON; what JSON does not know is null.
    ///
    /// # Errors
    /// It threw or broke a limit.
    pub fn value(&self, code: &str) -> Result<Value, ScriptError> {
        let json = self.engine()?.evaluate("__json", code)?.unwrap_or_default();
        Ok(serde_json::from_str(&json).unwrap_or(Value::Null))
    }

    /// What scripts have left under this name in `output`, if it can be told.
    pub fn output(&self, name: &str) -> Option<Value> {
        // No script has run as long as there is no interpreter.
        self.engine.get()?;
        let quoted = Value::from(name).to_string();
        self.value(&format!("output[{quoted}]")).ok()
    }

    /// Runs a script for what it does.
    ///
    /// # Errors
    /// It threw or broke a limit.
    pub fn run(&self, code: &str) -> Result<(), ScriptError> {
        let script = format!("{code}\n;undefined");
        self.engine()?.evaluate("__json", &script).map(|_| ())
    }

    /// Sets a global from JSON.
    ///
    /// # Errors
    /// The memory is full.
    pub fn set(&self, name: &str, value: &Value) -> Result<(), ScriptError> {
        match self.engine.get() {
            Some(engine) => engine.set(name, value),
            None => {
                self.early.borrow_mut().push((name.to_owned(), value.clone()));
                Ok(())
            }
        }
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
                None => self.engine()?.remove(&name)?,
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
}

/// What a pattern is made of, where an expression is nothing else.
#[must_use]
pub fn pattern_of(code: &str) -> &str {
    let inside = code.strip_prefix("pattern(").and_then(|rest| rest.strip_suffix(')'));
    inside.unwrap_or(code).trim()
}

/// Whether this is the name of a variable to the interpreter, too, and not an expression or a word of the language.
fn is_name(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_$".contains(c);
    text.chars().all(is_word)
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !matches!(
            text,
            "this" | "true" | "false" | "null" | "undefined" | "NaN" | "Infinity"
        )
}
