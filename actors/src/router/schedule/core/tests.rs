//! The heap under clocks that are set: a store of keys stands in for the real one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    domain::schedule::{Misfire, Recurrence, RecurrenceText, ScheduleSpec, WindowText},
    testing::conformance::schedules::spec,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn daily(misfire: Misfire, zone: &str) -> ScheduleSpec {
    let text = RecurrenceText {
        times: Some(["09:00", "18:30"].map(str::to_owned).to_vec()),
        time_zone: zone.to_owned(),
        ..RecurrenceText::default()
    };
    ScheduleSpec {
        recurrence: Recurrence::compile(text).unwrap(),
        misfire,
        ..spec("daily")
    }
}

fn stored(spec: ScheduleSpec, next: &str) -> Schedule {
    Schedule {
        id: ScheduleId(1),
        revision: 1,
        spec,
        seed: 7,
        next: Some(at(next)),
        planned_since: at("2020-01-01T00:00:00Z"),
        created_at: at("2026-05-01T00:00:00Z"),
        updated_at: at("2026-05-01T00:00:00Z"),
    }
}

/// A schedule, its clocks, and the runs that were stored: how often each instant's tasks were created, and when.
struct World {
    core: ScheduleCore,
    now: Now,
    runs: BTreeMap<Timestamp, Vec<Timestamp>>,
    skipped: Vec<Timestamp>,
}

impl World {
    fn new(schedule: Schedule, wall: &str) -> Self {
        let now = Now {
            wall: at(wall),
            mono: Duration::from_secs(100),
        };
        let mut core = ScheduleCore::default();
        core.on_loaded(schedule, now);
        Self {
            core,
            now,
            runs: BTreeMap::new(),
            skipped: Vec::new(),
        }
    }

    fn jump(&mut self, seconds: i64) {
        self.now.wall += SignedDuration::from_secs(seconds);
        self.look();
    }

    fn pass(&mut self, time: Duration, step: Duration) {
        let end = self.now.mono + time;
        while self.now.mono < end {
            self.now.mono += step;
            self.now.wall += step;
            self.look();
        }
    }

    fn look(&mut self) {
        loop {
            let due = self.core.due(self.now);
            if due.is_empty() {
                return;
            }
            for run in due {
                if run.skipped {
                    self.skipped.push(run.planned_at);
                } else {
                    // As the store does: one run for each instant.
                    self.runs.entry(run.planned_at).or_insert_with(|| vec![self.now.wall]);
                }
                self.core.on_run_stored(&run, self.now);
            }
        }
    }

