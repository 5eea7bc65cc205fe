//! Answers that are no errors.

use std::borrow::Cow;

use runtime::seal::to_hex;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Ref, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};
use warp::http::StatusCode;
use warp::http::header::{CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use warp::reply::Response;

use crate::problem::{Code, Problem};

/// What a handler gives.
pub(crate) type Reply = Result<Response, Problem>;

/// A page of a list.
#[derive(Serialize)]
pub(crate) struct Page<T> {
    /// The entries.
    pub(crate) items: Vec<T>,
    /// `cursor` of the next page; null on the last.
    pub(crate) next: Option<String>,
}

/// By hand: a derived one would have one name for the pages of all things.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = Ref::from_schema_name(T::name());
        let next = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("`cursor` of the next page; null on the last"));
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(items))
            .property("next", next)
            .required("items")
            .required("next")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Page", T::name()))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` out of one entry more than that, if there are so many; `key` is where the next goes on.
    pub(crate) fn of(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(key);
        Self { items, next }
    }
}

/// 200 with JSON.
pub(crate) fn json(value: &impl Serialize) -> Reply {
    Ok(with_type(octets(value)?, "application/json"))
}

/// 200 with JSON and the entity tag that `If-Match` is compared with.
pub(crate) fn tagged(value: &impl Serialize) -> Reply {
    let body = octets(value)?;
    let tag = tag_of(&body);
    let mut response = with_type(body, "application/json");
    set_tag(&mut response, &tag);
    Ok(response)
}

/// 200 with JSON that shows of a thing more than what is kept. The entity tag is that of what is kept: how the thing is
/// changes by itself, and stands in the way of nobody who writes.
pub(crate) fn tagged_as(kept: &impl Serialize, shown: &impl Serialize) -> Reply {
    let tag = tag_of(&octets(kept)?);
    let mut response = json(shown)?;
    set_tag(&mut response, &tag);
    Ok(response)
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
pub(crate) fn with_type(body: Vec<u8>, content_type: &'static str) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The outcome of a write, from what is kept of it.
pub(crate) fn written(status: u16, location: &str, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if status == StatusCode::NO_CONTENT {
        let mut response = Response::new(Vec::new().into());
        *response.status_mut() = status;
        return response;
    }
    let tag = tag_of(body.as_bytes());
    let mut response = with_type(body.into_bytes(), "application/json");
    *response.status_mut() = status;
    set_tag(&mut response, &tag);
    if let (false, Ok(location)) = (location.is_empty(), HeaderValue::from_str(location)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The entity tag of what a resource looks like (RFC 9110, 8.8.3): equal bodies have equal tags.
pub(crate) fn tag_of(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    format!("\"{}\"", to_hex(hash.get(..12).unwrap_or(&hash)))
}

fn set_tag(response: &mut Response, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
}

pub(crate) fn octets(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value)
        .map_err(|error| Problem::new(Code::Internal, format!("the answer cannot be written: {error}")))
}
