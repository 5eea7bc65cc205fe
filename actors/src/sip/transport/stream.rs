//! Streams: TCP and TLS connections, those that peers make and those that we make.
//!
//! [`Streams`] is the table of all of them. Whoever has something to send puts it into the queue of a
//! connection, from any thread and without waiting; a connection that does not exist yet is made meanwhile, one
//! for all who want it. Each connection is a task of the runtime on which the table was made: a panic ends that
//! connection and nothing else. What a task still holds when it ends is told undeliverable.
//!
//! Bounds: connections in all and of one peer, octets that wait for a peer, time to the end of a message that
//! began, time without a message. What goes beyond one ends its connection; [`Closed`] says which it was.

mod connection;
pub mod listener;
mod output;
pub mod proxy_protocol;
mod table;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use runtime::model::Transport;
use runtime::net::Net;
use runtime::tls::ClientTls;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};

use self::table::{Key, Place, Sending, Table};
use super::metrics::Metrics;
use crate::sip::flow::{Flow, Inbound, Outbound, Undelivered};

/// Messages that wait in one connection's queue, whatever their size.
const QUEUE: usize = 1024;

/// What a connection may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections, made and accepted, in all.
    pub connections_max: usize,
    /// Connections accepted from one address.
    pub per_peer_max: u32,
    /// Octets that may wait to be written to one connection.
    pub unsent_max: usize,
    /// Time for a connection to be made, and for TLS and PROXY protocol to be done.
    pub connect: Duration,
    /// Time from the first octet of a message to its last; also to the end of the first message of a connection
    /// that was accepted.
    pub message: Duration,
    /// Time in which nothing is read and nothing written.
    pub idle: Duration,
    /// Sizes of messages.
    pub sip: sip::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            per_peer_max: 1_000,
            unsent_max: 512 * 1024,
            connect: Duration::from_secs(4),
            message: Duration::from_secs(15),
            idle: Duration::from_secs(600),
            sip: sip::Limits::default(),
        }
    }
}

/// Where messages go that came in: to a worker's ring.
pub type Deliver = Arc<dyn Fn(Inbound) -> Delivered + Send + Sync>;
/// A message that waits for room.
pub type Waiting = BoxFuture<'static, ()>;

/// What became of a message that came in.
pub enum Delivered {
    /// It needs nothing more.
    Done,
    /// Its worker has no room, and it is not worth waiting for.
    Dropped,
    /// Its worker has no room yet. Nothing more is read of its connection until it has gone there in this.
    Waits(Waiting),
}

/// Where the ends of messages go that cannot be sent. It must not call back into [`Streams`].
pub type Fail = Arc<dyn Fn(Undelivered) + Send + Sync>;

/// What streams need of their node.
#[derive(Clone)]
pub struct Options {
    /// The network.
    pub net: Arc<dyn Net>,
    /// Trust for TLS connections that we make; none where we make none.
    pub client_tls: Option<ClientTls>,
    /// Bounds.
    pub limits: Limits,
    /// Takes what comes in.
    pub deliver: Deliver,
    /// Is told what cannot be sent.
    pub fail: Fail,
    /// Counters.
    pub metrics: Metrics,
}

/// A peer to have a connection to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The listener whose name the connection bears.
    pub listener: u16,
    /// TCP or TLS.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
    /// The name that the peer's certificate must be for; without one it must be for the address.
    pub server_name: Option<Arc<str>>,
}

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The connection has ended.
    #[error("the connection has ended")]
    Gone,
    /// More waits for the peer than may; the connection is closed.
    #[error("the peer does not take what it is sent")]
    Full,
    /// No connection may be added.
    #[error("there are too many connections")]
    TooMany,
    /// UDP, or TLS where no trust is set up.
    #[error("streams do not carry this transport")]
    Transport,
}

/// Why a connection was closed by us, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Nothing came or went for too long.
    Idle,
    /// A message did not end in its time.
    Slow,
    /// What came is not SIP.
    NotSip,
    /// Headers or a message larger than may be, or without a known end.
    Unframed,
    /// The peer did not take what it was sent.
    Full,
    /// Too many connections, in all or of the peer.
    Limit,
    /// The PROXY protocol header was missing, wrong or late.
    Proxy,
    /// The TLS handshake failed or was late.
    Tls,
    /// The node stops.
    Shutdown,
}

impl Closed {
    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::NotSip => "not_sip",
            Self::Unframed => "unframed",
            Self::Full => "full",
            Self::Limit => "limit",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Shutdown => "shutdown",
        }
    }
}

/// All stream connections of a node. Clones are the same table.
#[derive(Clone)]
pub struct Streams(Arc<Inner>);

struct Inner {
    options: Options,
    runtime: Handle,
    table: Mutex<Table>,
}

/// What the table and a connection's task share.
#[derive(Default)]
struct Shared {
    /// Octets queued and not yet written.
    unsent: AtomicUsize,
    /// The task is to end.
    close: Notify,
}

impl Streams {
    /// No connections yet. They will run on `runtime`.
    #[must_use]
    pub fn new(options: Options, runtime: Handle) -> Self {
        Self(Arc::new(Inner { options, runtime, table: Mutex::default() }))
    }

