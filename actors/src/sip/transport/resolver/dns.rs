//! Questions to name servers, by hickory.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::order::{Naptr, Srv};
use super::{Answer, Asked, Failure, Lookup};

/// Time for one question to one server.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Name servers.
pub struct Dns(TokioResolver);

impl Dns {
    /// Reads the system's configuration (`/etc/resolv.conf`, `/etc/hosts`).
    ///
    /// # Errors
    /// It cannot be read.
    pub fn system() -> io::Result<Self> {
        Self::build(TokioResolver::builder_tokio().map_err(io::Error::other)?)
    }

    /// Asks these servers, over UDP and where an answer is long over TCP.
    ///
    /// # Errors
    /// A resolver cannot be made.
    pub fn of_servers(servers: &[SocketAddr]) -> io::Result<Self> {
        let server = |address: &SocketAddr| {
            let mut server = NameServerConfig::udp_and_tcp(address.ip());
            for connection in &mut server.connections {
                connection.port = address.port();
            }
            server
        };
        let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
        Self::build(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    }

    fn build(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> io::Result<Self> {
        let options = builder.options_mut();
        // Answers are remembered here, where a stale one can be told from none.
        options.cache_size = 0;
        options.timeout = TIMEOUT;
        Ok(Self(builder.build().map_err(io::Error::other)?))
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, Failure> {
        let lookup = self.0.lookup(absolute(name), kind).await.map_err(|error| failure(&error))?;
        let mut ttl = u32::MAX;
        let mut records = Vec::new();
        for record in lookup.answers() {
            // Of an alias on the way, too.
            ttl = ttl.min(record.ttl);
            records.extend(read(&record.data));
        }
        if records.is_empty() {
            return Err(Failure::Absent);
        }
        Ok(Answer { records, ttl: Duration::from_secs(ttl.into()) })
    }
}

impl Lookup for Dns {
    fn naptr<'a>(&'a self, name: &'a str) -> Asked<'a, Naptr> {
        Box::pin(self.ask(name, RecordType::NAPTR, |data| {
            let RData::NAPTR(naptr) = data else { return None };
            Some(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
                services: String::from_utf8_lossy(&naptr.services).into_owned(),
                replacement: naptr.replacement.to_ascii(),
            })
        }))
    }

    fn srv<'a>(&'a self, name: &'a str) -> Asked<'a, Srv> {
        Box::pin(self.ask(name, RecordType::SRV, |data| {
            let RData::SRV(srv) = data else { return None };
            let (priority, weight, port) = (srv.priority, srv.weight, srv.port);
            Some(Srv { priority, weight, port, target: srv.target.to_ascii() })
        }))
    }

    fn addresses<'a>(&'a self, name: &'a str) -> Asked<'a, IpAddr> {
        Box::pin(async move {
            let v4 = self.ask(name, RecordType::A, address);
            let v6 = self.ask(name, RecordType::AAAA, address);
            both(futures_util::join!(v4, v6))
        })
    }
}

fn address(data: &RData) -> Option<IpAddr> {
    if let RData::A(a) = data {
        return Some(IpAddr::V4(a.0));
    }
    if let RData::AAAA(aaaa) = data { Some(IpAddr::V6(aaaa.0)) } else { None }
}

/// IPv4 first: nearly all carriers speak it, and some say that they speak the other. One family that cannot be
/// asked does not hide the other.
fn both(
    (v4, v6): (Result<Answer<IpAddr>, Failure>, Result<Answer<IpAddr>, Failure>),
) -> Result<Answer<IpAddr>, Failure> {
    match (v4, v6) {
        (Ok(mut v4), Ok(v6)) => {
            v4.records.extend(v6.records);
            Ok(Answer { records: v4.records, ttl: v4.ttl.min(v6.ttl) })
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(Failure::Absent), Err(failure)) | (Err(failure), Err(_)) => Err(failure),
    }
}

fn failure(error: &NetError) -> Failure {
    if error.is_nx_domain() || error.is_no_records_found() { Failure::Absent } else { Failure::Unavailable }
}

/// No search domain is for a carrier's name.
fn absolute(name: &str) -> String {
    if name.ends_with('.') { name.to_owned() } else { format!("{name}.") }
}
