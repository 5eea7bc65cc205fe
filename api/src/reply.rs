//! Answers that are no errors.

use bytes::Bytes;
use serde::Serialize;
use warp::http::header::{CONTENT_TYPE, HeaderValue};
use warp::http::{Response, StatusCode};

use crate::problem::{Code, Problem};

/// What a handler gives.
pub(crate) type Reply = Result<Response<Bytes>, Problem>;

/// 200 with JSON.
pub(crate) fn json(value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(with_type(body, "application/json")),
        Err(error) => Err(Problem::new(Code::Internal, format!("the answer cannot be written: {error}"))),
    }
}

/// 202 with JSON: it is asked for, and happens without us.
pub(crate) fn accepted(value: &impl Serialize) -> Reply {
    let mut response = json(value)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// 200 with text for people.
pub(crate) fn text(body: String) -> Reply {
    Ok(with_type(body.into_bytes(), "text/plain; charset=utf-8"))
}

/// 200 with a body of a given type.
pub(crate) fn with_type(body: Vec<u8>, content_type: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
