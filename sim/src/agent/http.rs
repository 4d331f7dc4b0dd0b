//! The agent's HTTP/1.1, as much of it as NanoHTTPD serves to the agent's clients.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_util::sync::CancellationToken;

use super::{Agent, calls, rpc};

/// The longest request line and headers, bytes (NanoHTTPD: 8 KiB).
const HEAD_LIMIT: usize = 8 * 1024;
/// The longest body, bytes: a text for the clipboard may be long, a file is never sent this way.
const BODY_LIMIT: usize = 4 << 20;

/// A request.
#[derive(Debug)]
struct Request {
    method: String,
    /// With its query.
    target: String,
    body: Vec<u8>,
    keep_alive: bool,
}

/// An answer.
struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
}

/// Serves one connection until the client closes it; `GET /stop` cancels `ended`.
pub(super) async fn serve(mut stream: DuplexStream, agent: Arc<Agent>, ended: CancellationToken) {
    let mut received = Vec::new();
    loop {
        let request = match read_request(&mut stream, &mut received).await {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(status) => {
                let answer = Answer {
                    status,
                    content_type: "text/plain",
                    body: status.into(),
                };
                // The client may be gone already; there is nobody else to tell.
                let _ = write_answer(&mut stream, &answer, false).await;
                return;
            }
        };
        let stops = request.target.split('?').next() == Some("/stop");
        let answer = answer(&agent, &request).await;
        let sent = write_answer(&mut stream, &answer, request.keep_alive && !stops).await;
        if stops {
            ended.cancel();
        }
        if sent.is_err() || !request.keep_alive || stops {
            return;
        }
    }
}

/// The next request; `None` at the end of the connection, `Err` is the status of a bad one.
async fn read_request(stream: &mut DuplexStream, received: &mut Vec<u8>) -> Result<Option<Request>, &'static str> {
    let head_end = loop {
        if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if received.len() > HEAD_LIMIT {
            return Err("400 Bad Request");
        }
        if read_more(stream, received).await == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(received.get(..head_end).unwrap_or_default()).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err("400 Bad Request");
    };
    let (mut length, mut keep_alive) = (0_usize, true);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(|_| "400 Bad Request")?,
            "connection" => keep_alive = !value.eq_ignore_ascii_case("close"),
            "transfer-encoding" => return Err("501 Not Implemented"),
            _ => {}
        }
    }
    if length > BODY_LIMIT {
        return Err("413 Payload Too Large");
    }
    received.drain(..head_end + 4);
    while received.len() < length {
        if read_more(stream, received).await == 0 {
            return Ok(None);
        }
    }
    let body = received.drain(..length).collect();
    Ok(Some(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        body,
        keep_alive,
    }))
}

async fn read_more(stream: &mut DuplexStream, received: &mut Vec<u8>) -> usize {
    stream.read_buf(received).await.unwrap_or(0)
}

async fn write_answer(stream: &mut DuplexStream, answer: &Answer, keep_alive: bool) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {} \r\nContent-Type: {}\r\nConnection: {}\r\nContent-Length: {}\r\n\r\n",
        answer.status,
        answer.content_type,
        if keep_alive { "keep-alive" } else { "close" },
        answer.body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body).await?;
    stream.flush().await
}

async fn answer(agent: &Agent, request: &Request) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let plain = |body: &str| Answer {
        status: "200 OK",
        content_type: "text/plain",
        body: body.into(),
    };
    match (request.method.as_str(), path) {
        (_, "/ping") => plain("pong"),
        (_, "/stop") => plain("Finished!"),
        ("POST", "/jsonrpc/0") => {
            let answer: Value = rpc::answer(agent, &request.body).await;
            Answer {
                status: "200 OK",
                content_type: "application/json",
                body: answer.to_string().into(),
            }
        }
        ("GET", "/screenshot/0" | "/screenshot") => {
            let scale = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("scale=")?.parse().ok())
                .unwrap_or(1.0);
            match calls::png_screenshot(agent, scale).await {
                Some(body) => Answer {
                    status: "200 OK",
                    content_type: "image/png",
                    body,
                },
                None => Answer {
                    status: "500 Internal Server Error",
                    content_type: "text/plain",
                    body: Vec::new(),
                },
            }
        }
        _ => Answer {
            status: "404 Not Found",
            content_type: "text/plain",
            body: b"Not Found!!!".to_vec(),
        },
    }
}
