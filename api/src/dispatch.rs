//! From an HTTP request to its handler: one warp filter takes the request apart, the route table finds the handler,
//! the gate says who asks, the route what he needs for it; only then the body is read.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use runtime::random::Random;
use runtime::seal::to_hex;
use runtime::store::customer::{Customer, Status};
use tokio::time::{Instant, timeout};
use warp::http::Method;
use warp::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
};
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::auth::gate::Refusal;
use crate::auth::principal::{Principal, Tenant};
use crate::context::Api;
use crate::cors;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::reply::Reply;
use crate::request::{Request, read_body};
use crate::server::Peer;
use crate::table::{Access, Found, Reach, Route, Surface, Table};
use crate::token::bearer;

/// Target of the line that each request leaves in the log, at the level debug.
const ACCESS: &str = "access";
/// Label of requests that met no route.
const UNMATCHED: &str = "unmatched";
/// Label of the questions of browsers.
const PREFLIGHT: &str = "preflight";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Of whom a distributed trace is (W3C Trace Context, 3.2).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a request id that a client gives.
const REQUEST_ID_MAX: usize = 64;
/// Characters of an Idempotency-Key.
const KEY_MAX: usize = 100;

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
    /// Its name in logs and answers.
    id: String,
    address: Option<IpAddr>,
    /// Who asks, once that is known.
    principal: OnceLock<Arc<Principal>>,
}

/// The whole interface as one filter: it never rejects, so that no chain of routes is searched.
pub(crate) fn filter(
    dispatch: Arc<Dispatch>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::any()
        .map(move || Arc::clone(&dispatch))
        .and(warp::method())
        .and(warp::path::full())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::body::stream())
        .then(
            |dispatch: Arc<Dispatch>,
             method,
             path: warp::path::FullPath,
             query,
             headers: HeaderMap,
             peer: Option<Peer>,
             body| async move {
                let id = request_id(&headers, &dispatch.api.smpp.random);
                let address = dispatch.api.sender(peer.map(|Peer(address)| address.ip()), &headers);
                let (path, principal) = (path.as_str().to_owned(), OnceLock::new());
                let head = Head { method, path, query, headers, id, address, principal };
                dispatch.answer(head, body).await
            },
        )
}

