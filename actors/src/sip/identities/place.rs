//! Where a certificate is, as far as it may be fetched there. Callers choose it: what may not be is refused before anybody
//! wants it.

use runtime::config::StirOptions;
use runtime::http_client::{self, AddressPolicy, SecureUrl};

/// The ports that certificates are at (ATIS-1000074, 5.3.1).
const PORTS: [u16; 2] = [443, 8443];

/// Why nothing is fetched from somewhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Url(#[from] http_client::Error),
    #[error("its URL has a query or a fragment")]
    NotBare,
    #[error("its port is neither 443 nor 8443")]
    Port,
    #[error("its host is not in stir.certificate_hosts")]
    Host,
}

/// An https URL in the one spelling that it is known by, and its host.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: Box<str>,
    pub(super) host: Box<str>,
}

impl Place {
    /// Reads the URL of a certificate. A query would be another name of the same certificate for each call.
    pub(super) fn read(url: &str, options: &StirOptions) -> Result<Self, Error> {
        let SecureUrl { text, host, port, is_bare } = SecureUrl::parse(url)?;
        if !is_bare {
            return Err(Error::NotBare);
        }
        if options.policy() == AddressPolicy::PublicOnly && !PORTS.contains(&port) {
            return Err(Error::Port);
        }
        if !is_allowed(&options.certificate_hosts, &host) {
            return Err(Error::Host);
        }
        Ok(Self { url: text.into(), host: host.into() })
    }
}

/// Whether certificates may be fetched from a host.
fn is_allowed(hosts: &[String], host: &str) -> bool {
    let is = |allowed: &String| match allowed.strip_prefix('*') {
        // The full stop is still before it.
        Some(below) => host.len() > below.len() && host.ends_with(below),
        None => host == allowed,
    };
    hosts.is_empty() || hosts.iter().any(is)
}

#[cfg(test)]
mod tests;
