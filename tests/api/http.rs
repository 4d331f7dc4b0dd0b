//! A client that sends exactly what it is told, right or wrong, and checks what every answer must have.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn code(&self) -> i64 {
        self.json()["code"].as_i64().unwrap()
    }

    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    /// The data of a success.
    pub fn ok(&self) -> Value {
        assert_eq!((self.status, self.code()), (200, 0), "{}", self.text());
        self.data()
    }

    /// The fields that a 40001 names, and nothing else than a 40001.
    pub fn faults(&self) -> Vec<String> {
        assert_eq!((self.status, self.code()), (400, 40001), "{}", self.text());
        let errors = self.data()["errors"].as_array().cloned().unwrap();
        assert!(!errors.is_empty());
        let message = |error: &Value| error["message"].as_str().is_some_and(|message| !message.is_empty());
        assert!(errors.iter().all(message), "{errors:?}");
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Asserts a refusal with this code and answers its data.
    pub fn refused(&self, code: i64) -> Value {
        assert_eq!(self.code(), code, "{}", self.text());
        assert_eq!(i64::from(self.status), code / 100, "{}", self.text());
        self.data()
    }

    fn assert_envelope(&self) {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let json = self.json();
        let mut names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["code", "data", "message"]);
        let code = json["code"].as_i64().unwrap();
        assert!(
            code == 0 && self.status == 200 || code / 100 == i64::from(self.status),
            "{json}"
        );
        assert!(
            json["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{json}"
        );
        assert!(json["data"].is_object(), "{json}");
        assert!(self.header("x-request-id").is_some_and(|id| !id.is_empty()));
        if matches!(self.status, 429 | 503) {
            assert!(self.header("retry-after").is_some(), "{json}");
        }
    }
}

/// The API at an address.
#[derive(Clone)]
pub struct Api {
    base: String,
    key: Option<String>,
}

impl Api {
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            key: None,
        }
    }

    pub fn with_key(&self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self.clone()
        }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.json("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.json("POST", path, Some(body))
    }

    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.json("PATCH", path, Some(body))
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.json("DELETE", path, None)
    }

    /// Sends JSON below `/api/v1`; the answer is the envelope.
    pub fn json(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers: &[_] = if body.is_empty() {
            &[]
        } else {
            &[("content-type", "application/json")]
        };
        self.envelope(method, path, headers, body.as_bytes())
    }

    /// Sends anything below `/api/v1`; the answer is the envelope.
    pub fn envelope(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = self.send(method, &format!("/api/v1{path}"), headers, body);
        reply.assert_envelope();
        reply
    }

    /// Sends a form with one file.
    pub fn upload(&self, path: &str, fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Reply {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        if let Some((name, content)) = file {
            let head = format!(
                "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
                 content-type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--edge--\r\n");
        self.envelope(
            "POST",
            path,
            &[("content-type", "multipart/form-data; boundary=edge")],
            &body,
        )
    }

    /// Sends anything anywhere.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = self.open(method, path, headers, body);
        let mut bytes = Vec::new();
        // A server that refuses a body does not read it: what it answered until the reset counts.
        if let Err(error) = stream.read_to_end(&mut bytes) {
            assert!(!bytes.is_empty(), "{method} {path}: {error}");
        }
        parse(&bytes).unwrap_or_else(|| panic!("{method} {path}: not HTTP: {}", String::from_utf8_lossy(&bytes)))
    }

    /// Sends a request and leaves the answer to be read.
    pub fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let address = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        let given = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        if !given("host") {
            head.push_str(&format!("host: {address}\r\n"));
        }
        if !given("transfer-encoding") && (!body.is_empty() || method == "POST") {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        if let Some(key) = &self.key {
            head.push_str(&format!("authorization: Bearer {key}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).ok();
        stream
    }
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut reply = Reply {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = unchunk(&reply.body)?;
    }
    Some(reply)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while !rest.is_empty() {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        if length == 0 {
            break;
        }
        body.extend_from_slice(rest.get(line + 2..line + 2 + length)?);
        rest = rest.get(line + 4 + length..)?;
    }
    Some(body)
}
