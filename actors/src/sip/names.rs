//! Gateways that have names, and the addresses that these lead to at the moment.

use std::net::SocketAddr;

use runtime::model::{Gateway, Transport, Voice};

use super::transport::resolver::order::Target;
use super::transport::resolver::{Found, Resolver};

/// The addresses of gateways with names. Nobody waits for a name server: what is not known yet is nothing yet.
#[derive(Clone)]
pub struct Names(Resolver);

impl Names {
    /// Names that this resolver knows, or looks up.
    #[must_use]
    pub const fn new(resolver: Resolver) -> Self {
        Self(resolver)
    }

    /// Where a gateway is, best first.
    pub fn addresses(&self, gateway: &Gateway) -> Vec<(SocketAddr, Transport)> {
        let target = Target {
            host: gateway.host.clone(),
            port: gateway.port,
            transport: gateway.transport,
            sips: false,
        };
        match self.0.get(&target) {
            Found::Destinations(found) => {
                found.into_iter().map(|destination| (destination.address, destination.transport)).collect()
            }
            Found::Nothing(_) | Found::Pending => Vec::new(),
        }
    }

    /// Everything that the names of a configuration lead to, in an order that tells whether something changed.
    pub fn all(&self, gateways: &[Gateway]) -> Vec<(String, SocketAddr)> {
        let found = gateways.iter().flat_map(|gateway| {
            let addresses = self.addresses(gateway).into_iter();
            addresses.map(move |(address, _)| (gateway.to_string(), address))
        });
        let mut found: Vec<_> = found.collect();
        found.sort();
        found
    }
}

/// The gateways of a configuration that have names.
pub fn named(voice: &Voice) -> Vec<Gateway> {
    let vendors = voice.vendors.iter().flat_map(|vendor| &vendor.gateways);
    let trunks = voice.trunks.iter().flat_map(|trunk| &trunk.gateways);
    vendors.chain(trunks).filter(|gateway| gateway.address().is_none()).cloned().collect()
}
