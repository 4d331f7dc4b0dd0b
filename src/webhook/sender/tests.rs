//! Messages that nobody takes, while the wall clock is set.

use std::sync::Mutex;

use farmhand_actors::{
    domain::{DeliveryState, NewWebhook, WebhookPatch},
    ports::ResendResult,
    testing::ManualClock,
};
use jiff::SignedDuration;

use super::*;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const ID: WebhookId = WebhookId(1);

/// One webhook whose target may not be reached, and its messages.
struct Paper {
    messages: Mutex<Vec<Delivery>>,
}

impl Paper {
    fn message(&self) -> Delivery {
        self.messages.lock().unwrap()[0].clone()
    }
}

#[async_trait]
impl WebhookStore for Paper {
    async fn list_webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let new = NewWebhook {
            // Refused before anything is connected to.
            url: "http://127.0.0.1:9/".to_owned(),
            events: Vec::new(),
            secret: "whsec_".to_owned(),
            enabled: true,
            description: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        Ok(vec![Webhook {
            id: ID,
            new,
            remark: None,
            waiting: 1,
            dead: 0,
        }])
    }
    async fn find_webhook(&self, _: WebhookId) -> Result<Option<Webhook>, StoreError> {
        unreachable!("the sender lists them")
    }
    async fn create_webhook(&self, _: NewWebhook) -> Result<Webhook, StoreError> {
        unreachable!("the API does")
    }
    async fn patch_webhook(&self, _: WebhookId, _: WebhookPatch) -> Result<Option<Webhook>, StoreError> {
        unreachable!("the API does")
    }
    async fn delete_webhook(&self, _: WebhookId) -> Result<bool, StoreError> {
        unreachable!("the API does")
    }
    async fn list_deliveries(
        &self,
        _: WebhookId,
        _: Option<DeliveryState>,
        _: u32,
        _: u64,
    ) -> Result<Vec<Delivery>, StoreError> {
        unreachable!("the API does")
    }
    async fn make_test_message(&self, _: WebhookId, _: Timestamp) -> Result<Option<Delivery>, StoreError> {
        unreachable!("the API does")
    }
    async fn resend(&self, _: WebhookId, _: DeliveryId, _: Timestamp) -> Result<ResendResult, StoreError> {
        unreachable!("the API does")
    }
    async fn fan_out(&self, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn due_deliveries(
        &self,
        _: WebhookId,
        under_way: Vec<DeliveryId>,
        _: u32,
        at: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut due = self.messages.lock().unwrap().clone();
        due.retain(|one| one.due_at.is_some_and(|due| due <= at) && !under_way.contains(&one.id));
        Ok(due)
    }
    async fn recall_deliveries(&self, after: Timestamp, at: Timestamp) -> Result<(), StoreError> {
        for message in &mut *self.messages.lock().unwrap() {
            message.due_at = message.due_at.map(|due| if due > after { at } else { due });
        }
        Ok(())
    }
    async fn next_delivery(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.messages.lock().unwrap().iter().filter_map(|one| one.due_at).min())
    }
    async fn note_sent(&self, results: Vec<SendResult>) -> Result<(), StoreError> {
        let mut messages = self.messages.lock().unwrap();
        for result in results {
            let message = messages.iter_mut().find(|one| one.id == result.delivery).unwrap();
            message.attempts += 1;
            message.due_at = result.again_at;
            if result.again_at.is_none() {
                message.state = DeliveryState::Dead;
            }
        }
        Ok(())
    }
}

struct Sending {
    paper: Arc<Paper>,
    clock: Arc<ManualClock>,
    stop: CancellationToken,
    _events: watch::Sender<i64>,
}

impl Sending {
    /// A sender with a message that is due after `due`.
    fn start(due: SignedDuration) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_second(1_780_000_000).unwrap()));
        let now = clock.now().wall;
        let message = Delivery {
            id: DeliveryId(1),
            webhook: ID,
            message_id: "evt_1".to_owned(),
            kind: "task.failed".to_owned(),
            body: "{}".to_owned(),
            state: DeliveryState::Waiting,
            attempts: 0,
            last_status: None,
            last_error: None,
            created_at: now,
            sent_at: None,
            due_at: now.checked_add(due).ok(),
        };
        let paper = Arc::new(Paper {
            messages: Mutex::new(vec![message]),
        });
        let (told, events) = watch::channel(0);
        let outbound = Outbound::new(OutboundParts {
            store: paper.clone(),
            clock: clock.clone(),
            events,
            settings: WebhookSettings {
                allow: Vec::new(),
                timeout_s: 1,
                retry_s: vec![600],
                give_up_s: 86_400,
            },
            policy: TargetPolicy::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(outbound.run(stop.clone()));
        Self {
            paper,
            clock,
            stop,
            _events: told,
        }
    }

    /// Waits, 10 s at most, until the message was sent so many times.
    async fn sent(&self, attempts: u32) -> Delivery {
        for _ in 0..1000 {
            if self.paper.message().attempts == attempts {
                return self.paper.message();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not sent {attempts} times: {:?}", self.paper.message());
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_again_soon_after_the_clock_is_set_back_and_when_it_is_set_right() {
    let sending = Sending::start(SignedDuration::ZERO);
    sending.sent(1).await;

    sending.clock.jump(-HOUR * 24 * 365);
    let again = sending.sent(2).await;
    assert!(
        again.due_at < Some(sending.clock.now().wall + HOUR),
        "its pause is as ever"
    );

    sending.clock.jump(HOUR);
    sending.sent(3).await;
    sending.clock.jump(HOUR * 24 * 365 - HOUR);
    sending.sent(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_is_not_given_up_because_the_clock_was_set() {
    let sending = Sending::start(SignedDuration::ZERO);
    // A day of pauses of ten minutes.
    for attempts in 1..=120 {
        assert_eq!(sending.sent(attempts).await.state, DeliveryState::Waiting, "{attempts}");
        sending.clock.jump(HOUR * 24);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_wrong_clock_has_put_off_for_years_is_sent_at_the_next_start() {
    let sending = Sending::start(HOUR * 24 * 365);

    sending.sent(1).await;
}
