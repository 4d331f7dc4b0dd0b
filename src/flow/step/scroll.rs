//! `scrollUntilVisible`.

use std::time::Duration;

use farmhand_actors::{domain::Bounds, ports::Point};
use tokio::time::Instant;

use crate::flow::{
    model::{Direction, ScrollUntilVisible, Spot},
    runner::{Run, fault::Fault, whole_number},
    select::tree::visible_share,
};

/// How often an element is moved on towards the middle.
const MAX_CENTRINGS: u32 = 5;
/// An element is in the middle when it is nearer to it than this part of the screen's height.
const CENTRE_PART: i32 = 5;
/// Least share of an element that must be visible for it to be moved to the middle.
const MIN_CENTRED_SHARE: f64 = 0.1;

impl Run {
    pub(super) async fn scroll_until_visible(&mut self, scroll: &ScrollUntilVisible) -> Result<(), Fault> {
        let timeout = self.millis(&scroll.timeout, "timeout").await?;
        let speed = self.percent(&scroll.speed, "speed").await?;
        let percent = self.percent(&scroll.visibility_percent, "visibilityPercentage").await?;
        // Whole-number division upstream: all of it, or any part at all.
        let wanted = if percent >= 100 { 1.0 } else { 0.0 };
        // 100 is a flick, 0 a slow drag of a second.
        let duration = Duration::from_millis(u64::try_from(100_i64.saturating_sub(speed)).unwrap_or(0) * 10 + 1);
        let query = self.query(&scroll.selector).await?;
        let short = self.settings.short_lookup_timeout;
        let start = Instant::now();
        let mut centrings = 0;
        loop {
            if let Some(found) = self.find(&query, short).await? {
                let (width, height) = self.size().await?;
                let share = visible_share(found.bounds, width, height);
                let centring = scroll.centre && share > MIN_CENTRED_SHARE && centrings <= MAX_CENTRINGS;
                if centring && is_central(found.bounds, height) || !centring && share >= wanted {
                    self.note("matched", found.detail());
                    self.note_waited(start);
                    return Ok(());
                }
                if centring {
                    centrings += 1;
                }
            }
            if start.elapsed() >= timeout {
                self.note_waited(start);
                return Err(Fault::NotFound(format!(
                    "{} did not come into view within {timeout:?} of scrolling",
                    self.shown(&scroll.selector.to_string()).await
                )));
            }
            let from: Point = self.spot_on_screen(Spot::Percent(50.0, 50.0)).await?;
            self.swipe_from(from, opposite(scroll.direction), duration).await?;
            self.acted(scroll.settle_ms).await?;
        }
    }

    async fn percent(&self, text: &str, what: &str) -> Result<i64, Fault> {
        let number = whole_number(&self.js.interpolate(text).await?, what)?;
        if (0..=100).contains(&number) {
            return Ok(number);
        }
        Err(Fault::Invalid(format!("`{what}` must be from 0 to 100, not {number}")))
    }
}

fn is_central(bounds: Bounds, screen_height: u32) -> bool {
    let height = i32::try_from(screen_height).unwrap_or(i32::MAX);
    let (_, y) = bounds.centre();
    y.saturating_sub(height / 2).saturating_abs() < height / CENTRE_PART
}

/// What lies below comes into view when the finger goes up.
fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Up => Direction::Down,
        Direction::Down => Direction::Up,
        Direction::Left => Direction::Right,
        Direction::Right => Direction::Left,
    }
}
