//! Configuration of voice into effect: read when its version grows, swapped whole.
//!
//! Owns: the snapshot that calls are routed by, and which keys seal and open cookies. Its key is
//! `sip_configuration:main:0`, its parent the `sip` supervisor, its restart policy permanent. A crash loses nothing:
//! the snapshot and the keys stay, and the next incarnation reads again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use runtime::clock::Timestamp;
use runtime::model::{Gateway, Parts, Voice};
use runtime::registry::{ActorName, Observation, Observe};
use runtime::seal::RootKey;
use runtime::store::announce::{Announcements, announced_or};
use runtime::store::cookie_key::{self, CookieKey};
use runtime::store::{Db, Error, ErrorKind, version, voice};
use runtime::supervision::{
    BoxError, ChildSpec, Error as SupervisionError, Restart, Seat, Start, SupervisorHandle,
};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::account::Accounts;
use super::acl_publisher;
use super::calls::Calls;
use super::cookie::{Keys, Secret};
use super::digest::Users;
use super::identities::unmet::Unmet;
use super::names::{self, Names};
use super::snapshot::Snapshot;
use super::unanchored::Unanchored;
use super::vendor_actor;
use crate::media::metrics::Metrics;
use crate::media::pool::Node;
use crate::media::rtpengine_node;

/// Wait after the database could not be asked.
const RETRY: Duration = Duration::from_secs(1);

/// A new key of cookies seals after so many polls: until then a node may not know it.
const POLLS_TO_SPREAD: u32 = 4;

/// Where configuration comes from.
#[derive(Clone)]
pub struct Source {
    /// Configuration database.
    pub db: Db,
    /// Opens the keys of cookies, and what digests are checked with.
    pub root_key: Arc<RootKey>,
    /// How often its version is compared; the same on all nodes.
    pub poll: Duration,
    /// Say that it has changed.
    pub announcements: Announcements,
}

impl Source {
    /// Everything, at one version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(&self) -> Result<Voice, Error> {
        voice::load(&self.db).await
    }

    /// Of these keys of cookies the one that seals when a process begins, and the other one that opens. Nothing but
    /// the wall clock tells how old a key is by then; where that may be wrong the youngest waits as if it were new.
    #[must_use]
    pub fn in_force(&self, keys: &[CookieKey], now: Timestamp) -> Option<(Secret, Option<Secret>)> {
        let after = self.spread().max(cookie_key::SETTLED_MIN);
        secrets(keys, keys.first().is_some_and(|youngest| youngest.is_settled(now, after)))
    }

    /// How long all nodes take to learn of a key.
    fn spread(&self) -> Duration {
        self.poll.saturating_mul(POLLS_TO_SPREAD)
    }
}

fn secrets(keys: &[CookieKey], settled: bool) -> Option<(Secret, Option<Secret>)> {
    let (sealing, other) = cookie_key::in_force(keys, settled)?;
    Some((secret(sealing), other.map(secret)))
}

fn secret(key: CookieKey) -> Secret {
    Secret { number: key.number, key: key.key }
}

#[derive(Default)]
struct Face {
    version: AtomicI64,
    swaps: AtomicU64,
}

/// Whom the actor keeps at work.
#[derive(Clone)]
pub struct Kept {
    /// The supervisor of the actors of vendors.
    pub vendors: SupervisorHandle,
    /// That of the actors of media nodes.
    pub media: SupervisorHandle,
    /// What those count.
    pub media_metrics: Metrics,
    /// How often media nodes are asked which calls they have.
    pub media_sweep: Duration,
}

/// The actor as a child of the `sip` supervisor.
///
/// It keeps an actor for each vendor and for each media node.
pub fn child_spec(calls: Arc<Calls>, source: Source, names: Names, kept: Kept) -> ChildSpec {
    let face = Arc::new(Face::default());
    let start = Start::task(move |seat: Seat| {
        let (calls, source, face) = (Arc::clone(&calls), source.clone(), Arc::clone(&face));
        let (kept, names) = (kept.clone(), names.clone());
        async move {
            let _registration = seat.register(observe(&face));
            tokio::select! {
                () = follow(&calls, &source, (&face, &kept, &names)) => {}
                () = follow_cookies(&calls, &source) => {}
                () = seat.shutdown.requested() => {}
            }
            Ok::<(), BoxError>(())
        }
    });
    ChildSpec::new(ActorName::new("sip_configuration", "main"), Restart::Permanent, start)
}

