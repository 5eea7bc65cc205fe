//! Datagrams that wait to be sent, per socket.

use std::net::SocketAddr;
use std::ops::Range;

use bytes::BytesMut;

/// Datagrams of one socket that may wait; beyond it new ones are dropped and counted.
const WAITING_MAX: usize = 65_536;

/// Datagrams of all sockets of one thread.
#[derive(Debug)]
pub(crate) struct Outbox {
    queues: Vec<Queue>,
}

/// Datagrams of one socket, in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    octets: BytesMut,
    frames: Vec<(SocketAddr, Range<usize>)>,
    /// Datagrams that found no room.
    pub(crate) dropped: u64,
}

impl Outbox {
    pub(crate) fn new(sockets: usize) -> Self {
        Self { queues: (0..sockets).map(|_| Queue::default()).collect() }
    }

    /// Queues what `write` appends; nothing when it says `None`.
    pub(crate) fn send(
        &mut self,
        socket: usize,
        to: SocketAddr,
        write: impl FnOnce(&mut BytesMut) -> Option<()>,
    ) -> Option<()> {
        let queue = self.queues.get_mut(socket)?;
        if queue.frames.len() >= WAITING_MAX {
            queue.dropped += 1;
            return None;
        }
        let start = queue.octets.len();
        if write(&mut queue.octets).is_none() {
            queue.octets.truncate(start);
            return None;
        }
        queue.frames.push((to, start..queue.octets.len()));
        Some(())
    }

    pub(crate) fn queues(&mut self) -> impl Iterator<Item = &mut Queue> {
        self.queues.iter_mut()
    }
}

impl Queue {
    /// The datagrams in their order.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.frames.iter().map(|(to, range)| (*to, self.octets.get(range.clone()).unwrap_or_default()))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets the first `count`.
    pub(crate) fn sent(&mut self, count: usize) {
        if count >= self.frames.len() {
            self.frames.clear();
            self.octets.clear();
        } else {
            self.frames.drain(..count);
        }
    }
}
