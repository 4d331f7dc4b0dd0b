//! What is answered while the controller starts: it may have a long log to read, and who calls should not wait for it.

use actix_web::{App, HttpResponse, HttpServer, ResponseError, dev::ServerHandle, http::KeepAlive, web};
use serde_json::json;

use super::{
    envelope::ApiError,
    health,
    server::{Listener, ServeError},
};

/// Requests that are being answered when the start is over have this long, seconds.
const SHUTDOWN_S: u64 = 1;

/// Answers 503 on the addresses of the server to come.
#[derive(Debug)]
pub struct Starting {
    handle: ServerHandle,
}

impl Starting {
    /// Begins. Must run inside an actix system.
    ///
    /// # Errors
    /// The sockets cannot be used.
    pub fn serve(listener: &Listener) -> Result<Self, ServeError> {
        let address = listener.address();
        let failed = |error: std::io::Error| ServeError::Bind {
            host: address.ip().to_string(),
            port: address.port(),
            problem: error.to_string(),
        };
        let server = HttpServer::new(|| {
            App::new()
                .route("/health/live", web::get().to(health::live))
                .route("/health/ready", web::get().to(not_yet))
                .route("/health/startup", web::get().to(not_yet))
                .default_service(web::to(unavailable))
        })
        .workers(1)
        .keep_alive(KeepAlive::Disabled)
        .shutdown_timeout(SHUTDOWN_S)
        .disable_signals();
        let mut sockets = listener.share().map_err(failed)?.into_iter();
        let server = sockets.try_fold(server, HttpServer::listen).map_err(failed)?.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self { handle })
    }

    /// Answers what has come so far, then leaves the addresses to the server.
    pub async fn end(self) {
        self.handle.stop(true).await;
    }
}

async fn not_yet() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(json!({ "status": "starting" }))
}

async fn unavailable() -> HttpResponse {
    ApiError::unavailable("farmhand is starting; try again in a moment").error_response()
}
