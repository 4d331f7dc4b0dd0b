//! One host's connection to a phone: handshake, then streams.

use std::{collections::HashMap, io, sync::Arc};

use bytes::Bytes;
use tokio::{
    io::{AsyncWriteExt, BufReader, BufWriter},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

use super::{
    FEATURES,
    packet::{Command, MAX_PAYLOAD, Packet, VERSION, VERSION_WITH_CHECKSUMS, invalid},
    services,
    stream::{self, HostEnd},
};
use crate::device::{Device, Link};

/// Packets that wait to be written. Streams wait for room.
const QUEUE: usize = 16;
/// Streams of one host at a time; further ones are refused.
const MAX_STREAMS: usize = 256;
/// Packets of one stream that wait for it. The protocol allows one; one to spare.
const STREAM_QUEUE: usize = 2;

const AUTH_TOKEN: u32 = 1;
const AUTH_SIGNATURE: u32 = 2;
const TOKEN_BYTES: usize = 20;

/// Serves a host until either side ends it.
pub(super) async fn run(device: Arc<dyn Device>, socket: TcpStream) {
    let link = device.link();
    let serial = device.serial().to_owned();
    let drops = link.borrow().drops;
    let mut lost = link.clone();
    let ended = tokio::select! {
        ended = serve(device, socket, link) => ended,
        _ = lost.wait_for(|link| link.offline || link.drops != drops) => Ok(()),
    };
    match ended {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            tracing::debug!(device.serial = serial, %error, "adb connection closed");
        }
        // The host went away, which is its right.
        _ => {}
    }
}

async fn serve(device: Arc<dyn Device>, socket: TcpStream, link: watch::Receiver<Link>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (reader, writer) = socket.into_split();
    let mut writer = BufWriter::new(writer);
    let (incoming, mut packets) = mpsc::channel(QUEUE);
    // Reading has a task of its own because a packet that is half read must not be forgotten.
    let read = AbortOnDropHandle::new(tokio::spawn(read_packets(
        BufReader::new(reader),
        incoming,
        link.clone(),
    )));
    let peer = shake_hands(&device, &mut packets, &mut writer, link.clone()).await?;
    let (outgoing, queue) = mpsc::channel(QUEUE);
    let streams = Streams {
        device,
        outgoing,
        peer,
        open: HashMap::new(),
        last_id: 0,
        tasks: JoinSet::new(),
    };
    let mut trusted = link.clone();
    tokio::select! {
        ended = streams.run(&mut packets) => ended?,
        ended = write_packets(writer, queue, link, peer.checked) => ended?,
        // Trust that is withdrawn ends the connection; the next one is not let in.
        _ = trusted.wait_for(|link| link.unauthorized) => {}
    }
    if read.is_finished() { read.await? } else { Ok(()) }
}

/// What the host's first packet says.
#[derive(Debug, Clone, Copy)]
struct Peer {
    /// Whether it wants checksums.
    checked: bool,
    /// The longest payload that it takes, bytes.
    max_payload: usize,
}

impl Peer {
    fn new(hello: &Packet) -> Self {
        let max_payload = usize::try_from(hello.arg1.clamp(1, MAX_PAYLOAD)).unwrap_or(1);
        Self {
            checked: hello.arg0 <= VERSION_WITH_CHECKSUMS,
            max_payload,
        }
    }
}

async fn shake_hands(
    device: &Arc<dyn Device>,
    packets: &mut mpsc::Receiver<(Packet, bool)>,
    writer: &mut BufWriter<OwnedWriteHalf>,
    mut link: watch::Receiver<Link>,
) -> io::Result<Peer> {
    let mut peer = None;
    loop {
        let asks = tokio::select! {
            packet = packets.recv() => {
                let (packet, _) = packet.ok_or(io::ErrorKind::ConnectionAborted)?;
                match packet.command {
                    Command::Connect => {
                        peer = Some(Peer::new(&packet));
                        true
                    }
                    // With its public key the host asks for the dialog: a person has the word now.
                    Command::Auth => packet.arg0 == AUTH_SIGNATURE,
                    _ => false,
                }
            }
            // Somebody has tapped "allow": the phone says hello by itself.
            trusted = link.wait_for(|link| !link.unauthorized), if peer.is_some() => {
                trusted.map_err(io::Error::other)?;
                false
            }
        };
        wait_while_hung(&mut link).await?;
        let Some(peer) = peer else { continue };
        if !link.borrow().unauthorized {
            send_banner(device, writer).await?;
            return Ok(peer);
        }
        if asks {
            let token: [u8; TOKEN_BYTES] = rand::random();
            let token = Bytes::copy_from_slice(&token);
            Packet::new(Command::Auth, AUTH_TOKEN, 0, token)
                .write(writer, true)
                .await?;
            writer.flush().await?;
        }
    }
}

async fn send_banner(device: &Arc<dyn Device>, writer: &mut BufWriter<OwnedWriteHalf>) -> io::Result<()> {
    let banner = device.banner();
    let text = format!(
        "device::ro.product.name={};ro.product.model={};ro.product.device={};features={FEATURES}",
        banner.product, banner.model, banner.device
    );
    // The first packet has a checksum in either version.
    Packet::new(Command::Connect, VERSION, MAX_PAYLOAD, text)
        .write(writer, true)
        .await?;
    writer.flush().await
}

