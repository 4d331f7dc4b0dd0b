//! The numbers of the engine, named.

use std::{collections::BTreeMap, time::Duration};

use farmhand_actors::domain::Package;

/// Longest text that `inputRandom…` makes up, characters.
pub const MAX_RANDOM: i64 = 1_000;
/// Most rounds of a `repeat`.
pub const MAX_ROUNDS: u32 = 1_000;

/// How the engine waits, and what it gives up on. The defaults are the flow format's own where it has some.
#[derive(Debug, Clone)]
pub struct FlowSettings {
    /// How long an element is looked for.
    pub lookup_timeout: Duration,
    /// How long an optional element, or a condition, is waited for.
    pub optional_lookup_timeout: Duration,
    /// How long an element must be away to count as not visible; also one look of a scroll.
    pub short_lookup_timeout: Duration,
    /// `waitForAnimationToEnd` without a timeout.
    pub animation_timeout: Duration,
    /// Between two looks at the screen. Short enough for people, long enough for many phones on one host.
    pub poll_interval: Duration,
    /// Least time between two looks whose sameness counts as rest.
    pub settle_interval: Duration,
    /// Longest settling after an action.
    pub settle_timeout: Duration,
    /// How long a screen that an action did not change must stay the same to count as at rest: apps take their time
    /// to react.
    pub reaction_time: Duration,
    /// A look that takes this long has waited for the phone's own rest: `uiautomator dump` waits for a second without
    /// events before it writes. Two of them would be a waste.
    pub idle_look: Duration,
    /// How old a look at the screen may be to be used again.
    pub fresh_for: Duration,
    /// Most rounds of a `repeat`, so that a condition that never changes ends.
    pub max_rounds: u32,
    /// Most steps of an attempt.
    pub max_steps: u32,
    /// Most popups dismissed during one step: one that comes back for ever must not hide the real failure.
    pub max_popups: u32,
    /// Longest that the picture and the hierarchy of a failed step may take.
    pub evidence_timeout: Duration,
    /// The same when the attempt is being stopped.
    pub evidence_timeout_when_stopped: Duration,
    /// Hosts (`name` or `name:port`) that scripts with `http` may reach although their address is not one of the open
    /// internet.
    pub http_hosts: Vec<String>,
    /// For how long an account does not publish the same content again unless it is forced to; zero: no matter.
    pub repeat_window: Duration,
    /// `APP` when a task names no account.
    pub default_app: String,
    /// Packages by app, for tasks without an account.
    pub packages: BTreeMap<String, Package>,
}

impl Default for FlowSettings {
    fn default() -> Self {
        let packages = [
            ("tiktok", "com.zhiliaoapp.musically"),
            ("instagram", "com.instagram.android"),
        ];
        Self {
            lookup_timeout: Duration::from_millis(17_000),
            optional_lookup_timeout: Duration::from_millis(7_000),
            short_lookup_timeout: Duration::from_millis(500),
            animation_timeout: Duration::from_millis(15_000),
            poll_interval: Duration::from_millis(150),
            settle_interval: Duration::from_millis(100),
            settle_timeout: Duration::from_millis(2_000),
            reaction_time: Duration::from_millis(500),
            idle_look: Duration::from_millis(1_000),
            fresh_for: Duration::from_millis(300),
            max_rounds: MAX_ROUNDS,
            max_steps: 10_000,
            max_popups: 5,
            evidence_timeout: Duration::from_secs(10),
            evidence_timeout_when_stopped: Duration::from_secs(1),
            http_hosts: Vec::new(),
            repeat_window: Duration::ZERO,
            default_app: "tiktok".to_owned(),
            packages: packages
                .into_iter()
                .filter_map(|(app, package)| Some((app.to_owned(), Package::parse(package).ok()?)))
                .collect(),
        }
    }
}
