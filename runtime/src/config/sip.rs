//! `[sip]`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{Error, HumanDuration, check};
use crate::model::{Cidr, Gateway, Transport};

/// `[sip]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipOptions {
    /// Where SIP is spoken; empty is a node without voice.
    pub listen: Vec<SipListener>,
    /// PEM file of the certificate chain of TLS listeners.
    pub tls_certificate: PathBuf,
    /// PEM file of its key.
    pub tls_key: PathBuf,
    /// PEM file of the authorities whose certificates peers must show; empty asks them for none.
    pub tls_client_ca: PathBuf,
    /// Networks whose TCP and TLS connections begin with a PROXY protocol v2 header.
    pub proxy_protocol_from: Vec<Cidr>,
    /// Worker threads; 0 is one for every two cores.
    pub workers: u16,
    /// What a source that nobody knows gets.
    pub unknown_source: UnknownSource,
    /// Answers per second to such sources, all together; more of their requests are dropped.
    pub unknown_source_per_s: u32,
    /// How those make digests who say by one which trunk they are: one challenge each, in this order.
    pub digest_algorithms: Vec<DigestAlgorithm>,
    /// Transactions at one time; more new calls get 503.
    pub transactions_max: u32,
    /// Calls at one time; more get 503.
    pub dialogs_max: u32,
    /// Longest message taken, octets.
    pub message_octets_max: u32,
    /// Estimate of the round trip (RFC 3261 section 17.1.1.1).
    pub t1: HumanDuration,
    /// Longest interval of retransmissions of requests other than INVITE, and of responses to INVITE.
    pub t2: HumanDuration,
    /// Longest time that a message stays in the network.
    pub t4: HumanDuration,
    /// Time for the final answer to an INVITE where no vendor's ring_timeout says otherwise.
    pub timer_c: HumanDuration,
    /// New calls get 503 while the oldest message of a worker has waited longer.
    pub queue_age_max: HumanDuration,
    /// Messages per second from one source address; more are dropped before they are parsed. 0 is no limit.
    pub flood_per_source_per_s: u32,
    /// TCP and TLS connections at one time.
    pub stream_connections_max: u32,
    /// TCP and TLS connections of one address at one time.
    pub per_peer_connections_max: u32,
    /// Silence after which a TCP or TLS connection is closed.
    pub stream_idle: HumanDuration,
    /// Time for the TLS handshake, and for the rest of a message whose first octet is there.
    pub header_timeout: HumanDuration,
    /// `host:port` of a Homer collector that gets a copy of the signalling (HEP3 over UDP); empty sends none.
    pub hep_collector: String,
    /// Capture agent id of this node there.
    pub hep_id: u32,
    /// Longest call, whatever trunks say; zero is no limit.
    pub call_hard_max_duration: HumanDuration,
    /// How often both sides of a call are asked by OPTIONS whether it is up; zero is never.
    pub dead_call_probe: HumanDuration,
    /// Whether a call whose sides agreed to refresh it, and do not, is ended (RFC 4028).
    pub session_timers: bool,
    /// How many times the usual number of expensive calls in a minute makes an alert of toll fraud; 0 is never.
    pub toll_fraud_factor: u32,
    /// The shortest time for which a trunk may register; it is asked to take no less.
    pub register_expires_min: HumanDuration,
    /// For how long it registers where it does not say.
    pub register_expires_default: HumanDuration,
    /// The longest time for which it may register; it gets no more.
    pub register_expires_max: HumanDuration,
    /// Contacts that a trunk may register at one time.
    pub register_contacts_max: u32,
    /// How often a contact that registered by UDP from behind a NAT is asked something; zero is never.
    pub register_keep_alive: HumanDuration,
    /// DNS servers; empty takes the system's.
    pub dns_servers: Vec<SocketAddr>,
    /// How often each media node is asked which calls it has.
    pub media_sweep: HumanDuration,
    /// How long a call that an earlier process left ringing is left alone at its media node.
    pub media_leftovers: HumanDuration,
    /// Whether media nodes are taken from Kamailio's table in Redis too.
    pub media_discovery: bool,
    /// Which set of that table.
    pub media_discovery_set: u32,
}