async fn follow(calls: &Arc<Calls>, source: &Source, (face, kept, names): (&Face, &Kept, &Names)) {
    let mut in_force = InForce::default();
    let mut blind = false;
    let mut running = BTreeSet::new();
    let mut nodes = Nodes::default();
    let mut unmet = Unmet::default();
    let mut unanchored = Unanchored::default();
    let mut announced = source.announcements.subscribe();
    loop {
        match refresh(calls, source, (face, names), &mut in_force).await {
            Ok(()) => {
                if std::mem::take(&mut blind) {
                    tracing::info!("the configuration of voice can be read again");
                }
                follow_vendors(calls, &kept.vendors, &mut running).await;
                follow_nodes(calls, kept, &mut nodes).await;
                let before = std::mem::replace(&mut unmet, unmet_by(calls));
                unmet.say_after(&before);
                let before =
                    std::mem::replace(&mut unanchored, Unanchored::of(&calls.snapshot.load(), &calls.media));
                unanchored.say_after(&before);
                announced_or(&mut announced, source.poll).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut blind, true) {
                    tracing::error!(%error, "the configuration of voice cannot be read, the last one stays");
                }
                announced_or(&mut announced, RETRY).await;
            }
        }
    }
}

/// What is asked of this node that it has no files for, as both are by now.
fn unmet_by(calls: &Calls) -> Unmet {
    Unmet::of(&calls.snapshot.load(), &calls.settings.identities)
}

/// Starts the actors of vendors that are new, and stops those of vendors that are gone.
async fn follow_vendors(calls: &Arc<Calls>, vendors: &SupervisorHandle, running: &mut BTreeSet<String>) {
    let names: BTreeSet<String> =
        calls.snapshot.load().vendors.iter().map(|vendor| vendor.config.name.clone()).collect();
    if names == *running {
        return;
    }
    for gone in running.difference(&names) {
        if let Err(error) = vendors.remove(&vendor_actor::name(gone)).await {
            tracing::warn!(vendor = gone, %error, "the actor of a vendor that is gone does not stop");
        }
    }
    for new in names.difference(running) {
        match vendors.add(vendor_actor::child_spec(Arc::clone(calls), new.clone())).await {
            // Of an earlier incarnation of this actor.
            Ok(()) | Err(SupervisionError::NameTaken(_)) => {}
            Err(error) => tracing::error!(vendor = new, %error, "a vendor is not probed"),
        }
    }
    *running = names;
}

/// Actors of media nodes that run, and those that could not be started.
#[derive(Default)]
struct Nodes {
    running: BTreeMap<String, (u8, SocketAddr)>,
    failed: BTreeSet<String>,
}

/// Starts the actors of media nodes that are new, or moved, and stops those of nodes that are gone or disabled. One
/// that could not be started is tried again each time.
async fn follow_nodes(calls: &Arc<Calls>, kept: &Kept, known: &mut Nodes) {
    let nodes = calls.media.nodes();
    let enabled = || nodes.iter().filter(|node| node.is_enabled());
    let place = |node: &Node| (node.number, node.address);
    let wanted: BTreeMap<_, _> = enabled().map(|node| (node.name.as_str(), place(node))).collect();
    let gone = known.running.iter().filter(|(name, at)| wanted.get(name.as_str()) != Some(*at));
    let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
    for name in gone {
        known.running.remove(&name);
        if let Err(error) = kept.media.remove(&rtpengine_node::name(&name)).await {
            tracing::warn!(node = name, %error, "the actor of a media node that is gone does not stop");
        }
    }
    known.failed.retain(|name| wanted.contains_key(name.as_str()));
    for node in enabled() {
        if known.running.contains_key(&node.name) {
            continue;
        }
        match start_node(calls, kept, node).await {
            Ok(()) => {
                known.failed.remove(&node.name);
                known.running.insert(node.name.clone(), place(node));
            }
            // Said once.
            Err(error) if known.failed.insert(node.name.clone()) => {
                tracing::error!(node = node.name, %error, "a media node is not served, it is tried again");
            }
            Err(_) => {}
        }
    }
}

async fn start_node(calls: &Arc<Calls>, kept: &Kept, node: &Arc<Node>) -> Result<(), SupervisionError> {
    let deliver = Arc::clone(calls);
    let options = rtpengine_node::Options {
        node: Arc::clone(node),
        deliver: Arc::new(move |news| deliver.media_news(news)),
        random: calls.random.clone(),
        metrics: kept.media_metrics.clone(),
        list_every: kept.media_sweep,
    };
    match kept.media.add(rtpengine_node::child_spec(options.clone())).await {
        // Of an earlier incarnation of this actor.
        Err(SupervisionError::NameTaken(_)) if node.is_served() => Ok(()),
        // It serves what has this name no more.
        Err(SupervisionError::NameTaken(_)) => {
            kept.media.remove(&rtpengine_node::name(&node.name)).await?;
            kept.media.add(rtpengine_node::child_spec(options)).await
        }
        added => added,
    }
}

