//! A client of HTTP/1.1 for single requests to others: key documents, webhooks.
//!
//! One connection for each request, no redirect followed, no proxy, no cookie, no compression. Everything has
//! an end: the connection, the whole exchange, the header, the body. With [`AddressPolicy::PublicOnly`] the
//! client itself resolves the name, refuses it when any of its addresses is not public, and connects to an
//! address that it has checked: a name that answers differently the second time gains nothing.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{self, Either};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use crate::net::{Net, OsNet, Stream};
use crate::tls::ClientTls;

pub use self::policy::AddressPolicy;
pub use self::resolve::{Resolve, SystemResolver};
pub use self::target::URL_OCTETS_MAX;
use self::target::{Place, Target};

mod policy;
mod resolve;
mod target;

/// Addresses of a name that are tried.
const ADDRESSES_TRIED_MAX: usize = 4;
/// Lines of a response's header.
const HEADERS_MAX: usize = 64;
/// The header of a response, octets.
const HEADER_OCTETS_MAX: usize = 32 * 1024;
/// What belongs to the connection and is not the caller's to set.
const OURS: [HeaderName; 8] =
    [CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Why there is no response. Short enough for a log line, and without the addresses of our network.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is none that is asked.
    #[error("the URL is not acceptable: {0}")]
    Url(&'static str),
    /// The name has no address, or the resolver failed.
    #[error("{host} has no address: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// An address of the host is not public, and only public ones are allowed.
    #[error("{host} is not on the public internet")]
    Denied {
        /// The host.
        host: String,
        /// The address; not part of the text, which a customer may see.
        address: IpAddr,
    },
    /// No connection, or no TLS on it.
    #[error("no connection to {host}: {source}")]
    Connect {
        /// The host.
        host: String,
        /// What the system said of the last address.
        source: io::Error,
    },
    /// The connection took too long.
    #[error("no connection to {0} in time")]
    ConnectTimeout(String),
    /// The response took too long.
    #[error("no whole response of {0} in time")]
    Timeout(String),
    /// The exchange failed: the connection broke, or what came is no HTTP.
    #[error("the exchange with {host} failed: {source}")]
    Exchange {
        /// The host.
        host: String,
        /// What hyper said.
        source: hyper::Error,
    },
}

/// Refuses what is no URL of a place that may be asked; a name is resolved only when it is.
///
/// # Errors
/// [`Error::Url`]; [`Error::Denied`] for an address that the policy does not allow.
pub fn check_url(url: &str, policy: AddressPolicy) -> Result<(), Error> {
    let target = Target::parse(url)?;
    match target.host {
        Place::Address(address) if !policy.allows(address) => {
            Err(Error::Denied { host: target.name(), address })
        }
        Place::Address(_) | Place::Name(_) => Ok(()),
    }
}

/// The host of a URL that is asked by TLS: a name, or an address.
///
/// # Errors
/// [`Error::Url`], also where it is not https.
pub fn secure_host(url: &str) -> Result<String, Error> {
    let target = Target::parse(url)?;
    if target.secure { Ok(target.name()) } else { Err(Error::Url("its scheme is not https")) }
}

/// A URL that is asked by TLS, and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecureUrl {
    /// In the one spelling that all of the same place have; without a fragment, which is never sent.
    pub text: String,
    /// A name, or an address.
    pub host: String,
    /// Never 0.
    pub port: u16,
    /// Whether it has neither query nor fragment.
    pub is_bare: bool,
}

impl SecureUrl {
    /// Reads one.
    ///
    /// # Errors
    /// As [`secure_host`].
    pub fn parse(url: &str) -> Result<Self, Error> {
        let target = Target::parse(url)?;
        if !target.secure {
            return Err(Error::Url("its scheme is not https"));
        }
        let authority = target.authority.to_str().map_err(|_| Error::Url("its host is no name"))?;
        Ok(Self {
            text: format!("https://{authority}{}", target.path),
            host: target.name(),
            port: target.port,
            is_bare: !target.path.contains('?') && !url.contains('#'),
        })
    }
}

/// How long and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Resolving, connecting and the TLS handshake.
    pub connect: Duration,
    /// All of it, from the call to the last octet of the body.
    pub whole: Duration,
    /// The body of a response, octets; the rest is not read.
    pub body_octets_max: usize,
}

impl Default for Limits {
    /// 3 s, 10 s, 64 KiB.
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), whole: Duration::from_secs(10), body_octets_max: 64 * 1024 }
    }
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status, redirects and errors among them.
    pub status: StatusCode,
    /// The header.
    pub headers: HeaderMap,
    /// The body up to [`Limits::body_octets_max`].
    pub body: Bytes,
    /// Whether there was more of it.
    pub truncated: bool,
}

/// Asks others. Clones share everything.
#[derive(Clone)]
pub struct HttpClient {
    tls: ClientTls,
    policy: AddressPolicy,
    limits: Limits,
    net: Arc<dyn Net>,
    resolver: Arc<dyn Resolve>,
}

impl HttpClient {
    /// A client on the system's network with the system's resolver and the default [`Limits`].
    #[must_use]
    pub fn new(tls: ClientTls, policy: AddressPolicy) -> Self {
        Self {
            tls,
            policy,
            limits: Limits::default(),
            net: Arc::new(OsNet),
            resolver: Arc::new(SystemResolver::default()),
        }
    }

