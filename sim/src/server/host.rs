//! The server's own services: device lists, states, the choice of a phone.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    board::{Board, Entry, Selector, State},
    local, request,
};
use crate::adb::FEATURES;

/// The version of the protocol, as the real servers 29 to 36 give it. A client of another one would kill the server.
const VERSION: &str = "0029";

/// What a client's request leads to.
enum Next {
    /// The connection is done with.
    End,
    /// The phone is chosen; the next request is for one of its services.
    Chosen(Entry),
}

/// Serves one client.
pub(super) async fn converse(board: &Arc<Board>, mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut chosen: Option<Entry> = None;
    while let Some(text) = request::read(&mut socket).await? {
        match parse(board, &text) {
            Some((selector, service)) => match answer(board, &mut socket, selector, service).await? {
                Next::End => return socket.shutdown().await,
                Next::Chosen(entry) => chosen = Some(entry),
            },
            None => {
                let Some(entry) = chosen else {
                    request::fail(&mut socket, "device offline (no transport)").await?;
                    return socket.shutdown().await;
                };
                return local::run(board, entry, &text, socket).await;
            }
        }
    }
    Ok(())
}

/// Splits `host…:service`; `None` when it is no service of the server's own.
fn parse<'a>(board: &Board, text: &'a str) -> Option<(Selector, &'a str)> {
    if let Some(service) = text.strip_prefix("host:").or_else(|| text.strip_prefix("host-usb:")) {
        return Some((Selector::Any, service));
    }
    if let Some(service) = text.strip_prefix("host-local:") {
        return Some((Selector::Emulator, service));
    }
    if let Some(rest) = text.strip_prefix("host-transport-id:") {
        let (id, service) = rest.split_once(':')?;
        return Some((Selector::TransportId(id.parse().unwrap_or(0)), service));
    }
    let rest = text.strip_prefix("host-serial:")?;
    // A serial may hold colons itself, as those of phones on the network do.
    let known = board.devices().into_iter().find_map(|device| {
        let service = rest.strip_prefix(device.serial())?.strip_prefix(':')?;
        Some((Selector::Serial(device.serial().to_owned()), service))
    });
    known.or_else(|| {
        rest.split_once(':')
            .map(|(serial, service)| (Selector::Serial(serial.to_owned()), service))
    })
}

async fn answer(board: &Arc<Board>, socket: &mut TcpStream, selector: Selector, service: &str) -> io::Result<Next> {
    if let Some(choice) = choice(service) {
        let (wanted, tells_id) = choice;
        return match board.select_usable(&wanted.unwrap_or(selector)) {
            Ok(entry) => {
                request::okay(socket, None).await?;
                if tells_id {
                    socket.write_all(&entry.transport_id.to_le_bytes()).await?;
                }
                Ok(Next::Chosen(entry))
            }
            Err(message) => request::fail(socket, &message).await.map(|()| Next::End),
        };
    }
    match service {
        "track-devices" => track(board, socket, false).await?,
        "track-devices-l" => track(board, socket, true).await?,
        // The phones live as long as the simulator: it is not ended from here.
        "kill" => request::okay(socket, None).await?,
        _ if service.starts_with("wait-for-") => wait_for(board, socket, &selector, service).await?,
        _ => match inform(board, &selector, service) {
            Ok(text) => request::okay(socket, Some(&text)).await?,
            Err(message) => request::fail(socket, &message).await?,
        },
    }
    Ok(Next::End)
}

/// Whether a service chooses a phone: which one (`None`: the one that the request names anyway), and whether its
/// number is told.
fn choice(service: &str) -> Option<(Option<Selector>, bool)> {
    let serial = |serial: &str| Some(Selector::Serial(serial.to_owned()));
    if let Some(rest) = service.strip_prefix("tport:") {
        let selector = match rest.split_once(':') {
            Some(("serial", name)) => serial(name),
            _ if rest == "local" => Some(Selector::Emulator),
            _ => None,
        };
        return Some((selector, true));
    }
    if let Some(name) = service.strip_prefix("transport:") {
        return Some((serial(name), false));
    }
    if let Some(id) = service.strip_prefix("transport-id:") {
        return Some((Some(Selector::TransportId(id.parse().unwrap_or(0))), false));
    }
    match service {
        "transport-any" | "transport-usb" => Some((None, false)),
        "transport-local" => Some((Some(Selector::Emulator), false)),
        _ => None,
    }
}

/// Services that answer with one text.
fn inform(board: &Board, selector: &Selector, service: &str) -> Result<String, String> {
    let (name, argument) = service.split_once(':').unwrap_or((service, ""));
    match name {
        "version" => Ok(VERSION.to_owned()),
        "devices" => Ok(board.text(false)),
        "devices-l" => Ok(board.text(true)),
        "host-features" => Ok(FEATURES.to_owned()),
        "features" => board.select_usable(selector).map(|_| FEATURES.to_owned()),
        "get-state" => board.select(selector).map(|entry| entry.state.word().to_owned()),
        "get-serialno" => board.select(selector).map(|entry| entry.device.serial().to_owned()),
        "get-devpath" => board.select(selector).map(|_| "unknown".to_owned()),
        "connect" => Ok(format!("already connected to {argument}")),
        "disconnect" if argument.is_empty() => Ok("disconnected everything".to_owned()),
        "disconnect" => Ok(format!("disconnected {argument}")),
        "reconnect" => board
            .select(selector)
            .map(|entry| format!("reconnecting {} [{}]\n", entry.device.serial(), entry.state.word())),
        "reconnect-offline" | "list-forward" => Ok(String::new()),
        "killforward-all" => Ok(String::new()),
        "forward" | "killforward" => {
            Err("forwarding is not supported by this server; open tcp:PORT instead".to_owned())
        }
        _ => Err("unknown host service".to_owned()),
    }
}

/// Sends the list at once and after each change, until the client goes.
async fn track(board: &Board, socket: &mut TcpStream, long: bool) -> io::Result<()> {
    let mut changes = board.changes();
    request::okay(socket, None).await?;
    let mut last: Option<String> = None;
    let mut ignored = [0; 64];
    loop {
        changes.borrow_and_update();
        let text = board.text(long);
        if last.as_ref() != Some(&text) {
            socket.write_all(request::frame(&text).as_bytes()).await?;
            last = Some(text);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
            read = socket.read(&mut ignored) => if read? == 0 { return Ok(()) },
        }
    }
}

/// `wait-for-[usb-|local-|any-]STATE`: a second `OKAY` when the phone is in that state.
async fn wait_for(board: &Board, socket: &mut TcpStream, selector: &Selector, service: &str) -> io::Result<()> {
    let wanted = service.rsplit('-').next().unwrap_or_default();
    if !matches!(
        wanted,
        "device" | "any" | "disconnect" | "recovery" | "sideload" | "bootloader" | "rescue"
    ) {
        return request::fail(socket, &format!("unknown wait-for state '{wanted}'")).await;
    }
    let mut changes = board.changes();
    request::okay(socket, None).await?;
    let mut ignored = [0; 64];
    loop {
        changes.borrow_and_update();
        let reached = match (board.select(selector), wanted) {
            (Ok(entry), "disconnect") => entry.state == State::Offline,
            (Err(_), "disconnect") | (Ok(_), "any") => true,
            (Ok(entry), "device") => entry.state == State::Device,
            _ => false,
        };
        if reached {
            return request::okay(socket, None).await;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
            read = socket.read(&mut ignored) => if read? == 0 { return Ok(()) },
        }
    }
}
