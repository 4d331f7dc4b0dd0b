//! The interpreter itself: its limits, and what it finds when it begins.

use std::{
    cell::{Cell, RefCell},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Exception, Function, Object, Runtime};
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
    /// Promises that failed and that nobody has listened to, and why.
    rejected: Rc<RefCell<Vec<(u64, String)>>>,
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
        let rejected = Rc::<RefCell<Vec<(u64, String)>>>::default();
        let noted = rejected.clone();
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, promise, reason, is_handled| {
            let mut hasher = DefaultHasher::new();
            promise.hash(&mut hasher);
            let promise = hasher.finish();
            noted.borrow_mut().retain(|(known, _)| *known != promise);
            if !is_handled {
                noted.borrow_mut().push((promise, words(&ctx, reason)));
            }
        })));
        let context = Context::full(&runtime).map_err(failed)?;
        let engine = Self {
            context,
            limits,
            rejected,
        };
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
        let done = self.guarded(|ctx| {
            let text = ctx.eval::<Option<String>, _>(script)?;
            Ok((text, self.finish(&ctx)))
        });
        let rejected = self.rejected.take().into_iter().next();
        let (text, finished) = done?;
        finished?;
        if let Some((_, why)) = rejected {
            return Err(ScriptError::Threw(why));
        }
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

    /// Goes on with what waits for promises: nothing that they could wait for takes time.
    fn finish(&self, ctx: &Ctx<'_>) -> Result<(), ScriptError> {
        while ctx.execute_pending_job() {
            if let Some(error) = self.limits.broken() {
                return Err(error);
            }
        }
        // Cut off in the middle of one: what it leaves behind looks like a failure of its own.
        self.limits.broken().map_or(Ok(()), Err)
    }

    fn guarded<T>(&self, action: impl FnOnce(Ctx<'_>) -> rquickjs::Result<T>) -> Result<T, ScriptError> {
        self.limits.deadline.set(Instant::now().checked_add(self.limits.time));
        let result = self.context.with(|ctx| {
            action(ctx.clone()).catch(&ctx).map_err(|error| match error {
                CaughtError::Exception(exception) => exception_words(&exception),
                CaughtError::Value(value) => words(&ctx, value),
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

/// Line and column of the innermost code of scripts in an interpreter's stack, from 1.
/// Source of the shape: `quickjs.c`, `build_backtrace`: `    at name (file:line:column)` or `    at file:line:column`.
pub(super) fn position(stack: &str) -> Option<(usize, usize)> {
    stack.lines().find_map(|line| {
        let (_, place) = line.rsplit_once("<input>:")?;
        let (line, column) = place.trim_end_matches(')').split_once(':')?;
        Some((line.parse().ok()?, column.parse().ok()?))
    })
}

fn failed(error: rquickjs::Error) -> ScriptError {
    ScriptError::Engine(error.to_string())
}

/// What was thrown.
fn words<'js>(ctx: &Ctx<'js>, value: rquickjs::Value<'js>) -> String {
    match value.as_object().cloned().and_then(Exception::from_object) {
        Some(exception) => exception_words(&exception),
        None => format!("threw {}", thrown(ctx, value)),
    }
}

/// An error's message, with its name if it says something, and the place in scripts of several lines.
fn exception_words(exception: &Exception<'_>) -> String {
    let message = exception.message().filter(|message| !message.is_empty());
    let message = message.unwrap_or_else(|| "an error without a message".to_owned());
    let name: Option<String> = exception.as_object().get("name").ok();
    let name = name.filter(|name| !matches!(name.as_str(), "" | "Error"));
    let text = name.map_or_else(|| message.clone(), |name| format!("{name}: {message}"));
    match exception.stack().as_deref().and_then(position) {
        Some((line, column)) if line > 1 => format!("{text} (line {line}, column {column})"),
        _ => text,
    }
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
