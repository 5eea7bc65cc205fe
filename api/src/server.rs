//! The accept loop of one surface.
//!
//! Owns: its connections. Key: `api_server:<address>`, `metrics_server:<address>` or
//! `control_server:<path>`; parent: the `api` supervisor; permanent. A crash loses the open connections; the
//! socket is kept and taken up by the next incarnation, and clients ask again.
//!
//! warp's own server has no header timeout, no limit of connections and no drain; this loop has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use runtime::net::Stream;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::dispatch::{self, Dispatch};
use crate::socket::Socket;

/// Time for requests under way when the server stops; what is still open then is cut.
const DRAIN: Duration = Duration::from_secs(3);
const SHUTDOWN: Duration = Duration::from_secs(5);
/// Wait after an accept that failed: the system is out of file descriptors or memory.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// Octets of a request's line and header.
const HEADER_OCTETS_MAX: usize = 16 * 1024;
/// Fields of a request's header.
const HEADERS_MAX: usize = 64;

/// One surface, over all incarnations of its server.
pub(crate) struct Server {
    pub(crate) name: ActorName,
    pub(crate) dispatch: Arc<Dispatch>,
    /// Held by the incarnation that runs.
    pub(crate) socket: Mutex<Socket>,
    /// Connections at one time; more wait in the socket's backlog.
    pub(crate) connections_max: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) figures: Arc<Figures>,
}

/// What operators see.
#[derive(Default)]
pub(crate) struct Figures {
    open: AtomicU64,
    accepted: AtomicU64,
}

impl Server {
    async fn run(self: Arc<Self>, seat: Seat) -> Result<(), BoxError> {
        let _registration = seat.register(self.observe());
        let service = TowerToHyperService::new(warp::service(dispatch::filter(Arc::clone(&self.dispatch))));
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.connections_max));
        // Aborted with this future: no connection outlives its server.
        let mut connections = JoinSet::new();
        let mut socket = self.socket.lock().await;
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                accepted = accept(&places, &mut socket) => accepted,
                () = seat.shutdown.requested() => break,
            };
            let (place, stream) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(server = %self.name, %error, "a connection could not be accepted");
                    sleep(ACCEPT_WAIT).await;
                    continue;
                }
            };
            let service = service.clone();
            let service = service_fn(move |request| service.call(with_path(request)));
            let connection = self.http().serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            let open = Open::new(&self.figures);
            connections.spawn(async move {
                if let Err(error) = connection.await {
                    // The peer's matter: it went away or speaks something else.
                    tracing::debug!(%error, "connection ended");
                }
                drop((open, place));
            });
        }
        if timeout(DRAIN, graceful.shutdown()).await.is_err() {
            tracing::info!(server = %self.name, open = connections.len(), "connections are cut");
        }
        Ok(())
    }

    fn http(&self) -> http1::Builder {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_header_size(HEADER_OCTETS_MAX)
            .max_headers(HEADERS_MAX);
        http
    }

    fn observe(self: &Arc<Self>) -> Observe {
        let server = Arc::clone(self);
        Arc::new(move || Observation {
            state: "listening".into(),
            queue_depth: server.figures.open.load(Ordering::Relaxed),
            counters: vec![
                ("accepted", server.figures.accepted.load(Ordering::Relaxed)),
                ("requests", server.dispatch.requests.load(Ordering::Relaxed)),
            ],
            note: None,
        })
    }
}

/// The server as a child of the `api` supervisor.
pub(crate) fn child_spec(server: Arc<Server>) -> ChildSpec {
    let name = server.name.clone();
    let start = Start::task(move |seat: Seat| Arc::clone(&server).run(seat));
    ChildSpec::new(name, Restart::Permanent, start).shutdown(SHUTDOWN)
}

/// A place first, then the connection: when all places are taken the rest wait in the backlog.
async fn accept(
    places: &Arc<Semaphore>,
    socket: &mut Socket,
) -> std::io::Result<(tokio::sync::OwnedSemaphorePermit, Stream)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = socket.accept().await?;
    tracing::trace!(?peer, "connection");
    Ok((place, stream))
}

/// `CONNECT host:port` has no path, at which warp 0.4.3 panics; it is given one that no route has.
fn with_path(mut request: Request<Incoming>) -> Request<Incoming> {
    if request.uri().path_and_query().is_none() {
        *request.uri_mut() = hyper::Uri::from_static("/");
    }
    request
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