/// Where SIP is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SipListener {
    /// udp, tcp or tls.
    pub transport: Transport,
    /// Where it listens.
    pub address: SocketAddr,
    /// `host` or `host:port` that Via and Record-Route say; empty is the address itself, which is one then.
    #[serde(default)]
    pub advertise: String,
}

/// What a source gets that is in no ACL and no vendor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownSource {
    /// 403, at a bounded rate.
    Reply,
    /// Nothing.
    Drop,
}

/// A hash function of digests (RFC 7616, RFC 8760).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DigestAlgorithm {
    /// SHA-512/256.
    #[serde(rename = "SHA-512-256")]
    Sha512Trunc256,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// MD5, for equipment that knows nothing else.
    #[serde(rename = "MD5")]
    Md5,
}

impl Default for SipOptions {
    fn default() -> Self {
        let (secs, ms) = (HumanDuration::from_secs, |ms| HumanDuration::from(Duration::from_millis(ms)));
        Self {
            listen: Vec::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            tls_client_ca: PathBuf::new(),
            proxy_protocol_from: Vec::new(),
            workers: 0,
            unknown_source: UnknownSource::Reply,
            unknown_source_per_s: 1000,
            // Widespread equipment gives up at the third.
            digest_algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
            transactions_max: 2_000_000,
            dialogs_max: 200_000,
            message_octets_max: 65_535,
            t1: ms(500),
            t2: secs(4),
            t4: secs(5),
            timer_c: secs(180),
            queue_age_max: ms(100),
            flood_per_source_per_s: 0,
            stream_connections_max: 20_000,
            per_peer_connections_max: 200,
            stream_idle: secs(600),
            header_timeout: secs(10),
            hep_collector: String::new(),
            hep_id: 1,
            call_hard_max_duration: secs(0),
            dead_call_probe: secs(900),
            session_timers: true,
            toll_fraud_factor: 8,
            register_expires_min: secs(60),
            register_expires_default: secs(3600),
            register_expires_max: secs(3600),
            register_contacts_max: 10,
            register_keep_alive: secs(25),
            dns_servers: Vec::new(),
            media_sweep: secs(30),
            media_leftovers: secs(900),
            media_discovery: false,
            media_discovery_set: 0,
        }
    }
}

