//! Whose turn it is on a device: the account that was used longest ago.

use std::time::Duration;

use super::{Now, TaskId, Timestamp};
use crate::ports::PRIORITY_HEAD_START;

/// An instant on the monotonic clock, microseconds; negative before the process began. Turns are counted on it, so
/// that setting the wall clock does not change whose turn it is.
pub type TurnInstant = i64;

/// Where a wall-clock instant of the past lies on the monotonic clock.
#[must_use]
pub fn turn_instant(past: Timestamp, now: Now) -> TurnInstant {
    let elapsed = now.wall.duration_since(past).as_micros().max(0);
    let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
    turn_now(now.mono).saturating_sub(elapsed)
}

/// This instant as a turn.
#[must_use]
pub fn turn_now(mono: Duration) -> TurnInstant {
    i64::try_from(mono.as_micros()).unwrap_or(i64::MAX)
}

/// The order of candidates: smaller goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TurnKey {
    /// Last use, moved back by the task's priority: an urgent task makes its account look longer unused, and since
    /// every use moves it forward again, no other account starves.
    last_used: TurnInstant,
    urgency: i8,
    task: TaskId,
}

/// The key of a candidate whose account (or queue) was last used at `last_used`.
#[must_use]
pub fn turn_key(last_used: Option<TurnInstant>, priority: i8, task: TaskId) -> TurnKey {
    let head_start = i64::try_from(PRIORITY_HEAD_START.as_micros()).unwrap_or(i64::MAX);
    let offset = head_start.saturating_mul(i64::from(priority));
    TurnKey {
        last_used: last_used.map_or(i64::MIN, |at| at.saturating_sub(offset)),
        urgency: priority.saturating_neg(),
        task,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn the_account_unused_longest_goes_first_and_a_new_one_before_all() {
        let never = turn_key(None, 0, TaskId(9));
        let long_ago = turn_key(Some(10 * MINUTE), 0, TaskId(8));
        let lately = turn_key(Some(20 * MINUTE), 0, TaskId(1));
        assert!(never < long_ago && long_ago < lately);
    }

    #[test]
    fn priority_is_a_head_start_that_use_consumes() {
        let urgent = turn_key(Some(25 * MINUTE), 1, TaskId(2));
        let ordinary = turn_key(Some(20 * MINUTE), 0, TaskId(1));
        assert!(urgent < ordinary);
        let urgent_again = turn_key(Some(31 * MINUTE), 1, TaskId(3));
        assert!(ordinary < urgent_again);
    }

    #[test]
    fn among_equals_the_more_urgent_then_the_older_task_goes_first() {
        assert!(turn_key(None, 5, TaskId(2)) < turn_key(None, 0, TaskId(1)));
        assert!(turn_key(None, 0, TaskId(1)) < turn_key(None, 0, TaskId(2)));
    }

    #[test]
    fn an_instant_of_the_past_lies_as_far_back_on_the_monotonic_clock() {
        let now = Now {
            wall: "2026-05-01T10:00:00Z".parse().unwrap(),
            mono: Duration::from_secs(5),
        };
        assert_eq!(turn_instant("2026-05-01T09:59:50Z".parse().unwrap(), now), -5_000_000);
        assert_eq!(turn_instant("2026-05-01T11:00:00Z".parse().unwrap(), now), 5_000_000);
    }
}
