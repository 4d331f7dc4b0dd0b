//! On time, late, or left out.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::{
    ScheduleId, ScriptName, Serial, Source, SubmitTarget,
    schedule::{Recurrence, RecurrenceText, ScheduledRequest, WindowText},
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn spec(misfire: Misfire, cap: u32, change: impl FnOnce(&mut RecurrenceText)) -> ScheduleSpec {
    let mut text = RecurrenceText {
        times: Some(vec!["09:00".to_owned()]),
        time_zone: "UTC".to_owned(),
        ..RecurrenceText::default()
    };
    change(&mut text);
    ScheduleSpec {
        name: "daily".to_owned(),
        request: ScheduledRequest {
            target: SubmitTarget::Devices(vec![Serial::parse("p1").unwrap()]),
            script: ScriptName::parse("post").unwrap(),
            config: json!({}),
            enable_multi_account: false,
            interval_minutes: None,
            priority: 0,
            source: Source::Api,
        },
        recurrence: Recurrence::compile(text).unwrap(),
        misfire,
        misfire_cap: cap,
        enabled: true,
    }
}

fn every_minute(text: &mut RecurrenceText) {
    text.times = None;
    text.cron = Some("* * * * *".to_owned());
}

#[test]
fn a_run_waits_for_its_time_and_may_be_a_minute_late() {
    for misfire in Misfire::ALL {
        let daily = spec(misfire, 3, |_| {});
        let next = at("2026-05-01T09:00:00Z");
        for (now, wanted) in [
            ("2026-05-01T08:59:59.999Z", Verdict::Wait(next)),
            ("2026-05-01T09:00:00Z", Verdict::Run(next)),
            ("2026-05-01T09:01:00Z", Verdict::Run(next)),
        ] {
            assert_eq!(daily.judge(next, 7, at(now)), wanted, "{misfire:?} at {now}");
        }
    }
}

#[test]
fn f21_missed_runs_are_one_none_or_the_latest_few() {
    let (next, now) = (at("2026-05-01T09:00:00Z"), at("2026-05-20T10:00:00Z"));
    let judge = |misfire, cap| spec(misfire, cap, |_| {}).judge(next, 7, now);

    assert_eq!(judge(Misfire::RunOnce, 5), Verdict::Run(at("2026-05-20T09:00:00Z")));
    assert_eq!(judge(Misfire::Skip, 5), Verdict::Skip(at("2026-05-20T09:00:00Z")));
    assert_eq!(judge(Misfire::RunAll, 5), Verdict::Run(at("2026-05-16T09:00:00Z")));
    assert_eq!(judge(Misfire::RunAll, 100), Verdict::Run(next));
}

#[test]
fn f21_years_of_missed_minutes_are_judged_at_once() {
    let (next, now) = (at("2020-01-01T00:00:00Z"), at("2026-05-01T09:00:30Z"));
    let judge = |misfire, cap| spec(misfire, cap, every_minute).judge(next, 7, now);

    assert_eq!(judge(Misfire::RunOnce, 1), Verdict::Run(at("2026-05-01T09:00:00Z")));
    assert_eq!(judge(Misfire::RunAll, 100), Verdict::Run(at("2026-05-01T07:20:00Z")));
    // The run of 09:00 is on time.
    assert_eq!(judge(Misfire::Skip, 1), Verdict::Skip(at("2026-05-01T08:59:00Z")));
}

#[test]
fn f21_a_missed_run_waits_for_the_window_and_the_day() {
    let daily = spec(Misfire::RunOnce, 1, |text| {
        text.days = ["mon", "fri"].map(str::to_owned).to_vec();
        text.window = Some(WindowText {
            from: "08:00".to_owned(),
            to: "18:00".to_owned(),
        });
    });
    // A Friday.
    let next = at("2026-05-01T09:00:00Z");

    let late = |now| daily.judge(next, 7, at(now));
    assert_eq!(late("2026-05-01T17:00:00Z"), Verdict::Run(next));
    assert_eq!(late("2026-05-01T20:00:00Z"), Verdict::Wait(at("2026-05-04T08:00:00Z")));
    assert_eq!(late("2026-05-04T08:00:00Z"), Verdict::Run(next));
    assert_eq!(
        late("2026-05-04T09:30:00Z"),
        Verdict::Run(at("2026-05-04T09:00:00Z")),
        "one run for both"
    );
}

