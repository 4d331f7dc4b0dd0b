//! Hosts that speak to a phone's port by hand: the first version of the protocol, and hosts that break the rules.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use farmhand_sim::adb::{ServedPhone, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::fake::FakePhone;

const OLD: u32 = 0x0100_0000;
const NEW: u32 = 0x0100_0001;

struct Host {
    socket: TcpStream,
    checked: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Packet {
    command: String,
    arg0: u32,
    arg1: u32,
    payload: Vec<u8>,
    checksum: u32,
}

impl Host {
    async fn connect(addr: SocketAddr, version: u32, max_payload: u32) -> Self {
        let mut host = Self {
            socket: TcpStream::connect(addr).await.unwrap(),
            checked: true,
        };
        host.send(b"CNXN", version, max_payload, b"host::features=shell_v2")
            .await;
        host.checked = version == OLD;
        host
    }

    async fn send(&mut self, command: &[u8; 4], arg0: u32, arg1: u32, payload: &[u8]) {
        let code = u32::from_le_bytes(*command);
        let checksum = if self.checked { sum(payload) } else { 0 };
        let mut bytes = Vec::new();
        for word in [code, arg0, arg1, payload.len() as u32, checksum, !code] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(payload);
        // A phone that has hung up is noticed by reading.
        self.socket.write_all(&bytes).await.ok();
    }

    /// The next packet; `None` when the phone has closed the connection.
    async fn receive(&mut self) -> Option<Packet> {
        let read = async {
            let mut words = [0; 6];
            for word in &mut words {
                *word = self.socket.read_u32_le().await.ok()?;
            }
            let mut payload = vec![0; words[3] as usize];
            self.socket.read_exact(&mut payload).await.ok()?;
            let command = String::from_utf8_lossy(&words[0].to_le_bytes()).into_owned();
            Some(Packet {
                command,
                arg0: words[1],
                arg1: words[2],
                payload,
                checksum: words[4],
            })
        };
        tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .expect("the phone never answered")
    }

    async fn open(&mut self, id: u32, service: &str) -> Packet {
        self.send(b"OPEN", id, 0, format!("{service}\0").as_bytes()).await;
        self.receive().await.unwrap()
    }

    /// All that a stream brings, acknowledged.
    async fn drain(&mut self, id: u32) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let packet = self.receive().await.unwrap();
            assert_eq!(packet.arg1, id);
            match packet.command.as_str() {
                "WRTE" => {
                    all.extend_from_slice(&packet.payload);
                    self.send(b"OKAY", id, packet.arg0, b"").await;
                }
                "OKAY" => {}
                "CLSE" => return all,
                other => panic!("unexpected {other}"),
            }
        }
    }
}

fn sum(payload: &[u8]) -> u32 {
    payload.iter().map(|&byte| u32::from(byte)).sum()
}

