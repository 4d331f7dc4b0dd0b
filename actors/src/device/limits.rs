//! When a device has to be woken: looks at idle phones, and the limits of a running attempt.

use std::time::Duration;

use super::{
    StopCause,
    core::{DeviceCore, Running},
};

/// What has to be done about a running attempt.
pub(super) enum Overdue {
    /// Ask it to end.
    Stop(StopCause),
    /// It did not end in time.
    Abandon(StopCause),
}

impl DeviceCore {
    /// When [`Self::on_wake`] has something to do, on the monotonic clock.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        let probes = self.next_look_at().into_iter().chain(self.next_heartbeat_at());
        let attempt = self.running.as_ref().map(|running| match running.stopping {
            Some((_, abandon_at)) => abandon_at,
            None => self
                .away_limit()
                .into_iter()
                .chain([running.deadline, self.stall_limit(running)])
                .min()
                .unwrap_or(running.deadline),
        });
        probes.chain(attempt).chain(self.quarantine.until()).min()
    }

    /// What has to be done about the running attempt now.
    pub(super) fn overdue(&self, now: Duration) -> Option<Overdue> {
        let running = self.running.as_ref()?;
        if let Some((cause, abandon_at)) = running.stopping {
            return (abandon_at <= now).then_some(Overdue::Abandon(cause));
        }
        if self.away_limit().is_some_and(|limit| limit <= now) {
            let cause = if self.server_away {
                StopCause::ServerAway
            } else {
                StopCause::DeviceAway
            };
            return Some(Overdue::Stop(cause));
        }
        if running.deadline <= now {
            return Some(Overdue::Stop(StopCause::TimeLimit));
        }
        (self.stall_limit(running) <= now).then_some(Overdue::Stop(StopCause::Stall))
    }

    fn away_limit(&self) -> Option<Duration> {
        Some(self.away_since? + Duration::from_secs(self.settings.attempt.offline_grace_s))
    }

    fn stall_limit(&self, running: &Running) -> Duration {
        running.progressed + Duration::from_secs(self.settings.attempt.stall_limit_s)
    }
}
