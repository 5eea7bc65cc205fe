//! Hosts: names, IPv4 addresses, IPv6 references (RFC 3261, 25.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::memchr;

use crate::syntax::{SyntaxError, is_host_name, number, split, trim};

/// Octets of the longest IPv6 address, with an IPv4 address at its end.
const V6_MAX: usize = 45;

/// A host as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A name; compared without case.
    Name(&'a [u8]),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets where a port might follow.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Reads a host that is `octets` whole; an IPv6 address is in brackets.
    pub fn parse(octets: &'a [u8]) -> Result<Self, SyntaxError> {
        if let [b'[', inner @ .., b']'] = octets {
            return v6(inner).map(Self::V6);
        }
        if let Some(address) = v4(octets) {
            return Ok(Self::V4(address));
        }
        if !is_host_name(octets) {
            return Err(SyntaxError::Host);
        }
        // The last label of a name begins with a letter, so digits at both ends are an address or a fault.
        let digits = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_digit);
        let last = octets.rsplit(|&octet| octet == b'.').next().unwrap_or_default();
        if digits(octets.first()) && !last.is_empty() && last.iter().all(u8::is_ascii_digit) {
            return Err(SyntaxError::Host);
        }
        Ok(Self::Name(octets))
    }

    /// Reads a host, or an IPv6 address without brackets: `received` and `maddr` have both forms (RFC 5118,
    /// 4.5).
    pub fn parse_bare(octets: &'a [u8]) -> Result<Self, SyntaxError> {
        match memchr(b':', octets) {
            Some(_) if octets.first() != Some(&b'[') => v6(octets).map(Self::V6),
            _ => Self::parse(octets),
        }
    }

    /// Reads `host` or `host:port`, white space around the colon allowed (Via has it).
    pub(crate) fn parse_with_port(octets: &'a [u8]) -> Result<(Self, Option<u16>), SyntaxError> {
        let host_end = match octets.first() {
            Some(b'[') => memchr(b']', octets).ok_or(SyntaxError::Host)? + 1,
            _ => memchr(b':', octets).unwrap_or(octets.len()),
        };
        let (host, rest) = split(octets, host_end);
        let port = match trim(rest) {
            [] => None,
            [b':', port @ ..] => {
                let port = number(trim(port)).map_err(|_| SyntaxError::Port)?;
                Some(u16::try_from(port).map_err(|_| SyntaxError::Port)?)
            }
            _ => return Err(SyntaxError::Host),
        };
        Ok((Self::parse(trim(host))?, port))
    }

    /// The address, where it is one.
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(address)),
            Self::V6(address) => Some(IpAddr::V6(address)),
        }
    }

    /// Whether both are the same host by their text: names without case, addresses by value.
    pub fn is(self, other: Host<'_>) -> bool {
        match (self, other) {
            (Self::Name(one), Host::Name(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one.ip().is_some() && one.ip() == other.ip(),
        }
    }
}

/// Reads an IPv4 address as the standard library does: four numbers of one to three digits below 256, without leading
/// zeros.
fn v4(octets: &[u8]) -> Option<Ipv4Addr> {
    let (a, rest) = v4_part(octets)?;
    let (b, rest) = v4_part(rest.strip_prefix(b".")?)?;
    let (c, rest) = v4_part(rest.strip_prefix(b".")?)?;
    let (d, rest) = v4_part(rest.strip_prefix(b".")?)?;
    rest.is_empty().then(|| Ipv4Addr::new(a, b, c, d))
}

fn v4_part(octets: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |octet: u8| octet.wrapping_sub(b'0');
    let (value, rest) = match octets {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            let [a, b, c] = [*a, *b, *c].map(|octet| u16::from(digit(octet)));
            (u8::try_from(a * 100 + b * 10 + c).ok()?, rest)
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', rest @ ..] => (digit(*a) * 10 + digit(*b), rest),
        [a @ b'0'..=b'9', rest @ ..] => (digit(*a), rest),
        _ => return None,
    };
    Some((value, rest))
}

/// Reads an IPv6 address. Three colons before an IPv4 address at its end mean two: the grammar of RFC 3261 makes
/// them, and they must be tolerated (RFC 5118, 4.10).
fn v6(octets: &[u8]) -> Result<Ipv6Addr, SyntaxError> {
    let Some(at) = octets.windows(3).position(|three| three == b":::") else { return v6_address(octets) };
    let (before, after) = split(octets, at);
    let end = after.get(3..).unwrap_or_default();
    let is_v4 = v4(end).is_some();
    let mut address = [0; V6_MAX];
    let whole = address.get_mut(..octets.len() - 1).filter(|_| is_v4).ok_or(SyntaxError::Host)?;
    for (to, from) in whole.iter_mut().zip(before.iter().chain(b"::").chain(end)) {
        *to = *from;
    }
    v6_address(whole)
}

fn v6_address(octets: &[u8]) -> Result<Ipv6Addr, SyntaxError> {
    let text = std::str::from_utf8(octets).map_err(|_| SyntaxError::Host)?;
    text.parse().map_err(|_| SyntaxError::Host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_and_their_neighbours() {
        for text in ["0.0.0.0", "1.2.3.4", "255.255.255.255", "10.0.0.10"] {
            assert_eq!(v4(text.as_bytes()), text.parse().ok(), "{text}");
        }
        let neighbours =
            ["", "1", "1.2.3", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.", "1.2.3.4.5", "1.2.3.256"];
        for text in
            neighbours.into_iter().chain(["01.2.3.4", "1.2.3.00", "1.2.3.0004", "1.2.3.4a", " 1.2.3.4"])
        {
            assert_eq!(v4(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_those_of_the_standard_library(text in "[0-9]{1,4}(\\.[0-9]{1,4}){2,4}|[0-9.]{0,16}") {
            prop_assert_eq!(v4(text.as_bytes()), text.parse::<Ipv4Addr>().ok());
        }
    }
}
