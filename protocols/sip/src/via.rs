//! Via values (RFC 3261, 20.42; `rport` and `received`: RFC 3581).

use std::net::{IpAddr, SocketAddr};

use memchr::memchr;

use crate::params::{Param, Params};
use crate::syntax::{
    Sink, SyntaxError, is_lws, is_token, number, offset_in, put_ip, put_number, split, trim, trim_start,
};
use crate::uri::Host;

/// How branches begin that are unique by themselves (8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// Whether this branch alone identifies its transaction: it has something behind the cookie. RFC 3261 compares
/// tokens regardless of case.
pub fn has_magic_cookie(branch: &[u8]) -> bool {
    branch.len() > MAGIC_COOKIE.len()
        && branch.get(..MAGIC_COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE))
}

/// Parameters that decide where a response goes and whose it is.
const KNOWN: [&[u8]; 5] = [b"branch", b"received", b"rport", b"maddr", b"ttl"];

/// One Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The value as it is written.
    pub octets: &'a [u8],
    /// `SIP`.
    pub protocol: &'a [u8],
    /// `2.0`.
    pub version: &'a [u8],
    /// `UDP`, `TCP`, `TLS`, `WSS` or any other token.
    pub transport: &'a [u8],
    /// Host of sent-by.
    pub host: Host<'a>,
    /// Port of sent-by where one is written.
    pub port: Option<u16>,
    /// All parameters.
    pub params: Params<'a>,
    /// The `branch` parameter.
    pub branch: Option<&'a [u8]>,
    /// The `received` parameter.
    pub received: Option<Param<'a>>,
    /// The `rport` parameter, with or without value.
    pub rport: Option<Param<'a>>,
    maddr: Option<&'a [u8]>,
    ttl: Option<&'a [u8]>,
}

impl<'a> Via<'a> {
    /// Reads one value, without commas around it. White space may stand around slashes and colon.
    pub fn parse(octets: &'a [u8]) -> Result<Self, SyntaxError> {
        let octets = trim(octets);
        let (protocol, rest) = until_slash(octets)?;
        let (version, rest) = until_slash(rest)?;
        let rest = trim_start(rest);
        let end = rest.iter().position(|&octet| is_lws(octet)).ok_or(SyntaxError::Host)?;
        let (transport, rest) = split(rest, end);
        if !is_token(protocol) || !is_token(version) || !is_token(transport) {
            return Err(SyntaxError::Octet);
        }
        let (sent_by, params) = split(rest, memchr(b';', rest).unwrap_or(rest.len()));
        let (host, port) = Host::parse_with_port(trim(sent_by))?;
        let params = Params::new(params);
        let [branch, received, rport, maddr, ttl] = known_params(params)?;
        let [branch, maddr, ttl] = [branch, maddr, ttl].map(|param| param.and_then(|param| param.value));
        // An old element may leave it empty; what hides in it otherwise is not for us to guess.
        if branch.is_some_and(|branch| !branch.is_empty() && !is_token(branch)) {
            return Err(SyntaxError::Parameter);
        }
        let read = Self {
            octets,
            protocol,
            version,
            transport,
            host,
            port,
            params,
            branch,
            received,
            rport,
            maddr,
            ttl,
        };
        Ok(read)
    }

