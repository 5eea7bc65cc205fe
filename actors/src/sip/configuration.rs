//! Configuration of voice into effect: read when its version grows, swapped whole.
//!
//! Owns: the snapshot that calls are routed by, and which keys seal and open cookies. Its key is `sip_configuration:main:0`, its parent the `sip` supervisor,
//! its restart policy permanent. A crash loses nothing: the snapshot stays, and the next incarnation reads again.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use runtime::clock::Timestamp;
use runtime::model::{Gateway, Voice};
use runtime::registry::{ActorName, Observation, Observe};
use runtime::seal::RootKey;
use runtime::store::cookie_key::{self, CookieKey};
use runtime::store::{Db, Error, messaging, voice};
use runtime::supervision::{
    BoxError, ChildSpec, Error as SupervisionError, Restart, Seat, Start, SupervisorHandle,
};
use tokio::time::{Instant, sleep};

use super::calls::Calls;
use super::cookie::Secret;
use super::names::{self, Names};
use super::snapshot::Snapshot;
use super::vendor_actor;

/// Wait after the database could not be asked.
const RETRY: Duration = Duration::from_secs(1);

/// A new key of cookies seals after so many polls: until then a node may not know it.
const POLLS_TO_SPREAD: u32 = 4;

/// Where configuration comes from.
#[derive(Clone)]
pub struct Source {
    /// Configuration database.
    pub db: Db,
    /// Opens the keys of cookies.
    pub root_key: Arc<RootKey>,
    /// How often its version is compared; the same on all nodes.
    pub poll: Duration,
}

impl Source {
    /// Everything, at one version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(&self) -> Result<Voice, Error> {
        voice::load(&self.db).await
    }

    /// Of these keys of cookies the one that seals now, and the other one that opens.
    #[must_use]
    pub fn in_force(&self, keys: &[CookieKey], now: Timestamp) -> Option<(Secret, Option<Secret>)> {
        let secret = |key: CookieKey| Secret { number: key.number, key: key.key };
        let found = cookie_key::in_force(keys, now, self.poll.saturating_mul(POLLS_TO_SPREAD));
        found.map(|(sealing, other)| (secret(sealing), other.map(secret)))
    }
}

#[derive(Default)]
struct Face {
    version: AtomicI64,
    swaps: AtomicU64,
}

/// The actor as a child of the `sip` supervisor.
///
/// It keeps an actor for each vendor, by `vendors`, their supervisor.
pub fn child_spec(calls: Arc<Calls>, source: Source, names: Names, vendors: SupervisorHandle) -> ChildSpec {
    let face = Arc::new(Face::default());
    let start = Start::task(move |seat: Seat| {
        let (calls, source, face) = (Arc::clone(&calls), source.clone(), Arc::clone(&face));
        let (vendors, names) = (vendors.clone(), names.clone());
        async move {
            let _registration = seat.register(observe(&face));
            tokio::select! {
                () = follow(&calls, &source, (&face, &vendors, &names)) => {}
                () = seat.shutdown.requested() => {}
            }
            Ok::<(), BoxError>(())
        }
    });
    ChildSpec::new(ActorName::new("sip_configuration", "main"), Restart::Permanent, start)
}

async fn follow(
    calls: &Arc<Calls>,
    source: &Source,
    (face, vendors, names): (&Face, &SupervisorHandle, &Names),
) {
    let mut gateways = Gateways::default();
    let mut cookies = Cookies::default();
    let mut blind = false;
    let mut running = BTreeSet::new();
    loop {
        let read = async {
            refresh(calls, source, (face, names), &mut gateways).await?;
            cookies.refresh(calls, source).await
        };
        match read.await {
            Ok(()) => {
                if std::mem::take(&mut blind) {
                    tracing::info!("the configuration of voice can be read again");
                }
                follow_vendors(calls, vendors, &mut running).await;
                sleep(source.poll).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut blind, true) {
                    tracing::error!(%error, "the configuration of voice cannot be read, the last one stays");
                }
                sleep(RETRY).await;
            }
        }
    }
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

/// The keys of cookies, as they were at a version.
#[derive(Default)]
struct Cookies {
    version: Option<i64>,
    keys: Vec<CookieKey>,
}

impl Cookies {
    async fn refresh(&mut self, calls: &Calls, source: &Source) -> Result<(), Error> {
        let version = calls.snapshot.load().version;
        if self.version != Some(version) {
            self.keys = cookie_key::load(&source.db, &source.root_key).await?;
            self.version = Some(version);
        }
        let found = source.in_force(&self.keys, calls.clock.now());
        let Some((sealing, other)) = found else { return Ok(()) };
        let numbers = (sealing.number, other.map(|other| other.number));
        let cookies = &calls.settings.cookies;
        if cookies.numbers() != numbers {
            cookies.replace(sealing, other);
            tracing::info!(seals = numbers.0, opens = ?numbers.1, "keys of cookies in force");
        }
        Ok(())
    }
}

/// Gateways with names, and what these led to when the snapshot was built.
#[derive(Default)]
struct Gateways {
    version: Option<i64>,
    named: Vec<Gateway>,
    found: Vec<(String, SocketAddr)>,
}

async fn refresh(
    calls: &Calls,
    source: &Source,
    (face, names): (&Face, &Names),
    gateways: &mut Gateways,
) -> Result<(), Error> {
    let in_force = calls.snapshot.load().version;
    face.version.store(in_force, Ordering::Relaxed);
    let version = messaging::version(&source.db).await?;
    let known = gateways.version == Some(version);
    if version == in_force && known && names.all(&gateways.named) == gateways.found {
        return Ok(());
    }
    let voice = source.load().await?;
    let named = names::named(&voice);
    let found = names.all(&named);
    let names = names.clone();
    let before = calls.snapshot.load_full();
    // A million entries take a third of a second to be sorted: no work for a thread that others wait for.
    let built = tokio::task::spawn_blocking(move || {
        Snapshot::new(voice, Some(&before), &|gateway| names.addresses(gateway), Instant::now().into_std())
    });
    let Ok(snapshot) = built.await else { return Ok(()) };
    let (version, trunks, vendors) = (snapshot.version, snapshot.trunks.len(), snapshot.vendors.len());
    calls.snapshot.store(Arc::new(snapshot));
    *gateways = Gateways { version: Some(version), named, found };
    face.version.store(version, Ordering::Relaxed);
    face.swaps.fetch_add(1, Ordering::Relaxed);
    tracing::info!(version, trunks, vendors, "configuration of voice in force");
    Ok(())
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
