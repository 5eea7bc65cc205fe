//! The SDP of a side as a simulated node reads it and passes it on: addresses and ports become the node's
//! own, the rest stays as it came. ICE is taken out, as the node has no part in it.

use std::net::{IpAddr, SocketAddr};

/// More medias than that are no call.
const MEDIAS_MAX: usize = 32;
/// Fields of an origin (RFC 4566 5.2).
const ORIGIN_FIELDS: usize = 6;
/// Lines that are not passed on: the node writes its own, or none.
const LEFT_OUT: [&str; 3] = ["a=rtcp:", "a=candidate:", "a=ice-"];

/// An SDP that was read.
#[derive(Debug)]
pub(super) struct Description<'a> {
    lines: Vec<&'a str>,
    pub(super) medias: Vec<Offered<'a>>,
}

/// One media of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offered<'a> {
    pub(super) kind: &'a str,
    pub(super) protocol: &'a str,
    /// 0 for one that is refused.
    pub(super) port: u16,
    /// Port for RTCP where it is another than the next one.
    rtcp: Option<u16>,
    address: Option<IpAddr>,
}

impl<'a> Description<'a> {
    /// Nothing where it cannot be read. It may be without medias.
    pub(super) fn parse(sdp: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(sdp).ok()?;
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let is_origin = |line: &&str| line.starts_with("o=") && line.split(' ').count() == ORIGIN_FIELDS;
        let is_line = |line: &&str| line.as_bytes().get(1) == Some(&b'=');
        let is_sdp = lines.first() == Some(&"v=0") && lines.iter().any(is_origin);
        if !is_sdp || !lines.iter().all(is_line) {
            return None;
        }
        let mut session = None;
        let mut medias: Vec<Offered<'a>> = Vec::new();
        for line in &lines {
            if let Some(media) = line.strip_prefix("m=") {
                medias.push(Offered::parse(media, session)?);
            } else if let Some(connection) = line.strip_prefix("c=") {
                let address = address(connection);
                match medias.last_mut() {
                    Some(media) => media.address = address,
                    None => session = address,
                }
            } else if let Some((media, rtcp)) = medias.last_mut().zip(line.strip_prefix("a=rtcp:")) {
                media.rtcp = rtcp.split(' ').next().and_then(|port| port.parse().ok());
            }
        }
        (medias.len() <= MEDIAS_MAX).then_some(Self { lines, medias })
    }

    /// With `own` for the address, in the origin too where it is asked for, and with these ports: one for
    /// each media, nothing for one that is refused.
    pub(super) fn write(&self, own: IpAddr, ports: &[Option<u16>], origin: bool) -> Vec<u8> {
        let mut out = String::new();
        let mut ports = ports.iter().copied();
        let mut current = None;
        for line in &self.lines {
            if let Some(media) = line.strip_prefix("m=") {
                rtcp(&mut out, current);
                current = ports.next().flatten();
                put(&mut out, &media_line(media, current));
            } else if let Some(connection) = line.strip_prefix("c=") {
                // Who puts a side on hold in the old way goes on doing so.
                let held = address(connection).is_some_and(|address| address.is_unspecified());
                put(&mut out, &if held { (*line).to_owned() } else { format!("c={}", network(own)) });
            } else if line.starts_with("o=") && origin {
                let kept: Vec<&str> = line.split(' ').take(ORIGIN_FIELDS - 3).collect();
                put(&mut out, &format!("{} {}", kept.join(" "), network(own)));
            } else if !LEFT_OUT.iter().any(|start| line.starts_with(start)) {
                put(&mut out, line);
            }
        }
        rtcp(&mut out, current);
        out.into_bytes()
    }
}

impl<'a> Offered<'a> {
    fn parse(line: &'a str, address: Option<IpAddr>) -> Option<Self> {
        let mut fields = line.split(' ');
        let (kind, port, protocol) = (fields.next()?, fields.next()?, fields.next()?);
        let port = port.split('/').next()?.parse().ok()?;
        Some(Self { kind, protocol, port, rtcp: None, address })
    }

    /// Where the side takes RTP.
    pub(super) fn endpoint(&self) -> Option<SocketAddr> {
        self.address
            .filter(|address| !address.is_unspecified() && self.port != 0)
            .map(|address| (address, self.port).into())
    }

    /// Where it takes RTCP.
    pub(super) fn rtcp_endpoint(&self) -> Option<SocketAddr> {
        let rtp = self.endpoint()?;
        let port = self.rtcp.or_else(|| rtp.port().checked_add(1))?;
        Some((rtp.ip(), port).into())
    }
}

