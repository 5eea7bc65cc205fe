//! Responses (8.2.6).

use std::net::SocketAddr;

use bytes::BytesMut;
use memchr::memchr2;

use super::{Body, Extra, WriteError, begin, copied, display, end, extra, unfolded, whole_or_nothing};
use crate::header::HeaderId;
use crate::list::List;
use crate::message::Message;
use crate::name_addr::NameAddr;
use crate::status::StatusCode;
use crate::syntax::{Sink, has_control, is_token, offset_in, split};
use crate::via::Via;

/// A response to be written. Via, From, To, Call-ID and CSeq come from the request.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status.
    pub status: StatusCode,
    /// Another reason phrase than the recommended one.
    pub reason: Option<&'a str>,
    /// Put on To where that has no tag; a 100 gets none (8.2.6.2).
    pub to_tag: Option<&'a [u8]>,
    /// Where the request came from, noted in the top Via as by [`crate::Edits::stamp_via`]; not given when the
    /// request was stamped before.
    pub source: Option<SocketAddr>,
    /// Copy Record-Route, as a response that makes a dialog needs (12.1.1).
    pub record_route: bool,
    /// Further headers.
    pub headers: Extra<'a>,
    /// The body.
    pub body: Option<Body<'a>>,
}

impl<'a> Response<'a> {
    /// A response with nothing but what every one has.
    pub const fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: None,
            to_tag: None,
            source: None,
            record_route: false,
            headers: &[],
            body: None,
        }
    }

    /// Appends the response to `request` to `out`. A request that lacks From, To, Call-ID or CSeq is answered
    /// without them (RFC 4475, 3.3.1), one beyond a limit with its top Via only: it gets to the element that let
    /// it pass. Without what the caller adds it is hardly larger than the request.
    ///
    /// Errors: [`WriteError::Missing`] without a Via: nobody would find the answer; [`WriteError::Kind`] for a
    /// response; [`WriteError::Control`] and [`WriteError::Form`] for the texts given.
    pub fn write(&self, request: &Message, out: &mut BytesMut) -> Result<(), WriteError> {
        if !request.is_request() {
            return Err(WriteError::Kind);
        }
        if request.list(HeaderId::Via).next().is_none() {
            return Err(WriteError::Missing(HeaderId::Via));
        }
        whole_or_nothing(out, |out| self.write_parts(request, out))
    }

    fn write_parts(&self, request: &Message, out: &mut BytesMut) -> Result<(), WriteError> {
        let reason = self.reason.unwrap_or_else(|| self.status.reason_phrase());
        if has_control(reason.as_bytes()) {
            return Err(WriteError::Control("the reason phrase"));
        }
        out.put(b"SIP/2.0 ");
        display(out, &self.status);
        out.put(b" ");
        out.put(reason.as_bytes());
        out.put(b"\r\n");
        self.vias(request, out);
        if self.record_route && !request.index.over_limits {
            request.values(HeaderId::RecordRoute).for_each(|value| copied(out, HeaderId::RecordRoute, value));
        }
        for id in [HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq] {
            let Some(value) = request.value(id) else { continue };
            match self.to_tag.filter(|_| id == HeaderId::To) {
                Some(tag) => self.to(value, tag, out)?,
                None => copied(out, id, value),
            }
        }
        // So that the sender can tell how long the request took (8.2.6.1).
        if self.status == StatusCode::TRYING
            && let Some(value) = request.value(HeaderId::Timestamp)
        {
            copied(out, HeaderId::Timestamp, value);
        }
        extra(out, self.headers)?;
        end(out, self.body)
    }

    /// Line by line as they came: a line for each element would make many octets of few.
    fn vias(&self, request: &Message, out: &mut BytesMut) {
        let mut values = request.values(HeaderId::Via).filter(|value| !value.is_empty());
        let first = values.next().unwrap_or_default();
        let top = List::new(first).next().unwrap_or_default();
        begin(out, HeaderId::Via.name());
        self.top_via(top, out);
        if !request.index.over_limits {
            let below = offset_in(first, top).unwrap_or_default() + top.len();
            unfolded(out, split(first, below).1);
        }
        out.put(b"\r\n");
        if !request.index.over_limits {
            values.for_each(|value| copied(out, HeaderId::Via, value));
        }
    }

    fn top_via(&self, top: &[u8], out: &mut BytesMut) {
        let Some((source, via)) = self.source.zip(Via::parse(top).ok()) else {
            unfolded(out, top);
            return;
        };
        if memchr2(b'\r', b'\n', top).is_none() {
            via.write_stamped(source, out);
            return;
        }
        let mut stamped = BytesMut::new();
        via.write_stamped(source, &mut stamped);
        unfolded(out, &stamped);
    }

    fn to(&self, value: &[u8], tag: &[u8], out: &mut BytesMut) -> Result<(), WriteError> {
        let tagged = NameAddr::parse(value).map_or(true, |to| to.params.get(b"tag").is_some());
        if tagged || self.status == StatusCode::TRYING {
            copied(out, HeaderId::To, value);
            return Ok(());
        }
        if !is_token(tag) {
            return Err(WriteError::Form("a tag"));
        }
        begin(out, HeaderId::To.name());
        unfolded(out, value);
        out.put(b";tag=");
        out.put(tag);
        out.put(b"\r\n");
        Ok(())
    }
}
