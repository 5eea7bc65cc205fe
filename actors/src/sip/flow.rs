//! Where messages come from and go to: what transports and workers say to each other.

use std::net::SocketAddr;

use bytes::Bytes;
use runtime::model::Transport;
use serde::{Deserialize, Serialize};

/// The way between one of our listeners and a peer. A response goes back on the flow that its request came on; a
/// request to a peer over a stream uses the flow's connection while that is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// Which listener: its place in the configuration. It says our address and what we call ourselves.
    pub listener: u16,
    /// UDP, TCP or TLS.
    pub transport: Transport,
    /// The peer, after PROXY protocol where that is trusted.
    pub peer: SocketAddr,
    /// The connection of a stream; 0 for UDP, and for a stream that is still to be connected.
    pub connection: u64,
}

/// One message that came in: a datagram, or one frame of a stream.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// Where it came from.
    pub flow: Flow,
    /// The message, not looked at yet.
    pub octets: Bytes,
    /// Whether the peer made the connection: on one of ours everything is from whom we chose.
    pub accepted: bool,
}

/// One message to send.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Where to.
    pub flow: Flow,
    /// The message.
    pub octets: Bytes,
    /// Who is told when it cannot be sent: the sender's own number, [`Outbound::NOBODY`] for nobody. It is told by
    /// a queued event, never by a call from within the send.
    pub sender: u64,
}

impl Outbound {
    /// Nobody is told.
    pub const NOBODY: u64 = u64::MAX;
}

/// A message that could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undelivered {
    /// The `sender` of the [`Outbound`], or `None` where only the destination is known (ICMP).
    pub sender: Option<u64>,
    /// Where it was to go.
    pub peer: SocketAddr,
}
