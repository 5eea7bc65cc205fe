//! A message: an index over its octets, which stay as they came.
//!
//! The index holds where the start line, each header and the body are. Values are read by the views of the other
//! modules when somebody asks, so a malformed header costs nothing but that header. What is wrong with the
//! framing or the shape of the whole is noted as a [`Defect`]; whether that matters is decided in
//! [`crate::validate`], so that a request can still be answered.

mod defect;
mod index;

use std::ops::Range;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use crate::header::{COUNT, HeaderId};
use crate::limits::Limits;
use crate::list::List;
use crate::method::Method;
use crate::syntax::{offset_in, trim};

pub use defect::{Defect, NotSip};

/// Headers that a message has room for before its index allocates.
const USUAL: usize = 32;

/// A SIP message. A clone shares the octets.
#[derive(Clone)]
pub struct Message {
    pub(crate) raw: Bytes,
    pub(crate) index: Index,
}

/// Everything but the octets.
#[derive(Clone)]
pub(crate) struct Index {
    pub(crate) start: Start,
    pub(crate) fields: SmallVec<[Field; USUAL]>,
    /// Place in `fields` of the first header of each id, plus one; 0 where there is none.
    first: [u16; COUNT],
    last: [u16; COUNT],
    /// Where the empty line begins; the end of the octets where it is missing.
    pub(crate) head_end: usize,
    /// Where the body begins.
    pub(crate) body: usize,
    pub(crate) vias: usize,
    pub(crate) content_length: Option<usize>,
    pub(crate) defect: Option<Defect>,
    /// It goes beyond some limit, whichever defect was found first.
    pub(crate) over_limits: bool,
    /// A line of the head ends in LF alone.
    pub(crate) lf_only: bool,
}

/// Offsets into the start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Request { method_end: u16, uri: (u16, u16), line_end: u16 },
    Response { code: u16, reason: (u16, u16), line_end: u16 },
}

/// Offsets of one header field: `start..name_end` is the name, `value..value_end` the value, `start..end` all
/// lines with their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) id: HeaderId,
    pub(crate) start: u16,
    pub(crate) name_end: u16,
    pub(crate) value: u16,
    pub(crate) value_end: u16,
    pub(crate) end: u16,
}

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// A request.
    Request {
        /// As it is written: methods have case.
        method: &'a [u8],
        /// As it is written, in brackets or with white space where it is malformed.
        uri: &'a [u8],
    },
    /// A response.
    Response {
        /// 100 to 699; 0 where it is malformed.
        code: u16,
        /// May be empty.
        reason: &'a [u8],
    },
}

/// One header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Which header it is, by full or compact name.
    pub id: HeaderId,
    /// The name as it is written; empty for a line without a colon.
    pub name: &'a [u8],
    /// The value without white space around it; folds inside stay.
    pub value: &'a [u8],
}

impl Message {
    /// Reads a datagram, or one WebSocket message. Octets beyond Content-Length are dropped (RFC 3261, 18.3);
    /// without Content-Length the body is the rest.
    ///
    /// Errors: [`NotSip`] when there is no start line of SIP; nothing can be answered then. Everything else is
    /// a [`Message::defect`].
    pub fn parse_datagram(mut octets: Bytes, limits: &Limits) -> Result<Self, NotSip> {
        let leading = octets.iter().take_while(|octet| matches!(octet, b'\r' | b'\n' | 0)).count();
        octets.advance(leading);
        if octets.is_empty() {
            return Err(NotSip::KeepAlive);
        }
        let mut index = Index::read(&octets, limits)?;
        let available = octets.len().saturating_sub(index.body);
        match index.content_length {
            Some(length) if length > available => index.note(Defect::ContentLengthBeyond),
            Some(length) => octets.truncate(index.body + length),
            // A length that cannot be read frames nothing: the rest is nobody's (RFC 4475, 3.1.2.3, 3.3.9).
            None if index.has(HeaderId::ContentLength) => octets.truncate(index.body),
            None => {}
        }
        if octets.len() > limits.message {
            index.note(Defect::MessageTooLarge);
        }
        Ok(Self { raw: octets, index })
    }

