//! How often an account may act: pure counting over its confirmed uses.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{ScriptLimit, ScriptName, Timestamp, schedule::day_bounds};

/// The window of `per_hour`.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Uses older than this count towards nothing: the longest day of any zone has 25 hours, and one more for safety.
pub const USES_KEPT: Duration = Duration::from_secs(26 * 60 * 60);

/// Why something cannot start now, and when that may have changed (`None`: only when somebody does something).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotNow {
    /// For people, without the account's name.
    pub reason: String,
    /// When to look again.
    pub until: Option<Timestamp>,
}

/// Confirmed uses of one account, by script.
#[derive(Debug, Clone, Default)]
pub struct UseLog {
    uses: BTreeMap<ScriptName, VecDeque<Timestamp>>,
    /// Uses that a clock which was set back has left in the future, as they are stored; they count as of the moment when
    /// that was seen.
    ahead: BTreeSet<(ScriptName, Timestamp)>,
}

impl UseLog {
    /// Adds a use unless it is known already.
    pub fn merge(&mut self, script: &ScriptName, at: Timestamp) {
        let known = self.uses.get(script);
        if self.ahead.contains(&(script.clone(), stored(at))) {
            return;
        }
        if known.is_none_or(|uses| uses.binary_search(&stored(at)).is_err()) {
            self.add(script, at);
        }
    }

    /// Adds a use and forgets those that no limit can see any more.
    pub fn add(&mut self, script: &ScriptName, at: Timestamp) {
        let at = stored(at);
        let uses = self.uses.entry(script.clone()).or_default();
        let place = uses.partition_point(|earlier| *earlier <= at);
        uses.insert(place, at);
        let oldest = earlier_by(at, USES_KEPT);
        while uses.front().is_some_and(|first| *first < oldest) {
            uses.pop_front();
        }
    }

    /// What lies in the future was done now at the latest: otherwise it would count for as long as the clock was set back.
    pub fn settle_ahead(&mut self, now: Timestamp) {
        let now = stored(now);
        for (script, uses) in &mut self.uses {
            for at in uses.iter_mut().rev().take_while(|at| **at > now) {
                self.ahead.insert((script.clone(), *at));
                *at = now;
            }
        }
    }

    /// Scripts that it was used for.
    pub fn scripts(&self) -> impl Iterator<Item = &ScriptName> {
        self.uses.keys()
    }

    /// Uses since `since` (inclusive).
    #[must_use]
    pub fn count_since(&self, script: &ScriptName, since: Timestamp) -> u32 {
        let count = self.uses.get(script).map_or(0, |uses| {
            uses.len()
                .saturating_sub(uses.partition_point(|earlier| *earlier < since))
        });
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Uses within the hour before `now`.
    #[must_use]
    pub fn last_hour(&self, script: &ScriptName, now: Timestamp) -> u32 {
        self.count_since(script, after(earlier_by(now, HOUR)))
    }

    /// Uses since midnight.
    #[must_use]
    pub fn today(&self, script: &ScriptName, zone: &TimeZone, now: Timestamp) -> u32 {
        self.count_since(script, day_bounds(zone, now).0)
    }

    /// The latest use.
    #[must_use]
    pub fn latest(&self, script: &ScriptName) -> Option<Timestamp> {
        self.uses.get(script).and_then(|uses| uses.back().copied())
    }

    /// The `count`-th latest use, these among them: when it leaves a window, there is room for one more.
    fn nth_latest(&self, script: &ScriptName, open: &[Timestamp], count: u32) -> Option<Timestamp> {
        let mut all: Vec<Timestamp> = self
            .uses
            .get(script)
            .into_iter()
            .flatten()
            .chain(open)
            .copied()
            .collect();
        all.sort_unstable();
        let count = usize::try_from(count).ok()?;
        all.into_iter().rev().nth(count.checked_sub(1)?)
    }
}

/// What is known of an account's use of one script.
#[derive(Debug, Clone)]
pub struct Usage<'a> {
    /// Its confirmed uses.
    pub log: &'a UseLog,
    /// When it did what is not confirmed yet, but may be.
    pub open: Vec<Timestamp>,
    /// Start of its latest attempt.
    pub last_start: Option<Timestamp>,
}

