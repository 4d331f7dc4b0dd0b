//! Runs a phone's service for a client of the server.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    net::{
        TcpStream,
        tcp::{ReadHalf as SocketReader, WriteHalf as SocketWriter},
    },
    sync::watch,
};

use super::{
    board::{Board, Entry, Selector, State},
    request,
};
use crate::{
    adb::services::{self, PIPE_BYTES, Service},
    device::Link,
};

/// How long a client may take to close after the service has ended. Closing first, with input of the client unread,
/// would reset the connection and could cost it the end of the output.
const LINGER: Duration = Duration::from_secs(2);

/// Opens the service and serves it until either side ends it or the phone is lost.
pub(super) async fn run(board: &Arc<Board>, entry: Entry, name: &str, mut socket: TcpStream) -> io::Result<()> {
    let selector = Selector::Serial(entry.device.serial().to_owned());
    let entry = match board.select_usable(&selector) {
        Ok(entry) => entry,
        Err(message) => return request::fail(&mut socket, &message).await,
    };
    let link = entry.device.link();
    let mut lost = link.clone();
    let drops = link.borrow().drops;
    tokio::select! {
        ended = serve(&entry, name, &mut socket, link) => ended,
        _ = lost.wait_for(|link| State::of(link) != State::Device || link.drops != drops) => Ok(()),
    }
}

async fn serve(entry: &Entry, name: &str, socket: &mut TcpStream, mut link: watch::Receiver<Link>) -> io::Result<()> {
    wait_while_hung(&mut link).await?;
    let slow = Duration::from_millis(link.borrow().slow_ms);
    if !slow.is_zero() {
        tokio::time::sleep(slow).await;
        entry.device.was_slow();
    }
    let name = name.strip_suffix('\0').unwrap_or(name);
    let service = match services::find(name.as_bytes()) {
        Some(service) => service.prepare(&entry.device).await,
        None => None,
    };
    let Some(service) = service else {
        request::fail(socket, "closed").await?;
        return socket.shutdown().await;
    };
    request::okay(socket, None).await?;
    carry(entry, service, socket, link).await
}

async fn carry(entry: &Entry, service: Service, socket: &mut TcpStream, link: watch::Receiver<Link>) -> io::Result<()> {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let (pipe_reader, pipe_writer) = tokio::io::split(ours);
    let (socket_reader, socket_writer) = socket.split();
    let serve = service.run(entry.device.clone(), theirs);
    let bring = bring(socket_reader, pipe_writer, link.clone());
    let fetch = fetch(pipe_reader, socket_writer, link);
    tokio::pin!(serve, bring, fetch);
    let (mut served, mut brought) = (false, false);
    let fetched = loop {
        tokio::select! {
            fetched = &mut fetch => break fetched,
            () = &mut serve, if !served => served = true,
            () = &mut bring, if !brought => brought = true,
        }
    };
    if fetched.is_ok() && !brought {
        // Late is as good as never here.
        let _ = tokio::time::timeout(LINGER, bring).await;
    }
    fetched
}

/// Client to service. The client's end is the end of the service's input; its output still goes out.
async fn bring(mut reader: SocketReader<'_>, mut writer: WriteHalf<DuplexStream>, mut link: watch::Receiver<Link>) {
    loop {
        let mut buffer = BytesMut::with_capacity(PIPE_BYTES);
        let read = reader.read_buf(&mut buffer).await;
        if wait_while_hung(&mut link).await.is_err() || !matches!(read, Ok(length) if length > 0) {
            // Fails when the service has ended, which is as good.
            writer.shutdown().await.ok();
            return;
        }
        // A service that reads no more swallows what comes.
        writer.write_all(&buffer).await.ok();
    }
}

/// Service to client.
async fn fetch(
    mut reader: ReadHalf<DuplexStream>,
    mut writer: SocketWriter<'_>,
    mut link: watch::Receiver<Link>,
) -> io::Result<()> {
    loop {
        let mut buffer = BytesMut::with_capacity(PIPE_BYTES);
        let length = reader.read_buf(&mut buffer).await?;
        wait_while_hung(&mut link).await?;
        if length == 0 {
            return writer.shutdown().await;
        }
        writer.write_all(&buffer).await?;
    }
}

async fn wait_while_hung(link: &mut watch::Receiver<Link>) -> io::Result<()> {
    // An error means that the phone is no more.
    link.wait_for(|link| !link.hang)
        .await
        .map(|_| ())
        .map_err(io::Error::other)
}
