//! When a device that keeps failing is left alone, and for how long.

use std::{collections::VecDeque, time::Duration};

use crate::{domain::Blame, settings::QuarantineSettings};

/// Counts a device's own failures.
#[derive(Debug, Default)]
pub struct Quarantine {
    failures: VecDeque<Duration>,
    until: Option<Duration>,
    times: u32,
    /// After a rest, one more failure is enough.
    probation: bool,
    asked: bool,
    /// How many failures led to the last question.
    failed: usize,
}

impl Quarantine {
    /// An attempt ended; `blame` is `None` when it succeeded. Answers whether to ask for quarantine.
    pub fn on_attempt(&mut self, blame: Option<Blame>, rules: &QuarantineSettings, now: Duration) -> bool {
        match blame {
            None => {
                self.failures.clear();
                self.probation = false;
                self.times = 0;
            }
            Some(Blame::Device) => self.failures.push_back(now),
            Some(Blame::Task | Blame::App | Blame::Host) => {}
        }
        let window = Duration::from_secs(rules.window_s);
        while self.failures.front().is_some_and(|at| *at + window <= now) {
            self.failures.pop_front();
        }
        let enough = if self.probation { 1 } else { rules.failures.max(1) };
        let count = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
        let ask = count >= enough && !self.asked;
        if ask {
            self.failed = self.failures.len();
        }
        self.asked |= ask;
        ask
    }

    /// The supervisor's answer.
    pub fn on_answer(&mut self, granted: bool, rules: &QuarantineSettings, now: Duration) {
        self.asked = false;
        self.failures.clear();
        if granted {
            let rest = Duration::from_secs(rules.back_off_s)
                .saturating_mul(1u32.checked_shl(self.times).unwrap_or(u32::MAX))
                .min(Duration::from_secs(rules.max_back_off_s));
            self.times = self.times.saturating_add(1);
            self.until = Some(now + rest);
        }
    }

    /// Ends the rest when its time has come; answers whether it has just ended.
    pub fn on_wake(&mut self, now: Duration) -> bool {
        let over = self.until.is_some_and(|until| until <= now);
        if over {
            self.until = None;
            self.probation = true;
        }
        over
    }

    /// How many failures led to the rest.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// End of the rest, while it lasts.
    #[must_use]
    pub fn until(&self) -> Option<Duration> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: QuarantineSettings = QuarantineSettings {
        failures: 3,
        window_s: 600,
        back_off_s: 60,
        max_back_off_s: 200,
        max_share: 0.3,
    };

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_the_devices_own_failures_within_the_window_count() {
        let mut quarantine = Quarantine::default();
        for blame in [Blame::Task, Blame::App, Blame::Host] {
            for at in 0..10 {
                assert!(!quarantine.on_attempt(Some(blame), &RULES, s(at)));
            }
        }
        assert!(!quarantine.on_attempt(Some(Blame::Device), &RULES, s(10)));
        assert!(!quarantine.on_attempt(Some(Blame::Device), &RULES, s(20)));
        assert!(
            !quarantine.on_attempt(Some(Blame::Device), &RULES, s(615)),
            "the first is out of the window"
        );
        assert!(quarantine.on_attempt(Some(Blame::Device), &RULES, s(616)));
    }

    #[test]
    fn rests_double_up_to_the_longest_and_probation_forgives_nothing() {
        let mut quarantine = Quarantine::default();
        let mut now = s(0);
        for _ in 0..2 {
            assert!(!quarantine.on_attempt(Some(Blame::Device), &RULES, now));
        }
        for rest in [60, 120, 200, 200] {
            assert!(quarantine.on_attempt(Some(Blame::Device), &RULES, now));
            quarantine.on_answer(true, &RULES, now);
            assert_eq!(quarantine.until(), Some(now + s(rest)));
            now += s(rest);
            assert!(quarantine.on_wake(now));
        }
    }

    #[test]
    fn a_success_ends_probation_and_a_refusal_starts_counting_anew() {
        let mut quarantine = Quarantine::default();
        for _ in 0..3 {
            quarantine.on_attempt(Some(Blame::Device), &RULES, s(0));
        }
        quarantine.on_answer(false, &RULES, s(0));
        assert_eq!(quarantine.until(), None);
        assert!(!quarantine.on_attempt(Some(Blame::Device), &RULES, s(1)));
        quarantine.on_attempt(None, &RULES, s(2));
        assert!(!quarantine.on_attempt(Some(Blame::Device), &RULES, s(3)));
        assert!(!quarantine.on_attempt(Some(Blame::Device), &RULES, s(4)));
    }
}