async fn phone() -> (Arc<FakePhone>, ServedPhone) {
    let phone = FakePhone::new("PH0NE");
    let served = serve(phone.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .unwrap();
    (phone, served)
}

#[tokio::test]
async fn hosts_of_the_first_version_get_checksums_and_small_packets() {
    let (_phone, served) = phone().await;
    let mut host = Host::connect(served.addr, OLD, 4096).await;
    let hello = host.receive().await.unwrap();
    assert_eq!((hello.command.as_str(), hello.checksum), ("CNXN", sum(&hello.payload)));
    assert!(String::from_utf8_lossy(&hello.payload).starts_with("device::ro.product.name=panther;"));

    assert_eq!(host.open(5, "exec:screencap -p").await.command, "OKAY");
    let packet = host.receive().await.unwrap();

    assert_eq!((packet.command.as_str(), packet.payload.len()), ("WRTE", 4096));
    assert_eq!(packet.checksum, sum(&packet.payload));
}

#[tokio::test]
async fn newer_hosts_get_no_checksums_and_one_packet_at_a_time() {
    let (_phone, served) = phone().await;
    let mut host = Host::connect(served.addr, NEW, 1 << 20).await;
    host.receive().await.unwrap();
    host.open(5, "exec:screencap -p").await;
    let packet = host.receive().await.unwrap();
    assert_eq!((packet.command.as_str(), packet.checksum), ("WRTE", 0));

    // The phone waits for this packet's OKAY: what comes next is the answer to another request.
    assert_eq!(
        host.open(6, "nonsense:").await,
        Packet {
            command: "CLSE".to_owned(),
            arg0: 0,
            arg1: 6,
            payload: Vec::new(),
            checksum: 0
        }
    );
    host.send(b"OKAY", 5, packet.arg0, b"").await;
    assert_eq!(host.drain(5).await.len() + packet.payload.len(), 300_000);
}

#[tokio::test]
async fn wrong_checksums_wrong_magic_and_endless_lengths_end_the_connection() {
    let (_phone, served) = phone().await;

    let mut host = Host::connect(served.addr, OLD, 4096).await;
    host.receive().await.unwrap();
    host.checked = false;
    host.send(b"OPEN", 1, 0, b"exec:true\0").await;
    assert_eq!(host.receive().await, None);

    let mut garbage = TcpStream::connect(served.addr).await.unwrap();
    garbage.write_all(&[0xff; 24]).await.unwrap();
    assert_eq!(garbage.read(&mut [0; 8]).await.unwrap_or(0), 0);

    let mut host = Host::connect(served.addr, NEW, 4096).await;
    assert_eq!(host.receive().await.unwrap().command, "CNXN");
}

#[tokio::test]
async fn packets_for_streams_that_are_not_open_disturb_nothing() {
    let (_phone, served) = phone().await;
    let mut host = Host::connect(served.addr, NEW, 4096).await;
    host.receive().await.unwrap();

    host.send(b"WRTE", 9, 77, b"lost").await;
    assert_eq!(host.receive().await.unwrap().command, "CLSE");
    host.send(b"CLSE", 9, 77, b"").await;
    host.send(b"OKAY", 9, 77, b"").await;
    host.send(b"AUTH", 3, 0, b"key\0").await;
    host.send(b"WHAT", 1, 2, b"?").await;
    // A window belongs to delayed acknowledgements, which were not agreed on.
    host.send(b"OPEN", 4, 0x0200_0000, b"exec:true\0").await;
    assert_eq!(host.receive().await.unwrap().command, "CLSE");

    assert_eq!(host.open(5, "exec:echo fine").await.command, "OKAY");
    assert_eq!(host.drain(5).await, b"fine\n");
}

#[tokio::test]
async fn every_signature_of_a_stranger_gets_another_token() {
    let (phone, served) = phone().await;
    phone.set_link(|link| link.unauthorized = true);
    let mut host = Host::connect(served.addr, NEW, 4096).await;
    let first = host.receive().await.unwrap();
    assert_eq!(
        (first.command.as_str(), first.arg0, first.payload.len()),
        ("AUTH", 1, 20)
    );

    host.send(b"AUTH", 2, 0, &[7; 256]).await;
    let second = host.receive().await.unwrap();
    assert_eq!((second.command.as_str(), second.arg0), ("AUTH", 1));
    assert_ne!(first.payload, second.payload);

    host.send(b"AUTH", 3, 0, b"public key\0").await;
    phone.set_link(|link| link.unauthorized = false);
    assert_eq!(host.receive().await.unwrap().command, "CNXN");
}

#[tokio::test]
async fn what_a_host_sent_before_it_closed_still_counts() {
    let (phone, served) = phone().await;
    let mut host = Host::connect(served.addr, NEW, 1 << 20).await;
    host.receive().await.unwrap();
    let opened = host.open(5, "exec:cat > /sdcard/in").await;

    host.send(b"WRTE", 5, opened.arg0, &[b'a'; 100_000]).await;
    host.send(b"CLSE", 5, opened.arg0, b"").await;

    let files = farmhand_sim::device::Device::files(&*phone);
    crate::checks::wait_until(|| files.stat("/sdcard/in").is_ok_and(|metadata| metadata.size == 100_000)).await;
}