    fn planned(&self) -> Vec<String> {
        self.runs.keys().map(ToString::to_string).collect()
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * 3600;

#[test]
fn a_time_of_day_runs_once_though_the_clock_is_set_an_hour_or_a_day_back_or_forth_and_corrected() {
    for jump in [HOUR_S, -HOUR_S, DAY_S, -DAY_S, 400 * DAY_S, -400 * DAY_S] {
        // Before and after the run of 09:00.
        for first in [HOUR * 5 / 2, HOUR * 4] {
            let mut world = World::new(
                stored(daily(Misfire::RunOnce, "UTC"), "2026-05-01T09:00:00Z"),
                "2026-05-01T06:00:00Z",
            );

            world.pass(first, MINUTE);
            world.jump(jump);
            world.pass(MINUTE * 5, MINUTE);
            world.jump(-jump);
            world.pass(HOUR * 48 - first, MINUTE);

            let of_two_days = [
                "2026-05-01T09:00:00Z",
                "2026-05-01T18:30:00Z",
                "2026-05-02T09:00:00Z",
                "2026-05-02T18:30:00Z",
            ];
            let planned = world.planned();
            for wanted in of_two_days {
                let covered = planned.iter().any(|planned| planned == wanted);
                // A day that was jumped over is one run, which is the latest of them.
                assert!(covered, "{jump} s after {first:?}: {wanted} is not among {planned:?}");
            }
            // Of the years jumped over there is one run, if any.
            assert!(planned.len() <= 5, "{jump} s after {first:?}: {planned:?}");
        }
    }
}

#[test]
fn a_clock_that_steps_back_five_seconds_each_minute_runs_each_time_once_and_on_time() {
    let mut world = World::new(
        stored(daily(Misfire::Skip, "UTC"), "2026-05-01T09:00:00Z"),
        "2026-05-01T06:00:00Z",
    );
    for _ in 0..24 * 60 {
        world.pass(MINUTE, Duration::from_secs(1));
        world.jump(-5);
    }

    assert_eq!(world.planned(), ["2026-05-01T09:00:00Z", "2026-05-01T18:30:00Z"]);
    for (planned, fired) in &world.runs {
        assert!(
            fired[0].duration_since(*planned) <= SignedDuration::from_secs(2),
            "{planned}: {fired:?}"
        );
    }
    assert_eq!(world.skipped, []);
}

#[test]
fn a_run_that_waits_for_the_longer_delay_of_the_one_before_is_not_missed() {
    let mut often = daily(Misfire::Skip, "UTC");
    let text = RecurrenceText {
        cron: Some("*/5 * * * *".to_owned()),
        times: None,
        jitter_s: 3600,
        ..often.recurrence.text().clone()
    };
    often.recurrence = Recurrence::compile(text).unwrap();
    let mut world = World::new(stored(often, "2026-05-01T06:05:00Z"), "2026-05-01T06:00:00Z");

    world.pass(HOUR * 12, Duration::from_secs(1));

    assert_eq!(world.skipped, []);
    assert!(world.runs.len() > 130, "{}", world.runs.len());
}

#[test]
fn a_schedule_whose_next_run_was_stored_under_a_wrong_clock_is_planned_anew() {
    let far = stored(daily(Misfire::RunOnce, "UTC"), "2099-01-01T09:00:00Z");
    let mut world = World::new(far, "2026-05-01T06:00:00Z");
    world.pass(HOUR * 4, MINUTE);
    assert_eq!(world.planned(), ["2026-05-01T09:00:00Z"]);

    // An instant that is none of the recurrence, as after a change of the zone's rules.
    let odd = stored(daily(Misfire::RunOnce, "UTC"), "2026-05-01T08:17:00Z");
    let mut world = World::new(odd, "2026-05-01T06:00:00Z");
    world.pass(HOUR * 4, MINUTE);
    assert_eq!(world.planned(), ["2026-05-01T09:00:00Z"]);
}

#[test]
fn a_run_that_could_not_be_stored_comes_again_and_an_older_revision_is_forgotten() {
    let schedule = stored(daily(Misfire::RunOnce, "UTC"), "2026-05-01T09:00:00Z");
    let mut core = ScheduleCore::default();
    let now = |text: &str, mono| Now {
        wall: at(text),
        mono: Duration::from_secs(mono),
    };
    core.on_loaded(schedule.clone(), now("2026-05-01T08:59:59Z", 1));
    assert_eq!(
        core.next_wake(now("2026-05-01T08:59:59.5Z", 1)),
        Some(Duration::from_millis(500))
    );
    let nine = now("2026-05-01T09:00:00Z", 2);

    let due = core.due(nine);
    assert_eq!(due.len(), 1);
    assert_eq!(core.due(nine), [], "not again while it is being stored");
    core.on_run_failed(&due[0], nine);
    assert_eq!(core.due(nine), [], "not before the pause");
    let later = now("2026-05-01T09:00:01Z", 3);
    assert_eq!(core.due(later), due);

    let edited = Schedule {
        revision: 2,
        ..schedule.clone()
    };
    core.on_stored(edited.clone(), later);
    core.on_run_stored(&due[0], later);
    let again = core.due(later);
    assert_eq!(again.len(), 1, "the old run was not stored: the new revision has it");
    assert_eq!(again[0].schedule.revision, 2);
    core.on_loaded(schedule, later);
    assert_eq!(core.run_by_hand(ScheduleId(1), later).unwrap().schedule.revision, 2);

    core.on_removed(ScheduleId(1));
    core.on_run_stored(&again[0], later);
    assert_eq!(core.next_wake(later), None);
    assert!(core.run_by_hand(ScheduleId(1), later).is_none());
}

/// Created at noon, half an hour after one of its times.
fn since_noon(misfire: Misfire) -> Schedule {
    let text = RecurrenceText {
        times: Some(vec!["11:30".to_owned()]),
        time_zone: "UTC".to_owned(),
        ..RecurrenceText::default()
    };
    let recurrence = Recurrence::compile(text).unwrap();
    Schedule {
        planned_since: at("2026-05-01T12:00:30Z"),
        ..stored(
            ScheduleSpec {
                recurrence,
                ..daily(misfire, "UTC")
            },
            "2026-05-02T11:30:00Z",
        )
    }
}

#[test]
fn f19_a_clock_set_back_and_forth_makes_up_for_no_time_before_a_schedule_was_made() {
    for misfire in Misfire::ALL {
        let mut world = World::new(since_noon(misfire), "2026-05-01T12:00:30Z");
        world.look();
        world.jump(-HOUR_S);
        world.pass(MINUTE, Duration::from_secs(1));
        world.jump(HOUR_S);
        world.pass(MINUTE, Duration::from_secs(1));
        assert_eq!(world.planned(), Vec::<String>::new(), "{misfire:?}");
        assert_eq!(world.skipped, [], "{misfire:?}");

        // Begun anew with a clock that is wrong, which is then put right.
        let mut world = World::new(since_noon(misfire), "2026-05-01T10:00:00Z");
        world.look();
        world.jump(HOUR_S * 3);
        assert_eq!(world.planned(), Vec::<String>::new(), "{misfire:?}");
        world.pass(HOUR * 24, MINUTE);
        assert_eq!(world.planned(), ["2026-05-02T11:30:00Z"], "{misfire:?}");
    }
}

#[test]
fn f19_a_schedule_that_was_made_under_a_clock_far_ahead_runs_on_time_once_the_clock_is_right() {
    let mut world = World::new(since_noon(Misfire::RunOnce), "2026-05-01T12:00:30Z");
    world.look();
    world.jump(-400 * DAY_S);
    world.pass(HOUR * 24, MINUTE);
    assert_eq!(world.planned(), ["2025-03-28T11:30:00Z"]);
    assert_eq!(
        since_noon(Misfire::RunOnce).next_starts(at("2025-03-27T12:00:00Z"), 2, &[]),
        ["2025-03-28T11:30:00Z", "2025-03-29T11:30:00Z"].map(at)
    );
}

#[test]
fn a_disabled_schedule_waits_for_nothing() {
    let schedule = Schedule {
        next: None,
        ..stored(daily(Misfire::RunOnce, "UTC"), "2026-05-01T09:00:00Z")
    };
    let mut world = World::new(schedule, "2026-05-01T06:00:00Z");
    world.pass(HOUR * 30, MINUTE);
    assert_eq!(world.planned(), Vec::<String>::new());
    assert_eq!(world.core.next_wake(world.now), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is told to come is what comes: whatever was missed, however runs are delayed.
    #[test]
    fn the_next_starts_that_are_shown_are_those_that_come(
        jitter in 0u32..=3600, step in 7u8..60, misfire in 0usize..3, off_minutes in 0i64..400, minutes in 0i64..1440,
        from in 0usize..3,
    ) {
        let text = RecurrenceText {
            cron: Some(format!("*/{step} * * * *")),
            time_zone: "Europe/Warsaw".to_owned(),
            window: [None, Some(("08:00", "20:00")), Some(("22:00", "03:00"))][from].map(|(from, to)| WindowText {
                from: from.to_owned(),
                to: to.to_owned(),
            }),
            jitter_s: jitter,
            ..RecurrenceText::default()
        };
        let spec = ScheduleSpec {
            recurrence: Recurrence::compile(text).unwrap(),
            misfire: Misfire::ALL[misfire],
            misfire_cap: 2,
            ..spec("often")
        };
        let now = at("2026-03-28T09:00:00Z") + SignedDuration::from_mins(minutes);
        let next = spec.recurrence.next_after(now - SignedDuration::from_mins(off_minutes)).unwrap();
        let schedule = stored(spec, &next.to_string());
        let shown = schedule.next_starts(now, 5, &[]);
        let mut world = World::new(schedule, &now.to_string());
        world.look();
        let second = Duration::from_secs(1);
        while world.runs.len() < 5 {
            let wait = world.core.next_wake(world.now).unwrap();
            world.pass(wait.max(second), wait.max(second));
        }
        let mut came: Vec<Timestamp> = world.runs.values().flatten().copied().collect();
        came.truncate(5);
        prop_assert_eq!(shown, came);
    }

    /// F19 with F20: whatever was done to the clock, in any of these zones, once it is right again each planned
    /// instant has exactly one run, at its time unless the clock had shown it before.
    #[test]
    fn after_any_jumps_a_right_clock_runs_each_instant_once(
        jumps in prop::collection::vec((1u64..600, -3 * DAY_S..3 * DAY_S), 0..6), misfire in 0usize..3, zone in 0usize..4,
        from in 0i64..400,
    ) {
        let zone = ["UTC", "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe"][zone];
        let spec = ScheduleSpec { misfire_cap: 3, ..daily(Misfire::ALL[misfire], zone) };
        let recurrence = spec.recurrence.clone();
        let start = at("2026-01-01T00:00:00Z") + SignedDuration::from_secs(from * DAY_S);
        let first = recurrence.next_after(start).unwrap();
        let mut world = World::new(stored(spec, &first.to_string()), &start.to_string());
        let mut wrong = 0;
        for (minutes, jump) in jumps {
            world.pass(MINUTE * u32::try_from(minutes).unwrap(), MINUTE);
            wrong += jump;
            world.jump(jump);
        }
        world.pass(HOUR, MINUTE);
        world.jump(-wrong);
        let right = world.now.wall;
        let before = world.runs.clone();

        world.pass(HOUR * 60, MINUTE);

        let mut planned = recurrence.next_after(right);
        while let Some(instant) = planned.filter(|instant| *instant + MINUTE * 2 < world.now.wall) {
            let fired = world.runs.get(&instant).cloned().unwrap_or_default();
            prop_assert_eq!(fired.len(), 1, "{} of {:?}", instant, world.planned());
            let on_time = fired[0].duration_since(instant).abs() <= SignedDuration::from_mins(2);
            prop_assert!(on_time || before.contains_key(&instant), "{instant}: {fired:?}");
            planned = recurrence.next_after(instant);
        }
    }
}
