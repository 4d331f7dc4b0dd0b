//! What is answered while the controller starts: it may have a long log to read, and who calls should not wait for it.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, http::KeepAlive, middleware::from_fn, web};
use serde_json::json;

use super::{
    envelope::{Answer, ApiError},
    health,
    observe::observe,
    server::{Listener, ServeError},
};

/// Requests that are being answered when the start is over have this long, seconds.
const SHUTDOWN_S: u64 = 5;
/// How long the start waits for them. Nobody new is taken from the beginning of it.
const HAND_OVER: Duration = Duration::from_millis(100);
/// After this time nobody is left who was taken and not looked at.
const LAST_TAKEN: Duration = Duration::from_millis(5);

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
                .wrap(from_fn(observe))
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

    /// Leaves the addresses to the server: nobody is taken any more. Who has come so far is answered beside it: a caller
    /// that takes its time must not hold up the start.
    pub async fn end(self) {
        // Stopping hangs up on who was taken and not looked at yet; a pause gives time to look at them.
        self.handle.pause().await;
        tokio::time::sleep(LAST_TAKEN).await;
        let ended = self.handle.stop(true);
        drop(tokio::time::timeout(HAND_OVER, ended).await);
    }
}

async fn not_yet() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(json!({ "status": "starting" }))
}

async fn unavailable() -> Answer {
    Err(ApiError::unavailable("farmhand is starting; try again in a moment"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::http::HttpSettings;

    #[actix_web::test]
    async fn what_is_answered_while_starting_carries_the_requests_id() {
        let settings = HttpSettings {
            port: 0,
            ..HttpSettings::default()
        };
        let listener = Listener::bind(&settings).unwrap();
        let starting = Starting::serve(&listener).unwrap();
        let address = listener.address();
        let asked = web::block(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream
                .write_all(b"GET /api/v1/task HTTP/1.1\r\nhost: x\r\nx-request-id: mine-1\r\n\r\n")
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });

        let answer = asked.await.unwrap();

        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("x-request-id: mine-1\r\n"), "{answer}");
        assert!(answer.contains("retry-after: "), "{answer}");
        assert!(
            answer.contains("\"code\":50301") && answer.contains("\"request_id\":\"mine-1\""),
            "{answer}"
        );
        starting.end().await;
    }
}
