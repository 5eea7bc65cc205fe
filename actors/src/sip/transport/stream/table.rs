//! Which connections there are, and how many of whom.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use runtime::model::Transport;
use tokio::sync::mpsc;

use super::{Limits, Shared, Streams, Target};
use crate::sip::flow::Outbound;

/// What a connection that we made can be used for again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    transport: Transport,
    address: SocketAddr,
    server_name: Option<Arc<str>>,
}

impl Key {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            transport: target.transport,
            address: target.address,
            // A TCP connection is the same whatever its peer is called.
            server_name: target.server_name.clone().filter(|_| target.transport == Transport::Tls),
        }
    }
}

/// The connections, by number and by what they can be used for.
#[derive(Default)]
pub(super) struct Table {
    seats: HashMap<u64, Seat>,
    made: HashMap<Key, u64>,
    by_peer: HashMap<IpAddr, u32>,
    places: usize,
    last_id: u64,
    closed: bool,
}

struct Seat {
    queue: mpsc::Sender<Outbound>,
    shared: Arc<Shared>,
    key: Option<Key>,
    /// Nothing is read from it any more: it is for the answers that are owed.
    lingers: bool,
}

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// The answer to something, which need not be answered.
    Response,
    /// What wants an answer on the same connection.
    Request,
}

impl Sending {
    pub(super) fn of(octets: &[u8]) -> Self {
        if octets.starts_with(b"SIP/2.0 ") { Self::Response } else { Self::Request }
    }
}

/// A place among the connections; given up when dropped, and the connection cannot be sent to any more.
pub(super) struct Place {
    /// The number of the connection.
    pub(super) id: u64,
    streams: Streams,
    peer: Option<IpAddr>,
}

impl Place {
    /// Counts the connection as that of the peer behind a proxy; false when that has too many.
    pub(super) fn move_to(&mut self, peer: IpAddr) -> bool {
        let limits = self.streams.0.options.limits;
        let mut table = self.streams.0.table.lock();
        if let Some(peer) = self.peer.take() {
            table.leave_peer(peer);
        }
        let entered = table.enter_peer(peer, &limits);
        self.peer = entered.then_some(peer);
        entered
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.streams.0.table.lock();
        table.unseat(self.id);
        table.places -= 1;
        if let Some(peer) = self.peer {
            table.leave_peer(peer);
        }
        self.streams.0.options.metrics.connections.dec();
    }
}

impl Table {
    /// Takes a place; none when there are too many, or of this peer, or the node stops.
    pub(super) fn enter(&mut self, streams: Streams, peer: Option<IpAddr>, limits: &Limits) -> Option<Place> {
        if self.closed || self.places >= limits.connections_max {
            return None;
        }
        if peer.is_some_and(|peer| !self.enter_peer(peer, limits)) {
            return None;
        }
        self.places += 1;
        self.last_id += 1;
        streams.0.options.metrics.connections.inc();
        Some(Place { id: self.last_id, streams, peer })
    }

    pub(super) fn seat(
        &mut self,
        id: u64,
        queue: mpsc::Sender<Outbound>,
        shared: Arc<Shared>,
        key: Option<Key>,
    ) {
        if self.closed {
            shared.close.notify_one();
        }
        if let Some(key) = key.clone() {
            self.made.insert(key, id);
        }
        self.seats.insert(id, Seat { queue, shared, key, lingers: false });
    }

    pub(super) fn unseat(&mut self, id: u64) {
        if let Some(Seat { key: Some(key), .. }) = self.seats.remove(&id) {
            self.made.remove(&key);
        }
    }

    /// From now on the connection takes responses only.
    pub(super) fn linger(&mut self, id: u64) {
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.lingers = true;
        }
    }

    pub(super) fn get(&self, id: u64, sending: Sending) -> Option<(&mpsc::Sender<Outbound>, &Arc<Shared>)> {
        let seat = self.seats.get(&id).filter(|seat| !seat.lingers || sending == Sending::Response)?;
        Some((&seat.queue, &seat.shared))
    }

    pub(super) fn find(&self, key: &Key) -> Option<u64> {
        self.made.get(key).copied()
    }

    pub(super) const fn len(&self) -> usize {
        self.places
    }

    /// Whether the node stops.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn close_all(&mut self) {
        self.closed = true;
        for seat in self.seats.values() {
            seat.shared.close.notify_one();
        }
    }

    fn enter_peer(&mut self, peer: IpAddr, limits: &Limits) -> bool {
        let count = self.by_peer.entry(peer).or_default();
        let free = *count < limits.per_peer_max;
        *count += u32::from(free);
        free
    }

    fn leave_peer(&mut self, peer: IpAddr) {
        if let Some(count) = self.by_peer.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                self.by_peer.remove(&peer);
            }
        }
    }
}
