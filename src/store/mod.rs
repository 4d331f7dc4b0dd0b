//! What is remembered: the only room that names sqlx.
//!
//! One thread writes; everything that is asked of it at one instant shares a transaction, and is answered after the
//! transaction is on the disk. Readers have connections of their own and never wait for it. One file per table, SQL of
//! more than a few lines in `queries/`.

mod account;
mod account_use;
mod api_key;
mod aside;
mod attempt;
mod attentive;
mod beside;
mod change;
mod checkpoint;
mod claim;
mod controller;
mod counts;
mod delivery;
mod device;
mod drain;
mod effect;
mod event;
mod fault;
mod finish;
mod foresight;
mod idempotency;
mod lane;
mod list;
mod material;
mod open;
mod ports;
mod prune;
mod quiet;
mod raw;
mod reads;
mod repetition;
mod retry;
mod schedule;
mod step;
mod stop;
mod submit;
mod task;
mod transaction;
mod value;
mod webhook;
mod webhook_ports;
mod writer;
mod writes;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use farmhand_actors::{domain::Timestamp, ports::StoreError};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};
use tokio::sync::{mpsc, oneshot, watch};

pub use api_key::{ApiKey, NewKey};
pub use attempt::LeaseHolder;
pub use event::EventPage;
pub use list::TaskFilter;
pub use prune::Retention;
pub use raw::{bare_tasks_per_second, raw_commits_per_second};

use aside::Aside;
use change::{Ask, Call};
use fault::Fault;
use transaction::Transaction;
use writer::{Op, QUEUE_MAX, Shared};

/// Where things are stored, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// `sqlite://` and a path; the file and its folder are created.
    pub url: String,
    /// How long to wait for another process that holds the database, and for a free connection, before
    /// [`StoreError::Away`].
    pub busy_timeout: Duration,
    /// What is forgotten when.
    pub retention: Retention,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: "sqlite://data/farmhand.db".to_owned(),
            busy_timeout: Duration::from_secs(5),
            retention: Retention::default(),
        }
    }
}

/// Everything that farmhand remembers, on SQLite.
#[derive(Debug)]
pub struct Store {
    readers: SqlitePool,
    queue: mpsc::Sender<Op>,
    shared: Arc<Shared>,
    retention: Retention,
}

impl Store {
    /// Opens the database, creating it or bringing it up to date, and starts its writer.
    ///
    /// # Errors
    /// [`StoreError::Broken`] names the file, what is wrong with it and the mend; the file is as it was.
    pub async fn open(settings: StoreSettings) -> Result<Arc<Self>, StoreError> {
        let opened = open::open(&settings.url, settings.busy_timeout).await?;
        let mut reader = opened
            .readers
            .acquire()
            .await
            .map_err(|error| Fault::Sql(error).told())?;
        let newest = event::newest_event(&mut reader).await?;
        drop(reader);
        let shared = Arc::new(Shared {
            aside: Aside::default(),
            suspect: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            full: watch::Sender::new(false),
            event_seq: watch::Sender::new(newest),
        });
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let retention = settings.retention;
        writer::start(
            Transaction::new(opened.writer),
            asked,
            Arc::clone(&shared),
            retention.clone(),
            quiet::keep_counting(opened.readers.clone(), queue.downgrade()),
        )
        .map_err(|error| StoreError::Broken(format!("the writer's thread cannot be started: {error}")))?;
        Ok(Arc::new(Self {
            readers: opened.readers,
            queue,
            shared,
            retention,
        }))
    }

    /// Writes what is queued and closes the database; whatever is asked afterwards is [`StoreError::Away`].
    pub async fn close(&self) {
        self.readers.close().await;
        let (closed, answer) = oneshot::channel();
        if self.queue.send(Op::Close(closed)).await.is_ok() {
            // An error means that the writer is gone, which is what is wanted.
            drop(answer.await);
        }
    }

