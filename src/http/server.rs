//! Starts the server.

use std::{
    future::{Future, poll_fn},
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use actix_web::{App as WebApp, HttpServer, dev::Server, web};

use super::{AppState, HttpSettings, auth::AuthMode, configure, guard::is_loopback, observe::observe, state::App};

/// The head of a request must have arrived within this time.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// An idle connection is kept this long.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A client that was told that the connection ends has this long to end it too.
const DISCONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Requests that are being answered have this long when the server stops, seconds.
const SHUTDOWN_S: u64 = 5;
/// Connections that one worker holds; idle ones cost little, file descriptors are what runs out.
const CONNECTIONS_PER_WORKER: usize = 10_000;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Anybody on the network could drive the phones.
    #[error(
        "auth.mode = \"off\" is only for loopback, but http.host is {host}: set auth.mode = \"keys\", or http.host = \"127.0.0.1\""
    )]
    Open {
        /// `http.host`
        host: String,
    },
    /// The address cannot be had.
    #[error(
        "cannot listen on {host}:{port}: {problem}; is farmhand running already? else change http.host or http.port"
    )]
    Bind {
        /// `http.host`
        host: String,
        /// `http.port`
        port: u16,
        /// Why, in the system's words.
        problem: String,
    },
}

/// The addresses of the settings, held but not served yet.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    address: SocketAddr,
}

impl Listener {
    /// Takes the addresses, before anything is started that would have to be ended again when they cannot be had.
    ///
    /// # Errors
    /// Names the setting and the mend.
    pub fn bind(settings: &HttpSettings) -> Result<Self, ServeError> {
        let (host, port) = (settings.host.as_str(), settings.port);
        if settings.auth == AuthMode::Off && !is_loopback(host) {
            let host = host.to_owned();
            return Err(ServeError::Open { host });
        }
        let failed = |error: io::Error| ServeError::Bind {
            host: host.to_owned(),
            port,
            problem: error.to_string(),
        };
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (name, port).to_socket_addrs().map_err(failed)?;
        let bound: Vec<_> = addresses.map(TcpListener::bind).collect();
        // A name can mean addresses that this host does not have (`localhost` without IPv6): one is enough.
        let (sockets, errors): (Vec<_>, Vec<_>) = bound.into_iter().partition(Result::is_ok);
        let sockets: Vec<TcpListener> = sockets.into_iter().flatten().collect();
        match sockets.first().map(TcpListener::local_addr) {
            Some(address) => Ok(Self {
                address: address.map_err(failed)?,
                sockets,
            }),
            None => {
                let first = errors.into_iter().find_map(Result::err);
                Err(failed(
                    first.unwrap_or_else(|| io::Error::other("the name has no address")),
                ))
            }
        }
    }

    /// The same addresses once more, for who answers until the server does.
    pub(super) fn share(&self) -> io::Result<Vec<TcpListener>> {
        self.sockets.iter().map(TcpListener::try_clone).collect()
    }

    /// The first of them.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// How many threads serve: as many as are set, or one for each core.
#[must_use]
pub fn workers(set: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if set == 0 { cores() } else { set }
}

/// Starts the server: it has its threads and takes connections when this comes back. Await it (or spawn it) to keep it,
/// and stop it by its handle. Signals are left to the caller.
///
/// # Errors
/// The sockets cannot be used.
pub async fn serve(state: AppState, settings: HttpSettings, listener: Listener) -> Result<Server, ServeError> {
    let (host, port) = (settings.host.clone(), settings.port);
    let failed = |error: io::Error| ServeError::Bind {
        host: host.clone(),
        port,
        problem: error.to_string(),
    };
    let workers = workers(settings.workers);
    let app = web::Data::new(App::new(state, settings));
    let server = HttpServer::new(move || {
        WebApp::new()
            .app_data(app.clone())
            .configure(configure)
            .wrap(actix_web::middleware::from_fn(observe))
    })
    .workers(workers)
    .max_connections(CONNECTIONS_PER_WORKER)
    .client_request_timeout(HEAD_DEADLINE)
    .client_disconnect_timeout(DISCONNECT_DEADLINE)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(SHUTDOWN_S)
    .disable_signals();
    let server = listener.sockets.into_iter().try_fold(server, HttpServer::listen);
    let mut server = server.map_err(failed)?.run();
    // It starts its threads when it is looked at for the first time.
    let first = poll_fn(|context| Poll::Ready(Pin::new(&mut server).poll(context))).await;
    match first {
        Poll::Ready(Err(error)) => Err(failed(error)),
        _ => Ok(server),
    }
}
