//! What all workers of a node are told at their start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use runtime::clock::Timestamp;
use runtime::model::Transport;
use sip::digest::Hash;
use sip::register::Rules;
use sip::transaction::TimerOptions;
use sip::{Host, Limits, Uri};

use super::acl::Source;
use super::flow::Flow;
use super::identities::Identities;
use super::snapshot::{Peer, Snapshot};
use super::{branch, cookie, hiding};

/// The settings of a node's calls.
#[derive(Debug)]
pub struct Settings {
    /// Number of the node.
    pub node: u16,
    /// Where we listen; a [`Flow`](super::flow::Flow) names its listener by the place in this list.
    pub listeners: Vec<Listener>,
    /// Times of transactions.
    pub timers: TimerOptions,
    /// How long a vendor may ring.
    pub timer_c: Duration,
    /// Secret of transaction keys, branches and tags. Shared by the workers, and by every process of the node.
    pub seed: (u64, u64),
    /// Workers.
    pub workers: usize,
    /// Seal and open the routing truth.
    pub cookies: cookie::Keys,
    /// When this process began: a dialog that is younger and not known has ended.
    pub started_at: Timestamp,
    /// Whether a source that no trunk or vendor has is answered 403; else it hears nothing.
    pub answer_strangers: bool,
    /// Answers per second and worker to such sources.
    pub strangers_per_second: u32,
    /// How digests may be made, in the order of their challenges.
    pub digests: Vec<Hash>,
    /// Transactions that a worker holds at most; more new calls are refused with 503.
    pub transactions_max: usize,
    /// The longest call, whatever its trunk says; zero is no limit.
    pub call_max: Duration,
    /// The number of this process, drawn at its start: dialogs that began in it have it in their own. Two bits of it do
    /// not count.
    pub process: u32,
    /// Whether other nodes have the same database: their calls may be asked for here, and ours there.
    pub shared: bool,
    /// How often both sides of a call are asked whether it is up; zero is never.
    pub dead_call_probe: Duration,
    /// How long a call that an earlier process left ringing is left alone at its media node.
    pub media_leftovers: Duration,
    /// Whether a session that is not refreshed as agreed is ended.
    pub session_timers: bool,
    /// How many times the usual number of expensive calls in a minute alerts; 0 is never.
    pub toll_fraud_factor: u32,
    /// Dialogs that a worker holds at most; more new calls are refused with 503.
    pub dialogs_max: usize,
    /// How long a worker may have more to do than it can before new calls are refused with 503.
    pub queue_age_max: Duration,
    /// Messages per second that one source may send a worker; 0 is no limit.
    pub flood_per_source: u32,
    /// What trunks may register.
    pub registrations: Rules,
    /// What a message may be at most.
    pub limits: Limits,
    /// What calls are signed and checked with.
    pub identities: Arc<Identities>,
}

impl Settings {
    /// Who sends, or is sent to, by a flow.
    pub fn peer(&self, snapshot: &Snapshot, flow: Flow) -> Peer {
        let source = Source { address: flow.peer.ip(), port: flow.peer.port(), transport: flow.transport };
        let Some(listener) = self.listeners.get(usize::from(flow.listener)) else { return Peer::default() };
        snapshot.peer(&source, listener.address.ip())
    }

    /// Which worker has a call, always: that of its Call-ID, whichever side's that is.
    pub fn worker_of_call(&self, call_id: &[u8]) -> usize {
        let name = hiding::call_name(&self.cookies, call_id);
        let hash = usize::try_from(branch::digest_of(self.seed, [&*name]) >> 32).unwrap_or_default();
        hash % self.workers.max(1)
    }
}

/// An address that we listen on.
#[derive(Debug, Clone)]
pub struct Listener {
    /// UDP, TCP or TLS.
    pub transport: Transport,
    /// Where it is bound.
    pub address: SocketAddr,
    /// What we call ourselves there: `host:port`, in Via and Record-Route.
    pub sent_by: String,
    /// Octets of `sent_by` that are the host.
    host_len: usize,
    port: u16,
}

/// What a node is to call itself is no `host` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host or host:port that a SIP peer could send to; say one by advertise")]
pub struct NoSentBy(String);

