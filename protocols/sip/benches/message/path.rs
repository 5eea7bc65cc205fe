//! What a proxy reads of a request and changes in it, for the bench and the test that counts allocations.

use std::net::SocketAddr;

use sip::{CSeq, Edits, HeaderId, Message, NameAddr, Via};

/// An INVITE as a gateway sends it.
pub(crate) const INVITE: &[u8] = b"\
INVITE sip:+4915112345678@sip.carrier.example;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 198.51.100.23:5060;branch=z9hG4bK-524287-1---8f0c2b6e6c1d4a57;rport\r\n\
Via: SIP/2.0/UDP 10.20.30.40:5060;received=10.20.30.40;branch=z9hG4bKac1872634018\r\n\
Record-Route: <sip:198.51.100.23;lr;ftag=as5f6b1c2d>\r\n\
Max-Forwards: 69\r\n\
From: \"Customer Service, Ltd.\" <sip:+442071234567@198.51.100.23;user=phone>;tag=as5f6b1c2d\r\n\
To: <sip:+4915112345678@sip.carrier.example;user=phone>\r\n\
Contact: <sip:+442071234567@198.51.100.23:5060;transport=udp>\r\n\
Call-ID: 3c26700857a87f84-0c2b6e6c1d4a57f1@198.51.100.23\r\n\
CSeq: 102 INVITE\r\n\
User-Agent: Gateway 7.4.2 (build 1187)\r\n\
Date: Sat, 21 Nov 2026 11:30:00 GMT\r\n\
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH, MESSAGE, UPDATE\r\n\
Supported: replaces, timer, 100rel\r\n\
Session-Expires: 1800;refresher=uac\r\n\
Min-SE: 90\r\n\
P-Asserted-Identity: \"Customer Service\" <sip:+442071234567@carrier.example>\r\n\
Privacy: none\r\n\
X-Trunk-Group: 4711-lon-2\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 272\r\n\
\r\n\
v=0\r\n\
o=root 1821446311 1821446311 IN IP4 198.51.100.23\r\n\
s=call\r\n\
c=IN IP4 198.51.100.23\r\n\
t=0 0\r\n\
m=audio 18452 RTP/AVP 8 0 18 101\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:18 G729/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-16\r\n\
a=ptime:20\r\n\
a=sendrecv\r\n";

/// What a transaction and a dialog need to know.
pub(crate) struct Core<'a> {
    pub(crate) via: Via<'a>,
    pub(crate) from_tag: Option<&'a [u8]>,
    pub(crate) to_tag: Option<&'a [u8]>,
    pub(crate) call_id: &'a [u8],
    pub(crate) cseq: u32,
    pub(crate) hops: u8,
}

/// Reads it.
#[expect(clippy::unwrap_used, reason = "a fixed message that has all this")]
pub(crate) fn core(message: &Message) -> Core<'_> {
    let tag = |id| NameAddr::parse(message.value(id)?).ok()?.tag;
    let hops =
        message.value(HeaderId::MaxForwards).and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    Core {
        via: message.list(HeaderId::Via).next().and_then(|via| Via::parse(via).ok()).unwrap(),
        from_tag: tag(HeaderId::From),
        to_tag: tag(HeaderId::To),
        call_id: message.value(HeaderId::CallId).unwrap(),
        cseq: message.value(HeaderId::CSeq).and_then(|value| CSeq::parse(value).ok()).unwrap().number,
        hops: hops.unwrap_or(70),
    }
}

/// What a proxy changes in an INVITE that it sends to a vendor.
#[expect(clippy::unwrap_used, reason = "a fixed message in which all this can be changed")]
pub(crate) fn edit<'m>(message: &'m Message, core: &Core<'_>, source: SocketAddr) -> Edits<'m> {
    let mut edits = Edits::new(message);
    edits.set_request_uri(b"sip:4915112345678@203.0.113.77:5060").unwrap();
    edits.push_via(b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKw01a7f3c5e2b9d8846f1c3e5a7b9d0").unwrap();
    edits.stamp_via(&core.via, source).unwrap();
    edits
        .push_record_route(
            b"<sip:192.0.2.1;lr;w=AQGx9Jv3kq2m8Z7pR5tY1uI0oP4aS6dF8gH2jK5lQ3wE7rT9yU1iO3pA5sD7fG9hJ1kL3zX5cV7bN9m>",
        )
        .unwrap();
    edits.set_max_forwards(core.hops - 1).unwrap();
    edits.remove(HeaderId::PAssertedIdentity).unwrap();
    edits.remove_named(b"X-Trunk-Group").unwrap();
    edits
}