/// The address of a connection; nothing for a name.
fn address(connection: &str) -> Option<IpAddr> {
    // What follows a slash is for multicast.
    connection.split(' ').nth(2)?.split('/').next()?.parse().ok()
}

fn network(address: IpAddr) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    format!("IN {family} {address}")
}

fn media_line(media: &str, port: Option<u16>) -> String {
    let mut fields = media.splitn(3, ' ');
    let (kind, _, rest) = (fields.next(), fields.next(), fields.next());
    format!("m={} {} {}", kind.unwrap_or_default(), port.unwrap_or_default(), rest.unwrap_or_default())
}

fn rtcp(out: &mut String, port: Option<u16>) {
    if let Some(port) = port {
        put(out, &format!("a=rtcp:{}", port.saturating_add(1)));
    }
}

fn put(out: &mut String, line: &str) {
    out.push_str(line);
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

    /// Of a carrier's gateway: video refused, RTCP elsewhere, a candidate of its own.
    const OFFER: &str = "v=0\r\no=- 8000 8000 IN IP4 192.0.2.1\r\ns=SIP Media\r\n\
        c=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 49170/1 RTP/AVP 0 101\r\n\
        c=IN IP4 192.0.2.2\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=rtcp:53020 IN IP4 192.0.2.3\r\na=ice-ufrag:x\r\na=candidate:1 1 UDP 1 192.0.2.1 49170 typ host\r\n\
        a=sendrecv\r\nm=video 0 RTP/AVP 31\r\nm=image 49180 udptl t38\r\na=T38FaxVersion:0\r\n";

    #[test]
    fn an_sdp_is_passed_on_with_other_addresses() {
        let description = Description::parse(OFFER.as_bytes()).unwrap();
        let found: Vec<_> =
            description.medias.iter().map(|media| (media.kind, media.protocol, media.endpoint())).collect();
        let at = |address: [u8; 4], port: u16| Some(SocketAddr::from((address, port)));
        assert_eq!(
            found,
            [
                ("audio", "RTP/AVP", at([192, 0, 2, 2], 49_170)),
                ("video", "RTP/AVP", None),
                ("image", "udptl", at([192, 0, 2, 1], 49_180)),
            ]
        );
        let rtcp: Vec<_> = description.medias.iter().map(Offered::rtcp_endpoint).collect();
        assert_eq!(rtcp, [at([192, 0, 2, 2], 53_020), None, at([192, 0, 2, 1], 49_181)]);
        let written = description.write(OWN, &[Some(30_000), None, Some(30_002)], true);
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "v=0\r\no=- 8000 8000 IN IP4 198.51.100.7\r\ns=SIP Media\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
             m=audio 30000 RTP/AVP 0 101\r\nc=IN IP4 198.51.100.7\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=sendrecv\r\na=rtcp:30001\r\nm=video 0 RTP/AVP 31\r\nm=image 30002 udptl t38\r\n\
             a=T38FaxVersion:0\r\na=rtcp:30003\r\n"
        );
    }

    #[test]
    fn the_origin_is_left_alone_unless_asked_for_and_hold_stays_hold() {
        let held = "v=0\no=x 1 1 IN IP6 2001:db8::1\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 5004 RTP/AVP 0\n";
        let description = Description::parse(held.as_bytes()).unwrap();
        assert_eq!(description.medias[0].endpoint(), None);
        assert_eq!(
            String::from_utf8(description.write(OWN, &[Some(30_000)], false)).unwrap(),
            "v=0\r\no=x 1 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
             m=audio 30000 RTP/AVP 0\r\na=rtcp:30001\r\n"
        );
    }

    #[test]
    fn what_is_no_sdp() {
        let origin = "o=- 1 1 IN IP4 192.0.2.1\r\n";
        for (text, is_sdp) in [
            (format!("v=0\r\n{origin}s=-\r\n"), true),
            (String::new(), false),
            ("garbage".to_owned(), false),
            ("v=0\r\ns=-\r\n".to_owned(), false),
            ("v=0\r\no=- 1 1\r\n".to_owned(), false),
            (format!("v=1\r\n{origin}"), false),
            (format!("v=0\r\n{origin}nonsense\r\n"), false),
            (format!("v=0\r\n{origin}m=audio\r\n"), false),
            (format!("v=0\r\n{origin}m=audio x RTP/AVP 0\r\n"), false),
            (format!("v=0\r\n{origin}{}", "m=audio 9 RTP/AVP 0\r\n".repeat(MEDIAS_MAX + 1)), false),
        ] {
            assert_eq!(Description::parse(text.as_bytes()).is_some(), is_sdp, "{text:?}");
        }
        assert!(Description::parse(b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=\xff\r\n").is_none());
    }
}
