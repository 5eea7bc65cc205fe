//! What a UAC remembers of a dialog so that its requests find the way (RFC 3261 12.1.2, 12.2.1.1).

use std::net::SocketAddr;

use sip::{HeaderId, Host, Message, NameAddr, SipUri, Uri};

/// SIP's port where none is written.
const PORT: u16 = 5060;

/// The remote side of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialog {
    /// Request-URI of requests in the dialog.
    pub(crate) uri: Vec<u8>,
    /// Route values in their order.
    pub(crate) routes: Vec<Vec<u8>>,
    /// To, with the tag.
    pub(crate) to: Vec<u8>,
    /// The tag alone.
    pub(crate) tag: Vec<u8>,
    /// Where requests go.
    pub(crate) next_hop: SocketAddr,
}

impl Dialog {
    /// From a 2xx to INVITE. `None` when it lacks what a dialog needs, or names a host where it needs an address.
    pub(crate) fn of(answer: &Message) -> Option<Self> {
        let to = answer.value(HeaderId::To)?;
        let tag = NameAddr::parse(to).ok()?.tag?;
        let contact = NameAddr::parse(answer.list(HeaderId::Contact).next()?).ok()?;
        let mut routes: Vec<Vec<u8>> = answer.list(HeaderId::RecordRoute).map(<[u8]>::to_vec).collect();
        routes.reverse();
        let mut uri = contact.uri.to_vec();
        let mut next_hop = hop(&uri)?;
        if let Some(first) = routes.first() {
            let first = NameAddr::parse(first).ok()?.uri.to_vec();
            next_hop = hop(&first)?;
            if !sip_uri(&first)?.is_loose_router() {
                // A strict router takes its own URI from the Request-URI; the target becomes the last Route.
                let target = [b"<", uri.as_slice(), b">"].concat();
                routes.remove(0);
                routes.push(target);
                uri = first;
            }
        }
        Some(Self { uri, routes, to: to.to_vec(), tag: tag.to_vec(), next_hop })
    }
}

/// The address that a URI names.
fn hop(uri: &[u8]) -> Option<SocketAddr> {
    let uri = sip_uri(uri)?;
    let host = uri.maddr().and_then(|maddr| Host::parse_bare(maddr).ok()).unwrap_or(uri.host);
    Some(SocketAddr::new(host.ip()?, uri.port.unwrap_or(PORT)))
}

fn sip_uri(uri: &[u8]) -> Option<SipUri<'_>> {
    Uri::parse(uri).ok()?.sip()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sip::Limits;

    use super::*;

    fn dialog(routes: &str, contact: &str) -> Option<Dialog> {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n{routes}Contact: {contact}\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\
             Content-Length: 0\r\n\r\n"
        );
        Dialog::of(&Message::parse_datagram(Bytes::from(text), &Limits::default()).ok()?)
    }

    #[test]
    fn routes_are_reversed_and_the_first_is_the_next_hop() {
        let cases = [
            ("", "<sip:u@127.0.0.1:7>", "sip:u@127.0.0.1:7", "", "127.0.0.1:7"),
            ("", "sip:u@127.0.0.1", "sip:u@127.0.0.1", "", "127.0.0.1:5060"),
            (
                "Record-Route: <sip:127.0.0.2:8;lr>, <sip:127.0.0.3;lr>\r\nRecord-Route: <sip:[::1]:4;lr>\r\n",
                "<sip:u@127.0.0.1:7>",
                "sip:u@127.0.0.1:7",
                "<sip:[::1]:4;lr> <sip:127.0.0.3;lr> <sip:127.0.0.2:8;lr>",
                "[::1]:4",
            ),
            (
                "Record-Route: <sip:127.0.0.2:8;lr>, <sip:127.0.0.3>\r\n",
                "<sip:u@127.0.0.1:7>",
                "sip:127.0.0.3",
                "<sip:127.0.0.2:8;lr> <sip:u@127.0.0.1:7>",
                "127.0.0.3:5060",
            ),
        ];
        for (record_route, contact, uri, routes, next_hop) in cases {
            let dialog = dialog(record_route, contact).unwrap();
            assert_eq!(String::from_utf8_lossy(&dialog.uri), uri);
            assert_eq!(String::from_utf8_lossy(&dialog.routes.join(&b' ')), routes);
            assert_eq!(dialog.next_hop.to_string(), next_hop);
            assert_eq!(dialog.tag, b"2");
        }
    }

    #[test]
    fn what_makes_no_dialog() {
        for contact in ["<sip:u@name.example>", "<tel:+1>", "", "<sip:>"] {
            assert_eq!(dialog("", contact), None, "{contact}");
        }
    }
}
