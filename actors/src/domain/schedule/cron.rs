//! Cron expressions of five fields, as crontab(5) writes them: minute, hour, day of month, month, day of week.

use jiff::civil::{Date, Weekday};

/// A parsed expression. Each field is a set of bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Bit 0 is Sunday.
    weekdays: u64,
    /// `L`: the last day of the month.
    last_day: bool,
    /// Whether both fields of days say something: then either of them is enough (crontab(5)).
    either_day: bool,
}

struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    /// Names of its values from `least` on.
    names: &'static [&'static str],
}

const MINUTE: Field = Field::of("minute", 0, 59, &[]);
const HOUR: Field = Field::of("hour", 0, 23, &[]);
const DAY: Field = Field::of("day of month", 1, 31, &[]);
const MONTH: Field = Field::of(
    "month",
    1,
    12,
    &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
);
/// 7 is Sunday too.
const WEEKDAY: Field = Field::of("day of week", 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]);

impl Cron {
    /// Parses `minute hour day-of-month month day-of-week`: `*`, numbers, names of months and days, ranges, lists,
    /// steps, `L` for the last day of a month.
    ///
    /// # Errors
    /// Names the field and what it takes.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!(
                "has {} fields; write five: minute, hour, day of month, month, day of week, e.g. \"30 9 * * mon-fri\"",
                fields.len()
            ));
        };
        let (days, last_day) = parse_days(day)?;
        let weekdays = WEEKDAY.parse(weekday)?;
        Ok(Self {
            minutes: MINUTE.parse(minute)?,
            hours: HOUR.parse(hour)?,
            days,
            months: MONTH.parse(month)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            last_day,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        })
    }

    /// The minutes of a day (0 to 1439) at which it fires, in order.
    pub(super) fn minutes_of_day(&self) -> impl Iterator<Item = u16> {
        (0..24 * 60).filter(|minute| has(self.hours, minute / 60) && has(self.minutes, minute % 60))
    }

    /// Whether it fires on this day.
    pub(super) fn runs_on(&self, date: Date) -> bool {
        if !has(self.months, date.month().unsigned_abs().into()) {
            return false;
        }
        let last = self.last_day && date.day() == date.days_in_month();
        let by_day = last || has(self.days, date.day().unsigned_abs().into());
        let by_weekday = has(self.weekdays, sunday_first(date.weekday()));
        if self.either_day {
            by_day || by_weekday
        } else {
            by_day && by_weekday
        }
    }
}

fn has(set: u64, bit: u16) -> bool {
    set >> bit & 1 == 1
}

fn sunday_first(weekday: Weekday) -> u16 {
    weekday.to_sunday_zero_offset().unsigned_abs().into()
}

fn parse_days(text: &str) -> Result<(u64, bool), String> {
    let (last, others): (Vec<&str>, Vec<&str>) = text.split(',').partition(|part| part.eq_ignore_ascii_case("l"));
    if others.is_empty() {
        return Ok((0, true));
    }
    Ok((DAY.parse(&others.join(","))?, !last.is_empty()))
}

impl Field {
    const fn of(name: &'static str, least: u8, most: u8, names: &'static [&'static str]) -> Self {
        Self {
            name,
            least,
            most,
            names,
        }
    }

    fn parse(&self, text: &str) -> Result<u64, String> {
        text.split(',')
            .try_fold(0, |set, part| Ok(set | self.parse_part(part)?))
    }

    /// `*`, `a`, `a-b`, each with `/step`; `a/step` means from `a` on.
    fn parse_part(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step).ok_or_else(|| self.problem(part))?)),
            None => (part, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (self.least, self.most),
            (_, Some((from, to))) => (self.value(from, part)?, self.value(to, part)?),
            (single, None) => {
                let from = self.value(single, part)?;
                (from, if step.is_some() { self.most } else { from })
            }
        };
        if from > to {
            return Err(format!("{}: the range {part} runs backwards", self.name));
        }
        let step = usize::from(step.unwrap_or(1));
        Ok((from..=to).step_by(step).fold(0, |set, value| set | 1 << value))
    }

    fn step(&self, text: &str) -> Option<u8> {
        number(text).filter(|step| (1..=self.most).contains(step))
    }

    fn value(&self, text: &str, part: &str) -> Result<u8, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|place| self.least.checked_add(u8::try_from(place).ok()?));
        named
            .or_else(|| number(text))
            .filter(|value| (self.least..=self.most).contains(value))
            .ok_or_else(|| self.problem(part))
    }

    fn problem(&self, part: &str) -> String {
        let part: String = part.chars().take(20).collect();
        let names = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        format!(
            "{}: {part:?} is none; write *, {} to {}{names}, ranges (a-b), lists (a,b) or steps (*/n)",
            self.name, self.least, self.most
        )
    }
}

