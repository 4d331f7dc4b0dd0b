//! Starts of batches that keep a gap, in memory.

use std::collections::BTreeMap;

use super::MemoryStore;
use crate::{
    domain::{BatchStart, TaskId, Timestamp},
    ports::StoreError,
};

impl MemoryStore {
    pub(super) async fn read_batch_starts(&self, since: Timestamp) -> Result<Vec<BatchStart>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        let mut starts: BTreeMap<_, Vec<(Timestamp, TaskId)>> = BTreeMap::new();
        for row in tables.tasks.values().filter(|row| row.task.request.gap.is_some()) {
            let request = &row.task.request;
            if let (Some(serial), Some(at)) = (&request.serial, row.task.started_at.filter(|at| *at >= since)) {
                let of_batch = starts.entry((&request.batch_id, serial)).or_default();
                of_batch.push((at, row.task.id));
            }
        }
        let newest = starts.into_iter().flat_map(|((batch_id, serial), mut starts)| {
            starts.sort_unstable_by(|one, other| other.cmp(one));
            starts.into_iter().take(2).map(move |(at, task)| BatchStart {
                batch_id: batch_id.clone(),
                serial: serial.clone(),
                task,
                at,
            })
        });
        Ok(newest.collect())
    }
}
