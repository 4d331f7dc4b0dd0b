//! The adb *server's* own protocol, for many phones on one port: clients that would talk to an adb server talk to
//! this instead, and no adb is needed. Phones are listed under their own serials, and the services behind
//! `host:transport` are those of `crate::adb`.
//!
//! `board` knows the phones and their states, `request` the framing, `host` the server's own services, `local` runs
//! a phone's service for a client. Protocol: `OVERVIEW.TXT` and `SERVICES.TXT` of AOSP's `packages/modules/adb`.

mod board;
mod host;
mod local;
mod request;

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

use self::board::Board;
use crate::device::Device;

/// Clients that are connected at a time; the next one waits to be accepted.
const MAX_CLIENTS: usize = 4096;

/// The phones that a server shows.
pub trait DeviceList: Send + Sync {
    /// All of them, in the order in which they are listed.
    fn devices(&self) -> Vec<Arc<dyn Device>>;

    /// Changes whenever a phone was added or removed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// A list that stays as it is.
pub struct FixedList {
    devices: Vec<Arc<dyn Device>>,
    changes: watch::Sender<u64>,
}

impl FixedList {
    /// These phones.
    pub fn new(devices: Vec<Arc<dyn Device>>) -> Self {
        Self {
            devices,
            changes: watch::Sender::new(0),
        }
    }
}

impl DeviceList for FixedList {
    fn devices(&self) -> Vec<Arc<dyn Device>> {
        self.devices.clone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// A running server. Dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Served {
    /// Where clients reach it.
    pub addr: SocketAddr,
    task: AbortOnDropHandle<()>,
}

impl Served {
    /// Closes the port and all connections; returns when they are closed.
    pub async fn stop(self) {
        self.task.abort();
        // The only error is the cancellation that was just asked for.
        let _ = self.task.await;
    }
}

/// Lets a server listen; port 0 takes any free one. Must be called within a tokio runtime.
pub async fn serve(devices: Arc<dyn DeviceList>, bind: SocketAddr) -> io::Result<Served> {
    let listener = TcpListener::bind(bind).await?;
    let addr = listener.local_addr()?;
    let task = AbortOnDropHandle::new(tokio::spawn(run(Arc::new(Board::new(devices)), listener)));
    Ok(Served { addr, task })
}

async fn run(board: Arc<Board>, listener: TcpListener) {
    let mut clients = JoinSet::new();
    let watch = board.clone();
    clients.spawn(async move { watch.watch().await });
    loop {
        while clients.len() > MAX_CLIENTS {
            clients.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    clients.spawn(serve_client(board.clone(), socket));
                }
                Err(error) => {
                    tracing::warn!(%error, "adb client not accepted");
                    tokio::task::yield_now().await;
                }
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn serve_client(board: Arc<Board>, socket: TcpStream) {
    // What can go wrong is that the client goes away or does not speak this protocol; either ends it.
    if let Err(error) = host::converse(&board, socket).await {
        tracing::debug!(%error, "adb client closed");
    }
}
