//! Flows that were sent by themselves are forgotten when the last of their tasks is.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{flow::FlowCatalog, store::Store};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(60);

/// Prunes from time to time, until `stop`.
pub async fn prune(catalog: Arc<FlowCatalog>, store: Arc<Store>, stop: CancellationToken) {
    loop {
        prune_once(&catalog, &store).await;
        if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}

async fn prune_once(catalog: &Arc<FlowCatalog>, store: &Store) {
    let in_use: HashSet<_> = match store.list_sent_scripts().await {
        Ok(names) => names.into_iter().collect(),
        Err(error) => return tracing::warn!(%error, "flows that were sent by themselves are not pruned"),
    };
    let catalog = Arc::clone(catalog);
    match tokio::task::spawn_blocking(move || catalog.prune_bundles(&in_use)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(forgotten)) => tracing::info!(forgotten, "flows that no task runs any more are forgotten"),
        Ok(Err(error)) => tracing::warn!(%error, "flows that were sent by themselves are not pruned"),
        Err(error) => tracing::error!(%error, "flows that were sent by themselves are not pruned"),
    }
}
