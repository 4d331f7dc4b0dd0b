//! How long the writer waits for company: a sync of the disk costs the same for one change and for a thousand, so when
//! many are asked for all the time, the next transaction begins when about as many are there as were in the last one.

use std::time::Duration;

/// Changes in one transaction from which on it is worth waiting for others: fewer come from somebody who waits alone.
const CROWD: usize = 16;

/// Bounds of the wait. Timers are no finer than a millisecond.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(8);

/// What the last transaction was like.
#[derive(Debug, Default)]
pub(super) struct Pace {
    changes: usize,
    took: Duration,
}

impl Pace {
    /// A transaction of so many changes took so long.
    pub(super) fn note(&mut self, changes: usize, took: Duration) {
        (self.changes, self.took) = (changes, took);
    }

    /// How many changes to wait for, and for how long at most: as long as the last transaction took. `None`: for nobody.
    pub(super) fn company(&self) -> Option<(usize, Duration)> {
        (self.changes >= CROWD).then(|| (self.changes, self.took.clamp(SHORTEST, LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_alone_waits_for_nobody_and_a_crowd_waits_as_long_as_its_last_transaction_took() {
        let ms = Duration::from_millis;
        let mut pace = Pace::default();
        assert_eq!(pace.company(), None);
        for (changes, took, company) in [
            (1, ms(5), None),
            (CROWD - 1, ms(5), None),
            (CROWD, ms(5), Some((CROWD, ms(5)))),
            (500, ms(90), Some((500, LONGEST))),
            (500, Duration::ZERO, Some((500, SHORTEST))),
            (2, ms(5), None),
        ] {
            pace.note(changes, took);
            assert_eq!(pace.company(), company, "{changes} in {took:?}");
        }
    }
}