/// One or two digits: `parse` would also take a sign.
fn number(text: &str) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &str) -> Vec<u16> {
        Cron::parse(text).unwrap().minutes_of_day().collect()
    }

    fn days(text: &str, year: i16, month: i8) -> Vec<i8> {
        let cron = Cron::parse(text).unwrap();
        let first = Date::new(year, month, 1).unwrap();
        let days = first
            .series(jiff::Span::new().days(1))
            .take_while(|date| date.month() == month);
        days.filter(|date| cron.runs_on(*date)).map(Date::day).collect()
    }

    #[test]
    fn minutes_and_hours_are_numbers_ranges_lists_and_steps() {
        for (text, wanted) in [
            ("0 0 * * *", vec![0]),
            ("59 23 * * *", vec![1439]),
            ("5,10 1-2 * * *", vec![65, 70, 125, 130]),
            ("*/20 0 * * *", vec![0, 20, 40]),
            ("50/4 0 * * *", vec![50, 54, 58]),
            ("10-20/5 0 * * *", vec![10, 15, 20]),
            ("07 09 * * *", vec![547]),
        ] {
            assert_eq!(times(text), wanted, "{text}");
        }
        assert_eq!(times("* * * * *").len(), 1440);
    }

    #[test]
    fn days_are_numbers_names_and_the_last_one() {
        // 2026-05-01 is a Friday.
        for (text, wanted) in [
            ("0 0 31 * *", vec![31]),
            ("0 0 L * *", vec![31]),
            ("0 0 1,L * *", vec![1, 31]),
            ("0 0 * * sun", vec![3, 10, 17, 24, 31]),
            ("0 0 * * 0", vec![3, 10, 17, 24, 31]),
            ("0 0 * * 7", vec![3, 10, 17, 24, 31]),
            ("0 0 * * sat-7", vec![2, 3, 9, 10, 16, 17, 23, 24, 30, 31]),
            ("0 0 * MAY Mon", vec![4, 11, 18, 25]),
            // Both fields of days: either is enough.
            ("0 0 13 * fri", vec![1, 8, 13, 15, 22, 29]),
            // A field that begins with * does not count as one that says something.
            ("0 0 */10 * fri", vec![1]),
            ("0 0 1 6 *", vec![]),
        ] {
            assert_eq!(days(text, 2026, 5), wanted, "{text}");
        }
        assert_eq!(days("0 0 L * *", 2028, 2), [29]);
    }

    #[test]
    fn what_is_no_expression_is_refused_with_the_field_and_the_mend() {
        for (text, named) in [
            ("", "five"),
            ("* * * *", "has 4 fields"),
            ("* * * * * *", "has 6 fields"),
            ("60 * * * *", "minute"),
            ("* 24 * * *", "hour"),
            ("* * 0 * *", "day of month"),
            ("* * 32 * *", "day of month"),
            ("* * * 13 *", "month"),
            ("* * * * 8", "day of week"),
            ("* * * * monday", "day of week"),
            ("*/0 * * * *", "minute"),
            ("*/x * * * *", "minute"),
            ("5-1 * * * *", "backwards"),
            ("1, * * * *", "minute"),
            ("+5 * * * *", "minute"),
            ("* * * * L", "day of week"),
            ("@daily", "has 1 fields"),
            ("٥ * * * *", "minute"),
            ("1-2-3 * * * *", "minute"),
        ] {
            let problem = Cron::parse(text).unwrap_err();
            assert!(problem.contains(named), "{text}: {problem}");
        }
    }
}
