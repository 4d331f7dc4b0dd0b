//! What is remembered of pictures of screens: by which way each phone gives them cheapest, and the last ones, for all who
//! ask within their age. Pure but for the clock of [`Instant`].

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use farmhand_actors::domain::{ScreenCapture, Serial};
use tokio::sync::Semaphore;

use super::{
    phone::lock,
    settings::{AdbScreens, millis},
};

/// How a picture comes from a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CaptureWay {
    /// All pixels as they are: cheap for the phone, ten megabytes for the cable.
    Raw,
    /// Packed by the phone: cheap for the cable.
    Png,
}

impl CaptureWay {
    /// The command line.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Raw => "screencap",
            Self::Png => "screencap -p",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Raw => Self::Png,
            Self::Png => Self::Raw,
        }
    }
}

/// What pictures of one phone cost, from the command to the pixels.
#[derive(Debug, Default)]
pub(super) struct CaptureCosts {
    raw: Option<Duration>,
    png: Option<Duration>,
    captures: u32,
}

impl CaptureCosts {
    /// The cheaper way; one that was not measured yet first, and the dearer one now and then, because cables and phones
    /// change.
    pub(super) fn choose(&mut self, measure_every: u32) -> CaptureWay {
        self.captures = self.captures.wrapping_add(1);
        let (Some(raw), Some(png)) = (self.raw, self.png) else {
            return if self.raw.is_none() {
                CaptureWay::Raw
            } else {
                CaptureWay::Png
            };
        };
        let cheaper = if raw <= png { CaptureWay::Raw } else { CaptureWay::Png };
        if self.captures.checked_rem(measure_every) == Some(0) {
            cheaper.other()
        } else {
            cheaper
        }
    }

    /// A picture came; the mean with what was known smooths single hiccups.
    pub(super) fn measured(&mut self, way: CaptureWay, took: Duration) {
        let known = self.of(way);
        let mean = known
            .filter(|known| *known < Duration::MAX)
            .map_or(took, |known| (known + took) / 2);
        *known = Some(mean);
    }

    /// The phone does not know this way; tried again when it is measured again.
    pub(super) fn refused(&mut self, way: CaptureWay) {
        *self.of(way) = Some(Duration::MAX);
    }

    fn of(&mut self, way: CaptureWay) -> &mut Option<Duration> {
        match way {
            CaptureWay::Raw => &mut self.raw,
            CaptureWay::Png => &mut self.png,
        }
    }
}

/// The last pictures of all phones.
#[derive(Debug)]
pub(super) struct Screens {
    settings: AdbScreens,
    /// Pictures being taken for people: each is ten megabytes.
    pub(super) places: Semaphore,
    shelf: Mutex<VecDeque<Shelved>>,
}

#[derive(Debug)]
struct Shelved {
    serial: Serial,
    begun: Instant,
    taken: Instant,
    capture: Arc<ScreenCapture>,
}

impl Screens {
    pub(super) fn new(settings: AdbScreens) -> Self {
        Self {
            settings,
            places: Semaphore::new(settings.at_once.max(1)),
            shelf: Mutex::default(),
        }
    }

    /// A picture of that phone that serves somebody who has asked at `asked`.
    pub(super) fn find(&self, serial: &Serial, asked: Instant) -> Option<Arc<ScreenCapture>> {
        let shelf = lock(&self.shelf);
        let shelved = shelf.iter().find(|shelved| shelved.serial == *serial)?;
        let young = shelved.taken.elapsed() <= self.max_age();
        (young || shelved.begun >= asked).then(|| Arc::clone(&shelved.capture))
    }

