//! Leaves a phone alone for a while after it failed several times in a row, so that its deadlines do not hold up the
//! farm. Pure: time and chance are given.

use std::time::Duration;

/// When to rest, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct BreakerPolicy {
    /// Failures in a row before the first rest.
    pub(super) failures: u32,
    /// The first rest; it doubles with each failed probe.
    pub(super) rest: Duration,
    /// The longest rest.
    pub(super) rest_max: Duration,
}

/// The state for one phone. Times are durations since a fixed instant.
#[derive(Debug)]
pub(super) struct Breaker {
    policy: BreakerPolicy,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration, rests: u32 },
    Probing { rests: u32 },
}

impl Breaker {
    pub(super) fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            state: State::Closed { failures: 0 },
        }
    }

    /// Whether a call may begin; otherwise how long the phone still rests. After a rest one call may: the probe.
    pub(super) fn admit(&mut self, now: Duration) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until, rests } if until <= now => {
                self.state = State::Probing { rests };
                Ok(())
            }
            State::Open { until, .. } => Err(until.saturating_sub(now)),
            State::Probing { .. } => Err(self.policy.rest),
        }
    }

    /// A call got its answer.
    pub(super) fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A call failed for the phone's fault. `chance` in 0..1 spreads the ends of rests. Tells whether a rest begins.
    pub(super) fn failed(&mut self, now: Duration, chance: f64) -> Option<Duration> {
        let rests = match self.state {
            State::Closed { failures } if failures.saturating_add(1) < self.policy.failures => {
                self.state = State::Closed {
                    failures: failures.saturating_add(1),
                };
                return None;
            }
            State::Closed { .. } => 0,
            // A call from before the rest: the rest is already decided.
            State::Open { .. } => return None,
            State::Probing { rests } => rests.saturating_add(1),
        };
        let rest = back_off(self.policy.rest, self.policy.rest_max, rests, chance);
        self.state = State::Open {
            until: now.saturating_add(rest),
            rests,
        };
        Some(rest)
    }

    /// A call ended without telling anything of the phone (cancelled, the server away): the next may probe.
    pub(super) fn told_nothing(&mut self, now: Duration) {
        if let State::Probing { rests } = self.state {
            self.state = State::Open { until: now, rests };
        }
    }
}

/// `first` doubled `times` times, at most `max`; then shortened by up to half by chance, so that many phones that
/// failed together do not come back together.
pub(super) fn back_off(first: Duration, max: Duration, times: u32, chance: f64) -> Duration {
    let doubled = first.saturating_mul(2u32.saturating_pow(times)).min(max);
    doubled.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        rest: Duration::from_secs(1),
        rest_max: Duration::from_secs(5),
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let mut breaker = Breaker::new(POLICY);

        for _ in 0..10 {
            assert_eq!(breaker.failed(at(0), 0.0), None);
            assert_eq!(breaker.failed(at(0), 0.0), None);
            breaker.succeeded();
        }
        assert_eq!(breaker.failed(at(0), 0.0), None);
        assert_eq!(breaker.failed(at(0), 0.0), None);
        assert_eq!(breaker.admit(at(0)), Ok(()));
        assert_eq!(breaker.failed(at(0), 0.0), Some(at(1)));
        assert_eq!(
            breaker.admit(Duration::from_millis(400)),
            Err(Duration::from_millis(600))
        );
    }

    #[test]
    fn after_the_rest_one_call_probes_and_decides() {
        let mut breaker = opened();

        assert_eq!(breaker.admit(at(1)), Ok(()));
        assert!(breaker.admit(at(1)).is_err());
        breaker.succeeded();
        assert_eq!(breaker.admit(at(1)), Ok(()));
        assert_eq!(breaker.admit(at(1)), Ok(()));
    }

    #[test]
    fn rests_double_to_their_cap() {
        let mut breaker = opened();
        let mut now = at(1);
        let mut rests = Vec::new();

        for _ in 0..5 {
            assert_eq!(breaker.admit(now), Ok(()));
            let rest = breaker.failed(now, 0.0).unwrap();
            rests.push(rest.as_secs());
            now += rest;
        }

        assert_eq!(rests, [2, 4, 5, 5, 5]);
    }

    #[test]
    fn a_cancelled_probe_leaves_the_next_call_to_probe() {
        let mut breaker = opened();

        assert_eq!(breaker.admit(at(1)), Ok(()));
        breaker.told_nothing(at(1));

        assert_eq!(breaker.admit(at(1)), Ok(()));
        assert!(breaker.admit(at(1)).is_err());
    }

    #[test]
    fn chance_shortens_a_rest_by_half_at_most() {
        for chance in [0.0, 0.3, 1.0, 7.0] {
            let rest = back_off(at(1), at(60), 3, chance);
            assert!((at(4)..=at(8)).contains(&rest), "{rest:?}");
        }
        assert_eq!(back_off(at(1), at(60), u32::MAX, 0.0), at(60));
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(POLICY);
        for _ in 0..3 {
            breaker.failed(at(0), 0.0);
        }
        assert!(breaker.admit(at(0)).is_err());
        breaker
    }
}
