//! How actors reach one another: an address that survives rebuilds, tells that are never lost in silence, and the
//! guard by which an actor's end becomes known.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actix::{Actor, Addr, Handler, Message, Recipient, dev::ToEnvelope};
use tokio::sync::watch;

use crate::{domain::Generation, supervisor::ActorKind};

/// Where the current incarnation of an actor can be reached; empty while there is none.
pub struct Slot<A: Actor> {
    current: Arc<watch::Sender<Option<Addr<A>>>>,
}

impl<A: Actor> Clone for Slot<A> {
    fn clone(&self) -> Self {
        Self {
            current: Arc::clone(&self.current),
        }
    }
}

impl<A: Actor> Default for Slot<A> {
    fn default() -> Self {
        Self {
            current: Arc::new(watch::Sender::new(None)),
        }
    }
}

impl<A: Actor> Slot<A> {
    /// The address, if there is a living incarnation.
    #[must_use]
    pub fn get(&self) -> Option<Addr<A>> {
        self.current.borrow().clone().filter(Addr::connected)
    }

    /// Puts a new incarnation in (or takes the old one out).
    pub fn set(&self, addr: Option<Addr<A>>) {
        self.current.send_replace(addr);
    }

    /// Tells the current incarnation; `false` when there is none.
    pub fn tell<M>(&self, message: M) -> bool
    where
        M: Message<Result = ()> + Send + 'static,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.get().is_some_and(|addr| tell(&addr, message))
    }
}

/// Sends without waiting; `false` (and a log line) when nobody is there any more. `Addr::do_send` alone would lose the
/// message in silence.
pub fn tell<A, M>(addr: &Addr<A>, message: M) -> bool
where
    M: Message<Result = ()> + Send + 'static,
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
{
    if !addr.connected() {
        tracing::debug!(message = std::any::type_name::<M>(), "a message found its actor gone");
        return false;
    }
    addr.do_send(message);
    true
}

/// Counts the messages that an actor was sent and has handled: the second is its heartbeat, the difference the depth
/// of its mailbox.
#[derive(Debug, Default)]
pub struct Pulse {
    sent: AtomicU64,
    handled: AtomicU64,
    beats: AtomicU64,
}

impl Pulse {
    /// A message is on its way.
    pub fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A counted message has been taken from the mailbox.
    pub fn handled(&self) {
        self.handled.fetch_add(1, Ordering::Relaxed);
        self.beat();
    }

    /// Progress of any other kind.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Stands still when the actor does.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Counted messages that wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        let waiting = self
            .sent
            .load(Ordering::Relaxed)
            .saturating_sub(self.handled.load(Ordering::Relaxed));
        usize::try_from(waiting).unwrap_or(usize::MAX)
    }
}

/// Names one child of the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildKey {
    /// What it is.
    pub kind: ActorKind,
    /// A serial, a username, or the kind's own name.
    pub name: Arc<str>,
}

/// A child has ended.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ChildExited {
    /// Which.
    pub key: ChildKey,
    /// Its incarnation: an older one than the current is old news.
    pub generation: Generation,
    /// Whether it was unwinding.
    pub panicked: bool,
}

/// Asks a child to show that it still takes messages from its mailbox.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Ping;

/// Asks an actor to end: it has been replaced, removed, or the farm is closing.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Terminate;

/// Held by a child as long as it lives; its drop tells the supervisor. That works while unwinding and from other
/// threads, which an actor's own `stopped` does not.
pub struct DeathWatch {
    /// Who is told.
    pub supervisor: Recipient<ChildExited>,
    /// Whose end it is.
    pub key: ChildKey,
    /// Of which incarnation.
    pub generation: Generation,
}

impl Drop for DeathWatch {
    fn drop(&mut self) {
        self.supervisor.do_send(ChildExited {
            key: self.key.clone(),
            generation: self.generation,
            panicked: std::thread::panicking(),
        });
    }
}
