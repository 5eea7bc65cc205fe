//! Who fetches certificates, and reads the files of `[stir]` again.
//!
//! Owns nothing: what is wanted and what is known stand in [`Identities`]. Its key is `sip_certificates:main:0`, its parent
//! the `sip` supervisor, its restart policy permanent; it is there only where `[stir]` is configured. A crash loses the
//! fetches under way, which the next calls want again. No call waits for it longer than `stir.certificate_wait`.
//!
//! Callers choose where certificates are: what may not be asked is never wanted (`Place`), only public addresses are asked,
//! no redirect is followed, and time and length are bounded ([`HttpClient`]).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use runtime::clock::SharedClock;
use runtime::http_client::{HttpClient, Response};
use runtime::model::VerifyIdentity;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use stir::{Failure, certificate};
use tokio::time::{Instant, sleep};

use super::certificates::Outcome;
use super::{Error as Unusable, Identities, Term, seconds};
use crate::sip::calls::Calls;
use crate::sip::counters::Counters;
use crate::sip::snapshot::Snapshot;

/// How long a certificate is good whose server does not say, and the shortest and longest that one may say.
const LIFETIME: Duration = Duration::from_hours(1);
const LIFETIME_MIN: Duration = Duration::from_mins(1);
const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// How long one that could not be had, or is not believed, is not asked for again.
const REFUSED_FOR: Duration = Duration::from_mins(1);
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often the log says of our own certificate that it ends, or has ended, in seconds.
const SAY_EVERY: u64 = 86_400;
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

/// Two loops, so that files on a system that does not answer keep nobody from fetching.
async fn run(calls: &Arc<Calls>, client: &HttpClient, face: &Face) -> Infallible {
    let fetching = Fetching {
        identities: &calls.settings.identities,
        counters: &calls.counters,
        clock: &calls.clock,
        client,
        face,
    };
    tokio::select! {
        never = fetching.run() => never,
        never = watch(calls) => never,
    }
}

/// What fetching needs.
struct Fetching<'a> {
    identities: &'a Identities,
    counters: &'a Counters,
    clock: &'a SharedClock,
    client: &'a HttpClient,
    face: &'a Face,
}

