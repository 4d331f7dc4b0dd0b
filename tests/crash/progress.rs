//! How far the controller has come with each phone, over all its lives, and where each of them ended: by that a run is
//! repeated, on a machine of any speed.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    disk::{Count, Disk},
    storm::pass,
};

/// A phone on which the controller does not act for so long has nothing to do.
const QUIET: Duration = Duration::from_millis(1_500);

/// Where a life ended, seen from one phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    /// Whether it had come to this phone; else all that it had got through is counted.
    pub at_phone: bool,
    /// Acts on the phone, each counted before and after it was sent; or syncs and messages.
    pub places: u64,
    /// How long it lived on, in microseconds.
    pub delay: u64,
}

impl Death {
    fn seen_from(phone: Count, all: Count) -> Self {
        let at_phone = phone.places > 0;
        let count = if at_phone { phone } else { all };
        Self {
            at_phone,
            places: count.places.max(1),
            delay: all.last.saturating_sub(count.last),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { places, delay, .. } = self;
        let start = if self.at_phone { "" } else { "s" };
        write!(out, "{start}{places}+{delay}")
    }
}

impl FromStr for Death {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not where a life ended: 120+35, or s15+0 before it came to the phone");
        let (places, delay) = text.split_once('+').ok_or_else(wrong)?;
        Ok(Self {
            at_phone: !places.starts_with('s'),
            places: places.trim_start_matches('s').parse().map_err(|_| wrong())?,
            delay: delay.parse().map_err(|_| wrong())?,
        })
    }
}

/// All lives so far.
pub struct Progress {
    disk: Disk,
    serials: Vec<String>,
    past: Mutex<Past>,
}

#[derive(Default)]
struct Past {
    places: HashMap<String, u64>,
    deaths: HashMap<String, Vec<Death>>,
}

impl Progress {
    /// What came before does not count.
    pub fn new(disk: &Disk, serials: impl Iterator<Item = String>) -> Self {
        disk.forget_counts();
        Self {
            disk: disk.clone(),
            serials: serials.collect(),
            past: Mutex::default(),
        }
    }

    /// Takes down where a life has ended.
    pub fn end_life(&self) {
        let mut past = self.past.lock().unwrap();
        let all = self.disk.counted("");
        for serial in &self.serials {
            let count = self.disk.counted(serial);
            *past.places.entry(serial.clone()).or_default() += count.places;
            let deaths = past.deaths.entry(serial.clone()).or_default();
            deaths.push(Death::seen_from(count, all));
        }
        self.disk.forget_counts();
    }

    /// What all lives have got through with a phone.
    fn places(&self, serial: &str) -> u64 {
        let past = self.past.lock().unwrap();
        past.places.get(serial).copied().unwrap_or_default() + self.disk.counted(serial).places
    }

    /// Waits until it is so much, the phone has nothing to do, or all is over.
    pub fn reach(&self, serial: &str, places: u64, over: &AtomicBool) {
        let mut seen = (0, Instant::now());
        loop {
            let now = self.places(serial);
            if now != seen.0 {
                seen = (now, Instant::now());
            }
            if now >= places || seen.1.elapsed() > QUIET || over.load(Ordering::Acquire) {
                return;
            }
            pass(Duration::from_millis(2));
        }
    }

    /// Where all lives ended, as seen from each phone: a line each, as a run that repeats them wants it.
    pub fn deaths(&self) -> Vec<(String, String)> {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |serial: &String| {
            let deaths = past.deaths.get(serial).map_or(&[][..], Vec::as_slice);
            let deaths: Vec<String> = deaths.iter().map(Death::to_string).collect();
            (serial.clone(), deaths.join(","))
        };
        self.serials.iter().map(line).collect()
    }
}

#[test]
fn where_a_life_ended_is_read_as_it_was_written() {
    let [none, phone, all] = [(0, 0), (12, 100), (80, 350)].map(|(places, last)| Count { places, last });
    for (count, text) in [(phone, "12+250"), (none, "s80+0")] {
        let death = Death::seen_from(count, all);
        assert_eq!(death.to_string(), text);
        assert_eq!(text.parse(), Ok(death));
    }
    for wrong in ["", "12", "x+1", "12+", "ss+3"] {
        wrong.parse::<Death>().expect_err(wrong);
    }
}
