//! The device side of the adb protocol over TCP: what a real adb server finds when it connects to a phone.
//!
//! `packet` is the framing, `connection` the handshake and the streams of one host, `stream` one of them, `listener`
//! the port, `services` what can be opened. The adb server's own front (`crate::server`) offers the same services.
//! Protocol: `protocol.txt`, `SERVICES.TXT` and `SYNC.TXT` of AOSP's `packages/modules/adb`.

mod connection;
mod listener;
mod packet;
pub(crate) mod services;
mod stream;

use std::{io, net::SocketAddr, sync::Arc};

use tokio_util::task::AbortOnDropHandle;

use crate::device::Device;

/// What a phone can do, as its banner says it. Only what [`services`] serves stands here.
pub const FEATURES: &str = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir,abb,abb_exec";

/// A phone that listens for adb servers. Dropping it closes its port and its connections.
#[derive(Debug)]
pub struct ServedPhone {
    /// Where `adb connect` reaches it.
    pub addr: SocketAddr,
    task: AbortOnDropHandle<()>,
}

impl ServedPhone {
    /// Closes the port and all connections; returns when they are closed.
    pub async fn stop(self) {
        self.task.abort();
        // The only error is the cancellation that was just asked for.
        let _ = self.task.await;
    }
}

/// Lets a phone listen; port 0 takes any free one. Must be called within a tokio runtime.
pub async fn serve(device: Arc<dyn Device>, bind: SocketAddr) -> io::Result<ServedPhone> {
    let listener = listener::bind(bind)?;
    let addr = listener.local_addr()?;
    let task = AbortOnDropHandle::new(tokio::spawn(listener::run(device, listener, addr)));
    Ok(ServedPhone { addr, task })
}
