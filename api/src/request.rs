//! A request as handlers see it: checked, decoded, its body whole.

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use uuid::Uuid;

use crate::problem::{Code, Problem};

/// What is left of a request once its route is known.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// The `{parts}` of the path, still percent-encoded.
    pub(crate) params: Vec<(String, String)>,
    /// The query, its names known to the route.
    pub(crate) query: Query,
    /// The body; empty for GET.
    pub(crate) body: Bytes,
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

    /// Whether the answer is to be text for people; `format` may be `json` or `text`.
    pub(crate) fn wants_text(&self) -> Result<bool, Problem> {
        match self.query.get("format") {
            None | Some("json") => Ok(false),
            Some("text") => Ok(true),
            Some(other) => {
                Err(Problem::new(Code::BadRequest, format!("format is json or text, not {other:?}")))
            }
        }
    }
}

/// The query of a request, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d`. A name that the route does not know is refused, and so is one given twice: a
    /// misspelt name must not mean a default.
    pub(crate) fn parse(raw: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut values: Vec<(String, String)> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (form_decode(name), form_decode(value)) else {
                return Err(Problem::new(Code::BadRequest, format!("{pair:?} is not percent-encoded text")));
            };
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let detail = format!("unknown query parameter {name:?}; known here: {known}");
                return Err(Problem::new(Code::BadRequest, detail));
            }
            if values.iter().any(|(seen, _)| *seen == name) {
                return Err(Problem::new(
                    Code::BadRequest,
                    format!("query parameter {name:?} is given twice"),
                ));
            }
            values.push((name, value));
        }
        Ok(Self(values))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A value that must be there and not be empty.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Problem> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Problem::new(Code::BadRequest, format!("query parameter {name:?} is needed")))
    }

    /// A whole number from 1 to `most`, or `otherwise` where there is none.
    pub(crate) fn number(&self, name: &str, otherwise: u32, most: u32) -> Result<u32, Problem> {
        let Some(value) = self.get(name) else { return Ok(otherwise) };
        value.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
            Problem::new(Code::BadRequest, format!("{name} is a number from 1 to {most}, not {value:?}"))
        })
    }

    /// An id.
    pub(crate) fn id(&self, name: &str) -> Result<Option<Uuid>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong = |_| Problem::new(Code::BadRequest, format!("{name} is an id of a call, not {value:?}"));
        value.parse().map(Some).map_err(wrong)
    }

    /// A flag: absent is no, bare or `true` is yes.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(other) => {
                Err(Problem::new(Code::BadRequest, format!("{name} is true or false, not {other:?}")))
            }
        }
    }
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

/// application/x-www-form-urlencoded: a plus is a space.
fn form_decode(text: &str) -> Option<String> {
    let spaced: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    decode(&spaced)
}

/// RFC 3986, 2.1. None for a broken escape or octets that are not UTF-8.
fn decode(octets: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(octets.len());
    let mut rest = octets.iter();
    while let Some(octet) = rest.next() {
        if *octet != b'%' {
            decoded.push(*octet);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let known = ["from", "to"];
        for (raw, from, to) in [
            ("", None, None),
            ("from=1&to=2", Some("1"), Some("2")),
            ("to=%2B15550001111", None, Some("+15550001111")),
            ("from=a+b%20c", Some("a b c"), None),
            ("from", Some(""), None),
            ("&&to==", None, Some("=")),
        ] {
            let query = Query::parse(raw, &known).unwrap();
            assert_eq!((query.get("from"), query.get("to")), (from, to), "{raw}");
        }
        for (raw, detail) in [
            ("form=1", "unknown query parameter \"form\"; known here: from, to"),
            ("to=%2", "is not percent-encoded"),
            ("to=%zz", "is not percent-encoded"),
            ("to=%ff", "is not percent-encoded"),
            ("to=1&to=2", "is given twice"),
        ] {
            let problem = Query::parse(raw, &known).unwrap_err();
            assert!(format!("{problem:?}").contains(&detail.replace('"', "\\\"")), "{problem:?}");
            assert_eq!(problem.code, Code::BadRequest);
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
