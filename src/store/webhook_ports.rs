//! Webhooks as the API and the sender see them.

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        Delivery, DeliveryId, DeliveryState, NewWebhook, SendResult, Timestamp, Webhook, WebhookId, WebhookPatch,
    },
    ports::{ResendResult, StoreError, WebhookStore},
};

use super::{Store, delivery, webhook};

#[async_trait]
impl WebhookStore for Store {
    async fn list_webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        Ok(webhook::list_webhooks(self.reader().await?.conn()?).await?)
    }

    async fn find_webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(webhook::find_webhook(self.reader().await?.conn()?, id).await?)
    }

    async fn create_webhook(&self, new: NewWebhook) -> Result<Webhook, StoreError> {
        self.write(new, webhook::create_webhook).await
    }

    async fn patch_webhook(&self, id: WebhookId, patch: WebhookPatch) -> Result<Option<Webhook>, StoreError> {
        self.write((id, patch), webhook::patch_webhook).await
    }

    async fn delete_webhook(&self, id: WebhookId) -> Result<bool, StoreError> {
        self.write(id, webhook::delete_webhook).await
    }

    async fn list_deliveries(
        &self,
        id: WebhookId,
        state: Option<DeliveryState>,
        limit: u32,
        offset: u64,
    ) -> Result<Vec<Delivery>, StoreError> {
        Ok(delivery::list_deliveries(self.reader().await?.conn()?, id, state, (limit, offset)).await?)
    }

    async fn make_test_message(&self, id: WebhookId, at: Timestamp) -> Result<Option<Delivery>, StoreError> {
        self.write((id, at), delivery::add_test).await
    }

    async fn resend(&self, id: WebhookId, delivery: DeliveryId, at: Timestamp) -> Result<ResendResult, StoreError> {
        self.write((id, delivery, at), delivery::resend).await
    }

    async fn fan_out(&self, at: Timestamp) -> Result<bool, StoreError> {
        self.write(at, delivery::fan_out).await
    }

    async fn due_deliveries(
        &self,
        id: WebhookId,
        under_way: Vec<DeliveryId>,
        limit: u32,
        at: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        Ok(delivery::list_due(self.reader().await?.conn()?, id, &under_way, limit, at).await?)
    }

    async fn recall_deliveries(&self, after: Timestamp, at: Timestamp) -> Result<(), StoreError> {
        self.write((after, at), delivery::recall).await
    }

    async fn next_delivery(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(delivery::next_due(self.reader().await?.conn()?).await?)
    }

    async fn note_sent(&self, results: Vec<SendResult>) -> Result<(), StoreError> {
        self.write(results, delivery::note_sent).await
    }
}
