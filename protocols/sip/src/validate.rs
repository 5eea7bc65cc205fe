//! Whether a message is good enough, and the answer if not (16.3; RFC 4475). Apart from reading it: what one
//! element refuses another one may want to see.

use std::net::{IpAddr, Ipv4Addr};

use crate::cseq::CSeq;
use crate::header::{HeaderId, ONCE};
use crate::list::List;
use crate::message::{Defect, Message, StartLine};
use crate::method::Method;
use crate::name_addr::NameAddr;
use crate::status::StatusCode;
use crate::syntax::{is_control, is_lws, number};
use crate::uri::{Host, Uri};
use crate::via::{MAGIC_COOKIE, Via};

/// What is wrong with a message. Its text is a reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The message as a whole.
    #[error("{0}")]
    Message(Defect),
    /// A required header is missing.
    #[error("Missing {} Header", .0.name())]
    Missing(HeaderId),
    /// A header that must be there once is there again.
    #[error("Repeated {} Header", .0.name())]
    Repeated(HeaderId),
    /// A header cannot be read, or its value is out of range.
    #[error("Malformed {} Header", .0.name())]
    Malformed(HeaderId),
    /// CSeq names another method than the request line.
    #[error("CSeq Method Mismatch")]
    CSeqMethod,
    /// The same, and the method is not known either (RFC 4475, 3.1.2.18).
    #[error("Not Implemented")]
    UnknownMethod,
    /// The Request-URI is malformed, or has headers.
    #[error("Malformed Request-URI")]
    RequestUri,
    /// The scheme of the Request-URI is none of sip, sips, tel.
    #[error("Unsupported URI Scheme")]
    Scheme,
    /// Max-Forwards is zero.
    #[error("Too Many Hops")]
    MaxForwards,
    /// The request was here before (16.3 step 4).
    #[error("Loop Detected")]
    Loop,
    /// Proxy-Require has what we do not do; [`unsupported`] lists it.
    #[error("Bad Extension")]
    Extension,
    /// A control character where no quoted string escapes it: others may end the value there.
    #[error("Control Character in Headers")]
    Control,
    /// The Via by which a response goes on, or would be given, is no address of one element: a reflection (RFC 4475,
    /// 3.3.10). Never answered.
    #[error("Via Names Many Hosts")]
    ViaDestination,
}

impl Fault {
    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Message(defect) => defect.status(),
            Self::UnknownMethod => StatusCode::NOT_IMPLEMENTED,
            Self::Scheme => StatusCode::UNSUPPORTED_URI_SCHEME,
            Self::MaxForwards => StatusCode::TOO_MANY_HOPS,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::Extension => StatusCode::BAD_EXTENSION,
            Self::Missing(_)
            | Self::Repeated(_)
            | Self::Malformed(_)
            | Self::CSeqMethod
            | Self::RequestUri
            | Self::Control
            | Self::ViaDestination => StatusCode::BAD_REQUEST,
        }
    }

    /// The status that `message` is answered; `None` when it is dropped: responses, ACK, requests without Via,
    /// whose sender would not know the answer, and with one that sends it to many.
    pub fn answer(&self, message: &Message) -> Option<StatusCode> {
        let answerable = message.method().is_some_and(|method| method != Method::Ack);
        let reflected = *self == Self::ViaDestination;
        (answerable && !reflected && message.list(HeaderId::Via).next().is_some()).then(|| self.status())
    }
}

/// What every message has (8.1.1), read.
#[derive(Clone, Copy, Debug)]
pub struct Core<'m> {
    /// The top Via.
    pub via: Via<'m>,
    /// From.
    pub from: NameAddr<'m>,
    /// To.
    pub to: NameAddr<'m>,
    /// Call-ID.
    pub call_id: &'m [u8],
    /// CSeq.
    pub cseq: CSeq<'m>,
}

/// Checks a message that is to be passed on: a request by 16.3 without loop detection, which is [`looped`]; a
/// response by what 16.7 reads of it. `supported` are the option tags that our Proxy-Require knows.
pub fn check<'m>(message: &'m Message, supported: &[&[u8]]) -> Result<Core<'m>, Fault> {
    if let Some(defect) = message.defect() {
        return Err(Fault::Message(defect));
    }
    if has_bare_control(message) {
        return Err(Fault::Control);
    }
    match message.start_line() {
        StartLine::Request { method, uri } => request(message, method, uri, supported),
        StartLine::Response { .. } => response(message),
    }
}

/// Whether the request went through us before: `ours` says so of one of its Vias.
pub fn looped(message: &Message, ours: impl FnMut(&Via<'_>) -> bool) -> Result<(), Fault> {
    let mut vias = message.list(HeaderId::Via).filter_map(|value| Via::parse(value).ok());
    let mut ours = ours;
    if vias.any(|via| ours(&via)) { Err(Fault::Loop) } else { Ok(()) }
}

/// The option tags of Proxy-Require that are not `supported`: what Unsupported of a 420 lists (20.40).
pub fn unsupported<'a>(message: &'a Message, supported: &'a [&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    let known = |tag: &&[u8]| supported.iter().any(|known| known.eq_ignore_ascii_case(tag));
    message.list(HeaderId::ProxyRequire).filter(move |tag| !known(tag))
}

