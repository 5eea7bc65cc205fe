//! Errors as RFC 9457 problem documents. The `code` of each is stable: programs branch on it, people read
//! `detail`.

use bytes::Bytes;
use serde::Serialize;
use warp::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use warp::http::{Response, StatusCode};

/// What went wrong, as programs see it. Documented in `docs/api.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BadRequest,
    Unauthorized,
    NotFound,
    UnknownVendor,
    UnknownActor,
    UnknownCall,
    NoVoice,
    MethodNotAllowed,
    RequestTimeout,
    NotRestartable,
    FaultInjectionOff,
    BodyTooLarge,
    ConfigurationChanged,
    ProvisioningRefused,
    TooSoon,
    ExplainRefused,
    StoreUnavailable,
    NotReady,
    Internal,
}

/// An answer that tells of an error.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: String,
    /// Methods that the path has, for 405.
    allow: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
}

impl Code {
    /// Status, code, title.
    pub(crate) const fn describe(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request", "The request cannot be understood"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A valid token is needed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is no such resource"),
            Self::UnknownVendor => (StatusCode::NOT_FOUND, "unknown_vendor", "There is no such vendor"),
            Self::UnknownActor => (StatusCode::NOT_FOUND, "unknown_actor", "There is no such actor"),
            Self::UnknownCall => (StatusCode::NOT_FOUND, "unknown_call", "There is no such call"),
            Self::NoVoice => (StatusCode::NOT_FOUND, "no_voice", "This node carries no calls"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The resource has other methods")
            }
            Self::RequestTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body did not come in time")
            }
            Self::NotRestartable => {
                (StatusCode::CONFLICT, "not_restartable", "The actor cannot be restarted now")
            }
            Self::FaultInjectionOff => {
                (StatusCode::FORBIDDEN, "fault_injection_off", "Panics on request are not allowed here")
            }
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large"),
            Self::ConfigurationChanged => {
                (StatusCode::CONFLICT, "configuration_changed", "Somebody else changed the configuration")
            }
            Self::ProvisioningRefused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "provisioning_refused",
                "The provisioning document cannot be applied",
            ),
            Self::TooSoon => (StatusCode::CONFLICT, "too_soon", "It was done not long ago"),
            Self::ExplainRefused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "explain_refused", "The question cannot be answered")
            }
            Self::StoreUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "The database does not answer")
            }
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready", "The node is not ready"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The node made a mistake"),
        }
    }
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), allow: None }
    }

    /// RFC 9110, 15.5.6: a 405 names the methods that there are.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let detail = format!("allowed are {allow}");
        Self { code: Code::MethodNotAllowed, detail, allow: Some(allow) }
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let (status, code, title) = self.code.describe();
        let r#type = format!("urn:warp:problem:{code}");
        let document = Document { r#type, title, status: status.as_u16(), code, detail: &self.detail };
        // Numbers and text always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code == Code::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
            headers.insert(ALLOW, allow);
        }
        response
    }
}
