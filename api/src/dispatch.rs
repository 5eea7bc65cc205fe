//! From an HTTP request to its handler: one warp filter takes the request apart, the route table finds the
//! handler, the token is checked before the body is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use tokio::time::{Instant, timeout};
use warp::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue};
use warp::http::{Method, Response};
use warp::{Filter, Rejection};

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::request::{Query, Request, read_body};
use crate::table::{Route, Surface, Table};
use crate::token::bearer;

/// Label of requests that met no route.
const UNMATCHED: &str = "unmatched";

/// One surface's way of answering.
pub(crate) struct Dispatch {
    pub(crate) api: Arc<Api>,
    pub(crate) surface: Surface,
    pub(crate) table: Table,
    pub(crate) limits: Limits,
    /// Requests answered since start.
    pub(crate) requests: AtomicU64,
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Octets of the body.
    pub(crate) body_octets_max: usize,
    /// Time for the whole body.
    pub(crate) body_timeout: Duration,
}

/// The request line and header.
struct Head {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
}

/// The whole interface as one filter: it never rejects, so that no chain of routes is searched.
pub(crate) fn filter(
    dispatch: Arc<Dispatch>,
) -> impl Filter<Extract = (Response<Bytes>,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::any()
        .map(move || Arc::clone(&dispatch))
        .and(warp::method())
        .and(warp::path::full())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(
            |dispatch: Arc<Dispatch>, method, path: warp::path::FullPath, query, headers, body| async move {
                let head = Head { method, path: path.as_str().to_owned(), query, headers };
                dispatch.answer(head, body).await
            },
        )
}

impl Dispatch {
    async fn answer<B: Buf>(
        &self,
        head: Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Response<Bytes> {
        let started = Instant::now();
        let (route, reply) = match self.table.find(&head.method, &head.path) {
            Ok(found) => (found.route.path, self.handle(found.route, found.params, &head, body).await),
            Err(problem) => (UNMATCHED, Err(problem)),
        };
        let mut response = reply.unwrap_or_else(Problem::into_response);
        // Every answer is of this moment.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.account(&head.method, route, response.status().as_u16(), started);
        response
    }

    async fn handle<B: Buf>(
        &self,
        route: &'static Route,
        params: Vec<(String, String)>,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Reply {
        if self.surface.needs_token(route.access) {
            self.authorize(&head.headers)?;
        }
        let query = Query::parse(&head.query, route.query)?;
        let body = if route.method == Method::GET { Bytes::new() } else { self.body(body).await? };
        (route.handler)(Arc::clone(&self.api), Request { params, query, body }).await
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let detail = match header.and_then(bearer) {
            Some(token) if self.api.token.accepts(token.as_bytes()) => return Ok(()),
            Some(_) => "the token is not valid",
            None => "the header Authorization: Bearer is needed",
        };
        Err(Problem::new(Code::Unauthorized, detail))
    }

    async fn body<B: Buf>(&self, body: impl Stream<Item = Result<B, warp::Error>>) -> Result<Bytes, Problem> {
        match timeout(self.limits.body_timeout, read_body(body, self.limits.body_octets_max)).await {
            Ok(body) => body,
            Err(_) => {
                let detail = format!("the body takes over {:?}", self.limits.body_timeout);
                Err(Problem::new(Code::RequestTimeout, detail))
            }
        }
    }

    fn account(&self, method: &Method, route: &'static str, status: u16, started: Instant) {
        let elapsed = started.elapsed();
        self.requests.fetch_add(1, Ordering::Relaxed);
        // A method of the caller's invention is no label.
        let method = match method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
            _ => "other",
        };
        let metrics = &self.api.metrics;
        metrics.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        metrics.seconds.with_label_values(&[route]).observe(elapsed.as_secs_f64());
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(method, route, status, elapsed_us, surface = ?self.surface, "request");
    }
}