/// Beside [`follow`]: to read all of voice takes seconds where there is much of it, and may fail, and meanwhile the
/// other nodes seal with a key that this one would not know.
async fn follow_cookies(calls: &Calls, source: &Source) {
    let mut cookies = Cookies::default();
    let mut blind = false;
    let mut announced = source.announcements.subscribe();
    loop {
        let read = cookies.read(source).await;
        if let Err(error) = &read
            && !blind
        {
            tracing::error!(%error, "the keys of cookies cannot be read, the last ones stay");
        }
        if read.is_ok() && blind {
            tracing::info!("the keys of cookies can be read again");
        }
        blind = read.is_err();
        cookies.put_in_force(&calls.settings.cookies, Instant::now(), source.spread());
        announced_or(&mut announced, source.poll).await;
    }
}

/// The keys of cookies, as they were at a version.
#[derive(Default)]
struct Cookies {
    version: Option<i64>,
    keys: Vec<CookieKey>,
    /// When the youngest was seen first, by the clock of this process: the one that dated it may be ahead or behind.
    seen_at: Option<Instant>,
}

impl Cookies {
    async fn read(&mut self, source: &Source) -> Result<(), Error> {
        // The version first: keys that change in between are read again later.
        let version = version::version(&source.db).await?;
        if self.version != Some(version) {
            let keys = cookie_key::load(&source.db, &source.root_key).await?;
            self.take(keys, Instant::now());
            self.version = Some(version);
        }
        Ok(())
    }

    fn take(&mut self, keys: Vec<CookieKey>, now: Instant) {
        if self.keys.first() != keys.first() {
            self.seen_at = Some(now);
        }
        self.keys = keys;
    }

    /// The youngest seals once it has been known for `spread`, or where it seals already: since the process began, or
    /// by the last incarnation.
    fn put_in_force(&self, live: &Keys, now: Instant, spread: Duration) {
        let Some(youngest) = self.keys.first() else { return };
        let before = live.secrets();
        let known = |seen_at: Instant| now.saturating_duration_since(seen_at) >= spread;
        let settled = before.0 == secret(*youngest) || self.seen_at.is_some_and(known);
        let Some((sealing, other)) = secrets(&self.keys, settled) else { return };
        if before != (sealing, other) {
            live.replace(sealing, other);
            let opens = other.map(|other| other.number);
            tracing::info!(seals = sealing.number, ?opens, "keys of cookies in force");
        }
    }
}

/// What the snapshot was built from.
#[derive(Default)]
struct InForce {
    /// None: of an earlier incarnation, or none yet.
    voice: Option<Arc<Voice>>,
    /// Gateways with names, and what these led to.
    named: Vec<Gateway>,
    found: Vec<(String, SocketAddr)>,
}

impl InForce {
    /// Whether nothing changed that a snapshot is built from: a customer's balance is no matter of it.
    fn is_same(&self, voice: &Voice, found: &[(String, SocketAddr)]) -> bool {
        let same = |known: &Arc<Voice>| {
            Parts::CUSTOMERS.covers(voice.parts.changed_since(&known.parts))
                && voice.customers == known.customers
        };
        self.voice.as_ref().is_some_and(same) && self.found == found
    }
}

async fn refresh(
    calls: &Calls,
    source: &Source,
    (face, names): (&Face, &Names),
    in_force: &mut InForce,
) -> Result<(), Error> {
    let known = in_force.voice.as_ref().map(|voice| voice.version);
    let version = version::version(&source.db).await?;
    let opens = opens_by_now(calls, source, in_force).await;
    if known == Some(version) && !opens && names.all(&in_force.named) == in_force.found {
        return Ok(());
    }
    let known = in_force.voice.as_deref().cloned().unwrap_or_default();
    let voice = Arc::new(voice::reload(&source.db, known).await?);
    let named = names::named(&voice);
    let found = names.all(&named);
    if !opens && in_force.is_same(&voice, &found) {
        face.version.store(voice.version, Ordering::Relaxed);
        in_force.voice = Some(voice);
        return Ok(());
    }
    let building = Arc::clone(&voice);
    let (names, root_key) = (names.clone(), Arc::clone(&source.root_key));
    let before = calls.snapshot.load_full();
    // A million entries take a third of a second to be sorted: no work for a thread that others wait for.
    let is_published = calls.publisher().is_some();
    let built = tokio::task::spawn_blocking(move || {
        let sources = is_published.then(|| acl_publisher::entry::entries(&building));
        let find = |gateway: &Gateway| names.addresses(gateway);
        let now = Instant::now().into_std();
        let snapshot = Snapshot::new(Voice::clone(&building), Some(&before), &find, now);
        let snapshot = snapshot.with_digests(Users::open(&building, &root_key));
        (snapshot.with_accounts(&Accounts::open(&building, &root_key)), sources)
    });
    // The follower says it once, and tries again.
    let failed = |error: JoinError| Error::new(ErrorKind::Other, format!("no snapshot of it: {error}"));
    let (snapshot, sources) = built.await.map_err(failed)?;
    let (version, trunks, vendors) = (snapshot.version, snapshot.trunks.len(), snapshot.vendors.len());
    calls.media.configure(&snapshot.media_nodes, Instant::now().into_std());
    calls.snapshot.store(Arc::new(snapshot));
    if let (Some(publisher), Some(sources)) = (calls.publisher(), sources) {
        publisher.publish(sources);
    }
    *in_force = InForce { voice: Some(voice), named, found };
    face.version.store(version, Ordering::Relaxed);
    face.swaps.fetch_add(1, Ordering::Relaxed);
    tracing::info!(version, trunks, vendors, "configuration of voice in force");
    Ok(())
}

