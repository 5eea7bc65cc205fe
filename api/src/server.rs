//! The accept loop of one surface.
//!
//! Owns: its connections. Key: `api_server:<address>`, `metrics_server:<address>` or
//! `control_server:<path>`; parent: the `api` supervisor; permanent. A crash loses the open connections; the
//! socket is kept and taken up by the next incarnation, and clients ask again.
//!
//! warp's own server has no deadlines, no limits of connections and no drain; this loop has them. It speaks HTTP/1.1
//! and h2, the latter by ALPN or with prior knowledge.

mod activity;
mod connection;
mod places;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::service::TowerToHyperService;
use runtime::net::Stream;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use runtime::tls::ServerTls;
use tokio::sync::{Mutex, OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::connection::Terms;
pub(crate) use self::connection::Times;
use self::places::AddressPlace;
pub(crate) use self::places::Places;
use crate::dispatch::{self, Dispatch};
use crate::socket::Socket;

/// Time for requests under way when the server stops; what is still open then is cut.
const DRAIN: Duration = Duration::from_secs(3);
const SHUTDOWN: Duration = Duration::from_secs(5);
/// Wait after an accept that failed: the system is out of file descriptors or memory.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);

/// Who is at the other end of the connection that a request came by: an extension of the request. There is none on the
/// control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// One listener of a surface, over all incarnations of its server.
pub(crate) struct Server {
    pub(crate) name: ActorName,
    pub(crate) dispatch: Arc<Dispatch>,
    /// Held by the incarnation that runs.
    pub(crate) socket: Mutex<Socket>,
    /// TLS from the first octet.
    pub(crate) tls: Option<ServerTls>,
    /// Connections at one time; more wait, more of one address are closed.
    pub(crate) places: Arc<Places>,
    pub(crate) times: Times,
    pub(crate) figures: Arc<Figures>,
}

/// What operators see.
#[derive(Default)]
pub(crate) struct Figures {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// A connection, its peer, and the places that it has until these are dropped.
type Accepted = (Stream, Option<Peer>, (OwnedSemaphorePermit, AddressPlace));

impl Server {
    async fn run(self: Arc<Self>, seat: Seat) -> Result<(), BoxError> {
        let _registration = seat.register(self.observe());
        let service = TowerToHyperService::new(warp::service(dispatch::filter(Arc::clone(&self.dispatch))));
        let (stop, stopped) = watch::channel(false);
        let terms = Terms::new(self.tls.clone(), self.times, stopped);
        // Aborted with this future: no connection outlives its server.
        let mut connections = JoinSet::new();
        let mut socket = self.socket.lock().await;
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                accepted = self.accept(&mut socket) => accepted?,
                () = seat.shutdown.requested() => break,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let (terms, service) = (terms.clone(), service.clone());
            let open = Open::new(&self.figures);
            connections.spawn(async move {
                if let Err(error) = terms.serve(stream, peer, service).await {
                    // The peer's matter: it went away, is slow or speaks something else.
                    tracing::debug!(peer = ?peer.map(|Peer(address)| address), %error, "connection ended");
                }
                drop((open, place));
            });
        }
        stop.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout(DRAIN, drained).await.is_err() {
            tracing::info!(server = %self.name, open = connections.len(), "connections are cut");
        }
        Ok(())
    }

    /// The next connection and its places; none when it could not be taken. Dropping the future may lose one, as is
    /// right for a server that stops.
    async fn accept(&self, socket: &mut Socket) -> Result<Option<Accepted>, BoxError> {
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(server = %self.name, %error, "a connection could not be accepted");
                sleep(ACCEPT_WAIT).await;
                return Ok(None);
            }
        };
        let Some(of_address) = self.places.of(peer) else {
            self.figures.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(server = %self.name, ?peer, "too many connections of one address, this one is closed");
            return Ok(None);
        };
        // Others wait meanwhile, in the backlog of the socket.
        let place = self.places.any().await?;
        Ok(Some((stream, peer.map(Peer), (place, of_address))))
    }

    fn observe(self: &Arc<Self>) -> Observe {
        let server = Arc::clone(self);
        Arc::new(move || Observation {
            state: "listening".into(),
            queue_depth: server.figures.open.load(Ordering::Relaxed),
            counters: vec![
                ("accepted", server.figures.accepted.load(Ordering::Relaxed)),
                ("refused", server.figures.refused.load(Ordering::Relaxed)),
                ("requests", server.dispatch.requests.load(Ordering::Relaxed)),
            ],
            note: server.tls.as_ref().map(|_| "tls".to_owned()),
        })
    }
}

/// The server as a child of the `api` supervisor.
pub(crate) fn child_spec(server: Arc<Server>) -> ChildSpec {
    let name = server.name.clone();
    let start = Start::task(move |seat: Seat| Arc::clone(&server).run(seat));
    ChildSpec::new(name, Restart::Permanent, start).shutdown(SHUTDOWN)
}

/// An open connection, counted until dropped.
struct Open(Arc<Figures>);

impl Open {
    fn new(figures: &Arc<Figures>) -> Self {
        figures.accepted.fetch_add(1, Ordering::Relaxed);
        figures.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(figures))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
