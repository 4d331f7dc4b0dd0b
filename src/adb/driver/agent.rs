//! What the agent does for a driver: view trees, and text that no key can type. Both only look at the phone, or fill its
//! clipboard; what acts (the key that pastes, taps, swipes) stays a line of the phone's shell, because only there can the
//! token of the lease be compared in the same round trip.

use std::{sync::Arc, time::Duration};

use farmhand_actors::ports::{DriverError, HierarchyProblem, ShellOutput};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::warn;

use super::call::AdbDriver;
use crate::adb::{
    agent::{AgentError, CallError, RunningAgent},
    metrics,
    quote::CommandLine,
    settings::millis,
};

/// Levels that the agent is to tell: more than any real screen has. (It leaves out what lies deeper, and does not say.)
const LEVELS: u32 = 1_000;

/// A selector of the agent: a view that has the input focus.
const FOCUSED_MASK: u32 = 0x2_0000;

/// Short answers: true, null, a number.
const WORD_BYTES_MAX: usize = 64 * 1024;

/// `KEYCODE_PASTE`
const PASTE_KEY: i64 = 279;

impl AdbDriver {
    /// The agent if it runs; if it does not, it is started in the background for the next one who asks.
    fn agent(&self) -> Option<Arc<RunningAgent>> {
        if !self.phones.settings.agent.enabled() {
            return None;
        }
        let running = self.phone.agent.running();
        if running.is_none() {
            self.want_agent();
        }
        running
    }

    /// Asks the agent. The outer error is that of any call to the phone, the inner one the agent's own.
    async fn ask<T: DeserializeOwned + Send>(
        &self,
        op: &'static str,
        agent: &RunningAgent,
        (method, params): (&str, Value),
        limit: usize,
    ) -> Result<Result<Option<T>, AgentError>, DriverError> {
        let transport = self.transport()?;
        let patience = millis(self.phones.settings.agent.call_ms);
        let asked = async {
            let asked = agent.call(&transport, method, &params, limit);
            match tokio::time::timeout(patience, asked).await {
                Ok(Ok(answer)) => Ok(Ok(answer)),
                Ok(Err(CallError::Agent(error))) => Ok(Err(error)),
                Ok(Err(CallError::Adb(error))) => Err(error),
                Err(_) => Ok(Err(AgentError::TimedOut(patience))),
            }
        };
        // The agent's own patience ends first, so that a sick agent is not taken for a sick phone.
        let deadline = patience.saturating_add(Duration::from_secs(1));
        self.call(op, deadline, &transport.server, asked).await
    }

    /// Ends a sick agent (its keeper starts another one); adb alone answers the call.
    fn agent_failed(&self, op: &'static str, agent: &Arc<RunningAgent>, error: &AgentError) {
        metrics::agent_fallback(op);
        if self.phone.agent.failed(agent) {
            warn!(device.serial = %self.phone.serial, op, "the agent failed: {error}; adb alone answers until it is back");
        }
    }

    /// The view tree's text; `None` when adb has to be asked.
    pub(super) async fn dump_by_agent(&self) -> Option<Result<ShellOutput, DriverError>> {
        const OP: &str = "hierarchy";
        let agent = self.agent()?;
        let bytes = self.phones.settings.limits.hierarchy_bytes;
        // In JSON a quote has two bytes.
        let limit = bytes.saturating_mul(2).saturating_add(WORD_BYTES_MAX);
        let call = ("dumpWindowHierarchy", json!([false, LEVELS]));
        let problem = match self.ask::<String>(OP, &agent, call, limit).await {
            Ok(Ok(xml)) => {
                return Some(Ok(ShellOutput {
                    stdout: xml.unwrap_or_default().into_bytes(),
                    ..ShellOutput::default()
                }));
            }
            Ok(Err(AgentError::TooLong(_))) => HierarchyProblem::TooLarge {
                limit: bytes,
                unit: "bytes",
            },
            Ok(Err(error)) if error.is_not_idle() => HierarchyProblem::NotIdle,
            Ok(Err(error)) => {
                self.agent_failed(OP, &agent, &error);
                return None;
            }
            Err(error) => return Some(Err(error)),
        };
        Some(Err(DriverError::Hierarchy {
            serial: self.phone.serial.clone(),
            problem,
        }))
    }

    /// Fills the clipboard by the agent, looks whether it is there, and then presses the key that pastes: all of the text
    /// or nothing. `None` when nothing was typed and another way is to be tried.
    pub(super) async fn paste_by_agent(&self, text: &str, deadline: Duration) -> Option<Result<(), DriverError>> {
        const OP: &str = "type_text";
        let agent = self.agent()?;
        // A driver whose lease is over must not change what the next one is about to paste.
        if let Err(error) = self.act_well(OP, deadline, CommandLine::program("true")).await {
            return Some(Err(error));
        }
        match self.fill_clipboard(&agent, text).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return None,
            Ok(Err(error)) => {
                self.agent_failed(OP, &agent, &error);
                return None;
            }
            Err(error) => return Some(Err(error)),
        }
        let paste = CommandLine::program("input keyevent").numbers(&[PASTE_KEY]);
        Some(self.act_well(OP, deadline, paste).await.map(drop))
    }

    /// Whether the text is in the clipboard now, and a view has the focus that can take it.
    async fn fill_clipboard(&self, agent: &RunningAgent, text: &str) -> Result<Result<bool, AgentError>, DriverError> {
        const OP: &str = "type_text";
        let focused =
            json!({ "mask": FOCUSED_MASK, "focused": true, "childOrSibling": [], "childOrSiblingSelector": [] });
        let focused = self.ask::<bool>(OP, agent, ("exist", json!([focused])), WORD_BYTES_MAX);
        match focused.await? {
            Ok(Some(true)) => {}
            Ok(_) => return Ok(Ok(false)),
            Err(error) => return Ok(Err(error)),
        }
        let set = self.ask::<Value>(OP, agent, ("setClipboard", json!([null, text])), WORD_BYTES_MAX);
        if let Err(error) = set.await? {
            return Ok(Err(error));
        }
        // Six bytes of JSON for each character at most, two such for those beyond 16 bits.
        let limit = text.len().saturating_mul(6).saturating_add(WORD_BYTES_MAX);
        let there = self.ask::<String>(OP, agent, ("getClipboard", json!({})), limit);
        Ok(there.await?.map(|there| there.as_deref() == Some(text)))
    }
}