    /// The same client with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same client on another network and with another resolver.
    #[must_use]
    pub fn with_network(mut self, net: Arc<dyn Net>, resolver: Arc<dyn Resolve>) -> Self {
        self.net = net;
        self.resolver = resolver;
        self
    }

    /// GET.
    ///
    /// # Errors
    /// There is no whole response; a status of 400 or more is one.
    pub async fn get(&self, url: &str) -> Result<Response, Error> {
        self.ask(Method::GET, url, HeaderMap::new(), Bytes::new()).await
    }

    /// POST. Host, Content-Length and what else belongs to the connection is set here, not by `headers`.
    ///
    /// # Errors
    /// As [`HttpClient::get`]. The request may have arrived nevertheless.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Bytes) -> Result<Response, Error> {
        self.ask(Method::POST, url, headers, body).await
    }

    /// [`HttpClient::post`] with headers by name; one that is none is left out.
    ///
    /// # Errors
    /// As [`HttpClient::post`].
    pub async fn post_with(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Response, Error> {
        let named = headers.iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
        });
        self.post(url, named.collect(), body).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, Error> {
        let target = Target::parse(url)?;
        let host = target.name();
        let request = request(method, &target, headers, body)?;
        let start = Instant::now();
        let deadline = start + self.limits.whole;
        let connected = deadline.min(start + self.limits.connect);
        let stream = timeout_at(connected, self.connect(&target, connected))
            .await
            .unwrap_or_else(|_| Err(Error::ConnectTimeout(host.clone())))?;
        match timeout_at(deadline, exchange(stream, request, self.limits.body_octets_max)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(source)) => Err(Error::Exchange { host, source }),
            Err(_) => Err(Error::Timeout(host)),
        }
    }

    /// A connection to the first of the target's addresses that takes one.
    async fn connect(&self, target: &Target, deadline: Instant) -> Result<Stream, Error> {
        let addresses = self.addresses(target).await?;
        let mut left = u32::try_from(addresses.len().min(ADDRESSES_TRIED_MAX)).unwrap_or(1);
        let mut failure = io::Error::from(io::ErrorKind::TimedOut);
        for address in addresses.into_iter().take(ADDRESSES_TRIED_MAX) {
            // One address that does not answer leaves time for the next.
            let share = deadline.saturating_duration_since(Instant::now()) / left.max(1);
            left = left.saturating_sub(1);
            match timeout_at(Instant::now() + share, self.connect_to(target, address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::Error::from(io::ErrorKind::TimedOut),
            }
        }
        Err(Error::Connect { host: target.name(), source: failure })
    }

    async fn connect_to(&self, target: &Target, address: IpAddr) -> io::Result<Stream> {
        // A literal: the network resolves nothing any more.
        let literal = address.to_string();
        let stream = self.net.connect(&literal, target.port).await?;
        if target.secure { self.tls.connect(stream, &target.name()).await } else { Ok(stream) }
    }

    /// The addresses of the target, every one allowed.
    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, Error> {
        let addresses = match &target.host {
            Place::Address(address) => vec![*address],
            Place::Name(name) => {
                let failed = |source| Error::Resolve { host: name.clone(), source };
                let addresses = self.resolver.addresses(name).await.map_err(failed)?;
                if addresses.is_empty() {
                    return Err(failed(io::Error::from(io::ErrorKind::NotFound)));
                }
                addresses
            }
        };
        // One bad address condemns the name: nobody mixes them but to get in.
        match addresses.iter().find(|address| !self.policy.allows(**address)) {
            Some(address) => Err(Error::Denied { host: target.name(), address: *address }),
            None => Ok(addresses),
        }
    }
}

fn request(
    method: Method,
    target: &Target,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Error> {
    for name in &OURS {
        headers.remove(name);
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static("warp"));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.insert(HOST, target.authority.clone());
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut request = Request::builder()
        .method(method)
        .uri(target.path.as_str())
        .body(Full::new(body))
        .map_err(|_| Error::Url("its path is none"))?;
    *request.headers_mut() = headers;
    Ok(request)
}

async fn exchange(
    stream: Stream,
    request: Request<Full<Bytes>>,
    body_octets_max: usize,
) -> Result<Response, hyper::Error> {
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_OCTETS_MAX)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await?;
    let answered = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let (body, truncated) = read(body, body_octets_max).await?;
        Ok(Response { status: head.status, headers: head.headers, body, truncated })
    };
    // In this task, so that giving up closes the connection.
    drive(answered, connection).await
}

/// `answered`, while `connection` runs; what the connection has already read is still delivered after its end.
async fn drive<T>(
    answered: impl Future<Output = Result<T, hyper::Error>>,
    connection: impl Future<Output = Result<(), hyper::Error>>,
) -> Result<T, hyper::Error> {
    match future::select(std::pin::pin!(answered), std::pin::pin!(connection)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right((ended, answered)) => match answered.await {
            Err(error) => Err(ended.err().unwrap_or(error)),
            answer => answer,
        },
    }
}

async fn read(mut body: Incoming, octets_max: usize) -> Result<(Bytes, bool), hyper::Error> {
    if octets_max == 0 {
        // Nobody reads it: how long it takes is not our matter.
        return Ok((Bytes::new(), !body.is_end_stream()));
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = octets_max.saturating_sub(read.len());
        read.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            return Ok((read.freeze(), true));
        }
    }
    Ok((read.freeze(), false))
}

#[cfg(test)]
mod tests;
