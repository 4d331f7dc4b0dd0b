//! Places for what many phones do at once.

use tokio::sync::Semaphore;

/// Of a pool of places, the share beside it for those who took theirs in vain the last time.
const SLOW_SHARE: usize = 4;

/// Places for something that many phones do at once. Phones that did not answer the last time wait in a line of their
/// own, so that a farm full of dead ones does not hold up the living.
#[derive(Debug)]
pub(super) struct Places {
    usual: Semaphore,
    slow: Semaphore,
}

impl Places {
    pub(super) fn new(places: usize) -> Self {
        Self {
            usual: Semaphore::new(places.max(1)),
            slow: Semaphore::new((places / SLOW_SHARE).max(1)),
        }
    }

    /// The line for a phone; `slow`: it did not answer the last time.
    pub(super) fn line(&self, slow: bool) -> &Semaphore {
        if slow { &self.slow } else { &self.usual }
    }
}
