//! What is asked for a next hop, and in which order its answers are tried: RFC 3263 section 4 and RFC 2782.

use std::net::{IpAddr, SocketAddr};

use runtime::model::Transport;

/// Services of one name, and servers of one service, that are used; more are cut off.
pub const SERVICES_MAX: usize = 8;
/// See [`SERVICES_MAX`].
pub const SERVERS_MAX: usize = 16;
/// Addresses of one server that are used.
pub const ADDRESSES_MAX: usize = 8;

/// A next hop, as a URI or the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// A name or an address, an IPv6 address with or without brackets; in lower case.
    pub host: String,
    /// The port, where one is given.
    pub port: Option<u16>,
    /// The transport, where one is given.
    pub transport: Option<Transport>,
    /// A SIPS URI: TLS only.
    pub sips: bool,
}

/// An address to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Address and port.
    pub address: SocketAddr,
    /// How to reach it.
    pub transport: Transport,
}

/// How a target is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It is an address: nothing is asked.
    Known(Destination),
    /// A port is given: addresses only.
    Addresses(Transport, u16),
    /// A transport is given: its service, then addresses.
    Service(Transport),
    /// Nothing is given: NAPTR, then the services of [`transports`], then addresses.
    Discover,
}

/// A NAPTR record, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower is tried first.
    pub order: u16,
    /// Within an order, lower is tried first.
    pub preference: u16,
    /// `s` for a record that leads to an SRV record.
    pub flags: String,
    /// `SIP+D2U` and its like.
    pub services: String,
    /// The name of the SRV record.
    pub replacement: String,
}

/// An SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share of the choices within a priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The name of the server; `.` where the service is not to be had.
    pub target: String,
}

/// One way to reach a target, the servers of which were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// How its servers are reached.
    pub transport: Transport,
    /// In the order of the answer.
    pub servers: Vec<Server>,
}

/// A server with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Of the SRV record; 0 where there was none.
    pub priority: u16,
    /// Of the SRV record; 0 where there was none.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// In the order of the answer.
    pub addresses: Vec<IpAddr>,
}

impl Target {
    /// What to ask (RFC 3263, 4.1 and 4.2).
    #[must_use]
    pub fn plan(&self) -> Plan {
        let transport = self.transport_or_default();
        let port = self.port.unwrap_or_else(|| default_port(transport));
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Plan::Known(Destination { address: SocketAddr::new(address, port), transport });
        }
        match (self.port, self.transport) {
            (Some(port), _) => Plan::Addresses(transport, port),
            (None, Some(_)) => Plan::Service(transport),
            (None, None) => Plan::Discover,
        }
    }

    /// The transport where neither the target nor its domain names one.
    #[must_use]
    pub fn transport_or_default(&self) -> Transport {
        if self.sips { Transport::Tls } else { self.transport.unwrap_or(Transport::Udp) }
    }

    /// The transports whose services are asked for where the domain has no NAPTR record.
    #[must_use]
    pub const fn transports(&self) -> &'static [Transport] {
        if self.sips { &[Transport::Tls] } else { &[Transport::Udp, Transport::Tcp, Transport::Tls] }
    }
}

/// The name of a service's SRV record.
#[must_use]
pub fn service_name(transport: Transport, host: &str) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    format!("{prefix}.{host}")
}

/// 5061 for TLS, else 5060.
#[must_use]
pub const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
    }
}

/// The services that NAPTR records lead to and that we speak, best first: transport and name of the SRV record.
#[must_use]
pub fn services(mut records: Vec<Naptr>, sips: bool) -> Vec<(Transport, String)> {
    records.sort_by_key(|record| (record.order, record.preference));
    records
        .into_iter()
        .filter(|record| record.flags.eq_ignore_ascii_case("s"))
        .filter_map(|record| Some((transport_of(&record.services)?, record.replacement)))
        .filter(|(transport, _)| !sips || *transport == Transport::Tls)
        .take(SERVICES_MAX)
        .collect()
}

fn transport_of(services: &str) -> Option<Transport> {
    let known = [("SIP+D2U", Transport::Udp), ("SIP+D2T", Transport::Tcp), ("SIPS+D2T", Transport::Tls)];
    known.iter().find(|(name, _)| services.eq_ignore_ascii_case(name)).map(|(_, transport)| *transport)
}

/// Everything to try, best first. `below` draws uniformly below its argument: servers of one priority come in an
/// order drawn by weight, anew for each call that is routed.
pub fn order(services: &[Service], mut below: impl FnMut(u64) -> u64) -> Vec<Destination> {
    let mut destinations = Vec::new();
    for service in services {
        let mut servers: Vec<&Server> = service.servers.iter().collect();
        servers.sort_by_key(|server| server.priority);
        for group in servers.chunk_by(|a, b| a.priority == b.priority) {
            for server in draw(group.to_vec(), &mut below) {
                destinations.extend(server.addresses.iter().map(|&address| Destination {
                    address: SocketAddr::new(address, server.port),
                    transport: service.transport,
                }));
            }
        }
    }
    destinations
}

/// RFC 2782: those of weight 0 first in the running sums, so that they keep a small chance.
fn draw<'a>(mut left: Vec<&'a Server>, below: &mut impl FnMut(u64) -> u64) -> Vec<&'a Server> {
    left.sort_by_key(|server| server.weight != 0);
    let mut drawn = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let total: u64 = left.iter().map(|server| u64::from(server.weight)).sum();
        let pick = below(total + 1);
        let mut sum = 0;
        let place = left.iter().position(|server| {
            sum += u64::from(server.weight);
            sum >= pick
        });
        drawn.push(left.remove(place.unwrap_or(0)));
    }
    drawn
}

#[cfg(test)]
mod tests;