    /// Sends over the connection that the flow names, or, where it names none, over one to the flow's peer, which
    /// is made when there is none. Never waits; may be called on any thread.
    ///
    /// # Errors
    /// [`Refused`]: nothing was queued, and nobody is told but the caller. What fails later is told to
    /// [`Options::fail`].
    pub fn send(&self, outbound: Outbound) -> Result<(), Refused> {
        let Flow { listener, transport, peer, connection } = outbound.flow;
        if connection != 0 {
            return self.push(&mut self.0.table.lock(), connection, outbound);
        }
        let target = Target { listener, transport, address: peer, server_name: None };
        let mut table = self.0.table.lock();
        let connection = self.find_or_connect(&mut table, &target)?;
        self.push(&mut table, connection, outbound)
    }

    /// The flow of a connection to this peer: the one that is there, or a new one that is being made. What is
    /// sent on it meanwhile waits.
    ///
    /// # Errors
    /// [`Refused::TooMany`], [`Refused::Transport`].
    pub fn connect(&self, target: &Target) -> Result<Flow, Refused> {
        let connection = self.find_or_connect(&mut self.0.table.lock(), target)?;
        let Target { listener, transport, address, .. } = *target;
        Ok(Flow { listener, transport, peer: address, connection })
    }

    /// Whether a request can be sent on a connection. One that only waits for its last answers takes none.
    #[must_use]
    pub fn has(&self, connection: u64) -> bool {
        self.0.table.lock().get(connection, Sending::Request).is_some()
    }

    /// Connections now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.table.lock().len()
    }

    /// Whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks every connection to send what waits and end; new ones are refused from now on.
    pub fn shut_down(&self) {
        self.0.table.lock().close_all();
    }

    fn find_or_connect(&self, table: &mut Table, target: &Target) -> Result<u64, Refused> {
        let served = match target.transport {
            Transport::Tcp => true,
            Transport::Tls => self.0.options.client_tls.is_some(),
            Transport::Udp => false,
        };
        if !served {
            return Err(Refused::Transport);
        }
        let key = Key::of(target);
        if let Some(connection) = table.find(&key) {
            return Ok(connection);
        }
        let limits = &self.0.options.limits;
        let Some(place) = table.enter(self.clone(), None, limits) else {
            self.count_closed(Closed::Limit);
            return Err(Refused::TooMany);
        };
        let (queue, shared) = self.seat(table, &place, Some(key));
        let target = target.clone();
        let streams = self.clone();
        let id = place.id;
        self.0.runtime.spawn(async move { connection::make(streams, place, target, (queue, shared)).await });
        Ok(id)
    }

    /// A place for a connection from that address, to be given up when dropped.
    fn enter(&self, peer: SocketAddr) -> Option<Place> {
        self.0.table.lock().enter(self.clone(), Some(peer.ip()), &self.0.options.limits)
    }

    /// A place for a connection through a proxy, whose peer is not known yet.
    fn enter_unknown(&self) -> Option<Place> {
        self.0.table.lock().enter(self.clone(), None, &self.0.options.limits)
    }

    /// From here on the connection can be sent to.
    fn seat(
        &self,
        table: &mut Table,
        place: &Place,
        key: Option<Key>,
    ) -> (mpsc::Receiver<Outbound>, Arc<Shared>) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared::default());
        table.seat(place.id, sender, Arc::clone(&shared), key);
        (queue, shared)
    }

    fn push(&self, table: &mut Table, connection: u64, outbound: Outbound) -> Result<(), Refused> {
        let sending = Sending::of(&outbound.octets);
        let Some((queue, shared)) = table.get(connection, sending) else { return Err(Refused::Gone) };
        let octets = outbound.octets.len();
        let unsent = shared.unsent.fetch_add(octets, Ordering::AcqRel);
        let fits = unsent.saturating_add(octets) <= self.0.options.limits.unsent_max;
        if fits && queue.try_send(outbound).is_ok() {
            return Ok(());
        }
        shared.close.notify_one();
        table.unseat(connection);
        self.count_closed(Closed::Full);
        Err(Refused::Full)
    }

    fn deliver(&self, inbound: Inbound) -> Option<Waiting> {
        match (self.0.options.deliver)(inbound) {
            Delivered::Done => None,
            Delivered::Dropped => {
                self.count_dropped();
                None
            }
            Delivered::Waits(waiting) => Some(waiting),
        }
    }

    /// A message found no room with its worker.
    fn count_dropped(&self) {
        self.0.options.metrics.dropped.with_label_values(&["worker"]).inc();
    }

    fn fail(&self, outbound: &Outbound) {
        if outbound.sender != Outbound::NOBODY {
            self.0.options.metrics.undelivered.with_label_values(&["stream"]).inc();
            (self.0.options.fail)(Undelivered { sender: Some(outbound.sender), peer: outbound.flow.peer });
        }
    }

    fn count_closed(&self, why: Closed) {
        self.0.options.metrics.closed.with_label_values(&[why.name()]).inc();
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("connections", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