    /// The first line.
    pub fn start_line(&self) -> StartLine<'_> {
        match self.index.start {
            Start::Request { method_end, uri, .. } => {
                StartLine::Request { method: self.slice(0, method_end), uri: self.slice(uri.0, uri.1) }
            }
            Start::Response { code, reason, .. } => {
                StartLine::Response { code, reason: self.slice(reason.0, reason.1) }
            }
        }
    }

    /// Whether it is a request.
    pub const fn is_request(&self) -> bool {
        matches!(self.index.start, Start::Request { .. })
    }

    /// The method of a request.
    pub fn method(&self) -> Option<Method> {
        match self.start_line() {
            StartLine::Request { method, .. } => Some(Method::from_bytes(method)),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI as it is written.
    pub fn request_uri(&self) -> Option<&[u8]> {
        match self.start_line() {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Response { .. } => None,
        }
    }

    /// The status code of a response; 0 where it is malformed.
    pub const fn status_code(&self) -> Option<u16> {
        match self.index.start {
            Start::Request { .. } => None,
            Start::Response { code, .. } => Some(code),
        }
    }

    /// All headers in their order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.index.fields.iter().map(|field| self.header(field))
    }

    /// The number of header fields, each line of a list counted.
    pub fn header_count(&self) -> usize {
        self.index.fields.len()
    }

    /// Whether the header is there.
    pub fn has(&self, id: HeaderId) -> bool {
        self.index.has(id)
    }

    /// The value of the first header of this id.
    pub fn value(&self, id: HeaderId) -> Option<&[u8]> {
        self.index.first(id).map(|field| self.value_of(field))
    }

    /// The values of all headers of this id, one for each line.
    pub fn values(&self, id: HeaderId) -> impl Iterator<Item = &[u8]> {
        self.index.all(id).map(|field| self.value_of(field))
    }

    /// The values of all headers with this name, for names that have no id; for a known name also those in its other
    /// spelling.
    pub fn values_named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let id = HeaderId::from_name(name);
        let is_named = move |header: &Header<'_>| {
            header.id == id && (id != HeaderId::Unknown || header.name.eq_ignore_ascii_case(name))
        };
        self.headers().filter(is_named).map(|header| header.value)
    }

    /// The elements of all headers of this id, as one list (RFC 3261, 7.3.1).
    pub fn list(&self, id: HeaderId) -> impl Iterator<Item = &[u8]> {
        self.values(id).flat_map(List::new)
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.raw.get(self.index.body..).unwrap_or_default()
    }

    /// The whole message as it came, without empty lines before and octets behind it.
    pub const fn bytes(&self) -> &Bytes {
        &self.raw
    }

    /// The whole message, by value.
    pub fn into_bytes(self) -> Bytes {
        self.raw
    }

    /// Via values, roughly: a comma in a quoted parameter counts.
    pub const fn via_count(&self) -> usize {
        self.index.vias
    }

    /// The first thing that is wrong with the message as a whole.
    pub const fn defect(&self) -> Option<Defect> {
        self.index.defect
    }

    pub(crate) fn header(&self, field: &Field) -> Header<'_> {
        let name = self.slice(field.start, field.name_end);
        Header { id: field.id, name, value: self.value_of(field) }
    }

    pub(crate) fn value_of(&self, field: &Field) -> &[u8] {
        trim(self.slice(field.value, field.value_end))
    }

    /// Where a part of this message is in its octets.
    pub(crate) fn range_of(&self, part: &[u8]) -> Option<Range<usize>> {
        let start = offset_in(&self.raw, part)?;
        Some(start..start + part.len())
    }

    fn slice(&self, start: u16, end: u16) -> &[u8] {
        self.raw.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }
}

/// Shows the start line and the number of headers only: the rest holds numbers and secrets.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (method, code) = (self.method(), self.status_code());
        let mut shown = f.debug_struct("Message");
        shown.field("method", &method).field("code", &code).field("headers", &self.index.fields.len());
        shown.field("body", &self.body().len()).field("defect", &self.index.defect).finish()
    }
}

#[cfg(test)]
mod tests;
