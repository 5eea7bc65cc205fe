//! A listening socket for customers.
//!
//! Owns: the socket, and the connections that have not bound yet. Its key is its address
//! (`listener:0.0.0.0:2775:0`), its parent the `listeners` supervisor, its restart policy permanent; listeners
//! start last and stop first. A crash loses the connections that had not bound; bound sessions belong to
//! their supervisor and live on. One that was drained is a listener again when it is restarted.

mod unbound;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::net::{Listener as Socket, Stream};
use runtime::registry::{ActorName, Observation, Registration, Registry};
use runtime::supervision::{ChildSpec, Restart, Seat, ShardedSupervisor, Shutdown, Start};
use runtime::tls::ServerTls;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::unbound::greet;
use super::Smpp;
use super::bind_request::Gate;

/// Time to close what has not bound.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// Wait after an accept that failed: the system is out of file descriptors or memory.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);

/// Kind of a listener's name.
pub const KIND: &str = "listener";

/// What a listener is told.
#[derive(Clone)]
pub struct Options {
    /// The SMPP side of the node.
    pub smpp: Arc<Smpp>,
    /// Address to listen on; port 0 takes a free one, the same after a restart.
    pub address: SocketAddr,
    /// Number of the listener among those of this address.
    pub n: u32,
    /// TLS from the first octet.
    pub tls: Option<Arc<ServerTls>>,
    /// Where sessions live.
    pub sessions: ShardedSupervisor,
    /// Tells the address once it is bound.
    pub bound: watch::Sender<Option<SocketAddr>>,
}

/// The actor.
pub struct Listener;

/// What a running listener holds.
pub struct State {
    _registration: Registration,
    door: Arc<Door>,
}

/// What is said to a running listener; it ends with its socket loop.
#[derive(Debug)]
pub enum Message {
    /// By an operator: no more connections are taken. Those that have not bound may, sessions go on.
    Drain,
}

const _: () = assert!(size_of::<Message>() == 0);

/// Tells a listener to take no more connections until it is restarted. False when it does not run.
pub fn drain(registry: &Registry, name: &ActorName) -> bool {
    let listener = registry.actor(name).filter(|_| name.kind == KIND);
    listener.is_some_and(|cell| ActorRef::<Message>::from(cell).send_message(Message::Drain).is_ok())
}

/// Counters and limits that the accept loop and the unbound connections share.
struct Door {
    options: Options,
    /// True once no more connections are taken.
    drained: watch::Sender<bool>,
    gate: Gate,
    unbound: Mutex<HashMap<IpAddr, u32>>,
    accepted: AtomicU64,
    refused: AtomicU64,
    waiting: AtomicUsize,
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
        let door = Arc::new(Door {
            options,
            drained: watch::Sender::new(false),
            gate: Gate::default(),
            unbound: Mutex::new(HashMap::new()),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        });
        let registration = seat.register(observe(&door));
        seat.attach(myself.get_cell(), listen(Arc::clone(&door), seat.shutdown.clone()));
        Ok(State { _registration: registration, door })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Drain => _ = state.door.drained.send_replace(true),
        }
        Ok(())
    }
}

fn observe(door: &Arc<Door>) -> runtime::registry::Observe {
    let door = Arc::clone(door);
    Arc::new(move || Observation {
        state: door.state().into(),
        queue_depth: door.waiting.load(Ordering::Relaxed) as u64,
        counters: vec![
            ("accepted", door.accepted.load(Ordering::Relaxed)),
            ("refused", door.refused.load(Ordering::Relaxed)),
        ],
        note: door.options.bound.borrow().map(|address| {
            if door.options.tls.is_some() { format!("{address} tls") } else { address.to_string() }
        }),
    })
}

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}")]
struct Error {
    address: SocketAddr,
    error: std::io::Error,
}

/// Opens the socket once messages of the last run are decided on, and accepts until told to stop.
async fn listen(door: Arc<Door>, shutdown: Shutdown) -> Result<(), Error> {
    let mut recovered = door.options.smpp.recovered.subscribe();
    tokio::select! {
        _ = recovered.wait_for(|recovered| *recovered) => {}
        () = shutdown.requested() => return Ok(()),
    }
    let known = *door.options.bound.borrow();
    let address = known.unwrap_or(door.options.address);
    let failed = |error| Error { address, error };
    let socket = door.options.smpp.net.listen(address).await.map_err(failed)?;
    door.options.bound.send_replace(Some(socket.local_addr().map_err(failed)?));
    accept_loop(door, socket, shutdown).await;
    Ok(())
}

async fn accept_loop(door: Arc<Door>, mut socket: Box<dyn Socket>, shutdown: Shutdown) {
    let mut unbound = JoinSet::new();
    let mut drained = door.drained.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            Some(_ended) = unbound.join_next(), if !unbound.is_empty() => continue,
            _ = drained.wait_for(|drained| *drained) => break,
            () = shutdown.requested() => return,
        };
        match accepted {
            Ok((stream, peer)) => door.on_connection(&mut unbound, stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_WAIT).await;
            }
        }
    }
    drop(socket);
    // What has not bound yet goes on meanwhile, in the time that it has. An end would be an end of the actor.
    shutdown.requested().await;
}

impl Door {
    fn state(&self) -> &'static str {
        if *self.drained.borrow() {
            "drained"
        } else if self.options.bound.borrow().is_some() {
            "listening"
        } else {
            "waiting"
        }
    }

    fn on_connection(self: &Arc<Self>, unbound: &mut JoinSet<()>, stream: Stream, peer: SocketAddr) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let Some(place) = self.enter(peer.ip()) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.options.smpp.metrics.rate_limit_exceeded.with_label_values(&["unbound"]).inc();
            tracing::debug!(%peer, "too many connections that have not bound, closed");
            return;
        };
        let door = Arc::clone(self);
        unbound.spawn(async move {
            greet(&door, stream, peer).await;
            drop(place);
        });
    }

    fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut unbound = self.unbound.lock();
        let count = unbound.entry(peer).or_default();
        if *count >= self.options.smpp.options.unbound_per_ip_max {
            return None;
        }
        *count += 1;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Some(Place { door: Arc::clone(self), peer })
    }
}

/// A place among the connections of one address that have not bound; given back when dropped.
struct Place {
    door: Arc<Door>,
    peer: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.waiting.fetch_sub(1, Ordering::Relaxed);
        let mut unbound = self.door.unbound.lock();
        if let Some(count) = unbound.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                unbound.remove(&self.peer);
            }
        }
    }
}

/// The listener as a child of the `listeners` supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let name = ActorName::nth(KIND, options.address.to_string(), options.n);
    let start = Start::actor(move |seat: Seat| {
        let options = options.clone();
        async move { Ok(seat.spawn(Listener, (seat.clone(), options)).await?.get_cell()) }
    });
    ChildSpec::new(name, Restart::Permanent, start).shutdown(SHUTDOWN)
}
