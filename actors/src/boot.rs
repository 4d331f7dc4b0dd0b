//! What a router begins with: a new epoch, the rescued attempts, the lanes that have tasks.

use crate::{
    domain::{BatchStart, Drain, Epoch, LONGEST_GAP, RescueVerdict, Timestamp, retry::Repetition},
    ports::{Lane, SharedStore, StoreError},
    settings::FarmSettings,
};

/// The beginning of a router.
#[derive(Debug, Clone)]
pub struct RouterBoot {
    /// What it writes for: attempts of former epochs can write no more.
    pub epoch: Epoch,
    /// Lanes with pending tasks, the rescued ones included.
    pub lanes: Vec<Lane>,
    /// Where no attempt begins.
    pub drains: Vec<Drain>,
    /// Starts that others of their batches keep a distance to.
    pub batch_starts: Vec<BatchStart>,
    /// What was repeated by itself before.
    pub repetitions: Vec<Repetition>,
}

/// Begins a new epoch, takes up what the former one left open, and finds the lanes.
///
/// # Errors
/// The store's.
pub async fn boot_router(
    store: &SharedStore,
    at: Timestamp,
    settings: &FarmSettings,
) -> Result<RouterBoot, StoreError> {
    let epoch = store.begin_epoch(at).await?;
    let rescued = store.rescue(epoch, settings.poison_limit, at).await?;
    let count = |verdict: fn(&RescueVerdict) -> bool| rescued.iter().filter(|one| verdict(&one.verdict)).count();
    if !rescued.is_empty() {
        tracing::info!(
            epoch = epoch.0,
            repeated = count(|verdict| *verdict == RescueVerdict::Repeat),
            verified = count(|verdict| *verdict == RescueVerdict::Verify),
            completed = count(|verdict| *verdict == RescueVerdict::Completed),
            failed = count(|verdict| matches!(verdict, RescueVerdict::Failed(_))),
            "took up the attempts that were cut off"
        );
    }
    let lanes = store.lanes().await?;
    let drains = store.drains().await?;
    let since = at.checked_sub(LONGEST_GAP).unwrap_or(Timestamp::MIN);
    Ok(RouterBoot {
        epoch,
        lanes,
        drains,
        batch_starts: store.batch_starts(since).await?,
        repetitions: store.repetitions().await?,
    })
}
