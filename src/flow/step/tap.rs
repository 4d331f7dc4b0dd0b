//! `tapOn`, `doubleTapOn`, `longPressOn`.

use std::time::Duration;

use farmhand_actors::{
    domain::{Bounds, UiNode, UiTree},
    ports::Point,
};
use serde_json::json;

use crate::flow::{
    model::{Spot, Step, Tap, Touch},
    parse::parse_spot,
    runner::{Found, Run, fault::Fault},
    select::same_but_place,
};

/// How long a long press is; as upstream.
const LONG_PRESS: Duration = Duration::from_millis(3_000);
/// A tap is repeated at most once when it changed nothing.
const TRIES: u32 = 2;
/// How often, and how long apart, it is looked whether what lies over an element has gone; as upstream.
const COVER_LOOKS: u32 = 10;
const COVER_PAUSE: Duration = Duration::from_secs(1);

impl Run {
    pub(super) async fn tap(&mut self, step: &Step, tap: &Tap) -> Result<(), Fault> {
        let mut target = None;
        let at = match &tap.selector {
            Some(selector) => {
                let usual = if step.optional {
                    self.settings.optional_lookup_timeout
                } else {
                    self.settings.lookup_timeout
                };
                let time = self.lookup_time(step.timeout.as_ref(), usual).await?;
                let query = self.query(selector).await?;
                let found = self.find_at_rest(&query, time).await?;
                let found = match found {
                    Some(found) => found,
                    None => return Err(self.not_found(selector, &query).await),
                };
                self.note("matched", found.detail());
                let at = self.point_of(&found, tap.point.as_deref())?;
                target = Some(found.node);
                at
            }
            None => self.point_on_screen(tap.point.as_deref().unwrap_or_default()).await?,
        };
        self.note("at", json!([at.x, at.y]));
        // A screen that looks the same does not prove that a touch did nothing: what cannot be undone is never repeated.
        let once = self.effects.acting;
        let tries = if tap.retry_if_no_change && !once { TRIES } else { 1 };
        for _ in 0..tries {
            if self.touch_and_look(at, tap).await? {
                return Ok(());
            }
        }
        match target.filter(|_| tap.wait_until_visible && !once) {
            Some(node) => self.touch_uncovered(&node, at, tap).await,
            None => Ok(()),
        }
    }

    /// Touches; whether the screen has changed, as far as that is known.
    async fn touch_and_look(&mut self, at: Point, tap: &Tap) -> Result<bool, Fault> {
        let before = self.look.as_ref().map(|look| look.tree.clone());
        self.touch(at, tap).await?;
        self.acted(tap.settle_ms).await?;
        let after = self.look.as_ref().map(|look| look.tree.clone());
        Ok(before.is_none() || before != after)
    }

    /// Touches once more what something lay over, when that has gone or has had its time.
    async fn touch_uncovered(&mut self, node: &UiNode, at: Point, tap: &Tap) -> Result<(), Fault> {
        let mut was_covered = false;
        for _ in 0..COVER_LOOKS {
            let tree = self.screen_now().await?;
            if is_on_top(&tree, node, at) {
                break;
            }
            was_covered = true;
            self.phone.wait(COVER_PAUSE).await?;
        }
        if was_covered {
            self.touch_and_look(at, tap).await?;
        }
        Ok(())
    }

    async fn touch(&mut self, at: Point, tap: &Tap) -> Result<(), Fault> {
        let delay = Duration::from_millis(tap.delay_ms);
        for round in 0..tap.repeat {
            if round > 0 {
                self.phone.wait(delay).await?;
            }
            match tap.touch {
                Touch::Single => self.phone.call(self.phone.driver.tap(at)).await?,
                Touch::Double => {
                    self.phone.call(self.phone.driver.tap(at)).await?;
                    self.phone.wait(delay).await?;
                    self.phone.call(self.phone.driver.tap(at)).await?;
                }
                Touch::Long => self.phone.call(self.phone.driver.swipe(at, at, LONG_PRESS)).await?,
            }
        }
        Ok(())
    }

    /// The point of an element that a step names, or that its picture names.
    pub(super) fn point_of(&self, found: &Found, point: Option<&str>) -> Result<Point, Fault> {
        match &found.image {
            Some(image) if point.is_none() => {
                let (x, y) = image.target;
                self.point_in(found.bounds, Some(&format!("{x}%,{y}%")))
            }
            _ => self.point_in(found.bounds, point),
        }
    }

    /// The middle of an element, or the point of it that is given in percent or in pixels from its corner.
    pub(super) fn point_in(&self, bounds: Bounds, point: Option<&str>) -> Result<Point, Fault> {
        let (x, y) = bounds.centre();
        let Some(text) = point else {
            return Ok(Point { x, y });
        };
        let (width, height) = (bounds.width(), bounds.height());
        let inside = |spot| match spot {
            Spot::Percent(x, y) => (part_of(width, x), part_of(height, y)),
            Spot::Pixels(x, y) => (x, y),
        };
        let spot = parse_spot(text).ok_or_else(|| not_a_point(text))?;
        let (x, y) = inside(spot);
        if x < 0 || y < 0 || x > width || y > height {
            return Err(Fault::Invalid(format!(
                "the point {text} lies outside of the element, which is {width}x{height}"
            )));
        }
        Ok(Point {
            x: bounds.left.saturating_add(x),
            y: bounds.top.saturating_add(y),
        })
    }

    /// A point of the screen, in percent or in pixels.
    pub(super) async fn point_on_screen(&mut self, text: &str) -> Result<Point, Fault> {
        let text = self.js.interpolate(text).await?;
        let spot = parse_spot(&text).ok_or_else(|| not_a_point(&text))?;
        self.spot_on_screen(spot).await
    }

    /// A spot of the screen.
    pub(super) async fn spot_on_screen(&mut self, spot: Spot) -> Result<Point, Fault> {
        Ok(match spot {
            Spot::Pixels(x, y) => Point { x, y },
            Spot::Percent(x, y) => {
                let (width, height) = self.size().await?;
                Point {
                    x: part_of(i32::try_from(width).unwrap_or(i32::MAX), x),
                    y: part_of(i32::try_from(height).unwrap_or(i32::MAX), y),
                }
            }
        })
    }
}

/// Whether the last element that is drawn at a point is this one, or one within it.
fn is_on_top(tree: &UiTree, node: &UiNode, at: Point) -> bool {
    let holds =
        |bounds: Bounds| (bounds.left..bounds.right).contains(&at.x) && (bounds.top..bounds.bottom).contains(&at.y);
    let mut top = tree.nodes.iter().rfind(|node| node.bounds.is_some_and(holds));
    while let Some(here) = top {
        if same_but_place(here, node) {
            return true;
        }
        top = here.parent.and_then(|parent| tree.nodes.get(parent));
    }
    false
}

fn not_a_point(text: &str) -> Fault {
    Fault::Invalid(format!(
        "`{text}` is not a point: write `x,y` in pixels or `x%,y%` (0 to 100)"
    ))
}

/// So many percent of a length, in whole pixels.
#[must_use]
pub fn part_of(length: i32, percent: f64) -> i32 {
    let exact = f64::from(length) * percent.clamp(0.0, 100.0) / 100.0;
    // Pixels of a screen fit an i32; the clamp above keeps the value between 0 and the length.
    #[expect(clippy::cast_possible_truncation, reason = "a part of an i32 is one")]
    let whole = exact.floor() as i32;
    whole
}
