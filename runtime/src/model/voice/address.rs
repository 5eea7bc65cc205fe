//! Where calls go to and where they may come from, as text.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{Cidr, Invalid, Transport};

/// Octets of a host name (RFC 1035 section 2.3.4).
const HOST_MAX: usize = 253;

/// A SIP element that takes calls: `sip:192.0.2.1:5060;transport=udp`. Scheme, port and transport may be missing;
/// `sips:` is `transport=tls`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Gateway {
    /// Lowercase name or address; an IPv6 address without brackets.
    pub host: String,
    /// None: RFC 3263 decides.
    pub port: Option<u16>,
    /// None: RFC 3263 decides.
    pub transport: Option<Transport>,
}

impl Gateway {
    /// The address, unless the host is a name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for Gateway {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || {
            Invalid::new(text, "a gateway such as sip:192.0.2.1:5060;transport=udp or sip:carrier.example")
        };
        let (secure, rest) = match text.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sips") => (true, rest),
            _ => (false, text),
        };
        let (place, transport) = match rest.split_once(';') {
            None => (rest, None),
            Some((place, parameter)) => {
                let (name, word) = parameter.split_once('=').ok_or_else(invalid)?;
                let word = word.to_ascii_lowercase();
                if !name.eq_ignore_ascii_case("transport") {
                    return Err(invalid());
                }
                (place, Some(word.parse::<Transport>().map_err(|_| invalid())?))
            }
        };
        let transport = match (secure, transport) {
            (true, None | Some(Transport::Tls)) => Some(Transport::Tls),
            (true, Some(Transport::Udp | Transport::Tcp)) => return Err(invalid()),
            (false, transport) => transport,
        };
        let (host, port) = host_port(place).ok_or_else(invalid)?;
        Ok(Self { host, port, transport })
    }
}

/// `host`, `host:port`, `[address]`, `[address]:port`, or an IPv6 address alone.
fn host_port(text: &str) -> Option<(String, Option<u16>)> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address.to_string(), None));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let IpAddr::V6(address) = address.parse::<IpAddr>().ok()? else { return None };
        let port = if rest.is_empty() { None } else { Some(port(rest.strip_prefix(':')?)?) };
        return Some((address.to_string(), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, text)) => (host, Some(port(text)?)),
        None => (text, None),
    };
    is_host(host).then(|| (host.to_ascii_lowercase(), port))
}

fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// A host name (underscores are common in private zones) or an IPv4 address. What is all digits and dots and yet
/// no address is a slip, not a name.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
    };
    let numeric = text.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    text.len() <= HOST_MAX
        && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
        && (!numeric || text.parse::<IpAddr>().is_ok())
}

impl TryFrom<String> for Gateway {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Gateway> for String {
    fn from(gateway: Gateway) -> Self {
        gateway.to_string()
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "sip:[{}]", self.host)?;
        } else {
            write!(f, "sip:{}", self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.transport.map_or(Ok(()), |transport| write!(f, ";transport={}", transport.as_str()))
    }
}

/// Where calls may come from: `192.0.2.0/24`, `192.0.2.7:5060/udp`, `192.0.2.0/24/tcp`, `[2001:db8::/32]:5060`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AclSource {
    /// Addresses. No bit is set outside of the prefix, and none is an IPv4-mapped one, so that equal networks are
    /// equal values.
    pub network: Cidr,
    /// Port; None is any.
    pub port: Option<u16>,
    /// Transport; None is any.
    pub transport: Option<Transport>,
}

impl AclSource {
    /// A source, unless its network can be written in another way too.
    ///
    /// # Errors
    /// With what is wrong with the network.
    pub fn new(network: Cidr, port: Option<u16>, transport: Option<Transport>) -> Result<Self, Invalid> {
        let invalid = |what| Err(Invalid::new(&network.to_string(), what));
        if network.first() != network.address() {
            return invalid("a network: the address has bits outside of the prefix");
        }
        if network.first().to_canonical() != network.first() {
            return invalid("a network: write IPv4 as IPv4");
        }
        Ok(Self { network, port, transport })
    }
}

impl FromStr for AclSource {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid =
            || Invalid::new(text, "a source such as 192.0.2.0/24, 192.0.2.7:5060/udp or [2001:db8::1]:5060");
        let split = text.rsplit_once('/').map(|(rest, word)| (rest, word.parse::<Transport>()));
        let (place, transport) = match split {
            Some((rest, Ok(transport))) => (rest, Some(transport)),
            _ => (text, None),
        };
        let (network, port) = network_port(place).ok_or_else(invalid)?;
        Self::new(network, port, transport)
    }
}

fn network_port(text: &str) -> Option<(Cidr, Option<u16>)> {
    if let Ok(network) = text.parse() {
        return Some((network, None));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (network, rest) = rest.split_once(']')?;
        let port = if rest.is_empty() { None } else { Some(port(rest.strip_prefix(':')?)?) };
        return Some((network.parse().ok()?, port));
    }
    let (network, text) = text.rsplit_once(':')?;
    let network: Cidr = network.parse().ok()?;
    network.address().is_ipv4().then_some((network, Some(port(text)?)))
}

impl TryFrom<String> for AclSource {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<AclSource> for String {
    fn from(source: AclSource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for AclSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.network.address();
        let single = self.network.first() == self.network.last();
        let network = if single { address.to_string() } else { self.network.to_string() };
        match self.port {
            Some(port) if address.is_ipv6() => write!(f, "[{network}]:{port}")?,
            Some(port) => write!(f, "{network}:{port}")?,
            None => f.write_str(&network)?,
        }
        self.transport.map_or(Ok(()), |transport| write!(f, "/{}", transport.as_str()))
    }
}

#[cfg(test)]
mod tests;