    /// The branch, where it is unique as RFC 3261 asks: the magic cookie with something behind it.
    pub fn unique_branch(&self) -> Option<&'a [u8]> {
        self.branch.filter(|branch| has_magic_cookie(branch))
    }

    /// The address in `received`, IPv6 with or without brackets (RFC 5118, 4.5).
    pub fn received_host(&self) -> Option<Host<'a>> {
        let value = self.received.and_then(|received| received.value)?;
        Host::parse_bare(value).ok()
    }

    /// The port in `rport`.
    pub fn rport_number(&self) -> Option<u16> {
        let value = self.rport.and_then(|rport| rport.value)?;
        number(value).ok().and_then(|port| u16::try_from(port).ok())
    }

    /// The `maddr` parameter.
    pub fn maddr(&self) -> Option<Host<'a>> {
        Host::parse_bare(self.maddr?).ok()
    }

    /// The `ttl` parameter.
    pub fn ttl(&self) -> Option<u8> {
        number(self.ttl?).ok().and_then(|ttl| u8::try_from(ttl).ok())
    }

    /// Writes the value with `received` and `rport` as a server adds them for a request from `source`:
    /// `rport` filled in where the client put it, `received` then or where sent-by is another host (18.2.1;
    /// RFC 3581, 4). Values that came with the request are replaced: they would be lies.
    pub(crate) fn write_stamped(&self, source: SocketAddr, out: &mut impl Sink) {
        let ip = source.ip().to_canonical();
        let port = u32::from(source.port());
        match (self.rport, self.received) {
            (None, None) if self.host.ip() == Some(ip) => out.put(self.octets),
            (None, None) => {
                out.put(self.octets);
                put_received(out, ip);
            }
            (Some(Param { name, value: None }), None) => {
                let end = offset_in(self.octets, name).unwrap_or_default() + name.len();
                let (before, after) = split(self.octets, end);
                out.put(before);
                out.put(b"=");
                put_number(out, port);
                out.put(after);
                put_received(out, ip);
            }
            _ => self.write_replaced(port, ip, out),
        }
    }

    /// With values that the request brought replaced.
    fn write_replaced(&self, port: u32, ip: IpAddr, out: &mut impl Sink) {
        let params_at = offset_in(self.octets, self.params.as_octets()).unwrap_or(self.octets.len());
        out.put(split(self.octets, params_at).0);
        for param in self.params.iter().flatten() {
            if param.is(b"received") {
                continue;
            }
            out.put(b";");
            out.put(param.name);
            if param.is(b"rport") {
                out.put(b"=");
                put_number(out, port);
            } else if let Some(value) = param.value {
                out.put(b"=");
                out.put(value);
            }
        }
        put_received(out, ip);
    }
}

/// The parameters of [`KNOWN`] in its order. Each comes once (7.3.1): of two, others may take the other one.
fn known_params<'a>(params: Params<'a>) -> Result<[Option<Param<'a>>; KNOWN.len()], SyntaxError> {
    let mut found = [None; KNOWN.len()];
    for param in params {
        let param = param?;
        let is_named = |name: &[u8]| name.len() == param.name.len() && param.is(name);
        let named = found.iter_mut().zip(KNOWN).find(|(_, name)| is_named(name));
        if let Some((slot, _)) = named
            && slot.replace(param).is_some()
        {
            return Err(SyntaxError::Parameter);
        }
    }
    Ok(found)
}

fn put_received(out: &mut impl Sink, ip: IpAddr) {
    out.put(b";received=");
    put_ip(out, ip);
}