impl SipOptions {
    /// Refuses what would only fail later; names the key.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.listeners()?;
        self.digests()?;
        for (key, value, min) in [
            ("sip.unknown_source_per_s", self.unknown_source_per_s, 1),
            ("sip.transactions_max", self.transactions_max, 1),
            ("sip.dialogs_max", self.dialogs_max, 1),
            // What every UDP implementation must take (RFC 3261 section 18.1.1) is more, but tests want less.
            ("sip.message_octets_max", self.message_octets_max, 1500),
            ("sip.stream_connections_max", self.stream_connections_max, 1),
            ("sip.per_peer_connections_max", self.per_peer_connections_max, 1),
            ("sip.register_contacts_max", self.register_contacts_max, 1),
        ] {
            check::at_least(key, value, min)?;
        }
        for (key, value) in [
            ("sip.t1", self.t1),
            ("sip.t2", self.t2),
            ("sip.t4", self.t4),
            ("sip.timer_c", self.timer_c),
            ("sip.queue_age_max", self.queue_age_max),
            ("sip.stream_idle", self.stream_idle),
            ("sip.header_timeout", self.header_timeout),
        ] {
            check::not_zero(key, value)?;
        }
        check::ordered(("sip.t1", self.t1), ("sip.t2", self.t2))?;
        // What was begun while a list was made is no leak, and what a node is asked for is work for it.
        if !(Duration::from_secs(1)..=Duration::from_secs(600)).contains(&self.media_sweep.get()) {
            return check::refused("sip.media_sweep", "it is 1s to 10m");
        }
        if !(Duration::from_secs(1)..=Duration::from_hours(1)).contains(&self.media_leftovers.get()) {
            return check::refused("sip.media_leftovers", "it is 1s to 1h");
        }
        self.registrations()?;
        if let Some(server) = self.dns_servers.iter().find(|server| server.port() == 0) {
            return check::refused("sip.dns_servers", format!("{server} has no port; it is 53, as a rule"));
        }
        let collector = self.hep_collector.parse::<Gateway>();
        if !self.hep_collector.is_empty()
            && !collector.is_ok_and(|at| at.port.is_some() && is_bare(&self.hep_collector))
        {
            return check::refused("sip.hep_collector", format!("{:?} is not host:port", self.hep_collector));
        }
        Ok(())
    }

    fn digests(&self) -> Result<(), Error> {
        let algorithms = &self.digest_algorithms;
        if algorithms.is_empty() {
            return check::refused("sip.digest_algorithms", "it is empty: no trunk could say who it is");
        }
        let is_again =
            |(at, one): (usize, &DigestAlgorithm)| algorithms.iter().take(at).any(|other| other == one);
        if algorithms.iter().enumerate().any(is_again) {
            return check::refused("sip.digest_algorithms", "an algorithm stands in it twice");
        }
        Ok(())
    }

    fn registrations(&self) -> Result<(), Error> {
        let every = self.register_keep_alive.get();
        if !every.is_zero() && !(Duration::from_secs(1)..=Duration::from_secs(600)).contains(&every) {
            return check::refused("sip.register_keep_alive", "it is 1s to 10m, or 0s for never");
        }
        let min = ("sip.register_expires_min", self.register_expires_min);
        let default = ("sip.register_expires_default", self.register_expires_default);
        let max = ("sip.register_expires_max", self.register_expires_max);
        for (key, value) in [min, default, max] {
            check::not_zero(key, value)?;
        }
        check::ordered(min, default)?;
        check::ordered(default, max)?;
        // Nobody may be refused an hour (RFC 3261 section 10.3).
        check::ordered(min, ("an hour", HumanDuration::from_secs(3600)))?;
        // That somebody is no more is told to other nodes for a day.
        check::ordered(max, ("a day", HumanDuration::from_secs(24 * 3600)))
    }

    fn listeners(&self) -> Result<(), Error> {
        for (position, listener) in self.listen.iter().enumerate() {
            let SipListener { transport, address, advertise } = listener;
            let is_host = is_bare(advertise) && advertise.parse::<Gateway>().is_ok();
            if !advertise.is_empty() && !is_host {
                return check::refused(
                    "sip.listen",
                    format!("advertise {advertise:?} is not host or host:port"),
                );
            }
            // Nobody can answer to "any address".
            if advertise.is_empty() && address.ip().is_unspecified() {
                let text = format!(
                    "{address} is no address that a SIP peer could send to: give this listener an advertise"
                );
                return check::refused("sip.listen", text);
            }
            let before = self.listen.iter().take(position);
            // TCP and TLS share the ports of TCP.
            let same = |other: &&SipListener| {
                other.address == *address
                    && (other.transport == Transport::Udp) == (*transport == Transport::Udp)
            };
            if address.port() != 0 && before.into_iter().any(|other| same(&other)) {
                return check::refused("sip.listen", format!("{address} stands in it twice"));
            }
        }
        let tls = self.listen.iter().any(|listener| listener.transport == Transport::Tls);
        if tls && (self.tls_certificate.as_os_str().is_empty() || self.tls_key.as_os_str().is_empty()) {
            return check::refused("sip.listen", "a TLS listener needs sip.tls_certificate and sip.tls_key");
        }
        Ok(())
    }
}

/// Without scheme and parameters, which a gateway may have.
fn is_bare(text: &str) -> bool {
    let scheme = text
        .split_once(':')
        .is_some_and(|(word, _)| word.eq_ignore_ascii_case("sip") || word.eq_ignore_ascii_case("sips"));
    !scheme && !text.contains(';')
}