impl Listener {
    /// A listener at `address` that calls itself `advertised`; empty is the address itself.
    ///
    /// # Errors
    /// When the name is none.
    pub fn new(transport: Transport, address: SocketAddr, advertised: &str) -> Result<Self, NoSentBy> {
        let refused = || NoSentBy(advertised.to_owned());
        // Nobody can answer to "any address".
        if advertised.is_empty() && address.ip().is_unspecified() {
            return Err(NoSentBy(address.to_string()));
        }
        let named = if advertised.is_empty() { address.to_string() } else { advertised.to_owned() };
        let uri = format!("sip:{named}");
        let uri = Uri::parse(uri.as_bytes()).ok().and_then(Uri::sip).ok_or_else(refused)?;
        let whole = uri.user.is_none() && uri.params.as_octets().is_empty() && uri.headers.is_none();
        let port = uri.port.unwrap_or_else(|| default_port(transport));
        if !whole || port == 0 {
            return Err(refused());
        }
        let host = match uri.host {
            Host::Name(name) => String::from_utf8_lossy(name).into_owned(),
            Host::V4(address) => address.to_string(),
            Host::V6(address) => format!("[{address}]"),
        };
        let sent_by = format!("{host}:{port}");
        Ok(Self { transport, address, sent_by, host_len: host.len(), port })
    }

    /// Whether a Via or a URI with this host and port names this listener.
    pub fn is_named(&self, host: Host<'_>, port: Option<u16>) -> bool {
        let port = port.unwrap_or_else(|| default_port(self.transport));
        let advertised = self.sent_by.as_bytes().get(..self.host_len).and_then(|name| Host::parse(name).ok());
        let named = port == self.port && advertised.is_some_and(|name| name.is(host));
        named || (host.ip() == Some(self.address.ip()) && self.address.port() == port)
    }

    /// The name of the transport in Via.
    pub const fn via_transport(&self) -> &'static str {
        match self.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// The transport parameter of a URI that leads here, with its semicolon; empty for UDP, the default.
    pub const fn uri_transport(&self) -> &'static str {
        transport_param(self.transport)
    }
}

/// The port of a URI or Via without one.
pub const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
    }
}

/// The transport parameter of a URI, with its semicolon; empty for UDP, the default.
pub const fn transport_param(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_listener() {
        let cases: [(&str, &str, &[&str], &[&str]); 4] = [
            (
                "192.0.2.1:5060",
                "",
                &["sip:192.0.2.1", "sip:192.0.2.1:5060"],
                &["sip:192.0.2.1:5061", "sip:192.0.2.2"],
            ),
            (
                "0.0.0.0:5070",
                "edge.example",
                &["sip:EDGE.example", "sip:edge.example:5060"],
                &["sip:edge.example:5070"],
            ),
            (
                "10.0.0.1:5060",
                "198.51.100.7:5080",
                &["sip:198.51.100.7:5080", "sip:10.0.0.1"],
                &["sip:198.51.100.7"],
            ),
            ("[2001:db8::1]:5060", "", &["sip:[2001:db8:0::1]"], &["sip:[2001:db8::2]"]),
        ];
        for (address, advertised, ours, others) in cases {
            let listener = Listener::new(Transport::Udp, address.parse().unwrap(), advertised).unwrap();
            let is_ours = |uri: &&&str| {
                let uri = Uri::parse(uri.as_bytes()).unwrap().sip().unwrap();
                listener.is_named(uri.host, uri.port)
            };
            assert!(ours.iter().all(|uri| is_ours(&uri)), "{address} {advertised}");
            assert!(!others.iter().any(|uri| is_ours(&uri)), "{address} {advertised}");
        }
    }

    #[test]
    fn names_that_nobody_could_send_to() {
        assert!(Listener::new(Transport::Udp, "0.0.0.0:5060".parse().unwrap(), "").is_err(), "any address");
        for name in ["a b", "user@host", "host;lr", "host:0", "host:70000", "2001:db8::1"] {
            assert!(Listener::new(Transport::Udp, "0.0.0.0:5060".parse().unwrap(), name).is_err(), "{name}");
        }
    }
}
