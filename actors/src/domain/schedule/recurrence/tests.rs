//! When runs are planned: by tables, against a count of every minute, and over the whole tz database.

use jiff::{SignedDuration, Span, ToSpan, civil::DateTime, tz::TimeZone};
use proptest::prelude::*;

use super::*;

fn text(times: &[&str], zone: &str) -> RecurrenceText {
    RecurrenceText {
        times: Some(times.iter().map(|time| (*time).to_owned()).collect()),
        time_zone: zone.to_owned(),
        ..RecurrenceText::default()
    }
}

fn cron(expression: &str, zone: &str) -> RecurrenceText {
    RecurrenceText {
        cron: Some(expression.to_owned()),
        time_zone: zone.to_owned(),
        ..RecurrenceText::default()
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-05-01T06:00:00Z")
}

fn next(text: RecurrenceText, after: &str, count: usize) -> Vec<String> {
    let recurrence = Recurrence::compile(text).unwrap();
    let mut planned = Vec::new();
    let mut last = at(after);
    while planned.len() < count {
        last = recurrence.next_after(last).unwrap();
        planned.push(last.to_string());
    }
    planned
}

fn faults(text: RecurrenceText) -> Vec<String> {
    let faults = Recurrence::parse(text, now()).unwrap_err();
    assert!(faults.iter().all(|fault| fault.message.len() > 10), "{faults:?}");
    faults.into_iter().map(|fault| fault.field).collect()
}

#[test]
fn times_of_day_come_in_their_order_each_day() {
    assert_eq!(
        next(
            text(&["18:30", "09:00", "09:00"], "Europe/Warsaw"),
            "2026-05-01T06:00:00Z",
            3
        ),
        ["2026-05-01T07:00:00Z", "2026-05-01T16:30:00Z", "2026-05-02T07:00:00Z"]
    );
    // At its very instant it is over.
    assert_eq!(
        next(text(&["09:00"], "UTC"), "2026-05-01T09:00:00Z", 1),
        ["2026-05-02T09:00:00Z"]
    );
}

#[test]
fn days_and_a_window_leave_the_others_out() {
    let weekdays = RecurrenceText {
        days: ["mon", "Tue", "FRI"].map(str::to_owned).to_vec(),
        ..text(&["09:00"], "UTC")
    };
    // 2026-05-01 is a Friday.
    assert_eq!(
        next(weekdays, "2026-05-01T09:00:00Z", 3),
        ["2026-05-04T09:00:00Z", "2026-05-05T09:00:00Z", "2026-05-08T09:00:00Z"]
    );
    let window = |from: &str, to: &str| RecurrenceText {
        window: Some(WindowText {
            from: from.to_owned(),
            to: to.to_owned(),
        }),
        ..cron("0 */6 * * *", "UTC")
    };
    assert_eq!(
        next(window("06:00", "18:00"), "2026-05-01T00:00:00Z", 3),
        ["2026-05-01T06:00:00Z", "2026-05-01T12:00:00Z", "2026-05-02T06:00:00Z"]
    );
    assert_eq!(
        next(window("18:00", "06:00"), "2026-05-01T00:00:00Z", 3),
        ["2026-05-01T18:00:00Z", "2026-05-02T00:00:00Z", "2026-05-02T18:00:00Z"]
    );
}

#[test]
fn f20_a_time_in_the_gap_of_spring_is_its_end_once() {
    // Warsaw goes from 02:00 to 03:00 on 2026-03-29, at 01:00 UTC.
    assert_eq!(
        next(text(&["02:30"], "Europe/Warsaw"), "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    // All times of the gap and the first one after it are the same instant.
    assert_eq!(
        next(
            text(&["02:00", "02:30", "02:59", "03:00", "03:01"], "Europe/Warsaw"),
            "2026-03-29T00:30:00Z",
            3
        ),
        ["2026-03-29T01:00:00Z", "2026-03-29T01:01:00Z", "2026-03-30T00:00:00Z"]
    );
    // Samoa had no 2011-12-30: what was planned for it is the midnight at its end, once.
    assert_eq!(
        next(text(&["10:00", "20:00"], "Pacific/Apia"), "2011-12-30T09:00:00Z", 2),
        ["2011-12-30T10:00:00Z", "2011-12-30T20:00:00Z"]
    );
}

#[test]
fn f20_a_time_of_the_repeated_hour_is_its_first_occurrence_once() {
    // Warsaw goes from 03:00 back to 02:00 on 2026-10-25, at 01:00 UTC.
    assert_eq!(
        next(text(&["02:30"], "Europe/Warsaw"), "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    assert_eq!(
        next(cron("*/30 2,3 * * *", "Europe/Warsaw"), "2026-10-24T12:00:00Z", 4),
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T02:30:00Z"
        ]
    );
}

#[test]
fn f20_leap_days_come_every_four_years_but_not_in_2100() {
    assert_eq!(
        next(cron("0 0 29 2 *", "UTC"), "2026-01-01T00:00:00Z", 2),
        ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]
    );
    assert_eq!(
        next(cron("0 0 29 2 *", "UTC"), "2096-03-01T00:00:00Z", 1),
        ["2104-02-29T00:00:00Z"]
    );
    let on_a_sunday = RecurrenceText {
        days: vec!["sun".to_owned()],
        ..cron("0 0 29 2 *", "UTC")
    };
    assert_eq!(
        next(on_a_sunday, "2088-03-01T00:00:00Z", 1),
        ["2128-02-29T00:00:00Z"],
        "the longest wait there is"
    );
}

#[test]
fn what_never_fires_or_is_none_is_named_with_all_its_faults() {
    let with = |change: fn(&mut RecurrenceText)| {
        let mut text = text(&["09:00"], "UTC");
        change(&mut text);
        faults(text)
    };
    for (named, wanted) in [
        (
            with(|text| text.time_zone = "Mars/Olympus".to_owned()),
            vec!["time_zone"],
        ),
        (with(|text| text.times = None), vec!["cron"]),
        (with(|text| text.times = Some(Vec::new())), vec!["times"]),
        (
            with(|text| text.times = Some(vec!["9:00".to_owned(); 300])),
            vec!["times"],
        ),
        (with(|text| text.cron = Some("* * * * *".to_owned())), vec!["times"]),
        (
            with(|text| text.times = Some(["09:00", "25:00", "x"].map(str::to_owned).to_vec())),
            vec!["times[1]", "times[2]"],
        ),
        (
            with(|text| text.days = ["mon", "someday"].map(str::to_owned).to_vec()),
            vec!["days[1]"],
        ),
        (with(|text| text.jitter_s = JITTER_MAX_S + 1), vec!["jitter_s"]),
        (
            with(|text| text.window = Some(window("08:00", "08:00"))),
            vec!["window.from"],
        ),
        (
            with(|text| text.window = Some(window("8", "24:00"))),
            vec!["window.from", "window.to"],
        ),
        (
            with(|text| text.window = Some(window("10:00", "12:00"))),
            vec!["window"],
        ),
        (
            with(|text| text.window = Some(window("09:01", "09:00"))),
            vec!["window"],
        ),
        (faults(cron("0 0 30 2 *", "UTC")), vec!["cron"]),
        (faults(cron("0 0 31 4,6,9,11 *", "UTC")), vec!["cron"]),
        (faults(cron("61 0 * * *", "Nowhere")), vec!["time_zone", "cron"]),
    ] {
        assert_eq!(named, wanted);
    }
    let days_apart = RecurrenceText {
        days: vec!["tue".to_owned()],
        ..cron("0 9 * * mon", "UTC")
    };
    assert_eq!(faults(days_apart), ["cron"]);
}

fn window(from: &str, to: &str) -> WindowText {
    WindowText {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

#[test]
fn an_opening_is_now_or_the_next_start_of_the_window_on_one_of_the_days() {
    let with = |days: &[&str], bounds: Option<(&str, &str)>| {
        let recurrence = RecurrenceText {
            days: days.iter().map(|day| (*day).to_owned()).collect(),
            window: bounds.map(|(from, to)| window(from, to)),
            ..cron("* * * * *", "UTC")
        };
        Recurrence::compile(recurrence).unwrap()
    };
    for (recurrence, now, wanted) in [
        (with(&[], None), "2026-05-01T03:00:00Z", "2026-05-01T03:00:00Z"),
        (
            with(&[], Some(("09:00", "18:00"))),
            "2026-05-01T03:00:00Z",
            "2026-05-01T09:00:00Z",
        ),
        (
            with(&[], Some(("09:00", "18:00"))),
            "2026-05-01T17:59:59Z",
            "2026-05-01T17:59:59Z",
        ),
        (
            with(&[], Some(("09:00", "18:00"))),
            "2026-05-01T18:00:00Z",
            "2026-05-02T09:00:00Z",
        ),
        (
            with(&[], Some(("22:00", "02:00"))),
            "2026-05-01T01:00:00Z",
            "2026-05-01T01:00:00Z",
        ),
        (
            with(&[], Some(("22:00", "02:00"))),
            "2026-05-01T02:00:00Z",
            "2026-05-01T22:00:00Z",
        ),
        (with(&["mon"], None), "2026-05-01T03:00:00Z", "2026-05-04T00:00:00Z"),
        (
            with(&["fri"], Some(("09:00", "18:00"))),
            "2026-05-01T19:00:00Z",
            "2026-05-08T09:00:00Z",
        ),
    ] {
        assert_eq!(recurrence.opening(at(now)), at(wanted), "{now}");
    }
}

#[test]
fn recurrences_that_plan_the_same_are_told_from_those_that_do_not() {
    let with = |change: fn(&mut RecurrenceText)| {
        let mut text = RecurrenceText {
            days: ["mon", "fri"].map(str::to_owned).to_vec(),
            window: Some(window("08:00", "20:00")),
            jitter_s: 90,
            ..text(&["09:00", "18:30"], "Europe/Warsaw")
        };
        change(&mut text);
        Recurrence::compile(text).unwrap()
    };
    let one = with(|_| {});
    let same: [fn(&mut RecurrenceText); 3] = [
        |_| {},
        |text| text.days = ["FRI", "mon", "mon"].map(str::to_owned).to_vec(),
        |text| text.times = Some(["18:30", "09:00", "09:00"].map(str::to_owned).to_vec()),
    ];
    let others: [fn(&mut RecurrenceText); 6] = [
        |text| text.days = Vec::new(),
        |text| text.times = Some(vec!["09:00".to_owned()]),
        |text| text.window = None,
        |text| text.window = Some(window("08:00", "20:01")),
        |text| text.jitter_s = 91,
        |text| text.time_zone = "UTC".to_owned(),
    ];
    for (place, change) in same.into_iter().enumerate() {
        assert!(one.plans_as(&with(change)), "same {place}");
    }
    for (place, change) in others.into_iter().enumerate() {
        assert!(!one.plans_as(&with(change)), "other {place}");
    }
}

fn zones() -> Vec<String> {
    let names = jiff::tz::db().available().map(|name| name.to_string());
    let names: Vec<String> = names.filter(|name| parse_zone(name).is_ok()).collect();
    assert!(names.len() > 300, "the tz database is bundled");
    names
}

/// Every minute after `after` that belongs to the recurrence, found the slow way: for each time that a clock can show,
/// its instant.
fn counted(zone: &TimeZone, minutes: &[u16], after: Timestamp, days: i64) -> Vec<Timestamp> {
    let first: DateTime = zone.to_datetime(after).date().checked_sub(2.days()).unwrap().into();
    let mut instants: Vec<Timestamp> = (0..days + 3)
        .flat_map(|day| {
            minutes.iter().map(move |minute| {
                let shown = first.checked_add(Span::new().days(day)).unwrap();
                shown.checked_add(Span::new().minutes(i64::from(*minute))).unwrap()
            })
        })
        .filter_map(|shown| instant_of(shown, zone))
        .filter(|instant| *instant > after)
        .collect();
    instants.sort_unstable();
    instants.dedup();
    instants
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// In every zone, around each of its changes, every time that clocks show has exactly one run.
    #[test]
    fn f20_each_shown_time_has_one_run_in_every_zone_of_the_world(
        zone in any::<prop::sample::Index>(), change in any::<prop::sample::Index>(),
        minutes in prop::collection::btree_set(0u16..1440, 1..6), hours_before in 0i64..50,
    ) {
        let names = zones();
        let name = zone.get(&names);
        let zone = parse_zone(name).unwrap();
        let (from, to) = (at("1990-01-01T00:00:00Z"), at("2040-01-01T00:00:00Z"));
        let changes: Vec<Timestamp> = zone
            .following(from)
            .map(|change| change.timestamp())
            .take_while(|change| *change < to)
            .collect();
        let around = if changes.is_empty() { now() } else { *change.get(&changes) };
        let after = around.checked_sub(SignedDuration::from_hours(hours_before)).unwrap();
        let times: Vec<String> = minutes.iter().map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60)).collect();
        let times: Vec<&str> = times.iter().map(String::as_str).collect();
        let recurrence = Recurrence::compile(text(&times, name)).unwrap();

        let minutes: Vec<u16> = minutes.into_iter().collect();
        let mut last = after;
        for wanted in counted(&zone, &minutes, after, 4).into_iter().take(minutes.len() * 3) {
            let next = recurrence.next_after(last).unwrap();
            prop_assert_eq!(next, wanted, "{} after {}", name, last);
            last = next;
        }
    }

    #[test]
    fn a_run_is_always_later_and_within_days_and_window(
        from in 0u16..1440, length in 1u16..1439, bits in 1u8..128, step in 1u8..60,
        zone in any::<prop::sample::Index>(), at in 1_000_000_000i64..3_000_000_000,
    ) {
        let names = zones();
        let time = |minute: u16| format!("{:02}:{:02}", minute % 1440 / 60, minute % 60);
        let days = DAYS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        let recurrence = RecurrenceText {
            days: days.map(|(_, day)| (*day).to_owned()).collect(),
            window: Some(window(&time(from), &time(from + length))),
            ..cron(&format!("*/{step} * * * *"), zone.get(&names).as_str())
        };
        // A window may hold no time of the expression.
        let Ok(recurrence) = Recurrence::compile(recurrence) else { return Ok(()) };
        let after = Timestamp::from_second(at).unwrap();

        let next = recurrence.next_after(after).unwrap();

        prop_assert!(next > after);
        let shown = recurrence.zone().to_datetime(next);
        let at_the_end_of_a_gap = recurrence
            .zone()
            .preceding(next.checked_add(SignedDuration::from_secs(1)).unwrap())
            .next()
            .is_some_and(|change| change.timestamp() == next);
        let minute = u16::try_from(i32::from(shown.hour()) * 60 + i32::from(shown.minute())).unwrap();
        let held = (minute + 1440 - from) % 1440 < length && recurrence.is_day(shown.date());
        prop_assert!(held || at_the_end_of_a_gap, "{shown}");
        if held {
            prop_assert_eq!(recurrence.opening(next), next);
        }
        // Runs within a repeated hour aside, nothing lies between.
        prop_assert_eq!(recurrence.first_from(next), Some(next));
    }

    #[test]
    fn any_text_is_parsed_or_refused(cron_text in "\\PC{0,30}", time in "\\PC{0,8}", zone in "\\PC{0,20}") {
        let _ = Recurrence::parse(cron(&cron_text, &zone), now());
        let _ = Recurrence::parse(cron(&cron_text, "UTC"), now());
        let _ = Recurrence::parse(text(&[&time], "UTC"), now());
    }
}
