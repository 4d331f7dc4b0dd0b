//! The options of the commands that have several.

use std::{path::PathBuf, sync::Arc};

use farmhand_actors::domain::Screenshot;

use super::{Body, Selector, Step, Text};

/// How a finger touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Once.
    Single,
    /// Twice.
    Double,
    /// For three seconds.
    Long,
}

/// `tapOn`, `doubleTapOn`, `longPressOn`.
#[derive(Debug)]
pub struct Tap {
    /// How.
    pub touch: Touch,
    /// On what; `None`: on `point` of the screen.
    pub selector: Option<Selector>,
    /// `x,y` or `x%,y%`: of the element if there is one, else of the screen.
    pub point: Option<Text>,
    /// How many times.
    pub repeat: u32,
    /// Between the times, milliseconds.
    pub delay_ms: u64,
    /// Tap once more when the screen did not change.
    pub retry_if_no_change: bool,
    /// Tap once more when the screen did not change and something lay over the element, once that has gone.
    pub wait_until_visible: bool,
    /// Longest settling afterwards, milliseconds.
    pub settle_ms: Option<u64>,
}

/// `visible` and `notVisible` with their time.
#[derive(Debug)]
pub struct Condition {
    /// Must appear.
    pub visible: Option<Selector>,
    /// Must go.
    pub not_visible: Option<Selector>,
    /// Milliseconds.
    pub timeout: Option<Text>,
}

/// `assertScreenshot`.
#[derive(Debug)]
pub struct AssertScreenshot {
    /// Path below the folder of the flows.
    pub file: Arc<str>,
    /// What the screen should look like.
    pub picture: Screenshot,
    /// Least share of pixels that must be the same, 0 to 100.
    pub threshold_percent: Text,
    /// Only this part of the screen.
    pub crop: Option<Selector>,
}

/// A condition of `runFlow`, `runScript` or `repeat.while`.
#[derive(Debug, Default)]
pub struct When {
    /// `android`, `ios`, `web`, lower case.
    pub platform: Option<String>,
    /// An expression.
    pub is_true: Option<Text>,
    /// Must be there.
    pub visible: Option<Selector>,
    /// Must not be there.
    pub not_visible: Option<Selector>,
    /// How long to wait for it, milliseconds.
    pub timeout: Option<Text>,
}

impl When {
    /// Whether it always holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let looks = self.visible.is_some() || self.not_visible.is_some();
        self.platform.is_none() && self.is_true.is_none() && !looks
    }
}

/// A way on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Finger upwards.
    Up,
    /// Finger downwards.
    Down,
    /// Finger to the left.
    Left,
    /// Finger to the right.
    Right,
}

/// `swipe`.
#[derive(Debug)]
pub struct Swipe {
    /// From where to where.
    pub path: SwipePath,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Longest settling afterwards, milliseconds.
    pub settle_ms: Option<u64>,
}

/// From where to where.
#[derive(Debug)]
pub enum SwipePath {
    /// Over the screen.
    Direction(Direction),
    /// From an element to the screen's edge; a point of the element if not its middle.
    Element(Box<Selector>, Option<Text>, Direction),
    /// Between two points, `x,y` or `x%,y%`.
    Points(Text, Text),
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spot {
    /// Pixels.
    Pixels(i32, i32),
    /// Percent of width and height.
    Percent(f64, f64),
}

/// `scrollUntilVisible`.
#[derive(Debug)]
pub struct ScrollUntilVisible {
    /// What is looked for.
    pub selector: Selector,
    /// Where it is: below, if the finger goes up.
    pub direction: Direction,
    /// Milliseconds.
    pub timeout: Text,
    /// 0 to 100.
    pub speed: Text,
    /// 0 to 100.
    pub visibility_percent: Text,
    /// Bring it to the middle.
    pub centre: bool,
    /// Longest settling after each swipe, milliseconds.
    pub settle_ms: Option<u64>,
}

/// `launchApp`.
#[derive(Debug)]
pub struct LaunchApp {
    /// The app, if not the flow's.
    pub app_id: Option<Text>,
    /// Forget all that the app knows.
    pub clear_state: bool,
    /// Stop it first.
    pub stop: bool,
    /// Permissions by name; `None`: not said.
    pub permissions: Option<Vec<(String, Text)>>,
    /// Extras of the intent.
    pub arguments: Vec<(Text, Argument)>,
}

/// An extra of `launchApp`.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// A text, with expressions.
    Text(Text),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Decimal(f64),
}

/// `runFlow`.
#[derive(Debug)]
pub struct RunFlow {
    /// What is run.
    pub body: Body,
    /// Variables for it.
    pub env: Vec<(String, Text)>,
    /// Only then.
    pub when: Option<When>,
    /// Run instead when the condition does not hold.
    pub otherwise: Option<Vec<Step>>,
}

/// `repeat`.
#[derive(Debug)]
pub struct Repeat {
    /// At most so many times.
    pub times: Option<Text>,
    /// As long as this holds.
    pub condition: Option<When>,
    /// What is run.
    pub steps: Vec<Step>,
}

/// `retry`.
#[derive(Debug)]
pub struct Retry {
    /// Attempts after the first.
    pub max_retries: Text,
    /// What is run.
    pub body: Body,
    /// Variables for it.
    pub env: Vec<(String, Text)>,
}

/// `runScript`.
#[derive(Debug)]
pub struct RunScript {
    /// Path below the folder of the flows.
    pub file: Arc<str>,
    /// What stands in it.
    pub source: Arc<str>,
    /// Variables for it.
    pub env: Vec<(String, Text)>,
    /// Only then.
    pub when: Option<When>,
}

/// `openLink`.
#[derive(Debug)]
pub struct OpenLink {
    /// The link.
    pub link: Text,
    /// In a browser, even if an app knows the link.
    pub browser: bool,
    /// In this app, whatever else knows the link.
    pub app_id: Option<Text>,
}

/// What `addMedia` adds.
#[derive(Debug)]
pub enum MediaItem {
    /// A file beside the flow.
    File(PathBuf),
    /// An expression that gives a list of media, e.g. `${media.files}`.
    Expression(Text),
}
