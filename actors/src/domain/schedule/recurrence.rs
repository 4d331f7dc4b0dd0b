//! When a schedule's runs are planned: a cron expression or times of day, on days, within a window, by a zone's clock.
//!
//! Each time that a clock in the zone shows counts once: one that is skipped in spring is the first instant after the
//! gap, one that occurs twice in autumn is its first occurrence.

use jiff::{
    civil::{Date, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use super::{TimeOfDay, cron::Cron, instant_of, parse_zone};
use crate::domain::{FieldError, Timestamp};

/// Largest random delay of a run, seconds.
pub const JITTER_MAX_S: u32 = 3600;
/// Most times of one day that are named one by one: every five minutes. More are a cron expression.
const TIMES_MAX: usize = 288;
/// A 29th of February on a given day of the week comes back after 40 years at most (28, or 40 over a year like 2100):
/// what does not run within so many days never does.
const HORIZON_DAYS: usize = 41 * 366;
/// Names of days, in the order of their bits.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const ALL_DAYS: u8 = 0x7f;

/// A recurrence as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecurrenceText {
    /// Five fields; or `times`.
    pub cron: Option<String>,
    /// `HH:MM` each; or `cron`.
    pub times: Option<Vec<String>>,
    /// IANA name.
    pub time_zone: String,
    /// `mon` to `sun`; empty: all.
    pub days: Vec<String>,
    /// Within which runs may start.
    pub window: Option<WindowText>,
    /// Largest random delay, seconds.
    pub jitter_s: u32,
}

/// From when (included) to when (excluded) runs may start; it may pass midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowText {
    /// `HH:MM`
    pub from: String,
    /// `HH:MM`
    pub to: String,
}

/// A recurrence that can be asked when it is next.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    text: RecurrenceText,
    zone: TimeZone,
    cron: Option<Cron>,
    /// Bit 0 is Monday.
    days: u8,
    window: Option<Window>,
    /// Minutes of the day, sorted, those outside the window left out.
    minutes: Vec<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: u16,
    to: u16,
}

impl Recurrence {
    /// Parses it, and sees that it has a run after `now`.
    ///
    /// # Errors
    /// Every fault, by field.
    pub fn parse(text: RecurrenceText, now: Timestamp) -> Result<Self, Vec<FieldError>> {
        let parsed = Self::compile(text)?;
        if parsed.next_after(now).is_some() {
            return Ok(parsed);
        }
        let field = if parsed.cron.is_some() { "cron" } else { "times" };
        let message = if parsed.days == ALL_DAYS {
            "never fires: no such day comes"
        } else {
            "never fires: none of its days is among \"days\""
        };
        Err(vec![fault(field, message)])
    }