impl Dispatch {
    async fn answer<B: Buf>(&self, head: Head, body: impl Stream<Item = Result<B, warp::Error>>) -> Response {
        let started = Instant::now();
        let origins = &self.api.options.cors_origins;
        let asks = !origins.is_empty() && cors::is_preflight(&head.method, &head.headers);
        let methods = if asks { self.table.methods(&head.path) } else { String::new() };
        let (route, reply) = match self.table.find(&head.method, &head.path) {
            _ if !methods.is_empty() => (PREFLIGHT, Ok(cors::preflight(&methods))),
            Ok(found) => (found.route.path, self.handle(found, &head, body).await),
            Err(problem) => (UNMATCHED, Err(problem)),
        };
        let mut response = reply.unwrap_or_else(|problem| problem.into_response(&head.id));
        let headers = response.headers_mut();
        cors::admit(origins, &head.headers, headers);
        // Every answer is of this moment.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&head.id) {
            headers.insert(REQUEST_ID, id);
        }
        self.account(&head, route, response.status().as_u16(), started);
        response
    }

    async fn handle<B: Buf>(
        &self,
        Found { route, params }: Found,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Reply {
        let principal = self.principal(route, head).await?;
        let customer = self.permit(route, &params, &principal)?;
        self.refuse_suspended(route, &principal)?;
        let query = Query::parse(&head.query, route.query)?;
        let body = if route.method == Method::GET { Bytes::new() } else { self.body(body).await? };
        let mut request = Request {
            method: head.method.clone(),
            path: head.path.clone(),
            params,
            query,
            body,
            principal,
            permission: permission(route),
            customer: None,
            id: head.id.clone(),
            address: head.address,
            if_match: text(&head.headers, &IF_MATCH),
            idempotency_key: idempotency_key(&head.headers)?,
        };
        if let Some(customer) = customer {
            request.refuse_suspended(&customer)?;
            request.customer = Some(customer);
        }
        if route.body.is_some() {
            is_json(&head.headers)?;
        }
        (route.handler)(Arc::clone(&self.api), request).await
    }

    /// Who asks.
    async fn principal(&self, route: &Route, head: &Head) -> Result<Arc<Principal>, Problem> {
        if self.surface != Surface::Api {
            return Ok(Arc::clone(head.principal.get_or_init(|| Arc::clone(&self.api.control))));
        }
        let header = head.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let Some(token) = header.and_then(bearer) else {
            if route.access == Access::Open {
                return Ok(Arc::clone(&self.api.nobody));
            }
            return Err(unauthorized("the header Authorization: Bearer is needed"));
        };
        if route.access == Access::Open {
            return Ok(Arc::clone(&self.api.nobody));
        }
        match self.api.gate.admit(token, head.address, &self.api.limits.failures).await {
            Ok(principal) => {
                let principal = head.principal.get_or_init(|| principal);
                self.api.limits.take(principal)?;
                Ok(Arc::clone(principal))
            }
            Err(Refusal::Unknown) => Err(unauthorized("the token is not valid")),
            Err(Refusal::Address) => {
                Err(Problem::new(Code::Forbidden, "the key may not be used from this address"))
            }
            Err(Refusal::TooMany(problem)) => Err(problem),
            Err(Refusal::Store(error)) => Err(error.into()),
        }
    }

    /// Whether he may, and for which customer.
    fn permit(
        &self,
        route: &Route,
        params: &[(String, String)],
        principal: &Principal,
    ) -> Result<Option<Arc<Customer>>, Problem> {
        let Access::May(permission, reach) = route.access else { return Ok(None) };
        let denied = || Problem::new(Code::Forbidden, format!("{permission} is needed"));
        let part = |name: &str| params.iter().find(|(known, _)| known == name).map_or("", |(_, part)| part);
        let customer = match reach {
            Reach::Platform => return if principal.may(permission) { Ok(None) } else { Err(denied()) },
            Reach::Own => {
                return principal.tenant(permission).map(|_| None).ok_or_else(denied);
            }
            Reach::OperatorOf if !principal.operator => return Err(denied()),
            Reach::OperatorOf => self.api.customers.by_ban(part("ban")),
            Reach::Customer => part("id").parse().ok().and_then(|id| self.api.customers.get(id)),
        };
        // Who may do it for nobody is told so; who may for some is not told of others.
        principal.tenant(permission).ok_or_else(denied)?;
        let customer = customer.filter(|customer| principal.may_for(customer.id, permission));
        let unknown = || Problem::new(Code::UnknownCustomer, "there is no such customer");
        customer.map(Some).ok_or_else(unknown)
    }

    /// Where the path names no customer: who works for suspended customers alone changes nothing. Who works for others
    /// too names one, and the handler looks at that one.
    fn refuse_suspended(&self, route: &Route, principal: &Principal) -> Result<(), Problem> {
        let Access::May(permission, Reach::Own) = route.access else { return Ok(()) };
        if principal.operator || route.method == Method::GET {
            return Ok(());
        }
        let tenant = principal.tenant(permission);
        let customers = tenant.as_ref().and_then(Tenant::customers).unwrap_or_default();
        let customers = customers.iter().map(|id| self.api.customers.get(*id));
        let served = |customer: &Option<Arc<Customer>>| {
            customer.as_ref().is_some_and(|customer| customer.status != Status::Suspended)
        };
        if customers.into_iter().any(|customer| served(&customer)) {
            return Ok(());
        }
        Err(Problem::new(Code::CustomerSuspended, "the customer is suspended"))
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

    fn account(&self, head: &Head, route: &'static str, status: u16, started: Instant) {
        let elapsed = started.elapsed();
        self.requests.fetch_add(1, Ordering::Relaxed);
        // A method of the caller's invention is no label.
        let method = match head.method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
            _ => "other",
        };
        let metrics = &self.api.metrics;
        metrics.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        metrics.seconds.with_label_values(&[route]).observe(elapsed.as_secs_f64());
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        // Its fields are worked out only where the line is wanted.
        tracing::debug!(
            target: ACCESS,
            method,
            route,
            status,
            elapsed_us,
            id = head.id,
            principal = head.principal.get().map(|principal| principal.name.as_str()),
            address = head.address.map(tracing::field::display),
            trace = trace_id(&head.headers),
            surface = ?self.surface,
            "request"
        );
    }
}

