//! One stream of a host: carries bytes between the wire's packets and a service.
//!
//! One packet is in flight in each direction: the next one waits for the other side's OKAY.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{
    packet::{Command, Packet},
    services::{PIPE_BYTES, Service},
};
use crate::device::Device;

/// How long a service may leave its input unread after the host has closed the stream.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// The host's end of a stream.
pub(super) struct HostEnd {
    pub local: u32,
    pub remote: u32,
    pub max_payload: usize,
    pub outgoing: mpsc::Sender<Packet>,
    /// What the host sent. The end of the channel is its CLSE.
    pub data: mpsc::Receiver<Bytes>,
    /// Its OKAYs.
    pub ready: mpsc::Receiver<()>,
    /// Set when the host has closed the stream, also while data still wait to be delivered.
    pub closed: CancellationToken,
}

/// Runs a service for the host until both are done with it.
pub(super) async fn run(mut end: HostEnd, device: Arc<dyn Device>, service: Service) {
    let slow = Duration::from_millis(device.link().borrow().slow_ms);
    if !slow.is_zero() {
        tokio::time::sleep(slow).await;
        device.was_slow();
    }
    let Some(service) = service.prepare(&device).await else {
        end.local = 0;
        end.send(Command::Close, Bytes::new()).await;
        return;
    };
    if end.send(Command::Okay, Bytes::new()).await.is_none() {
        return;
    }
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let closed_by_host = {
        let carry = end.carry(ours);
        let serve = service.run(device, theirs);
        tokio::pin!(serve, carry);
        tokio::select! {
            // A service that ends closes its end of the pipe; what it wrote is still fetched.
            () = &mut serve => carry.await,
            closed = &mut carry => {
                // What the host sent before it closed counts (`exec-in`): the service finds the end of its input
                // and decides what that means.
                if closed {
                    serve.await;
                }
                closed
            }
        }
    };
    if !closed_by_host {
        end.send(Command::Close, Bytes::new()).await;
    }
}

impl HostEnd {
    /// Queues a packet; `None` when the connection is gone.
    async fn send(&self, command: Command, payload: Bytes) -> Option<()> {
        self.outgoing
            .send(Packet::new(command, self.local, self.remote, payload))
            .await
            .ok()
    }

    /// Carries bytes until one side ends; whether that was the host.
    async fn carry(&mut self, pipe: DuplexStream) -> bool {
        let (reader, writer) = tokio::io::split(pipe);
        let Self {
            local,
            remote,
            max_payload,
            outgoing,
            data,
            ready,
            closed,
        } = self;
        let packet = |command, payload| Packet::new(command, *local, *remote, payload);
        tokio::select! {
            () = bring(writer, data, closed, outgoing, &packet) => true,
            () = fetch(reader, ready, *max_payload, outgoing, &packet) => false,
        }
    }
}

/// Host to service, until the host closes the stream.
async fn bring(
    mut writer: WriteHalf<DuplexStream>,
    data: &mut mpsc::Receiver<Bytes>,
    closed: &CancellationToken,
    outgoing: &mpsc::Sender<Packet>,
    packet: &impl Fn(Command, Bytes) -> Packet,
) {
    while let Some(bytes) = data.recv().await {
        let patience = async {
            closed.cancelled().await;
            tokio::time::sleep(CLOSE_GRACE).await;
        };
        tokio::select! {
            // A service that reads no more (it may still write) swallows what comes.
            _ = writer.write_all(&bytes) => {}
            () = patience => return,
        }
        if outgoing.send(packet(Command::Okay, Bytes::new())).await.is_err() {
            return;
        }
    }
}

/// Service to host, until the service closes its end.
async fn fetch(
    mut reader: ReadHalf<DuplexStream>,
    ready: &mut mpsc::Receiver<()>,
    max_payload: usize,
    outgoing: &mpsc::Sender<Packet>,
    packet: &impl Fn(Command, Bytes) -> Packet,
) {
    let limit = max_payload.min(PIPE_BYTES);
    loop {
        let mut buffer = BytesMut::with_capacity(limit);
        match (&mut reader).take(limit as u64).read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if outgoing.send(packet(Command::Write, buffer.freeze())).await.is_err() {
            return;
        }
        if ready.recv().await.is_none() {
            // Closed by the host, which the other direction handles.
            std::future::pending::<()>().await;
        }
    }
}
