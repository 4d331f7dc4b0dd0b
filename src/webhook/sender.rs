//! Who sends the messages: a loop beside the farm that nobody waits for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{DELIVERY_LIFE, Delivery, DeliveryId, Now, SendResult, Timestamp, Webhook, WebhookId, next_pause},
    ports::{Clock, MessageSender, StoreError, WebhookStore},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{WebhookSettings, client::Client, sign::signature, target::TargetPolicy};

/// Messages being sent at the same time: each holds a thread until its target answers or its deadline is over.
const SENDS: usize = 16;

/// Of these to one webhook: a slow target leaves room for the others.
const SENDS_EACH: usize = 4;

/// Events of this time become messages together.
const LINGER: Duration = Duration::from_millis(50);

/// Between two looks at what is due, at least and at most; while something waits no longer than that, as the wall clock
/// may be set over its time or away from it.
const SHORTEST_NAP: Duration = Duration::from_millis(200);
const WAITING_NAP: Duration = Duration::from_secs(5);
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// A wall clock that falls behind the monotonic one by more than this was set back.
const SET_BACK: Duration = Duration::from_millis(500);

/// Pause after the store could not be asked.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The status by which a target says that it is gone for good (RFC 9110, section 15.5.11).
const GONE: u16 = 410;

/// What the sender is made of.
pub struct OutboundParts {
    /// Webhooks and messages.
    pub store: Arc<dyn WebhookStore>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The number of the newest event, as it grows.
    pub events: watch::Receiver<i64>,
    /// The settings.
    pub settings: WebhookSettings,
    /// Where messages may go.
    pub policy: TargetPolicy,
}

/// Sends messages to webhooks.
pub struct Outbound {
    parts: OutboundParts,
    client: Arc<Client>,
    pauses: Vec<Duration>,
    life: Duration,
    nudged: Notify,
}

/// What is being sent.
#[derive(Default)]
struct UnderWay {
    sends: JoinSet<SendResult>,
    messages: HashMap<DeliveryId, WebhookId>,
    /// The clocks at the latest look at what is due.
    last: Option<Now>,
}

impl Outbound {
    /// A sender that does nothing before [`Self::run`].
    #[must_use]
    pub fn new(parts: OutboundParts) -> Arc<Self> {
        let settings = &parts.settings;
        let timeout = Duration::from_secs(settings.timeout_s.max(1));
        let client = Arc::new(Client::new(parts.policy.clone(), timeout));
        let pauses = settings.retry_s.iter().copied().map(Duration::from_secs).collect();
        let life = Duration::from_secs(settings.give_up_s).min(DELIVERY_LIFE);
        Arc::new(Self {
            parts,
            client,
            pauses,
            life,
            nudged: Notify::new(),
        })
    }

    /// Sends until `stop`; what is being sent then is sent again after the next start.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let sending = async {
            let mut events = self.parts.events.clone();
            let mut under_way = UnderWay::default();
            loop {
                if let Err(error) = self.turn(&mut events, &mut under_way).await {
                    tracing::warn!(%error, "messages to webhooks wait for the database");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        };
        stop.run_until_cancelled(sending).await;
    }

    /// Makes messages, starts what is due, waits until something happens.
    async fn turn(&self, events: &mut watch::Receiver<i64>, under_way: &mut UnderWay) -> Result<(), StoreError> {
        events.borrow_and_update();
        self.notice_clock(&mut under_way.last).await?;
        let mut webhooks = self.parts.store.list_webhooks().await?;
        webhooks.retain(|webhook| webhook.new.enabled);
        let more = !webhooks.is_empty() && self.parts.store.fan_out(self.now()).await?;
        self.start_due(&webhooks, under_way).await?;
        let nap = if more { LINGER } else { self.nap(&webhooks).await? };
        tokio::select! {
            () = self.nudged.notified() => {}
            Ok(()) = events.changed(), if !webhooks.is_empty() => tokio::time::sleep(LINGER).await,
            Some(ended) = under_way.sends.join_next() => self.note(ended, under_way).await?,
            () = tokio::time::sleep(nap) => {}
        }
        Ok(())
    }

