//! Webhooks of paper: one webhook with one dead message, and a target policy that knows one bad host.

use std::sync::Mutex;

use async_trait::async_trait;
use farmhand_actors::{
    domain::*,
    ports::{MessageSender, ResendResult, StoreError, WebhookStore},
};

use crate::http::testing::now;

/// Remembers what it was asked.
#[derive(Default)]
pub struct FakeWebhooks {
    pub asked: Mutex<Vec<String>>,
    pub off: Mutex<bool>,
}

pub fn webhook(new: NewWebhook) -> Webhook {
    Webhook {
        id: WebhookId(1),
        new,
        remark: None,
        waiting: 2,
        dead: 1,
    }
}

pub fn delivery(state: DeliveryState) -> Delivery {
    Delivery {
        id: DeliveryId(7),
        webhook: WebhookId(1),
        message_id: "evt_5_1".to_owned(),
        kind: "task.failed".to_owned(),
        body: r#"{"type":"task.failed"}"#.to_owned(),
        state,
        attempts: 3,
        last_status: Some(500),
        last_error: Some("answered 500".to_owned()),
        created_at: now(),
        sent_at: Some(now()),
        due_at: (state == DeliveryState::Waiting).then(now),
    }
}

impl FakeWebhooks {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn stored(&self) -> Webhook {
        webhook(NewWebhook {
            url: "https://example.com/hook".to_owned(),
            events: vec!["task".to_owned()],
            secret: "whsec_hidden".to_owned(),
            enabled: !*self.off.lock().unwrap(),
            description: "to the desk".to_owned(),
            created_at: now(),
        })
    }
}

#[async_trait]
impl WebhookStore for FakeWebhooks {
    async fn list_webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        Ok(vec![self.stored()])
    }
    async fn find_webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok((id.0 == 1).then(|| self.stored()))
    }
    async fn create_webhook(&self, new: NewWebhook) -> Result<Webhook, StoreError> {
        self.note(format!("create {new:?}"));
        Ok(webhook(new))
    }
    async fn patch_webhook(&self, id: WebhookId, patch: WebhookPatch) -> Result<Option<Webhook>, StoreError> {
        self.note(format!("patch {patch:?}"));
        self.find_webhook(id).await
    }
    async fn delete_webhook(&self, id: WebhookId) -> Result<bool, StoreError> {
        Ok(id.0 == 1)
    }
    async fn list_deliveries(
        &self,
        _: WebhookId,
        state: Option<DeliveryState>,
        limit: u32,
        offset: u64,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.note(format!("deliveries {state:?} {limit} {offset}"));
        Ok(DeliveryState::ALL.map(delivery).to_vec())
    }
    async fn make_test_message(&self, id: WebhookId, _: Timestamp) -> Result<Option<Delivery>, StoreError> {
        Ok((id.0 == 1).then(|| delivery(DeliveryState::Waiting)))
    }
    async fn resend(&self, _: WebhookId, id: DeliveryId, _: Timestamp) -> Result<ResendResult, StoreError> {
        Ok(match id.0 {
            7 => ResendResult::Waiting(delivery(DeliveryState::Waiting)),
            8 => ResendResult::WrongState(DeliveryState::Delivered),
            _ => ResendResult::NotFound,
        })
    }
    async fn fan_out(&self, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn due_deliveries(
        &self,
        _: WebhookId,
        _: Vec<DeliveryId>,
        _: u32,
        _: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        Ok(Vec::new())
    }
    async fn recall_deliveries(&self, _: Timestamp, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
    async fn next_delivery(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
    async fn note_sent(&self, _: Vec<SendResult>) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl MessageSender for FakeWebhooks {
    async fn check_target(&self, url: &str) -> Result<(), String> {
        if url.contains("127.0.0.1") {
            return Err("is not on the open internet".to_owned());
        }
        Ok(())
    }
    fn nudge(&self) {
        self.note("nudge".to_owned());
    }
}
