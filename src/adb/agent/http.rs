//! As much HTTP/1.1 as the agent's server (NanoHTTPD) speaks to one client: a request, an answer with its length, the
//! connection kept for the next one.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::AgentError;

/// Status line and headers, bytes. NanoHTTPD sends some hundred.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// One system call for most answers.
const BUFFER_BYTES: usize = 64 * 1024;

/// A connection to the agent.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: BufReader<S>,
    /// Whether it may carry another request: never after an exchange that did not come to its end.
    pub(super) reusable: bool,
}

/// What an answer's head says.
#[derive(Debug, Default)]
struct Head {
    status: u16,
    length: Option<usize>,
    closes: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: BufReader::with_capacity(BUFFER_BYTES, stream),
            reusable: true,
        }
    }

    /// `GET path`
    pub(super) async fn get(&mut self, path: &str, limit: usize) -> Result<Vec<u8>, AgentError> {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), limit)
            .await
    }

    /// `POST path` with JSON.
    pub(super) async fn post(&mut self, path: &str, body: &str, limit: usize) -> Result<Vec<u8>, AgentError> {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json; charset=utf-8\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.exchange(&request, limit).await
    }

    /// The body of an answer with status 200.
    async fn exchange(&mut self, request: &str, limit: usize) -> Result<Vec<u8>, AgentError> {
        self.reusable = false;
        let sent = self.stream.get_mut().write_all(request.as_bytes()).await;
        sent.map_err(|_| AgentError::Ended)?;
        let head = read_head(&mut self.stream).await?;
        let garbage = |problem: &str| AgentError::Garbage(problem.to_owned());
        let length = head.length.ok_or_else(|| garbage("an answer without its length"))?;
        if length > limit {
            return Err(AgentError::TooLong(limit));
        }
        let body = read_body(&mut self.stream, length).await?;
        if head.status != 200 {
            return Err(AgentError::Garbage(format!("HTTP status {}", head.status)));
        }
        // Bytes that nobody asked for would be taken for the next answer.
        self.reusable = !head.closes && self.stream.buffer().is_empty();
        Ok(body)
    }
}

async fn read_head<S: AsyncBufRead + Unpin>(stream: &mut S) -> Result<Head, AgentError> {
    let mut head = Head::default();
    let mut left = HEAD_BYTES_MAX;
    let mut first = true;
    loop {
        let mut line = Vec::new();
        let cap = u64::try_from(left).unwrap_or(u64::MAX);
        let read = (&mut *stream).take(cap).read_until(b'\n', &mut line).await;
        left = left.saturating_sub(read.map_err(|_| AgentError::Ended)?);
        if !line.ends_with(b"\n") {
            return Err(if left == 0 {
                AgentError::Garbage(format!("a head of more than {HEAD_BYTES_MAX} bytes"))
            } else {
                AgentError::Ended
            });
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if first {
            head.status = status_of(line)?;
            first = false;
        } else if line.is_empty() {
            return Ok(head);
        } else {
            head.take_line(line)?;
        }
    }
}

impl Head {
    fn take_line(&mut self, line: &str) -> Result<(), AgentError> {
        let Some((name, value)) = line.split_once(':') else {
            return Err(AgentError::Garbage(format!("{line:?} is no header")));
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            // `usize` also takes a `+`.
            let number = value.bytes().all(|byte| byte.is_ascii_digit());
            let length = value.parse().ok().filter(|_| number && self.length.is_none());
            self.length = Some(length.ok_or_else(|| AgentError::Garbage(format!("{value:?} is no length")))?);
        } else if name.eq_ignore_ascii_case("connection") {
            self.closes = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("content-encoding") {
            return Err(AgentError::Garbage(format!("an answer encoded as {value:?}")));
        }
        Ok(())
    }
}

/// `HTTP/1.1 200 OK`
fn status_of(line: &str) -> Result<u16, AgentError> {
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    status.ok_or_else(|| {
        let shown: String = line.chars().take(60).collect();
        AgentError::Garbage(format!("{shown:?} where an HTTP status was expected"))
    })
}

/// Grows with what really comes, so that a length that lies costs no memory.
async fn read_body<S: AsyncBufRead + Unpin>(stream: &mut S, length: usize) -> Result<Vec<u8>, AgentError> {
    let mut body = Vec::new();
    let wanted = u64::try_from(length).map_err(|_| AgentError::Ended)?;
    let read = (&mut *stream).take(wanted).read_to_end(&mut body).await;
    if read.map_err(|_| AgentError::Ended)? == length {
        Ok(body)
    } else {
        Err(AgentError::Ended)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What becomes of an answer, and whether its connection may carry another request.
    async fn answered(answer: &[u8]) -> (Result<Vec<u8>, AgentError>, bool) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let mut connection = Connection::new(ours);
        let ended = connection.get("/ping", 1_000).await;
        drop(theirs);
        (ended, connection.reusable)
    }

    #[tokio::test]
    async fn an_answer_with_its_length_is_read_and_the_connection_kept() {
        let answer = b"HTTP/1.1 200 OK \r\ncontent-length: 4\r\nConnection: keep-alive\r\n\r\npong";
        assert_eq!(answered(answer).await, (Ok(b"pong".to_vec()), true));

        let closing = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: Close\r\n\r\npong";
        assert_eq!(answered(closing).await, (Ok(b"pong".to_vec()), false));
        let more = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npongHTTP/1.1 200";
        assert_eq!(answered(more).await, (Ok(b"pong".to_vec()), false));
    }

    #[tokio::test]
    async fn an_answer_cut_off_anywhere_is_no_answer() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";
        for end in 0..answer.len() {
            assert_eq!(
                answered(&answer[..end]).await,
                (Err(AgentError::Ended), false),
                "cut at {end}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_not_the_protocol_is_told() {
        let wrong: [&[u8]; 8] = [
            b"OKAY0000\r\n\r\n",
            b"HTTP/1.1 x OK\r\n\r\n",
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nno length",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n1",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n1",
        ];
        for answer in wrong {
            let (ended, reusable) = answered(answer).await;
            assert!(matches!(ended, Err(AgentError::Garbage(_))), "{ended:?}");
            assert!(!reusable);
        }
    }

    #[tokio::test]
    async fn lengths_that_lie_cost_nothing() {
        let huge = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n";
        assert_eq!(answered(huge).await.0, Err(AgentError::TooLong(1_000)));
        let endless = [b"HTTP/1.1 200 OK\r\nA: ".as_slice(), &[b'x'; 40_000]].concat();
        assert!(matches!(answered(&endless).await.0, Err(AgentError::Garbage(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_of_an_agent_give_a_bounded_result(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let ended = runtime.block_on(async { answered(&bytes).await }).0;
            prop_assert!(ended.is_err());
        }
    }
}
