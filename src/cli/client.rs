//! Calls a running controller over its REST API.

use std::{path::Path, time::Duration};

use serde_json::Value;
use ureq::{Agent, Body, http::Response};

use super::CliError;

/// Longest time that one call may take; a stop or a delete waits for its phone.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Answers longer than this are refused.
const MAX_ANSWER_BYTES: u64 = 256 * 1024 * 1024;

/// A controller's API.
pub struct Client {
    agent: Agent,
    base: String,
    key: Option<String>,
}

impl Client {
    /// A client of the controller at `server` (`http://host:port`, or `https://…` of a TLS proxy before it). The API key comes from `FARMHAND_API_KEY`: on the
    /// command line everybody on this host could read it.
    pub fn new(server: &str) -> Result<Self, CliError> {
        if !["http://", "https://"].iter().any(|scheme| server.starts_with(scheme)) {
            return Err(CliError::Usage(format!(
                "--server {server}: an address like http://127.0.0.1:50809 or https://farm.example is wanted"
            )));
        }
        let config = Agent::config_builder()
            .timeout_global(Some(CALL_TIMEOUT))
            .http_status_as_error(false)
            .build();
        Ok(Self {
            agent: config.into(),
            base: format!("{}/api/v1", server.trim_end_matches('/')),
            key: std::env::var("FARMHAND_API_KEY").ok().filter(|key| !key.is_empty()),
        })
    }

    /// `data` of the answer to a GET; `query` values are escaped here.
    pub fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CliError> {
        let mut request = self.agent.get(self.url(path));
        for (name, value) in query {
            request = request.query(*name, value);
        }
        data(self.answer(self.keyed(request).call())?)
    }

    /// The bytes of the answer to a GET.
    pub fn get_bytes(&self, path: &str, accept: &str, query: &[(&str, String)]) -> Result<Vec<u8>, CliError> {
        let mut request = self.agent.get(self.url(path)).header("accept", accept);
        for (name, value) in query {
            request = request.query(*name, value);
        }
        let response = self.answer(self.keyed(request).call())?;
        if response.status().is_success() {
            return bytes(response);
        }
        data(response).map(|_| Vec::new())
    }

    /// `data` of the answer to a POST.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        data(self.answer(self.keyed(self.agent.post(self.url(path))).send_json(body))?)
    }

    /// `data` of the answer to a POST of a file as it is.
    pub fn post_bytes(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Value, CliError> {
        let request = self.keyed(self.agent.post(self.url(path)));
        data(self.answer(request.header("content-type", content_type).send(body))?)
    }

    /// `data` of the answer to a POST of a form with one file.
    pub fn post_file(&self, path: &str, file: &Path, fields: &[(&str, String)]) -> Result<Value, CliError> {
        let content = std::fs::read(file).map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))?;
        let name = file
            .file_name()
            .map_or_else(|| "file".into(), |name| name.to_string_lossy());
        let boundary = "farmhand-form-7d1f3c0a9b";
        let mut body = Vec::new();
        for (field, value) in fields {
            let part = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let name = name.replace(['"', '\r', '\n'], "_");
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&content);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        self.post_bytes(path, &format!("multipart/form-data; boundary={boundary}"), &body)
    }

    /// `data` of the answer to a PATCH.
    pub fn patch(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        data(self.answer(self.keyed(self.agent.patch(self.url(path))).send_json(body))?)
    }

    /// `data` of the answer to a DELETE.
    pub fn delete(&self, path: &str) -> Result<Value, CliError> {
        data(self.answer(self.keyed(self.agent.delete(self.url(path))).call())?)
    }

    /// `data` of the answer to a DELETE with a body.
    pub fn delete_with(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        let request = self.keyed(self.agent.delete(self.url(path))).force_send_body();
        data(self.answer(request.send_json(body))?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn keyed<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    fn answer(&self, result: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, CliError> {
        result.map_err(|error| {
            CliError::NoConnection(format!(
                "no answer from {}: {error}\nIs the controller running? Start it with `farmhand serve` or `farmhand demo`.",
                self.base.trim_end_matches("/api/v1")
            ))
        })
    }
}

/// One part of a path, escaped.
#[must_use]
pub fn part(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            use std::fmt::Write;
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

fn bytes(mut response: Response<Body>) -> Result<Vec<u8>, CliError> {
    let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
    body.read_to_vec()
        .map_err(|error| CliError::NoConnection(format!("the answer broke off: {error}")))
}

fn data(response: Response<Body>) -> Result<Value, CliError> {
    let status = response.status().as_u16();
    open(status, &bytes(response)?)
}

/// What an envelope holds; the failure that it tells.
fn open(status: u16, answer: &[u8]) -> Result<Value, CliError> {
    let envelope = serde_json::from_slice::<Value>(answer).ok();
    let parts = envelope.and_then(|mut envelope| {
        let message = envelope.get("message")?.as_str()?.to_owned();
        envelope.get("code")?.as_u64()?;
        Some((message, envelope.get_mut("data").map(Value::take).unwrap_or_default()))
    });
    let Some((message, data)) = parts else {
        return Err(CliError::Failed(format!(
            "the answer (HTTP {status}) is not farmhand's: something else listens there; is --server right?"
        )));
    };
    if status < 300 {
        return Ok(data);
    }
    let faults = data.get("errors").and_then(Value::as_array);
    let faults = faults.into_iter().flatten().filter_map(|fault| {
        let field = fault.get("field")?.as_str()?;
        Some(format!("\n  {field}: {}", fault.get("message")?.as_str()?))
    });
    let text = format!("{message}{}", faults.collect::<String>());
    Err(match status {
        404 => CliError::NotFound(text),
        400 | 415 => CliError::Usage(text),
        _ => CliError::Failed(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_farmhands_is_said_to_be_somebody_elses() {
        for (status, answer) in [
            (404, "{\"detail\":\"Not Found\"}"),
            (200, "[]"),
            (200, "<html>"),
            (502, ""),
        ] {
            let error = open(status, answer.as_bytes()).unwrap_err();
            assert!(
                matches!(&error, CliError::Failed(text) if text.contains("is --server right?")),
                "{answer}"
            );
        }
    }

    #[test]
    fn a_refusal_is_told_with_every_fault_and_its_exit_code() {
        let answer =
            br#"{"code":40001,"message":"invalid","data":{"errors":[{"field":"serials","message":"missing"}]}}"#;

        let error = open(400, answer).unwrap_err();

        assert!(
            matches!(&error, CliError::Usage(text) if text == "invalid\n  serials: missing"),
            "{error}"
        );
        assert_eq!(
            open(200, br#"{"code":0,"message":"success","data":{"a":1}}"#).unwrap()["a"],
            1
        );
    }

    #[test]
    fn a_part_of_a_path_cannot_leave_its_place() {
        assert_eq!(part("a/../b c?"), "a%2F..%2Fb%20c%3F");
        assert_eq!(part("R58M"), "R58M");
    }
}
