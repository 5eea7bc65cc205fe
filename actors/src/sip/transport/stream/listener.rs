//! A listening socket for SIP over TCP or TLS.
//!
//! Owns: the socket, and the connections whose PROXY protocol or TLS handshake is not done. Its key is its
//! address (`sip_listener:0.0.0.0:5060:0`), its parent the `listeners` supervisor, its restart policy permanent;
//! listeners start last and stop first. A crash loses the handshakes; connections that are served live on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::model::Cidr;
use runtime::net::{Listener as Socket, Stream};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Shutdown, Start};
use runtime::tls::ServerTls;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::table::Place;
use super::{Closed, Streams, connection, proxy_protocol};

/// Time to close what has not finished its handshake.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// Wait after an accept that failed: the system is out of file descriptors or memory.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);

/// What a listener is told.
#[derive(Clone)]
pub struct Options {
    /// Where connections are served.
    pub streams: Streams,
    /// Its place in the configuration.
    pub listener: u16,
    /// Address to listen on; port 0 takes a free one, the same after a restart.
    pub address: SocketAddr,
    /// TLS from the first octet, after the PROXY protocol.
    pub tls: Option<ServerTls>,
    /// Who must speak the PROXY protocol, and is believed. All others must not.
    pub proxies: Arc<[Cidr]>,
    /// Tells the address once it is bound.
    pub bound: watch::Sender<Option<SocketAddr>>,
}

/// The actor.
pub struct Listener;

/// What a running listener holds.
pub struct State {
    _registration: Registration,
}

/// Nothing is said to a listener: it ends with its socket loop.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

struct Door {
    options: Options,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Actor for Listener {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Options);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, options): (Seat, Options),
    ) -> Result<State, ActorProcessingErr> {
        let door = Arc::new(Door { options, accepted: AtomicU64::new(0), refused: AtomicU64::new(0) });
        let registration = seat.register(observe(&door));
        seat.attach(myself.get_cell(), listen(door, seat.shutdown.clone()));
        Ok(State { _registration: registration })
    }
}

fn observe(door: &Arc<Door>) -> Observe {
    let door = Arc::clone(door);
    Arc::new(move || Observation {
        state: if door.options.bound.borrow().is_some() { "listening" } else { "waiting" }.into(),
        queue_depth: 0,
        counters: vec![
            ("accepted", door.accepted.load(Ordering::Relaxed)),
            ("refused", door.refused.load(Ordering::Relaxed)),
        ],
        note: door.options.bound.borrow().map(|address| {
            if door.options.tls.is_some() { format!("{address} tls") } else { format!("{address} tcp") }
        }),
    })
}

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for sip: {error}")]
struct Error {
    address: SocketAddr,
    error: std::io::Error,
}

async fn listen(door: Arc<Door>, shutdown: Shutdown) -> Result<(), Error> {
    let known = *door.options.bound.borrow();
    let address = known.unwrap_or(door.options.address);
    let failed = |error| Error { address, error };
    let socket = door.options.streams.0.options.net.listen(address).await.map_err(failed)?;
    door.options.bound.send_replace(Some(socket.local_addr().map_err(failed)?));
    accept_loop(door, socket, shutdown).await;
    Ok(())
}

async fn accept_loop(door: Arc<Door>, mut socket: Box<dyn Socket>, shutdown: Shutdown) {
    let mut handshakes = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            Some(_ended) = handshakes.join_next(), if !handshakes.is_empty() => continue,
            () = shutdown.requested() => return,
        };
        match accepted {
            Ok((stream, peer)) => door.on_connection(&mut handshakes, stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a sip connection could not be accepted");
                sleep(ACCEPT_WAIT).await;
            }
        }
    }
}

impl Door {
    fn on_connection(self: &Arc<Self>, handshakes: &mut JoinSet<()>, stream: Stream, peer: SocketAddr) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let proxied = self.options.proxies.iter().any(|network| network.contains(peer.ip()));
        // A proxy stands for many peers: they are counted once they are known.
        let place =
            if proxied { self.options.streams.enter_unknown() } else { self.options.streams.enter(peer) };
        let Some(place) = place else {
            self.refuse(peer, Closed::Limit);
            return;
        };
        let door = Arc::clone(self);
        handshakes.spawn(async move { door.greet(stream, peer, place, proxied).await });
    }

    /// Does what comes before SIP, then leaves the connection to a task of its own.
    async fn greet(self: Arc<Self>, mut stream: Stream, peer: SocketAddr, mut place: Place, proxied: bool) {
        let within = self.options.streams.0.options.limits.connect;
        let mut source = peer;
        if proxied {
            let Ok(Ok(told)) = timeout(within, read_source(&mut stream)).await else {
                return self.refuse(peer, Closed::Proxy);
            };
            source = told.unwrap_or(peer);
            if told.is_some() && !place.move_to(source.ip()) {
                return self.refuse(source, Closed::Limit);
            }
        }
        if let Some(tls) = &self.options.tls {
            match timeout(within, tls.acceptor().accept(stream)).await {
                Ok(Ok(accepted)) => stream = Box::new(accepted),
                Ok(Err(_)) | Err(_) => return self.refuse(source, Closed::Tls),
            }
        }
        let streams = &self.options.streams;
        streams.0.options.metrics.accepted.inc();
        let flow = connection::flow(self.options.listener, self.options.tls.is_some(), source, place.id);
        streams.0.runtime.spawn(connection::serve(streams.clone(), place, flow, stream));
    }

    fn refuse(&self, peer: SocketAddr, why: Closed) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.options.streams.count_closed(why);
        tracing::debug!(%peer, reason = why.name(), "sip connection refused");
    }
}

async fn read_source(stream: &mut Stream) -> std::io::Result<Option<SocketAddr>> {
    let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    let mut fixed = [0; proxy_protocol::FIXED];
    stream.read_exact(&mut fixed).await?;
    let head = proxy_protocol::read_head(&fixed).map_err(invalid)?;
    let mut rest = vec![0; head.rest];
    stream.read_exact(&mut rest).await?;
    proxy_protocol::read_source(head, &rest).map_err(invalid)
}

/// The listener as a child of the `listeners` supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let name = ActorName::new("sip_listener", options.address.to_string());
    let start = Start::actor(move |seat: Seat| {
        let options = options.clone();
        async move { Ok(seat.spawn(Listener, (seat.clone(), options)).await?.get_cell()) }
    });
    ChildSpec::new(name, Restart::Permanent, start).shutdown(SHUTDOWN)
}
