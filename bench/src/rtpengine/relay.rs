//! Media of a simulated node: a socket for each of its ports, and what comes to it goes out by that of the
//! other side. Nothing is learnt: media goes where the SDP says.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use ng::reply::Counters;
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::state::Change;

/// Octets of the largest packet that is passed on whole.
const PACKET_MAX: usize = 8_192;

/// By which socket to send where.
type Out = Vec<(Arc<UdpSocket>, SocketAddr)>;

/// The open ports of a node.
#[derive(Debug)]
pub(super) struct Relay {
    address: IpAddr,
    open: HashMap<u16, Port>,
}

#[derive(Debug)]
struct Port {
    socket: Arc<UdpSocket>,
    shared: Arc<Shared>,
    passing: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    out: Mutex<Out>,
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Relay {
    pub(super) fn new(address: IpAddr) -> Self {
        Self { address, open: HashMap::new() }
    }

    /// Opens, leads and closes ports; how many could not be opened.
    pub(super) fn apply(&mut self, changes: &[Change]) -> u64 {
        let mut refused = 0;
        for change in changes {
            match change {
                Change::Routed(route) if self.open.contains_key(&route.port) => {}
                Change::Routed(route) => match Port::open(self.address, route.port) {
                    Ok(port) => drop(self.open.insert(route.port, port)),
                    Err(_) => refused += 1,
                },
                Change::Closed(port) => drop(self.open.remove(port)),
            }
        }
        // Now that all ports are open.
        for change in changes {
            let Change::Routed(route) = change else { continue };
            let Some(port) = self.open.get(&route.port) else { continue };
            let by = |port: &u16| self.open.get(port).map(|port| Arc::clone(&port.socket));
            let out = route.to.iter().filter_map(|(port, to)| by(port).map(|socket| (socket, *to)));
            *port.shared.out.lock() = out.collect();
        }
        refused
    }

    /// What came to each port.
    pub(super) fn heard(&self) -> HashMap<u16, Counters> {
        let counters = |shared: &Shared| Counters {
            packets: shared.packets.load(Relaxed),
            bytes: shared.bytes.load(Relaxed),
            errors: 0,
        };
        self.open.iter().map(|(number, port)| (*number, counters(&port.shared))).collect()
    }
}

impl Port {
    fn open(address: IpAddr, number: u16) -> io::Result<Self> {
        let socket = Arc::new(super::bind((address, number).into())?);
        let shared = Arc::<Shared>::default();
        let passing = tokio::spawn(pass_on(Arc::clone(&socket), Arc::clone(&shared)));
        Ok(Self { socket, shared, passing })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

async fn pass_on(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut packet = vec![0; PACKET_MAX];
    while let Ok((length, _)) = socket.recv_from(&mut packet).await {
        let octets = packet.get(..length).unwrap_or_default();
        shared.packets.fetch_add(1, Relaxed);
        shared.bytes.fetch_add(octets.len() as u64, Relaxed);
        let out = shared.out.lock().clone();
        for (by, to) in &out {
            // What the system does not take is lost, as on any network.
            let _ = by.send_to(octets, to).await;
        }
    }
}
