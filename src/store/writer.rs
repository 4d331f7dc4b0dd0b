//! The one writer: everything that is queued at one instant shares a transaction, and so one sync of the disk.
//!
//! It runs on a thread of its own, so that neither a busy actor nor a slow disk holds up the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use farmhand_actors::{
    domain::{Claim, Timestamp},
    ports::{Finish, Finished, StoreError},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    aside::Aside,
    attentive::attentive,
    change::{Ask, Call, Change, Merged},
    claim::{self, ClaimedRow},
    fault::{Fault, Reach},
    finish,
    foresight::Finds,
    prune::{Retention, Round, prune_slice},
    submit,
    submit::{Stored, Submission},
    transaction::Transaction,
};

/// Most operations in one transaction: more would make the first of them wait for the last without saving syncs.
const GROUP_MAX: usize = 512;

/// Operations that wait for the writer. Callers wait for a place; each is a caller that waits anyway.
pub(super) const QUEUE_MAX: usize = 4096;

/// Between rounds of forgetting.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// Between the slices of one round: others get at least as much of the writer.
const SLICE_INTERVAL: Duration = Duration::from_millis(20);

/// What is asked of the writer.
pub(super) enum Op {
    /// Create tasks.
    Submit(Ask<Submission, Stored>),
    /// Claim tasks.
    Claim(Ask<Vec<Claim>, Vec<Option<ClaimedRow>>>),
    /// End attempts.
    Finish(Ask<Vec<Finish>, Vec<Finished>>),
    /// Anything else.
    Change(Box<dyn Change>),
    /// Do what is queued, then close the database.
    Close(oneshot::Sender<()>),
}

/// What the writer shares with the [`Store`](super::Store).
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) aside: Aside,
    pub(super) suspect: AtomicBool,
    pub(super) superseded: AtomicBool,
    /// Whether the newest write found no room on the disk.
    pub(super) full: watch::Sender<bool>,
    pub(super) event_seq: watch::Sender<i64>,
}

/// Starts the writer's thread; what goes on beside it ends with it.
pub(super) fn start(
    transaction: Transaction,
    queue: mpsc::Receiver<Op>,
    shared: Arc<Shared>,
    retention: Retention,
    beside: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let writer = Writer {
        transaction,
        queue,
        shared,
        retention,
        round: Round::default(),
        prune_at: Instant::now() + PRUNE_INTERVAL,
    };
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            runtime.spawn(beside);
            runtime.block_on(writer.run());
        })
}

struct Writer {
    transaction: Transaction,
    queue: mpsc::Receiver<Op>,
    shared: Arc<Shared>,
    retention: Retention,
    round: Round,
    prune_at: Instant,
}

impl Writer {
    async fn run(mut self) {
        let mut closing = None;
        while closing.is_none() {
            let first = tokio::select! {
                biased;
                op = self.queue.recv() => match op {
                    Some(op) => Some(op),
                    None => break,
                },
                () = self.shared.aside.due() => None,
                () = tokio::time::sleep_until(self.prune_at) => None,
            };
            let group = match first {
                Some(first) => self.gather(first),
                None => Vec::new(),
            };
            let mut changes;
            (changes, closing) = arrange(group);
            if let Some(aside) = Aside::take(&self.shared) {
                changes.insert(0, aside);
            }
            self.write(changes).await;
            self.prune_if_due().await;
        }
        if let Some(aside) = Aside::take(&self.shared) {
            self.write(vec![aside]).await;
        }
        if self.shared.suspect.load(Ordering::Acquire) {
            // Closing would write and sync the file once more, and what a failed sync has lost would count as stored.
            std::mem::forget(self.transaction);
        } else {
            self.transaction.close().await;
        }
        // An error means that the one who closes has given up waiting.
        let _ = closing.map(|closed| closed.send(()));
    }

    /// What is queued. Nobody is waited for: whoever comes while a transaction is written goes with the next one, so that the
    /// busier the writer is the more share a sync.
    fn gather(&mut self, first: Op) -> Vec<Op> {
        let mut group = vec![first];
        while group.len() < GROUP_MAX && !matches!(group.last(), Some(Op::Close(_))) {
            let Ok(op) = self.queue.try_recv() else { break };
            group.push(op);
        }
        group
    }

