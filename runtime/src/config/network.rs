//! `[network]`

use std::net::IpAddr;

use serde::Deserialize;

use super::{Error, check};
use crate::model::{Cidr, Gateway, Transport};

/// `[network]`: what peers must know of our addresses. It is told, not used: where the node listens stands in the
/// sections of its protocols, and load balancers and NAT may stand between.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkOptions {
    /// Where customers send calls and messages to.
    pub ingress: Vec<IngressAddress>,
    /// Where our calls and messages to vendors and customers come from.
    pub egress: Vec<EgressAddress>,
}

/// A place that customers send to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngressAddress {
    /// For people.
    pub name: String,
    /// Host name or address.
    pub address: String,
    /// udp, tcp or tls.
    pub transport: Transport,
    /// Port.
    pub port: u16,
}

/// A network that we send from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressAddress {
    /// For people.
    pub name: String,
    /// An address, or a network of them.
    pub address: Cidr,
}

impl NetworkOptions {
    /// Refuses what nobody could send to; names the key.
    pub(super) fn check(&self) -> Result<(), Error> {
        for IngressAddress { name, address, port, .. } in &self.ingress {
            let is_place = match address.parse::<Gateway>() {
                // A host and nothing else: a colon of a name would be a scheme or a port.
                Ok(_) => address.parse::<IpAddr>().is_ok() || !address.contains([':', ';']),
                Err(_) => false,
            };
            if !is_place || *port == 0 {
                return check::refused(
                    "network.ingress",
                    format!("{name:?}: {address:?} port {port} is no place"),
                );
            }
        }
        let ingress = self.ingress.iter().map(|one| ("network.ingress", &one.name));
        let egress = self.egress.iter().map(|one| ("network.egress", &one.name));
        match ingress.chain(egress).find(|(_, name)| name.trim().is_empty()) {
            Some((key, _)) => check::refused(key, "an address has no name"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn parse(line: &str) -> Result<NetworkOptions, String> {
        let config = Config::parse("node.toml", &format!("[network]\n{line}"), std::iter::empty());
        config.map(|config| config.network).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_places() {
        let ingress = |name: &str, address: &str, port: u16| {
            format!(
                "ingress = [{{ name = {name:?}, address = {address:?}, transport = \"udp\", port = {port} }}]"
            )
        };
        for (name, address, port, fits) in [
            ("SIP", "sip.example.net", 5060, true),
            ("SIP", "192.0.2.1", 5060, true),
            ("SIP", "2001:db8::1", 5060, true),
            ("SIP", "sip.example.net:5060", 5060, false),
            ("SIP", "sip:sip.example.net", 5060, false),
            ("SIP", "a b", 5060, false),
            ("SIP", "192.0.2.1", 0, false),
            ("", "192.0.2.1", 5060, false),
        ] {
            let read = parse(&ingress(name, address, port));
            assert_eq!(read.is_ok(), fits, "{address}: {read:?}");
        }
        let read = parse("egress = [{ name = \"NAT 1\", address = \"198.51.100.7\" }]").unwrap();
        assert_eq!(read.egress[0].address, "198.51.100.7/32".parse().unwrap());
        assert!(parse("egress = [{ name = \" \", address = \"198.51.100.7\" }]").is_err());
    }
}
