//! The interpreter itself: its limits, and what it finds when it begins.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Object, Runtime};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    ScriptError,
    http::{self, HttpAccess},
};

/// Memory of one attempt's scripts, bytes.
const MEMORY: usize = 64 * 1024 * 1024;
/// Stack of scripts, bytes: half of what their thread has.
pub(super) const STACK: usize = 1024 * 1024;
/// Longest that one expression or script may take.
pub(super) const TIME: Duration = Duration::from_millis(1_000);
/// The same where scripts may make requests.
const TIME_WITH_HTTP: Duration = Duration::from_millis(5_000);
/// Longest text that an expression may give, bytes.
pub(super) const MAX_RESULT: usize = 4 * 1024 * 1024;
/// Most log lines of one attempt's scripts.
const MAX_LOG_LINES: usize = 1_000;

/// Longest that one expression or script of an attempt may take.
pub(super) fn time_limit(access: Option<&HttpAccess>) -> Duration {
    if access.is_some() { TIME_WITH_HTTP } else { TIME }
}

/// An interpreter with the prelude loaded.
pub(super) struct Engine {
    context: Context,
    limits: Rc<Limits>,
}

struct Limits {
    time: Duration,
    deadline: Cell<Option<Instant>>,
    cancel: CancellationToken,
}

impl Engine {
    /// `cancel` ends whatever script runs; lines that scripts log are added to `log`.
    pub(super) fn new(
        cancel: CancellationToken,
        access: Option<HttpAccess>,
        log: Arc<Mutex<Vec<String>>>,
    ) -> Result<Self, ScriptError> {
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(MEMORY);
        runtime.set_max_stack_size(STACK);
        let limits = Rc::new(Limits {
            time: time_limit(access.as_ref()),
            deadline: Cell::new(None),
            cancel,
        });
        let watched = limits.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || watched.exceeded())));
        let context = Context::full(&runtime).map_err(failed)?;
        let engine = Self { context, limits };
        engine.install(access, log)?;
        Ok(engine)
    }

    fn install(&self, access: Option<HttpAccess>, log: Arc<Mutex<Vec<String>>>) -> Result<(), ScriptError> {
        let limits = self.limits.clone();
        self.guarded(|ctx| {
            let api = Object::new(ctx.clone())?;
            let note = Function::new(ctx.clone(), move |line: String| {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                if log.len() < MAX_LOG_LINES {
                    log.push(line);
                }
            })?;
            api.set("log", note)?;
            if let Some(access) = access {
                let request = move |wanted: String| {
                    let deadline = limits.deadline.get().unwrap_or_else(Instant::now);
                    http::call(&access, &wanted, deadline, &limits.cancel)
                };
                api.set("http", Function::new(ctx.clone(), request)?)?;
            }
            ctx.globals().set("__farmhand", api)?;
            ctx.eval::<(), _>(include_str!("prelude.js"))
        })
    }

    /// Evaluates an expression; the function of that name in the prelude makes a text of its value.
    /// It has none for a value that is not there.
    pub(super) fn evaluate(&self, shown_by: &str, code: &str) -> Result<Option<String>, ScriptError> {
        let code = Value::from(code).to_string();
        let script = format!("{shown_by}((function () {{ 'use strict'; return eval({code}); }})())");
        let text = self.guarded(|ctx| ctx.eval::<Option<String>, _>(script))?;
        match text.as_ref().map(String::len) {
            Some(length) if length > MAX_RESULT => Err(ScriptError::TooLarge(length)),
            _ => Ok(text),
        }
    }

    /// Sets a global from JSON.
    pub(super) fn set(&self, name: &str, value: &Value) -> Result<(), ScriptError> {
        let json = value.to_string();
        self.guarded(|ctx| {
            let value: rquickjs::Value<'_> = ctx.json_parse(json)?;
            ctx.globals().set(name, value)
        })
    }

    /// Takes a global away.
    pub(super) fn remove(&self, name: &str) -> Result<(), ScriptError> {
        self.guarded(|ctx| ctx.globals().remove(name))
    }

    fn guarded<T>(&self, action: impl FnOnce(Ctx<'_>) -> rquickjs::Result<T>) -> Result<T, ScriptError> {
        self.limits.deadline.set(Instant::now().checked_add(self.limits.time));
        let result = self.context.with(|ctx| {
            action(ctx.clone()).catch(&ctx).map_err(|error| match error {
                CaughtError::Exception(exception) => exception
                    .message()
                    .unwrap_or_else(|| "an error without a message".to_owned()),
                CaughtError::Value(value) => format!("threw {}", thrown(&ctx, value)),
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
        late.then_some(ScriptError::TooLong(self.time))
    }
}

fn failed(error: rquickjs::Error) -> ScriptError {
    ScriptError::Engine(error.to_string())
}

/// A thrown value that is no `Error`, as its author wrote it: texts as they are, everything else as JSON.
fn thrown<'js>(ctx: &Ctx<'js>, value: rquickjs::Value<'js>) -> String {
    let text = |text: &rquickjs::String<'js>| text.to_string().ok();
    if let Some(words) = value.as_string().and_then(text) {
        return words;
    }
    let json = ctx.json_stringify(value).ok().flatten();
    // One that throws while it is written leaves nothing behind for the next script.
    ctx.catch();
    json.as_ref()
        .and_then(text)
        .unwrap_or_else(|| "something without a text".to_owned())
}