async fn wait_while_hung(link: &mut watch::Receiver<Link>) -> io::Result<()> {
    // An error means that the phone is no more.
    link.wait_for(|link| !link.hang)
        .await
        .map(|_| ())
        .map_err(io::Error::other)
}

async fn read_packets(
    mut reader: BufReader<OwnedReadHalf>,
    incoming: mpsc::Sender<(Packet, bool)>,
    mut link: watch::Receiver<Link>,
) -> io::Result<()> {
    loop {
        let packet = Packet::read(&mut reader).await?;
        wait_while_hung(&mut link).await?;
        if let Some(packet) = packet
            && incoming.send(packet).await.is_err()
        {
            return Ok(());
        }
    }
}

async fn write_packets(
    mut writer: BufWriter<OwnedWriteHalf>,
    mut queue: mpsc::Receiver<Packet>,
    mut link: watch::Receiver<Link>,
    checked: bool,
) -> io::Result<()> {
    while let Some(packet) = queue.recv().await {
        wait_while_hung(&mut link).await?;
        packet.write(&mut writer, checked).await?;
        if queue.is_empty() {
            writer.flush().await?;
        }
    }
    Ok(())
}

/// The open streams of one host.
struct Streams {
    device: Arc<dyn Device>,
    outgoing: mpsc::Sender<Packet>,
    peer: Peer,
    /// By our id.
    open: HashMap<u32, Open>,
    last_id: u32,
    tasks: JoinSet<()>,
}

/// How a stream is told what the host sends. Dropping it tells that the host has closed the stream.
struct Open {
    /// The host's id.
    remote: u32,
    data: mpsc::Sender<Bytes>,
    ready: mpsc::Sender<()>,
    _closed: DropGuard,
}

impl Streams {
    async fn run(mut self, packets: &mut mpsc::Receiver<(Packet, bool)>) -> io::Result<()> {
        loop {
            let (packet, sound) = tokio::select! {
                packet = packets.recv() => match packet {
                    Some(packet) => packet,
                    None => return Ok(()),
                },
                Some(ended) = self.tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(device.serial = self.device.serial(), %error, "adb service died");
                    }
                    continue;
                }
            };
            if self.peer.checked && !sound {
                return Err(invalid("checksum does not match"));
            }
            match packet.command {
                Command::Open => self.open(packet).await?,
                Command::Write => self.deliver(packet).await?,
                Command::Okay => {
                    // A second OKAY for one packet says nothing new.
                    let stream = self.stream(packet.arg0, packet.arg1);
                    stream.map(|stream| stream.ready.try_send(()).ok());
                }
                Command::Close => {
                    if self.stream(packet.arg0, packet.arg1).is_some() {
                        self.open.remove(&packet.arg1);
                    }
                }
                // A host that says hello again has lost its streams.
                Command::Connect => return Ok(()),
                Command::Auth => {}
            }
        }
    }

    async fn open(&mut self, packet: Packet) -> io::Result<()> {
        let remote = packet.arg0;
        self.open.retain(|_, stream| !stream.data.is_closed());
        // A window in arg1 belongs to delayed acknowledgements, which this phone does not announce.
        let acceptable = remote != 0 && packet.arg1 == 0 && self.open.len() < MAX_STREAMS;
        let name = packet.payload.strip_suffix(&[0]).unwrap_or(&packet.payload);
        let Some(service) = services::find(name).filter(|_| acceptable) else {
            return self.refuse(remote).await;
        };
        self.last_id += 1;
        let (data, data_inbox) = mpsc::channel(STREAM_QUEUE);
        let (ready, ready_inbox) = mpsc::channel(STREAM_QUEUE);
        let closed = CancellationToken::new();
        let end = HostEnd {
            local: self.last_id,
            remote,
            max_payload: self.peer.max_payload,
            outgoing: self.outgoing.clone(),
            data: data_inbox,
            ready: ready_inbox,
            closed: closed.clone(),
        };
        self.open.insert(
            self.last_id,
            Open {
                remote,
                data,
                ready,
                _closed: closed.drop_guard(),
            },
        );
        self.tasks.spawn(stream::run(end, self.device.clone(), service));
        Ok(())
    }

    async fn deliver(&mut self, packet: Packet) -> io::Result<()> {
        let Some(stream) = self.stream(packet.arg0, packet.arg1) else {
            // The stream has ended meanwhile.
            return self.refuse(packet.arg0).await;
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = stream.data.try_send(packet.payload) {
            // The host did not wait for our OKAY, which breaks the rules of the protocol.
            self.open.remove(&packet.arg1);
            return self.refuse(packet.arg0).await;
        }
        Ok(())
    }

    fn stream(&self, remote: u32, local: u32) -> Option<&Open> {
        self.open.get(&local).filter(|stream| stream.remote == remote)
    }

    async fn refuse(&self, remote: u32) -> io::Result<()> {
        let packet = Packet::new(Command::Close, 0, remote, Bytes::new());
        self.outgoing.send(packet).await.map_err(io::Error::other)
    }
}
