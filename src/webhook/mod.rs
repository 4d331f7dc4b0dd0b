//! Messages to webhooks: signed (Standard Webhooks), sent again until they are taken or too old, never in anybody's
//! way. Knows the store only as a port.

mod client;
mod sender;
mod sign;
mod target;

use serde::Deserialize;

pub use sender::{Outbound, OutboundParts};
pub use target::TargetPolicy;

/// See `settings.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Hosts, addresses and networks that messages may go to although they are not of the open internet.
    pub allow: Vec<String>,
    /// Seconds that a target may take for its answer.
    pub timeout_s: u64,
    /// Pauses before a message is sent again, seconds; the last one repeats.
    pub retry_s: Vec<u64>,
    /// Seconds after which a message that nobody has taken is given up; at most a day.
    pub give_up_s: u64,
}

impl WebhookSettings {
    /// Which values cannot be used, by key, and what would do.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if let Err(problem) = TargetPolicy::parse(&self.allow) {
            problems.push(("webhooks.allow", problem));
        }
        if !(1..=60).contains(&self.timeout_s) {
            problems.push(("webhooks.timeout_s", "must be from 1 to 60".to_owned()));
        }
        if self.retry_s.is_empty() || self.retry_s.contains(&0) {
            let problem = "needs at least one pause, each at least 1";
            problems.push(("webhooks.retry_s", problem.to_owned()));
        }
        if !(1..=86_400).contains(&self.give_up_s) {
            problems.push(("webhooks.give_up_s", "must be from 1 to 86400 (a day)".to_owned()));
        }
        problems
    }
}
