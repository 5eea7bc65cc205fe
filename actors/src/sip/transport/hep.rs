//! A copy of signalling for a Homer collector.
//!
//! Owns: the socket towards the collector. Its key is `hep_mirror:<collector>`, its parent that of the SIP side,
//! its restart policy permanent; a crash loses the packet in hand, the queue lives on. Nobody waits for it: what
//! does not fit into the queue is dropped and counted, and a collector that is away is not noticed.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use hep::Packet;
use prometheus::IntCounter;
use runtime::clock::Timestamp;
use runtime::model::Transport;
use runtime::registry::{ActorName, Observation};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::net::UdpSocket;
use tokio::sync::{Mutex, mpsc};

use super::metrics::Metrics;

/// Packets written before the task lets others run.
const BATCH: usize = 64;

/// Where copies go.
#[derive(Debug, Clone)]
pub struct Options {
    /// The collector, over UDP.
    pub collector: SocketAddr,
    /// The number by which the collector knows this node.
    pub agent: u32,
    /// What the collector asks for.
    pub auth_key: Option<Arc<[u8]>>,
    /// Copies that may wait.
    pub queue_max: usize,
}

/// One message as it passed.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Who sent it.
    pub source: SocketAddr,
    /// Who it was sent to.
    pub destination: SocketAddr,
    /// What carried it.
    pub transport: Transport,
    /// When.
    pub time: Timestamp,
    /// What its call is known by: its Call-ID as the caller has made it, which a hidden side does not have on the wire, or a
    /// digest of a long one.
    pub call_id: Bytes,
    /// All of it.
    pub octets: Bytes,
}

/// Takes copies, from any thread. Clones feed the same queue.
#[derive(Debug, Clone)]
pub struct Mirror {
    queue: mpsc::Sender<Captured>,
    dropped: IntCounter,
}

impl Mirror {
    /// Queues a copy; drops it where it does not fit.
    pub fn capture(&self, captured: Captured) {
        if self.queue.try_send(captured).is_err() {
            self.dropped.inc();
        }
    }
}

/// The mirror, and its task as a child.
#[must_use]
pub fn child_spec(options: Options, metrics: &Metrics) -> (Mirror, ChildSpec) {
    let (sender, queue) = mpsc::channel(options.queue_max.max(1));
    let mirror = Mirror { queue: sender, dropped: metrics.dropped.with_label_values(&["mirror"]) };
    let name = ActorName::new("hep_mirror", options.collector.to_string());
    // Held by one incarnation at a time.
    let queue = Arc::new(Mutex::new(queue));
    let start = Start::task(move |seat| run(seat, options.clone(), Arc::clone(&queue)));
    (mirror, ChildSpec::new(name, Restart::Permanent, start))
}

async fn run(
    seat: Seat,
    options: Options,
    queue: Arc<Mutex<mpsc::Receiver<Captured>>>,
) -> Result<(), BoxError> {
    let _registration =
        seat.register(Arc::new(|| Observation { state: "mirroring".into(), ..Observation::default() }));
    let any: SocketAddr = if options.collector.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    let mut queue = queue.lock().await;
    let mut batch = Vec::with_capacity(BATCH);
    let mut packet = Vec::new();
    loop {
        tokio::select! {
            taken = queue.recv_many(&mut batch, BATCH) => if taken == 0 { return Ok(()) },
            () = seat.shutdown.requested() => return Ok(()),
        }
        for captured in batch.drain(..) {
            packet.clear();
            if encode(&captured, &options, &mut packet) {
                // Whether it arrives is not for us to know.
                let _ = socket.send_to(&packet, options.collector).await;
            }
        }
    }
}

/// False for what no packet can hold.
fn encode(captured: &Captured, options: &Options, out: &mut Vec<u8>) -> bool {
    let micros = captured.time.micros().max(0).unsigned_abs();
    let packet = Packet {
        source: captured.source,
        destination: captured.destination,
        ip_protocol: match captured.transport {
            Transport::Udp => hep::UDP,
            Transport::Tcp | Transport::Tls => hep::TCP,
        },
        seconds: u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX),
        microseconds: u32::try_from(micros % 1_000_000).unwrap_or(0),
        protocol: hep::SIP,
        agent: options.agent,
        auth_key: options.auth_key.as_deref(),
        correlation_id: Some(&captured.call_id),
        payload: &captured.octets,
    };
    packet.encode(out).is_ok()
}

#[cfg(test)]
mod tests;
