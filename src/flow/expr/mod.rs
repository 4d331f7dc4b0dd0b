//! Expressions and scripts: JavaScript without files, and without network unless the flow's policy allows it, with limits
//! on memory, time and depth.

mod engine;
mod http;
mod interpreter;
mod names;
pub mod syntax;
pub mod template;
#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::{
    engine::MAX_RESULT,
    interpreter::{Answer, Beginning, Interpreter, Job},
    template::{Part, parts, unescape},
};
pub use self::{
    http::HttpAccess,
    names::{is_own_name, is_own_object, is_variable},
};

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
    /// Others that overran their time have not ended yet.
    #[error("{0} scripts that overran their time still run on this host; no other begins before one of them ends")]
    Crowded(usize),
    /// The engine failed.
    #[error("the script engine failed: {0}")]
    Engine(String),
}

impl ScriptError {
    /// The same of a script in a file.
    #[must_use]
    pub fn of_file(self, file: &str) -> Self {
        match self {
            Self::Threw(message) => Self::Threw(format!("{file}: {message}")),
            error => error,
        }
    }
}

/// Variables that a scope has covered, to be put back.
#[derive(Debug, Default)]
pub struct Covered(Vec<(String, Option<Value>)>);

/// The JavaScript of one attempt. Globals live as long as it.
///
/// Its interpreter begins when something has to be interpreted: making one costs more than everything else in a flow
/// of few steps, and many flows only read variables.
///
/// It runs on a thread of its own, which begins with it: a script that does not end holds up nothing but its step.
pub struct Js {
    cancel: CancellationToken,
    access: Option<HttpAccess>,
    state: RefCell<State>,
    log: Arc<Mutex<Vec<String>>>,
}

enum State {
    /// Nothing had to be interpreted; what was set so far, in that order.
    Early(Vec<(String, Value)>),
    Begun(Interpreter),
    /// There is no interpreter any more.
    Ended(ScriptError),
}

impl Js {
    /// `cancel` ends whatever script runs. With `access`, scripts have `http`, and more time.
    #[must_use]
    pub fn new(cancel: CancellationToken, access: Option<HttpAccess>) -> Self {
        Self {
            cancel,
            access,
            state: RefCell::new(State::Early(Vec::new())),
            log: Arc::default(),
        }
    }

    async fn ask(&self, job: Job) -> Answer {
        // Who does not await the answer has no interpreter any more.
        let state = self.state.replace(State::Ended(ScriptError::Stopped));
        let interpreter = match state {
            State::Begun(interpreter) => Ok(interpreter),
            State::Ended(error) => Err(error),
            State::Early(globals) => Interpreter::begin(Beginning {
                cancel: self.cancel.clone(),
                access: self.access.clone(),
                globals,
                log: self.log.clone(),
            }),
        };
        let (answer, left) = match interpreter {
            Ok(interpreter) => interpreter.ask(job).await,
            Err(error) => (Err(error), None),
        };
        let state = match (left, &answer) {
            (Some(interpreter), _) => State::Begun(interpreter),
            (None, Err(error)) => State::Ended(error.clone()),
            (None, Ok(_)) => State::Ended(ScriptError::Stopped),
        };
        self.state.replace(state);
        answer
    }

    async fn evaluate(&self, shown_by: &'static str, code: &str) -> Answer {
        let code = code.to_owned();
        self.ask(Job::Evaluate { shown_by, code }).await
    }

    /// Replaces every `${…}` in a text.
    ///
    /// # Errors
    /// An expression threw or broke a limit.
    pub async fn interpolate(&self, text: &str) -> Result<String, ScriptError> {
        if !text.contains("${") {
            return Ok(text.to_owned());
        }
        let mut out = String::new();
        for part in parts(text) {
            match part {
                Part::Literal(literal) => out.push_str(&unescape(literal)),
                Part::Expression(code) => out.push_str(&self.text(code).await?),
            }
        }
        Ok(out)
    }

    /// The text that an expression gives; "" for a blank one.
    ///
    /// # Errors
    /// It threw or broke a limit.
    pub async fn text(&self, code: &str) -> Result<String, ScriptError> {
        let name = code.trim();
        if name.is_empty() {
            return Ok(String::new());
        }
        match self.early_text(name) {
            Some(text) => Ok(text),
            None => Ok(self.evaluate("__show", code).await?.unwrap_or_default()),
        }
    }

