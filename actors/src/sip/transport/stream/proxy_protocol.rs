//! The PROXY protocol, version 2: who is behind a load balancer.
//!
//! Spoken before anything else, TLS included, by peers whom we trust to say the truth. Version 1 is not read.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What every header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Octets before the addresses.
pub const FIXED: usize = 16;
/// Octets of addresses and extensions that are read; none of the extensions matters here.
const REST_MAX: usize = 2_048;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const TCP_OVER_V4: u8 = 0x11;
const TCP_OVER_V6: u8 = 0x21;

/// Why a header is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer speaks something else, or version 1.
    #[error("not a PROXY protocol header of version 2")]
    Signature,
    /// A command that is neither LOCAL nor PROXY.
    #[error("unknown command {0:#04x}")]
    Command(u8),
    /// Neither TCP over IPv4 nor over IPv6, or fewer octets than that has.
    #[error("unknown or short addresses of kind {0:#04x}")]
    Addresses(u8),
    /// More octets than are read.
    #[error("{0} octets of addresses and extensions")]
    TooLong(u16),
}

/// The fixed part of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    command: u8,
    kind: u8,
    /// Octets that follow.
    pub rest: usize,
}

/// Reads the first [`FIXED`] octets.
///
/// # Errors
/// [`Error`]: the connection is of no use.
pub fn read_head(octets: &[u8; FIXED]) -> Result<Head, Error> {
    let [signature @ .., command, kind, l0, l1] = octets;
    if *signature != SIGNATURE {
        return Err(Error::Signature);
    }
    if !matches!(*command, LOCAL | PROXY) {
        return Err(Error::Command(*command));
    }
    let length = u16::from_be_bytes([*l0, *l1]);
    let rest = usize::from(length);
    if rest > REST_MAX {
        return Err(Error::TooLong(length));
    }
    Ok(Head { command: *command, kind: *kind, rest })
}

/// The peer behind the proxy, from the [`Head::rest`] octets that follow the head; `None` where the proxy speaks
/// for itself (a health check).
///
/// # Errors
/// [`Error::Addresses`].
pub fn read_source(head: Head, rest: &[u8]) -> Result<Option<SocketAddr>, Error> {
    if head.command == LOCAL {
        return Ok(None);
    }
    let source = match head.kind {
        TCP_OVER_V4 => rest.first_chunk::<12>().map(|[a, b, c, d, _, _, _, _, p, q, _, _]| {
            (Ipv4Addr::new(*a, *b, *c, *d), u16::from_be_bytes([*p, *q])).into()
        }),
        TCP_OVER_V6 => rest.first_chunk::<36>().and_then(|addresses| {
            let source = addresses.first_chunk::<16>()?;
            let [p, q] = addresses.get(32..34)?.try_into().ok()?;
            Some((Ipv6Addr::from(*source), u16::from_be_bytes([p, q])).into())
        }),
        _ => None,
    };
    source.map(Some).ok_or(Error::Addresses(head.kind))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header as the specification draws it, with an extension that is to be passed over.
    pub(in crate::sip::transport::stream) fn header(source: SocketAddr) -> Vec<u8> {
        let (kind, addresses) = match source {
            SocketAddr::V4(v4) => (0x11, [&v4.ip().octets()[..], &[192, 0, 2, 1]].concat()),
            SocketAddr::V6(v6) => (0x21, [&v6.ip().octets()[..], &[0xfd; 16]].concat()),
        };
        let ports = [source.port().to_be_bytes(), 5060_u16.to_be_bytes()].concat();
        let rest = [&addresses[..], &ports, b"\x04\x00\x03abc"].concat();
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&b"\r\n\r\n\0\r\nQUIT\n\x21"[..], &[kind], &length, &rest].concat()
    }

    fn read(octets: &[u8]) -> Result<Option<SocketAddr>, Error> {
        let (fixed, rest) = octets.split_first_chunk().unwrap();
        let head = read_head(fixed)?;
        read_source(head, &rest[..head.rest.min(rest.len())])
    }

    #[test]
    fn headers_are_read_or_refused() {
        let v4: SocketAddr = "203.0.113.9:49152".parse().unwrap();
        let v6: SocketAddr = "[2001:db8::9]:49152".parse().unwrap();
        let changed = |at: usize, octet: u8| {
            let mut octets = header(v4);
            octets[at] = octet;
            octets
        };
        let table = [
            (header(v4), Ok(Some(v4))),
            (header(v6), Ok(Some(v6))),
            (changed(12, 0x20), Ok(None)),
            (changed(12, 0x22), Err(Error::Command(0x22))),
            (changed(12, 0x11), Err(Error::Command(0x11))),
            (changed(0, b'P'), Err(Error::Signature)),
            (b"PROXY TCP4 203.0.113.9 192.0.2.1 49152 5060\r\n".to_vec(), Err(Error::Signature)),
            // UDP, a UNIX socket, nothing said; and fewer octets than an address has.
            (changed(13, 0x12), Err(Error::Addresses(0x12))),
            (changed(13, 0x31), Err(Error::Addresses(0x31))),
            (changed(13, 0x00), Err(Error::Addresses(0x00))),
            (changed(13, 0x21), Err(Error::Addresses(0x21))),
            (changed(15, 11), Err(Error::Addresses(0x11))),
            (changed(14, 0xff), Err(Error::TooLong(0xff12))),
        ];
        for (octets, expected) in table {
            assert_eq!(read(&octets), expected, "{octets:02x?}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_can_harm(fixed in any::<[u8; 4]>(), rest in proptest::collection::vec(any::<u8>(), 0..60)) {
            let octets = [&SIGNATURE[..], &fixed, &rest].concat();
            let _ = read(&octets);
        }
    }
}
