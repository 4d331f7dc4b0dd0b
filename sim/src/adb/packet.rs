//! adb's packets: a header of six little-endian words, then the payload.
//!
//! ```text
//! command  arg0  arg1  length  checksum (sum of the payload's bytes)  magic (command with all bits turned)
//! ```

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The protocol's first version: payloads carry checksums.
pub(super) const VERSION_WITH_CHECKSUMS: u32 = 0x0100_0000;
/// The version that this phone speaks: once both sides do, checksums are left out.
pub(super) const VERSION: u32 = 0x0100_0001;
/// The longest payload, bytes (`MAX_PAYLOAD`).
pub(super) const MAX_PAYLOAD: u32 = 1 << 20;

const HEADER_BYTES: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Connect,
    Auth,
    Open,
    Okay,
    Close,
    Write,
}

const COMMANDS: [(Command, [u8; 4]); 6] = [
    (Command::Connect, *b"CNXN"),
    (Command::Auth, *b"AUTH"),
    (Command::Open, *b"OPEN"),
    (Command::Okay, *b"OKAY"),
    (Command::Close, *b"CLSE"),
    (Command::Write, *b"WRTE"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub command: Command,
    pub arg0: u32,
    pub arg1: u32,
    pub payload: Bytes,
}

impl Packet {
    pub fn new(command: Command, arg0: u32, arg1: u32, payload: impl Into<Bytes>) -> Self {
        Self {
            command,
            arg0,
            arg1,
            payload: payload.into(),
        }
    }

    /// Reads a packet, and says whether its checksum holds; `None` for one with a command that nobody knows, which a
    /// phone passes over.
    pub async fn read(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(Self, bool)>> {
        let mut words = [0_u32; HEADER_BYTES / 4];
        for word in &mut words {
            *word = reader.read_u32_le().await?;
        }
        let [code, arg0, arg1, length, checksum, magic] = words;
        if code != !magic {
            return Err(invalid("magic does not match the command"));
        }
        if length > MAX_PAYLOAD {
            return Err(invalid("payload too long"));
        }
        let mut payload = vec![0; usize::try_from(length).map_err(|_| invalid("payload too long"))?];
        reader.read_exact(&mut payload).await?;
        let sound = sum(&payload) == checksum;
        let command = COMMANDS.iter().find(|(_, name)| u32::from_le_bytes(*name) == code);
        Ok(command.map(|&(command, _)| {
            (
                Self {
                    command,
                    arg0,
                    arg1,
                    payload: payload.into(),
                },
                sound,
            )
        }))
    }

    /// Writes the packet, with a checksum if the peer wants them.
    pub async fn write(&self, writer: &mut (impl AsyncWrite + Unpin), checked: bool) -> io::Result<()> {
        let name = COMMANDS
            .iter()
            .find(|(command, _)| *command == self.command)
            .map_or(*b"CLSE", |&(_, name)| name);
        let code = u32::from_le_bytes(name);
        let length = u32::try_from(self.payload.len()).map_err(|_| invalid("payload too long"))?;
        let checksum = if checked { sum(&self.payload) } else { 0 };
        let mut header = Vec::with_capacity(HEADER_BYTES);
        for word in [code, self.arg0, self.arg1, length, checksum, !code] {
            header.extend_from_slice(&word.to_le_bytes());
        }
        writer.write_all(&header).await?;
        writer.write_all(&self.payload).await
    }
}

fn sum(payload: &[u8]) -> u32 {
    payload
        .iter()
        .fold(0, |sum: u32, &byte| sum.wrapping_add(u32::from(byte)))
}

pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("adb packet: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_packet_survives_the_wire_with_and_without_checksum() {
        for checked in [true, false] {
            let packet = Packet::new(Command::Write, 7, 9, vec![0xff; 300]);
            let mut wire = Vec::new();

            packet.write(&mut wire, checked).await.unwrap();

            assert_eq!(wire.len(), 324);
            assert_eq!(
                u32::from_le_bytes(wire[16..20].try_into().unwrap()),
                if checked { 76_500 } else { 0 }
            );
            assert_eq!(
                Packet::read(&mut wire.as_slice()).await.unwrap(),
                Some((packet, checked))
            );
        }
    }

    #[tokio::test]
    async fn broken_headers_are_refused_and_unknown_commands_are_passed_over() {
        let mut wire = Vec::new();
        Packet::new(Command::Okay, 1, 2, "x")
            .write(&mut wire, false)
            .await
            .unwrap();
        let mut broken = wire.clone();
        broken[20] ^= 1;
        assert!(Packet::read(&mut broken.as_slice()).await.is_err(), "magic");

        let mut long = wire.clone();
        long[12..16].copy_from_slice(&(MAX_PAYLOAD + 1).to_le_bytes());
        assert!(Packet::read(&mut long.as_slice()).await.is_err(), "length");

        wire[0] ^= 1;
        wire[20] ^= 1;
        assert_eq!(Packet::read(&mut wire.as_slice()).await.unwrap(), None);
    }
}
