//! What is known of a phone's agent: whether it runs, who keeps it, and until when it is left alone.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{net::TcpStream, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{CallError, http::Connection, rpc};
use crate::adb::{client::Transport, phone::lock};

/// An agent that answers.
#[derive(Debug)]
pub(in crate::adb) struct RunningAgent {
    /// On the phone.
    pub(super) port: u16,
    /// The connection of the last call, and since when it is idle.
    pub(super) kept: Mutex<Option<(Connection<TcpStream>, Instant)>>,
    used: Mutex<Instant>,
    /// Cancelled by whoever finds it sick; then its keeper ends it.
    pub(in crate::adb) sick: CancellationToken,
}

impl RunningAgent {
    pub(in crate::adb) fn new(port: u16) -> Self {
        Self {
            port,
            kept: Mutex::default(),
            used: Mutex::new(Instant::now()),
            sick: CancellationToken::new(),
        }
    }

    /// How long nobody has wanted anything of it.
    pub(in crate::adb) fn idle_for(&self) -> Duration {
        lock(&self.used).elapsed()
    }

    /// Whether it answers.
    pub(in crate::adb) async fn ping(transport: &Transport, port: u16) -> Result<(), CallError> {
        rpc::ping(transport, port).await
    }

    /// Ends the agent on that port, whoever started it.
    pub(in crate::adb) async fn stop(transport: &Transport, port: u16) -> Result<(), CallError> {
        rpc::stop(transport, port).await
    }
}

/// The agent of one phone.
#[derive(Debug, Default)]
pub(in crate::adb) struct AgentSlot {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Arc<RunningAgent>>,
    kept: bool,
    rest_until: Option<Instant>,
}

impl AgentSlot {
    /// The agent, if it runs.
    pub(in crate::adb) fn running(&self) -> Option<Arc<RunningAgent>> {
        let running = lock(&self.state).running.clone()?;
        *lock(&running.used) = Instant::now();
        Some(running)
    }

    /// The right to start and keep the agent: one at a time, and not while it is left alone.
    pub(in crate::adb) fn begin_keeping(&self) -> bool {
        let mut state = lock(&self.state);
        if state.kept || state.rest_until.is_some_and(|until| until > Instant::now()) {
            return false;
        }
        state.kept = true;
        true
    }

    /// It was found sick: nobody else is to ask it. Answers whether that is news.
    pub(in crate::adb) fn failed(&self, agent: &Arc<RunningAgent>) -> bool {
        agent.sick.cancel();
        let mut state = lock(&self.state);
        state.running.take_if(|running| Arc::ptr_eq(running, agent)).is_some()
    }
}

/// The right of [`AgentSlot::begin_keeping`], given back when it is dropped.
#[derive(Debug)]
pub(in crate::adb) struct Keeping<'a> {
    slot: &'a AgentSlot,
}

impl<'a> Keeping<'a> {
    pub(in crate::adb) fn of(slot: &'a AgentSlot) -> Self {
        Self { slot }
    }

    pub(in crate::adb) fn came_up(&self, agent: &Arc<RunningAgent>) {
        lock(&self.slot.state).running = Some(Arc::clone(agent));
    }

    pub(in crate::adb) fn went_down(&self) {
        lock(&self.slot.state).running = None;
    }

    /// Nobody starts it again before that.
    pub(in crate::adb) fn leave_alone(&self, rest: Duration) {
        lock(&self.slot.state).rest_until = Instant::now().checked_add(rest);
    }
}

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.slot.state);
        state.running = None;
        state.kept = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_keeps_it_at_a_time_and_none_while_it_is_left_alone() {
        let slot = AgentSlot::default();
        assert!(slot.begin_keeping());
        assert!(!slot.begin_keeping());
        let keeping = Keeping::of(&slot);
        keeping.came_up(&Arc::new(RunningAgent::new(9008)));
        assert!(slot.running().is_some());
        keeping.leave_alone(Duration::from_secs(60));

        drop(keeping);

        assert!(slot.running().is_none());
        assert!(!slot.begin_keeping());
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(slot.begin_keeping());
    }

    #[tokio::test]
    async fn a_sick_agent_is_news_once_and_does_not_end_its_successor() {
        let slot = AgentSlot::default();
        let keeping = Keeping::of(&slot);
        let (former, latter) = (Arc::new(RunningAgent::new(9008)), Arc::new(RunningAgent::new(9008)));
        keeping.came_up(&former);

        assert!(slot.failed(&former));
        assert!(former.sick.is_cancelled());
        assert!(slot.running().is_none());
        assert!(!slot.failed(&former));
        keeping.came_up(&latter);

        assert!(!slot.failed(&former));
        assert!(slot.running().is_some());
    }
}