    /// Replaces every `${…}` in a text; the inner error is the first expression that gave `undefined`.
    ///
    /// # Errors
    /// An expression threw or broke a limit.
    pub async fn fill<'t>(&self, text: &'t str) -> Result<Result<String, &'t str>, ScriptError> {
        if !text.contains("${") {
            return Ok(Ok(text.to_owned()));
        }
        let mut out = String::new();
        for part in parts(text) {
            match part {
                Part::Literal(literal) => out.push_str(&unescape(literal)),
                Part::Expression(code) => match self.defined(code).await? {
                    Some(text) => out.push_str(&text),
                    None => return Ok(Err(code.trim())),
                },
            }
        }
        Ok(Ok(out))
    }

    /// The text that an expression gives, if it is not `undefined`.
    async fn defined(&self, code: &str) -> Result<Option<String>, ScriptError> {
        let name = code.trim();
        if name.is_empty() {
            return Ok(Some(String::new()));
        }
        let text = match self.early_text(name) {
            Some(text) => Some(text),
            None => self.evaluate("__fill", code).await?,
        };
        // A variable may have got its value from one that is not set: as a text, that is this word.
        Ok(text.filter(|text| text != "undefined" || !is_name(pattern_of(name))))
    }

    /// The text of a variable that was set before the interpreter began.
    fn early_text(&self, name: &str) -> Option<String> {
        if !is_name(name) {
            return None;
        }
        let State::Early(early) = &*self.state.borrow() else {
            return None;
        };
        let (_, value) = early.iter().rev().find(|(known, _)| known == name)?;
        value.as_str().map(str::to_owned)
    }

    /// The value that an expression gives, as JSON; what JSON does not know is null.
    ///
    /// # Errors
    /// It threw or broke a limit.
    pub async fn value(&self, code: &str) -> Result<Value, ScriptError> {
        let json = self.evaluate("__json", code).await?.unwrap_or_default();
        Ok(serde_json::from_str(&json).unwrap_or(Value::Null))
    }

    /// What scripts have left under this name in `output`, if it can be told.
    pub async fn output(&self, name: &str) -> Option<Value> {
        // No script has run as long as there is no interpreter.
        if matches!(&*self.state.borrow(), State::Early(_)) {
            return None;
        }
        let quoted = Value::from(name).to_string();
        self.value(&format!("output[{quoted}]")).await.ok()
    }

    /// Runs a script for what it does.
    ///
    /// # Errors
    /// It threw or broke a limit.
    pub async fn run(&self, code: &str) -> Result<(), ScriptError> {
        let script = format!("{code}\n;undefined");
        self.evaluate("__json", &script).await.map(|_| ())
    }

    /// Sets a global from JSON.
    ///
    /// # Errors
    /// The memory is full.
    pub async fn set(&self, name: &str, value: &Value) -> Result<(), ScriptError> {
        let (name, value) = (name.to_owned(), value.clone());
        if let State::Early(early) = &mut *self.state.borrow_mut() {
            early.push((name, value));
            return Ok(());
        }
        self.ask(Job::Set { name, value }).await.map(|_| ())
    }

    /// Sets variables, and remembers what they cover.
    ///
    /// # Errors
    /// The memory is full.
    pub async fn enter(&self, variables: &[(String, String)]) -> Result<Covered, ScriptError> {
        let mut covered = Vec::new();
        for (name, value) in variables {
            covered.push((name.clone(), self.own_global(name).await?));
            self.set(name, &Value::from(value.as_str())).await?;
        }
        Ok(Covered(covered))
    }

    /// Puts back what [`Self::enter`] covered.
    ///
    /// # Errors
    /// The memory is full.
    pub async fn leave(&self, covered: Covered) -> Result<(), ScriptError> {
        for (name, value) in covered.0.into_iter().rev() {
            match value {
                Some(value) => self.set(&name, &value).await?,
                None => drop(self.ask(Job::Remove { name }).await?),
            }
        }
        Ok(())
    }

    async fn own_global(&self, name: &str) -> Result<Option<Value>, ScriptError> {
        let quoted = Value::from(name).to_string();
        let known = format!("Object.prototype.hasOwnProperty.call(globalThis, {quoted})");
        if self.value(&known).await? != Value::Bool(true) {
            return Ok(None);
        }
        self.value(&format!("globalThis[{quoted}]")).await.map(Some)
    }

    /// Puts a text on the flow's clipboard.
    ///
    /// # Errors
    /// The memory is full.
    pub async fn set_copied_text(&self, text: &str) -> Result<(), ScriptError> {
        self.run(&format!("maestro.copiedText = {}", Value::from(text))).await
    }

    /// What scripts have logged since the last call.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
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
