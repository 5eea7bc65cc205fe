//! Who fetches certificates, and reads the files of `[stir]` again.
//!
//! Owns nothing: what is wanted and what is known stand in [`Identities`]. Its key is `sip_certificates:main:0`, its parent
//! the `sip` supervisor, its restart policy permanent; it is there only where `[stir]` is configured. A crash loses the
//! fetches under way, which the next calls want again. No call waits for it longer than `stir.certificate_wait`.
//!
//! Callers choose where certificates are: only https is asked, only hosts that are allowed, only public addresses, no
//! redirect is followed, and time and length are bounded ([`HttpClient`]).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use runtime::http_client::{HttpClient, Response, URL_OCTETS_MAX, secure_host};
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use stir::Failure;
use tokio::time::{Instant, sleep_until};

use super::certificates::Outcome;
use super::{Identities, seconds};
use crate::sip::calls::Calls;
use crate::sip::transactions::Now;

/// Certificates that are fetched at one time.
const FETCHES_MAX: usize = 16;
/// How long a certificate is good whose server does not say, and the shortest and longest that one may say.
const LIFETIME: Duration = Duration::from_hours(1);
const LIFETIME_MIN: Duration = Duration::from_mins(1);
const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// How long one that could not be had, or is not believed, is not asked for again.
const REFUSED_FOR: Duration = Duration::from_mins(1);
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// So long before its end the log says so of our own certificate.
const FORETOLD: u64 = 7 * 86_400;
/// So that a bug of this actor uses up no restarts of the supervisor that calls depend on.
const RESTARTS: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

#[derive(Default)]
struct Face {
    fetched: AtomicU64,
    refused: AtomicU64,
}

/// The fetcher as a child of the `sip` supervisor.
#[must_use]
pub fn child_spec(calls: Arc<Calls>, client: HttpClient) -> ChildSpec {
    let face = Arc::new(Face::default());
    let start = Start::task(move |seat: Seat| {
        let (calls, client, face) = (Arc::clone(&calls), client.clone(), Arc::clone(&face));
        async move {
            let _registration = seat.register(observe(&calls, &face));
            tokio::select! {
                never = run(&calls, &client, &face) => match never {},
                () = seat.shutdown.requested() => Ok::<(), BoxError>(()),
            }
        }
    });
    let child = ChildSpec::new(ActorName::new("sip_certificates", "main"), Restart::Permanent, start);
    child.backoff(RESTARTS)
}

async fn run(calls: &Arc<Calls>, client: &HttpClient, face: &Face) -> Infallible {
    let identities = &calls.settings.identities;
    let mut fetches = FuturesUnordered::new();
    let mut watch = Watch::default();
    let mut look_at = Instant::now();
    identities.certificates.begin();
    loop {
        while fetches.len() < FETCHES_MAX
            && let Some(url) = identities.certificates.next_wanted()
        {
            fetches.push(fetch(calls, client, url));
        }
        tokio::select! {
            Some(is_good) = fetches.next(), if !fetches.is_empty() => {
                let counter = if is_good { &face.fetched } else { &face.refused };
                counter.fetch_add(1, Ordering::Relaxed);
            }
            () = identities.certificates.news(), if fetches.len() < FETCHES_MAX => {}
            () = sleep_until(look_at) => {
                watch.look(identities, calls.now()).await;
                look_at = Instant::now() + LOOK_EVERY;
            }
        }
    }
}

/// Fetches a certificate and puts it where it is looked for; true when it is good.
async fn fetch(calls: &Calls, client: &HttpClient, url: Box<str>) -> bool {
    let identities = &calls.settings.identities;
    let got = get(client, &identities.options().certificate_hosts, &url).await;
    let now = calls.now();
    let (outcome, lifetime) = judged(identities, got, now);
    let is_good = outcome.is_ok();
    let counter =
        if is_good { &calls.counters.certificates_fetched } else { &calls.counters.certificates_refused };
    counter.add(1);
    identities.certificates.put(&url, outcome, lifetime, now.instant);
    is_good
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("it is no https URL")]
    Url,
    #[error("its host is not in stir.certificate_hosts")]
    Host,
    #[error(transparent)]
    Http(#[from] runtime::http_client::Error),
    #[error("status {0}")]
    Status(u16),
    #[error("it is too long")]
    Length,
}

