//! JSON-RPC 2.0 as the agent speaks it: an exception of the phone is an error whose message is its class.

use serde_json::{Value, json};

use super::{Agent, calls};

/// What went wrong in a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RpcError {
    /// The selector fits nothing on the screen.
    #[error("androidx.test.uiautomator.UiObjectNotFoundException")]
    NotFound {
        /// The selector as `UiSelector` prints it.
        selector: String,
    },
    /// The screen never came to rest.
    #[error("java.util.concurrent.TimeoutException")]
    NotIdle,
    /// A parameter is missing or of the wrong type.
    #[error("method parameters invalid")]
    BadParameters,
    /// No such method.
    #[error("method not found")]
    UnknownMethod,
    /// Not JSON, or no call.
    #[error("JSON parse error")]
    BadJson,
}

impl RpcError {
    fn to_json(&self) -> Value {
        let (code, data) = match self {
            Self::NotFound { selector } => (
                -32001,
                format!("{self}: {selector}\n\tat androidx.test.uiautomator.UiObject.<init>(UiObject.java)\n"),
            ),
            Self::NotIdle => (
                -32001,
                format!(
                    "{self}: could not get idle state\n\tat android.app.UiAutomation.waitForIdle(UiAutomation.java)\n"
                ),
            ),
            Self::BadParameters => (-32602, self.to_string()),
            Self::UnknownMethod => (-32601, self.to_string()),
            Self::BadJson => (-32700, self.to_string()),
        };
        json!({ "code": code, "message": self.to_string(), "data": data })
    }
}

/// The answer to one call.
pub(super) async fn answer(agent: &Agent, body: &[u8]) -> Value {
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = call.get("id").cloned().unwrap_or_default();
    let result = match call.get("method").and_then(Value::as_str) {
        // Without parameters clients send an empty object.
        Some(method) => {
            let none = Vec::new();
            let params = call.get("params").and_then(Value::as_array).unwrap_or(&none);
            calls::run(agent, method, Params(params)).await
        }
        None => Err(RpcError::BadJson),
    };
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error.to_json() }),
    }
}

/// The positional parameters of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Params<'a>(&'a [Value]);

impl<'a> Params<'a> {
    pub(super) fn get(self, index: usize) -> Result<&'a Value, RpcError> {
        self.0.get(index).ok_or(RpcError::BadParameters)
    }

    pub(super) fn text(self, index: usize) -> Result<&'a str, RpcError> {
        self.get(index)?.as_str().ok_or(RpcError::BadParameters)
    }

    pub(super) fn number(self, index: usize) -> Result<f64, RpcError> {
        self.get(index)?.as_f64().ok_or(RpcError::BadParameters)
    }

    /// A whole number that is not negative.
    pub(super) fn count(self, index: usize) -> Result<u64, RpcError> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` ends at the nearest u64"
        )]
        let count = self.number(index)?.max(0.0) as u64;
        Ok(count)
    }

    /// Two numbers as pixels.
    pub(super) fn point(self, index: usize) -> Result<(i32, i32), RpcError> {
        #[expect(clippy::cast_possible_truncation, reason = "`as` ends at the nearest i32")]
        let pixel = |number: f64| number as i32;
        Ok((pixel(self.number(index)?), pixel(self.number(index + 1)?)))
    }

    pub(super) fn len(self) -> usize {
        self.0.len()
    }
}

impl<'a> From<&'a Vec<Value>> for Params<'a> {
    fn from(values: &'a Vec<Value>) -> Self {
        Self(values)
    }
}