#[test]
fn f21_a_missed_run_starts_at_once_while_its_window_is_open_past_midnight() {
    for jitter_s in [0, 600] {
        let night = spec(Misfire::RunOnce, 1, |text| {
            text.times = Some(vec!["23:30".to_owned()]);
            text.days = vec!["fri".to_owned()];
            text.window = Some(WindowText {
                from: "22:00".to_owned(),
                to: "02:00".to_owned(),
            });
            text.jitter_s = jitter_s;
        });
        // A Friday.
        let next = at("2026-05-01T23:30:00Z");
        let late = |now| night.judge(next, 7, at(now));

        assert_eq!(late("2026-05-01T23:55:00Z"), Verdict::Run(next));
        assert_eq!(late("2026-05-02T00:05:00Z"), Verdict::Run(next), "{jitter_s}");
        assert_eq!(late("2026-05-02T01:59:59Z"), Verdict::Run(next));
        // What a Friday's night begins with belongs to Friday too.
        assert_eq!(late("2026-05-02T02:00:00Z"), Verdict::Wait(at("2026-05-08T00:00:00Z")));
    }
}

#[test]
fn f21_what_was_not_missed_does_not_count_among_the_latest_few() {
    let minutes = spec(Misfire::RunAll, 3, every_minute);
    let judge = |next, now| minutes.judge(at(next), 7, at(now));
    let since = "2026-05-01T06:00:00Z";

    // 09:00 is on time.
    let three = Verdict::Run(at("2026-05-01T08:57:00Z"));
    assert_eq!(judge(since, "2026-05-01T09:00:30Z"), three);
    let on_time = "2026-05-01T09:00:00Z";
    assert_eq!(judge(on_time, "2026-05-01T09:00:30Z"), Verdict::Run(at(on_time)));
}

#[test]
fn a_run_is_late_by_its_own_delayed_start_whatever_the_longest_delay_is() {
    let evening = |misfire, window: bool| {
        spec(misfire, 1, |text| {
            text.times = Some(vec!["19:30".to_owned()]);
            text.jitter_s = 3600;
            text.window = window.then(|| WindowText {
                from: "08:00".to_owned(),
                to: "20:00".to_owned(),
            });
        })
    };
    let (next, seed, morning) = (at("2026-05-01T19:30:00Z"), 7, at("2026-05-02T08:00:00Z"));
    for window in [true, false] {
        let start = evening(Misfire::Skip, window).start_of(next, seed);
        let by = |seconds| start + jiff::SignedDuration::from_secs(seconds);
        let judge = |misfire, now| evening(misfire, window).judge(next, seed, now);
        for misfire in Misfire::ALL {
            assert_eq!(judge(misfire, by(-1)), Verdict::Wait(start));
            assert_eq!(judge(misfire, by(60)), Verdict::Run(next), "{misfire:?}");
        }
        assert!(
            by(61) < at("2026-05-01T20:00:00Z"),
            "{start}: the case is told apart from the window's end"
        );
        assert_eq!(judge(Misfire::Skip, by(61)), Verdict::Skip(next));
        assert_eq!(judge(Misfire::RunOnce, by(61)), Verdict::Run(next));
    }

    let late = at("2026-05-01T20:25:00Z");
    for misfire in [Misfire::RunOnce, Misfire::RunAll] {
        assert_eq!(evening(misfire, true).judge(next, seed, late), Verdict::Wait(morning));
        assert_eq!(evening(misfire, true).judge(next, seed, morning), Verdict::Run(next));
    }
    for window in [true, false] {
        assert_eq!(
            evening(Misfire::Skip, window).judge(next, seed, late),
            Verdict::Skip(next)
        );
    }
}

