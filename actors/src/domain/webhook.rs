//! Webhooks: who is told of events at an address of their own, and what became of each message.

use std::time::Duration;

use super::{EventTopic, Timestamp};

/// The kinds of events that farmhand tells, in the order of a thing's life.
pub const EVENT_KINDS: [&str; 28] = [
    "task.created",
    "task.started",
    "task.released",
    "task.retrying",
    "task.retried",
    "task.stop_requested",
    "task.completed",
    "task.failed",
    "task.deleted",
    "device.online",
    "device.busy",
    "device.offline",
    "device.unauthorized",
    "device.quarantined",
    "device.disabled",
    "device.changed",
    "account.created",
    "account.active",
    "account.cooldown",
    "account.needs_attention",
    "account.disabled",
    "account.changed",
    "account.deleted",
    "supervisor.restarting",
    "supervisor.restarted",
    "supervisor.quarantined",
    "supervisor.alarm",
    "supervisor.changed",
];

/// For how long a message is tried again before it counts as dead; the outbox keeps what is not on its way yet for as
/// long.
pub const DELIVERY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Number of a webhook; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebhookId(pub i64);

/// Number of a message to a webhook; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

impl std::fmt::Display for WebhookId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A webhook to be stored.
#[derive(Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Where messages go.
    pub url: String,
    /// Kinds of events, or topics (`task` for all that begin with `task.`); empty: all.
    pub events: Vec<String>,
    /// `whsec_` and the base64 of the key that signs.
    pub secret: String,
    /// Whether messages are sent.
    pub enabled: bool,
    /// A person's words.
    pub description: String,
    /// When.
    pub created_at: Timestamp,
}

/// Its secret is left out: what is printed ends in logs.
impl std::fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewWebhook")
            .field("url", &self.url)
            .field("events", &self.events)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// A webhook as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its number.
    pub id: WebhookId,
    /// What was asked for.
    pub new: NewWebhook,
    /// Why farmhand itself has switched it off.
    pub remark: Option<String>,
    /// Messages on their way.
    pub waiting: u64,
    /// Messages that were given up.
    pub dead: u64,
}

/// What to change of a webhook; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookPatch {
    /// See [`NewWebhook::url`].
    pub url: Option<String>,
    /// See [`NewWebhook::events`].
    pub events: Option<Vec<String>>,
    /// See [`NewWebhook::secret`].
    pub secret: Option<String>,
    /// See [`NewWebhook::enabled`]. While it is off, events are passed over.
    pub enabled: Option<bool>,
    /// See [`NewWebhook::description`].
    pub description: Option<String>,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be sent, or to be sent again.
    Waiting,
    /// Taken by the target.
    Delivered,
    /// Given up.
    Dead,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Dead];

    /// The word used in the API and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// The state named by `word`, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A message to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// The header `webhook-id`: the same each time that it is sent, so that a target can tell repeats.
    pub message_id: String,
    /// The kind of its event.
    pub kind: String,
    /// The JSON that is sent.
    pub body: String,
    /// Where it is.
    pub state: DeliveryState,
    /// How many times it was sent.
    pub attempts: u32,
    /// What the target answered last, if it answered.
    pub last_status: Option<u16>,
    /// Why it was not taken the last time.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was sent last.
    pub sent_at: Option<Timestamp>,
    /// When it is sent next.
    pub due_at: Option<Timestamp>,
}

/// What became of one sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendResult {
    /// The message.
    pub delivery: DeliveryId,
    /// Its webhook.
    pub webhook: WebhookId,
    /// Where it was sent.
    pub url: String,
    /// What the target answered, if it answered.
    pub status: Option<u16>,
    /// Why it was not taken.
    pub error: Option<String>,
    /// When it is sent again; `None`: it was taken, or it is given up.
    pub again_at: Option<Timestamp>,
    /// The target says that it is gone for good: a webhook that still names it is switched off for this reason, and the
    /// message is given up.
    pub gone: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Whether a webhook that names these kinds and topics is told of an event.
#[must_use]
pub fn is_told(events: &[String], topic: EventTopic, kind: &str) -> bool {
    events.is_empty() || events.iter().any(|word| word == kind || word == topic.as_str())
}

/// The pause before a message is sent again: the `attempts`-th of `pauses` (the last one repeats), a fifth shorter or
/// longer by `dice` (`0.0..1.0`), so that messages that failed together do not come back together. `None` when the
/// message, made `age` ago, would be older than `life` then; it is no older than all its pauses so far, as the clock that
/// tells its age may have been set forth.
#[must_use]
pub fn next_pause(pauses: &[Duration], attempts: u32, age: Duration, life: Duration, dice: f64) -> Option<Duration> {
    let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let pause = pauses.get(place).or(pauses.last()).copied()?;
    let pause = pause.mul_f64(0.8 + 0.4 * dice.clamp(0.0, 1.0));
    let age = age.min(pauses_before(pauses, attempts));
    (age.saturating_add(pause) < life).then_some(pause)
}

/// How long the pauses before the `attempts`-th take together.
fn pauses_before(pauses: &[Duration], attempts: u32) -> Duration {
    let before = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let growing: Duration = pauses.iter().take(before).sum();
    let repeated = u32::try_from(before.saturating_sub(pauses.len())).unwrap_or(u32::MAX);
    let last = pauses.last().copied().unwrap_or_default();
    growing.saturating_add(last.saturating_mul(repeated))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_webhook_is_told_of_the_kinds_and_topics_that_it_names_or_of_all() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (events, told) in [
            (words(&[]), true),
            (words(&["task.failed"]), true),
            (words(&["task"]), true),
            (words(&["task.completed", "device"]), false),
        ] {
            assert_eq!(is_told(&events, EventTopic::Task, "task.failed"), told, "{events:?}");
        }
    }

    #[test]
    fn pauses_grow_repeat_the_last_and_end_with_the_messages_life() {
        let pauses = [5 * S, 60 * S];
        let next = |attempts, age| next_pause(&pauses, attempts, age, 1_000 * S, 0.5);

        assert_eq!(next(1, S), Some(5 * S));
        assert_eq!(next(2, S), Some(60 * S));
        assert_eq!(next(30, 900 * S), Some(60 * S));
        assert_eq!(next(30, 940 * S), None);
        // A clock that was set: what was not tried for a life's pauses is not over, nor is what was tried often at once.
        assert_eq!(next(2, 100_000 * S), Some(60 * S));
        assert_eq!(next(16, 100_000 * S), Some(60 * S));
        assert_eq!(next(18, 100_000 * S), None);
        assert_eq!(next(1_000_000, S), Some(60 * S));
        assert_eq!(next_pause(&pauses, 2, S, 1_000 * S, 0.0), Some(48 * S));
        assert_eq!(next_pause(&pauses, 2, S, 1_000 * S, 1.0), Some(72 * S));
        assert_eq!(next_pause(&[], 1, S, 1_000 * S, 0.5), None);
    }
}
