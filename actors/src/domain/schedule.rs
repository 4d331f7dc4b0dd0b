//! When "HH:MM" is next, on the farm's clock, and the schedules that repeat a task request.

mod cron;
mod plan;
mod record;
mod recurrence;

use std::fmt;

use jiff::{
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::Timestamp;

pub use plan::{MISFIRE_GRACE, Misfire, Verdict};
pub use record::{Schedule, ScheduleRun, ScheduleSpec, ScheduledRequest};
pub use recurrence::{JITTER_MAX_S, Recurrence, RecurrenceText, WindowText};

/// Why a text is not a time of day, or has no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not a time of day.
    #[error("{0:?} is not a time of day; write HH:MM, from 00:00 to 23:59")]
    NotATime(String),
    /// Not a time zone.
    #[error("{0:?} is not a time zone; write an IANA name such as Europe/Warsaw")]
    NotAZone(String),
    /// Beyond the calendar.
    #[error("no day after {0} shows that time")]
    Never(Timestamp),
}

/// A time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    hour: i8,
    minute: i8,
}

impl TimeOfDay {
    /// Parses `HH:MM`, two digits each.
    ///
    /// # Errors
    /// [`ScheduleError::NotATime`].
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let parsed = match text.as_bytes() {
            [h1, h2, b':', m1, m2] => digits(*h1, *h2).zip(digits(*m1, *m2)),
            _ => None,
        };
        match parsed {
            Some((hour, minute)) if hour < 24 && minute < 60 => Ok(Self { hour, minute }),
            _ => Err(ScheduleError::NotATime(text.to_owned())),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

fn digits(tens: u8, ones: u8) -> Option<i8> {
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return None;
    }
    i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok()
}

/// Names of the database for a zone that nobody has set: their clock is UTC's, which nobody who writes them means.
const NO_ZONES: [&str; 2] = ["Etc/Unknown", "Factory"];

/// The zone of this IANA name.
///
/// # Errors
/// [`ScheduleError::NotAZone`].
pub fn parse_zone(name: &str) -> Result<TimeZone, ScheduleError> {
    let none = || ScheduleError::NotAZone(name.to_owned());
    if NO_ZONES.iter().any(|no_zone| no_zone.eq_ignore_ascii_case(name)) {
        return Err(none());
    }
    TimeZone::get(name).map_err(|_| none())
}

/// Days looked ahead: today and tomorrow always suffice but where a zone skips a whole day.
const DAYS_AHEAD: usize = 4;

/// The next instant, not before `now`, at which clocks in `zone` show `time`. A time that is skipped means the first
/// instant after the gap; one that occurs twice means the first occurrence.
///
/// # Errors
/// [`ScheduleError::Never`] at the end of the calendar.
pub fn next_instant(time: TimeOfDay, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, ScheduleError> {
    let mut day = zone.to_datetime(now).date();
    for _ in 0..DAYS_AHEAD {
        let shown = day.at(time.hour, time.minute, 0, 0);
        if let Some(instant) = instant_of(shown, zone).filter(|instant| *instant >= now) {
            return Ok(instant);
        }
        day = day.tomorrow().map_err(|_| ScheduleError::Never(now))?;
    }
    Err(ScheduleError::Never(now))
}

/// Midnights around `now`: the start of its day in `zone`, and the start of the next one. Where clocks are set back over
/// midnight a day begins twice: what lies between belongs to both days.
#[must_use]
pub fn day_bounds(zone: &TimeZone, now: Timestamp) -> (Timestamp, Timestamp) {
    let day = zone.to_datetime(now).date();
    let midnight = |day: jiff::civil::Date| day.at(0, 0, 0, 0);
    let again = |shown| zone.to_ambiguous_timestamp(shown).later().ok();
    let start = instant_of(midnight(day), zone).unwrap_or(Timestamp::MIN);
    let next = day.tomorrow().ok().map(midnight);
    let first = next.and_then(|shown| instant_of(shown, zone));
    let end = first.filter(|first| *first > now).or_else(|| next.and_then(again));
    (start, end.unwrap_or(Timestamp::MAX))
}

fn instant_of(shown: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    let in_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let earlier = ambiguous.earlier().ok()?;
    if !in_gap {
        return Some(earlier);
    }
    // Read with the offset after the gap, a skipped time lies before the transition: the next one is the gap's end.
    zone.following(earlier).next().map(|transition| transition.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next(time: &str, zone: &str, now: &str) -> String {
        let zone = parse_zone(zone).unwrap();
        let now: Timestamp = now.parse().unwrap();
        next_instant(TimeOfDay::parse(time).unwrap(), &zone, now)
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_time_still_to_come_is_today_and_a_past_one_tomorrow() {
        assert_eq!(next("14:30", "UTC", "2026-05-01T10:00:00Z"), "2026-05-01T14:30:00Z");
        assert_eq!(next("14:30", "UTC", "2026-05-01T14:30:00Z"), "2026-05-01T14:30:00Z");
        assert_eq!(next("14:30", "UTC", "2026-05-01T14:30:01Z"), "2026-05-02T14:30:00Z");
        assert_eq!(
            next("00:15", "Europe/Warsaw", "2026-05-01T21:00:00Z"),
            "2026-05-01T22:15:00Z"
        );
    }

    #[test]
    fn f20_a_skipped_time_means_the_first_instant_after_the_gap() {
        // Warsaw goes from 02:00 to 03:00 on 2026-03-29, at 01:00 UTC.
        assert_eq!(
            next("02:30", "Europe/Warsaw", "2026-03-28T12:00:00Z"),
            "2026-03-29T01:00:00Z"
        );
        assert_eq!(
            next("02:30", "Europe/Warsaw", "2026-03-29T01:00:01Z"),
            "2026-03-30T00:30:00Z"
        );
        // Samoa skipped all of 2011-12-30: it went on with midnight of the 31st, at 10:00 UTC.
        assert_eq!(
            next("10:00", "Pacific/Apia", "2011-12-30T09:59:59Z"),
            "2011-12-30T10:00:00Z"
        );
    }

    #[test]
    fn f20_a_time_that_occurs_twice_means_the_first_occurrence() {
        // Warsaw goes from 03:00 back to 02:00 on 2026-10-25, at 01:00 UTC.
        assert_eq!(
            next("02:30", "Europe/Warsaw", "2026-10-24T12:00:00Z"),
            "2026-10-25T00:30:00Z"
        );
        assert_eq!(
            next("02:30", "Europe/Warsaw", "2026-10-25T00:45:00Z"),
            "2026-10-26T01:30:00Z"
        );
    }

    #[test]
    fn what_is_not_a_time_is_refused_with_the_mend() {
        for text in ["24:00", "12:60", "1:30", "12-30", "", "ab:cd", "12:3a", "１２:30"] {
            let error = TimeOfDay::parse(text).unwrap_err();
            assert!(error.to_string().contains("HH:MM"), "{error}");
        }
        // The last two are in the database, as names for not knowing the zone.
        for name in ["Mars/Olympus", "", "Etc/Unknown", "etc/unknown", "Factory", "factory"] {
            let error = parse_zone(name).map(|zone| format!("{name} is {zone:?}")).unwrap_err();
            assert!(error.to_string().contains("IANA"), "{error}");
        }
        for name in ["UTC", "Etc/UTC", "Etc/GMT+5", "europe/warsaw"] {
            assert!(parse_zone(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_day_whose_end_is_shown_twice_ends_when_it_is_shown_again() {
        let zone = parse_zone("America/St_Johns").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // At 00:01 of the 29th clocks went back to 23:01 of the 28th: midnight is at 02:30 and 03:30 UTC.
        for (now, bounds) in [
            ("2006-10-29T02:29:00Z", ("2006-10-28T02:30:00Z", "2006-10-29T02:30:00Z")),
            ("2006-10-29T02:30:30Z", ("2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z")),
            ("2006-10-29T02:31:00Z", ("2006-10-28T02:30:00Z", "2006-10-29T03:30:00Z")),
            ("2006-10-29T03:30:00Z", ("2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z")),
        ] {
            assert_eq!(day_bounds(&zone, at(now)), (at(bounds.0), at(bounds.1)), "{now}");
        }
    }

    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Warsaw",
        "America/New_York",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Cairo",
        "Asia/Kathmandu",
    ];

    proptest! {
        #[test]
        fn the_next_instant_is_within_two_days_and_shows_the_time_unless_it_is_skipped(
            hour in 0i8..24, minute in 0i8..60, zone in 0usize..ZONES.len(), at in 1_000_000_000i64..2_000_000_000,
        ) {
            let zone = parse_zone(ZONES[zone]).unwrap();
            let now = Timestamp::from_second(at).unwrap();
            let instant = next_instant(TimeOfDay { hour, minute }, &zone, now).unwrap();

            prop_assert!(instant >= now);
            prop_assert!(instant.as_second() - at <= 50 * 3600);
            let shown = zone.to_datetime(instant);
            let at_the_end_of_a_gap = zone
                .following(Timestamp::from_second(instant.as_second() - 1).unwrap())
                .next()
                .is_some_and(|transition| transition.timestamp() == instant);
            prop_assert!((shown.hour(), shown.minute()) == (hour, minute) || at_the_end_of_a_gap);
        }

        #[test]
        fn the_bounds_of_a_day_hold_the_instant(zone in 0usize..ZONES.len(), at in 1_000_000_000i64..2_000_000_000) {
            let zone = parse_zone(ZONES[zone]).unwrap();
            let now = Timestamp::from_second(at).unwrap();
            let (start, end) = day_bounds(&zone, now);
            prop_assert!(start <= now && now < end);
            prop_assert!(end.as_second() - start.as_second() <= 25 * 3600);
        }
    }
}