#[test]
fn a_run_that_was_on_time_a_moment_ago_is_late_once_its_window_has_closed() {
    let until_ten = |misfire| {
        spec(misfire, 1, |text| {
            text.times = Some(vec!["09:59".to_owned()]);
            text.jitter_s = 3600;
            text.window = Some(WindowText {
                from: "09:00".to_owned(),
                to: "10:00".to_owned(),
            });
        })
    };
    let (next, closing) = (at("2026-05-01T09:59:00Z"), at("2026-05-01T10:00:00Z"));
    let start = until_ten(Misfire::Skip).start_of(next, 7);
    let last = closing - jiff::SignedDuration::from_millis(1);
    assert!(start < last);

    assert_eq!(until_ten(Misfire::Skip).judge(next, 7, last), Verdict::Run(next));
    assert_eq!(until_ten(Misfire::Skip).judge(next, 7, closing), Verdict::Skip(next));
    let tomorrow = Verdict::Wait(at("2026-05-02T09:00:00Z"));
    assert_eq!(until_ten(Misfire::RunOnce).judge(next, 7, closing), tomorrow);
}

#[test]
fn the_delay_of_a_run_is_its_own_and_the_same_after_a_restart() {
    let jittered = spec(Misfire::RunOnce, 1, |text| {
        every_minute(text);
        text.jitter_s = 600;
    });
    let planned: Vec<Timestamp> = (0..200)
        .map(|minute| Timestamp::from_second(1_777_000_020 + minute * 60).unwrap())
        .collect();
    let delays = |seed| -> Vec<i64> {
        let starts = planned.iter().map(|planned| jittered.start_of(*planned, seed));
        starts
            .zip(&planned)
            .map(|(start, planned)| start.as_second() - planned.as_second())
            .collect()
    };

    let mine = delays(7);

    assert_eq!(mine, delays(7));
    assert_ne!(mine, delays(8));
    assert!(mine.iter().all(|delay| (0..=600).contains(delay)), "{mine:?}");
    let (low, high) = (mine.iter().min().unwrap(), mine.iter().max().unwrap());
    assert!(
        *low < 60 && *high > 540,
        "{low} to {high}: they are spread over the whole"
    );
}

fn stored(spec: ScheduleSpec, next: Option<Timestamp>) -> Schedule {
    Schedule {
        id: ScheduleId(1),
        revision: 1,
        spec,
        seed: 7,
        next,
        planned_since: at("2026-01-01T00:00:00Z"),
        created_at: at("2026-05-01T00:00:00Z"),
        updated_at: at("2026-05-01T00:00:00Z"),
    }
}

#[test]
fn the_next_starts_are_those_that_come_with_their_delays() {
    let jittered = spec(Misfire::RunOnce, 1, |text| text.jitter_s = 3600);
    let now = at("2026-05-01T08:00:00Z");
    let first = jittered.recurrence.next_after(now).unwrap();

    let schedule = stored(jittered, Some(first));
    let starts = schedule.next_starts(now, 5, &[]);

    assert_eq!(starts.len(), 5);
    assert!(starts.is_sorted());
    assert_eq!(starts[0], schedule.spec.start_of(first, 7));
    let second = stored(schedule.spec, Some(at("2026-05-02T09:00:00Z")));
    assert_eq!(second.next_starts(starts[0], 4, &[]), starts[1..]);
    let often = spec(Misfire::RunOnce, 1, |text| {
        every_minute(text);
        text.jitter_s = 3600;
    });
    assert!(stored(often, Some(now)).next_starts(now, 20, &[]).is_sorted());
    assert_eq!(
        stored(spec(Misfire::RunOnce, 1, |_| {}), None).next_starts(now, 5, &[]),
        []
    );
}

#[test]
fn what_was_planned_before_the_schedule_is_none_of_its_next_starts_and_what_is_being_delayed_is() {
    let early = |misfire| {
        spec(misfire, 1, |text| {
            text.times = Some(vec!["01:03".to_owned()]);
            text.jitter_s = 240;
        })
    };
    let (today, tomorrow) = (at("2026-05-01T01:03:00Z"), at("2026-05-02T01:03:00Z"));
    for misfire in Misfire::ALL {
        let start = early(misfire).start_of(today, 7);
        let now = start - Duration::from_secs(1);
        assert!(now > today, "{start}: it is delayed");
        let of_tomorrow = early(misfire).start_of(tomorrow, 7);

        let created_now = stored(early(misfire), Some(tomorrow)).next_starts(now, 1, &[]);
        assert_eq!(created_now, [of_tomorrow], "{misfire:?}");
        let delayed = stored(early(misfire), Some(today)).next_starts(now, 2, &[]);
        assert_eq!(delayed, [start, of_tomorrow], "{misfire:?}");
    }
}

