//! `shell:`, `exec:` and `abb:`: commands, over one of three protocols.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    sync::mpsc,
};

use crate::{
    device::Device,
    shell::{Channel, Chunk, Input, Session},
};

/// Chunks of input that wait for a program.
const INPUT_QUEUE: usize = 64;
/// Chunks of output that wait for the host.
const OUTPUT_QUEUE: usize = 16;
/// The longest packet of the shell protocol, bytes.
const MAX_PACKET_BYTES: usize = 1 << 20;
/// How long a command of `exec:` may still run on after the host has gone. Nothing tells it so: on a phone it runs on
/// until it writes, and one that never does must not stay for ever here.
const GRACE: Duration = Duration::from_secs(60);

/// How input and output travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `shell:`: a raw terminal; outputs merged, no exit code; the end of the stream hangs up.
    Terminal,
    /// `exec:`: pipes; outputs merged, no exit code; the end of the stream is the end of the input.
    Raw,
    /// `shell,v2:`: pipes, as packets for each stream and the exit code; the end of the stream hangs up.
    Packets,
    /// `shell,v2,…,pty:`: the same, on a terminal.
    TerminalPackets,
}

impl Protocol {
    /// By what stands between `shell` and the colon.
    pub(super) fn of_options(options: &str, command: &str) -> Self {
        let has = |name: &str| options.split(',').any(|option| option == name);
        let terminal = has("pty") || (command.is_empty() && !has("raw"));
        match (has("v2"), terminal) {
            (true, true) => Self::TerminalPackets,
            (true, false) => Self::Packets,
            (false, _) => Self::Terminal,
        }
    }

    fn has_packets(self) -> bool {
        matches!(self, Self::Packets | Self::TerminalPackets)
    }

    fn has_terminal(self) -> bool {
        matches!(self, Self::Terminal | Self::TerminalPackets)
    }
}

/// Runs a command, or a shell that reads commands when there is none.
pub(super) async fn run(device: Arc<dyn Device>, command: &str, protocol: Protocol, pipe: DuplexStream) {
    let session = Session::new(device, protocol.has_terminal());
    if command.is_empty() {
        converse(pipe, protocol, |input, output| session.interact(input, output)).await;
    } else {
        converse(pipe, protocol, |input, output| session.run(command, input, output)).await;
    }
}

/// Runs one program by its arguments.
pub(super) async fn run_binder(
    device: Arc<dyn Device>,
    arguments: Vec<String>,
    protocol: Protocol,
    pipe: DuplexStream,
) {
    let session = Session::new(device, false);
    converse(pipe, protocol, |input, output| {
        session.run_program(&arguments, input, output)
    })
    .await;
}

async fn converse<F: Future<Output = Option<u8>>>(
    pipe: DuplexStream,
    protocol: Protocol,
    session: impl FnOnce(Input, mpsc::Sender<Chunk>) -> F,
) {
    let (reader, mut writer) = tokio::io::split(pipe);
    let (input, stdin) = mpsc::channel(INPUT_QUEUE);
    let (output, mut chunks) = mpsc::channel(OUTPUT_QUEUE);
    let session = session(Input::live(stdin), output);
    let host = async {
        if protocol.has_packets() {
            read_packets(reader, input).await;
        } else {
            read_raw(reader, input, protocol).await;
        }
        if protocol == Protocol::Raw {
            tokio::time::sleep(GRACE).await;
        }
    };
    let work = async {
        tokio::pin!(session);
        let mut code = None;
        loop {
            tokio::select! {
                biased;
                chunk = chunks.recv() => match chunk {
                    Some((channel, bytes)) => write(&mut writer, protocol, id_of(channel), &bytes).await?,
                    // Whoever could write has ended.
                    None => break,
                },
                ended = &mut session, if code.is_none() => {
                    code = Some(ended.unwrap_or(1));
                    // What was left in the background loses its terminal, as by a hang-up; pipes stay open for it.
                    if protocol.has_terminal() {
                        chunks.close();
                    }
                }
            }
        }
        if protocol.has_packets() {
            let code = match code {
                Some(code) => code,
                None => session.await.unwrap_or(1),
            };
            write(&mut writer, protocol, ID_EXIT, &Bytes::copy_from_slice(&[code])).await?;
        }
        writer.shutdown().await
    };
    tokio::select! {
        // A command that was sent is begun, even if the host has gone meanwhile: phones do so too.
        biased;
        // An error means that the host reads no more.
        _ = work => {}
        () = host => {}
    }
}

const ID_STDIN: u8 = 0;
const ID_STDOUT: u8 = 1;
const ID_STDERR: u8 = 2;
const ID_EXIT: u8 = 3;
const ID_CLOSE_STDIN: u8 = 4;

fn id_of(channel: Channel) -> u8 {
    match channel {
        Channel::Stdout => ID_STDOUT,
        Channel::Stderr => ID_STDERR,
    }
}

async fn write(writer: &mut WriteHalf<DuplexStream>, protocol: Protocol, id: u8, bytes: &Bytes) -> io::Result<()> {
    if !protocol.has_packets() {
        return writer.write_all(bytes).await;
    }
    for part in bytes.chunks(super::PIPE_BYTES) {
        let mut packet = BytesMut::with_capacity(part.len() + 5);
        packet.extend_from_slice(&[id]);
        packet.extend_from_slice(&u32::try_from(part.len()).map_err(io::Error::other)?.to_le_bytes());
        packet.extend_from_slice(part);
        writer.write_all(&packet).await?;
    }
    Ok(())
}

/// Passes packets on; returns when the host has gone.
async fn read_packets(mut reader: ReadHalf<DuplexStream>, input: mpsc::Sender<Bytes>) {
    let mut input = Some(input);
    loop {
        let Ok(id) = reader.read_u8().await else { return };
        let Ok(length) = reader.read_u32_le().await else { return };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_PACKET_BYTES {
            return;
        }
        let mut payload = vec![0; length];
        if reader.read_exact(&mut payload).await.is_err() {
            return;
        }
        match (id, &input) {
            (ID_STDIN, Some(sender)) => {
                // A program that has ended or reads no more swallows it.
                sender.send(payload.into()).await.ok();
            }
            (ID_CLOSE_STDIN, _) => input = None,
            _ => {}
        }
    }
}

/// Passes input on; returns when the host has closed the stream or, on a terminal, typed Ctrl-C.
async fn read_raw(mut reader: ReadHalf<DuplexStream>, input: mpsc::Sender<Bytes>, protocol: Protocol) {
    loop {
        let mut buffer = BytesMut::with_capacity(super::PIPE_BYTES);
        match reader.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if protocol.has_terminal() && buffer.as_ref() == [0x03] {
            return;
        }
        input.send(buffer.freeze()).await.ok();
    }
}