    /// After the clock was set back, what waits would wait for so much longer: it is due now.
    async fn notice_clock(&self, last: &mut Option<Now>) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let too_late = match *last {
            Some(last) if was_set_back(last, now) => Some(now.wall),
            Some(_) => None,
            // While nobody looked: no pause is as long as a message lives.
            None => now.wall.checked_add(self.life).ok(),
        };
        if let Some(too_late) = too_late {
            self.parts.store.recall_deliveries(too_late, now.wall).await?;
        }
        *last = Some(now);
        Ok(())
    }

    async fn nap(&self, webhooks: &[Webhook]) -> Result<Duration, StoreError> {
        if webhooks.is_empty() {
            return Ok(LONGEST_NAP);
        }
        let due = self.parts.store.next_delivery().await?;
        let wait = due.map(|due| Duration::try_from(due.duration_since(self.now())).unwrap_or_default());
        Ok(wait.map_or(LONGEST_NAP, |wait| wait.clamp(SHORTEST_NAP, WAITING_NAP)))
    }

    async fn start_due(&self, webhooks: &[Webhook], under_way: &mut UnderWay) -> Result<(), StoreError> {
        // Those with the fewest sends first: when there is not room for all, nobody is passed over for ever.
        let mut queue: Vec<(usize, &Webhook)> = webhooks
            .iter()
            .map(|webhook| (under_way.of(webhook.id).len(), webhook))
            .collect();
        queue.sort_by_key(|(sends, _)| *sends);
        for (sends, webhook) in queue {
            let room = SENDS_EACH
                .saturating_sub(sends)
                .min(SENDS.saturating_sub(under_way.messages.len()));
            if room == 0 {
                continue;
            }
            let limit = u32::try_from(room).unwrap_or(0);
            let due = self
                .parts
                .store
                .due_deliveries(webhook.id, under_way.of(webhook.id), limit, self.now());
            for delivery in due.await? {
                under_way.messages.insert(delivery.id, webhook.id);
                under_way.sends.spawn(self.send(webhook, delivery));
            }
        }
        Ok(())
    }

    /// Sends one message; its result is to be written.
    fn send(&self, webhook: &Webhook, delivery: Delivery) -> impl Future<Output = SendResult> + Send + 'static {
        let (url, secret) = (webhook.new.url.clone(), webhook.new.secret.clone());
        let (client, clock) = (Arc::clone(&self.client), Arc::clone(&self.parts.clock));
        let (pauses, life, webhook) = (self.pauses.clone(), self.life, webhook.id);
        async move {
            let Delivery {
                id, message_id, body, ..
            } = delivery;
            let timestamp = clock.now().wall.as_second();
            let target = url.clone();
            let sent = tokio::task::spawn_blocking(move || {
                let signature = signature(&secret, &message_id, timestamp, &body).unwrap_or_default();
                let timestamp = timestamp.to_string();
                let headers = [
                    ("webhook-id", message_id.as_str()),
                    ("webhook-timestamp", timestamp.as_str()),
                    ("webhook-signature", signature.as_str()),
                ];
                let said = client.send(&target, &headers, &body);
                (said.status, said.error)
            });
            let (status, error) = sent.await.unwrap_or_else(|panicked| (None, Some(panicked.to_string())));
            let at = clock.now().wall;
            let age = Duration::try_from(at.duration_since(delivery.created_at)).unwrap_or_default();
            let pause = next_pause(&pauses, delivery.attempts + 1, age, life, rand::random());
            let again_at = pause.and_then(|pause| at.checked_add(pause).ok());
            let gone = (status == Some(GONE)).then(|| "its target answered 410 Gone".to_owned());
            SendResult {
                delivery: id,
                webhook,
                url,
                status,
                again_at: again_at.filter(|_| error.is_some()),
                error,
                gone,
                at,
            }
        }
    }

    /// Writes all that has ended by now.
    async fn note(
        &self,
        first: Result<SendResult, tokio::task::JoinError>,
        under_way: &mut UnderWay,
    ) -> Result<(), StoreError> {
        let mut ended = vec![first];
        while let Some(next) = under_way.sends.try_join_next() {
            ended.push(next);
        }
        let results: Vec<SendResult> = ended.into_iter().filter_map(Result::ok).collect();
        for result in &results {
            under_way.messages.remove(&result.delivery);
            let (webhook, delivery) = (result.webhook.0, result.delivery.0);
            match (&result.error, result.again_at, &result.gone) {
                (Some(error), _, Some(_)) => {
                    tracing::warn!(webhook.id = webhook, delivery.id = delivery, %error, "a target is gone for good");
                }
                (Some(error), None, None) => {
                    tracing::warn!(webhook.id = webhook, delivery.id = delivery, %error, "a message is given up");
                }
                _ => {}
            }
        }
        // Not written, it is sent once more: a target tells repeats by the message's id.
        self.parts.store.note_sent(results).await
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now().wall
    }
}

fn was_set_back(last: Now, now: Now) -> bool {
    let expected = last.wall.checked_add(now.mono.saturating_sub(last.mono));
    let behind = expected.unwrap_or(now.wall).duration_since(now.wall);
    Duration::try_from(behind).is_ok_and(|behind| behind > SET_BACK)
}

impl UnderWay {
    fn of(&self, webhook: WebhookId) -> Vec<DeliveryId> {
        let mine = self.messages.iter().filter(|(_, of)| **of == webhook);
        mine.map(|(id, _)| *id).collect()
    }
}

#[async_trait]
impl MessageSender for Outbound {
    async fn check_target(&self, url: &str) -> Result<(), String> {
        self.parts.policy.check(url).await
    }

    fn nudge(&self) {
        self.nudged.notify_one();
    }
}

#[cfg(test)]
mod tests;
