//! Webhooks and the messages to them, as ports.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    Delivery, DeliveryId, DeliveryState, NewWebhook, SendResult, Timestamp, Webhook, WebhookId, WebhookPatch,
};

/// What a call on one message did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResendResult {
    /// It waits to be sent.
    Waiting(Delivery),
    /// The webhook has no such message.
    NotFound,
    /// Only a dead one can be sent again; where it is.
    WrongState(DeliveryState),
}

/// Webhooks, written by the API, and their messages, written by the sender. Whatever a call answers with `Ok` is durable.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// All, by number.
    async fn list_webhooks(&self) -> Result<Vec<Webhook>, StoreError>;

    /// One.
    async fn find_webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// Stores one; it is told of what happens from then on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there are as many as there may be.
    async fn create_webhook(&self, webhook: NewWebhook) -> Result<Webhook, StoreError>;

    /// Changes one; `None` when there is no such one. Switched on again, it is told of what happens from then on.
    async fn patch_webhook(&self, id: WebhookId, patch: WebhookPatch) -> Result<Option<Webhook>, StoreError>;

    /// Deletes one with its messages; `false` when there is none.
    async fn delete_webhook(&self, id: WebhookId) -> Result<bool, StoreError>;

    /// Its messages, newest first, without the first `offset` of them.
    async fn list_deliveries(
        &self,
        id: WebhookId,
        state: Option<DeliveryState>,
        limit: u32,
        offset: u64,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Makes a message that tells of nothing, to be sent at once also to a webhook that is switched off; `None` when
    /// there is no such webhook.
    async fn make_test_message(&self, id: WebhookId, at: Timestamp) -> Result<Option<Delivery>, StoreError>;

    /// A dead message waits again, as if it were new.
    async fn resend(&self, id: WebhookId, delivery: DeliveryId, at: Timestamp) -> Result<ResendResult, StoreError>;

    /// Makes messages of the events that webhooks have not been told of yet, some at a time; `true` when there are
    /// more.
    async fn fan_out(&self, at: Timestamp) -> Result<bool, StoreError>;

    /// Messages of one webhook that are due, those first that have waited longest, without those `under_way`.
    async fn due_deliveries(
        &self,
        id: WebhookId,
        under_way: Vec<DeliveryId>,
        limit: u32,
        at: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Messages that wait for an instant later than `after` are due at `at`: the clock was set back since they were sent.
    async fn recall_deliveries(&self, after: Timestamp, at: Timestamp) -> Result<(), StoreError>;

    /// When the next message falls due.
    async fn next_delivery(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Writes what became of sendings.
    async fn note_sent(&self, results: Vec<SendResult>) -> Result<(), StoreError>;
}

/// The one who sends the messages.
#[async_trait]
pub trait MessageSender: Send + Sync {
    /// Whether messages may be sent to this URL: its form, and every address that its host stands for.
    ///
    /// # Errors
    /// Why not, for the one who gave it.
    async fn check_target(&self, url: &str) -> Result<(), String>;

    /// Something may have to be sent now.
    fn nudge(&self);
}
