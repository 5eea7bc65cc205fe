//! A request as handlers see it: let in, checked, decoded, its body whole.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use runtime::store::customer::{Customer, Status};
use serde::de::{DeserializeOwned, IgnoredAny};
use uuid::Uuid;
use warp::http::Method;

use crate::auth::principal::{Principal, Tenant};
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{Query, decode};

/// What is left of a request once its route is known and its sender let in.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As it came, without the query.
    pub(crate) path: String,
    /// The `{parts}` of the path, still percent-encoded.
    pub(crate) params: Vec<(String, String)>,
    /// The query, its values of the kinds that the route takes.
    pub(crate) query: Query,
    /// The body; empty for GET.
    pub(crate) body: Bytes,
    /// Who asks.
    pub(crate) principal: Arc<Principal>,
    /// What the route asks permission for, where it does.
    pub(crate) permission: Option<Permission>,
    /// The customer that the path names, whom the principal may work for.
    pub(crate) customer: Option<Arc<Customer>>,
    /// Its name in logs, in the audit and in answers: `x-request-id`.
    pub(crate) id: String,
    /// Who sent it, proxies that are trusted looked through; None by the control socket.
    pub(crate) address: Option<IpAddr>,
    /// `If-Match` (RFC 9110, 13.1.1).
    pub(crate) if_match: Option<String>,
    /// `Idempotency-Key`.
    pub(crate) idempotency_key: Option<String>,
}

impl Request {
    /// A part of the path as it came.
    pub(crate) fn raw_param(&self, name: &str) -> &str {
        self.params.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A part of the path, decoded.
    pub(crate) fn param(&self, name: &str) -> Result<String, Problem> {
        let raw = self.raw_param(name);
        decode(raw.as_bytes())
            .ok_or_else(|| Problem::new(Code::BadRequest, format!("{raw:?} is not percent-encoded text")))
    }

    /// A part of the path that is an id; anything else names nothing.
    pub(crate) fn id_param(&self, name: &str) -> Result<Uuid, Problem> {
        let raw = self.raw_param(name);
        raw.parse().map_err(|_| Problem::new(Code::NotFound, format!("{raw:?} is no id, so nothing has it")))
    }

    /// Whether the answer is to be text for people.
    pub(crate) fn wants_text(&self) -> bool {
        self.query.get("format") == Some("text")
    }

    /// The customer of the path.
    pub(crate) fn customer(&self) -> Result<&Arc<Customer>, Problem> {
        let absent = || Problem::new(Code::Internal, "the route has no customer in its path");
        self.customer.as_ref().ok_or_else(absent)
    }

    /// The customers whose data the request may touch.
    pub(crate) fn tenant(&self) -> Result<Tenant, Problem> {
        let denied = || Problem::new(Code::Forbidden, "this is allowed for no customer");
        self.permission.and_then(|permission| self.principal.tenant(permission)).ok_or_else(denied)
    }

    /// The body as JSON of one form. Fields that the form does not have are refused.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let pointer = pointer(error.path());
            let error = error.into_inner();
            // For what has the wrong kind where a word is wanted, serde_json says that there is no value.
            if error.is_syntax() && serde_json::from_slice::<IgnoredAny>(&self.body).is_ok() {
                return Problem::invalid(pointer, "not one of the words that it may be");
            }
            if error.is_data() {
                // Where it stands the pointer says.
                let text = error.to_string();
                let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
                return Problem::invalid(pointer, without_value(text));
            }
            Problem::new(Code::BadRequest, format!("the body is not JSON: {error}"))
        })?;
        json.end()
            .map_err(|error| Problem::new(Code::BadRequest, format!("the body is not JSON: {error}")))?;
        Ok(value)
    }

    /// Customers who are suspended see what is theirs and change nothing.
    pub(crate) fn refuse_suspended(&self, customer: &Customer) -> Result<(), Problem> {
        let reads = matches!(self.method, Method::GET | Method::HEAD);
        if reads || self.principal.operator || customer.status != Status::Suspended {
            return Ok(());
        }
        Err(Problem::new(Code::CustomerSuspended, format!("customer {} is suspended", customer.ban)))
    }
}

/// What is wrong with a value, without the value: it may be a secret in the wrong place.
fn without_value(text: &str) -> Cow<'_, str> {
    let told = ["invalid type: ", "invalid value: "].into_iter().find(|told| text.starts_with(told));
    let parts = told.and_then(|told| {
        let (found, expected) = text.strip_prefix(told)?.rsplit_once(", expected ")?;
        let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
        Some(format!("{told}{kind}, expected {expected}"))
    });
    parts.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;

    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

/// Reads a body of at most `octets_max`, chunked or not.
pub(crate) async fn read_body<B: Buf>(
    chunks: impl Stream<Item = Result<B, warp::Error>>,
    octets_max: usize,
) -> Result<Bytes, Problem> {
    let mut chunks = std::pin::pin!(chunks);
    let mut body = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let mut chunk = chunk.map_err(|error| {
            Problem::new(Code::BadRequest, format!("the body could not be read: {error}"))
        })?;
        if body.len().saturating_add(chunk.remaining()) > octets_max {
            return Err(Problem::new(Code::BodyTooLarge, format!("a body has at most {octets_max} octets")));
        }
        while chunk.has_remaining() {
            let piece = chunk.chunk().len();
            body.extend_from_slice(chunk.chunk());
            chunk.advance(piece);
        }
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_without_the_value() {
        for (text, told) in [
            (r#"invalid type: string "hidden", expected u32"#, "invalid type: string, expected u32"),
            ("invalid type: integer `7`, expected a string", "invalid type: integer, expected a string"),
            (
                r#"invalid type: string "a, expected b", expected struct C"#,
                "invalid type: string, expected struct C",
            ),
            ("invalid type: map, expected a string", "invalid type: map, expected a string"),
            ("invalid value: integer `-1`, expected u32", "invalid value: integer, expected u32"),
            ("missing field `url`", "missing field `url`"),
        ] {
            assert_eq!(without_value(text), told);
        }
    }

    #[tokio::test]
    async fn a_body_ends_at_its_limit() {
        let chunks = |sizes: &[usize]| {
            let chunks: Vec<_> = sizes.iter().map(|size| Ok(Bytes::from(vec![b'x'; *size]))).collect();
            futures_util::stream::iter(chunks)
        };
        assert_eq!(read_body(chunks(&[2, 3]), 5).await.unwrap().len(), 5);
        assert_eq!(read_body(chunks(&[]), 0).await.unwrap().len(), 0);
        assert_eq!(read_body(chunks(&[2, 4]), 5).await.unwrap_err().code, Code::BodyTooLarge);
    }
}