/// Whether a secret opens that did not when the snapshot was built: the key of another node may come later than what
/// was sealed with it, or the operator has put it there.
async fn opens_by_now(calls: &Calls, source: &Source, in_force: &InForce) -> bool {
    let snapshot = calls.snapshot.load_full();
    let is_closed = !snapshot.digests().closed().is_empty() || !snapshot.closed_accounts().is_empty();
    let Some(voice) = in_force.voice.clone().filter(|_| is_closed) else { return false };
    let root_key = Arc::clone(&source.root_key);
    // It reads the key file.
    let tried = move || {
        Users::opens_one(&voice, &root_key, snapshot.digests().closed())
            || Accounts::opens_one(&voice, &root_key, snapshot.closed_accounts())
    };
    // What could not be tried is tried again.
    tokio::task::spawn_blocking(tried).await.unwrap_or(false)
}

fn observe(face: &Arc<Face>) -> Observe {
    let face = Arc::clone(face);
    Arc::new(move || Observation {
        state: "following".into(),
        queue_depth: 0,
        counters: vec![
            ("version", face.version.load(Ordering::Relaxed).try_into().unwrap_or_default()),
            ("swaps", face.swaps.load(Ordering::Relaxed)),
        ],
        note: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPREAD: Duration = Duration::from_secs(2);

    /// A key that a node made whose clock is ahead or behind by so many seconds.
    fn key(number: u8, octet: u8, ahead: i64) -> CookieKey {
        let created_at = Timestamp::from_micros(1_790_000_000_000_000 + ahead * 1_000_000);
        CookieKey { number, key: [octet; 16], created_at }
    }

    #[test]
    fn a_new_key_seals_when_this_process_has_known_it_for_long_enough() {
        let old = key(0, 7, -100_000);
        for ahead in [-10_000, -1, 0, 1, 10_000] {
            let new = key(1, 8, ahead);
            let live = Keys::new(secret(old), None);
            let mut cookies = Cookies::default();
            let start = Instant::now();
            cookies.take(vec![old], start);
            // Seconds, and which one seals.
            for (seconds, sealing, other) in
                [(10, old, new), (11, old, new), (12, new, old), (13, new, old), (9_999, new, old)]
            {
                let now = start + Duration::from_secs(seconds);
                cookies.take(vec![new, old], now);
                cookies.put_in_force(&live, now, SPREAD);
                assert_eq!(live.secrets(), (secret(sealing), Some(secret(other))), "{ahead} {seconds}");
            }
            // The next incarnation: what seals goes on sealing.
            let mut cookies = Cookies::default();
            cookies.take(vec![new, old], start);
            cookies.put_in_force(&live, start, SPREAD);
            assert_eq!(live.secrets(), (secret(new), Some(secret(old))), "{ahead}");
        }
    }

    #[test]
    fn another_key_of_the_same_number_is_another_key() {
        let (old, wrong, right) = (key(0, 7, -100_000), key(1, 8, 0), key(1, 9, 1));
        let live = Keys::new(secret(wrong), Some(secret(old)));
        let mut cookies = Cookies::default();
        let now = Instant::now();
        cookies.take(vec![right, old], now);
        cookies.put_in_force(&live, now, SPREAD);
        assert_eq!(live.secrets(), (secret(old), Some(secret(right))));
        cookies.put_in_force(&live, now + SPREAD, SPREAD);
        assert_eq!(live.secrets(), (secret(right), Some(secret(old))));
    }
}
