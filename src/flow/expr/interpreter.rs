//! The thread that an attempt's scripts run on. The interpreter looks at its limits only between its own steps: one call
//! of a built-in function may take minutes. So whoever asks waits no longer than the limit, and then leaves the thread to
//! itself; it ends when its script does.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    ScriptError,
    engine::{Engine, STACK, time_limit},
    http::HttpAccess,
};

/// Answers that come within this are waited for on the spot: most take microseconds, less than it costs to go on with
/// something else meanwhile. Other attempts of the thread wait as long, at most.
const AT_ONCE: Duration = Duration::from_millis(2);
/// How long a script that should have ended may take to do so.
const GRACE: Duration = Duration::from_millis(300);
/// How soon a stop is noticed.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Threads that were given up and still run: each of them has a core, and up to 64 MiB.
static GIVEN_UP: GivenUp = GivenUp::new(8);

/// What an interpreter is asked for.
pub(super) enum Job {
    /// The text of an expression, made by the function of that name.
    Evaluate { shown_by: &'static str, code: String },
    /// Sets a global.
    Set { name: String, value: Value },
    /// Takes a global away.
    Remove { name: String },
}

/// What it answers; only expressions have a text.
pub(super) type Answer = Result<Option<String>, ScriptError>;

/// What an interpreter begins with.
pub(super) struct Beginning {
    /// Ends whatever script runs.
    pub cancel: CancellationToken,
    /// With it, scripts have `http`, and more time.
    pub access: Option<HttpAccess>,
    /// Globals.
    pub globals: Vec<(String, Value)>,
    /// What scripts log.
    pub log: Arc<Mutex<Vec<String>>>,
}

/// An interpreter on its own thread.
pub(super) struct Interpreter {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    cancel: CancellationToken,
    time: Duration,
    alive: Weak<()>,
}

impl Interpreter {
    /// Begins a thread; what keeps its engine from beginning is the answer to the first job.
    pub(super) fn begin(beginning: Beginning) -> Result<Self, ScriptError> {
        if let Some(count) = GIVEN_UP.too_many() {
            return Err(ScriptError::Crowded(count));
        }
        let (jobs, asked) = channel();
        let (answer, answers) = channel();
        let (cancel, time) = (beginning.cancel.clone(), time_limit(beginning.access.as_ref()));
        let lives = Arc::new(());
        let alive = Arc::downgrade(&lives);
        let work = move || {
            work(beginning, &asked, &answer);
            drop(lives);
        };
        thread::Builder::new()
            .name("flow-script".to_owned())
            .stack_size(2 * STACK)
            .spawn(work)
            .map_err(|error| ScriptError::Engine(error.to_string()))?;
        Ok(Self {
            jobs,
            answers,
            cancel,
            time,
            alive,
        })
    }

    /// The answer to a job, and the interpreter, unless it had to be given up.
    pub(super) async fn ask(self, job: Job) -> (Answer, Option<Self>) {
        if self.jobs.send(job).is_err() {
            return (Err(ended()), None);
        }
        match self.answers.recv_timeout(AT_ONCE) {
            Ok(answer) => (answer, Some(self)),
            Err(RecvTimeoutError::Disconnected) => (Err(ended()), None),
            Err(RecvTimeoutError::Timeout) => {
                let waited = tokio::task::spawn_blocking(move || self.wait()).await;
                waited.unwrap_or_else(|error| (Err(ScriptError::Engine(error.to_string())), None))
            }
        }
    }

    fn wait(self) -> (Answer, Option<Self>) {
        let after = |time: Duration| Instant::now().checked_add(time);
        let mut end = after(self.time.saturating_add(GRACE));
        let mut stopped = false;
        loop {
            match self.answers.recv_timeout(LOOK_INTERVAL) {
                Ok(answer) => return (answer, Some(self)),
                Err(RecvTimeoutError::Disconnected) => return (Err(ended()), None),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !stopped && self.cancel.is_cancelled() {
                stopped = true;
                end = end.min(after(GRACE));
            }
            if end.is_none_or(|end| Instant::now() >= end) {
                let count = GIVEN_UP.add(self.alive);
                tracing::warn!(count, "a script that overran its time is left to itself");
                let error = if stopped {
                    ScriptError::Stopped
                } else {
                    ScriptError::TooLong(self.time)
                };
                return (Err(error), None);
            }
        }
    }
}

fn ended() -> ScriptError {
    ScriptError::Engine("its thread has ended".to_owned())
}

fn work(beginning: Beginning, asked: &Receiver<Job>, answer: &Sender<Answer>) {
    let engine = Engine::new(beginning.cancel, beginning.access, beginning.log).and_then(|engine| {
        for (name, value) in &beginning.globals {
            engine.set(name, value)?;
        }
        Ok(engine)
    });
    for job in asked {
        let done = match (&engine, job) {
            (Err(error), _) => Err(error.clone()),
            (Ok(engine), Job::Evaluate { shown_by, code }) => engine.evaluate(shown_by, &code),
            (Ok(engine), Job::Set { name, value }) => engine.set(&name, &value).map(|()| None),
            (Ok(engine), Job::Remove { name }) => engine.remove(&name).map(|()| None),
        };
        if answer.send(done).is_err() {
            return;
        }
    }
}

/// Threads that nobody waits for any more.
struct GivenUp {
    most: usize,
    threads: Mutex<Vec<Weak<()>>>,
}

impl GivenUp {
    const fn new(most: usize) -> Self {
        Self {
            most,
            threads: Mutex::new(Vec::new()),
        }
    }

    /// Adds one; how many still run.
    fn add(&self, thread: Weak<()>) -> usize {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.push(thread);
        threads.retain(|thread| thread.strong_count() > 0);
        threads.len()
    }

    /// How many still run, if no more may be risked.
    fn too_many(&self) -> Option<usize> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| thread.strong_count() > 0);
        (threads.len() >= self.most).then_some(threads.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_wait_for_those_that_were_given_up_when_there_are_many() {
        let given_up = GivenUp::new(2);
        let (first, second) = (Arc::new(()), Arc::new(()));

        assert_eq!(given_up.add(Arc::downgrade(&first)), 1);
        assert_eq!(given_up.too_many(), None);
        assert_eq!(given_up.add(Arc::downgrade(&second)), 2);
        assert_eq!(given_up.too_many(), Some(2));

        drop(first);
        assert_eq!(given_up.too_many(), None);
    }
}
