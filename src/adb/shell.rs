//! What comes back from a phone's shell: version 2 of the service (packets with standard output, standard error and
//! the exit code; AOSP: packages/modules/adb/shell_protocol.h), version 1 (one stream, for phones before Android 7),
//! and bare streams.

use farmhand_actors::ports::ShellOutput;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

use super::error::AdbError;

/// Socket reads of this size: one system call for most commands, few for a picture.
const BUFFER_BYTES: usize = 64 * 1024;

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const EXIT: u8 = 3;

/// Printed behind a version 1 command to learn its exit code. Its `printf` begins on a new line, because the command
/// may end without one.
const EXIT_MARKER: &str = "\nfarmhand-exit:";

/// Reads a version 2 stream to its exit packet. An end without one means that the phone is gone, never success.
pub(super) async fn read_v2<S: AsyncRead + Unpin>(stream: S, limit: usize) -> Result<ShellOutput, AdbError> {
    let mut stream = BufReader::with_capacity(BUFFER_BYTES, stream);
    let mut output = ShellOutput::default();
    loop {
        let kind = stream.read_u8().await.map_err(|_| AdbError::Lost)?;
        let length = stream.read_u32_le().await.map_err(|_| AdbError::Lost)?;
        let length = usize::try_from(length).map_err(|_| AdbError::TooLong(limit))?;
        if length > limit.saturating_sub(output.stdout.len() + output.stderr.len()) {
            return Err(AdbError::TooLong(limit));
        }
        match kind {
            STDOUT => append(&mut stream, length, &mut output.stdout).await?,
            STDERR => append(&mut stream, length, &mut output.stderr).await?,
            EXIT => {
                output.code = stream.read_u8().await.map_err(|_| AdbError::Lost)?;
                return Ok(output);
            }
            _ => return Err(AdbError::Lost),
        }
    }
}

/// Grows with what really comes, so that a length that lies costs no memory.
async fn append<S: AsyncRead + Unpin>(stream: &mut S, length: usize, into: &mut Vec<u8>) -> Result<(), AdbError> {
    let wanted = u64::try_from(length).map_err(|_| AdbError::Lost)?;
    let got = stream
        .take(wanted)
        .read_to_end(into)
        .await
        .map_err(|_| AdbError::Lost)?;
    if got == length { Ok(()) } else { Err(AdbError::Lost) }
}

/// A command for version 1, which tells its exit code in its output.
pub(super) fn marked_for_v1(command: &str) -> String {
    format!("({command}); printf '\\nfarmhand-exit:%d\\n' $?")
}

/// Reads a version 1 stream of a command made by [`marked_for_v1`]. Both outputs come as one.
pub(super) async fn read_v1<S: AsyncRead + Unpin>(stream: S, limit: usize) -> Result<ShellOutput, AdbError> {
    let mut stdout = read_to_end(stream, limit).await?;
    let text = String::from_utf8_lossy(&stdout);
    let (_, code) = text.rsplit_once(EXIT_MARKER).ok_or(AdbError::Lost)?;
    let code = code.trim().parse().map_err(|_| AdbError::Lost)?;
    let end = stdout
        .windows(EXIT_MARKER.len())
        .rposition(|window| window == EXIT_MARKER.as_bytes())
        .ok_or(AdbError::Lost)?;
    stdout.truncate(end);
    Ok(ShellOutput {
        stdout,
        stderr: Vec::new(),
        code,
    })
}

/// Reads a bare stream to its end. Whether it is whole has to be seen from what it carries.
pub(super) async fn read_to_end<S: AsyncRead + Unpin>(stream: S, limit: usize) -> Result<Vec<u8>, AdbError> {
    let bytes = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut output = Vec::new();
    stream
        .take(bytes)
        .read_to_end(&mut output)
        .await
        .map_err(|_| AdbError::Lost)?;
    if output.len() > limit {
        Err(AdbError::TooLong(limit))
    } else {
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        [&[kind], length.to_le_bytes().as_slice(), payload].concat()
    }

    async fn read(bytes: &[u8]) -> Result<ShellOutput, AdbError> {
        read_v2(bytes, 1_000).await
    }

    #[tokio::test]
    async fn outputs_and_exit_code_are_told_apart() {
        let bytes = [packet(1, b"out"), packet(2, b"err"), packet(1, b"put"), packet(3, &[9])].concat();

        let output = read(&bytes).await.unwrap();

        assert_eq!(
            output,
            ShellOutput {
                stdout: b"output".to_vec(),
                stderr: b"err".to_vec(),
                code: 9
            }
        );
    }

    #[tokio::test]
    async fn an_end_without_an_exit_packet_is_lost_wherever_it_comes() {
        let bytes = [packet(1, b"out"), packet(3, &[0])].concat();

        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]).await, Err(AdbError::Lost), "cut at {end}");
        }
        assert!(read(&bytes).await.is_ok());
    }

    #[tokio::test]
    async fn a_length_that_lies_costs_nothing() {
        let huge = [&[1u8], u32::MAX.to_le_bytes().as_slice()].concat();

        assert_eq!(read(&huge).await, Err(AdbError::TooLong(1_000)));
        assert_eq!(
            read(&[packet(1, &[b'x'; 600]), packet(2, &[b'x'; 600])].concat()).await,
            Err(AdbError::TooLong(1_000))
        );
        assert_eq!(read(&packet(77, b"?")).await, Err(AdbError::Lost));
    }

    #[tokio::test]
    async fn version_1_tells_its_exit_code_behind_the_output() {
        let read = |bytes: &'static [u8]| read_v1(bytes, 1_000);

        let output = read(b"no newline\nfarmhand-exit:7\n").await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.code), (b"no newline".as_slice(), 7));
        assert_eq!(
            read(b"\nfarmhand-exit:3\n fake\nfarmhand-exit:0\r\n")
                .await
                .unwrap()
                .code,
            0
        );
        assert_eq!(read(b"half an out").await, Err(AdbError::Lost));
        assert_eq!(read(b"x\nfarmhand-exit:").await, Err(AdbError::Lost));
        assert_eq!(marked_for_v1("exit 3"), "(exit 3); printf '\\nfarmhand-exit:%d\\n' $?");
    }

    #[tokio::test]
    async fn a_bare_stream_has_a_cap() {
        assert_eq!(read_to_end([0u8; 10].as_slice(), 10).await.unwrap().len(), 10);
        assert_eq!(read_to_end([0u8; 11].as_slice(), 10).await, Err(AdbError::TooLong(10)));
    }

    proptest! {
        #[test]
        fn any_bytes_of_a_phone_give_a_bounded_result(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(output) = runtime.block_on(read(&bytes)) {
                prop_assert!(output.stdout.len() + output.stderr.len() <= 1_000);
            }
        }
    }
}
