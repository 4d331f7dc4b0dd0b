//! What adb_client does for us (files), with the deadline and the cancelling that it does not have. adb_client blocks
//! and cannot be interrupted, so it gets a thread of its own and is told that the adb server is a port of ours; behind
//! that port we copy to the real server. When the call's future is dropped, port and copies go with it, adb_client sees
//! its connection end, and the thread ends. (It also takes IPv4 addresses only; behind the port, names and IPv6 work.)
//! `ADBServer` is never used: it would start a daemon on 5037 whatever server is meant.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    thread,
};

use adb_client::{RustADBError, server_device::ADBServerDevice};
use tokio::{io::copy_bidirectional_with_sizes, net::TcpListener, sync::oneshot};

use crate::adb::{
    client::Transport,
    error::{AdbError, one_line},
};

/// As large as the chunks of the file protocol.
const COPY_BUFFER_BYTES: usize = 64 * 1024;

/// Runs `work` with adb_client's view of the phone.
pub(super) async fn with_adb_client<T: Send + 'static>(
    transport: &Transport,
    work: impl FnOnce(&mut ADBServerDevice) -> Result<T, RustADBError> + Send + 'static,
) -> Result<T, AdbError> {
    let unreachable = |error: std::io::Error| AdbError::unreachable(&error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(unreachable)?;
    let SocketAddr::V4(address) = listener.local_addr().map_err(unreachable)? else {
        return Err(AdbError::Unreachable("no IPv4 port on this host".to_owned()));
    };
    let worked = on_a_thread(address, transport.adb_serial.clone(), work)?;
    let relay = async {
        let (mut ours, _) = listener.accept().await.map_err(unreachable)?;
        drop(listener);
        let mut theirs = transport.server.dial().await?;
        // How the copy ended, adb_client sees and tells better.
        let _ = copy_bidirectional_with_sizes(&mut ours, &mut theirs, COPY_BUFFER_BYTES, COPY_BUFFER_BYTES).await;
        // It waits at our end until that is closed, too.
        drop((ours, theirs));
        std::future::pending::<Result<T, AdbError>>().await
    };
    tokio::select! {
        biased;
        worked = worked => worked.unwrap_or(Err(AdbError::Lost)),
        failed = relay => failed,
    }
}

/// A panic of adb_client ends its thread and with it the channel, which the caller takes for a lost phone.
fn on_a_thread<T: Send + 'static>(
    address: SocketAddrV4,
    adb_serial: String,
    work: impl FnOnce(&mut ADBServerDevice) -> Result<T, RustADBError> + Send + 'static,
) -> Result<oneshot::Receiver<Result<T, AdbError>>, AdbError> {
    let (done, worked) = oneshot::channel();
    let thread = thread::Builder::new().name(format!("adb {adb_serial}"));
    let started = thread.spawn(move || {
        let mut device = ADBServerDevice::new(adb_serial, Some(address));
        // Nobody waits any more when the call was cancelled.
        let _ = done.send(work(&mut device).map_err(meaning));
    });
    started.map_err(|error| AdbError::HostFile(format!("no thread for copying a file: {error}")))?;
    Ok(worked)
}

fn meaning(error: RustADBError) -> AdbError {
    match error {
        RustADBError::ADBRequestFailed(text) => AdbError::refusal(&text),
        // A refused pull comes as this kind of I/O error.
        RustADBError::IOError(error) if error.kind() == std::io::ErrorKind::Other => {
            let text = error.to_string();
            AdbError::Refused(one_line(text.strip_prefix("ADB request failed: ").unwrap_or(&text)))
        }
        RustADBError::IOError(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            AdbError::Refused(one_line(&error.to_string()))
        }
        RustADBError::IOError(error) => match AdbError::unreachable(&error) {
            no_socket @ AdbError::NoSocket(_) => no_socket,
            _ => AdbError::Lost,
        },
        other => AdbError::Refused(one_line(&other.to_string())),
    }
}