impl Usage<'_> {
    /// What counts now.
    #[must_use]
    pub fn counted(&self, script: &ScriptName, zone: &TimeZone, now: Timestamp) -> Counted {
        Counted {
            today: self.today(script, zone, now),
            last_hour: self.last_hour(script, now),
        }
    }

    fn today(&self, script: &ScriptName, zone: &TimeZone, now: Timestamp) -> u32 {
        let midnight = day_bounds(zone, now).0;
        self.log
            .today(script, zone, now)
            .saturating_add(self.open_since(midnight))
    }

    fn last_hour(&self, script: &ScriptName, now: Timestamp) -> u32 {
        let since = after(earlier_by(now, HOUR));
        self.log.last_hour(script, now).saturating_add(self.open_since(since))
    }

    fn open_since(&self, since: Timestamp) -> u32 {
        let count = self.open.iter().filter(|at| **at >= since).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Whether the limit allows one more now.
#[must_use]
pub fn check_limit(
    limit: &ScriptLimit,
    script: &ScriptName,
    usage: &Usage<'_>,
    zone: &TimeZone,
    now: Timestamp,
) -> Option<NotNow> {
    if let Some(limit) = limit.per_day.filter(|limit| usage.today(script, zone, now) >= *limit) {
        let reason = format!("has done {script} {limit} times today, as often as its limit per day allows");
        let until = Some(day_bounds(zone, now).1);
        return Some(NotNow { reason, until });
    }
    if let Some(limit) = limit.per_hour.filter(|limit| usage.last_hour(script, now) >= *limit) {
        let reason = format!("has done {script} {limit} times within an hour, as often as its limit per hour allows");
        let until = usage.log.nth_latest(script, &usage.open, limit).unwrap_or(now);
        // A clock that was set back leaves uses in the future: never wait longer than a whole window for them.
        let until = Some(later_by(until.min(now), HOUR).max(later_by(now, Duration::from_secs(1))));
        return Some(NotNow { reason, until });
    }
    let gap = limit.min_gap();
    let until = later_by(usage.last_start?.min(now), gap);
    (until > now).then(|| NotNow {
        reason: format!("rests {} s between two starts of {script}", gap.as_secs()),
        until: Some(until),
    })
}

/// What counted towards the limits of a script at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    today: u32,
    last_hour: u32,
}

impl Counted {
    /// How many more uses the limits per hour and per day allow; `None`: as many as one likes.
    #[must_use]
    pub fn left(self, limit: &ScriptLimit) -> Option<u32> {
        let of_day = limit.per_day.map(|limit| limit.saturating_sub(self.today));
        let of_hour = limit.per_hour.map(|limit| limit.saturating_sub(self.last_hour));
        of_day.into_iter().chain(of_hour).min()
    }
}

