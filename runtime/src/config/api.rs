//! `[api]`

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Error, HumanDuration, check};
use crate::model::Cidr;

/// `[api]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiOptions {
    /// REST address.
    pub listen: SocketAddr,
    /// REST by TLS.
    pub tls_listen: Vec<SocketAddr>,
    /// PEM file of the certificate chain of TLS listeners.
    pub tls_certificate: PathBuf,
    /// PEM file of its key.
    pub tls_key: PathBuf,
    /// Address of `/metrics`.
    pub metrics_listen: SocketAddr,
    /// Connections at one time; more wait.
    pub connections_max: u32,
    /// Connections at one time of one address, which in IPv6 is a network of 64 bits; more are closed.
    pub connections_per_address_max: u32,
    /// Networks of proxies: their connections are not counted by address, and what they say of the client is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Origins whose pages may use the API in a browser, as `https://console.example.net`; `*` is any.
    pub cors_origins: Vec<String>,
    /// Time for the TLS handshake, for a request's header, and for the answer to an h2 ping.
    pub header_timeout: HumanDuration,
    /// Time without a request after which a connection is closed.
    pub idle_timeout: HumanDuration,
    /// Octets of a request's body.
    pub body_octets_max: u32,
    /// Requests per second of one user or key; 0 is no limit.
    pub requests_per_second: u32,
    /// Lets an administrator make an actor panic, to see it heal: for tests and drills.
    pub fault_injection: bool,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_listen: Vec::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            metrics_listen: SocketAddr::from(([127, 0, 0, 1], 9090)),
            connections_max: 1024,
            connections_per_address_max: 256,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            header_timeout: HumanDuration::from_secs(10),
            idle_timeout: HumanDuration::from_secs(60),
            body_octets_max: 1 << 20,
            requests_per_second: 1000,
            fault_injection: false,
        }
    }
}

impl ApiOptions {
    /// Refuses what would only fail later; names the key.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (key, value) in [
            ("api.connections_max", self.connections_max),
            ("api.connections_per_address_max", self.connections_per_address_max),
            ("api.body_octets_max", self.body_octets_max),
        ] {
            check::at_least(key, value, 1)?;
        }
        check::not_zero("api.header_timeout", self.header_timeout)?;
        check::not_zero("api.idle_timeout", self.idle_timeout)?;
        let [certificate, key] =
            [&self.tls_certificate, &self.tls_key].map(|path| path.as_os_str().is_empty());
        if !self.tls_listen.is_empty() && (certificate || key) {
            return check::refused(
                "api.tls_listen",
                "a TLS listener needs api.tls_certificate and api.tls_key",
            );
        }
        match self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => check::refused(
                "api.cors_origins",
                format!("{origin:?} is not an origin such as https://console.example.net, nor *"),
            ),
            None => Ok(()),
        }
    }
}

/// As a browser writes it in the header `Origin` (RFC 6454, 6.2): scheme, host and a port that is not the scheme's, in
/// small letters and without a path.
fn is_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let allowed = |octet: u8| {
        octet.is_ascii_lowercase()
            || octet.is_ascii_digit()
            || matches!(octet, b'-' | b'.' | b':' | b'[' | b']')
    };
    origin == "*" || host.is_some_and(|host| !host.is_empty() && host.bytes().all(allowed))
}
