//! Requests of our own: any, the ACK to a refused INVITE, CANCEL.

use bytes::BytesMut;

use super::{Body, Extra, WriteError, begin, copied, display, end, extra, header, number, whole_or_nothing};
use crate::cseq::CSeq;
use crate::header::HeaderId;
use crate::message::Message;
use crate::method::Method;
use crate::syntax::{Sink, is_control, is_lws, is_token};

/// Hops that a request of ours may go (8.1.1.6).
const MAX_FORWARDS: usize = 70;

/// A request to be written. Values are whole: what stands behind the colon of the header.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub uri: &'a [u8],
    /// Our Via.
    pub via: &'a [u8],
    /// From, with its tag.
    pub from: &'a [u8],
    /// To.
    pub to: &'a [u8],
    /// Call-ID.
    pub call_id: &'a [u8],
    /// Number of CSeq.
    pub cseq: u32,
    /// Route values, each a header of its own.
    pub routes: &'a [&'a [u8]],
    /// Further headers.
    pub headers: Extra<'a>,
    /// The body.
    pub body: Option<Body<'a>>,
}

impl Request<'_> {
    /// Appends the request to `out`, with Max-Forwards 70.
    ///
    /// Errors: [`WriteError::Control`] and [`WriteError::Form`] for the texts given; [`Method::Other`] has no
    /// name to write.
    pub fn write(&self, out: &mut BytesMut) -> Result<(), WriteError> {
        whole_or_nothing(out, |out| self.write_parts(out))
    }

    fn write_parts(&self, out: &mut BytesMut) -> Result<(), WriteError> {
        request_line(out, self.method.as_str().as_bytes(), self.uri)?;
        header(out, HeaderId::Via.name(), self.via)?;
        number(out, HeaderId::MaxForwards, MAX_FORWARDS);
        self.routes.iter().try_for_each(|route| header(out, HeaderId::Route.name(), route))?;
        header(out, HeaderId::From.name(), self.from)?;
        header(out, HeaderId::To.name(), self.to)?;
        header(out, HeaderId::CallId.name(), self.call_id)?;
        cseq(out, self.cseq, self.method);
        extra(out, self.headers)?;
        end(out, self.body)
    }
}

/// Appends the ACK to a final response other than 2xx (17.1.1.3). `invite` is the INVITE as we sent it,
/// `response` the response as it came: only To is of it. Credentials of the INVITE are those of its ACK (22.1).
///
/// Errors: [`WriteError::Kind`] where they are something else; [`WriteError::Missing`].
pub fn ack(invite: &Message, response: &Message, out: &mut BytesMut) -> Result<(), WriteError> {
    // The ACK to a 2xx is another one, with a branch and a route set of its own (13.2.2.4).
    if response.status_code().is_none_or(|code| code < 300) {
        return Err(WriteError::Kind);
    }
    whole_or_nothing(out, |out| {
        follow_up(invite, Method::Ack, response.value(HeaderId::To), out)?;
        for id in [HeaderId::Authorization, HeaderId::ProxyAuthorization] {
            invite.values(id).for_each(|value| copied(out, id, value));
        }
        end(out, None)
    })
}

/// Appends the CANCEL of an INVITE as we sent it (9.1), with `headers` such as Reason.
///
/// Errors: [`WriteError::Kind`] for another message than an INVITE; [`WriteError::Missing`]; those of `headers`.
pub fn cancel(invite: &Message, headers: Extra<'_>, out: &mut BytesMut) -> Result<(), WriteError> {
    whole_or_nothing(out, |out| {
        follow_up(invite, Method::Cancel, invite.value(HeaderId::To), out)?;
        extra(out, headers)?;
        end(out, None)
    })
}

/// What ACK and CANCEL share: all that makes a server match them to the INVITE, and its Route.
fn follow_up(
    invite: &Message,
    method: Method,
    to: Option<&[u8]>,
    out: &mut BytesMut,
) -> Result<(), WriteError> {
    let uri = invite.request_uri().filter(|_| invite.method() == Some(Method::Invite));
    let uri = uri.ok_or(WriteError::Kind)?;
    let missing = |id| move || WriteError::Missing(id);
    let to = to.ok_or_else(missing(HeaderId::To))?;
    let via = invite.list(HeaderId::Via).next().ok_or_else(missing(HeaderId::Via))?;
    let from = invite.value(HeaderId::From).ok_or_else(missing(HeaderId::From))?;
    let call_id = invite.value(HeaderId::CallId).ok_or_else(missing(HeaderId::CallId))?;
    let read = invite.value(HeaderId::CSeq).and_then(|value| CSeq::parse(value).ok());
    let number_of = read.ok_or_else(missing(HeaderId::CSeq))?.number;
    request_line(out, method.as_str().as_bytes(), uri)?;
    copied(out, HeaderId::Via, via);
    number(out, HeaderId::MaxForwards, MAX_FORWARDS);
    invite.values(HeaderId::Route).for_each(|value| copied(out, HeaderId::Route, value));
    copied(out, HeaderId::From, from);
    copied(out, HeaderId::To, to);
    copied(out, HeaderId::CallId, call_id);
    cseq(out, number_of, method);
    Ok(())
}

fn request_line(out: &mut BytesMut, method: &[u8], uri: &[u8]) -> Result<(), WriteError> {
    if !is_token(method) {
        return Err(WriteError::Form("the method"));
    }
    if uri.is_empty() || uri.iter().any(|&octet| is_lws(octet) || is_control(octet)) {
        return Err(WriteError::Form("the Request-URI"));
    }
    out.put(method);
    out.put(b" ");
    out.put(uri);
    out.put(b" SIP/2.0\r\n");
    Ok(())
}

fn cseq(out: &mut BytesMut, number: u32, method: Method) {
    begin(out, HeaderId::CSeq.name());
    display(out, &number);
    out.put(b" ");
    out.put(method.as_str().as_bytes());
    out.put(b"\r\n");
}