/// As precise as a store keeps it.
fn stored(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

fn earlier_by(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn later_by(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn after(at: Timestamp) -> Timestamp {
    later_by(at, Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn follow() -> ScriptName {
        ScriptName::parse("follow").unwrap()
    }

    fn check(limit: ScriptLimit, log: &UseLog, last_start: Option<&str>, now: &str) -> Option<NotNow> {
        let usage = Usage {
            log,
            open: Vec::new(),
            last_start: last_start.map(at),
        };
        check_limit(
            &limit,
            &follow(),
            &usage,
            &TimeZone::get("Europe/Warsaw").unwrap(),
            at(now),
        )
    }

    #[test]
    fn the_limit_per_hour_opens_when_the_oldest_use_leaves_the_hour() {
        let mut log = UseLog::default();
        log.add(&follow(), at("2026-05-01T10:00:00Z"));
        log.add(&follow(), at("2026-05-01T10:20:00Z"));
        let limit = ScriptLimit {
            per_hour: Some(2),
            ..ScriptLimit::default()
        };

        let not_now = check(limit, &log, None, "2026-05-01T10:30:00Z").unwrap();

        assert_eq!(not_now.until, Some(at("2026-05-01T11:00:00Z")));
        assert_eq!(check(limit, &log, None, "2026-05-01T11:00:00Z"), None);
    }

    #[test]
    fn the_limit_per_day_opens_at_midnight_of_the_farms_zone() {
        let mut log = UseLog::default();
        log.add(&follow(), at("2026-05-01T10:00:00Z"));
        let limit = ScriptLimit {
            per_day: Some(1),
            ..ScriptLimit::default()
        };

        let not_now = check(limit, &log, None, "2026-05-01T21:59:59Z").unwrap();

        assert_eq!(not_now.until, Some(at("2026-05-01T22:00:00Z")));
        assert_eq!(check(limit, &log, None, "2026-05-01T22:00:00Z"), None);
    }

    #[test]
    fn the_gap_is_kept_between_starts_and_a_clock_set_back_does_not_stretch_it() {
        let limit = ScriptLimit {
            min_gap_s: Some(60),
            ..ScriptLimit::default()
        };
        let log = UseLog::default();
        let start = Some("2026-05-01T10:00:00Z");

        let not_now = check(limit, &log, start, "2026-05-01T10:00:30Z").unwrap();
        assert_eq!(not_now.until, Some(at("2026-05-01T10:01:00Z")));
        assert_eq!(check(limit, &log, start, "2026-05-01T10:01:00Z"), None);
        let set_back = check(limit, &log, start, "2026-05-01T09:00:00Z").unwrap();
        assert_eq!(set_back.until, Some(at("2026-05-01T09:01:00Z")));
    }

    #[test]
    fn what_a_clock_that_was_set_back_left_in_the_future_is_over_after_one_window() {
        let limit = ScriptLimit {
            per_hour: Some(1),
            ..ScriptLimit::default()
        };
        let mut log = UseLog::default();
        log.add(&follow(), at("2026-05-02T10:00:00Z"));

        log.settle_ahead(at("2026-05-01T10:00:00Z"));
        // As it comes from the store once more.
        log.merge(&follow(), at("2026-05-02T10:00:00Z"));
        log.settle_ahead(at("2026-05-01T10:30:00Z"));

        assert!(check(limit, &log, None, "2026-05-01T10:59:00Z").is_some());
        assert_eq!(check(limit, &log, None, "2026-05-01T11:00:00Z"), None);
    }

    #[test]
    fn what_may_have_taken_place_counts_no_longer_than_what_has() {
        let limit = ScriptLimit {
            per_hour: Some(1),
            ..ScriptLimit::default()
        };
        let log = UseLog::default();
        let usage = Usage {
            log: &log,
            open: vec![at("2026-05-01T10:00:00Z")],
            last_start: None,
        };
        let not_now = |now: &str| check_limit(&limit, &follow(), &usage, &TimeZone::UTC, at(now));
        let until = not_now("2026-05-01T10:30:00Z").and_then(|not_now| not_now.until);
        assert_eq!(until, Some(at("2026-05-01T11:00:00Z")));
        assert_eq!(not_now("2026-05-01T11:00:00Z"), None);
    }

    #[test]
    fn no_limit_never_blocks() {
        let mut log = UseLog::default();
        for _ in 0..1000 {
            log.add(&follow(), at("2026-05-01T10:00:00Z"));
        }
        let now = "2026-05-01T10:00:01Z";
        assert_eq!(check(ScriptLimit::default(), &log, Some(now), now), None);
    }

    proptest! {
        #[test]
        fn starting_only_when_allowed_never_exceeds_the_limit_in_any_hour(
            gaps in proptest::collection::vec(1i64..1200, 1..200), per_hour in 1u32..10,
        ) {
            let limit = ScriptLimit { per_hour: Some(per_hour), ..ScriptLimit::default() };
            let mut log = UseLog::default();
            let mut now = Timestamp::from_second(1_700_000_000).unwrap();
            let mut done: Vec<Timestamp> = Vec::new();
            for gap in gaps {
                now += Duration::from_secs(gap.unsigned_abs());
                let usage = Usage { log: &log, open: Vec::new(), last_start: None };
                if check_limit(&limit, &follow(), &usage, &TimeZone::UTC, now).is_none() {
                    log.add(&follow(), now);
                    done.push(now);
                }
            }
            let window = usize::try_from(per_hour).unwrap();
            for pair in done.windows(window + 1) {
                prop_assert!(pair[window].duration_since(pair[0]) >= jiff::SignedDuration::from_hours(1));
            }
        }
    }
}