fn permission(route: &Route) -> Option<crate::permission::Permission> {
    if let Access::May(permission, _) = route.access { Some(permission) } else { None }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(Code::Unauthorized, detail)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The client's, where it is one that fits into a log line; else that of its trace; else our own.
fn request_id(headers: &HeaderMap, random: &Random) -> String {
    let fits = |id: &String| {
        (1..=REQUEST_ID_MAX).contains(&id.len())
            && id.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'))
    };
    let own = || {
        let mut octets = [0; 16];
        random.fill(&mut octets);
        to_hex(&octets)
    };
    let traced = || trace_id(headers).map(str::to_owned);
    text(headers, &REQUEST_ID).filter(fits).or_else(traced).unwrap_or_else(own)
}

/// The trace that a request is part of: `version-trace_id-parent_id-flags`, and a later version may append to it.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut parts = headers.get(TRACEPARENT)?.to_str().ok()?.split('-');
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
    };
    let version = parts.next().filter(|version| hex(version, 2) && *version != "ff")?;
    let trace = parts.next().filter(|trace| hex(trace, 32) && trace.bytes().any(|octet| octet != b'0'))?;
    parts.next().filter(|parent| hex(parent, 16) && parent.bytes().any(|octet| octet != b'0'))?;
    parts.next().filter(|flags| hex(flags, 2))?;
    (version != "00" || parts.next().is_none()).then_some(trace)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| {
        (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|octet| octet.is_ascii_graphic())
    });
    let refused = || {
        Problem::new(
            Code::BadRequest,
            format!("Idempotency-Key is 1 to {KEY_MAX} printable ASCII characters"),
        )
    };
    key.map(|key| Some(key.to_owned())).ok_or_else(refused)
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("Content-Type is application/json here, not {given:?}");
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_its_client_or_by_its_trace() {
        let parent = "00f067aa0ba902b7";
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let given = |version: &str, trace: &str, rest: &str| format!("{version}-{trace}-{rest}");
        let zeros = "0".repeat(32);
        // The examples of W3C Trace Context, 3.2.4, and what is none.
        for (traceparent, found) in [
            (given("00", trace, &format!("{parent}-01")), true),
            (given("00", trace, &format!("{parent}-00")), true),
            (given("cc", trace, &format!("{parent}-01-what-the-future-will-be-like")), true),
            (given("00", trace, &format!("{parent}-01-more")), false),
            (given("ff", trace, &format!("{parent}-01")), false),
            (given("00", &zeros, &format!("{parent}-01")), false),
            (given("00", trace, "0000000000000000-01"), false),
            (given("00", &trace.to_uppercase(), &format!("{parent}-01")), false),
            (given("00", trace, parent), false),
            (String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_str(&traceparent).unwrap());
            assert_eq!(trace_id(&headers), found.then_some(trace), "{traceparent}");
            let id = request_id(&headers, &Random::seeded(1));
            assert_eq!(id == trace, found, "{traceparent}");
            assert_eq!(id.len(), 32);
            headers.insert(REQUEST_ID, HeaderValue::from_static("mine-7"));
            assert_eq!(request_id(&headers, &Random::seeded(1)), "mine-7");
        }
    }
}