impl Fetching<'_> {
    async fn run(&self) -> Infallible {
        let certificates = &self.identities.certificates;
        let mut fetches = FuturesUnordered::new();
        certificates.begin();
        loop {
            // So many at one time as it gives away.
            while let Some(url) = certificates.next_wanted() {
                fetches.push(self.fetch(url));
            }
            self.counters.certificates_dropped.add(certificates.take_dropped());
            tokio::select! {
                Some(()) = fetches.next(), if !fetches.is_empty() => {}
                () = certificates.news() => {}
            }
        }
    }

    /// Fetches a certificate and puts it where it is looked for.
    async fn fetch(&self, url: Box<str>) {
        let got = get(self.client, &url).await;
        let (outcome, lifetime) = judged(self.identities, got, seconds(self.clock.now()));
        let (counter, told) = if outcome.is_ok() {
            (&self.counters.certificates_fetched, &self.face.fetched)
        } else {
            (&self.counters.certificates_refused, &self.face.refused)
        };
        counter.add(1);
        told.fetch_add(1, Ordering::Relaxed);
        self.identities.certificates.put(&url, outcome, lifetime, Instant::now().into_std());
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Http(#[from] runtime::http_client::Error),
    #[error("status {0}")]
    Status(u16),
    #[error("it is too long")]
    Length,
}

async fn get(client: &HttpClient, url: &str) -> Result<Response, Error> {
    let response = client.get(url).await?;
    if response.status.as_u16() != 200 {
        return Err(Error::Status(response.status.as_u16()));
    }
    if response.truncated {
        return Err(Error::Length);
    }
    Ok(response)
}

/// What a response is worth at this time, in seconds since 1970, and for how long.
fn judged(identities: &Identities, got: Result<Response, Error>, now: u64) -> (Outcome, Duration) {
    let response = match got {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(%error, "a certificate of an Identity cannot be had");
            return (Err(Failure::Unavailable), REFUSED_FOR);
        }
    };
    let said = response.headers.get("cache-control").and_then(|value| value.to_str().ok());
    let error = match identities.authorities().certificate(&response.body, now) {
        Ok(certificate) => {
            let left = certificate.not_after().saturating_sub(now);
            return (Ok(Arc::new(certificate)), lifetime(said).min(Duration::from_secs(left)));
        }
        Err(error) => error,
    };
    tracing::debug!(%error, "a certificate of an Identity is not believed");
    // A page of an error, or half a file: it says nothing of the certificate that is there at other times.
    let is_none = matches!(error, certificate::Error::Empty | certificate::Error::Form(_));
    let failure = if is_none { Failure::Unavailable } else { Failure::Credential };
    (Err(failure), REFUSED_FOR)
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

/// Reads the files again and again, and says of them what is to be said.
async fn watch(calls: &Calls) -> Infallible {
    let identities = &calls.settings.identities;
    let mut said = Said::default();
    loop {
        let reading = Arc::clone(identities);
        if let Ok(outcome) = tokio::task::spawn_blocking(move || reading.reload()).await {
            said.of_files(outcome, identities.signs());
        }
        let now = seconds(calls.clock.now());
        said.of_own(identities.term(now), identities.ends_at(), now);
        said.of_policy(identities.wait().is_zero() && refuses(&calls.snapshot.load()));
        sleep(LOOK_EVERY).await;
    }
}

/// Whether a trunk or a vendor refuses calls by their Identity.
fn refuses(snapshot: &Snapshot) -> bool {
    let trunks = snapshot.trunks.iter().map(|trunk| trunk.config.verify_identity);
    let vendors = snapshot.vendors.iter().map(|vendor| vendor.config.verify_identity);
    trunks.chain(vendors).any(|policy| policy == VerifyIdentity::Refuse)
}

/// What was said in the log. Each of these is true when it says something.
#[derive(Default)]
struct Said {
    complaint: Option<String>,
    /// Of our own certificate, and when.
    own: Option<(Term, u64)>,
    goes_unchecked: bool,
}

impl Said {
    /// What came of reading the files.
    fn of_files(&mut self, outcome: Result<bool, Unusable>, signs: bool) -> bool {
        let error = match outcome {
            Ok(has_changed) => {
                self.complaint = None;
                if has_changed {
                    tracing::info!(signs, "the files of stir are read again");
                }
                return has_changed;
            }
            Err(error) => error,
        };
        let text = error.to_string();
        let is_new = self.complaint.as_ref() != Some(&text);
        if is_new {
            tracing::error!(%error, "the files of stir cannot be used, what was there before stays");
            self.complaint = Some(text);
        }
        is_new
    }

    /// Of our own certificate: at once when there is something new, and every day.
    fn of_own(&mut self, term: Term, ends_at: Option<u64>, now: u64) -> bool {
        let is_known = |(said, at): (Term, u64)| said == term && now.saturating_sub(at) < SAY_EVERY;
        if term == Term::Good {
            self.own = None;
            return false;
        }
        if self.own.is_some_and(is_known) {
            return false;
        }
        self.own = Some((term, now));
        if term == Term::Over {
            tracing::error!("calls are not signed: the certificate of stir is not valid now");
        } else {
            let days = ends_at.map_or(0, |ends_at| ends_at.saturating_sub(now) / 86_400);
            tracing::warn!(days, "the certificate that calls are signed with ends soon");
        }
        true
    }

    /// Of who refuses calls without waiting for certificates.
    fn of_policy(&mut self, goes_unchecked: bool) -> bool {
        let is_new = goes_unchecked && !self.goes_unchecked;
        self.goes_unchecked = goes_unchecked;
        if is_new {
            tracing::warn!(
                "refuse passes calls whose certificate is not known yet: stir.certificate_wait is 0s"
            );
        }
        is_new
    }
}

fn observe(calls: &Arc<Calls>, face: &Arc<Face>) -> Observe {
    let (calls, face) = (Arc::clone(calls), Arc::clone(face));
    Arc::new(move || {
        let identities = &calls.settings.identities;
        let certificates = &identities.certificates;
        let (proven, unproven) = certificates.known();
        Observation {
            state: if identities.signs() { "signing" } else { "checking" }.into(),
            queue_depth: certificates.wanted() as u64,
            counters: vec![
                ("signatures", identities.signatures()),
                ("certificates", proven as u64),
                ("unproven", unproven as u64),
                ("fetched", face.fetched.load(Ordering::Relaxed)),
                ("refused", face.refused.load(Ordering::Relaxed)),
                ("dropped", calls.counters.certificates_dropped.get()),
            ],
            note: None,
        }
    })
}

#[cfg(test)]
mod tests;
