//! Rooms as the API's ports: each method hands on.

use std::sync::Arc;

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        Attempt, IdempotencyKey, Material, MaterialId, Screenshot, ScriptName, Task, TaskId, TaskStats, Timestamp,
        ValidConfig,
    },
    ports::{MediaError, StoreError, SubmitResult},
};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    flow::{
        FlowCatalog,
        bundle::{Bundle, BundleError},
        vision,
    },
    http::ports::{
        EventPage, HeldLease, KeyRecord, Library, NewUpload, PictureFormat, Pictures, Reads, SentFlow, SentFlowError,
        SentFlows, TaskFilter,
    },
    media::{self, MediaLibrary},
    store::{self, Store},
};

/// Quality of JPEG screenshots: text stays legible, a thumbnail stays below 20 kB.
const JPEG_QUALITY: u8 = 75;

/// The store's read functions.
pub struct StoreReads(pub Arc<Store>);

#[async_trait(?Send)]
impl Reads for StoreReads {
    async fn get_task(&self, task: TaskId) -> Result<Option<Task>, StoreError> {
        self.0.get_task(task).await
    }

    async fn list_tasks(&self, filter: &TaskFilter, page: u32, page_size: u32) -> Result<(u64, Vec<Task>), StoreError> {
        let filter = filter.clone();
        let filter = store::TaskFilter {
            status: filter.status,
            serial: filter.serial,
            username: filter.username,
            script_name: filter.script_name,
            source: filter.source,
            batch_id: filter.batch_id,
            failure_reason: filter.failure_reason,
        };
        self.0.list_tasks(&filter, page, page_size).await
    }

    async fn list_attempts(&self, task: TaskId) -> Result<Vec<Attempt>, StoreError> {
        self.0.list_attempts(task).await
    }

    async fn leases(&self) -> Result<Vec<HeldLease>, StoreError> {
        let holders = self.0.lease_holders().await?.into_iter();
        Ok(holders
            .map(|holder| HeldLease {
                serial: holder.serial,
                username: holder.username,
                task: holder.task,
                attempt: holder.number,
                // Before the first dash stands the farm's nonce.
                token: holder
                    .token
                    .split_once('-')
                    .map(|(_, number)| number.to_owned())
                    .unwrap_or_default(),
                since: holder.since,
            })
            .collect())
    }

    async fn stats(&self) -> Result<TaskStats, StoreError> {
        self.0.stats().await
    }

    async fn find_answer(&self, key: &IdempotencyKey, at: Timestamp) -> Result<Option<SubmitResult>, StoreError> {
        self.0.find_answer(key, at).await
    }

    async fn list_materials(&self) -> Result<Vec<Material>, StoreError> {
        self.0.list_materials().await
    }

    async fn events_after(&self, seq: i64, limit: u32) -> Result<EventPage, StoreError> {
        let page = self.0.events_after(seq, limit).await?;
        Ok(EventPage {
            events: page.events,
            oldest_retained: page.oldest_retained,
        })
    }

    fn event_watch(&self) -> watch::Receiver<i64> {
        self.0.event_watch()
    }

    async fn find_key(&self, prefix: &str) -> Result<Option<KeyRecord>, StoreError> {
        let found = self.0.find_key(prefix).await?;
        Ok(found.filter(|key| key.revoked_at.is_none()).map(|key| KeyRecord {
            prefix: key.key.prefix,
            hash: key.key.hash,
            scopes: key.key.scopes,
            expires_at: key.key.expires_at,
            last_used: key.last_used_at,
        }))
    }

    async fn touch_key(&self, prefix: &str, at: Timestamp) -> Result<(), StoreError> {
        match self.0.find_key(prefix).await? {
            Some(key) => self.0.touch_key(key.id, at).await,
            None => Ok(()),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}

/// The encoder of screenshots.
pub struct Encoder;

impl Pictures for Encoder {
    fn encode(&self, screenshot: &Screenshot, format: PictureFormat, width: Option<u32>) -> Result<Vec<u8>, String> {
        let encoded = match format {
            PictureFormat::Jpeg => vision::encode_jpeg(screenshot, width, JPEG_QUALITY),
            PictureFormat::Png => vision::encode_png(screenshot, width),
        };
        encoded.map_err(|error| error.to_string())
    }
}

/// The folder of flows that are sent by themselves.
pub struct Bundles(pub Arc<FlowCatalog>);

#[async_trait(?Send)]
impl SentFlows for Bundles {
    async fn keep(&self, flow: SentFlow, config: &Value) -> Result<(ScriptName, ValidConfig), SentFlowError> {
        let SentFlow { main, files, env } = flow;
        let kept = self.0.keep(Bundle { main, files, env }, config).await;
        kept.map_err(|error| match error {
            BundleError::Invalid(faults) => SentFlowError::Invalid(faults),
            host @ BundleError::Host { .. } => SentFlowError::Host(host.to_string()),
        })
    }
}

/// The material library.
pub struct Materials(pub Arc<MediaLibrary>);

#[async_trait(?Send)]
impl Library for Materials {
    async fn add(&self, upload: NewUpload) -> Result<Material, MediaError> {
        let upload = media::NewUpload {
            name: upload.name,
            file: upload.path,
            tags: upload.tags,
            username: upload.username,
            caption: upload.caption,
            sort_order: upload.sort_order,
        };
        self.0.add(upload).await
    }

    async fn delete(&self, id: MaterialId) -> Result<bool, MediaError> {
        self.0.delete(id).await
    }
}
