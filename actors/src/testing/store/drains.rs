//! Drains, in memory.

use super::MemoryStore;
use crate::{
    domain::{Drain, Serial, Timestamp},
    ports::StoreError,
};

impl MemoryStore {
    pub(super) async fn write_drain(
        &self,
        serial: Option<Serial>,
        draining: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.enter().await?;
        let drains = &mut self.lock().drains;
        let known = drains.iter().position(|drain| drain.serial == serial);
        match (known, draining) {
            (None, true) => drains.push(Drain { serial, since: at }),
            (Some(place), false) => drop(drains.remove(place)),
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn read_drains(&self) -> Result<Vec<Drain>, StoreError> {
        self.enter().await?;
        Ok(self.lock().drains.clone())
    }
}
