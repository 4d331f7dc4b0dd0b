//! A phone's port. While the phone is offline the port is kept but refuses connections, as that of a phone whose
//! adbd does not run.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};

use super::connection;
use crate::device::Device;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;
/// Hosts that are connected at a time; the next one waits.
const MAX_CONNECTIONS: usize = 64;
/// Pause before a port that could not be opened again is tried once more.
const REBIND_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    reserve(addr)?.listen(BACKLOG)
}

/// Takes a port without listening: connections are refused, and nobody else gets it.
fn reserve(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

pub(super) async fn run(device: Arc<dyn Device>, first: TcpListener, addr: SocketAddr) {
    let mut link = device.link();
    let mut listener = Some(first);
    loop {
        if let Some(listener) = listener.take() {
            let connections = accept(&device, &listener);
            tokio::select! {
                () = connections => {}
                // The sender's end lives as long as the phone: an error means that the phone is no more.
                offline = link.wait_for(|link| link.offline) => if offline.is_err() { return },
            }
        }
        let socket = retry(|| reserve(addr)).await;
        if link.wait_for(|link| !link.offline).await.is_err() {
            return;
        }
        listener = match socket.listen(BACKLOG) {
            Ok(listener) => Some(listener),
            Err(_) => Some(retry(|| bind(addr)).await),
        };
    }
}

/// Accepts hosts until the future is dropped, which drops their connections too.
async fn accept(device: &Arc<dyn Device>, listener: &TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(connection::run(device.clone(), socket));
                }
                // Out of descriptors, for example: others may become free.
                Err(error) => {
                    tracing::warn!(device.serial = device.serial(), %error, "adb connection not accepted");
                    tokio::time::sleep(REBIND_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn retry<T>(attempt: impl Fn() -> io::Result<T>) -> T {
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(_) => tokio::time::sleep(REBIND_PAUSE).await,
        }
    }
}
