//! One connection, from its first octet to its last: TLS, HTTP/1.1 or h2, deadlines, drain.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use runtime::net::Stream;
use runtime::supervision::BoxError;
use runtime::tls::ServerTls;
use tokio::sync::watch;
use tokio::time::timeout;

use super::activity::{Activity, Counted, Overdue, Watched};
use super::{DRAIN, Peer};

/// Octets of a request's line and header.
const HEADER_OCTETS_MAX: u16 = 16 * 1024;
/// Fields of a request's header.
const HEADERS_MAX: usize = 64;
/// Requests at one time on one h2 connection.
const STREAMS_MAX: u32 = 128;
/// How often the peer of an h2 connection is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For the TLS handshake, for a request's header, for the answer to a ping.
    pub(crate) header: Duration,
    /// Without a request, until the connection is closed.
    pub(crate) idle: Duration,
}

/// What the connections of a server have in common.
#[derive(Clone)]
pub(super) struct Terms {
    http: auto::Builder<TokioExecutor>,
    tls: Option<ServerTls>,
    times: Times,
    /// True: no new requests.
    stopped: watch::Receiver<bool>,
}

impl Terms {
    pub(super) fn new(tls: Option<ServerTls>, times: Times, stopped: watch::Receiver<bool>) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            // Activity has the deadline; hyper's would end connections that wait for their next request too.
            .header_read_timeout(None)
            .max_buf_size(usize::from(HEADER_OCTETS_MAX))
            .max_headers(HEADERS_MAX);
        // Of streams that are reset before they are answered, hyper closes the connection after its own bound.
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::from(HEADER_OCTETS_MAX))
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(times.header);
        Self { http, tls, times, stopped }
    }

    /// Answers the requests of a connection until it ends.
    pub(super) async fn serve<S, B>(
        self,
        stream: Stream,
        peer: Option<Peer>,
        service: S,
    ) -> Result<(), BoxError>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let Times { header, idle } = self.times;
        let mut stopped = self.stopped.clone();
        let stream = tokio::select! {
            stream = timeout(header, self.secured(stream)) => stream??,
            () = stop(&mut stopped) => return Ok(()),
        };
        let activity = Activity::new(header, idle);
        let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
        let counting = Arc::clone(&activity);
        let service = service_fn(move |mut request: Request<Incoming>| {
            let underway = counting.request(request.version());
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let answered = service.call(with_path(request));
            async move { Ok::<_, S::Error>(answered.await?.map(|body| Counted { body, _underway: underway })) }
        });
        let mut connection = std::pin::pin!(self.http.serve_connection(io, service));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            overdue = activity.overdue() => if overdue == Overdue::Header {
                return Err("the header of a request was not there in time".into());
            },
            () = stop(&mut stopped) => {}
        }
        connection.as_mut().graceful_shutdown();
        timeout(DRAIN, connection).await?
    }

    /// The stream, after the handshake where the listener has a certificate.
    async fn secured(&self, stream: Stream) -> std::io::Result<Stream> {
        match &self.tls {
            Some(tls) => Ok(Box::new(tls.acceptor().accept(stream).await?)),
            None => Ok(stream),
        }
    }
}

async fn stop(stopped: &mut watch::Receiver<bool>) {
    // A server that is gone is stopped too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// `CONNECT host:port` has no path, at which warp 0.4.3 panics; it is given one that no route has.
fn with_path(mut request: Request<Incoming>) -> Request<Incoming> {
    if request.uri().path_and_query().is_none() {
        *request.uri_mut() = hyper::Uri::from_static("/");
    }
    request
}
