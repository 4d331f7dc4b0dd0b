//! The framing of requests and answers: four hex digits of length, then the text; answers begin with `OKAY` or
//! `FAIL`.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Reads a request; `None` when the client has closed the connection instead.
pub(super) async fn read(socket: &mut TcpStream) -> io::Result<Option<String>> {
    let mut digits = [0; 4];
    match socket.read_exact(&mut digits).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = std::str::from_utf8(&digits)
        .ok()
        .and_then(|digits| usize::from_str_radix(digits, 16).ok());
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "request without a length"))?;
    let mut text = vec![0; length];
    socket.read_exact(&mut text).await?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// `OKAY`, and a text if the service has one.
pub(super) async fn okay(socket: &mut TcpStream, text: Option<&str>) -> io::Result<()> {
    let mut answer = "OKAY".to_owned();
    if let Some(text) = text {
        answer += &frame(text);
    }
    socket.write_all(answer.as_bytes()).await
}

/// `FAIL` and why.
pub(super) async fn fail(socket: &mut TcpStream, text: &str) -> io::Result<()> {
    socket.write_all(format!("FAIL{}", frame(text)).as_bytes()).await
}

/// A text behind its length.
pub(super) fn frame(text: &str) -> String {
    format!("{:04x}{text}", text.len())
}
