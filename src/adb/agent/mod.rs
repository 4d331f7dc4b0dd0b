//! The uiautomator2 agent of a phone: a program of the uiautomator2 project that answers JSON-RPC over HTTP on a TCP
//! port of the phone, reached by `tcp:PORT` streams of the adb server. (Protocol: openatx/android-uiautomator-server-jar
//! as its Python client speaks it.) This folder is its wire and what is known of it; the driver starts and uses it.

mod http;
mod rpc;
mod slot;

use std::time::Duration;

use serde_json::Value;

pub(super) use slot::{AgentSlot, Keeping, RunningAgent};

use super::error::AdbError;

/// Why the agent did not answer. The phone itself may be well: another way to it can be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AgentError {
    /// Nobody listens on its port.
    #[error("it does not listen on port {0}")]
    NotListening(u16),
    /// It went away in the middle of an answer.
    #[error("it went away in the middle of an answer")]
    Ended,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// It answers something else than its protocol.
    #[error("not its protocol: {0}")]
    Garbage(String),
    /// A longer answer than farmhand reads.
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
    /// The phone has one accessibility connection for tests, and another program has it (`already registered`).
    #[error("another program holds the phone's accessibility connection; end that program")]
    Taken,
    /// It ended before it listened.
    #[error("it did not start: {0}")]
    NotStarted(String),
    /// An exception on the phone.
    #[error("{0}")]
    Exception(String),
}

impl AgentError {
    /// `java.util.concurrent.TimeoutException`: the screen did not come to rest. The agent itself is well.
    pub(super) fn is_not_idle(&self) -> bool {
        matches!(self, Self::Exception(class) if class.contains("TimeoutException"))
    }
}

/// Why a call by the agent failed: because of it, or before it was reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    /// Because of the agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Because of the adb server, or of the phone's state there.
    #[error(transparent)]
    Adb(#[from] AdbError),
}

/// Reads an answer to the call `id` from bytes that are all there.
pub(super) async fn read_answer(bytes: &[u8], id: u32, limit: usize) -> Result<Option<Value>, AgentError> {
    let stream = tokio::io::join(bytes, tokio::io::sink());
    let body = http::Connection::new(stream).post("/jsonrpc/0", "", limit).await?;
    rpc::result_of(id, &body)
}