fn until_slash(octets: &[u8]) -> Result<(&[u8], &[u8]), SyntaxError> {
    let (before, after) = split(octets, memchr(b'/', octets).ok_or(SyntaxError::Octet)?);
    Ok((trim(before), after.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    /// The value, its transport, host, port and branch.
    type Parts<'a> = (&'a str, &'a str, Host<'a>, Option<u16>, Option<&'a str>);

    #[test]
    fn white_space_almost_anywhere() {
        let table: [Parts<'_>; 6] = [
            (
                "SIP/2.0/UDP a.example:5060;branch=z9hG4bKx",
                "UDP",
                Host::Name(b"a.example"),
                Some(5060),
                Some("z9hG4bKx"),
            ),
            (
                "SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw",
                "UDP",
                Host::V4([192, 0, 2, 2].into()),
                None,
                Some("390skdjuw"),
            ),
            (
                "SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ",
                "TCP",
                Host::Name(b"spindle.example.com"),
                None,
                Some("z9hG4bK9ikj8"),
            ),
            (
                "SIP/2.0/UNKNOWN t4.example.com : 5061 ;branch=z",
                "UNKNOWN",
                Host::Name(b"t4.example.com"),
                Some(5061),
                Some("z"),
            ),
            (
                "SIP/2.0/UDP [2001:db8::9:1]:6050;rport",
                "UDP",
                Host::V6("2001:db8::9:1".parse().unwrap()),
                Some(6050),
                None,
            ),
            ("SIP / 2.0 / UDP a:5060 ; branch=", "UDP", Host::Name(b"a"), Some(5060), Some("")),
        ];
        for (text, transport, host, port, branch) in table {
            let via = Via::parse(text.as_bytes()).unwrap();
            assert_eq!((via.protocol, via.version), (&b"SIP"[..], &b"2.0"[..]), "{text}");
            assert_eq!((via.transport, via.host, via.port), (transport.as_bytes(), host, port), "{text}");
            assert_eq!(via.branch, branch.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn parameters() {
        let via = Via::parse(
            b"SIP/2.0/UDP a;received=[2001:db8::9:255];rport=99;maddr=224.0.1.75;ttl=16;branch=z9hG4bK",
        )
        .unwrap();
        assert_eq!(via.received_host(), Some(Host::V6("2001:db8::9:255".parse().unwrap())));
        assert_eq!((via.rport_number(), via.ttl()), (Some(99), Some(16)));
        assert_eq!(via.maddr(), Some(Host::V4([224, 0, 1, 75].into())));
        assert_eq!(via.unique_branch(), None, "nothing behind the magic cookie");
        let upper = Via::parse(b"SIP/2.0/UDP a;branch=Z9HG4BK1").unwrap();
        assert_eq!(upper.unique_branch(), Some(&b"Z9HG4BK1"[..]));
        let bare = Via::parse(b"SIP/2.0/UDP a;received=2001:db8::9:255").unwrap();
        assert_eq!(bare.received_host(), via.received_host());
    }

    #[test]
    fn malformed_values() {
        let table = [
            "",
            "SIP/2.0",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0/UDP a:b",
            "SIP/2.0/UDP a:99999",
            "SIP/2.0/U(P a",
            "/2.0/UDP a",
            "SIP/2.0/UDP 192.0.2.15;;",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP a;rport;rport",
            "SIP/2.0/UDP a;rport=1;x;RPORT",
            "SIP/2.0/UDP a;branch=z9hG4bK1;branch=z9hG4bK2",
            "SIP/2.0/UDP a;branch;branch=z9hG4bK2",
            "SIP/2.0/UDP a;branch=\"z9hG4bK1\"",
            "SIP/2.0/UDP a;branch=z9hG4bK1@b",
            "SIP/2.0/UDP a;received=1.1.1.1;received=1.1.1.2",
            "SIP/2.0/UDP a;maddr=1.1.1.1;maddr=224.0.0.1",
            "SIP/2.0/UDP a;ttl=1;ttl=2",
        ];
        for text in table {
            assert!(Via::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn stamps_of_a_server() {
        let v4: SocketAddr = "192.0.2.7:5091".parse().unwrap();
        let v6: SocketAddr = "[2001:db8::7]:5091".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:5091".parse().unwrap();
        let table = [
            ("SIP/2.0/UDP 192.0.2.7;branch=z", v4, "SIP/2.0/UDP 192.0.2.7;branch=z"),
            ("SIP/2.0/UDP 192.0.2.7;branch=z", mapped, "SIP/2.0/UDP 192.0.2.7;branch=z"),
            ("SIP/2.0/UDP a.example", v4, "SIP/2.0/UDP a.example;received=192.0.2.7"),
            ("SIP/2.0/UDP a ;branch=z", v6, "SIP/2.0/UDP a ;branch=z;received=2001:db8::7"),
            (
                "SIP/2.0/UDP 192.0.2.7;rport;branch=z",
                v4,
                "SIP/2.0/UDP 192.0.2.7;rport=5091;branch=z;received=192.0.2.7",
            ),
            ("SIP/2.0/UDP a;RPORT=1;received=1.1.1.1;x", v4, "SIP/2.0/UDP a;RPORT=5091;x;received=192.0.2.7"),
            ("SIP/2.0/UDP 192.0.2.7;received", v4, "SIP/2.0/UDP 192.0.2.7;received=192.0.2.7"),
        ];
        for (text, source, expected) in table {
            let mut out = BytesMut::new();
            Via::parse(text.as_bytes()).unwrap().write_stamped(source, &mut out);
            assert_eq!(out, expected.as_bytes(), "{text}");
        }
    }
}