    /// Whether a write failed in a way that leaves the disk in doubt: nothing is written any more, and the process
    /// should end so that the next start checks the database.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.shared.suspect.load(Ordering::Acquire)
    }

    /// Whether another process has taken the database over: this one can write no more, and should end.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.shared.superseded.load(Ordering::Acquire)
    }

    /// Whether the newest write found no room on the disk, and each change of that.
    #[must_use]
    pub fn full_watch(&self) -> watch::Receiver<bool> {
        self.shared.full.subscribe()
    }

    /// The number of the newest event, and of each newer one as soon as it is committed.
    #[must_use]
    pub fn event_watch(&self) -> watch::Receiver<i64> {
        self.shared.event_seq.subscribe()
    }

    /// Forgets what the retention says is old at this time. The writer also does so by itself every minute.
    ///
    /// # Errors
    /// The store's.
    pub async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut round = prune::Round::default();
        while !round.done {
            round = self
                .write((self.retention.clone(), round, now), prune::prune_slice)
                .await?;
        }
        Ok(())
    }

    /// Counts the blocks of tasks that were not changed since the last call, for the lists of devices and accounts. The store
    /// also does so by itself every ten seconds.
    ///
    /// # Errors
    /// The store's.
    pub async fn count_quiet(&self) -> Result<(), StoreError> {
        quiet::round(&self.readers, &self.queue, Duration::ZERO).await
    }

    async fn reader(&self) -> Result<Reader, StoreError> {
        reader(&self.readers).await
    }

    /// Has the writer run a function in a transaction, and waits until it is committed.
    async fn write<I, O, F>(&self, input: I, run: F) -> Result<O, StoreError>
    where
        I: Send + 'static,
        O: Send + 'static,
        F: AsyncFn(&mut Transaction, &I) -> Result<O, Fault> + Send + 'static,
    {
        write(&self.queue, input, run).await
    }

    async fn ask<O>(&self, op: impl FnOnce(change::Reply<O>) -> Op) -> Result<O, StoreError> {
        ask(&self.queue, op).await
    }
}

/// A connection that reads, lent by the pool.
struct Reader(Option<PoolConnection<Sqlite>>);

impl Reader {
    fn conn(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.0.as_deref_mut().ok_or_else(shutting_down)
    }
}

async fn reader(readers: &SqlitePool) -> Result<Reader, StoreError> {
    let conn = readers.acquire().await.map_err(|error| Fault::Sql(error).told())?;
    Ok(Reader(Some(conn)))
}

/// A question may be dropped when its thread's runtime has ended already. The pool would take the connection back with a
/// task of a runtime: without one it is closed instead.
impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(conn) = self.0.take()
            && tokio::runtime::Handle::try_current().is_err()
        {
            drop(conn.detach());
        }
    }
}

/// See [`Store::write`].
async fn write<I, O, F>(queue: &mpsc::Sender<Op>, input: I, run: F) -> Result<O, StoreError>
where
    I: Send + 'static,
    O: Send + 'static,
    F: AsyncFn(&mut Transaction, &I) -> Result<O, Fault> + Send + 'static,
{
    ask(queue, |reply| {
        Op::Change(Box::new(Call {
            input,
            run,
            output: None,
            reply,
        }))
    })
    .await
}

async fn ask<O>(queue: &mpsc::Sender<Op>, op: impl FnOnce(change::Reply<O>) -> Op) -> Result<O, StoreError> {
    let (reply, answer) = oneshot::channel();
    queue.send(op(reply)).await.map_err(|_| shutting_down())?;
    answer.await.map_err(|_| shutting_down())?
}

fn shutting_down() -> StoreError {
    StoreError::Away("it is shutting down".to_owned())
}

/// A request to be merged with others of its kind.
fn request<I, O>(input: I, reply: change::Reply<O>) -> Ask<I, O> {
    Ask {
        input,
        output: None,
        reply,
    }
}
