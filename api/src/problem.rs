//! Errors as RFC 9457 problem documents. The `code` of each is stable: programs branch on it, people read
//! `detail`.

use runtime::store::{Error as StoreError, ErrorKind};
use serde::Serialize;
use utoipa::ToSchema;
use warp::http::StatusCode;
use warp::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::reply::Response;

macro_rules! codes {
    ($($variant:ident = $status:ident, $code:literal, $title:literal;)+) => {
        /// What went wrong, as programs see it. Documented in `docs/api.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $($variant,)+
        }

        impl Code {
            /// All of them, by which a test holds the document against the program.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Status, code, title.
            pub(crate) const fn describe(self) -> (StatusCode, &'static str, &'static str) {
                match self { $(Self::$variant => (StatusCode::$status, $code, $title),)+ }
            }
        }
    };
}

codes! {
    BadRequest = BAD_REQUEST, "bad_request", "The request cannot be understood";
    Unauthorized = UNAUTHORIZED, "unauthorized", "A valid token is needed";
    Forbidden = FORBIDDEN, "forbidden", "This is not allowed";
    CustomerSuspended = FORBIDDEN, "customer_suspended", "The customer is suspended";
    NotFound = NOT_FOUND, "not_found", "There is no such resource";
    UnknownCustomer = NOT_FOUND, "unknown_customer", "There is no such customer";
    AlreadyExists = CONFLICT, "already_exists", "There is one already";
    InUse = CONFLICT, "in_use", "Something else needs it";
    WrongTier = CONFLICT, "wrong_tier", "The customer's tier does not have it";
    Changed = PRECONDITION_FAILED, "changed", "It is no longer what the request says that it is";
    Invalid = UNPROCESSABLE_ENTITY, "invalid", "A value cannot be taken";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",
        "The body is of another type than the resource takes";
    IdempotencyConflict = CONFLICT, "idempotency_conflict",
        "The key was used for another request, or one with it is under way";
    TooManyRequests = TOO_MANY_REQUESTS, "too_many_requests", "More requests than are allowed";
    NotImplemented = NOT_IMPLEMENTED, "not_implemented", "This installation cannot do it";
    UnknownVendor = NOT_FOUND, "unknown_vendor", "There is no such vendor";
    UnknownActor = NOT_FOUND, "unknown_actor", "There is no such actor";
    UnknownCall = NOT_FOUND, "unknown_call", "There is no such call";
    NoVoice = NOT_FOUND, "no_voice", "This node carries no calls";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "The resource has other methods";
    RequestTimeout = REQUEST_TIMEOUT, "request_timeout", "The body did not come in time";
    NotRestartable = CONFLICT, "not_restartable", "The actor cannot be restarted now";
    NotDrainable = CONFLICT, "not_drainable", "The actor cannot be drained";
    FaultInjectionOff = FORBIDDEN, "fault_injection_off", "Panics on request are not allowed here";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large";
    ConfigurationChanged = CONFLICT, "configuration_changed", "Somebody else changed the configuration";
    ProvisioningRefused = UNPROCESSABLE_ENTITY, "provisioning_refused",
        "The provisioning document cannot be applied";
    TooSoon = CONFLICT, "too_soon", "It was done not long ago";
    ExplainRefused = UNPROCESSABLE_ENTITY, "explain_refused", "The question cannot be answered";
    StoreUnavailable = SERVICE_UNAVAILABLE, "store_unavailable", "The database does not answer";
    NotReady = SERVICE_UNAVAILABLE, "not_ready", "The node is not ready";
    Internal = INTERNAL_SERVER_ERROR, "internal", "The node made a mistake";
}

/// An answer that tells of an error.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: String,
    errors: Vec<FieldError>,
    /// Methods that the path has, for 405.
    allow: Option<String>,
    /// Seconds after which the request may be sent again.
    retry_after: Option<u64>,
}

/// The form of every error (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// Names the kind of the problem.
    #[schema(example = "urn:warp:problem:invalid")]
    r#type: String,
    /// The kind in words.
    #[schema(example = "A value cannot be taken")]
    title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// The kind for programs; it never changes.
    #[schema(example = "invalid")]
    code: String,
    /// What is wrong this time.
    #[schema(example = "company_name: it is not 1 to 100 printable characters")]
    detail: String,
    /// The request, as `x-request-id` names it.
    #[schema(example = "0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11")]
    instance: String,
    /// Values of the body that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// A value of the body that is wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Where it stands (RFC 6901).
    #[schema(example = "/company_name")]
    pointer: String,
    /// What is wrong with it.
    #[schema(example = "it is not 1 to 100 printable characters")]
    detail: String,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), allow: None, retry_after: None }
    }

    /// A value of the body that cannot be taken, by its JSON pointer.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let field = pointer.trim_start_matches('/');
        let text = if field.is_empty() { detail.clone() } else { format!("{field}: {detail}") };
        Self { errors: vec![FieldError { pointer, detail }], ..Self::new(Code::Invalid, text) }
    }

    /// RFC 9110, 15.5.6: a 405 names the methods that there are.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let detail = format!("allowed are {allow}");
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed, detail) }
    }

    /// With a time after which the request may be sent again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// As it stands in an answer to the request of this id.
    pub(crate) fn document(&self, request: &str) -> Document {
        let (status, code, title) = self.code.describe();
        Document {
            r#type: format!("urn:warp:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: self.detail.clone(),
            instance: request.to_owned(),
            errors: self.errors.clone(),
        }
    }

    /// The answer to the request of this id.
    pub(crate) fn into_response(self, request: &str) -> Response {
        let (status, ..) = self.code.describe();
        let document = self.document(request);
        // Numbers and text always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code == Code::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
            headers.insert(ALLOW, allow);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// What the database refuses is told by what a caller can do about it.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::DiskFull | ErrorKind::DiskFailed => {
                Self::new(Code::StoreUnavailable, error.to_string()).retry_after(1)
            }
            ErrorKind::Constraint => {
                Self::new(Code::AlreadyExists, "something with this name or key is there already")
            }
            ErrorKind::Other => Self::new(Code::Internal, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Programs branch on codes: each stands in the document with its status, and nothing else does.
    #[test]
    fn the_document_has_every_code_with_its_status() {
        let (_, errors) = include_str!("../../docs/api.md").split_once("\n## Errors\n").unwrap();
        let table = errors.split("\n## ").next().unwrap();
        let mut told = BTreeSet::new();
        for line in table.lines() {
            let mut cells = line.split('|').skip(1).map(str::trim);
            let (Some(status), Some(codes)) = (cells.next(), cells.next()) else { continue };
            let Ok(status) = status.parse::<u16>() else { continue };
            let codes = codes.split('`').skip(1).step_by(2);
            told.extend(codes.map(|code| (status, code)));
        }
        let described = Code::ALL.iter().map(|code| code.describe());
        let known: BTreeSet<_> = described.map(|(status, code, _)| (status.as_u16(), code)).collect();
        assert_eq!(told, known);
        let names: BTreeSet<_> = known.iter().map(|(_, code)| code).collect();
        assert_eq!(names.len(), Code::ALL.len(), "two have the same code");
    }
}