    /// Keeps a picture for its age, at the cost of the oldest ones when there are too many.
    pub(super) fn keep(self: &Arc<Self>, serial: &Serial, begun: Instant, capture: &Arc<ScreenCapture>) {
        {
            let mut shelf = lock(&self.shelf);
            shelf.retain(|shelved| shelved.serial != *serial);
            shelf.push_back(Shelved {
                serial: serial.clone(),
                begun,
                taken: Instant::now(),
                capture: Arc::clone(capture),
            });
            let mut bytes: usize = shelf.iter().map(|shelved| shelved.capture.picture.rgba.len()).sum();
            while bytes > self.settings.memory_bytes
                && let Some(oldest) = shelf.pop_front()
            {
                bytes = bytes.saturating_sub(oldest.capture.picture.rgba.len());
            }
        }
        let screens = Arc::downgrade(self);
        let age = self.max_age();
        tokio::spawn(async move {
            tokio::time::sleep(age).await;
            if let Some(screens) = screens.upgrade() {
                screens.forget_old();
            }
        });
    }

    fn forget_old(&self) {
        let age = self.max_age();
        lock(&self.shelf).retain(|shelved| shelved.taken.elapsed() < age);
    }

    fn max_age(&self) -> Duration {
        millis(self.settings.max_age_ms)
    }
}

#[cfg(test)]
mod tests {
    use farmhand_actors::domain::{ScreenContent, Screenshot};

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn both_ways_are_measured_and_then_the_cheaper_one_is_taken() {
        let mut costs = CaptureCosts::default();
        assert_eq!(costs.choose(10), CaptureWay::Raw);
        costs.measured(CaptureWay::Raw, ms(400));
        assert_eq!(costs.choose(10), CaptureWay::Png);
        costs.measured(CaptureWay::Png, ms(90));

        let ways: Vec<CaptureWay> = (3..=20).map(|_| costs.choose(10)).collect();

        let raw = ways.iter().filter(|way| **way == CaptureWay::Raw).count();
        assert_eq!(raw, 2, "measured again now and then: {ways:?}");
        for _ in 0..9 {
            costs.measured(CaptureWay::Raw, ms(10));
        }
        assert_eq!(costs.choose(0), CaptureWay::Raw, "the cable was changed");
    }

    #[test]
    fn a_way_that_the_phone_refuses_is_left_to_the_other() {
        let mut costs = CaptureCosts::default();
        costs.refused(CaptureWay::Raw);
        costs.measured(CaptureWay::Png, ms(90));
        assert_eq!(costs.choose(0), CaptureWay::Png);
        costs.measured(CaptureWay::Raw, ms(10));
        assert_eq!(costs.choose(0), CaptureWay::Raw);
    }

    fn capture(bytes: usize) -> Arc<ScreenCapture> {
        Arc::new(ScreenCapture {
            picture: Screenshot {
                width: 1,
                height: 1,
                rgba: vec![0; bytes].into(),
            },
            content: ScreenContent::Visible,
        })
    }

    fn screens(max_age_ms: u64) -> Arc<Screens> {
        Arc::new(Screens::new(AdbScreens {
            max_age_ms,
            memory_bytes: 100,
            ..AdbScreens::default()
        }))
    }

    #[tokio::test]
    async fn a_picture_serves_until_its_age_is_over_and_those_who_waited_for_it() {
        let (screens, phone) = (screens(0), Serial::parse("a").unwrap());
        let asked = Instant::now();

        screens.keep(&phone, Instant::now(), &capture(10));

        assert!(screens.find(&phone, asked).is_some(), "it was begun after the question");
        assert!(screens.find(&phone, Instant::now() + ms(1)).is_none());
        let other = Serial::parse("b").unwrap();
        assert!(screens.find(&other, asked).is_none());
        screens.forget_old();
        assert!(screens.find(&phone, asked).is_none());
    }

    #[tokio::test]
    async fn the_oldest_pictures_make_room() {
        let screens = screens(60_000);
        let phones = ["a", "b", "c"].map(|name| Serial::parse(name).unwrap());
        for phone in &phones {
            screens.keep(phone, Instant::now(), &capture(45));
        }
        let kept = phones.map(|phone| screens.find(&phone, Instant::now()).is_some());
        assert_eq!(kept, [false, true, true]);
    }
}