#[test]
fn a_missed_run_is_among_the_next_starts_when_the_policy_makes_up_for_it() {
    let daily = |misfire| {
        spec(misfire, 3, |text| {
            text.window = Some(WindowText {
                from: "08:00".to_owned(),
                to: "18:00".to_owned(),
            });
        })
    };
    let starts = |misfire, now| -> Vec<String> {
        let missed = stored(daily(misfire), Some(at("2026-05-01T09:00:00Z")));
        missed
            .next_starts(at(now), 3, &[])
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let (night, day) = ("2026-05-02T20:00:00Z", "2026-05-02T12:00:00Z");
    let [eight, nine, day_after] = ["2026-05-03T08:00:00Z", "2026-05-03T09:00:00Z", "2026-05-04T09:00:00Z"];

    assert_eq!(
        starts(Misfire::RunOnce, night),
        [eight, nine, day_after],
        "two missed ones are one run"
    );
    assert_eq!(starts(Misfire::RunAll, night), [eight, eight, nine]);
    assert_eq!(starts(Misfire::RunAll, day), [day, day, nine]);
    assert_eq!(starts(Misfire::Skip, night)[..2], [nine, day_after]);
}

#[test]
fn a_run_that_took_place_before_the_clock_was_set_back_is_none_of_the_next_ones() {
    let daily = stored(spec(Misfire::RunOnce, 1, |_| {}), Some(at("2026-05-04T09:00:00Z")));
    let ran = ["2026-05-01T09:00:00Z", "2026-05-03T09:00:00Z"].map(at);

    let starts = daily.next_starts(at("2026-05-01T08:00:00Z"), 3, &ran);

    let wanted = ["2026-05-02T09:00:00Z", "2026-05-04T09:00:00Z", "2026-05-05T09:00:00Z"];
    assert_eq!(starts, wanted.map(at));
}

#[test]
fn a_delay_ends_with_the_window_also_on_the_day_of_a_clock_change() {
    // Warsaw goes from 02:00 to 03:00 on 2027-03-28, and from 03:00 back to 02:00 on 2027-10-31, both at 01:00 UTC.
    for (cron, (from, to), planned, closing) in [
        (
            "30 1 28 3 *",
            ("00:00", "03:00"),
            "2027-03-28T00:30:00Z",
            "2027-03-28T01:00:00Z",
        ),
        (
            "30 1 28 3 *",
            ("00:00", "02:30"),
            "2027-03-28T00:30:00Z",
            "2027-03-28T01:00:00Z",
        ),
        (
            "30 23 27 3 *",
            ("22:00", "02:30"),
            "2027-03-27T22:30:00Z",
            "2027-03-28T01:00:00Z",
        ),
        (
            "40 2 31 10 *",
            ("01:00", "03:00"),
            "2027-10-31T00:40:00Z",
            "2027-10-31T02:00:00Z",
        ),
    ] {
        let jittered = spec(Misfire::RunOnce, 1, |text| {
            text.times = None;
            text.cron = Some(cron.to_owned());
            text.time_zone = "Europe/Warsaw".to_owned();
            text.window = Some(WindowText {
                from: from.to_owned(),
                to: to.to_owned(),
            });
            text.jitter_s = 3600;
        });
        let (planned, closing) = (at(planned), at(closing));
        assert_eq!(jittered.recurrence.first_from(planned), Some(planned), "{cron}");
        let latest = (0..2000).map(|seed| jittered.start_of(planned, seed)).max().unwrap();
        let bound = closing.min(planned + Duration::from_secs(3601));
        assert!(latest < bound, "{cron}: {latest}");
        assert!(
            latest >= bound - Duration::from_secs(60),
            "{cron}: {latest}, all of the time is used"
        );
    }
    // The window itself is skipped: what the clock would have shown within it starts at once.
    let skipped = spec(Misfire::Skip, 1, |text| {
        text.times = None;
        text.cron = Some("30 2 28 3 *".to_owned());
        text.time_zone = "Europe/Warsaw".to_owned();
        text.window = Some(WindowText {
            from: "02:15".to_owned(),
            to: "02:45".to_owned(),
        });
        text.jitter_s = 3600;
    });
    let planned = at("2027-03-28T01:00:00Z");
    for seed in 0..100 {
        assert_eq!(skipped.start_of(planned, seed), planned);
        assert_eq!(
            skipped.judge(planned, seed, planned + Duration::from_secs(1)),
            Verdict::Run(planned)
        );
    }
}

proptest! {
    #[test]
    fn a_start_stays_within_the_window(
        from in 0u16..1440, length in 2u16..600, seed: u64, jitter in 0u32..=3600, zone in 0usize..4, hours in 0i64..9000,
    ) {
        let time = |minute: u16| format!("{:02}:{:02}", minute % 1440 / 60, minute % 60);
        let narrow = spec(Misfire::RunOnce, 1, |text| {
            every_minute(text);
            text.time_zone = ["UTC", "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe"][zone].to_owned();
            text.jitter_s = jitter;
            text.window = Some(WindowText { from: time(from), to: time(from + length) });
        });
        let after = at("2026-05-01T00:00:00Z") + jiff::SignedDuration::from_hours(hours);
        let planned = narrow.recurrence.next_after(after).unwrap();
        let start = narrow.start_of(planned, seed);
        prop_assert!(start >= planned);
        // A window that spring skips is open at no instant.
        let skipped = narrow.recurrence.opening(planned) > planned;
        prop_assert!(narrow.recurrence.opening(start) == start || skipped && start == planned);
    }

    /// What `skip` leaves out was due more than a minute ago, what it runs was not, however the delays overlap.
    #[test]
    fn f21_what_is_left_out_was_late_by_its_own_delay(
        off_minutes in 0i64..500, jitter in 0u32..=3600, step in 1u8..60, seed: u64,
    ) {
        let often = spec(Misfire::Skip, 1, |text| {
            text.times = None;
            text.cron = Some(format!("*/{step} * * * *"));
            text.jitter_s = jitter;
        });
        let first = at("2026-01-01T00:00:00Z");
        let now = first + jiff::SignedDuration::from_secs(off_minutes * 60 + 61);
        let mut next = first;
        loop {
            // A run waits for the ones before it: the latest of their starts is its own.
            let mut start = Timestamp::MIN;
            let mut before = often.recurrence.first_from(next - jiff::SignedDuration::from_hours(1)).unwrap();
            while before <= next {
                start = start.max(often.start_of(before, seed));
                before = often.recurrence.next_after(before).unwrap();
            }
            let late = start + MISFIRE_GRACE < now;
            let dealt_with = match often.judge(next, seed, now) {
                Verdict::Wait(until) => { prop_assert!(until > now && !late); break }
                Verdict::Run(planned) => { prop_assert!(planned == next && !late); planned }
                Verdict::Skip(planned) => { prop_assert!(planned >= next && late); planned }
            };
            next = often.recurrence.next_after(dealt_with).unwrap();
        }
    }

    /// F21: however long it was off, what is made up for is what the policy says: never a burst.
    #[test]
    fn f21_a_catch_up_never_bursts(off_hours in 0i64..2000, cap in 1u32..20, misfire in 0usize..3, step in 1u8..60) {
        let misfire = Misfire::ALL[misfire];
        let often = spec(misfire, cap, |text| {
            text.times = None;
            text.cron = Some(format!("*/{step} * * * *"));
        });
        let mut next = at("2026-01-01T00:00:00Z");
        let now = next + jiff::SignedDuration::from_hours(off_hours) + jiff::SignedDuration::from_secs(61);
        let mut runs: Vec<Timestamp> = Vec::new();
        loop {
            let dealt_with = match often.judge(next, 7, now) {
                Verdict::Wait(_) => break,
                Verdict::Run(planned) => { runs.push(planned); planned }
                Verdict::Skip(planned) => planned,
            };
            prop_assert!(dealt_with >= next, "never back");
            next = often.recurrence.next_after(dealt_with).unwrap();
        }
        let most = match misfire {
            Misfire::RunOnce => 1,
            // Those of the last minute are not late, and there may be two of them.
            Misfire::Skip => 2,
            Misfire::RunAll => usize::try_from(cap).unwrap() + 2,
        };
        prop_assert!(runs.len() <= most, "{runs:?}");
        prop_assert!(runs.is_sorted());
        prop_assert!(next > now, "nothing is left over");
    }
}
