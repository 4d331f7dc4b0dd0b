//! `swipe` and `scroll`.

use std::time::Duration;

use farmhand_actors::ports::Point;

use crate::flow::{
    model::{Direction, Selector, Spot, Step, Swipe, SwipePath, Text},
    runner::{Run, fault::Fault},
};

/// How long the finger moves for `scroll`.
const SCROLL: Duration = Duration::from_millis(400);
/// How near to the edge a swipe from an element ends, percent.
const EDGE_PERCENT: f64 = 10.0;

impl Run {
    pub(super) async fn scroll(&mut self) -> Result<(), Fault> {
        self.finger(Spot::Percent(50.0, 50.0), Spot::Percent(50.0, 10.0), SCROLL)
            .await?;
        self.acted(None).await
    }

    pub(super) async fn swipe(&mut self, step: &Step, swipe: &Swipe) -> Result<(), Fault> {
        let duration = Duration::from_millis(swipe.duration_ms);
        match &swipe.path {
            SwipePath::Direction(direction) => {
                let (from, to) = across(*direction);
                self.finger(from, to, duration).await?;
            }
            SwipePath::Points(from, to) => {
                let from = self.point_on_screen(from).await?;
                let to = self.point_on_screen(to).await?;
                self.phone.call(self.phone.driver.swipe(from, to, duration)).await?;
            }
            SwipePath::Element(selector, point, direction) => {
                let from = self.element_point(step, selector, point.as_ref()).await?;
                self.swipe_from(from, *direction, duration).await?;
            }
        }
        self.acted(swipe.settle_ms).await
    }

    async fn element_point(&mut self, step: &Step, selector: &Selector, point: Option<&Text>) -> Result<Point, Fault> {
        let time = self
            .lookup_time(step.timeout.as_ref(), self.settings.lookup_timeout)
            .await?;
        let query = self.query(selector).await?;
        let found = self.find_at_rest(&query, time).await?;
        let found = match found {
            Some(found) => found,
            None => return Err(self.not_found(selector, &query).await),
        };
        self.note("matched", found.detail());
        let point = match point {
            Some(text) => Some(self.js.interpolate(text).await?),
            None => None,
        };
        self.point_of(&found, point.as_deref())
    }

    async fn finger(&mut self, from: Spot, to: Spot, duration: Duration) -> Result<(), Fault> {
        let from = self.spot_on_screen(from).await?;
        let to = self.spot_on_screen(to).await?;
        self.phone.call(self.phone.driver.swipe(from, to, duration)).await
    }

    /// Moves the finger from a point straight to near the screen's edge.
    pub(super) async fn swipe_from(
        &mut self,
        from: Point,
        direction: Direction,
        duration: Duration,
    ) -> Result<(), Fault> {
        let near = self.spot_on_screen(Spot::Percent(EDGE_PERCENT, EDGE_PERCENT)).await?;
        let far = self
            .spot_on_screen(Spot::Percent(100.0 - EDGE_PERCENT, 100.0 - EDGE_PERCENT))
            .await?;
        let to = match direction {
            Direction::Up => Point { y: near.y, ..from },
            Direction::Down => Point { y: far.y, ..from },
            Direction::Left => Point { x: near.x, ..from },
            Direction::Right => Point { x: far.x, ..from },
        };
        self.phone.call(self.phone.driver.swipe(from, to, duration)).await
    }
}

/// Where a swipe over the screen begins and ends.
fn across(direction: Direction) -> (Spot, Spot) {
    let spot = Spot::Percent;
    match direction {
        Direction::Up => (spot(50.0, 50.0), spot(50.0, 10.0)),
        Direction::Down => (spot(50.0, 20.0), spot(50.0, 90.0)),
        Direction::Left => (spot(90.0, 50.0), spot(10.0, 50.0)),
        Direction::Right => (spot(10.0, 50.0), spot(90.0, 50.0)),
    }
}