    /// Forgets one slice of what is old.
    async fn prune_if_due(&mut self) {
        if Instant::now() < self.prune_at {
            return;
        }
        let (reply, mut answer) = oneshot::channel();
        let call = Call {
            input: (self.retention.clone(), self.round.clone(), Timestamp::now()),
            run: prune_slice,
            output: None,
            reply,
        };
        self.write(vec![Box::new(call)]).await;
        let pause;
        (self.round, pause) = match answer.try_recv() {
            Ok(Ok(round)) if !round.done => (round, SLICE_INTERVAL),
            // Also after a failure: the next round tries again.
            _ => (Round::default(), PRUNE_INTERVAL),
        };
        self.prune_at = Instant::now() + pause;
    }

    /// Writes all changes in one transaction; when one of them spoils it, each in one of its own.
    async fn write(&mut self, mut changes: Vec<Box<dyn Change>>) {
        if changes.is_empty() {
            return;
        }
        let result = self.commit(&mut changes).await;
        match result {
            Ok(()) => answer_all(changes, &Ok(())),
            Err(fault) if fault.reach() != Reach::Operation => {
                tracing::error!(%fault, "the database could not be written");
                answer_all(changes, &Err(fault.told()));
            }
            Err(_) => {
                for change in changes.into_iter().flat_map(Change::split) {
                    self.write_alone(change).await;
                }
            }
        }
    }

    async fn write_alone(&mut self, change: Box<dyn Change>) {
        let mut alone = vec![change];
        let result = self.commit(&mut alone).await.map_err(|fault| fault.told());
        answer_all(alone, &result);
    }

    async fn commit(&mut self, changes: &mut [Box<dyn Change>]) -> Result<(), Fault> {
        if self.shared.suspect.load(Ordering::Acquire) {
            return Err(Fault::Suspect);
        }
        let result = attentive(self.try_commit(changes)).await;
        let full = result.as_ref().is_err_and(Fault::is_full);
        self.shared
            .full
            .send_if_modified(|was| std::mem::replace(was, full) != full);
        match &result {
            Ok(newest) => {
                self.shared.event_seq.send_if_modified(|seq| {
                    let newer = *seq < *newest;
                    *seq = (*seq).max(*newest);
                    newer
                });
            }
            Err(fault) => {
                self.transaction.roll_back().await;
                if matches!(fault, Fault::Superseded { .. }) {
                    self.shared.superseded.store(true, Ordering::Release);
                }
                if fault.reach() == Reach::Database {
                    // A failed sync must not be tried again: the pages that it lost count as clean.
                    self.shared.suspect.store(true, Ordering::Release);
                }
            }
        }
        result.map(|_| ())
    }

    async fn try_commit(&mut self, changes: &mut [Box<dyn Change>]) -> Result<i64, Fault> {
        let mut finds = Finds::default();
        for change in &*changes {
            if !change.foresee(&mut finds) {
                break;
            }
        }
        self.transaction.begin(&finds).await?;
        self.transaction.check_epoch()?;
        for change in changes {
            change.apply(&mut self.transaction).await?;
        }
        self.transaction.commit().await
    }
}

fn answer_all(changes: Vec<Box<dyn Change>>, result: &Result<(), StoreError>) {
    for change in changes {
        change.answer(result.clone());
    }
}

/// Puts requests for the same operation together. Ends go before claims, since nobody can end what is claimed in the same
/// instant, and new tasks go last: nobody can know of them yet, and what is claimed as it is created may need what an end
/// has freed. Other changes keep their place.
fn arrange(group: Vec<Op>) -> (Vec<Box<dyn Change>>, Option<oneshot::Sender<()>>) {
    let mut submits = Vec::new();
    let mut finishes = Vec::new();
    let mut claims = Vec::new();
    let mut changes: Vec<Box<dyn Change>> = Vec::new();
    let mut closing = None;
    for op in group {
        match op {
            Op::Submit(ask) => submits.push(ask),
            Op::Finish(ask) => finishes.push(ask),
            Op::Claim(ask) => claims.push(ask),
            Op::Change(change) => {
                push_merged(&mut changes, &mut finishes, finish::finish);
                push_merged(&mut changes, &mut claims, claim::claim);
                changes.push(change);
            }
            Op::Close(closed) => closing = Some(closed),
        }
    }
    push_merged(&mut changes, &mut finishes, finish::finish);
    push_merged(&mut changes, &mut claims, claim::claim);
    if !submits.is_empty() {
        let run = submit::submit;
        changes.push(Box::new(Merged { asks: submits, run }));
    }
    (changes, closing)
}

fn push_merged<I, O, F>(changes: &mut Vec<Box<dyn Change>>, asks: &mut Vec<Ask<I, O>>, run: F)
where
    Merged<I, O, F>: Change + 'static,
{
    if !asks.is_empty() {
        let asks = std::mem::take(asks);
        changes.push(Box::new(Merged { asks, run }));
    }
}
