//! Starts of batches that keep a gap, in memory.

use std::collections::BTreeMap;

use super::MemoryStore;
use crate::{
    domain::{BatchStart, Timestamp},
    ports::StoreError,
};

impl MemoryStore {
    pub(super) async fn read_batch_starts(&self, since: Timestamp) -> Result<Vec<BatchStart>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        let mut newest: BTreeMap<_, Timestamp> = BTreeMap::new();
        for row in tables.tasks.values().filter(|row| row.task.request.gap.is_some()) {
            let request = &row.task.request;
            if let (Some(serial), Some(at)) = (&request.serial, row.task.started_at.filter(|at| *at >= since)) {
                let start = newest.entry((&request.batch_id, serial)).or_insert(at);
                *start = at.max(*start);
            }
        }
        let starts = newest.into_iter().map(|((batch_id, serial), at)| BatchStart {
            batch_id: batch_id.clone(),
            serial: serial.clone(),
            at,
        });
        Ok(starts.collect())
    }
}