    /// Parses it; it may be over.
    ///
    /// # Errors
    /// Every fault, by field.
    pub fn compile(text: RecurrenceText) -> Result<Self, Vec<FieldError>> {
        let mut faults = Vec::new();
        let zone = parse_zone(&text.time_zone).map_err(|error| faults.push(fault("time_zone", error.to_string())));
        let days = parse_days(&text.days, &mut faults);
        let window = text
            .window
            .as_ref()
            .and_then(|window| parse_window(window, &mut faults));
        if text.jitter_s > JITTER_MAX_S {
            faults.push(fault(
                "jitter_s",
                format!("must be a whole number from 0 to {JITTER_MAX_S}"),
            ));
        }
        let (cron, mut minutes) = parse_times(&text, &mut faults);
        let all = minutes.len();
        minutes.retain(|minute| window.is_none_or(|window| window.holds(*minute)));
        if all > 0 && minutes.is_empty() {
            let field = if cron.is_some() { "cron" } else { "times" };
            faults.push(fault(
                "window",
                format!("holds no time of {field}: no run could ever start"),
            ));
        }
        match zone {
            Ok(zone) if faults.is_empty() => Ok(Self {
                text,
                zone,
                cron,
                days,
                window,
                minutes,
            }),
            _ => Err(faults),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &RecurrenceText {
        &self.text
    }

    /// Whether it plans the same runs with the same delays as another one, however the two are written.
    #[must_use]
    pub fn plans_as(&self, other: &Self) -> bool {
        let plan = |of: &Self| (of.days, of.window, of.text.jitter_s);
        self.zone == other.zone && self.cron == other.cron && self.minutes == other.minutes && plan(self) == plan(other)
    }

    /// The first planned instant after this one.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut date = self.zone.to_datetime(after).date();
        for _ in 0..HORIZON_DAYS {
            if self.runs_on(date) {
                // Instants of a day's times are in the order of the times: a gap or a repeated hour only joins some.
                let passed = |minute: &u16| self.instant(date, *minute).is_none_or(|instant| instant <= after);
                let place = self.minutes.partition_point(passed);
                if let Some(minute) = self.minutes.get(place) {
                    return self.instant(date, *minute);
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The first planned instant that is not before this one.
    #[must_use]
    pub fn first_from(&self, from: Timestamp) -> Option<Timestamp> {
        let before = from.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()?;
        self.next_after(before)
    }

    /// `now` if a run may start at it, else when one may: the days and the window decide. A window that opens on one of
    /// the days and passes midnight is open until it closes.
    #[must_use]
    pub fn opening(&self, now: Timestamp) -> Timestamp {
        let today = self.zone.to_datetime(now).date();
        let first = today.yesterday().unwrap_or(today);
        for date in first.series(jiff::Span::new().days(1)).take(DAYS.len() + 2) {
            if !self.is_day(date) {
                continue;
            }
            for (from, to) in self.window.map_or([(0, 1440), (0, 0)], Window::openings) {
                let (start, end) = (self.instant(date, from), self.instant(date, to));
                if let (Some(start), Some(end)) = (start, end)
                    && now < end
                    && start < end
                {
                    return start.max(now);
                }
            }
        }
        now
    }

    /// The zone whose clock counts.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// When the window that holds this planned instant closes; `None`: it never does. A window that spring skips closes
    /// at the end of the gap, which is the planned instant itself.
    pub(super) fn closing(&self, planned: Timestamp) -> Option<Timestamp> {
        let to = self.window?.to;
        // Instants, not what clocks show: on the day of a change the two are not equally far apart. The day before is
        // looked at too, since after a skipped day the clock shows the next one.
        let first = self.zone.to_datetime(planned).date().yesterday().ok()?;
        let days = first.series(jiff::Span::new().days(1)).take(3);
        days.filter_map(|date| self.instant(date, to))
            .find(|closing| *closing >= planned)
    }

    fn runs_on(&self, date: Date) -> bool {
        self.is_day(date) && self.cron.as_ref().is_none_or(|cron| cron.runs_on(date))
    }

    fn is_day(&self, date: Date) -> bool {
        self.days >> monday_first(date.weekday()) & 1 == 1
    }

    /// Minute 1440 is the next midnight, and those after it are of the next day.
    fn instant(&self, date: Date, minute: u16) -> Option<Timestamp> {
        let date = if minute < 1440 { date } else { date.tomorrow().ok()? };
        let (hour, minute) = (minute % 1440 / 60, minute % 60);
        let shown = date.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
        instant_of(shown, &self.zone)
    }
}

impl Window {
    fn holds(self, minute: u16) -> bool {
        self.parts().iter().any(|(from, to)| (*from..*to).contains(&minute))
    }

    /// The parts of it that lie within one day, the earlier first; the second may be empty.
    fn parts(self) -> [(u16, u16); 2] {
        if self.from < self.to {
            [(self.from, self.to), (0, 0)]
        } else {
            [(0, self.to), (self.from, 1440)]
        }
    }

    /// When it is open on a day, and when what opens on it closes, be it on the next day.
    fn openings(self) -> [(u16, u16); 2] {
        match self.parts() {
            parts @ [_, (0, 0)] => parts,
            [before, (from, midnight)] => [before, (from, midnight + self.to)],
        }
    }
}

fn monday_first(weekday: Weekday) -> u8 {
    weekday.to_monday_zero_offset().unsigned_abs()
}

fn fault(field: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError {
        field: field.into(),
        message: message.into(),
    }
}

fn parse_days(names: &[String], faults: &mut Vec<FieldError>) -> u8 {
    let mut days = 0;
    for (place, name) in names.iter().enumerate() {
        match DAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim())) {
            Some(bit) => days |= 1 << bit,
            None => faults.push(fault(
                format!("days[{place}]"),
                format!("must be one of: {}", DAYS.join(", ")),
            )),
        }
    }
    if names.is_empty() { ALL_DAYS } else { days }
}

fn minute_of(time: TimeOfDay) -> u16 {
    u16::from(time.hour.unsigned_abs()) * 60 + u16::from(time.minute.unsigned_abs())
}

fn parse_window(window: &WindowText, faults: &mut Vec<FieldError>) -> Option<Window> {
    let mut read = |name: &str, text: &str| {
        let time =
            TimeOfDay::parse(text).map_err(|error| faults.push(fault(format!("window.{name}"), error.to_string())));
        time.ok().map(minute_of)
    };
    let (from, to) = (read("from", &window.from), read("to", &window.to));
    let (from, to) = (from?, to?);
    if from == to {
        let message = "is the same as window.to: the window is empty; leave the window out to allow the whole day";
        faults.push(fault("window.from", message));
        return None;
    }
    Some(Window { from, to })
}

fn parse_times(text: &RecurrenceText, faults: &mut Vec<FieldError>) -> (Option<Cron>, Vec<u16>) {
    match (&text.cron, &text.times) {
        (Some(_), Some(_)) => {
            faults.push(fault("times", "cannot stand beside cron: say when in one of them"));
            (None, Vec::new())
        }
        (None, None) => {
            let message = "is required, or times: say when, e.g. \"30 9 * * mon-fri\" or [\"09:30\"]";
            faults.push(fault("cron", message));
            (None, Vec::new())
        }
        (Some(cron), None) => match Cron::parse(cron) {
            Ok(cron) => {
                let minutes = cron.minutes_of_day().collect();
                (Some(cron), minutes)
            }
            Err(problem) => {
                faults.push(fault("cron", problem));
                (None, Vec::new())
            }
        },
        (None, Some(times)) => (None, parse_list(times, faults)),
    }
}

fn parse_list(times: &[String], faults: &mut Vec<FieldError>) -> Vec<u16> {
    if !(1..=TIMES_MAX).contains(&times.len()) {
        let message = format!("must name 1 to {TIMES_MAX} times of day; for more write a cron expression");
        faults.push(fault("times", message));
        return Vec::new();
    }
    let mut minutes = Vec::with_capacity(times.len());
    for (place, time) in times.iter().enumerate() {
        match TimeOfDay::parse(time) {
            Ok(time) => minutes.push(minute_of(time)),
            Err(error) => faults.push(fault(format!("times[{place}]"), error.to_string())),
        }
    }
    minutes.sort_unstable();
    minutes.dedup();
    minutes
}

#[cfg(test)]
mod tests;