async fn get(client: &HttpClient, hosts: &[String], url: &str) -> Result<Response, Error> {
    if url.len() > URL_OCTETS_MAX {
        return Err(Error::Url);
    }
    let host = secure_host(url).map_err(|_| Error::Url)?;
    if !is_allowed(hosts, &host) {
        return Err(Error::Host);
    }
    let response = client.get(url).await?;
    if response.status.as_u16() != 200 {
        return Err(Error::Status(response.status.as_u16()));
    }
    if response.truncated {
        return Err(Error::Length);
    }
    Ok(response)
}

/// What a response is worth, and for how long.
fn judged(identities: &Identities, got: Result<Response, Error>, now: Now) -> (Outcome, Duration) {
    let response = match got {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(%error, "a certificate of an Identity cannot be had");
            return (Err(Failure::Unavailable), REFUSED_FOR);
        }
    };
    let said = response.headers.get("cache-control").and_then(|value| value.to_str().ok());
    match identities.authorities().certificate(&response.body, seconds(now.wall)) {
        Ok(certificate) => {
            let left = certificate.not_after().saturating_sub(seconds(now.wall));
            (Ok(Arc::new(certificate)), lifetime(said).min(Duration::from_secs(left)))
        }
        Err(error) => {
            tracing::debug!(%error, "a certificate of an Identity is not believed");
            (Err(Failure::Credential), REFUSED_FOR)
        }
    }
}

/// How long a response is good by its Cache-Control (RFC 9111, 5.2.2).
fn lifetime(said: Option<&str>) -> Duration {
    let Some(said) = said else { return LIFETIME };
    let mut found = LIFETIME;
    for directive in said.split(',').map(|directive| directive.trim().to_ascii_lowercase()) {
        if directive == "no-store" || directive == "no-cache" {
            return LIFETIME_MIN;
        }
        let seconds =
            directive.strip_prefix("max-age=").and_then(|value| value.trim_matches('"').parse().ok());
        found = seconds.map_or(found, Duration::from_secs);
    }
    found.clamp(LIFETIME_MIN, LIFETIME_MAX)
}

/// Whether certificates may be fetched from a host.
fn is_allowed(hosts: &[String], host: &str) -> bool {
    let is = |allowed: &String| match allowed.strip_prefix('*') {
        // The full stop is still before it.
        Some(below) => host.len() > below.len() && host.ends_with(below),
        None => host == allowed,
    };
    hosts.is_empty() || hosts.iter().any(is)
}

/// What was said of the files.
#[derive(Default)]
struct Watch {
    complaint: Option<String>,
    foretold: Option<u64>,
}

impl Watch {
    /// Reads the files again, and says of them what was not said before.
    async fn look(&mut self, identities: &Arc<Identities>, now: Now) {
        let reading = Arc::clone(identities);
        let Ok(outcome) = tokio::task::spawn_blocking(move || reading.reload()).await else { return };
        match outcome {
            Ok(has_changed) => {
                self.complaint = None;
                if has_changed {
                    tracing::info!(signs = identities.signs(), "the files of stir are read again");
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.complaint.as_ref() != Some(&text) {
                    tracing::error!(%error, "the files of stir cannot be used, what was there before stays");
                    self.complaint = Some(text);
                }
            }
        }
        let ends_at = identities.ends_at();
        let is_near = |ends_at: &u64| ends_at.saturating_sub(seconds(now.wall)) < FORETOLD;
        if let Some(ends_at) = ends_at.filter(is_near)
            && self.foretold.replace(ends_at) != Some(ends_at)
        {
            let days = ends_at.saturating_sub(seconds(now.wall)) / 86_400;
            tracing::warn!(days, "the certificate that calls are signed with ends soon, or has ended");
        }
    }
}

fn observe(calls: &Arc<Calls>, face: &Arc<Face>) -> Observe {
    let (calls, face) = (Arc::clone(calls), Arc::clone(face));
    Arc::new(move || {
        let certificates = &calls.settings.identities.certificates;
        Observation {
            state: if calls.settings.identities.signs() { "signing" } else { "checking" }.into(),
            queue_depth: certificates.wanted() as u64,
            counters: vec![
                ("certificates", certificates.len() as u64),
                ("fetched", face.fetched.load(Ordering::Relaxed)),
                ("refused", face.refused.load(Ordering::Relaxed)),
            ],
            note: None,
        }
    })
}

#[cfg(test)]
mod tests;
