//! JSON-RPC 2.0 as the agent speaks it: an exception of the phone is an error whose message is its class.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};

use super::{AgentError, CallError, RunningAgent, http::Connection};
use crate::adb::{
    client::Transport,
    error::{AdbError, one_line},
    phone::lock,
};

/// NanoHTTPD closes a connection that was idle for 5 s; one that is about to be closed is not used again.
const IDLE_MAX: Duration = Duration::from_secs(3);

/// `pong` and the like.
const WORD_BYTES_MAX: usize = 4 * 1024;

/// An answer to a call.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Answer<T> {
    id: Option<u32>,
    result: Option<T>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    message: Option<String>,
    data: Option<Value>,
}

/// What ties an answer to its call, so that one that comes late is never taken for another's.
static CALLS: AtomicU32 = AtomicU32::new(1);

impl RunningAgent {
    /// Calls a method that may be asked twice: when a kept connection turns out to be closed, it is asked again on a
    /// new one. `None` is the agent's `null`.
    pub(in crate::adb) async fn call<T: DeserializeOwned>(
        &self,
        transport: &Transport,
        method: &str,
        params: &Value,
        limit: usize,
    ) -> Result<Option<T>, CallError> {
        let id = CALLS.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let kept = lock(&self.kept).take().filter(|(_, since)| since.elapsed() < IDLE_MAX);
        if let Some((mut connection, _)) = kept {
            match connection.post("/jsonrpc/0", &body, limit).await {
                Err(AgentError::Ended) => {}
                answered => return Ok(self.finish(connection, id, &answered?)?),
            }
        }
        let mut connection = connect(transport, self.port).await?;
        let answered = connection.post("/jsonrpc/0", &body, limit).await?;
        Ok(self.finish(connection, id, &answered)?)
    }

    fn finish<T: DeserializeOwned>(
        &self,
        connection: Connection<TcpStream>,
        id: u32,
        answer: &[u8],
    ) -> Result<Option<T>, AgentError> {
        let result = result_of(id, answer);
        if connection.reusable && !matches!(result, Err(AgentError::Garbage(_))) {
            *lock(&self.kept) = Some((connection, Instant::now()));
        }
        result
    }
}

/// Whether the agent answers `GET /ping`.
pub(in crate::adb) async fn ping(transport: &Transport, port: u16) -> Result<(), CallError> {
    let answer = connect(transport, port).await?.get("/ping", WORD_BYTES_MAX).await?;
    if answer.trim_ascii() == b"pong" {
        Ok(())
    } else {
        let said = one_line(&String::from_utf8_lossy(&answer));
        Err(AgentError::Garbage(format!("{said:?} where pong was expected")).into())
    }
}

/// Ends an agent, whoever started it.
pub(in crate::adb) async fn stop(transport: &Transport, port: u16) -> Result<(), CallError> {
    connect(transport, port).await?.get("/stop", WORD_BYTES_MAX).await?;
    Ok(())
}

async fn connect(transport: &Transport, port: u16) -> Result<Connection<TcpStream>, CallError> {
    let opened = transport
        .server
        .open(&transport.adb_serial, &format!("tcp:{port}"))
        .await;
    opened.map(Connection::new).map_err(|error| match error {
        // The phone is there, only its port is not; whether the phone is, another call tells.
        AdbError::Lost | AdbError::Refused(_) => AgentError::NotListening(port).into(),
        other => other.into(),
    })
}

/// What a JSON-RPC answer says to the call `id`.
pub(super) fn result_of<T: DeserializeOwned>(id: u32, answer: &[u8]) -> Result<Option<T>, AgentError> {
    let answer: Answer<T> =
        serde_json::from_slice(answer).map_err(|error| AgentError::Garbage(one_line(&error.to_string())))?;
    if let Some(fault) = answer.error {
        let class = fault.message.unwrap_or_default();
        let data = fault.data.as_ref().and_then(Value::as_str).unwrap_or_default();
        let first = data.lines().next().unwrap_or_default();
        let told = if first.starts_with(&class) { first } else { &class };
        return Err(AgentError::Exception(one_line(told)));
    }
    if answer.id == Some(id) {
        Ok(answer.result)
    } else {
        Err(AgentError::Garbage("an answer to another call".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<Option<String>, AgentError> {
        result_of(7, answer.as_bytes())
    }

    #[test]
    fn results_and_exceptions_are_told_apart() {
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","id":7,"result":"<hierarchy/>"}"#),
            Ok(Some("<hierarchy/>".into()))
        );
        assert_eq!(read(r#"{"jsonrpc":"2.0","id":7,"result":null}"#), Ok(None));
        assert_eq!(read(r#"{"jsonrpc":"2.0","id":7}"#), Ok(None));
        let thrown = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32001,"message":"android.os.DeadObjectException","data":"android.os.DeadObjectException: gone\n\tat x"}}"#;
        assert_eq!(
            read(thrown),
            Err(AgentError::Exception("android.os.DeadObjectException: gone".into()))
        );
        let bare = r#"{"id":7,"error":{"code":-32601,"message":"method not found"}}"#;
        assert_eq!(read(bare), Err(AgentError::Exception("method not found".into())));
    }

    #[test]
    fn a_screen_that_does_not_rest_is_no_fault_of_the_agent() {
        let restless = AgentError::Exception("java.util.concurrent.TimeoutException: could not get idle state".into());
        assert!(restless.is_not_idle());
        assert!(!AgentError::Exception("android.os.DeadObjectException".into()).is_not_idle());
        assert!(!AgentError::TimedOut(Duration::from_secs(1)).is_not_idle());
    }

    #[test]
    fn an_answer_to_another_call_is_none() {
        for wrong in [
            r#"{"id":8,"result":"x"}"#,
            r#"{"result":"x"}"#,
            r#"{"id":7,"result":{}}"#,
            "pong",
            "",
            "[]",
        ] {
            assert!(matches!(read(wrong), Err(AgentError::Garbage(_))), "{wrong}");
        }
    }
}
