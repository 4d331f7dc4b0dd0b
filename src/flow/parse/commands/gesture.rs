//! Commands of the finger: taps, swipes, scrolls, keys.

use crate::flow::{
    model::{Command, Direction, ScrollUntilVisible, Spot, Swipe, SwipePath, Tap, Text, Touch},
    parse::{
        FlowParser,
        fields::{Fields, TIME_MS, incorrect, scalar_text},
        keys::{KEYS, key_code},
        suggest::did_you_mean,
    },
    problem::Place,
};

/// Longest settling that a step may ask for, milliseconds; as upstream.
const MAX_SETTLE_MS: i64 = 30_000;
/// Longest gesture, milliseconds.
const MAX_GESTURE_MS: i64 = 60_000;
/// What a percentage may be.
const PERCENT: (i64, i64) = (0, 100);
/// Most taps of one step.
const MAX_TAPS: i64 = 1_000;

impl FlowParser<'_> {
    pub(in crate::flow::parse) fn gesture_command(
        &mut self,
        key: &'static str,
        fields: &mut Fields,
    ) -> Option<Option<Command>> {
        Some(match key {
            "tapOn" => self.tap(Touch::Single, fields),
            "doubleTapOn" => self.tap(Touch::Double, fields),
            "longPressOn" => self.tap(Touch::Long, fields),
            "swipe" => self.swipe(fields),
            "scrollUntilVisible" => self.scroll_until_visible(fields),
            "pressKey" => self.press_key(fields),
            "back" => Some(Command::Back),
            "scroll" => Some(Command::Scroll),
            "hideKeyboard" => Some(Command::HideKeyboard),
            "action" => self.action(fields),
            _ => return None,
        })
    }

    fn tap(&mut self, touch: Touch, fields: &mut Fields) -> Option<Command> {
        let before = self.problems.len();
        let selector = self.selector_fields(fields);
        let problems = &mut self.problems;
        let point = fields.text("point", problems);
        let repeat = fields.whole("repeat", (1, MAX_TAPS), problems);
        let delay = fields.whole("delay", (0, MAX_GESTURE_MS), problems);
        let retry = fields.flag("retryTapIfNoChange", problems);
        let uncovered = fields.flag("waitUntilVisible", problems);
        let settle = fields.whole("waitToSettleTimeoutMs", (0, MAX_SETTLE_MS), problems);
        if selector.is_none() && point.is_none() {
            if problems.len() == before {
                incorrect(&fields.place, &fields.what, "a selector or a `point`", problems);
            }
            return None;
        }
        if let Some(point) = &point {
            if selector.is_some() && point.contains("${") {
                let wanted = "`x,y` or `x%,y%` beside a selector: expressions do not work there";
                incorrect(&fields.at("point"), "point", wanted, problems);
            } else {
                self.spot("point", point, &fields.at("point"));
            }
        }
        Some(Command::Tap(Box::new(Tap {
            touch,
            selector,
            point,
            repeat: repeat.and_then(|times| u32::try_from(times).ok()).unwrap_or(1),
            delay_ms: millis(delay).unwrap_or(100),
            retry_if_no_change: retry.unwrap_or(false),
            wait_until_visible: uncovered.unwrap_or(false),
            settle_ms: millis(settle),
        })))
    }

    fn swipe(&mut self, fields: &mut Fields) -> Option<Command> {
        let before = self.problems.len();
        let duration = fields.whole("duration", (0, MAX_GESTURE_MS), &mut self.problems);
        let settle = fields.whole("waitToSettleTimeoutMs", (0, MAX_SETTLE_MS), &mut self.problems);
        let direction = self.direction(fields);
        let start = fields.text("start", &mut self.problems);
        let end = fields.text("end", &mut self.problems);
        let from = self.swipe_from(fields);
        let path = match (from, direction, start, end) {
            (Some((selector, point)), Some(direction), None, None) => {
                SwipePath::Element(Box::new(selector), point, direction)
            }
            (None, Some(direction), None, None) => SwipePath::Direction(direction),
            (None, None, Some(start), Some(end)) => {
                self.spot("start", &start, &fields.at("start"));
                self.spot("end", &end, &fields.at("end"));
                let is_share = |text: &Text| text.contains('%');
                let are_spots = [&start, &end].iter().all(|text| parse_spot(text).is_some());
                if are_spots && is_share(&start) != is_share(&end) {
                    let wanted = "given `start` and `end` both in pixels or both in percent";
                    incorrect(&fields.place, "swipe", wanted, &mut self.problems);
                }
                SwipePath::Points(start, end)
            }
            _ if self.problems.len() > before => return None,
            _ => {
                let wanted = "given `direction`, or `start` and `end`, or `from` and `direction`";
                incorrect(&fields.place, "swipe", wanted, &mut self.problems);
                return None;
            }
        };
        Some(Command::Swipe(Box::new(Swipe {
            path,
            duration_ms: millis(duration).unwrap_or(400),
            settle_ms: millis(settle),
        })))
    }

    fn swipe_from(&mut self, fields: &mut Fields) -> Option<(crate::flow::model::Selector, Option<Text>)> {
        let node = fields.take("from")?;
        let mut from = Fields::or_scalar(&node, "from", "text", &mut self.problems)?;
        let selector = self.selector_fields(&mut from);
        let point = from.text("point", &mut self.problems);
        if let Some(point) = &point {
            self.spot("point", point, &from.at("point"));
        }
        from.finish(&mut self.problems);
        selector.map(|selector| (selector, point))
    }

    /// Notes what cannot be a point, whatever its expressions give.
    fn spot(&mut self, name: &str, text: &str, place: &Place) {
        if !text.contains("${") && parse_spot(text).is_none() {
            let wanted = "`x,y` in pixels or `x%,y%` (0 to 100)";
            incorrect(place, name, wanted, &mut self.problems);
        }
    }

    fn direction(&mut self, fields: &mut Fields) -> Option<Direction> {
        let node = fields.take("direction")?;
        let word = scalar_text(&node, "direction", &mut self.problems)?;
        match word.to_uppercase().as_str() {
            "UP" => Some(Direction::Up),
            "DOWN" => Some(Direction::Down),
            "LEFT" => Some(Direction::Left),
            "RIGHT" => Some(Direction::Right),
            _ => {
                let hint = did_you_mean(&word, ["UP", "DOWN", "LEFT", "RIGHT"]);
                let wanted = format!("one of UP, DOWN, LEFT, RIGHT{hint}");
                incorrect(&node.place, "direction", &wanted, &mut self.problems);
                None
            }
        }
    }

    fn scroll_until_visible(&mut self, fields: &mut Fields) -> Option<Command> {
        let selector = self.required_selector(fields, "element");
        let direction = self.direction(fields).unwrap_or(Direction::Down);
        let problems = &mut self.problems;
        let timeout = fields.whole_text("timeout", TIME_MS, problems);
        let speed = fields.whole_text("speed", PERCENT, problems);
        let visibility = fields.whole_text("visibilityPercentage", PERCENT, problems);
        let centre = fields.flag("centerElement", problems);
        let settle = fields.whole("waitToSettleTimeoutMs", (0, MAX_SETTLE_MS), problems);
        Some(Command::ScrollUntilVisible(Box::new(ScrollUntilVisible {
            selector: selector?,
            direction,
            timeout: timeout.unwrap_or_else(|| "20000".into()),
            speed: speed.unwrap_or_else(|| "40".into()),
            visibility_percent: visibility.unwrap_or_else(|| "100".into()),
            centre: centre.unwrap_or(false),
            settle_ms: millis(settle),
        })))
    }

    fn press_key(&mut self, fields: &mut Fields) -> Option<Command> {
        let name = fields.required_text("key", &mut self.problems)?;
        let Some(code) = key_code(&name) else {
            let hint = did_you_mean(&name, KEYS.iter().map(|(key, _)| *key));
            let message = format!("unknown key name: `{name}`{hint}");
            self.problems.add(&fields.at("key"), "Invalid Key", message);
            return None;
        };
        Some(Command::PressKey(name.to_string(), code))
    }

    /// The old way to write commands without options: `action: back`.
    fn action(&mut self, fields: &mut Fields) -> Option<Command> {
        let word = fields.required_text("action", &mut self.problems)?;
        match word.as_ref() {
            "back" => Some(Command::Back),
            "hideKeyboard" | "hide keyboard" => Some(Command::HideKeyboard),
            "scroll" => Some(Command::Scroll),
            "clearKeychain" => Some(Command::ClearKeychain),
            "pasteText" => Some(Command::PasteText),
            _ => {
                let wanted = "one of back, hideKeyboard, scroll, clearKeychain, pasteText";
                incorrect(&fields.at("action"), "action", wanted, &mut self.problems);
                None
            }
        }
    }
}

fn millis(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

/// `x,y` in pixels or `x%,y%`.
#[must_use]
pub fn parse_spot(text: &str) -> Option<Spot> {
    let (x, y) = text.split_once(',')?;
    let (x, y) = (x.trim(), y.trim());
    if let (Some(x), Some(y)) = (x.strip_suffix('%'), y.strip_suffix('%')) {
        let part = |text: &str| {
            let percent: f64 = text.trim().parse().ok()?;
            (0.0..=100.0).contains(&percent).then_some(percent)
        };
        return Some(Spot::Percent(part(x)?, part(y)?));
    }
    let pixels = |text: &str| text.parse::<i32>().ok().filter(|pixels| *pixels >= 0);
    Some(Spot::Pixels(pixels(x)?, pixels(y)?))
}
