//! What every request gets: an id, a span, one log line, one measurement, and an answer even when a handler panics.

use std::{panic::AssertUnwindSafe, time::Duration};

use actix_web::{
    HttpMessage, HttpResponse,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};
use ulid::Ulid;

use super::envelope::ApiError;

/// The header by which a request is found in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest incoming request id that is kept, characters.
const REQUEST_ID_LIMIT: usize = 128;
/// How long requests took, seconds; by method, route and status.
pub const REQUEST_DURATION: &str = "http_server_request_duration_seconds";
/// The route of requests that no route matches: their paths are without bound, so they share one name.
const NO_ROUTE: &str = "unmatched";

/// The id of the request being answered, among its extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Wraps everything else.
///
/// # Errors
/// Only with a whole answer inside, when there is no request left to answer after a panic.
pub async fn observe(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let begun = Instant::now();
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = known_method(request.method());
    let span = tracing::info_span!(
        "http_request", request_id = %id, method, route = Empty, status = Empty, duration_ms = Empty
    );
    let answered = AssertUnwindSafe(next.call(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let _entered = span.clone().entered();
    let answered = match answered {
        Ok(Ok(response)) => Ok(in_envelope(response, &id)),
        Ok(Err(error)) => Err(as_api_error(&error)),
        Err(panic) => Err(ApiError::Internal(format!(
            "a handler panicked: {}",
            panic_text(panic.as_ref())
        ))),
    };
    match answered {
        Ok(mut response) => {
            let route = response
                .request()
                .match_pattern()
                .unwrap_or_else(|| NO_ROUTE.to_owned());
            finish(response.response_mut(), &id);
            record(&span, method, &route, response.status().as_u16(), begun.elapsed());
            Ok(response)
        }
        Err(error) => {
            let mut response = log_and_respond(&error, &id);
            finish(&mut response, &id);
            record(&span, method, NO_ROUTE, response.status().as_u16(), begun.elapsed());
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Answers a request that goes no further.
#[must_use]
pub fn refuse(request: ServiceRequest, error: ApiError) -> ServiceResponse<BoxBody> {
    request.error_response(error)
}

/// An incoming id is kept when it is short and visible ASCII: then it is safe in a header and in a log.
fn request_id(headers: &HeaderMap) -> String {
    let incoming = headers.get(REQUEST_ID).map(HeaderValue::as_bytes).unwrap_or_default();
    let valid = (1..=REQUEST_ID_LIMIT).contains(&incoming.len()) && incoming.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(incoming) {
        Ok(incoming) if valid => incoming.to_owned(),
        _ => Ulid::generate().to_string(),
    }
}

/// Errors of the framework become our envelope; faults on our side are logged here, once, and say the request's id.
fn in_envelope(response: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    let Some(error) = response.response().error() else {
        return response;
    };
    match error.as_error::<ApiError>() {
        Some(error) if !response.status().is_server_error() => {
            tracing::debug!(code = error.code().number(), %error, "request refused");
            response
        }
        Some(error) => {
            let answer = log_and_respond(error, id);
            response.into_response(answer)
        }
        None => {
            let answer = log_and_respond(&as_api_error(error), id);
            response.into_response(answer)
        }
    }
}

fn as_api_error(error: &actix_web::Error) -> ApiError {
    if let Some(error) = error.as_error::<ApiError>() {
        return error.clone();
    }
    match error.as_response_error().status_code().as_u16() {
        404 => ApiError::not_found("there is no such path"),
        413 => ApiError::TooLarge {
            limit: 0,
            setting: "http.max_body",
        },
        status if status < 500 => ApiError::invalid("request", error.to_string()),
        _ => ApiError::Internal(error.to_string()),
    }
}

fn log_and_respond(error: &ApiError, id: &str) -> HttpResponse {
    match error {
        ApiError::Internal(cause) => tracing::error!(%cause, "request failed by a fault of farmhand's own"),
        ApiError::Unavailable { message, .. } => tracing::warn!(cause = %message, "request refused for now"),
        other => tracing::debug!(code = other.code().number(), %error, "request refused"),
    }
    error.respond(Some(id))
}

fn finish(response: &mut HttpResponse, id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn record(span: &Span, method: &'static str, route: &str, status: u16, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.record("route", route)
        .record("status", status)
        .record("duration_ms", duration_ms);
    // Probes and scrapes come every few seconds and say nothing when they are well.
    if status < 400 && (route.starts_with("/health") || route == "/metrics") {
        tracing::debug!("request answered");
    } else {
        tracing::info!("request answered");
    }
    metrics::histogram!(
        REQUEST_DURATION,
        "method" => method,
        "route" => route.to_owned(),
        "status" => status.to_string(),
    )
    .record(took.as_secs_f64());
}

/// Methods are labels of a metric, so those that a client makes up share one name.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text").escape_debug().to_string()
}
