//! The one place where an error becomes a status: RFC 9457 `application/problem+json`.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use crate::base::error::{Error, Kind};

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status says the type.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) status: u16,
    /// What was wrong, and what is allowed.
    pub(super) detail: String,
    /// The values that are not allowed; with 422 only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<FieldProblem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FieldProblem {
    pub(super) field: String,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let field = |f: &crate::base::error::Field| FieldProblem {
            field: f.field.clone(),
            message: f.message.clone(),
        };
        Self {
            errors: error.fields().iter().map(field).collect(),
            ..Self::new(status(error.kind()), error.detail())
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("a problem has only strings and numbers");
        (status, [(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))], body).into_response()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if self.kind() == Kind::Internal {
            error!(error = %self, "request failed");
        }
        let mut response = Problem::from(&self).into_response();
        if let Some(wait) = self.wait() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if self.kind() == Kind::Unauthorized {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The whole answer, HTTP/1.1, on a connection from which no request is read; `id` is what `guard` gives to those that are.
pub(super) fn unasked(error: &Error, id: &str) -> Vec<u8> {
    let problem = Problem::from(error);
    let body = serde_json::to_string(&problem).expect("a problem has only strings and numbers");
    let wait =
        error.wait().map_or_else(String::new, |wait| format!("Retry-After: {}\r\n", wait.as_secs().max(1)));
    let (status, title, length) = (problem.status, problem.title, body.len());
    format!(
        "HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\
         {wait}X-Request-Id: {id}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Unauthorized => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Timeout => StatusCode::REQUEST_TIMEOUT,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Stale => StatusCode::PRECONDITION_FAILED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
