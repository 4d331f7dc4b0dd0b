//! The adb server's own protocol ("smart sockets"), one exchange at a time: a request is four hexadecimal digits of
//! length and the text; the answer is `OKAY` or `FAIL`, four digits, text. (AOSP: packages/modules/adb, SERVICES.TXT.)
//! Requests cannot be pipelined: the server drops what comes before its first `OKAY`.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::AdbError;

/// A request's length is four hexadecimal digits.
const REQUEST_BYTES_MAX: usize = 0xffff;

/// Sends a request and reads `OKAY`; a `FAIL` becomes its typed meaning.
pub(super) async fn request<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, text: &str) -> Result<(), AdbError> {
    if text.len() > REQUEST_BYTES_MAX {
        return Err(AdbError::Refused(format!(
            "a request of {} bytes is over the protocol's {REQUEST_BYTES_MAX}",
            text.len()
        )));
    }
    let frame = format!("{:04x}{text}", text.len());
    stream
        .write_all(frame.as_bytes())
        .await
        .map_err(|error| AdbError::unreachable(&error))?;
    status(stream).await
}

/// Reads `OKAY` or `FAIL` with its text.
pub(super) async fn status<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), AdbError> {
    let mut word = [0u8; 4];
    stream
        .read_exact(&mut word)
        .await
        .map_err(|error| AdbError::unreachable(&error))?;
    match &word {
        b"OKAY" => Ok(()),
        b"FAIL" => Err(AdbError::refusal(&block(stream).await?)),
        other => Err(AdbError::Garbage(format!(
            "{:?} where OKAY or FAIL was expected",
            other.escape_ascii().to_string()
        ))),
    }
}

/// Reads four hexadecimal digits and that many bytes of text.
pub(super) async fn block<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String, AdbError> {
    let mut digits = [0u8; 4];
    stream
        .read_exact(&mut digits)
        .await
        .map_err(|error| AdbError::unreachable(&error))?;
    let length = std::str::from_utf8(&digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or_else(|| AdbError::Garbage(format!("{:?} is not a length", digits.escape_ascii().to_string())))?;
    let mut body = vec![0u8; length];
    stream
        .read_exact(&mut body)
        .await
        .map_err(|error| AdbError::unreachable(&error))?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::*;

    async fn answered(bytes: &[u8]) -> Result<(), AdbError> {
        let (mut ours, mut theirs) = duplex(1024);
        theirs.write_all(bytes).await.unwrap();
        let asked = request(&mut ours, "host:version");
        let close = async {
            let mut seen = vec![0u8; 16];
            theirs.read_exact(&mut seen).await.unwrap();
            assert_eq!(seen, b"000chost:version");
            drop(theirs);
        };
        tokio::join!(asked, close).0
    }

    #[tokio::test]
    async fn okay_is_success_and_fail_carries_its_text() {
        assert_eq!(answered(b"OKAY").await, Ok(()));
        assert_eq!(
            answered(b"FAIL0006closed").await,
            Err(AdbError::Refused("closed".into()))
        );
    }

    #[tokio::test]
    async fn garbage_and_early_ends_are_errors() {
        assert!(matches!(answered(b"HTTP/1.1 400").await, Err(AdbError::Garbage(_))));
        assert!(matches!(answered(b"FAILzzzz").await, Err(AdbError::Garbage(_))));
        assert!(matches!(answered(b"FAIL+00f").await, Err(AdbError::Garbage(_))));
        assert!(matches!(
            answered(b"FAIL00ffshort").await,
            Err(AdbError::Unreachable(_))
        ));
        assert!(matches!(answered(b"OK").await, Err(AdbError::Unreachable(_))));
        assert!(matches!(answered(b"").await, Err(AdbError::Unreachable(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_of_a_server_give_a_result(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let ended = runtime.block_on(async { status(&mut bytes.as_slice()).await });
            prop_assert!(ended.is_ok() == bytes.starts_with(b"OKAY"));
        }
    }
}
