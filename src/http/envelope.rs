//! The envelope of every answer, and the one table from codes to HTTP statuses.

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use farmhand_actors::domain::{FieldError, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// Every answer, its parts in this order.
#[derive(Serialize)]
struct Envelope<'a> {
    code: u16,
    message: &'a str,
    data: &'a Value,
}

/// What a handler answers.
pub type Answer = Result<HttpResponse, ApiError>;

/// The published code of an answer. The HTTP status is its first three digits ([`Code::status`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Invalid parameters; `data.errors` names each.
    Invalid = 40001,
    /// `script_name` missing or empty.
    NoScript = 40002,
    /// Unknown script; `data.supported` names those there are.
    UnknownScript = 40003,
    /// API key missing or wrong.
    Unauthorized = 40101,
    /// The plan has no API access.
    PlanWithoutApi = 40301,
    /// The key lacks the scope, or the request comes from a foreign Host or Origin.
    Forbidden = 40302,
    /// There is no such thing.
    NotFound = 40401,
    /// The path is right, the method is not.
    MethodNotAllowed = 40501,
    /// The thing's state does not allow it.
    Conflict = 40901,
    /// The body is too large.
    TooLarge = 41301,
    /// The body is not of the right type.
    UnsupportedType = 41501,
    /// Too many requests.
    RateLimited = 42901,
    /// A fault of farmhand's own.
    Internal = 50001,
    /// Shutting down, or something that farmhand needs is away.
    Unavailable = 50301,
}

impl Code {
    /// All codes but success.
    pub const ALL: [Self; 14] = [
        Self::Invalid,
        Self::NoScript,
        Self::UnknownScript,
        Self::Unauthorized,
        Self::PlanWithoutApi,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedType,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The number in the envelope.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Invalid | Self::NoScript | Self::UnknownScript => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::PlanWithoutApi | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Why a request was not done. Each variant is one [`Code`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// Every fault of the request at once.
    #[error("{}", faults_in_a_line(.0))]
    Invalid(Vec<FieldError>),
    /// `script_name` missing or empty; the request's other faults.
    #[error("script_name is missing or empty")]
    NoScript(Vec<FieldError>),
    /// No script of that name.
    #[error("unknown script {name:?}; supported: {}", supported.join(", "))]
    UnknownScript {
        /// As asked for.
        name: String,
        /// Those there are.
        supported: Vec<String>,
        /// The request's other faults.
        faults: Vec<FieldError>,
    },
    /// API key missing or wrong.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The plan has no API access; the answer of the license check.
    #[error("{message}")]
    PlanWithoutApi {
        /// What the plan lacks.
        message: String,
        /// As `GET /api/v1/license/check` shows it.
        data: Value,
    },
    /// The key lacks the scope, or the request comes from a foreign Host or Origin.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing.
    #[error("{message}")]
    NotFound {
        /// Names it.
        message: String,
        /// All names that were not found, when a request has several.
        unknown: Vec<String>,
    },
    /// The path is right, the method is not.
    #[error("method not allowed here; allowed: {allowed}")]
    MethodNotAllowed {
        /// The `Allow` header.
        allowed: String,
    },
    /// The thing's state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The body is too large.
    #[error("the body is over {limit} bytes ({setting})")]
    TooLarge {
        /// The limit, bytes.
        limit: u64,
        /// The setting that holds it.
        setting: &'static str,
    },
    /// The body is not of the right type.
    #[error("the body must be {wanted}: set Content-Type")]
    UnsupportedType {
        /// The media types that are taken here.
        wanted: &'static str,
    },
    /// Too many requests.
    #[error("{message}")]
    RateLimited {
        /// Of what.
        message: &'static str,
        /// When to try again.
        retry_after_s: u32,
    },
    /// A fault of farmhand's own; the text is for the log only.
    #[error("internal error")]
    Internal(String),
    /// Shutting down, or something that farmhand needs is away.
    #[error("{message}")]
    Unavailable {
        /// What.
        message: String,
        /// When to try again.
        retry_after_s: u32,
    },
}

impl ApiError {
    /// One fault.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// No such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound {
            message: message.into(),
            unknown: Vec::new(),
        }
    }

    /// Away for a few seconds.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable {
            message: message.into(),
            retry_after_s: 2,
        }
    }

    /// Its published code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::Invalid,
            Self::NoScript(_) => Code::NoScript,
            Self::UnknownScript { .. } => Code::UnknownScript,
            Self::Unauthorized(_) => Code::Unauthorized,
            Self::PlanWithoutApi { .. } => Code::PlanWithoutApi,
            Self::Forbidden(_) => Code::Forbidden,
            Self::NotFound { .. } => Code::NotFound,
            Self::MethodNotAllowed { .. } => Code::MethodNotAllowed,
            Self::Conflict(_) => Code::Conflict,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::UnsupportedType { .. } => Code::UnsupportedType,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::Internal(_) => Code::Internal,
            Self::Unavailable { .. } => Code::Unavailable,
        }
    }

    /// The whole answer. `request_id` is shown for faults on farmhand's side, to find the log line by.
    #[must_use]
    pub fn respond(&self, request_id: Option<&str>) -> HttpResponse {
        let mut response = HttpResponse::build(self.code().status());
        match self {
            Self::MethodNotAllowed { allowed } => {
                response.insert_header((header::ALLOW, allowed.as_str()));
            }
            Self::Unauthorized(_) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::RateLimited { retry_after_s, .. } | Self::Unavailable { retry_after_s, .. } => {
                response.insert_header((header::RETRY_AFTER, *retry_after_s));
            }
            _ => {}
        }
        response.json(Envelope {
            code: self.code().number(),
            message: &self.to_string(),
            data: &self.data(request_id),
        })
    }

    fn data(&self, request_id: Option<&str>) -> Value {
        match self {
            Self::Invalid(faults) | Self::NoScript(faults) => json!({ "errors": faults }),
            Self::UnknownScript { supported, faults, .. } => json!({ "supported": supported, "errors": faults }),
            Self::PlanWithoutApi { data, .. } => data.clone(),
            Self::NotFound { unknown, .. } if !unknown.is_empty() => json!({ "unknown": unknown }),
            Self::Internal(_) | Self::Unavailable { .. } => json!({ "request_id": request_id }),
            _ => json!({}),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code().status()
    }

    fn error_response(&self) -> HttpResponse {
        self.respond(None)
    }
}

/// A success.
#[must_use]
pub fn success(data: &Value) -> HttpResponse {
    HttpResponse::Ok().json(Envelope {
        code: 0,
        message: "success",
        data,
    })
}

/// A list that is shown whole.
#[must_use]
pub fn success_list(items: Vec<Value>) -> HttpResponse {
    success(&json!({ "total": items.len(), "items": items }))
}

/// An instant as the API writes it: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn faults_in_a_line(faults: &[FieldError]) -> String {
    match faults {
        [] => "invalid parameters".to_owned(),
        [fault] => format!("invalid parameters: {}: {}", fault.field, fault.message),
        [fault, others @ ..] => {
            format!(
                "invalid parameters: {}: {} (and {} more)",
                fault.field,
                fault.message,
                others.len()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_every_code_is_its_first_three_digits() {
        for code in Code::ALL {
            assert_eq!(code.status().as_u16(), code.number() / 100, "{code:?}");
        }
    }

    #[test]
    fn instants_are_written_in_utc_with_milliseconds() {
        let cases = [
            ("2026-01-02T03:04:05.6789Z", "2026-01-02T03:04:05.678Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"),
        ];

        for (text, wanted) in cases {
            assert_eq!(instant(text.parse().unwrap()), wanted);
        }
    }
}