fn request<'m>(
    message: &'m Message,
    method: &[u8],
    uri: &[u8],
    supported: &[&[u8]],
) -> Result<Core<'m>, Fault> {
    let known = Method::from_bytes(method);
    let core = core(message, |cseq| match (cseq == method, known) {
        (true, _) => Ok(()),
        (false, Method::Other) => Err(Fault::UnknownMethod),
        (false, _) => Err(Fault::CSeqMethod),
    })?;
    if sends_to_many(&core.via, true) {
        return Err(Fault::ViaDestination);
    }
    contacts(message, known)?;
    request_uri(uri)?;
    max_forwards(message)?;
    // An ACK must not be refused for it, nor a CANCEL (8.2.2.3).
    let exempt = matches!(known, Method::Ack | Method::Cancel);
    if !exempt && unsupported(message, supported).next().is_some() {
        return Err(Fault::Extension);
    }
    Ok(core)
}

fn response(message: &Message) -> Result<Core<'_>, Fault> {
    let core = core(message, |_| Ok(()))?;
    let Some(next) = message.list(HeaderId::Via).nth(1) else { return Ok(core) };
    let next = Via::parse(next).map_err(|_| Fault::Malformed(HeaderId::Via))?;
    if sends_to_many(&next, false) { Err(Fault::ViaDestination) } else { Ok(core) }
}

/// Reads the headers that every message has; `method` judges the one in CSeq.
fn core(message: &Message, method: impl FnOnce(&[u8]) -> Result<(), Fault>) -> Result<Core<'_>, Fault> {
    if let Some(&id) = ONCE.iter().find(|&&id| message.index.is_repeated(id)) {
        return Err(Fault::Repeated(id));
    }
    let via = message.list(HeaderId::Via).next().ok_or(Fault::Missing(HeaderId::Via))?;
    let via = Via::parse(via).map_err(|_| Fault::Malformed(HeaderId::Via))?;
    // The cookie promises a unique branch; alone it would make one transaction of many (RFC 4475, 3.2.1).
    if via.branch.is_some_and(|branch| branch.eq_ignore_ascii_case(MAGIC_COOKIE)) {
        return Err(Fault::Malformed(HeaderId::Via));
    }
    let name = |id| {
        let value = message.value(id).ok_or(Fault::Missing(id))?;
        NameAddr::parse(value).map_err(|_| Fault::Malformed(id))
    };
    let (from, to) = (name(HeaderId::From)?, name(HeaderId::To)?);
    let call_id = message.value(HeaderId::CallId).ok_or(Fault::Missing(HeaderId::CallId))?;
    if call_id.is_empty() || call_id.iter().any(|&octet| is_lws(octet) || is_control(octet)) {
        return Err(Fault::Malformed(HeaderId::CallId));
    }
    let cseq = message.value(HeaderId::CSeq).ok_or(Fault::Missing(HeaderId::CSeq))?;
    let cseq = CSeq::parse(cseq).map_err(|_| Fault::Malformed(HeaderId::CSeq))?;
    method(cseq.method)?;
    Ok(Core { via, from, to, call_id, cseq })
}

/// A Contact that cannot be read would become a remote target that cannot be reached.
fn contacts(message: &Message, method: Method) -> Result<(), Fault> {
    let read = |value: &[u8]| {
        let contact = NameAddr::parse(value).ok()?;
        (!contact.is_star() || method == Method::Register).then_some(())
    };
    let mut contacts = message.values(HeaderId::Contact).flat_map(List::new);
    if contacts.all(|value| read(value).is_some()) {
        Ok(())
    } else {
        Err(Fault::Malformed(HeaderId::Contact))
    }
}

fn request_uri(uri: &[u8]) -> Result<(), Fault> {
    match Uri::parse(uri).map_err(|_| Fault::RequestUri)? {
        Uri::Sip(uri) if uri.headers.is_some() => Err(Fault::RequestUri),
        Uri::Sip(_) | Uri::Tel(_) => Ok(()),
        Uri::Other { .. } => Err(Fault::Scheme),
    }
}

/// A missing Max-Forwards is taken for granted, one beyond 255 as missing (RFC 4475, 3.1.2.4).
fn max_forwards(message: &Message) -> Result<(), Fault> {
    let Some(value) = message.value(HeaderId::MaxForwards) else { return Ok(()) };
    match number(value) {
        Ok(0) => Err(Fault::MaxForwards),
        Ok(_) => Ok(()),
        Err(_) => Err(Fault::Malformed(HeaderId::MaxForwards)),
    }
}

/// Whether a response by this Via (18.2.2) would reach more than one element. Of a request the source is known,
/// and goes before a host without an address: there are clients that do not know theirs.
fn sends_to_many(via: &Via<'_>, source_known: bool) -> bool {
    let ip = |host: Host<'_>| host.ip().map(|ip| ip.to_canonical());
    let named = [Some(via.host), via.received_host(), via.maddr()].into_iter().flatten().filter_map(ip);
    let many = |ip: IpAddr| ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    let given = [via.received_host(), via.maddr()].into_iter().flatten().filter_map(ip);
    let is_told = source_known || via.received.is_some();
    named.into_iter().any(many)
        || given.into_iter().any(|ip| ip.is_unspecified())
        || !is_told && ip(via.host).is_some_and(|ip| ip.is_unspecified())
}

/// A control other than tab and line ends in the head, without the backslash that lets it stand in a quoted string.
/// Nearly always there is none at all, which is seen many octets at a time.
fn has_bare_control(message: &Message) -> bool {
    let head = message.raw.get(..message.index.body).unwrap_or_default();
    let is_bad = |octet: u8| is_control(octet) && octet != b'\r' && octet != b'\n';
    if !head.iter().fold(false, |found, &octet| found | is_bad(octet)) {
        return false;
    }
    let mut escaped = false;
    head.iter().any(|&octet| {
        let bare = is_bad(octet) && !escaped;
        escaped = octet == b'\\' && !escaped;
        bare
    })
}

#[cfg(test)]
mod tests;
