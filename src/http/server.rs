//! Starts the server.

use std::{io, net::SocketAddr, time::Duration};

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
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

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
    #[error("cannot listen on {host}:{port} (http.host, http.port)")]
    Bind {
        /// `http.host`
        host: String,
        /// `http.port`
        port: u16,
        /// Why.
        source: io::Error,
    },
}

/// Binds the address and builds the server: await it (or spawn it) to serve, and stop it by its handle. Signals are
/// left to the caller.
///
/// # Errors
/// Names the setting and the mend.
pub fn serve(state: AppState, settings: HttpSettings) -> Result<(Server, SocketAddr), ServeError> {
    let (host, port) = (settings.host.clone(), settings.port);
    if settings.auth == AuthMode::Off && !is_loopback(&host) {
        return Err(ServeError::Open { host });
    }
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if settings.workers == 0 {
        cores()
    } else {
        settings.workers
    };
    let app = web::Data::new(App::new(state, settings));
    let bind = |source| ServeError::Bind {
        host: host.clone(),
        port,
        source,
    };
    let server = HttpServer::new(move || {
        WebApp::new()
            .app_data(app.clone())
            .configure(configure)
            .wrap(actix_web::middleware::from_fn(observe))
    })
    .workers(workers)
    .backlog(BACKLOG)
    .max_connections(CONNECTIONS_PER_WORKER)
    .client_request_timeout(HEAD_DEADLINE)
    .client_disconnect_timeout(DISCONNECT_DEADLINE)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(SHUTDOWN_S)
    .disable_signals()
    .bind((host.trim_start_matches('[').trim_end_matches(']'), port))
    .map_err(bind)?;
    let address = server.addrs().first().copied();
    let address = address.ok_or_else(|| bind(io::Error::other("the name has no address")))?;
    Ok((server.run(), address))
}
