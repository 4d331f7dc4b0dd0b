//! What the control API says when it cannot do what was asked: `{"error", "field"?, "known"?}`.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

use crate::world::{WorldError, fault::FaultKind};

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    /// The field that is wrong.
    field: Option<String>,
    /// What it may be.
    known: Vec<&'static str>,
}

impl Refusal {
    /// 400 for the body as a whole.
    pub(super) fn bad(message: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.to_owned(),
            field: None,
            known: Vec::new(),
        }
    }

    /// 400 for a field; the message follows its name.
    pub(super) fn field(field: &str, message: &str) -> Self {
        let known = if field == "kind" { kinds() } else { Vec::new() };
        Self {
            field: Some(field.to_owned()),
            known,
            ..Self::bad(&format!("`{field}` {message}"))
        }
    }

    /// 404
    pub(super) fn not_found(message: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::bad(message)
        }
    }
}

fn kinds() -> Vec<&'static str> {
    FaultKind::all().map(FaultKind::name).collect()
}

impl From<WorldError> for Refusal {
    fn from(error: WorldError) -> Self {
        let (field, known) = match &error {
            WorldError::UnknownFault { .. } => ("kind", kinds()),
            WorldError::BadParameter { field, .. } => (*field, Vec::new()),
            WorldError::UnknownApp { .. } => ("app", vec!["tiktok", "instagram"]),
            WorldError::BadAccount { .. } => ("account", Vec::new()),
        };
        Self {
            field: Some(field.to_owned()),
            known,
            ..Self::bad(&error.to_string())
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({ "error": self.message });
        if let (Some(field), Some(body)) = (&self.field, body.as_object_mut()) {
            body.insert("field".to_owned(), json!(field));
        }
        if let (false, Some(body)) = (self.known.is_empty(), body.as_object_mut()) {
            body.insert("known".to_owned(), json!(self.known));
        }
        HttpResponse::build(self.status).json(body)
    }
}
